"""What makes rows snapshots of one run."""

import numpy as np
import pandas as pd

from polyinv.quantities import CONDITIONS

_DIGITS = 9


def run_numbers(recipes: pd.DataFrame) -> np.ndarray:
    """The run of each row, numbered from 0 in the order of appearance: rows that differ in time only share one.

    Conditions are compared to nine digits: a spreadsheet that computes a recipe leaves the rest to chance, and a run
    must not be torn apart by it.

    Example:
        >>> recipes = pd.DataFrame({"cBA_0": [1, 2, 1], "cAIBN_0": [0.01, 0.01, 0.01 + 1e-17], "temp": [70, 70, 70]})
        >>> run_numbers(recipes).tolist()
        [0, 1, 0]
    """
    conditions = recipes[list(CONDITIONS)].astype(float).map(f"{{:.{_DIGITS - 1}e}}".format)
    return conditions.groupby(list(CONDITIONS), sort=False).ngroup().to_numpy()
