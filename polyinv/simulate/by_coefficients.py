"""What is observed of recipes, with its slopes by the coordinates of the chemistry's coefficients, too."""

import torch
from torch import Tensor

from polyinv.chemistry.coordinates import Coordinates
from polyinv.chemistry.kinetics import GAS_CONSTANT, ZERO_CELSIUS, Chemistry
from polyinv.simulate.derivatives import CONDITIONS, derivatives
from polyinv.simulate.fused import TOLERANCE
from polyinv.simulate.observed import row_of, slopes_of


def observe_by_coefficients(
    recipes: Tensor, chemistry: Chemistry, coordinates: Coordinates, *, tolerance: float = TOLERANCE
) -> tuple[Tensor, Tensor, Tensor]:
    """Simulate the observed numbers of B recipes, and their slopes by recipe and by coefficients.

    Args:
        recipes: (B, V).
        chemistry: Of the scheme of the coordinates; they are taken about its own values.
        coordinates: Q of them.
        tolerance: Of the solver.

    Returns:
        The numbers of `polyinv.simulate.observed.OBSERVED`, (B, 103); slopes by the values of the recipe, (B, 103, V);
        slopes by the coordinates, (B, 103, Q).
    """
    by = (*CONDITIONS, *chemistry.extras, "time", *coordinates.laws, *coordinates.fractions)
    polymer, slopes = derivatives(recipes[:, :-1], recipes[:, -1:], chemistry, by, tolerance=tolerance)
    found, values = slopes_of(polymer, slopes), recipes.shape[1]
    temp = recipes[:, 2] + ZERO_CELSIUS
    warmer = (1 / coordinates.middle - 1 / temp) / GAS_CONSTANT  # of ln k by E_a
    columns = []
    for at, name in enumerate(coordinates.laws, values):
        by_log = found[..., at] * getattr(chemistry, name)(recipes[:, 2])[:, None]
        columns += [by_log, by_log * warmer[:, None]]
    for at, name in enumerate(coordinates.fractions, values + len(coordinates.laws)):
        share = getattr(chemistry, name)
        columns.append(found[..., at] * share * (1 - share))
    return row_of(polymer), found[..., :values], torch.stack(columns, -1)
