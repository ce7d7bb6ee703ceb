"""Conversion of one's own reactions, of whatever column holds it, read as `polyinv predict` reads it."""

import logging

import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.conversions import conversion_columns, low_shares, read_shares
from polyinv.errors import InputError
from polyinv.instrument.errors import OF_CONVERSION

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
    names = [CONVERSION] if CONVERSION in raw else conversion_columns(raw, system)
    if not names:
        return raw, []
    read = {name: _shares(raw[name], place) for name in names}
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


def _shares(cells: pd.Series, place: str) -> pd.DataFrame:
    """Conversions of a column as shares, and their errors."""
    shares, errors, odd = read_shares(cells)
    if odd is not None:
        raise InputError(f"{place}: column {cells.name!r} cannot be used: {odd}")
    return pd.DataFrame({CONVERSION: shares, OF_CONVERSION: errors}, cells.index)
