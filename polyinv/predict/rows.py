"""Rows to predict from: tables and measured curves, in files or in memory."""

import difflib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.files.conversions import with_residual
from polyinv.data.files.doubts import passed_over, strict_suspicions
from polyinv.data.files.names import is_conversion
from polyinv.data.files.options import Options
from polyinv.data.files.reading import read_book
from polyinv.data.files.recognise import Found, recognise
from polyinv.data.files.results import read_results
from polyinv.data.measured import MeasuredCurve, curves_found
from polyinv.data.workbook import is_own_table, observations_of, read_observations
from polyinv.errors import InputError
from polyinv.instrument.errors import error_columns
from polyinv.mmd import LOG_M, OLIGOMERS, STEP, without_oligomers
from polyinv.quantities import CHAINS, MMD
from polyinv.runtime.collection import uncollected

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

MOST_OLIGOMERS = 0.5
"""Share of the mass of a measured curve below 1000 g/mol from which on it is refused."""

log = logging.getLogger(__name__)


def read_rows(
    path: Path | str | Sequence[Path | str],
    *,
    normalize: bool = False,
    called: str | None = None,
    system: AnySystem = DEFAULT,
    **stated: Any,
) -> tuple["Observations", pd.DataFrame]:
    """Read rows with missing inputs from a table, or from measured curves; how they were read goes to the log.

    Args:
        path: Of a table (`polyinv.data.files.tables`) or of curves (`polyinv.data.measured.read_curves`), a row each;
            the part of a curve below 1000 g/mol is not used: no instrument separates oligomers. Or several of them.
        normalize: Divide each distribution of a table by its area.
        called: What a single file is called in notes, if not by its path.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
        stated: Options of a file, see `polyinv.data.files.options.Options`.

    Returns:
        What is known of the rows, labelled as a person counts them, and the other columns of the file.

    Raises:
        InputError: In one line, what is wrong with a file.
    """
    system, options = load_system(system), Options(**stated)
    paths = [path] if isinstance(path, (str, Path)) else list(path)
    _say_repeats(paths)
    parts = [_read(each, called or str(each), options, system, normalize=normalize) for each in paths]
    table, others = parts[0] if len(parts) == 1 else _together(parts, paths)
    with uncollected():  # torch takes a second or more to import: not before a file has been refused
        from polyinv.data.observations import Observations

    return Observations.from_table(_with_errors(table, others, system), system), others


def _say_repeats(paths: Sequence[Path | str]) -> None:
    """Warn of a file that is named twice, however it is written."""
    named: set[Path] = set()
    for path in paths:
        if (file := Path(path).resolve()) in named:
            log.warning("%s is given twice; its rows are answered each time", path)
        named.add(file)


