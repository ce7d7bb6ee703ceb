"""Errors that a table states of its rows, in columns of their own."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from polyinv.errors import InputError
from polyinv.instrument.errors import MOST, RELATIVE


def stated_errors(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Select and check the columns of a table that state errors; NaN where a cell is empty.

    Args:
        table: Any table; its index is the number of the row to report.
        columns: Names of such columns, and the error that each one is of, see
            `polyinv.instrument.errors.error_columns`.

    Raises:
        InputError: A column stands there twice, or a cell holds no positive number, or one that is too large.

    Example:
        >>> stated_errors(pd.DataFrame({"temp": [70.0], "temp_error": ["0.5"]}), {"temp_error": "temperature"})
           temp_error
        0         0.5
    """
    found = [name for name in columns if name in table.columns]
    return pd.DataFrame({name: _checked(table, name, columns[name]) for name in found}, index=table.index)


def _checked(table: pd.DataFrame, name: str, error: str) -> pd.Series:
    cells = table[name]
    if isinstance(cells, pd.DataFrame):
        raise InputError(f"column {name!r} stands there {cells.shape[1]} times")
    empty = cells.isna() | (cells.astype(str).str.strip() == "")
    said = cells.where(~empty & ~cells.map(lambda cell: isinstance(cell, bool)))
    numbers = pd.to_numeric(said, errors="coerce").astype(float)
    most = np.inf if error in RELATIVE else MOST.get(error, np.inf)
    bad = ~empty & ~((numbers > 0) & (numbers <= most) & np.isfinite(numbers))
    if bad.any():
        row = bad.to_numpy().argmax()
        rule = "a number above 0" + (f" up to {most:g}" if most < np.inf else "")
        raise InputError(
            f"row {table.index[row]}, column {name!r} holds {str(cells.iloc[row])!r}; needs {rule}, or nothing"
        )
    return numbers
