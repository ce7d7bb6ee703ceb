"""Splits of a table into training, validation and test rows.

``random_rows`` is the published protocol: snapshots of one reaction fall on both sides, and the reaction's own Monte
Carlo noise tells them apart. ``by_recipe`` keeps every reaction on one side and is the honest split of a table.
``by_temperature`` holds out a whole level, at the ends of the range or inside. The validation rows are split off the
training rows in the same manner.

Four more ask for extrapolation along the reaction. They hold out the reactions that ``by_recipe`` holds out with the
same seed, and cut them all: ``early`` trains on the snapshots up to `EARLY` and is tested on later ones, ``late`` the
other way round; ``low_conversion`` trains below `polyinv.reactions.HIGH_CONVERSION` and is tested from there on,
``high_conversion`` the other way round. The rows on the other side of the cut are in no part. Test rows differ between
these splits, and R² with them: a set that spans half of the times has a smaller variance of time to explain.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.errors import InputError, unknown
from polyinv.reactions import HIGH_CONVERSION, conversion, run_numbers

EARLY = 0.5
"""Last time of an early snapshot, as a share of the last time of the recipe box."""
TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2  # of the rows that are not test rows


@dataclass(frozen=True)
class Split:
    """Row numbers of the training, validation and test rows, each in one part only.

    Args:
        train: Rows to fit on.
        val: Rows to choose on, such as the epoch to stop at.
        test: Rows to evaluate on, once.
        groups: For every row of the table, a number that equal reactions share and that must not be torn apart; None
            where rows are split singly.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None = None

    def parts(self) -> dict[str, np.ndarray]:
        """The row numbers by the name of their part."""
        return {"train": self.train, "val": self.val, "test": self.test}


def random_rows(table: pd.DataFrame, seed: int, system: System) -> Split:
    """Split rows at random; seed 42 gives the published test rows if the table has the published row order."""
    from sklearn.model_selection import ShuffleSplit, train_test_split  # takes a second or two

    rest, test = train_test_split(np.arange(len(table)), test_size=TEST_SHARE, random_state=seed)
    train, val = next(ShuffleSplit(1, test_size=VALIDATION_SHARE, random_state=seed).split(rest))
    return Split(rest[train], rest[val], test)


def by_recipe(table: pd.DataFrame, seed: int, system: System) -> Split:
    """Split whole reactions at random: rows that differ in time only stay together."""
    from sklearn.model_selection import GroupShuffleSplit

    groups = run_numbers(table, system)
    rest, test = next(GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed).split(groups, groups=groups))
    return _with_validation(rest, test, groups, seed)


def by_temperature(table: pd.DataFrame, seed: int, system: System) -> Split:
    """Hold out one temperature level, chosen by the seed; validate on reactions at the others."""
    levels = np.unique(table["temp"])
    if len(levels) < 2:
        raise ValueError(f"all have temp {levels[0]:g}")
    held_out = table["temp"].to_numpy() == levels[seed % len(levels)]
    groups = run_numbers(table, system)
    return _with_validation(np.flatnonzero(~held_out), np.flatnonzero(held_out), groups, seed)


def _with_validation(rest: np.ndarray, test: np.ndarray, groups: np.ndarray, seed: int) -> Split:
    from sklearn.model_selection import GroupShuffleSplit

    shuffle = GroupShuffleSplit(1, test_size=VALIDATION_SHARE, random_state=seed)
    train, val = next(shuffle.split(rest, groups=groups[rest]))
    return Split(rest[train], rest[val], test, groups)


def early(table: pd.DataFrame, seed: int, system: System) -> Split:
    """Train on the snapshots up to `EARLY` of most reactions; test on the later ones of those held out."""
    return _cut(by_recipe(table, seed, system), _is_early(table, system))


def late(table: pd.DataFrame, seed: int, system: System) -> Split:
    """Train on the snapshots after `EARLY` of most reactions; test on the earlier ones of those held out."""
    return _cut(by_recipe(table, seed, system), ~_is_early(table, system))


def low_conversion(table: pd.DataFrame, seed: int, system: System) -> Split:
    """Train below `HIGH_CONVERSION`; test above it in the reactions held out."""
    return _cut(by_recipe(table, seed, system), _is_low(table, system))


def high_conversion(table: pd.DataFrame, seed: int, system: System) -> Split:
    """Train from `HIGH_CONVERSION` on; test below it in the reactions held out."""
    return _cut(by_recipe(table, seed, system), ~_is_low(table, system))


def _is_early(table: pd.DataFrame, system: System) -> np.ndarray:
    return table["time"].to_numpy() <= EARLY * system.horizon


def _is_low(table: pd.DataFrame, system: System) -> np.ndarray:
    return conversion(table, system).to_numpy() < HIGH_CONVERSION


def _cut(split: Split, learned: np.ndarray) -> Split:
    """Cut a split: training and validation rows on one side, test rows on the other."""
    parts = split.train[learned[split.train]], split.val[learned[split.val]], split.test[~learned[split.test]]
    for name, rows in zip(split.parts(), parts, strict=True):
        if len(rows) == 0:
            raise ValueError(f"its side of the cut has no {name} rows")
    return Split(*parts, split.groups)


SPLITS: dict[str, Callable[[pd.DataFrame, int, System], Split]] = {
    "random_rows": random_rows,
    "by_recipe": by_recipe,
    "by_temperature": by_temperature,
    "early": early,
    "late": late,
    "low_conversion": low_conversion,
    "high_conversion": high_conversion,
}


def split_columns(name: str, system: System) -> tuple[str, ...]:
    """Columns of a table that a split needs."""
    return (*system.targets, *((system.residual,) if name in ("low_conversion", "high_conversion") else ()))


def check_split(name: str, share: float = 1.0) -> None:
    """Refuse an unknown split, or a share that cannot be.

    Raises:
        InputError: The name is unknown, or the share is none.
    """
    if name not in SPLITS:
        raise unknown("split", name, SPLITS)
    if not 0 < share <= 1:
        raise InputError(f"split.share is {share:g}; needs more than 0, up to 1")


def split_rows(table: pd.DataFrame, name: str, seed: int, share: float = 1.0, system: AnySystem = DEFAULT) -> Split:
    """Split a table by one of ``SPLITS``.

    Args:
        table: N rows with the columns `split_columns`.
        name: Of the split.
        seed: Which of the possible splits.
        share: Of the training and validation reactions that are kept (of their rows, where rows are split singly);
            those of a smaller share are among those of a larger one, and the test rows are the same.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Raises:
        InputError: The name is unknown, or the table has too few reactions (or rows) for three parts.
    """
    check_split(name, share)
    system = load_system(system)
    try:
        split = SPLITS[name](table, seed, system)
        if len(split.test) < 2:
            raise ValueError("a single test row has no R²")
        return replace(split, train=_some(split, split.train, share, seed), val=_some(split, split.val, share, seed))
    except ValueError as error:
        size = f"{len(table)} rows of {run_numbers(table, system).max() + 1} reactions"
        raise InputError(f"{name} cannot split {size} into train, val and test: {error}") from None


def _some(split: Split, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw a share of the reactions, or rows, of a part: at least one."""
    if share == 1:
        return rows
    units = rows if split.groups is None else split.groups[rows]
    order = np.random.default_rng(seed).permutation(np.unique(units))
    return rows[np.isin(units, order[: max(1, round(share * len(order)))])]
