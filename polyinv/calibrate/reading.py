"""Runs of a laboratory from its tables: checked, with the errors that are stated or assumed."""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from polyinv.calibrate.runs import Runs
from polyinv.chemistry import System
from polyinv.data.observations import Observations
from polyinv.data.runs_file import CONVERSION, RUN, read_runs
from polyinv.errors import InputError
from polyinv.quantities import MEANS, MMD

CONDITIONS_DIFFER = 1e-3
"""Relative difference of conditions within a run that is more than rounding."""

log = logging.getLogger(__name__)


def read_own_runs(paths: Sequence[Path | str], system: System, errors: str = "ordinary") -> Runs:
    """Read the runs of a laboratory from one table or several.

    Args:
        paths: Tables, see `polyinv.data.runs_file.read_runs`. Rows of one ``run``, or of the same conditions where no
            run is named, are samples of one reaction.
        system: What is polymerized.
        errors: Level of the errors that no column states.

    Raises:
        InputError: A file is no such table, a unit is another one, or a run is of several recipes.
    """
    tables = [read_runs(path, system, refuse_units=True) for path in paths]
    _check_repeats(paths, tables, system)
    if len(tables) > 1:
        tables = [
            table.assign(**{RUN: [f"{Path(path).stem} {name}" for name in table[RUN]]}) if RUN in table else table
            for path, table in zip(paths, tables, strict=True)
        ]
        if any(RUN in table for table in tables) and not all(RUN in table for table in tables):
            raise InputError("some tables have a column run and others have none; give all of them one, or none")
    table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    if len(tables) > 1:
        table.index = pd.RangeIndex(1, len(table) + 1)
    if RUN in table:
        _check_conditions(table, system)
    residual = (1 - table[CONVERSION]) * table[system.targets[0]]
    observations = Observations.from_table(table.assign(**{system.residual: residual}), system, errors)
    runs = Runs.of(observations, list(table[RUN]) if RUN in table else None)
    _say_what_is_missing(runs)
    return runs


def _check_repeats(paths: Sequence[Path | str], tables: Sequence[pd.DataFrame], system: System) -> None:
    """Refuse a table that is given twice, and warn of rows that stand in two of them."""
    measured = [table[[*system.targets, CONVERSION, *MEANS, *MMD]] for table in tables]
    for first, second in itertools.combinations(range(len(tables)), 2):
        if tables[first].equals(tables[second]):
            raise InputError(f"{paths[second]} holds the samples of {paths[first]}: they would count twice; leave one")
        both = pd.concat([measured[first], measured[second]]).duplicated().to_numpy()
        twice = both[len(measured[first]) :] & ~measured[second].duplicated().to_numpy()
        if twice.any():
            log.warning(
                "%s: row %s stands in %s, too (%d such rows), and counts again",
                paths[second], tables[second].index[twice.argmax()], paths[first], twice.sum(),
            )  # fmt: skip


def _check_conditions(table: pd.DataFrame, system: System) -> None:
    for name, part in table.groupby(RUN, sort=False):
        for column in system.conditions:
            low, high = part[column].min(), part[column].max()
            if high - low > CONDITIONS_DIFFER * abs(high):
                raise InputError(
                    f"run {name} has {column} from {low:g} to {high:g}; the samples of a run are of one recipe: name "
                    "two runs, or correct it"
                )


def _say_what_is_missing(runs: Runs) -> None:
    if not runs.has_curve.any():
        log.warning("no sample has a curve: Mn, Mw and conversion say less; broadening stays as it was stated")
    if not runs.has_residual.any():
        log.warning("no sample has a conversion or residual monomer: what consumes monomer is known by molar mass only")
    if len(runs.names) == 1:
        log.warning("a single run: scatter between runs stays as assumed, and so do most activation energies")
    outside = runs.observations.system.outside(runs.observations.recipe)
    for line in outside:
        log.warning("%s", line)
