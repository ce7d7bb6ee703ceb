r"""Exact posterior of an observation: recipes sampled from nothing but prior and likelihood, without a network.

Sequential Monte Carlo [Del Moral, Doucet, Jasra, *J. R. Stat. Soc. B* 68 (2006) 411]: a cloud of recipes goes from the
prior to the posterior over likelihoods raised to powers from 0 to 1, each next one so that half of the cloud goes on
counting. At each, recipes are drawn again by their weight and moved by Metropolis–Hastings steps. The recipes that fit
form a thin ridge that bends from wall to wall of the box, along which stretches and random walks hardly get on; so one
half of the cloud is proposed places by a kernel density of the other half (`polyinv.posterior.kernels`), which knows
the ridge from end to end.

An observation takes about a second of one core. What it is alone, it is among others, bit for bit: each is sampled on
its own, from the same seed.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.posterior.kernels import Kernels
from polyinv.posterior.likelihood import Likelihood
from polyinv.posterior.prior import Prior
from polyinv.runtime.progress import counted
from polyinv.runtime.threads import one_thread

FIRST, FIRST_COUNTING = 2048, 200
"""Recipes that are drawn from the prior, spread evenly, and how many of them go on counting at the first power."""
PARTICLES, COUNTING = 1000, 0.5
"""Fewest recipes of the cloud, and the share of it that goes on counting from power to power."""
CENTRES = 500
"""Most kernels: the time that they take grows with their square."""
STAGES, SWEEPS = 50, 8
"""Most powers, and most times that the cloud is moved at one."""
SMALLEST_STEP = 1e-30
"""Of the power, as a share of what is left."""
MOVED = 0.8
"""Share of the cloud that is moved away from where it was drawn again before the power grows."""
LAST_SWEEPS = 16
"""Most times that it is moved at the end, to propose samples."""
LEAST_EFFECTIVE = 0.1
"""Share of the samples that has to be effective."""
FAR = 5.0
"""Misfit above which no recipe of the box makes what was observed."""


@dataclass(frozen=True, eq=False)
class ExactPosterior:
    """Exact posterior of one observation.

    Args:
        samples: Recipes, all of the same weight, inside the box but for values that are known exactly, (S, V).
        evidence: Logarithm of the likelihood averaged over the prior; compares priors of one observation.
        effective: Number of independent samples that tell as much: that of the weights that they were drawn by.
        misfit: By how much the sum of squares of the best recipe exceeds what is expected, in standard deviations.
        converged: Whether enough of them are effective.
    """

    samples: Tensor
    evidence: float
    effective: float
    misfit: float
    converged: bool

    @property
    def fits(self) -> bool:
        """Whether there is a recipe of the box that makes what was observed."""
        return self.misfit <= FAR


def exact_posteriors(
    observations: Observations, samples: int = PARTICLES, seed: int = 0, chains: float | Tensor | None = None
) -> list[ExactPosterior]:
    """Sample the posterior of each of B observations.

    Args:
        observations: With their errors; missing is what is NaN.
        samples: S of each.
        seed: Of the random numbers, the same for each row.
        chains: Dead chains that the sample of each holds, one number or (B,); None lets the curves tell.

    Raises:
        InputError: A row shows no polymer, or no sample is asked for.
    """
    count = len(observations)
    many = [None] * count if chains is None else torch.as_tensor(chains).double().expand(count).tolist()
    found = []
    with one_thread(), counted("exact posteriors", "rows", count) as advance:
        for row in range(count):
            observation = observations[row]
            found.append(sample(Prior.of(observation), Likelihood.of(observation, many[row]), samples, seed))
            advance(1)
    return found


def sample(prior: Prior, likelihood: Likelihood, samples: int = PARTICLES, seed: int = 0) -> ExactPosterior:
    """Sample the posterior of one observation.

    Raises:
        InputError: No sample is asked for.
    """
    if samples < 1:
        raise InputError(f"samples is {samples}; needs 1 or more")
    if not prior.open.any():
        recipes = prior.known.expand(samples, -1)
        return ExactPosterior(
            recipes, likelihood(recipes[:1]).item(), samples, _misfit(prior, likelihood, recipes[:1]), True
        )
    generator, size = torch.Generator().manual_seed(seed), max(samples, PARTICLES)
    cloud, power, counting = _Cloud.drawn(prior, likelihood, seed), 0.0, FIRST_COUNTING
    for _ in range(STAGES):
        step = _step(cloud.log_likelihood, 1 - power, counting)
        cloud = cloud[_drawn_again(step * cloud.log_likelihood, size, generator)]
        power, counting = power + step, int(COUNTING * size)
        if power == 1:
            break
        _move(cloud, power, generator)
    points, weight = _proposals(cloud, size, generator)
    effective = min(_effective(weight), float(samples))
    return ExactPosterior(
        prior.recipes(points[_drawn_again(weight, samples, generator)]),
        (weight.logsumexp(0) - math.log(len(weight))).item(),
        effective,
        _misfit(prior, likelihood, cloud.best),
        effective >= LEAST_EFFECTIVE * samples,
    )


@dataclass(eq=False)
class _Cloud:
    """Recipes on their way from the prior to the posterior.

    Args:
        prior: Of the recipes.
        likelihood: Likewise.
        points: In the units of `Prior.recipes`, (N, D).
        log_density: Logarithm of the prior at the points, (N,).
        log_likelihood: (N,).
    """

    prior: Prior
    likelihood: Likelihood
    points: Tensor
    log_density: Tensor
    log_likelihood: Tensor

    @classmethod
    def drawn(cls, prior: Prior, likelihood: Likelihood, seed: int) -> "_Cloud":
        """Draw recipes from the prior, spread evenly."""
        uniform = SobolEngine(int(prior.open.sum()), scramble=True, seed=seed).draw(FIRST, dtype=torch.float64)
        points = prior.points(prior.drawn(uniform))
        return cls(prior, likelihood, points, *cls._values(prior, likelihood, points))

    def __getitem__(self, rows: Tensor) -> "_Cloud":
        parts = (self.points, self.log_density, self.log_likelihood)
        return _Cloud(self.prior, self.likelihood, *(part[rows] for part in parts))

    @property
    def best(self) -> Tensor:
        """Recipe that fits best, (1, V)."""
        recipes = self.prior.recipes(self.points)
        fitting = self.log_likelihood - 0.5 * self.prior.deviation(recipes).square().sum(-1)
        return recipes[fitting.argmax()][None]

    @staticmethod
    def _values(prior: Prior, likelihood: Likelihood, points: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of prior and likelihood at points (M, D), (M,) each; nothing lies beyond the walls."""
        inside = (points.abs() <= 1).all(-1)
        density = torch.full_like(points[:, 0], -torch.inf)
        likely = density.clone()
        if inside.any():
            density[inside] = prior.log_density_of_points(points[inside])
            likely[inside] = likelihood(prior.recipes(points[inside]))
        return density, likely

    def sweep(self, power: float, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
        """Move one half of the recipes by the other, and then the other by the one.

        Returns:
            What was proposed, (N, D); the logarithm of its weight, prior times likelihood over the density that it was
            proposed by, (N,); and the share of recipes that moved there.
        """
        halves = torch.randperm(len(self.points), generator=generator).chunk(2)
        parts = [self._moved(*pair, power, generator) for pair in (halves, halves[::-1])]
        points, weight, taken = (torch.cat(part) for part in zip(*parts, strict=True))
        return points, weight, taken.double().mean().item()

    def _moved(
        self, movers: Tensor, others: Tensor, power: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Propose places to some recipes (M,) that others know of: these, their weights, and whether they are taken."""
        kernels = Kernels(self.points[others[:CENTRES]])
        points = kernels.draw(len(movers), generator)
        density, likely = self._values(self.prior, self.likelihood, points)
        proposed, proposed_back = kernels.log_density(points), kernels.log_density(self.points[movers])
        gain = density - self.log_density[movers] + power * (likely - self.log_likelihood[movers])
        chance = torch.rand(len(movers), generator=generator, dtype=torch.float64).log()
        taken = chance < gain + proposed_back - proposed
        rows = movers[taken]
        self.points[rows], self.log_density[rows] = points[taken], density[taken]
        self.log_likelihood[rows] = likely[taken]
        return points, density + likely - proposed, taken


def _move(cloud: _Cloud, power: float, generator: torch.Generator) -> None:
    """Move a cloud until hardly a recipe would be left where it was if places were taken by chance."""
    still = 1.0
    for _ in range(SWEEPS):
        still *= 1 - cloud.sweep(power, generator)[-1]
        if still <= 1 - MOVED:
            break


def _proposals(cloud: _Cloud, enough: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Proposals (M, D) of a cloud that has arrived, until so many count, and the logarithms of their weights, (M,).

    Early ones that hardly knew of a place where recipes are likely are left out: those of heavy weight, who found it,
    have told the later ones.
    """
    sweeps: list[tuple[Tensor, Tensor]] = []
    start = 0
    for _ in range(LAST_SWEEPS):
        sweeps.append(cloud.sweep(1.0, generator)[:2])
        weights = [weight for _, weight in sweeps]
        counting = [_effective(torch.cat(weights[first:])) for first in range(len(sweeps))]
        start = counting.index(max(counting))
        if counting[start] >= enough:
            break
    points, weights = zip(*sweeps[start:], strict=True)
    return torch.cat(points), torch.cat(weights)


def _effective(log_weight: Tensor) -> float:
    """Effective number of samples of weights (N,) [Kong, Liu, Wong, *J. Am. Stat. Assoc.* 89 (1994) 278]."""
    return (1 / torch.softmax(log_weight, 0).square().sum()).item()


def _step(log_likelihood: Tensor, most: float, counting: int) -> float:
    """How much the power of the likelihood (N,) can grow while so many recipes go on counting."""

    if _effective(most * log_likelihood) >= counting:
        return most
    low, high = SMALLEST_STEP * most, most
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _effective(middle * log_likelihood) > counting else (low, middle)
    return low


def _drawn_again(log_weight: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Numbers (count,) of what is drawn again by its weight, (N,): as evenly as can be."""
    places = (torch.rand(1, generator=generator, dtype=torch.float64) + torch.arange(count)) / count
    return torch.searchsorted(torch.softmax(log_weight, 0).cumsum(0), places).clamp(max=len(log_weight) - 1)


def _misfit(prior: Prior, likelihood: Likelihood, recipe: Tensor) -> float:
    """Misfit of a recipe (1, V): its sum of squares as a standard normal number [Fisher's approximation]."""
    squares = likelihood.sum_of_squares(recipe) + prior.deviation(recipe).square().sum(-1)
    freedom = max(likelihood.numbers - int(prior.known.isnan().sum()), 1)
    return (2 * squares).sqrt().item() - math.sqrt(2 * freedom - 1)
