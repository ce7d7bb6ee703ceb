"""Rows to predict from: a table or a measured curve, in a file or in memory."""

import difflib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.measured import looks_like_curve, read_curve
from polyinv.data.workbook import observations_of, read_observations
from polyinv.errors import InputError
from polyinv.instrument.errors import error_columns
from polyinv.mmd import LOG_M, OLIGOMERS, STEP, without_oligomers
from polyinv.quantities import MMD
from polyinv.runtime.collection import uncollected

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

MOST_OLIGOMERS = 0.5
"""Share of the mass of a measured curve below 1000 g/mol from which on it is refused."""

log = logging.getLogger(__name__)


def read_rows(
    path: Path | str,
    *,
    normalize: bool = False,
    called: str | None = None,
    system: AnySystem = DEFAULT,
    **curve: Any,
) -> tuple["Observations", pd.DataFrame]:
    """Read rows with missing inputs, or one measured curve as the only row; how it was read goes to the log.

    Args:
        path: Of a table (`polyinv.data.workbook.read_observations`) or a curve (`polyinv.data.measured.read_curve`),
            whose part below 1000 g/mol is not used: no instrument separates oligomers.
        normalize: As for tables.
        called: What the file is called in notes, if not by its path.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
        curve: Options of `read_curve`.

    Returns:
        What is known of the rows, labelled as a person counts them, and the other columns of the file.

    Raises:
        InputError: As those two.
    """
    system = load_system(system)
    if looks_like_curve(path, system):
        table, others = _one_curve(path, called or str(path), **curve)
    else:
        table, others = read_observations(path, normalize=normalize, system=system)
        _say_what_is_not_used(others, table, system)
    with uncollected():  # torch takes a second or more to import: not before a file has been refused
        from polyinv.data.observations import Observations

    return Observations.from_table(_with_errors(table, others, system), system), others


def _one_curve(path: Path | str, called: str, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the only row of a file that holds a measured curve, and its name.

    Args:
        path: Of the file.
        called: What it is called in notes.
        options: Of `read_curve`.
    """
    measured = read_curve(path, **options)
    for note in measured.notes:
        log.info("%s: %s", called, note)
    log.info("%s: Mn %.4g, Mw %.4g g/mol by its points", called, measured.Mn, measured.Mw)
    w, below = without_oligomers(measured.w), measured.w[LOG_M < OLIGOMERS].sum() * STEP
    if below > MOST_OLIGOMERS:
        raise InputError(f"{called}: {below:.0%} of the curve lies below 1000 g/mol; is the unit right?")
    if below > 0:
        log.info("%s: below 1000 g/mol, %.2g %% of the mass, it is not used", called, 100 * below)
    table = pd.DataFrame([w], index=[1], columns=list(MMD))
    return table, pd.DataFrame({"curve": [Path(called).name]}, index=[1])


def _say_what_is_not_used(others: pd.DataFrame, table: pd.DataFrame, system: System) -> None:
    """Say which columns are passed through; warn if one is nearly the name of a column that is missing."""
    names = [" ".join(str(name).split()) for name in others.columns]
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
    """Add the columns that state errors to a table of values; they are passed through, too."""
    stated = error_columns(system.recipe, system.residual)
    return table.join(others[[name for name in others.columns if name in stated]])
