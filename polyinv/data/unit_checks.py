"""Units of tables that are learned from or simulated: columns that another unit would explain, or no unit."""

import logging
from functools import cache

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.doubts import LEAST_MASS, suspicions
from polyinv.errors import InputError
from polyinv.quantities import MEANS

MOST = {"°C": 200.0, "mol/L": 100.0, "s": 1e6}
"""By unit, what the recipes of a table cannot all exceed, unless the box of the system does."""
ROUNDING = 1e-3
"""Share of the monomer's molar mass that a mean may lie below it."""
LOOKED_AT = 10_000
"""Values of a column, at most, by which its unit is judged: as many of each part of its range as there are."""

log = logging.getLogger(__name__)


def check_units(table: pd.DataFrame, system: System, place: str) -> None:
    """Refuse columns that are in another unit for certain, and warn of those that may be.

    Args:
        table: Columns of the system, as far as they are there; NaN where nothing is known.
        system: What is polymerized.
        place: What the table is called.

    Raises:
        InputError: No recipe has such values, or no polymer such means.
    """
    for quantity in system.recipe:
        least = table[quantity.name].min() if quantity.name in table else np.nan
        if least > max(MOST[quantity.unit], quantity.high):
            doubts = units_in_doubt(table[[quantity.name]], system, place)
            held = f"{place}: column {quantity.name!r} holds {least:g} {quantity.unit} and more"
            raise InputError(doubts[0] if doubts else f"{held}, outside of {quantity.low:g} to {quantity.high:g}")
    _check_masses(table, system, place)
    warn_of_units(table, system, place)


def warn_of_units(table: pd.DataFrame, system: System, place: str) -> None:
    """Warn of columns that may be in another unit, once of each."""
    for line in [*units_in_doubt(table, system, place), *_small_masses(table, place)]:
        _warn(line)


def units_in_doubt(table: pd.DataFrame, system: System, place: str, remedy: str | None = "convert it") -> list[str]:
    """Say which columns of the recipe, and whether that of the residual monomer, another unit would explain.

    Args:
        table: Columns of the system, as far as they are there; NaN where nothing is known.
        system: What is polymerized.
        place: What the table is called.
        remedy: What to do about it; None names the column with its unit, too.
    """
    step = 1 + len(table) // LOOKED_AT
    names = [name for name in (*system.targets, system.residual) if name in table]
    columns = {name: np.sort(table[name].to_numpy(dtype=float))[::step] for name in names}
    found = [suspicions(name, values, system, f"{place}: column {name!r}", remedy) for name, values in columns.items()]
    return [line for lines in found for line in lines]


def _check_masses(table: pd.DataFrame, system: System, place: str) -> None:
    least = system.chemistry.monomer_molar_mass
    for name in table.columns.intersection(list(MEANS)):
        light = table[name] < least * (1 - ROUNDING)
        if light.any():
            held = f"{table.loc[light.idxmax(), name]:g} g/mol ({light.sum()} such rows)"
            raise InputError(
                f"{place}: column {name!r} holds {held}, less than a molecule of the monomer "
                f"has ({least:.4g}); is it in kg/mol?"
            )


def _small_masses(table: pd.DataFrame, place: str) -> list[str]:
    return [
        f"{place}: column {name!r} holds {table[name].max():g} g/mol at most; if it is kg/mol: convert it"
        for name in table.columns.intersection(list(MEANS))
        if table[name].max() < LEAST_MASS
    ]


@cache
def _warn(line: str) -> None:
    log.warning("%s", line)
