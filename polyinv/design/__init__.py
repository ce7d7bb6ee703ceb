"""Design: recipes that make the polymer that is wanted, what they cost, and what no recipe makes."""
