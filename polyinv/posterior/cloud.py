r"""Cloud of recipes on its way to the posterior, which is moved by what it knows itself.

The recipes that fit form a thin ridge that bends from wall to wall of the box, along which stretches and random walks
hardly get on. So one half of the cloud is proposed places by a kernel density of the other half
(`polyinv.posterior.kernels`), which knows the ridge from end to end, and takes them by Metropolis and Hastings. Each
proposal has the weight of prior times likelihood over the density that it was proposed by; so those of a cloud that has
arrived are, weighted, samples of the posterior, whoever took them.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from polyinv.posterior.kernels import Kernels
from polyinv.posterior.likelihood import Likelihood
from polyinv.posterior.prior import Prior

PARTICLES = 1000
"""Fewest recipes of a cloud that is sampled from."""
FIRST_COUNTING = 0.1
"""Share of the recipes drawn from the prior that goes on counting at the first power."""
CENTRES = 500
"""Most kernels: the time that they take grows with their square."""
STAGES, SWEEPS = 50, 8
"""Most powers, and most times that the cloud is moved at one."""
SMALLEST_STEP = 1e-30
"""Of the power, as a share of what is left."""
LAST_SWEEPS = 16
"""Most times that it is moved at the end, to propose samples."""


@dataclass(frozen=True)
class Pace:
    """How a cloud goes from the prior to the posterior.

    Args:
        first: Fewest recipes that are drawn from the prior, spread evenly.
        counting: Share of a cloud on its way that goes on counting at the next power.
        moved: Share of it that is moved away from where it was drawn again before the power grows.
    """

    first: int
    counting: float
    moved: float


THOROUGH, QUICK = Pace(2048, 0.5, 0.8), Pace(1024, 0.25, 0.5)
"""To sample from, and to learn places from."""

Weighted = tuple[Tensor, Tensor]
"""Proposals (M, D), and the logarithms of their weights, (M,)."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is sampled, by points in the units of `Prior.recipes`.

    Args:
        prior: Of the recipes.
        likelihood: Of what was observed.
    """

    prior: Prior
    likelihood: Likelihood

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of prior and likelihood at points (M, D), (M,) each; nothing lies beyond the walls."""
        inside = (points.abs() <= 1).all(-1)
        density = torch.full_like(points[:, 0], -torch.inf)
        likely = density.clone()
        if inside.any():
            density[inside] = self.prior.log_density_of_points(points[inside])
            likely[inside] = self.likelihood(self.prior.recipes(points[inside]))
        return density, likely


