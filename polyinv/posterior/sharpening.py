r"""Sharpened posterior of an observation: samples of an approximate one, such as a network's, put right by the physics.

Each proposal has the weight of prior times likelihood over the density that it was proposed by. Drawn again by their
weights, the proposals are a cloud (`polyinv.posterior.cloud`) whose own proposals, weighted likewise, are the samples.

Where the approximation knows nothing of one end of the ridge of recipes that fit, neither the weights nor the cloud
would tell. So some scouts, who have come all the way from the prior, join the cloud. Only places are learned from them,
and a rough likelihood will do. Where few proposals count, none comes near the recipe that fits best, or the cloud does
not get on, the posterior is sampled from nothing (`polyinv.posterior.exact`).
"""

from dataclasses import replace

import torch
from torch import Tensor

from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.posterior.cloud import PARTICLES, QUICK, Cloud, Target, drawn_again, effective_number
from polyinv.posterior.exact import (
    MISSED,
    ExactPosterior,
    all_known,
    behind_closest,
    check_samples,
    posterior_of,
    sample,
)
from polyinv.posterior.likelihood import Likelihood
from polyinv.posterior.prior import Prior
from polyinv.runtime.threads import one_thread

LEAST = 20.0
"""Effective number of proposals below which the posterior is sampled from nothing."""
SCOUTS = 300
"""Recipes of the cloud that come from the prior."""


def sharpen(
    observation: Observations,
    recipes: Tensor,
    log_density: Tensor,
    samples: int = PARTICLES,
    seed: int = 0,
    chains: float | None = None,
) -> ExactPosterior:
    """Sharpen an approximate posterior of one observation.

    Args:
        observation: A single row, with its errors; missing is what is NaN.
        recipes: Samples of the approximate posterior, in physical units, (S, V); values that are known exactly are
            taken as known, and recipes outside the box do not count.
        log_density: Logarithm of its density at each, by the values that are not known exactly
            (`polyinv.posterior.prior.Prior.open`), in physical units, (S,); up to a constant.
        samples: How many are drawn.
        seed: Of the random numbers.
        chains: Dead chains that the sample holds; None lets the curve tell.

    Raises:
        InputError: Not a single row, or one that shows no polymer; no samples are asked for; shapes do not go together,
            or something is not finite; or chains cannot be.
    """
    if len(observation) != 1:
        raise InputError(f"sharpening takes one observation; got {len(observation)}")
    with one_thread():
        prior, likelihood = Prior.of(observation), Likelihood.of(observation, chains)
        return sharpened(prior, likelihood, recipes, log_density, samples, seed)


def sharpened(
    prior: Prior, likelihood: Likelihood, recipes: Tensor, log_density: Tensor, samples: int = PARTICLES, seed: int = 0
) -> ExactPosterior:
    """Sharpen an approximate posterior; the arguments are those of `sharpen`.

    Raises:
        InputError: No samples are asked for, shapes do not go together, or something is not finite.
    """
    check_samples(samples)
    check_proposals(prior, recipes, log_density)
    target, size = Target(prior, likelihood), max(samples, PARTICLES)
    if not prior.open.any():
        return all_known(target, samples)
    generator = torch.Generator().manual_seed(seed)
    proposed = Cloud.at(target, prior.points(recipes.double()))
    recipes = prior.recipes(proposed.points)
    weight = prior.log_density(recipes) + proposed.log_likelihood - log_density
    effective = effective_number(weight) if weight.isfinite().any() else 0.0
    if effective >= LEAST and behind_closest(proposed)[0] <= MISSED:
        rough = Target(prior, replace(likelihood, relinearized=0))
        scouts = Cloud.from_prior(rough, SCOUTS, generator, QUICK).points
        cloud = proposed[drawn_again(weight, size - SCOUTS, generator)].joined(Cloud.at(target, scouts))
        found = posterior_of(cloud, samples, generator)
        if found.converged:
            return replace(found, proposals_effective=effective, from_nothing=False)
    return replace(sample(prior, likelihood, samples, seed), proposals_effective=effective)


def check_proposals(prior: Prior, recipes: Tensor, log_density: Tensor) -> None:
    """Refuse proposals that cannot be.

    Raises:
        InputError: Shapes do not go together, or an open value or a density is not finite.
    """
    values = len(prior.known)
    if recipes.ndim != 2 or recipes.shape[1] != values or log_density.shape != recipes.shape[:1] or not len(recipes):
        raise InputError(
            f"proposals are {tuple(recipes.shape)} and their log densities {tuple(log_density.shape)}; "
            f"needs (S, {values}) and (S,)"
        )
    for name, tensor in (("proposals", recipes[:, prior.open]), ("log densities", log_density)):
        if not tensor.isfinite().all():
            raise InputError(f"{name} hold what is not finite")
