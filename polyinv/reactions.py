"""Reactions in a table: which rows are snapshots of one reaction, and their conversion."""

import numpy as np
import pandas as pd

from polyinv.quantities import CONDITIONS

HIGH_CONVERSION = 0.9
"""A conversion counts as high from here on, as in the published study (its Figures 3 to 5)."""
_DIGITS = 9


def run_numbers(recipes: pd.DataFrame) -> np.ndarray:
    """Number the reaction of each row from 0 in the order of appearance: rows that differ in time only share one.

    Conditions are compared to nine digits: a spreadsheet that computes a recipe leaves the rest to chance, and a
    reaction must not be torn apart by it.

    Example:
        >>> recipes = pd.DataFrame({"cBA_0": [1, 2, 1], "cAIBN_0": [0.01, 0.01, 0.01 + 1e-17], "temp": [70, 70, 70]})
        >>> run_numbers(recipes).tolist()
        [0, 1, 0]
    """
    conditions = recipes[list(CONDITIONS)].astype(float).map(f"{{:.{_DIGITS - 1}e}}".format)
    return conditions.groupby(list(CONDITIONS), sort=False).ngroup().to_numpy()


def conversion(table: pd.DataFrame) -> pd.Series:
    """Conversion 1 - cBA_time / cBA_0 of the rows of a table, NaN where one of them is missing.

    Example:
        >>> conversion(pd.DataFrame({"cBA_0": [2.0], "cBA_time": [0.5]})).tolist()
        [0.75]
    """
    return 1 - table["cBA_time"] / table["cBA_0"]
