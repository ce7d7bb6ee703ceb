"""From rows of what a laboratory knows to recipes."""
