"""Distinct recipes that fit the same polymer, far apart from one another, each simulated."""

from typing import TYPE_CHECKING

import pandas as pd

from polyinv.errors import InputError
from polyinv.predict.fits import DIGITS, SAMPLES, Fits, significant
from polyinv.quantities import MEANS

if TYPE_CHECKING:
    from torch import Tensor

DENSE = 0.9
"""Share of the recipes that fit, the most probable ones, which alternatives are chosen of."""
MOST = 100
"""Alternatives of a polymer."""


def check_alternatives(count: int) -> None:
    """Refuse a number of alternatives that cannot be.

    Raises:
        InputError: It cannot.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"--alternatives is {count}; needs 1 to {MOST}")


def alternatives(found: Fits, count: int) -> pd.DataFrame:
    """Choose recipes that fit each observation and lie farthest apart, and simulate them.

    Returns:
        For each observation ``count`` lines, the recipe nearest to the mean first: what the row is called, the number
        of the alternative, the recipe, what it makes (residual monomer, Mn, Mw) by the rate equations, and
        ``mmd_distance`` and ``mmd_distance_replicate`` as of `polyinv.predict.predictor.Predictor.predict`.

    Raises:
        InputError: The number cannot be.
    """
    import torch

    from polyinv.evaluation.closed_loop import closed_loop
    from polyinv.simulate.observed import SCALARS, observe

    check_alternatives(count)
    samples, system = found.samples(SAMPLES), found.system
    density = found.posterior.log_prob(samples)
    chosen = torch.cat([_apart(samples[:, row], density[:, row], count) for row in range(samples.shape[1])])
    rows = torch.arange(samples.shape[1]).repeat_interleave(count)
    made = observe(chosen, system.chemistry)[:, : len(SCALARS)].exp()
    loop = closed_loop(chosen, found.observations[rows])[["distance", "floor"]]
    loop = loop.set_axis(["mmd_distance", "mmd_distance_replicate"], axis=1).reset_index(drop=True)
    table = pd.DataFrame(chosen.numpy(), columns=list(system.targets))
    names = [f"{name}_made" for name in (system.residual, *MEANS)]
    labels = found.observations.labels[rows.numpy()]
    first = {"row": labels, "alternative": torch.arange(len(rows)).remainder(count).add(1).numpy()}
    numbers = table.join(pd.DataFrame(made.numpy(), columns=names)).join(loop)
    return pd.DataFrame(first).join(significant(numbers, DIGITS))


def _apart(samples: "Tensor", density: "Tensor", count: int) -> "Tensor":
    """Recipes (count, V) of samples (S, V): the one nearest to their mean, then always the one farthest from all."""
    import torch

    from polyinv.simulate.recipes import farthest_apart

    dense = density.argsort(descending=True)[: max(count, round(DENSE * len(samples)))]
    kept = samples[dense]
    spread = kept.std(0)
    scaled = kept / spread.where(spread > 0, 1.0)
    middle = int((scaled - scaled.mean(0)).square().sum(-1).argmin())
    chosen = farthest_apart(scaled, count, (middle,))
    return kept[torch.nn.functional.pad(chosen, (0, count - len(chosen)))]  # fewer only where samples coincide