def _together(
    parts: Sequence[tuple[pd.DataFrame, pd.DataFrame]], paths: Sequence[Path | str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of several files below each other, numbered from 1, with the file that each comes from."""
    table = pd.concat([table for table, _ in parts], ignore_index=True)
    others = pd.concat(
        [
            part.drop(columns="curve", errors="ignore").assign(file=Path(path).name)
            for (_, part), path in zip(parts, paths, strict=True)
        ],
        ignore_index=True,
    )
    others = others[["file", *(name for name in others.columns if name != "file")]]
    table.index = others.index = pd.RangeIndex(1, len(table) + 1)
    return table, others


def _read(
    path: Path | str, called: str, options: Options, system: System, *, normalize: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if options.sheet is None and is_own_table(path, system):
        options.refuse_idle(called, "is a table")
        table, others = read_observations(path, normalize=normalize, system=system)
        _check_normalize(table, called, normalize=normalize)
        _say(called, [], [*passed_over(others, table, system), *strict_suspicions(table, system)])
        _say_what_is_not_used(others, table, system)
        return table, others
    book = read_book(path, options.sheet)
    found = recognise(book, options, system)
    if found.table is not None:
        return _table(found, called, options, system, normalize=normalize)
    if normalize:
        raise InputError(
            f"{called} holds a curve, which is brought to unit area anyway; --normalize has no effect on it"
        )
    return _rows_of_curves(curves_found(book, found, options), called)


def _table(
    found: Found, called: str, options: Options, system: System, *, normalize: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    assert found.table is not None
    options.refuse_idle(called, "is a table", used=("sheet", "unit", "decimal"))
    raw, notes, warnings = read_results(found.table, options, system)
    raw, more_notes, more_warnings = with_residual(raw, system, options.decimal)
    _say(called, [*found.notes, *notes, *more_notes], [*warnings, *more_warnings])
    table, others = observations_of(raw, found.table.sheet.place, normalize=normalize, system=system)
    _check_normalize(table, called, normalize=normalize)
    used = [name for name in others if more_notes and is_conversion(str(name))]
    _say_what_is_not_used(others.drop(columns=used), table, system)
    return table, others


def _check_normalize(table: pd.DataFrame, called: str, *, normalize: bool) -> None:
    if normalize and table[MMD[0]].isna().all():
        raise InputError(f"{called} is a table without a curve; --normalize has no effect on it")


def _rows_of_curves(curves: Sequence[MeasuredCurve], called: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row for each curve of a file, and what they are called."""
    rows, name = range(1, len(curves) + 1), Path(called).name
    table = pd.DataFrame([_row(curve, called) for curve in curves], index=rows, columns=list(MMD))
    others = pd.DataFrame({"curve": [name] * len(curves)}, index=rows)
    if any(curve.sample for curve in curves):
        others["sample"] = [curve.sample for curve in curves]
    if any(curve.sec_offset is not None for curve in curves):
        others["sec_offset"] = [curve.sec_offset for curve in curves]
    return table, others


def _row(curve: MeasuredCurve, called: str) -> Any:
    """w on the grid without oligomers, after saying how it was read."""
    called = f"{called}, {curve.sample}" if curve.sample else called
    _say(called, curve.notes, curve.warnings)
    log.info("%s: Mn %.4g, Mw %.4g g/mol by its points", called, curve.Mn, curve.Mw)
    below = curve.w[LOG_M < OLIGOMERS].sum() * STEP
    if below > MOST_OLIGOMERS:
        raise InputError(f"{called}: {below:.0%} of the curve lies below 1000 g/mol; is the unit right?")
    if below > 0:
        log.info("%s: below 1000 g/mol, %.2g %% of the mass, it is not used", called, 100 * below)
    return without_oligomers(curve.w)


def _say(called: str, notes: Sequence[str], warnings: Sequence[str]) -> None:
    for note in notes:
        log.info("%s: %s", called, note)
    for warning in warnings:
        log.warning("%s: %s", called, warning)


def _say_what_is_not_used(others: pd.DataFrame, table: pd.DataFrame, system: System) -> None:
    """Say which columns are passed through; warn if one is nearly the name of a column that is missing."""
    stated = {*error_columns(system.recipe, system.residual), CHAINS}
    names = [" ".join(str(name).split()) for name in others.columns if name not in stated]
    if names:
        log.info("columns passed through and not used: %s", ", ".join(names))
    empty = {name.lower(): name for name in (*system.targets, *system.scalars) if table[name].isna().all()}
    for name in names:
        close = difflib.get_close_matches(name.lower(), empty, n=1, cutoff=0.75)
        if close:
            log.warning("column %r is not used; is it meant for %r?", name, empty[close[0]])


def observed(
    rows: "Path | str | pd.DataFrame | Observations", system: System, **options: Any
) -> tuple["Observations", pd.DataFrame]:
    """Convert rows of any kind to observations, and the other columns."""
    from polyinv.data.observations import Observations

    if isinstance(rows, Observations):
        if not rows.labels.is_unique:
            raise InputError(f"two rows are called {rows.labels[rows.labels.duplicated()][0]!r}; number them")
        return rows, pd.DataFrame(index=rows.labels)
    if not isinstance(rows, pd.DataFrame):
        return read_rows(rows, system=system, **options)
    table, others = observations_of(rows, system=system, **options)
    return Observations.from_table(_with_errors(table, others, system), system), others


def _with_errors(table: pd.DataFrame, others: pd.DataFrame, system: System) -> pd.DataFrame:
    """Add the columns that state errors and chains to a table of values; they are passed through, too."""
    stated = {*error_columns(system.recipe, system.residual), CHAINS}
    return table.join(others[[name for name in others.columns if name in stated]])
