"""Evaluation of answers: scores, closed loop, information, importance, the published numbers."""

ENSEMBLE = "all"
"""The member of the scores that stands for the model as a whole."""
NLL, COVERAGE = "nll", "coverage_90"
"""Metrics of densities, see `polyinv.evaluation.densities`."""
