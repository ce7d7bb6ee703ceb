"""Rows to evaluate a saved model on: those that its run kept apart, or those of a table."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.source import DataConfig, GridConfig, load_off_grid, load_table
from polyinv.data.splits import split_rows
from polyinv.data.unit_checks import check_units
from polyinv.data.workbook import read_table
from polyinv.errors import InputError, one_line
from polyinv.experiment.kept import read_kept

if TYPE_CHECKING:
    pass

SEED = 42
"""Of the by_recipe split of the bundled grid that gives the test rows, unless the experiment had another."""


def _of_run(config: Path, system: System) -> tuple[DataConfig, str]:
    """The data of a run, and what its test rows are called.

    Raises:
        InputError: Its configuration is damaged.
    """
    settings = read_kept(config)
    try:
        data, of = settings["data"], settings["split"]
        source = DataConfig(**{key: data.get(key) for key in ("path", "source")}, system=system.stored)
        if "grid" in data:
            source = replace(source, grid=GridConfig(**data["grid"]))
        return source, f"test rows, {of['name']} seed {of['seed']}"
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{config} is damaged: {type(error).__name__}, {error}") from None


def _test_rows(split: Path, rows: int) -> np.ndarray:
    """Numbers of the test rows of a run, of a table with so many rows.

    Raises:
        InputError: The file is damaged.
    """
    try:
        parts = pd.read_csv(split, dtype={"row": "int64", "part": str})[["row", "part"]]
    except (ValueError, KeyError, OverflowError, UnicodeDecodeError) as error:
        raise InputError(f"{split} is damaged: {error}; needs the columns row and part") from None
    test = parts.loc[parts["part"] == "test", "row"].to_numpy()
    if not len(test) or test.min() < 0 or test.max() >= rows or len(set(test)) < len(test):
        raise InputError(f"{split} is damaged: its test rows are not different rows of a table of {rows}")
    return test


def tables_of(path: Path, data: str | None, system: System) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows to evaluate on, by name."""
    if data is not None:
        table = read_table(data, system=system)
        check_units(table, system, data)
        yield one_line(Path(data).name), table
        return
    split, config = path / "split.csv", path / "config.yaml"
    if split.is_file() and config.is_file():
        source, name = _of_run(config, system)
        table = load_table(source)
        yield name, table.iloc[_test_rows(split, len(table))]
        if not source.has_off_grid:
            return
    else:
        source = DataConfig("table" if "grid" in system.bundled else "grid", system=system.stored)
        grid = load_table(source)
        yield f"test rows, by_recipe seed {SEED}", grid.iloc[split_rows(grid, "by_recipe", SEED, system=system).test]
    yield "off grid", load_off_grid(system)
