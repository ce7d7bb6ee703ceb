"""Gaussian problems in place of polymers: their posterior has a closed form."""

from collections.abc import Callable

import torch
from torch import Tensor

from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.instrument.errors import LEAST
from polyinv.instrument.expected import MN, MW, ExpectedMeasurement
from polyinv.posterior.likelihood import Likelihood
from polyinv.posterior.prior import Prior
from polyinv.simulate.observed import OBSERVED
from polyinv.simulate.recipes import box

LOW, HIGH = box(SYSTEM)
NONE = torch.full((4,), torch.nan, dtype=torch.float64)
WHOLE_BOX = Prior(SYSTEM, NONE, NONE)


def linear(slopes: Tensor, observed: Tensor, sd: float) -> Likelihood:
    """Two numbers that are linear in the recipe, by slopes (4, 2), each observed with a standard deviation."""
    return gaussian(lambda recipes: recipes @ slopes, observed, sd)


def gaussian(numbers_of: Callable[[Tensor], Tensor], observed: Tensor, sd: float) -> Likelihood:
    """Two numbers of a recipe, (M, 2) of (M, 4), each observed with a standard deviation."""

    def forward(recipes):
        values = torch.zeros(len(recipes), len(OBSERVED), dtype=torch.float64)
        values[:, [MN, MW]] = numbers_of(recipes)
        return values

    numbers, white = torch.zeros(len(OBSERVED)).double(), torch.zeros(len(OBSERVED), 2).double()
    numbers[[MN, MW]] = observed
    white[[MN, MW], [0, 1]] = 1 / sd
    none = {name: torch.zeros(1, dtype=torch.float64) for name in LEAST}
    return Likelihood(
        forward=forward,
        expected=ExpectedMeasurement(none, torch.ones(1, 100, dtype=torch.bool)),
        observed=numbers,
        white=white,
        share=torch.ones(2, dtype=torch.float64),
        reference=1.0,
        judged=1.0,
        chains=torch.ones(1, dtype=torch.float64),
        origin=torch.zeros(1, 0, dtype=torch.float64),
        slopes=torch.zeros(0, 2, dtype=torch.float64),
        closest=(LOW + HIGH) / 2,
    )
