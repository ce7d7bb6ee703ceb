"""System that a table states: by a column, or by the names of its columns."""

import re
from collections.abc import Sequence

import pandas as pd

from polyinv.chemistry import DEFAULT, SYSTEMS, System, load_system
from polyinv.errors import InputError

COLUMN = "system"
"""Column with the name of the system; tables of the default one go without."""
RECIPE = re.compile(r"c[A-Z][A-Za-z0-9]*_(0|time)")
"""Columns of a substance in a recipe, and of a residual monomer."""
ONLY_NAME = "a table keeps the name only: give both systems one name if nothing but their coefficients differs"


def stating(table: pd.DataFrame, system: System) -> pd.DataFrame:
    """Add the column that names the system, in front; not that of the default one, whose tables have their own form."""
    if system.name == DEFAULT:
        return table
    named = table.copy(deep=False)
    named.insert(0, COLUMN, system.name)
    return named


def check_stated(raw: pd.DataFrame, system: System, place: str) -> None:
    """Refuse a table of another system.

    Args:
        raw: Cells as they stand, with names of columns.
        system: What the table is read for.
        place: What the table is called in errors.

    Raises:
        InputError: It names another system, or has the columns of one.
    """
    stated = [str(name) for name in raw[COLUMN].dropna().unique()] if COLUMN in raw else []
    for name in stated:
        if name != system.name and not _is_like(name, system):
            hint = "" if name in SYSTEMS or system.targets[0] not in raw else f"; {ONLY_NAME}"
            raise InputError(f"{place} is of the system {name}, not of {system.name}; they do not go together{hint}")
    if other := _of_another(list(raw.columns), system):
        raise InputError(
            f"{place} has columns of the system {other.name} ({_named(other)}), not of {system.name} ({_named(system)})"
        )
    if foreign := _foreign(list(raw.columns), system):
        raise InputError(
            f"{place} has columns of another system ({', '.join(foreign[:3])}), not of {system.name} ({_named(system)})"
        )


def _is_like(name: str, system: System) -> bool:
    return name in SYSTEMS and load_system(name).is_like(system)


def _of_another(names: Sequence[str], system: System) -> System | None:
    """The shipped system that some columns belong to, where none belongs to this one alone."""
    ours = {system.targets[0], system.residual}
    if ours & set(names):
        return None
    others = (load_system(name) for name in SYSTEMS)
    return next((other for other in others if {other.targets[0], other.residual} & set(names)), None)


def _foreign(names: Sequence[str], system: System) -> list[str]:
    """Columns such as cT_0 and cT_time of a system that nobody knows here, where none belongs to this one alone."""
    if {system.targets[0], system.residual} & set(names):
        return []
    return [name for name in map(str, names) if RECIPE.fullmatch(name) and name not in system.columns]


def _named(system: System) -> str:
    return f"{system.targets[0]}, {system.residual}"
