"""Checks of tables: numbers in all cells, columns that stand there once, rows that some polymer can have."""

import datetime
import difflib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.errors import InputError
from polyinv.mmd import area, unit_area
from polyinv.quantities import MMD

_NO_NUMBERS = (bool, np.bool_, datetime.date, datetime.time, datetime.timedelta)
AREA_TOLERANCE = 0.02
"""How far the area under a distribution may be from one."""
MOST = {"mol/L": 1e5, "°C": 1e4, "s": 1e9, "g/mol": 1e10}
"""By unit, what no quantity exceeds, be it written in a thousandth of the unit."""
MOST_OF_ALL = 1e9
"""Of everything else."""
MORE_THAN_CHARGED, ANOTHER_UNIT = 1.1, 10.0
"""Residual over initial monomer from which on no error of measurement explains it, but another unit may."""


def check_table(table: pd.DataFrame, place: str, system: System) -> None:
    """Refuse rows that cannot be measurements of a polymer; the index of ``table`` is the row number to report.

    Raises:
        InputError: The first impossible value, or the first row that stands there twice.
    """
    check_physical(table, place, system)
    twice = table.duplicated()
    if twice.any():
        row = twice.idxmax()
        first = (table == table.loc[row]).all(axis=1).idxmax()
        raise InputError(f"{place}: row {row} repeats row {first} ({twice.sum()} such rows); each has to stand once")


def check_physical(table: pd.DataFrame, place: str, system: System) -> None:
    """Refuse numbers that no polymer has; NaN is a missing input.

    Raises:
        InputError: The first of them.
    """
    above = {quantity.name: quantity.above for quantity in system.recipe} | {"Mn": 0.0, "Mw": 0.0}
    for column in table.columns.intersection(list(above)):
        _refuse(table[column] <= above[column], table[column], place, f"has to be more than {above[column]:g}")
    for column in table.columns.intersection([system.residual, *MMD]):
        _refuse(table[column] < 0, table[column], place, "has to be zero or more")
    most = {quantity.name: MOST.get(quantity.unit, MOST_OF_ALL) for quantity in system.recipe}
    most |= {system.residual: MOST["mol/L"], "Mn": MOST["g/mol"], "Mw": MOST["g/mol"]}
    for column in table.columns.intersection([*most, *MMD]):
        limit = most.get(column, MOST_OF_ALL)
        _refuse(table[column] > limit, table[column], place, f"is more than {limit:g}, which no unit explains")
    if {"Mn", "Mw"} <= set(table.columns):
        _refuse(table["Mw"] < table["Mn"] * (1 - 1e-9), table["Mw"], place, "is less than Mn, which cannot be")
    charged = system.targets[0]
    if {charged, system.residual} <= set(table.columns):
        ratio = table[system.residual] / table[charged]
        more = (ratio > MORE_THAN_CHARGED) & (ratio < ANOTHER_UNIT)
        _refuse(more, table[system.residual], place, f"is more than the monomer charged, {charged}, which cannot be")


def numbers_in(
    raw: pd.DataFrame, columns: Sequence[str], place: str, system: System, *, gaps: bool = False
) -> pd.DataFrame:
    """Columns as numbers; what is none is refused, with ``gaps`` but for empty cells."""
    raw = raw.rename(columns=lambda name: str(name).strip())
    _check_columns(list(raw.columns), columns, place, system)
    raw = raw.astype({column: object for column in columns if raw[column].dtype.kind in "bmMO"})
    for column in raw.columns.intersection(list(columns)):
        if raw[column].dtype == object:  # dates, durations and truth values are no numbers
            raw[column] = [str(cell) if isinstance(cell, _NO_NUMBERS) else cell for cell in raw[column]]
    table = raw[list(columns)].apply(pd.to_numeric, errors="coerce").astype(float)
    bad = ~np.isfinite(table.to_numpy())
    if gaps:
        bad &= ~raw[list(columns)].isna().to_numpy()
    if bad.any():
        row, column = np.argwhere(bad)[0]
        cell = raw[columns[column]].iloc[row]
        what = "is empty or a formula without a value" if pd.isna(cell) else f"holds {str(cell)!r}"
        hint = "; write decimals with a point" if isinstance(cell, str) and "," in cell else ""
        hint += ", or nothing" * gaps
        raise InputError(f"{place}, row {table.index[row]}, column {columns[column]!r} {what}; needs a number{hint}")
    return table


def check_doubled(found: list[str], columns: Sequence[str], place: str) -> None:
    """Refuse a column that stands there twice."""
    doubled = [column for column in columns if found.count(column) > 1]
    if doubled:
        raise InputError(f"{place}: column {doubled[0]!r} stands there {found.count(doubled[0])} times")


def _check_columns(found: list[str], columns: Sequence[str], place: str, system: System) -> None:
    check_doubled(found, columns, place)
    missing = [column for column in columns if column not in found]
    if missing:
        spare = [name for name in found if name not in system.columns]
        close = difflib.get_close_matches(missing[0], spare, n=1)
        hint = f"; is {close[0]!r} meant for it?" if close else f"; a table needs {short(columns)}"
        more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
        raise InputError(f"{place}: column {missing[0]!r}{more} missing{hint}")


def short(columns: Sequence[str]) -> str:
    """Columns as errors list them."""
    return ", ".join([column for column in columns if column not in MMD] + ["MMD1 … MMD100"] * (MMD[0] in columns))


def _refuse(bad: pd.Series, values: pd.Series, place: str, rule: str) -> None:
    if bad.any():
        row = bad.idxmax()
        raise InputError(f"{place}, row {row}, column {values.name!r} holds {values.loc[row]:g}; {rule}")


def with_unit_area(
    table: pd.DataFrame, place: str, *, normalize: bool, option: str = "--data.normalize true"
) -> pd.DataFrame:
    """Refuse distributions whose area is not one, or bring them to it; ``option`` is what the user would say."""
    if MMD[0] not in table:
        return table
    curves = table[list(MMD)].to_numpy()
    areas = area(curves)
    if (areas == 0).any():
        row = table.index[(areas == 0).argmax()]
        raise InputError(f"{place}, row {row}: the distribution is zero everywhere")
    if normalize:
        return table.assign(**dict(zip(MMD, unit_area(curves).T, strict=True)))
    off = np.abs(areas - 1) > AREA_TOLERANCE
    if off.any():
        raise InputError(
            f"{place}, row {table.index[off.argmax()]}: the distribution integrates to {areas[off.argmax()]:.4g} "
            f"instead of 1 over log10 M ({off.sum()} of {len(off)} rows are off); {option} rescales them"
        )
    return table
