"""Lists of recipes: the published grid, random recipes, and any list sorted into reactions."""

import itertools

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.quantities import CONDITIONS, RECIPE, TARGETS
from polyinv.reactions import run_numbers
from polyinv.simulate.solvers import BLOCK

GRID = {
    "temp": (60.0, 63.0, 65.0, 68.0, 70.0, 73.0, 75.0, 78.0, 80.0),
    "cBA_0": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0),
    "cAIBN_0": (0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.0175, 0.02),
    "time": tuple(300.0 * i for i in range(1, 13)),
}
"""Levels of the published grid, in its row order: 432 reactions of 12 snapshots."""


def published_grid() -> pd.DataFrame:
    """Make the 5184 recipes of the published data set, in its row order: by temp, cBA_0, cAIBN_0, time.

    Example:
        >>> grid = published_grid()
        >>> len(grid), len(grid.drop_duplicates(["cBA_0", "cAIBN_0", "temp"]))
        (5184, 432)
    """
    return pd.DataFrame(itertools.product(*GRID.values()), columns=list(GRID))[list(TARGETS)]


LOW, HIGH = (
    torch.tensor([getattr(quantity, end) for quantity in RECIPE], dtype=torch.float64) for end in ("low", "high")
)
"""Ends of the published recipe box, (4,)."""


def random_recipes(count: int, generator: torch.Generator) -> Tensor:
    """Draw recipes (B, 4) uniform in the published box, float64."""
    # The bundled recipes were drawn between ends in single precision, 1e-8 aside: the numbers stay as they are.
    low, high = (end.float().double() for end in (LOW, HIGH))
    uniform = torch.rand(count, len(RECIPE), generator=generator, dtype=torch.float64, device=generator.device)
    return low.to(generator.device) + (high - low).to(generator.device) * uniform


LOGARITHMIC = torch.tensor([quantity.name != "temp" for quantity in RECIPE])


def to_unit(recipes: Tensor) -> Tensor:
    """Map recipes (*, 4) of the box to [-1, 1]: the temperature linearly, the others by their logarithm."""
    logarithmic = (recipes / LOW).log() / (HIGH / LOW).log()
    return 2 * torch.where(LOGARITHMIC, logarithmic, (recipes - LOW) / (HIGH - LOW)) - 1


def from_unit(unit: Tensor) -> Tensor:
    """Map points of [-1, 1] back to recipes: the inverse of `to_unit`."""
    share = (unit + 1) / 2
    return torch.where(LOGARITHMIC, LOW * (HIGH / LOW) ** share, LOW + (HIGH - LOW) * share)


def unit_slopes(recipes: Tensor) -> Tensor:
    """Derivatives (*, 4) of the values of recipes (*, 4) by the coordinates of `to_unit`, each by its own."""
    return torch.where(LOGARITHMIC, recipes * (HIGH / LOW).log(), HIGH - LOW) / 2


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


def runs(recipes: pd.DataFrame) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sort recipes into reactions: rows that differ in time only are snapshots of one reaction.

    Args:
        recipes: N rows with the columns of ``TARGETS``, in any order, repeats allowed.

    Returns:
        Conditions (B, 3) and times (B, T) of the reactions, float64, the times ascending and the last one repeated up
        to T; then for each of the N rows its reaction and its snapshot, both (N,).
    """
    recipes = recipes.reset_index(drop=True)
    run = run_numbers(recipes)
    snapshot = recipes.groupby(run)["time"].rank(method="dense").to_numpy().astype(int) - 1
    times = np.full((run.max() + 1, snapshot.max() + 1), np.nan)
    times[run, snapshot] = recipes["time"]
    times = pd.DataFrame(times).ffill(axis=1).to_numpy(copy=True)
    conditions = recipes.loc[~pd.Series(run).duplicated(), list(CONDITIONS)].to_numpy(dtype=float, copy=True)
    return torch.tensor(conditions), torch.tensor(times), torch.tensor(run), torch.tensor(snapshot)
