"""Recipe box: which values lie outside, and a guess of the unit that a known one was meant in."""

import torch
from torch import Tensor

from polyinv.data.files.units import if_meant_otherwise
from polyinv.data.observations import Observations
from polyinv.instrument.errors import SUFFIX
from polyinv.quantities import Quantity
from polyinv.simulate.recipes import box

MARGIN = 0.1
"""How far an answer may leave the box before it counts as outside, as a share of its width."""

WITHIN = 2.5
"""Standard deviations by which a known value may lie outside: the true one may still be inside."""
NEAR = 0.1
"""How far beyond the box a guess may lie, as a share of its width."""
GUESSED = " if it is "
"""Stands in each guess."""


def guessed_unit(quantity: Quantity, value: float) -> str:
    """Guess the unit of a value outside the box of its quantity: a clause that begins with a comma, or nothing.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> monomer, initiator, temp, time = load_system("butyl_acrylate").recipe
        >>> guessed_unit(temp, 343.15), guessed_unit(time, 60), guessed_unit(initiator, 10.9), guessed_unit(temp, 300)
        (', 70 °C if it is in K', ', 3600 s if it is in min', ', 0.0109 mol/L if it is in mmol/L', '')
    """
    guesses = if_meant_otherwise(value, quantity.unit)
    for margin in (0.0, NEAR * (quantity.high - quantity.low)):
        for unit, meant in guesses.items():
            if quantity.low - margin <= meant <= quantity.high + margin and meant > quantity.above:
                return f", {meant:.4g} {quantity.unit} if it is in {unit}"
    return ""


def leaving_box(recipes: Tensor, observations: Observations) -> Tensor:
    """Whether values (N, V) of observations lie outside the box in which models have learned.

    Answers do by more than a margin, and known values by more than their errors.
    """
    system = observations.system
    low, high = box(system)
    errors = observations.error_columns()
    sd = torch.stack([errors[name + SUFFIX] for name in system.targets], dim=1).nan_to_num(0.0)
    margin = torch.where(observations.recipe.isnan(), MARGIN * (high - low), WITHIN * sd)
    return (recipes < low - margin) | (recipes > high + margin)


def known_outside_box(observations: Observations) -> list[str]:
    """Say of each row which known value of the recipe lies outside the box, with a guess of its unit; empty if none."""
    system, recipes = observations.system, observations.recipe
    leaving = leaving_box(recipes, observations)
    said = [""] * len(recipes)
    for row, at in leaving.nonzero().tolist():
        quantity, value = system.recipe[at], recipes[row, at].item()
        box = f"{quantity.low:g} to {quantity.high:g} {quantity.unit}"
        said[row] = said[row] or f"{quantity.name} {value:g} outside {box}{guessed_unit(quantity, value)}"
    return said
