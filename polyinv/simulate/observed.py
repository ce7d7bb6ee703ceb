"""What is observed of a recipe, as one row of numbers, and its slopes."""

import torch
from torch import Tensor

from polyinv.chemistry import Chemistry
from polyinv.quantities import MEANS, MMD
from polyinv.simulate.derivatives import derivatives
from polyinv.simulate.fused import TOLERANCE
from polyinv.simulate.snapshots import Snapshots, check_growth
from polyinv.simulate.solvers import SOLVERS

SCALARS = ("residual_monomer", *MEANS)
OBSERVED = SCALARS + MMD
"""What is observed: the logarithms of the scalars, and the nodes of the curve."""


def observe(recipes: Tensor, chemistry: Chemistry, *, tolerance: float = TOLERANCE) -> Tensor:
    """Simulate the observed numbers (B, 103) of recipes (B, R) by the rate equations, see ``OBSERVED``."""
    growth = SOLVERS["fused"](recipes[:, :-1], recipes[:, -1:], chemistry, tolerance=tolerance)
    check_growth(growth, recipes[:, :-1])
    return row_of(growth.snapshots(chemistry))


def observe_with_slopes(
    recipes: Tensor, chemistry: Chemistry, *, tolerance: float = TOLERANCE
) -> tuple[Tensor, Tensor]:
    """Simulate the observed numbers (B, 103), and their derivatives by the values of the recipe (B, 103, R)."""
    polymer, slopes = derivatives(recipes[:, :-1], recipes[:, -1:], chemistry, tolerance=tolerance)
    return row_of(polymer), slopes_of(polymer, slopes)


def slopes_of(polymer: Snapshots, slopes: Snapshots) -> Tensor:
    """Derivatives (B, 103, D) of the observed numbers of B snapshots, from those of `derivatives`."""
    scalars = [by[:, 0] / part[..., None][:, 0] for by, part in zip(slopes.scalars, polymer.scalars, strict=True)]
    return torch.cat([torch.stack(scalars, 1), slopes.mmd[:, 0]], 1)


def row_of(polymer: Snapshots) -> Tensor:
    """Observed numbers (B, 103) of B snapshots at one time each."""
    return torch.cat([*(part.log() for part in polymer.scalars), polymer.mmd[:, 0]], dim=-1)
