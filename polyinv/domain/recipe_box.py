"""Recipe box: which values lie outside, and a guess of the unit that a known one was meant in."""

import torch
from torch import Tensor

from polyinv.data.files.units import fits, likely_units
from polyinv.data.observations import Observations
from polyinv.instrument.errors import SUFFIX
from polyinv.quantities import Quantity
from polyinv.simulate.recipes import box

MARGIN = 0.1
"""How far an answer may leave the box before it counts as outside, as a share of its width."""

WITHIN = 2.5
"""Standard deviations by which a known value may lie outside: the true one may still be inside."""
GUESSED = " if it is "
"""Stands in each guess."""


def guessed_units(quantity: Quantity, values: Tensor) -> list[str]:
    """Guess the unit of values (B,) outside the box of their quantity: clauses that begin with a comma, or nothing.

    The unit is the one that most of them would fit; of several that do equally well, all are named.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> monomer, initiator, temp, time = load_system("butyl_acrylate").recipe
        >>> guessed_units(temp, torch.tensor([343.15, 300.0]).double())
        [', 70 °C if it is in K', '']
        >>> guessed_units(time, torch.tensor([1.0, 30.0]).double()), guessed_units(time, torch.tensor([1.0]).double())
        ([', 60 s if it is in min', ', 1800 s if it is in min'], [', 3600 s if it is in h'])
    """
    units = likely_units(values.tolist(), quantity.unit, quantity.low, quantity.high)
    said = []
    for value in values.tolist():
        meant = {unit.name: unit.converted(value) for unit in units}
        clauses = [
            f"{converted:.4g} {quantity.unit}{GUESSED}in {name}"
            for name, converted in meant.items()
            if fits(converted, quantity.low, quantity.high) and converted > quantity.above
        ]
        said.append(f", {' or '.join(clauses)}" if clauses else "")
    return said


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
    for at, quantity in enumerate(system.recipe):
        rows = leaving[:, at].nonzero()[:, 0]
        values = recipes[rows, at]
        box = f"{quantity.low:g} to {quantity.high:g} {quantity.unit}"
        for row, value, unit in zip(rows.tolist(), values.tolist(), guessed_units(quantity, values), strict=True):
            said[row] = said[row] or f"{quantity.name} {value:g} outside {box}{unit}"
    return said
