"""Expected errors of a conditional model for each pattern of missing inputs."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_numeric_dtype
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.features import CONDITIONAL, feature_columns
from polyinv.data.measure import measure
from polyinv.data.observations import Observations
from polyinv.data.patterns import inputs_of, name_of
from polyinv.data.source import SimulatedConfig, load_off_grid
from polyinv.errors import InputError
from polyinv.instrument.errors import LEVELS, ORDINARY
from polyinv.models.base import InverseModel, mean_answer
from polyinv.r2 import r2

EXACT = "exact"
"""Level of errors of a simulation."""
FILE = "patterns.csv"
"""Name of the table beside a released model."""
LINES = ("level", "pattern", "target", "r2", "r2_members", "rmse", "error_99")
SURE = 0.99
"""Share of the errors that ``error_99`` covers."""
ROWS, SEED = 8192, 3_141_592_653  # no training has the recipes of this seed, unless its own is 1 570 796 326
GOOD = 0.8
"""R² that is called good."""


def easiest(system: System) -> list[str]:
    """The inputs of a system, those that a laboratory knows most easily first."""
    monomer, initiator, *_ = system.targets
    last = (monomer, "means", "mmd", system.residual, initiator)
    return [*("temp", "time"), *(name for name in system.inputs if name not in ("temp", "time", *last)), *last]


def expect(model: InverseModel, patterns: Sequence[str], levels: Sequence[str] = (EXACT,)) -> pd.DataFrame:
    """Score a model on each pattern of inputs, a line for each value of the recipe that is asked for.

    Args:
        model: A conditional one.
        patterns: What it is given.
        levels: Errors of what it is given, of `polyinv.instrument.errors.LEVELS`.

    Returns:
        ``level``, ``pattern`` and ``target``; ``r2`` and ``rmse`` off the grid (the bundled set), ``r2_members`` the
        standard deviation of R² over the members; ``error_99``, the error that 99 % of simulated recipes stay below,
        with the noise of as many chains as are trained on.
    """
    system, lines = model.system, []
    exact = Observations.from_table(load_off_grid(system), system)
    polymers, recipes = simulated_observations(ROWS, system)
    for level in levels:
        off_grid, simulated = (each if level == EXACT else measure(each, level, SEED) for each in (exact, polymers))
        y = exact.recipe
        for pattern in patterns:
            members = model.predict_members(off_grid.masked(pattern).x(model.columns))
            error = (model.predict(simulated.masked(pattern).x(model.columns)) - recipes).abs()
            predicted = mean_answer(members)
            score, spread = r2(y, predicted), r2(y, members).std(0, correction=int(len(members) > 1))
            rmse = (predicted - y).square().mean(0).sqrt()
            for at, name in enumerate(system.targets):
                if name not in inputs_of(pattern, system):
                    numbers = [score[at], spread[at], rmse[at], error[:, at].quantile(SURE)]
                    lines.append([level, pattern, name, *(float(f"{number.item():.4g}") for number in numbers)])
    return pd.DataFrame(lines, columns=list(LINES))


@cache
def simulated_observations(count: int, system: System, features: str = CONDITIONAL) -> tuple[Observations, Tensor]:
    """Simulate recipes that no training has, with the noise of as many chains as are trained on by default.

    Args:
        count: Recipes.
        system: What is polymerized.
        features: ``conditional`` for exact rows; ``conditional+errors`` draws errors as in training, and states them.

    Returns:
        Observations with their recipes as a model would be given them, in single precision; the true recipes, (N, V).
    """
    # Only to measure what is kept beside released models.
    from polyinv.data.bank import load_bank
    from polyinv.data.simulated import Source

    columns = feature_columns(features, system)
    source = Source(SimulatedConfig(), columns, load_bank(count, SEED, system, system.horizon), system)
    rows = source.rows(torch.Generator().manual_seed(SEED))
    return Observations.from_tensor(rows.x, columns, system), rows.y


class Expectations:
    """Expected scores of a model: read from its folder, or measured when asked for.

    Args:
        model: A conditional one.
        folder: Where it was saved.

    Raises:
        InputError: The table beside the model is damaged.
    """

    def __init__(self, model: InverseModel, folder: Path | str) -> None:
        self.model, path = model, Path(folder, FILE)
        self.table = pd.DataFrame(columns=list(LINES))
        if path.is_file():
            try:
                self.table = pd.read_csv(path)
            except ValueError as error:
                raise InputError(f"{path} is damaged: {error}") from None
            if list(self.table.columns) == list(LINES[1:]):  # as 0.1.0 wrote it
                self.table.insert(0, "level", EXACT)
            if list(self.table.columns) != list(LINES):
                raise InputError(f"{path} is damaged: it needs the columns {', '.join(LINES)}")
            numbers = self.table[["r2", "r2_members", "rmse", "error_99"]]
            if not all(is_numeric_dtype(kind) for kind in numbers.dtypes) or not np.isfinite(numbers).all(axis=None):
                raise InputError(f"{path} is damaged: r2, r2_members, rmse and error_99 have to be numbers")
            if (numbers[["rmse", "error_99"]] < 0).any(axis=None) or (numbers["r2"] > 1).any():
                raise InputError(f"{path} is damaged: an error is negative, or an R² above 1")
            if self.table.duplicated(["level", "pattern", "target"]).any():
                raise InputError(f"{path} is damaged: it has a line twice")

    def of(self, pattern: str, level: str = EXACT) -> pd.DataFrame:
        """Expected scores of one pattern and level of errors, by target."""
        lines = (self.table["level"] == level) & (self.table["pattern"] == pattern)
        if not lines.any():
            measured = expect(self.model, [pattern], [level])
            self.table = measured if self.table.empty else pd.concat([self.table, measured], ignore_index=True)
            lines = (self.table["level"] == level) & (self.table["pattern"] == pattern)
        return self.table[lines].set_index("target")

    def level_of(self, observations: Observations) -> str:
        """The level of errors that comes nearest to what observations are taken to have."""
        if not self.model.takes_errors or observations.assumed is None:
            return EXACT
        return next((name for name, errors in LEVELS.items() if errors == observations.assumed), ORDINARY)

    def one_more(
        self, pattern: str, wanted: Sequence[str], observations: Observations
    ) -> tuple[tuple[str, ...], pd.Series]:
        """Find the inputs that would help most beside a pattern, and R² of what is then still asked for.

        The fewest inputs, one or two, that make all of it good, what is known most easily first; if none do, the
        single input that helps most. Looks only where the table has something to say; nothing is ``((), empty)``.

        Args:
            pattern: What is given.
            wanted: Values of the recipe that are to be answered better; one of them at least stays asked for.
            observations: Whose errors the others would have.
        """
        system, level = self.model.system, self.level_of(observations)
        given = inputs_of(pattern, system)
        missing = [name for name in easiest(system) if name not in given]
        known = set(self.table.loc[self.table["level"] == level, "pattern"])
        best: tuple[tuple[str, ...], Any] = ((), pd.Series(dtype=float))
        for count in (1, 2):
            found = []
            for more in combinations(missing, count):
                wider = name_of((*given, *more), system)
                if wider in known and not set(wanted) <= set(more):
                    found.append((more, self.of(wider, level)["r2"]))
            good = [each for each in found if each[1].min() >= GOOD]
            if good:
                return good[0]
            if found and not best[0]:
                best = max(found, key=lambda each: each[1].mean())
        return best
