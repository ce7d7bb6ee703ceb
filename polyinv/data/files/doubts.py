"""What looks odd in a table of results: units that would fit better, means of no polymer, conversions."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.names import letters
from polyinv.data.files.options import Options
from polyinv.data.files.units import Unit, if_meant_otherwise, quantity_of
from polyinv.data.stated_system import COLUMN
from polyinv.errors import InputError
from polyinv.instrument.errors import error_columns

LEAST_MASS = 1000.0
"""Mw in g/mol of a polymer; a table that has less everywhere, and no unit, is refused."""
_CONVERSION = re.compile(r".*(conversion|umsatz|conv).*|^x$")


def suspicions(column: str, values: np.ndarray, system: System, called: str, remedy: str | None = None) -> list[str]:
    """Say which values without a unit would fit another unit better, and what to do about it.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> print(suspicions("temp", np.array([343.15]), load_system(), "temp")[0][:60])
        temp holds 343.15 °C, outside of 60 to 80; if it is K, it is
    """
    box = {quantity.name: (quantity.low, quantity.high) for quantity in system.recipe}
    box[system.residual] = (0.0, box[system.targets[0]][1])
    given = values[~np.isnan(values)]
    if column not in box or not len(given):
        return []
    low, high = box[column]
    value = float(np.median(given))
    margin = 0.25 * (high - low)
    quantity = quantity_of(column)
    least = 60.0 if quantity == "time" else low
    if (value >= (100.0 if quantity == "time" else least - margin)) and value <= high + margin:
        return []
    unit = {"temperature": "°C", "time": "s", "concentration": "mol/L"}[quantity]
    for other, converted in if_meant_otherwise(value, unit).items():
        if low - margin <= converted <= high + margin and converted > 0:
            remedy = remedy or f"name the column '{column} ({other})', or convert it"
            return [
                f"{called} holds {value:g} {unit}, outside of {low:g} to {high:g}; if it is {other}, it is "
                f"{converted:.4g} {unit}: {remedy}"
            ]
    return []


def check_masses(
    frame: pd.DataFrame,
    columns: Mapping[int, tuple[str, Unit | None]],
    units: Mapping[int, Unit],
    options: Options,
    place: str,
) -> None:
    """Refuse means that are too small for a polymer in g/mol, in the unit that is stated or without one."""
    for at, (column, unit) in columns.items():
        values = frame[column].dropna() if column in ("Mn", "Mw") and column in frame else pd.Series(dtype=float)
        if not len(values) or not 0 < values.max() < LEAST_MASS:
            continue
        held = f"{place}: column {column!r} holds {values.iloc[0]:g} g/mol, which is no polymer"
        if unit is None and at not in units and options.unit is None:
            raise InputError(
                f"{held} and looks like kg/mol: --unit kg/mol says so (or name the column '{column} (kg/mol)')"
            )
        raise InputError(f"{held}; is its unit right?")


def conversions(columns: Sequence[str], system: System) -> list[str]:
    """Say that a conversion is not used where the residual monomer would be."""
    used = {*system.columns, *error_columns(system.recipe, system.residual), COLUMN}
    names = [name for name in columns if name not in used]
    found = [name for name in names if _CONVERSION.fullmatch(letters(name))]
    return [
        f"column {name!r} is not used; a conversion goes in as {system.residual}, the residual monomer in mol/L"
        for name in found[:1]
    ]
