"""Table of one's own reactions: recipes that are known, and what was measured of the polymers at some times."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.curves import LEAST_POINTS
from polyinv.data.files.numbers import is_missing, number, possible_decimals
from polyinv.data.files.options import Options
from polyinv.data.files.reading import read_book
from polyinv.data.files.results import read_results
from polyinv.data.files.tables import table_in
from polyinv.data.measured import read_curve
from polyinv.data.runs_checks import (
    check_curves,
    check_error_columns,
    check_mean_errors,
    check_numbers,
    say_what_is_not_used,
    warn_of_falling,
    warn_of_repeats,
)
from polyinv.data.runs_conversion import CONVERSION, with_conversion
from polyinv.data.stated import stated_errors
from polyinv.data.stated_system import COLUMN, check_stated
from polyinv.data.table_checks import check_doubled
from polyinv.data.unit_checks import units_in_doubt
from polyinv.data.workbook import csv_chunks, is_own_table
from polyinv.errors import InputError
from polyinv.instrument.errors import error_columns
from polyinv.mmd import LOG_M, without_oligomers
from polyinv.quantities import MEANS, MMD
from polyinv.reactions import conversion
from polyinv.runtime.files import check_file

RUN, CURVE_FILE = "run", "curve_file"
"""Columns that name the reaction of a row, and the file of its curve, beside the table."""
POINT = re.compile(r"w_at_([0-9]+(?:\.[0-9]+)?)")
"""Column of a curve at a point, log10(M / g/mol), in any unit of the ordinate: ``w_at_4.35``."""

log = logging.getLogger(__name__)


def read_runs(path: Path | str, system: System, *, refuse_units: bool = False) -> pd.DataFrame:
    """Read reactions whose recipes are known.

    Args:
        path: A table in any form that people write (`polyinv.data.files.tables`), with the recipe of the system in each
            row and any of ``conversion`` (0 to 1) or the residual monomer,
            ``Mn``, ``Mw``, and a curve: MMD1 … MMD100, or its points in columns such as ``w_at_4.35``. A cell may be
            empty. Other columns are left aside, but for ``run``, which names the reaction, ``curve_file``, which names
            the file of a curve beside the table, and those that state errors.
        system: What is polymerized.
        refuse_units: Refuse a recipe that another unit would explain, instead of warning of it.

    Returns:
        The recipe, ``conversion``, ``Mn``, ``Mw`` and the curve on the nodes of `polyinv.mmd` above 1000 g/mol, of unit
        area; NaN where not measured. Rows are numbered as a person counts them.

    Raises:
        InputError: A file that is no such table: the line says file, row and column.
    """
    path = Path(path)
    own = is_own_table(path, system)
    raw, warnings = (_own(path, system), []) if own else _as_people_write(path, system)
    check_stated(raw, system, str(path))
    check_error_columns(raw, system, str(path))
    raw, conversions = with_conversion(raw, system, str(path))
    say_what_is_not_used(raw, {*_used(raw, system), *conversions}, system, str(path))
    beside = _beside(raw, system, path)
    if CURVE_FILE in raw:
        raw = _with_curves(raw, path)
    _check(raw, system, path)
    points = [name for name in raw if POINT.fullmatch(name)]
    wanted = [*system.targets, system.residual, CONVERSION, *MEANS, *MMD, *points]
    numbers = _numbers(raw[[name for name in wanted if name in raw]], path).reindex(columns=[*wanted])
    doubts = units_in_doubt(numbers, system, str(path), "convert it" if own else None)
    if refuse_units and doubts:
        raise InputError(doubts[0])
    for line in doubts if own else warnings:
        log.warning("%s", line)
    _check_recipes(numbers, system, path)
    check_numbers(numbers, numbers[CONVERSION], system, str(path))
    check_mean_errors(numbers, beside, str(path))
    table = numbers[[*system.targets, CONVERSION, *MEANS]].copy()
    table[CONVERSION] = table[CONVERSION].fillna(conversion(numbers, system))
    _check_conversion(table[CONVERSION], path)
    warn_of_falling(table.join(beside), [*system.conditions, *({RUN} & set(beside))], CONVERSION, str(path))
    curves = numbers[[*MMD]].to_numpy() if not points else _on_nodes(numbers[points], path)
    curves = pd.DataFrame(curves, table.index, list(MMD))
    check_curves(curves, str(path))
    warn_of_repeats(table.join(curves), str(path))
    return table.join(pd.DataFrame(_measured(curves.to_numpy()), table.index, list(MMD))).join(beside)


def _used(raw: pd.DataFrame, system: System) -> list[str]:
    """Columns of a table that mean something here, but for those of a conversion."""
    known = {*system.columns, CONVERSION, RUN, CURVE_FILE, COLUMN, *error_columns(system.recipe, system.residual)}
    return [name for name in raw if name in known or POINT.fullmatch(str(name))]


def _beside(raw: pd.DataFrame, system: System, path: Path) -> pd.DataFrame:
    """The name of the reaction, and what is stated of errors."""
    stated = stated_errors(raw, error_columns(system.recipe, system.residual))
    names = _names_of_runs(raw[RUN], path) if RUN in raw else []
    if names:
        stated.insert(0, RUN, names)
    return stated


def _names_of_runs(cells: pd.Series, path: Path) -> list[str]:
    """Names of the reactions, an empty cell standing for the one above; none where all cells are empty."""
    empty = cells.isna() | (cells.astype(str).str.strip() == "")
    if empty.all():
        return []
    if empty.iloc[0]:
        raise InputError(f"{path}, row {cells.index[0]}: {RUN} is empty, and no row above names one; needs a name")
    return [str(name).strip().removesuffix(".0") for name in cells.mask(empty).ffill()]


def _with_curves(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A table with the curves that it names, on the nodes of `polyinv.mmd`; other columns of curves give way."""
    curves = np.full((len(raw), len(MMD)), np.nan)
    for at, (row, cell) in enumerate(raw[CURVE_FILE].items()):
        if is_missing(cell):
            continue
        file = path.parent / str(cell).strip()
        check_file(file, f"{path}, row {row}")
        curve = read_curve(file)
        for warning in curve.warnings:
            log.warning("%s: %s", file, warning)
        curves[at] = curve.w
    kept = raw.drop(columns=[name for name in raw if name in MMD or POINT.fullmatch(str(name))])
    return kept.join(pd.DataFrame(curves, raw.index, list(MMD)))


