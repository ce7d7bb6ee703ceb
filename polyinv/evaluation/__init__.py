"""How good an answer is: scores, figures, tables, the published numbers."""
