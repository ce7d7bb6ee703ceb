"""Is a posterior model calibrated? Its checks on rows whose recipe is known, for each level of errors and of chains."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from polyinv.data.laboratory import random_observations
from polyinv.data.observations import Observations
from polyinv.models.posterior import Posterior
from polyinv.posterior.calibration import diagnose
from polyinv.runtime.progress import counted
from polyinv.runtime.threads import one_thread
from polyinv.simulate.recipes import box

LEVELS = ("exact", "ordinary", "rough")
CHAINS = (1e5, 1e6, 1e7)
ROWS, SAMPLES = 500, 100
"""Simulated rows of each level, and samples of each row."""
SEED = 20
"""Of the recipes and the noise of simulated rows: no training has it."""


def calibration(
    model: Posterior,
    pattern: str,
    *,
    levels: Sequence[Any] = LEVELS,
    chains: Sequence[float] = CHAINS,
    rows: int = ROWS,
    samples: int = SAMPLES,
    seed: int = SEED,
) -> pd.DataFrame:
    """Check a posterior model on random recipes, simulated and measured with each level of errors.

    Args:
        model: What answers.
        pattern: The inputs that it is given, see `polyinv.data.patterns`; the errors and the chains are told.
        levels: Of errors, as `polyinv.instrument.errors.measurement_errors` takes them.
        chains: Dead chains of a reaction at the horizon.
        rows: Of each level and number of chains.
        samples: Of each row.
        seed: Of recipes and noise.

    Returns:
        `polyinv.posterior.calibration.diagnose` of each, with the columns ``errors`` and ``chains`` before, and
        ``nll``, the mean negative logarithm of the density of the true recipes in the unit box, in nats.
    """
    parts = []
    with counted("checking calibration", "levels", len(levels) * len(chains)) as advance:
        for level in levels:
            for many in chains:
                with one_thread():
                    recipes, observations = random_observations(rows, level, many, seed, model.system)
                    found = diagnosed(model, observations.masked(pattern), recipes, samples)
                name = level if isinstance(level, str) else "as given"
                parts.append(found.assign(errors=name, chains=many))
                advance(1)
    table = pd.concat(parts, ignore_index=True)
    return table[["errors", "chains", *table.columns.drop(["errors", "chains"])]]


def diagnosed(model: Posterior, observations: Observations, recipes: Tensor, samples: int = SAMPLES) -> pd.DataFrame:
    """Check a posterior model on observations (B,) of known recipes (B, V), see `calibration`."""
    posterior = model.posterior(observations)
    low, high = box(model.system)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        drawn = posterior.sample((samples,))
    densities = torch.cat(list(_by_parts(posterior, drawn))), posterior.log_prob(recipes)
    known = posterior.exactly
    truths = torch.where(known, drawn[0], recipes)
    nll = -(densities[1] + posterior.log_volume)
    found = diagnose(
        ((drawn - low) / (high - low)).clamp(0, 1),
        ((truths - low) / (high - low)).clamp(0, 1),
        model.system.targets,
        log_densities=densities,
        known=known,
    )
    return found.assign(nll=nll.mean().item())


def _by_parts(posterior: Any, drawn: Tensor) -> Iterator[Tensor]:
    """Log densities of samples (S, B, V), a few at a time."""
    for part in drawn.split(max(1, 16_384 // drawn.shape[1])):
        yield posterior.log_prob(part)
