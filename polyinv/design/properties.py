r"""Properties of the polymers that recipes make, by the rate equations, with their slopes.

All are taken on the scale on which they are searched: the logarithms of Mn, Mw, the dispersity and the molar mass at
the peak, the conversion as it is. Recipes are points of [-1, 1], see `polyinv.simulate.recipes.to_unit`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.design.wishes import PROPERTIES
from polyinv.mmd import LOG_M, STEP
from polyinv.simulate.observed import observe, observe_with_slopes
from polyinv.simulate.recipes import from_unit, unit_slopes

TOLERANCE = 1e-5
"""Of the solver."""
RESIDUAL, MN, MW, CURVE = 0, 1, 2, slice(3, None)
"""Of the observed numbers."""


@dataclass(frozen=True)
class Polymers:
    """Polymers of M recipes.

    Args:
        unit: The recipes, (M, V).
        recipes: The same in physical units.
        values: Properties in the order of ``PROPERTIES``, on their scales, (M, K).
        curves: (M, 100).
        slopes: Of the properties by the coordinates, (M, K, V); None where they were not asked for.
        curve_slopes: Of the curves, (M, 100, V).
    """

    unit: Tensor
    recipes: Tensor
    values: Tensor
    curves: Tensor
    slopes: Tensor | None = None
    curve_slopes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.unit)

    def physical(self) -> Tensor:
        """Properties in their units, (M, K)."""
        return torch.stack([to_physical(name, self.values[:, at]) for at, name in enumerate(PROPERTIES)], 1)


def to_scale(name: str, value: float) -> float:
    """A property on the scale on which it is searched; infinite ends stay.

    Example:
        >>> to_scale("D", 1.0), to_scale("conversion", 0.5), to_scale("Mn", float("-inf"))
        (0.0, 0.5, -inf)
    """
    if name == "conversion":
        return value
    return math.log(value) if 0 < value < math.inf else math.inf if value > 0 else -math.inf


def to_physical(name: str, values: Tensor) -> Tensor:
    """Values of a property in its unit."""
    return values if name == "conversion" else values.exp()


def polymers(unit: Tensor, system: System) -> Polymers:
    """Simulate the polymers of recipes (M, V), some 30 µs each."""
    return polymers_of(from_unit(unit, system), unit, system)


def polymers_of(recipes: Tensor, unit: Tensor, system: System) -> Polymers:
    """Simulate the polymers of recipes (M, V), which stand at points (M, V)."""
    seen = observe(recipes, system.chemistry, tolerance=TOLERANCE)
    return Polymers(unit, recipes, _values(seen, recipes), seen[:, CURVE])


def polymers_with_slopes(unit: Tensor, system: System) -> Polymers:
    """Simulate the polymers of recipes (M, V) with their slopes, some 100 µs each."""
    recipes = from_unit(unit, system)
    seen, slopes = observe_with_slopes(recipes, system.chemistry, tolerance=TOLERANCE)
    slopes = slopes * unit_slopes(recipes, system)[:, None, :]
    left = (seen[:, RESIDUAL].exp() / recipes[:, 0])[:, None]
    charged = torch.zeros_like(unit)
    charged[:, 0] = unit_slopes(recipes, system)[:, 0] / recipes[:, 0]
    of_conversion = left * (charged - slopes[:, RESIDUAL])
    of_peak = _peak_slopes(seen[:, CURVE], slopes[:, CURVE])
    of_means = slopes[:, MN], slopes[:, MW], slopes[:, MW] - slopes[:, MN]
    by = torch.stack([*of_means, of_peak, of_conversion], 1)
    return Polymers(unit, recipes, _values(seen, recipes), seen[:, CURVE], by, slopes[:, CURVE])


def _values(seen: Tensor, recipes: Tensor) -> Tensor:
    conversion = 1 - seen[:, RESIDUAL].exp() / recipes[:, 0]
    peak = _peak(seen[:, CURVE])
    return torch.stack([seen[:, MN], seen[:, MW], seen[:, MW] - seen[:, MN], peak, conversion], 1)


def _peak(curves: Tensor) -> Tensor:
    """ln M at the peaks of curves (M, 100): of the parabola through the highest node and its neighbours."""
    at, left, middle, right = _around(curves)
    place = 0.5 * (left - right) / (left - 2 * middle + right)
    return (torch.from_numpy(LOG_M)[at] + STEP * place.clamp(-1, 1)) * math.log(10)


def _peak_slopes(curves: Tensor, slopes: Tensor) -> Tensor:
    """Slopes (M, V) of `_peak`, from those of the curves (M, 100, V)."""
    at, left, middle, right = _around(curves)
    bend = left - 2 * middle + right
    by = torch.stack([right - middle, left - right, middle - left], 1) / bend.square()[:, None]
    rows = torch.arange(len(curves))[:, None]
    return STEP * math.log(10) * (by[:, :, None] * slopes[rows, at[:, None] + torch.tensor([-1, 0, 1])]).sum(1)


def _around(curves: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Number of the highest node of each curve, and what stands there and beside it, (M,) each."""
    at = curves[:, 1:-1].argmax(1) + 1
    left, middle, right = (curves.gather(1, (at + step)[:, None])[:, 0] for step in (-1, 0, 1))
    return at, left, middle, right
