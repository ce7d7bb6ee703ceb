"""Forward simulation: from a recipe to the polymer it makes."""