@dataclass(eq=False)
class Cloud:
    """Recipes on their way from the prior to the posterior.

    Args:
        target: What they are on their way to.
        points: In the units of `Prior.recipes`, (N, D).
        log_density: Logarithm of the prior at the points, (N,).
        log_likelihood: (N,).
    """

    target: Target
    points: Tensor
    log_density: Tensor
    log_likelihood: Tensor

    @classmethod
    def at(cls, target: Target, points: Tensor) -> "Cloud":
        """Recipes at points (N, D)."""
        return cls(target, points, *target(points))

    @classmethod
    def from_prior(cls, target: Target, size: int, generator: torch.Generator, pace: Pace = THOROUGH) -> "Cloud":
        """So many recipes that have come all the way from the prior to the posterior."""
        seed = int(torch.randint(2**31, (1,), generator=generator))
        sequence = SobolEngine(int(target.prior.open.sum()), scramble=True, seed=seed)
        uniform = sequence.draw(max(pace.first, 2 * size), dtype=torch.float64)
        drawn = cls.at(target, target.prior.points(target.prior.drawn(uniform)))
        return drawn.climb(FIRST_COUNTING * len(uniform), size, generator, pace)

    def __getitem__(self, rows: Tensor) -> "Cloud":
        return Cloud(self.target, *(part[rows] for part in self._parts))

    def joined(self, other: "Cloud") -> "Cloud":
        """Both together."""
        return Cloud(self.target, *(torch.cat(pair) for pair in zip(self._parts, other._parts, strict=True)))

    @property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.points, self.log_density, self.log_likelihood

    @property
    def best(self) -> Tensor:
        """Recipe that fits best, (1, V), to what is observed and to what is stated of it."""
        prior = self.target.prior
        recipes = prior.recipes(self.points)
        fitting = self.log_likelihood - 0.5 * prior.deviation(recipes).square().sum(-1)
        return recipes[fitting.argmax()][None]

    def sweep(self, power: float, generator: torch.Generator) -> tuple[Weighted, float]:
        """Move one half of the recipes by the other, and then the other by the one.

        Args:
            power: That the likelihood is raised to.
            generator: Of the random numbers.

        Returns:
            What was proposed, with weights of the likelihood as it is; and the share of recipes that moved there.
        """
        one, other = torch.randperm(len(self.points), generator=generator).chunk(2)
        parts = [self._moved(*pair, power, generator) for pair in ((one, other), (other, one))]
        points, weight, taken = (torch.cat(part) for part in zip(*parts, strict=True))
        return (points, weight), taken.double().mean().item()

    def _moved(
        self, movers: Tensor, others: Tensor, power: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Propose places to some recipes (M,) that others know of: these, their weights, and whether they are taken."""
        kernels = Kernels(self.points[others[:CENTRES]])
        points = kernels.draw(len(movers), generator)
        density, likely = self.target(points)
        proposed, proposed_back = kernels.log_density(points), kernels.log_density(self.points[movers])
        gain = density - self.log_density[movers] + power * (likely - self.log_likelihood[movers])
        chance = torch.rand(len(movers), generator=generator, dtype=torch.float64).log()
        taken = chance < gain + proposed_back - proposed
        rows = movers[taken]
        self.points[rows], self.log_density[rows] = points[taken], density[taken]
        self.log_likelihood[rows] = likely[taken]
        return points, density + likely - proposed, taken

    def climb(self, counting: float, size: int, generator: torch.Generator, pace: Pace) -> "Cloud":
        """The cloud at the posterior, of recipes from the prior, by powers that grow from zero to one.

        Args:
            counting: How many of them go on counting at the first power.
            size: How many recipes it has on its way.
            generator: Of the random numbers.
            pace: How it goes.
        """
        cloud, power = self, 0.0
        for _ in range(STAGES):
            step = next_step(cloud.log_likelihood, 1 - power, counting)
            cloud = cloud[drawn_again(step * cloud.log_likelihood, size, generator)]
            power, counting = power + step, pace.counting * size
            if power == 1:
                break
            cloud.move(power, generator, pace.moved)
        return cloud

    def move(self, power: float, generator: torch.Generator, share: float) -> None:
        """Move it until such a share of the recipes would have left where it was if places were taken by chance."""
        still = 1.0
        for _ in range(SWEEPS):
            still *= 1 - self.sweep(power, generator)[1]
            if still <= 1 - share:
                break

    def proposals(self, enough: float, generator: torch.Generator) -> Weighted:
        """Proposals of a cloud that has arrived, until so many count.

        Early ones that hardly knew of a place where recipes are likely are left out: those of heavy weight, who found
        it, have told the later ones.
        """
        sweeps: list[Weighted] = []
        found: Weighted = self.points, self.log_likelihood
        for _ in range(LAST_SWEEPS):
            sweeps.append(self.sweep(1.0, generator)[0])
            later = [_together(sweeps[first:]) for first in range(len(sweeps))]
            found = max(later, key=lambda each: effective_number(each[1]))
            if effective_number(found[1]) >= enough:
                break
        return found


def _together(sweeps: list[Weighted]) -> Weighted:
    points, weights = zip(*sweeps, strict=True)
    return torch.cat(points), torch.cat(weights)


def effective_number(log_weight: Tensor) -> float:
    """Effective number of samples of weights (N,) [Kong, Liu, Wong, *J. Am. Stat. Assoc.* 89 (1994) 278].

    Example:
        >>> effective_number(torch.tensor([0.0, 0.0, 0.0, -1e9]))
        3.0
    """
    return (1 / torch.softmax(log_weight.double(), 0).square().sum()).item()


def next_step(log_likelihood: Tensor, most: float, counting: float) -> float:
    """How much the power of the likelihood (N,) can grow, at most so much, while so many recipes go on counting."""
    if effective_number(most * log_likelihood) >= counting:
        return most
    low, high = SMALLEST_STEP * most, most
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if effective_number(middle * log_likelihood) > counting else (low, middle)
    return low


def drawn_again(log_weight: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Numbers (count,) of what is drawn again by its weight, (N,): as evenly as can be."""
    places = (torch.rand(1, generator=generator, dtype=torch.float64) + torch.arange(count)) / count
    return torch.searchsorted(torch.softmax(log_weight, 0).cumsum(0), places).clamp(max=len(log_weight) - 1)
