"""Which rows train, which choose (validation), which judge (test).

``random_rows`` is the published protocol: snapshots of one run fall on both sides, and the run's own Monte Carlo
noise tells them apart. ``by_recipe`` keeps every run on one side and is the honest split of a table.
``by_temperature`` holds out a whole level, at the ends of the range or inside. The validation rows are split off the
training rows in the same manner.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, train_test_split

from polyinv.errors import InputError, unknown
from polyinv.runs import run_numbers

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2  # of the rows that are not test rows


@dataclass(frozen=True)
class Split:
    """Row numbers of a table, each in one part only.

    Args:
        train: Rows to fit on.
        val: Rows to choose on, such as the epoch to stop at.
        test: Rows to judge on, once.
        groups: For every row of the table, a number that equal runs share and that must not be torn apart; None where
            rows are split singly.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None = None

    def parts(self) -> dict[str, np.ndarray]:
        """The row numbers by the name of their part."""
        return {"train": self.train, "val": self.val, "test": self.test}


def random_rows(table: pd.DataFrame, seed: int) -> Split:
    """Rows at random; seed 42 gives the published test rows if the table has the published row order."""
    rest, test = train_test_split(np.arange(len(table)), test_size=TEST_SHARE, random_state=seed)
    train, val = next(ShuffleSplit(1, test_size=VALIDATION_SHARE, random_state=seed).split(rest))
    return Split(rest[train], rest[val], test)


def by_recipe(table: pd.DataFrame, seed: int) -> Split:
    """Whole runs at random: rows that differ in time only stay together."""
    groups = run_numbers(table)
    rest, test = next(GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed).split(groups, groups=groups))
    return _with_validation(rest, test, groups, seed)


def by_temperature(table: pd.DataFrame, seed: int) -> Split:
    """One temperature level, chosen by the seed, is the test; validation by runs of the others."""
    levels = np.unique(table["temp"])
    if len(levels) < 2:
        raise ValueError(f"all have temp {levels[0]:g}")
    held_out = table["temp"].to_numpy() == levels[seed % len(levels)]
    groups = run_numbers(table)
    return _with_validation(np.flatnonzero(~held_out), np.flatnonzero(held_out), groups, seed)


def _with_validation(rest: np.ndarray, test: np.ndarray, groups: np.ndarray, seed: int) -> Split:
    shuffle = GroupShuffleSplit(1, test_size=VALIDATION_SHARE, random_state=seed)
    train, val = next(shuffle.split(rest, groups=groups[rest]))
    return Split(rest[train], rest[val], test, groups)


SPLITS = {"random_rows": random_rows, "by_recipe": by_recipe, "by_temperature": by_temperature}


def split_rows(table: pd.DataFrame, name: str, seed: int) -> Split:
    """Split a table by one of ``SPLITS``.

    Raises:
        InputError: The name is unknown, or the table has too few runs (or rows) for three parts.
    """
    if name not in SPLITS:
        raise unknown("split", name, SPLITS)
    try:
        split = SPLITS[name](table, seed)
        if len(split.test) < 2:
            raise ValueError("a single test row has no R²")
        return split
    except ValueError as error:
        size = f"{len(table)} rows of {run_numbers(table).max() + 1} runs"
        raise InputError(f"{name} cannot split {size} into train, val and test: {error}") from None
