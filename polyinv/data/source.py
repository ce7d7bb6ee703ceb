"""Where the rows of an experiment come from: the bundled data set, a user's file, or a simulation."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from polyinv.data.bundled import load_bundled
from polyinv.data.workbook import read_table
from polyinv.errors import InputError, unknown
from polyinv.quantities import COLUMNS, MMD, SCALARS, TARGETS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataConfig:
    """Rows to learn from.

    Args:
        path: A workbook or table of your own; none takes the bundled data set, the published grid simulated here.
        normalize: Divide each distribution of the file by its area instead of refusing areas other than one.
    """

    path: str | None = None
    normalize: bool = False

    @property
    def is_bundled(self) -> bool:
        """Whether the rows are those of the bundled data set, which has an off-grid test beside it."""
        return self.path is None

    def __str__(self) -> str:
        """The data in a few words."""
        return self.path or "the bundled data set"


def load_table(config: DataConfig, columns: tuple[str, ...] = COLUMNS) -> pd.DataFrame:
    """The rows that ``config`` names, with the given columns.

    Raises:
        InputError: The file cannot be used.
    """
    if config.is_bundled:
        return load_bundled("grid")[list(columns)]
    return read_table(config.path, columns, normalize=config.normalize)


def simulate_table(
    recipes: pd.DataFrame,
    *,
    method: str = "sampled",
    chains: float = 1e6,
    seed: int = 1,
    replicates: int = 1,
    chemistry: str = "butyl_acrylate",
    progress: Callable[[int], None] = lambda runs: None,
    **options: Any,
) -> pd.DataFrame:
    """Simulate recipes; the table keeps their order.

    Args:
        recipes: N rows with the columns of ``TARGETS``; rows that differ in time only are snapshots of one run.
        method: One of ``polyinv.simulate.SIMULATORS``.
        chains: Dead chains of each run at its last snapshot.
        seed: Of the random numbers.
        replicates: Independent runs of each recipe, R.
        chemistry: One of ``polyinv.chemistry.CHEMISTRIES``.
        progress: Called with the number of runs just done.
        options: What only this method takes.

    Returns:
        N rows for each replicate, one replicate after the other, with the columns of ``COLUMNS``.

    Raises:
        InputError: An unknown name, a recipe that cannot be, or replicates of a run without noise.
    """
    # torch takes a second or more to import: not before a file has been refused.
    import torch

    from polyinv.chemistry import CHEMISTRIES
    from polyinv.simulate import SIMULATORS
    from polyinv.simulate.recipes import runs

    if method not in SIMULATORS:
        raise unknown("simulator", method, SIMULATORS)
    if chemistry not in CHEMISTRIES:
        raise unknown("chemistry", chemistry, CHEMISTRIES)
    if replicates < 1 or (replicates > 1 and method == "deterministic"):
        reason = "a run without noise has no replicates" if method == "deterministic" else "needs 1 or more"
        raise InputError(f"replicates is {replicates}; {reason}")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed}; needs a whole number from 0")
    physical = torch.from_numpy(recipes[list(TARGETS)].to_numpy(dtype=float, copy=True))
    for line in CHEMISTRIES[chemistry].outside(physical):
        log.warning(line)
    conditions, times, run, snapshot = runs(recipes)
    polymer = SIMULATORS[method](
        conditions.repeat(replicates, 1),
        times.repeat(replicates, 1),
        CHEMISTRIES[chemistry],
        chains=chains,
        seed=seed,
        progress=progress,
        **options,
    )
    run = torch.cat([run + len(conditions) * replicate for replicate in range(replicates)])
    snapshot = snapshot.repeat(replicates)
    table = pd.concat([recipes[list(TARGETS)]] * replicates, ignore_index=True)
    scalars = {name: getattr(polymer, name)[run, snapshot].numpy() for name in SCALARS}
    curves = pd.DataFrame(polymer.mmd[run, snapshot].numpy(), columns=list(MMD))
    return pd.concat([table, pd.DataFrame(scalars), curves], axis=1)
