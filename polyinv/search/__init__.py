"""Searches for hyper-parameters: trials proposed by Optuna, kept in a journal that any number of processes share."""
