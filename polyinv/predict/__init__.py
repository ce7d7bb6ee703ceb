"""Prediction of recipes from measured inputs and known values."""