def _own(path: Path, system: System) -> pd.DataFrame:
    """A table in polyinv's own form, rows numbered as a person counts them."""
    if path.suffix.lower() != ".csv":
        raise InputError(f"{path} is a table of polyinv's own; needs .csv, or a table as people write it")
    raw = pd.concat(list(csv_chunks(path, system))).rename(columns=lambda name: str(name).strip())
    check_doubled(list(raw), list(raw), str(path))
    return raw


def _as_people_write(path: Path, system: System) -> tuple[pd.DataFrame, list[str]]:
    """A table of any format, in the units and by the names of the system; and what looks odd in it."""
    book = read_book(path)
    table = next((found for sheet in book.sheets if (found := table_in(sheet, system))), None)
    if table is None:
        raise InputError(f"{path} has no rows below names of columns such as {', '.join(system.targets)}, Mn, Mw")
    raw, notes, warnings = read_results(table, Options(), system)
    for note in notes:
        log.info("%s: %s", path, note)
    for name in [*raw.columns]:
        if POINT.fullmatch(str(name)):
            raw[name] = _as_numbers(raw[name], path)
    return raw, [f"{path}: {warning}" for warning in warnings]


def _as_numbers(cells: pd.Series, path: Path) -> pd.Series:
    sign = possible_decimals(cells)[0]
    values = [np.nan if is_missing(cell) else number(cell, sign) for cell in cells]
    if None in values:
        at = values.index(None)
        raise InputError(
            f"{path}, row {cells.index[at]}, column {cells.name!r} holds {cells.iloc[at]!r}; needs a number"
        )
    return pd.Series(values, cells.index, dtype=float, name=cells.name)


def _check(raw: pd.DataFrame, system: System, path: Path) -> None:
    missing = [name for name in system.targets if name not in raw]
    if missing:
        raise InputError(
            f"{path} has no column {missing[0]}; reactions of {system.name} need {', '.join(system.targets)}"
        )
    measured = (CONVERSION, system.residual, *MEANS, MMD[0])
    if raw.empty or not (set(measured) & set(raw) or any(POINT.fullmatch(name) for name in raw)):
        raise InputError(f"{path} has nothing measured; needs some of {', '.join(measured[:4])}, or a curve")


def _numbers(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    numbers = raw.apply(pd.to_numeric, errors="coerce").astype(float)
    bad = (numbers.isna() & raw.notna()) | np.isinf(numbers)
    if bad.to_numpy().any():
        row, column = (part[0] for part in np.nonzero(bad.to_numpy()))
        held = raw.iloc[row, column]
        raise InputError(f"{path}, row {raw.index[row]}, column {raw.columns[column]!r} holds {held!r}; needs a number")
    return numbers


def _check_recipes(numbers: pd.DataFrame, system: System, path: Path) -> None:
    above = {quantity.name: quantity.above for quantity in system.recipe} | dict.fromkeys(MEANS, 0.0)
    for name, least in above.items():
        low = numbers[name] <= least if name in MEANS else ~(numbers[name] > least)
        if low.any():
            row = low.idxmax()
            raise InputError(f"{path}, row {row}: {name} is {numbers.loc[row, name]:g}; needs a number above {least:g}")


def _check_conversion(reacted: pd.Series, path: Path) -> None:
    off = (reacted < 0) | (reacted > 1)
    if off.any():
        row = off.idxmax()
        raise InputError(f"{path}, row {row}: a conversion of {reacted[row]:g} cannot be; needs 0 to 1")


def _on_nodes(values: pd.DataFrame, path: Path) -> np.ndarray:
    """Curves (B, 100) read off at the nodes of `polyinv.mmd`, from their values at P points, (B, P)."""
    at = np.array([float(name.removeprefix("w_at_")) for name in values])
    if len(at) < LEAST_POINTS or len(set(at)) < len(at):
        raise InputError(f"{path} has curves of {len(set(at))} points; needs {LEAST_POINTS} different ones or more")
    order = at.argsort()
    return np.stack([np.interp(LOG_M, at[order], row[order], 0.0, 0.0) for row in values.to_numpy()])


def _measured(curves: np.ndarray) -> np.ndarray:
    """The part of curves (B, 100) above 1000 g/mol, of unit area; NaN where one is torn, missing or empty."""
    torn = np.isnan(curves).any(1, keepdims=True)
    return without_oligomers(np.where(torn, np.nan, curves.clip(min=0)))
