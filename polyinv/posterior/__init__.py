"""Posterior over recipes: all the recipes that fit an observation."""
