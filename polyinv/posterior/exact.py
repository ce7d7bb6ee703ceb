r"""Exact posterior of an observation: recipes sampled from nothing but prior and likelihood, without a network.

Sequential Monte Carlo [Del Moral, Doucet, Jasra, *J. R. Stat. Soc. B* 68 (2006) 411]: a cloud of recipes
(`polyinv.posterior.cloud`) goes from the prior to the posterior over likelihoods raised to powers from 0 to 1, each
next one so that half of the cloud goes on counting. At each, recipes are drawn again by their weight and moved.

An observation takes about a second of one core. What it is alone, it is among others, bit for bit: each is sampled on
its own, from the same seed.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.posterior.cloud import PARTICLES, Cloud, Target, drawn_again, effective_number
from polyinv.posterior.likelihood import Likelihood
from polyinv.posterior.prior import Prior
from polyinv.runtime.progress import counted
from polyinv.runtime.threads import one_thread

LEAST_EFFECTIVE = 0.1
"""Share of the samples that has to be effective."""
FAR = 5.0
"""Misfit above which no recipe of the box makes what was observed."""
MISSED = 10.0
"""Logarithm of how much better than all that was sampled a recipe may fit that was found by descent."""


@dataclass(frozen=True, eq=False)
class ExactPosterior:
    """Exact posterior of one observation.

    Args:
        samples: Recipes, all of the same weight, inside the box but for values that are known exactly, (S, V).
        evidence: Logarithm of the likelihood averaged over the prior; compares priors of one observation.
        effective: Number of independent samples that tell as much: that of the weights that they were drawn by.
        misfit: By how much the sum of squares of the best recipe exceeds what is expected, in standard deviations.
        converged: Whether enough of them are effective, and no recipe is known that fits far better.
        proposals_effective: Effective number of the proposals that were sharpened; None where there were none.
        from_nothing: Whether it was sampled from nothing, for want of good proposals.
    """

    samples: Tensor
    evidence: float
    effective: float
    misfit: float
    converged: bool
    proposals_effective: float | None = None
    from_nothing: bool = True

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
        InputError: A row shows no polymer, no sample is asked for, or chains cannot be.
    """
    count = len(observations)
    many = chains_of_rows(chains, count)
    found = []
    with one_thread(), counted("exact posteriors", "rows", count) as advance:
        for row in range(count):
            observation = observations[row]
            found.append(sample(Prior.of(observation), Likelihood.of(observation, many[row]), samples, seed))
            advance(1)
    return found


def chains_of_rows(chains: float | Tensor | None, rows: int) -> list[float | None]:
    """Number of chains of each row.

    Raises:
        InputError: There are neither one nor as many as rows.
    """
    if chains is None:
        return [None] * rows
    many = torch.as_tensor(chains, dtype=torch.float64)
    if many.shape not in ((), (1,), (rows,)):
        raise InputError(f"chains are {tuple(many.shape)}; needs one number or ({rows},)")
    return many.expand(rows).tolist()


def sample(prior: Prior, likelihood: Likelihood, samples: int = PARTICLES, seed: int = 0) -> ExactPosterior:
    """Sample the posterior of one observation.

    Raises:
        InputError: No sample is asked for.
    """
    check_samples(samples)
    target, size = Target(prior, likelihood), max(samples, PARTICLES)
    if not prior.open.any():
        return all_known(target, samples)
    generator = torch.Generator().manual_seed(seed)
    return posterior_of(Cloud.from_prior(target, size, generator), samples, generator)


def check_samples(samples: int) -> None:
    """Refuse a number of samples that cannot be.

    Raises:
        InputError: It is none.
    """
    if samples < 1:
        raise InputError(f"samples is {samples}; needs 1 or more")


def all_known(target: Target, samples: int) -> ExactPosterior:
    """Posterior of a recipe of which every value is known."""
    recipes = target.prior.known.expand(samples, -1)
    return ExactPosterior(recipes, target.likelihood(recipes[:1]).item(), samples, _misfit(target, recipes[:1]), True)


def posterior_of(cloud: Cloud, samples: int, generator: torch.Generator) -> ExactPosterior:
    """Posterior that a cloud has arrived at, from its weighted proposals."""
    target, (points, weight) = cloud.target, cloud.proposals(max(samples, PARTICLES), generator)
    recipes = target.prior.recipes(points[drawn_again(weight, samples, generator)])
    effective = min(effective_number(weight), float(samples))
    behind, best = behind_closest(cloud)
    return ExactPosterior(
        recipes,
        (weight.logsumexp(0) - math.log(len(weight))).item(),
        effective,
        _misfit(target, best),
        effective >= LEAST_EFFECTIVE * samples and behind < MISSED,
    )


def behind_closest(cloud: Cloud) -> tuple[float, Tensor]:
    """By how much the recipe that was found by descent fits better than all of a cloud; and the better one, (1, V)."""
    prior, likelihood = cloud.target.prior, cloud.target.likelihood
    both = torch.cat([cloud.best, likelihood.closest[None]])
    fitting = likelihood(both) - 0.5 * prior.deviation(both).square().sum(-1)
    return (fitting[1] - fitting[0]).item(), both[fitting.argmax()][None]


def _misfit(target: Target, recipe: Tensor) -> float:
    """Misfit of a recipe (1, V): its sum of squares as a standard normal number [Fisher's approximation]."""
    prior, likelihood = target.prior, target.likelihood
    squares = likelihood.sum_of_squares(recipe) + prior.deviation(recipe).square().sum(-1)
    freedom = max(likelihood.numbers - int(prior.known.isnan().sum()), 1)
    return (2 * squares).sqrt().item() - math.sqrt(2 * freedom - 1)
