"""Files that instruments and people write: their cells, what these mean, and the curves and tables in them."""
