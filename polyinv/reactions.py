"""Reactions in a table: which rows are snapshots of one reaction, their conversion, and shards of them."""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.errors import InputError

HIGH_CONVERSION = 0.9
"""A conversion counts as high from here on, as in the published study (its Figures 3 to 5)."""
MOST_ROWS = 10_000_000
"""Of a table that is simulated in one call; it takes 9 GB."""
_DIGITS = 9


def run_numbers(recipes: pd.DataFrame, system: System) -> np.ndarray:
    """Number the reaction of each row from 0 in the order of appearance: rows that differ in time only share one.

    Conditions are compared to nine digits: a spreadsheet that computes a recipe leaves the rest to chance, and a
    reaction must not be torn apart by it.

    Args:
        recipes: A table with the conditions of the system.
        system: What is polymerized.

    Example:
        >>> recipes = pd.DataFrame({"cBA_0": [1, 2, 1], "cAIBN_0": [0.01, 0.01, 0.01 + 1e-17], "temp": [70, 70, 70]})
        >>> from polyinv.chemistry import load_system
        >>> run_numbers(recipes, load_system("butyl_acrylate")).tolist()
        [0, 1, 0]
    """
    conditions = recipes[list(system.conditions)].astype(float).map(f"{{:.{_DIGITS - 1}e}}".format)
    return conditions.groupby(list(system.conditions), sort=False).ngroup().to_numpy()


@dataclass(frozen=True)
class Shard:
    """Part of a table whose reactions are simulated by several calls: shard i of n, i from 1.

    Example:
        >>> [Shard.parse(f"{number}/3").of(4) for number in (1, 2, 3)]
        [range(0, 1), range(1, 2), range(2, 4)]
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a shard as the command line takes it.

        Raises:
            InputError: It is no shard.
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text, re.ASCII)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise InputError(f"--shard is {text!r}; needs I/N, I from 1 to N, such as 2/8 for the second of eight")
        return cls(int(match[1]), int(match[2]))

    def of(self, total: int) -> range:
        """Reactions of this shard, of as many as there are.

        Raises:
            InputError: There are fewer reactions than shards.
        """
        if self.count > total:
            raise InputError(
                f"--shard is {self.number}/{self.count}, but there are {total} reactions; needs fewer shards"
            )
        return range(total * (self.number - 1) // self.count, total * self.number // self.count)


def check_together(run: np.ndarray) -> None:
    """Refuse a table whose shards, one after the other, would not be the table.

    Args:
        run: Number of the reaction of each row, as of `run_numbers`.

    Raises:
        InputError: The rows of a reaction stand apart.
    """
    if (apart := np.flatnonzero(np.diff(run) < 0)).size:
        raise InputError(
            f"row {apart[0] + 2} of the recipes is of a reaction whose other rows stand apart from it; --shard needs "
            "the rows of each reaction together"
        )


def conversion(table: pd.DataFrame, system: System) -> pd.Series:
    """Conversion of the monomer in the rows of a table, such as 1 - cBA_time / cBA_0; NaN where one is missing.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> conversion(pd.DataFrame({"cBA_0": [2.0], "cBA_time": [0.5]}), load_system("butyl_acrylate")).tolist()
        [0.75]
    """
    return 1 - table[system.residual] / table[system.targets[0]]


def at_last_time(table: pd.DataFrame, system: System) -> pd.DataFrame:
    """Take each reaction of a table at its last time."""
    return table.loc[table.groupby(run_numbers(table, system))["time"].idxmax()]


def without_high_conversion(table: pd.DataFrame, system: System) -> list[str]:
    """Say in which part of its recipes no reaction of a table reaches a high conversion; nothing where some do.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> polymer = {"cBA_0": 1.0, "cAIBN_0": 0.01, "time": 3600.0}
        >>> cold, hot = polymer | {"temp": 60.0, "cBA_time": 0.5}, polymer | {"temp": 80.0, "cBA_time": 0.05}
        >>> without_high_conversion(pd.DataFrame([cold, hot]), load_system("butyl_acrylate"))
        ['below temp 80 °C (of 1)']
    """
    last, found = at_last_time(table, system), []
    reached = conversion(last, system) >= HIGH_CONVERSION
    if not reached.any():
        return [f"of {len(last)}"]
    for quantity in system.recipe[:-1]:
        values, high = last[quantity.name], last.loc[reached, quantity.name]
        ends = {"below": (values < high.min(), high.min()), "above": (values > high.max(), high.max())}
        for word, (beyond, end) in ends.items():
            if beyond.any():
                found.append(f"{word} {quantity.name} {end:g} {quantity.unit} (of {beyond.sum()})")
    return found
