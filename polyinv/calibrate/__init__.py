"""Calibration of a laboratory: the kinetics of its reactor and its instrument, from a few runs with known recipes."""
