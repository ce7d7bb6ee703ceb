"""Residual monomer of a table that has conversions instead, where the initial monomer of a row is known."""

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.doubts import conversions
from polyinv.data.files.names import is_conversion
from polyinv.data.files.numbers import Cell, is_missing, possible_decimals
from polyinv.data.files.plus_minus import Part, part_of, parted
from polyinv.data.files.units import split_unit
from polyinv.instrument.errors import OF_CONVERSION, error_columns


def with_residual(raw: pd.DataFrame, system: System) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Add the residual monomer that conversions leave of the initial one, and the errors behind ±.

    Args:
        raw: As `polyinv.data.files.results.read_results` gives it: the columns of the system as numbers.
        system: What is polymerized.

    Returns:
        The table; notes; warnings of conversions that are not used.
    """
    own = {*system.columns, *error_columns(system.recipe, system.residual)}
    names = [str(name) for name in raw.columns if name not in own and is_conversion(str(name))]
    monomer, residual = system.targets[0], system.residual
    if not names or (residual in raw and raw[residual].notna().any()):
        return raw, [], []
    if len(names) > 1:
        listed = " and ".join(map(repr, names))
        return raw, [], [f"columns {listed} are not used: both hold a conversion; leave one"]
    if monomer not in raw:
        return raw, [], conversions(names, system)
    shares, errors, odd = _shares(raw[names[0]])
    if odd is not None:
        rule = "needs 0 to 1, or 0 to 100 in a column that is named in %"
        return raw, [], [f"column {names[0]!r} is not used: row {odd} holds {raw.loc[odd, names[0]]!r}; {rule}"]
    found = raw.assign(**{residual: raw[monomer] * (1 - shares)})
    if errors.notna().any() and OF_CONVERSION not in raw:
        found[OF_CONVERSION] = errors
    return found, [f"column {names[0]!r} gives {residual}, the residual monomer, by the {monomer} of its row"], []


def _shares(cells: pd.Series) -> tuple[pd.Series, pd.Series, object]:
    """Conversions as shares and their errors, NaN where there are none, and the first row that holds something else."""
    unit = split_unit(str(cells.name))[1]
    percent = unit is not None and unit.quantity == "share"
    sign = possible_decimals(part for cell in cells for part in parted(cell) if part is not None)[0]
    parts = [_parts(cell, sign) for cell in cells]
    values = [
        np.nan if value.value is None else value.value / (100 if percent or value.percent else 1) for value, _ in parts
    ]
    errors = [
        np.nan if error.value is None else error.value / (100 if percent or error.percent else 1) for _, error in parts
    ]
    shares = pd.Series(values, cells.index, dtype=float)
    bad = ~shares.between(0, 1) & ~np.array([is_missing(cell) for cell in cells])
    mixed = [not percent and error.value is not None and value.percent != error.percent for value, error in parts]
    bad |= np.array(mixed)
    return shares, pd.Series(errors, cells.index, dtype=float), bad.idxmax() if bad.any() else None


def _parts(cell: Cell, sign: str) -> tuple[Part, Part]:
    value, error = parted(cell)
    return part_of(value, sign), part_of(error or "", sign)
