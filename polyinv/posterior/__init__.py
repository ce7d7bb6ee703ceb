"""Posteriors over recipes: all the recipes that fit an observation, and how far their widths can be trusted."""
