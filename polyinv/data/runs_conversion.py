"""Conversion of one's own reactions, of whatever column holds it, read as `polyinv predict` reads it."""

import logging

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.conversions import low_shares, with_residual
from polyinv.data.files.names import is_conversion
from polyinv.errors import InputError
from polyinv.instrument.errors import OF_CONVERSION, error_columns

CONVERSION = "conversion"
SAME = 0.005
"""Difference of two columns of one conversion that is rounding."""

log = logging.getLogger(__name__)


def with_conversion(raw: pd.DataFrame, system: System, place: str) -> tuple[pd.DataFrame, list[str]]:
    """Put the conversion, as a share, into a column of that name, and the errors behind ± into theirs.

    Args:
        raw: Cells of a table.
        system: What is polymerized.
        place: What the table is called.

    Returns:
        The table; the columns that were used.

    Raises:
        InputError: A cell is no conversion, or two columns hold different ones.
    """
    names = _columns(raw, system)
    if not names:
        return raw, []
    read = {name: _shares(raw[[name]], system, place) for name in names}
    first, *others = names
    for name in others:
        if not (read[name][CONVERSION] - read[first][CONVERSION]).abs().max() <= SAME:
            raise InputError(
                f"{place}: columns {first!r} and {name!r} both hold a conversion; leave one, or name it {CONVERSION!r}"
            )
    for doubt in low_shares(raw[first], read[first][CONVERSION]):
        log.warning("%s: %s", place, doubt)
    kept = raw.drop(columns=[CONVERSION, *raw.columns.intersection([OF_CONVERSION])], errors="ignore")
    stated = raw[[OF_CONVERSION]] if OF_CONVERSION in raw else read[first][[OF_CONVERSION]].dropna(axis=1, how="all")
    return kept.join(read[first][CONVERSION]).join(stated), names


def _columns(raw: pd.DataFrame, system: System) -> list[str]:
    """Columns of the conversion: the one of that name, or all that mean it."""
    own = {*system.columns, *error_columns(system.recipe, system.residual)}
    return [CONVERSION] if CONVERSION in raw else [name for name in raw if name not in own and is_conversion(str(name))]


def _shares(cells: pd.DataFrame, system: System, place: str) -> pd.DataFrame:
    """Conversions of a single column as shares, and their errors."""
    found, _, warnings = with_residual(cells.assign(**{system.targets[0]: 1.0}), system)
    shares = 1 - found.get(system.residual, pd.Series(np.nan, cells.index))
    refused = [said for said in warnings if said not in low_shares(cells.iloc[:, 0], shares)]
    if refused:
        raise InputError(f"{place}: {refused[0].replace('is not used', 'cannot be used')}")
    return pd.DataFrame({CONVERSION: shares, OF_CONVERSION: found.get(OF_CONVERSION, np.nan)}, cells.index)
