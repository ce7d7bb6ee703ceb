"""Ablation studies: many experiments, one table, and what it shows."""
