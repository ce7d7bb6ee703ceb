"""Errors that are stated in columns of their own, or under their names."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from polyinv.data.files.numbers import number
from polyinv.errors import InputError
from polyinv.instrument.errors import MOST, RELATIVE

SHARES = ("conversion", "offset", "slope", "drift", "noise", "cut_low", "cut_high")
"""Errors that are shares, which may be written in per cent."""


def stated_errors(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Select and check the columns of a table that state errors; NaN where a cell is empty.

    Args:
        table: Any table; its index is the number of the row to report.
        columns: Names of such columns, and the error that each one is of, see
            `polyinv.instrument.errors.error_columns`.

    Raises:
        InputError: A column stands there twice, or a cell holds no positive number, or one that is too large.

    Example:
        >>> stated_errors(pd.DataFrame({"temp": [70.0], "temp_error": ["0,5"]}), {"temp_error": "temperature"})
           temp_error
        0         0.5
    """
    found = [name for name in columns if name in table.columns]
    return pd.DataFrame({name: _checked(table, name, columns[name]) for name in found}, index=table.index)


def stated_error(text: str | float, error: str) -> float:
    """Read a single error, in the unit that its column has; NaN where it is no such error, or may be two.

    Example:
        >>> stated_error("0,06", "broadening"), stated_error("2 %", "offset"), stated_error("1,000", "time")
        (0.06, 0.02, nan)
    """
    signs = (".", ",") if isinstance(text, str) and "," in text else (".",)
    percent = isinstance(text, str) and text.rstrip().endswith(("%", "％"))
    scale = 1.0 if not percent else 0.01 if error in SHARES else np.nan
    found = {scale * value for sign in signs if (value := number(text, sign)) is not None}
    possible = [value for value in found if 0 < value <= _most(error) and value < np.inf]
    return possible[0] if len(possible) == 1 else np.nan


def rule_of(error: str) -> str:
    """What an error has to be, in words."""
    most = _most(error)
    return "a number above 0" + (f" up to {most:g}" if most < np.inf else "")


def _most(error: str) -> float:
    return np.inf if error in RELATIVE else MOST.get(error, np.inf)  # of a number of chains none


def _checked(table: pd.DataFrame, name: str, error: str) -> pd.Series:
    cells = table[name]
    if isinstance(cells, pd.DataFrame):
        raise InputError(f"column {name!r} stands there {cells.shape[1]} times")
    empty = cells.isna() | (cells.astype(str).str.strip() == "")
    values = [
        np.nan if isinstance(cell, bool) or skip else stated_error(cell, error)
        for cell, skip in zip(cells, empty, strict=True)
    ]
    numbers = pd.Series(values, cells.index, dtype=float, name=name)
    bad = ~empty & numbers.isna()
    if bad.any():
        row = bad.to_numpy().argmax()
        held = str(cells.iloc[row])
        raise InputError(f"row {table.index[row]}, column {name!r} holds {held!r}; needs {rule_of(error)}, or nothing")
    return numbers
