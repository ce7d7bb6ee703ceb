"""Closest recipe of the box: that whose polymer, measured, comes closest to an observation, and its deviations.

Deviations are counted in standard deviations (`polyinv.domain.least_squares`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.observations import Observations
from polyinv.domain.least_squares import Forward, Found, Problem, rooted
from polyinv.instrument.expected import CURVE, MN, NUISANCES
from polyinv.simulate.observed import OBSERVED
from polyinv.simulate.recipes import random_recipes, to_unit

REFERENCES, STARTS = 4096, 3
"""Recipes among which the nearest are looked for, and how many of them are started from."""
SCREENED = 64
"""Observations that are compared with the references at once: they stay in a processor's cache."""
AGAIN = 5
"""Steps of a descent whose weights have been set by the roughness of the curve."""


@dataclass(frozen=True)
class Fit:
    """Least-squares fit of B observations: the closest recipes and their deviations.

    Args:
        recipes: (B, V), inside the box; known values as given.
        deviation: In standard deviations, (B, 103 + V + K): of every observed number from its fit, of every known value
            of the recipe, and of each of K nuisances; 0 where there is none.
        populated: Which of them count: scalars that are given, nodes that hold more than single chains, known values
            that are not held, and nuisances; (B, 103 + V + K).
        noise: Variance of the curve that its roughness tells, (B,); one over the number of chains, NaN without a curve.
        nearest: Number of the nearest reference, (B,).
        measured: Nodes at which the curve was compared, (B, 100).
        fitted: What the closest recipe is expected to show, measured, (B, 103).
        means_error: Standard deviation that is stated of ln Mn and of ln Mw each, (B,).
        within_errors: The closest recipes with known values where the fit moved them to within their errors, (B, V).
    """

    recipes: Tensor
    deviation: Tensor
    populated: Tensor
    noise: Tensor
    nearest: Tensor
    measured: Tensor
    fitted: Tensor
    means_error: Tensor
    within_errors: Tensor

    @property
    def misfit(self) -> Tensor:
        """Root mean square of the deviations that count, (B,)."""
        return ((self.deviation.square() * self.populated).sum(-1) / self.populated.sum(-1).clamp(min=1)).sqrt()

    @property
    def misfit_beside_curve(self) -> Tensor:
        """Root of the sum of the squared deviations that are not the curve's, (B,)."""
        squares = self.deviation.square() * self.populated
        return (squares.sum(-1) - squares[:, CURVE].sum(-1)).clamp(min=0).sqrt()


def names_of_deviations(system: System) -> list[str]:
    """What the deviations of a `Fit` are of, as they are called in words; nodes of a curve by their column."""
    return [system.residual, *OBSERVED[1:], *system.targets, *NUISANCES]


class References:
    """Recipes of the box with their polymers, to find near ones quickly.

    Args:
        system: What is polymerized.
        count: Recipes.
    """

    def __init__(self, system: System, count: int = REFERENCES) -> None:
        self.system, self.forward = system, Forward(system)
        self.unit = to_unit(random_recipes(count, torch.Generator().manual_seed(0), system), system)
        self.observations = rooted(self.forward(self.unit))
        self.middle = self.observations.mean(0)  # single precision is lost on what all have in common
        self.screen = (self.observations - self.middle).float(), self.unit.float()

    def nearest(self, observations: Tensor, weight: Tensor, known: Tensor, count: int) -> Tensor:
        """Indices of the nearest references (B, count) by weighted deviation; far from known values counts as far.

        Args:
            observations: Observed numbers, the curve by its root, (B, 103).
            weight: Of them, (B, 103).
            known: Known values in the units of `to_unit`, NaN where not given, (B, V).
            count: How many.
        """
        each = (part.split(SCREENED) for part in (observations, weight.square(), known))
        return torch.cat([self._nearest(x, w, k, count) for x, w, k in zip(*each, strict=True)])

    def _nearest(self, observations: Tensor, weight: Tensor, known: Tensor, count: int) -> Tensor:
        """As `nearest`, of few observations: candidates in single precision, and of these the nearest in double."""
        given, known = (~known.isnan()).double(), known.nan_to_num(0.0)
        far = self._screened((observations - self.middle).float(), weight.float(), known.float(), given.float())
        candidates = far.topk(min(8 * count, len(self.unit)), largest=False).indices
        others, unit = self.observations[candidates], self.unit[candidates]
        far = ((observations[:, None] - others).square() * weight[:, None]).sum(-1)
        apart = ((known[:, None] - unit).square() * given[:, None]).sum(-1)
        return candidates.gather(1, (far * (1 + 100 * apart) + 1e-9 * apart).topk(count, largest=False).indices)

    def _screened(self, observations: Tensor, weight: Tensor, known: Tensor, given: Tensor) -> Tensor:
        """How far the references are in single precision, (B, R)."""
        others, unit = self.screen
        far, apart = _apart(observations, weight, others), _apart(known, given, unit)
        return far.addcmul_(far, apart, value=100).add_(apart, alpha=1e-9)


def _apart(points: Tensor, weight: Tensor, others: Tensor) -> Tensor:
    """Weighted squared distances (B, R) of points (B, C) from others (R, C), the weights being the points' (B, C)."""
    start = (points.square() * weight).sum(-1, keepdim=True)
    return torch.addmm(start, points * weight, others.T, alpha=-2).addmm_(weight, others.square().T).clamp_(min=0)


def fit(references: References, observations: Observations) -> Fit:
    """Fit recipes of the box by least squares (Levenberg–Marquardt), from the nearest of some references.

    Mn and Mw are fitted only where there is no curve, whose means they are.

    Args:
        references: With the forward model.
        observations: B of them. Known values outside the box count as its wall.
    """
    problem = Problem.of(references.forward, observations)
    near = references.nearest(problem.observations, problem.weight_at(), problem.known, STARTS)
    problem = problem.weighted(references.unit[near[:, 0]])
    found = problem.descended(references.unit[near[:, :1]])
    problem = problem.weighted(found.unit, problem.roughness(found))
    found = problem.descend(found, 1, AGAIN)
    far = (_fit(problem, found, near).misfit > 1).nonzero()[:, 0]
    if len(far):
        # Within its noise nothing can come closer; elsewhere another start may.
        others = problem[far].descended(references.unit[near[far, 1:]])
        found = found.lower(far, others)
    return _fit(problem, found, near)


def _fit(problem: Problem, found: Found, near: Tensor) -> Fit:
    """What was found, with its deviations."""
    deviation = problem.deviation(found)
    counting = torch.cat(
        [problem.populated(), problem.known_weight > 0, torch.ones_like(found.nuisances, dtype=torch.bool)], dim=-1
    )
    fitted = problem.forward.from_unit(found.unit)
    recipes, within = (torch.where(fixed, problem.given, fitted) for fixed in (~problem.given.isnan(), problem.held))
    measured = problem.chains[:, CURVE] > 0
    stated, noise = problem.stated[:, MN].sqrt(), problem.roughness(found)
    return Fit(recipes, deviation, counting, noise, near[:, 0], measured, found.fitted, stated, within)
