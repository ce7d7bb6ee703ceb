"""Lists of recipes: the published grid, random recipes, and any list sorted into reactions."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from polyinv.chemistry import System
from polyinv.reactions import run_numbers
from polyinv.simulate.solvers import BLOCK

GRID = {
    "temp": (60.0, 63.0, 65.0, 68.0, 70.0, 73.0, 75.0, 78.0, 80.0),
    "cBA_0": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0),
    "cAIBN_0": (0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.0175, 0.02),
    "time": tuple(300.0 * i for i in range(1, 13)),
}
"""Levels of the published grid, in its row order: 432 reactions of 12 snapshots."""
CONDITIONS = ("cBA_0", "cAIBN_0", "temp")
REACTIONS, SNAPSHOTS = 432, 12
"""Of the grid of any other system."""


def published_grid() -> pd.DataFrame:
    """Make the 5184 recipes of the published data set, in its row order: by temp, cBA_0, cAIBN_0, time.

    Example:
        >>> grid = published_grid()
        >>> len(grid), len(grid.drop_duplicates(["cBA_0", "cAIBN_0", "temp"]))
        (5184, 432)
    """
    return pd.DataFrame(itertools.product(*GRID.values()), columns=list(GRID))[[*CONDITIONS, "time"]]


def grid(system: System) -> pd.DataFrame:
    """Make the recipes of a system's grid: 432 reactions of 12 snapshots.

    Of butyl acrylate it is the published one. Of others the conditions fill the box evenly (a Sobol sequence), each
    with snapshots at twelve equal steps up to the last time of the box, those before its first time left out.
    """
    if "grid" in system.bundled:
        return published_grid()
    low, high = (end[:-1] for end in box(system))
    shares = SobolEngine(len(low)).draw(REACTIONS, dtype=torch.float64)
    conditions = low + (high - low) * shares
    times = system.horizon * torch.arange(1, SNAPSHOTS + 1, dtype=torch.float64) / SNAPSHOTS
    times = times[times >= system.recipe[-1].low]
    rows = [conditions.repeat_interleave(len(times), 0), times.repeat(REACTIONS)[:, None]]
    return pd.DataFrame(torch.cat(rows, 1).numpy(), columns=list(system.targets))


def box(system: System) -> tuple[Tensor, Tensor]:
    """Lower and upper ends of the recipe box of a system, (V,) each, float64."""
    ends = [(quantity.low, quantity.high) for quantity in system.recipe]
    low, high = torch.tensor(ends, dtype=torch.float64).unbind(1)
    return low, high


def random_recipes(count: int, generator: torch.Generator, system: System) -> Tensor:
    """Draw recipes (B, V) uniform in the box of a system, float64."""
    # The bundled recipes were drawn between ends in single precision, 1e-8 aside: the numbers stay as they are.
    low, high = (end.float().double() for end in box(system))
    uniform = torch.rand(count, len(low), generator=generator, dtype=torch.float64, device=generator.device)
    return low.to(generator.device) + (high - low).to(generator.device) * uniform


def to_unit(recipes: Tensor, system: System) -> Tensor:
    """Map recipes (*, V) of the box to [-1, 1]: the temperature linearly, the others by their logarithm."""
    low, high = box(system)
    share = (recipes / low).log() / (high / low).log()
    return 2 * torch.where(_logarithmic(system), share, (recipes - low) / (high - low)) - 1


def from_unit(unit: Tensor, system: System) -> Tensor:
    """Map points of [-1, 1] back to recipes: the inverse of `to_unit`."""
    (low, high), share = box(system), (unit + 1) / 2
    return torch.where(_logarithmic(system), low * (high / low) ** share, low + (high - low) * share)


def unit_slopes(recipes: Tensor, system: System) -> Tensor:
    """Derivatives (*, V) of the values of recipes (*, V) by the coordinates of `to_unit`, each by its own."""
    low, high = box(system)
    return torch.where(_logarithmic(system), recipes * (high / low).log(), high - low) / 2


def farthest_apart(points: Tensor, count: int, first: Sequence[int] = (0,)) -> Tensor:
    """Numbers of points (N, V) that lie far apart, at most ``count``: always the one farthest from those before it.

    Fewer where all others coincide with one of them. ``first`` come first.

    Example:
        >>> farthest_apart(torch.tensor([[0.0], [1.0], [5.0], [0.0]]), 3).tolist()
        [0, 2, 1]
    """
    chosen = list(first)
    away = (points[:, None] - points[chosen]).square().sum(-1).min(1).values
    while len(chosen) < min(count, len(points)) and away.max() > 0:
        chosen.append(int(away.argmax()))
        away = away.minimum((points - points[chosen[-1]]).square().sum(-1))
    return torch.tensor(chosen)


def _logarithmic(system: System) -> Tensor:
    return torch.tensor([quantity.logarithmic for quantity in system.recipe])


def part_to_simulate(method: str, reactions: range, total: int) -> range:
    """Choose the reactions to be simulated so that those that are wanted come out as in one call.

    Kinetic Monte Carlo reactions are on their own. The other methods take them in blocks, which share a random stream:
    a block is simulated as a whole, which takes seconds.

    Args:
        method: One of ``polyinv.simulate.SIMULATORS``.
        reactions: What is wanted.
        total: Number of reactions in the table.
    """
    if method == "kmc":
        return reactions
    return range(reactions.start // BLOCK * BLOCK, min(-(-reactions.stop // BLOCK) * BLOCK, total))


def runs(recipes: pd.DataFrame, system: System) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sort recipes into reactions: rows that differ in time only are snapshots of one reaction.

    Args:
        recipes: N rows with the targets of the system, in any order, repeats allowed.
        system: What is polymerized.

    Returns:
        Conditions (B, 3 + E) and times (B, T) of the reactions, float64, the times ascending and the last one repeated
        up to T; then for each of the N rows its reaction and its snapshot, both (N,).
    """
    recipes = recipes.reset_index(drop=True)
    run = run_numbers(recipes, system)
    snapshot = recipes.groupby(run)["time"].rank(method="dense").to_numpy().astype(int) - 1
    times = np.full((run.max() + 1, snapshot.max() + 1), np.nan)
    times[run, snapshot] = recipes["time"]
    times = pd.DataFrame(times).ffill(axis=1).to_numpy(copy=True)
    conditions = recipes.loc[~pd.Series(run).duplicated(), list(system.conditions)].to_numpy(dtype=float, copy=True)
    return torch.tensor(conditions), torch.tensor(times), torch.tensor(run), torch.tensor(snapshot)
