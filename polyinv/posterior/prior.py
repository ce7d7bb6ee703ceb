r"""Prior over recipes: what is known of one before its polymer is looked at.

A value of which nothing is stated is uniform in the box of the system. One that is stated with an error has the density
of that statement given the true value, cut off at the ends of the box; the error is relative for concentrations
(`polyinv.instrument.measure.observe`). One that is known exactly has that value, inside the box or not.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from polyinv.chemistry import System
from polyinv.data.observations import EXACT, Observations
from polyinv.data.recipe_stated import least_errors
from polyinv.instrument.errors import SUFFIX
from polyinv.simulate.recipes import box, from_unit, to_unit, unit_slopes

BEYOND = 5.0
"""Standard deviations outside the box that a stated value counts as at most: what is left then lies at the wall."""


@dataclass(frozen=True, eq=False)
class Prior:
    """Prior over the V values of a recipe, D of which are open: not known exactly.

    Points (M, D) are open values in the units of `polyinv.simulate.recipes.to_unit`, where ridges of recipes that make
    the same polymer are less curved.

    Args:
        system: What is polymerized.
        known: Stated values, NaN where nothing is stated, (V,).
        error: Their standard deviations, relative where that is so, 0 of what is known exactly, (V,).
    """

    system: System
    known: Tensor
    error: Tensor

    @classmethod
    def of(cls, observation: Observations) -> "Prior":
        """Prior of an observation, which is a single row."""
        (known,), system, columns = observation.recipe, observation.system, observation.error_columns()
        sd = torch.cat([columns[name + SUFFIX] for name in system.targets])
        least, relative = least_errors(system)
        error = torch.where(relative, sd / known, sd)
        return cls(system, known, torch.where(error <= EXACT * least, 0.0, error))

    @property
    def open(self) -> Tensor:
        """Which values are not known exactly, (V,)."""
        return self.known.isnan() | (self.error > 0)

    @property
    def stated(self) -> Tensor:
        """Which values are known with an error, (V,)."""
        return ~self.known.isnan() & (self.error > 0)

    def drawn(self, uniform: Tensor) -> Tensor:
        """Recipes (M, V) drawn from the prior by numbers (M, D), uniform between 0 and 1."""
        low, high = box(self.system)
        share = self._with_known(uniform)
        mean, sd, below, above = self._gaussian()
        gaussian = mean + sd * ndtri(below + (above - below) * share)
        gaussian = torch.where(_relative(self.system), gaussian.exp(), gaussian).maximum(low).minimum(high)
        values = torch.where(self.stated, gaussian, low + (high - low) * share)
        return torch.where(self.open, values, self.known)

    def points(self, recipes: Tensor) -> Tensor:
        """Points (M, D) of recipes (M, V)."""
        return to_unit(recipes, self.system)[:, self.open]

    def recipes(self, points: Tensor) -> Tensor:
        """Recipes (M, V) at points (M, D)."""
        return torch.where(self.open, from_unit(self._with_known(points), self.system), self.known)

    def log_density(self, recipes: Tensor) -> Tensor:
        """Logarithm of the density of recipes (M, V) by their open values in physical units, (M,)."""
        (low, high), relative = box(self.system), _relative(self.system)
        mean, sd, below, above = self._gaussian()
        scaled = torch.where(relative, recipes.log(), recipes)
        gaussian = -0.5 * ((scaled - mean) / sd).square() - (sd * (above - below) * math.sqrt(2 * math.pi)).log()
        gaussian = gaussian - torch.where(relative, scaled, 0.0)
        each = torch.where(self.stated, gaussian, -(high - low).log())
        return torch.where((recipes >= low) & (recipes <= high), each, -torch.inf)[:, self.open].sum(-1)

    def log_density_of_points(self, points: Tensor) -> Tensor:
        """Logarithm of the density of points (M, D), (M,)."""
        recipes = self.recipes(points)
        return self.log_density(recipes) + self.log_slopes(recipes)

    def log_slopes(self, recipes: Tensor) -> Tensor:
        """Logarithm of the volume in physical units, of the open values, that a unit of points has at recipes, (M,)."""
        return unit_slopes(recipes, self.system)[:, self.open].log().sum(-1)

    def deviation(self, recipes: Tensor) -> Tensor:
        """Deviations of recipes (M, V) from what is stated, in standard deviations, (M, V); 0 where nothing is."""
        relative = _relative(self.system)
        apart = torch.where(relative, (recipes / self.known).log(), recipes - self.known)
        return torch.where(self.stated, apart / self.error, 0.0)

    def _with_known(self, values: Tensor) -> Tensor:
        """Numbers of the open values (M, D) among those of all, (M, V)."""
        whole = values.new_zeros(len(values), len(self.known), dtype=self.known.dtype)
        whole[:, self.open] = values.to(whole)
        return whole

    def _gaussian(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean and standard deviation of stated values, or of their logarithm, and its shares below the box's ends."""
        relative = _relative(self.system)
        low, high, known = (torch.where(relative, value.log(), value) for value in (*box(self.system), self.known))
        # What is uniform in the value is not so in its logarithm.
        mean = torch.where(relative, known + self.error.square(), known)
        mean = mean.maximum(low - BEYOND * self.error).minimum(high + BEYOND * self.error)
        return mean, self.error, ndtr((low - mean) / self.error), ndtr((high - mean) / self.error)


def _relative(system: System) -> Tensor:
    return least_errors(system)[1]
