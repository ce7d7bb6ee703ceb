"""Where the rows of an experiment come from: a user's file, or the published grid simulated here."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from polyinv.data.workbook import read_table
from polyinv.errors import unknown
from polyinv.quantities import COLUMNS, MMD, SCALARS, TARGETS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataConfig:
    """Rows to learn from.

    Args:
        path: A workbook or table of your own; none simulates the published grid.
        normalize: Divide each distribution of the file by its area instead of refusing areas other than one.
        method: How the grid is simulated: deterministic, sampled or sampled_per_row.
        chains: Dead chains per simulated run.
        seed: Of the simulation's random numbers.
    """

    path: str | None = None
    normalize: bool = False
    method: str = "sampled"
    chains: float = 1e6
    seed: int = 1

    def __str__(self) -> str:
        """The data in a few words, for a table's caption."""
        if self.path:
            return self.path
        chains = "" if self.method == "deterministic" else f", {self.chains:.0e} chains per run, seed {self.seed}"
        return f"published grid, {self.method}{chains}"


def load_table(config: DataConfig, columns: tuple[str, ...] = COLUMNS) -> pd.DataFrame:
    """The rows that ``config`` names, with at least the given columns.

    Raises:
        InputError: The file cannot be used, or the method is unknown.
    """
    if config.path:
        return read_table(config.path, columns, normalize=config.normalize)
    # torch takes a second or more to import: not before a file has been refused.
    from polyinv.simulate.recipes import published_grid

    return simulate_table(published_grid(), method=config.method, chains=config.chains, seed=config.seed)


def simulate_table(
    recipes: pd.DataFrame,
    *,
    method: str = "sampled",
    chains: float = 1e6,
    seed: int = 1,
    chemistry: str = "butyl_acrylate",
    progress: Callable[[int], None] = lambda runs: None,
) -> pd.DataFrame:
    """Simulate recipes; the table keeps their order.

    Args:
        recipes: N rows with the columns of ``TARGETS``; rows that differ in time only are snapshots of one run.
        method: One of ``polyinv.simulate.SIMULATORS``.
        chains: Dead chains of each run at its last snapshot.
        seed: Of the random numbers.
        chemistry: One of ``polyinv.chemistry.CHEMISTRIES``.
        progress: Called with the number of runs just done.

    Returns:
        N rows with the columns of ``COLUMNS``.

    Raises:
        InputError: An unknown name, or a recipe that cannot be.
    """
    import torch

    from polyinv.chemistry import CHEMISTRIES
    from polyinv.simulate import SIMULATORS
    from polyinv.simulate.recipes import runs

    if method not in SIMULATORS:
        raise unknown("simulator", method, SIMULATORS)
    if chemistry not in CHEMISTRIES:
        raise unknown("chemistry", chemistry, CHEMISTRIES)
    conditions, times, run, snapshot = runs(recipes)
    for line in CHEMISTRIES[chemistry].outside(
        torch.from_numpy(recipes[list(TARGETS)].to_numpy(dtype=float, copy=True))
    ):
        log.warning(line)
    polymer = SIMULATORS[method](conditions, times, CHEMISTRIES[chemistry], chains=chains, seed=seed, progress=progress)
    scalars = {name: getattr(polymer, name)[run, snapshot].numpy() for name in SCALARS}
    curves = pd.DataFrame(polymer.mmd[run, snapshot].numpy(), columns=list(MMD))
    return pd.concat([recipes[list(TARGETS)].reset_index(drop=True), pd.DataFrame(scalars), curves], axis=1)
