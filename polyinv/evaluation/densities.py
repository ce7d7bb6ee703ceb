"""Scores of posterior models: what their densities are worth, and whether their intervals hold what they claim."""

from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from polyinv.evaluation import COVERAGE, ENSEMBLE, NLL
from polyinv.evaluation.metrics import GLOBAL
from polyinv.simulate.recipes import box

if TYPE_CHECKING:
    from polyinv.models.distribution import RecipePosterior

INTERVAL = 0.9
"""Share that the intervals claim whose coverage is scored."""


def score_densities(y: Tensor, posterior: "RecipePosterior") -> pd.DataFrame:
    """Score a posterior by the true recipes, where they are open.

    - ``nll``: mean negative logarithm of the density of the true value in the unit box, in nats; of the target
      ``global``, of the whole recipe, which is less than the sum over the values where these depend on each other.
    - ``coverage_90``: share of the true values in the 90 % intervals; of ``global``, the mean of it.

    A target that is known exactly in all rows has neither.

    Args:
        y: True recipes (N, V).
        posterior: Of N observations.

    Returns:
        Columns ``member`` (that of the whole), ``target``, ``metric``, ``value``.
    """
    low, high = box(posterior.system)
    width, is_open, y = (high - low).log(), ~posterior.exactly, y.double().clamp(low, high)
    rows: list[tuple[str, str, float]] = []
    for at, name in enumerate(posterior.names):
        if not (asked := is_open[:, at]).any():
            continue
        marginal, true = posterior[asked].marginal(name), y[asked, at]
        rows.append((name, NLL, -(marginal.log_prob(true) + width[at]).mean().item()))
        held = (marginal.cdf(true) - 0.5).abs() <= INTERVAL / 2
        rows.append((name, COVERAGE, held.double().mean().item()))
    if rows:
        whole = -(posterior.log_prob(y) + posterior.log_volume).mean().item()
        covered = torch.tensor([value for _, metric, value in rows if metric == COVERAGE]).mean().item()
        rows += [(GLOBAL, NLL, whole), (GLOBAL, COVERAGE, covered)]
    return pd.DataFrame(rows, columns=["target", "metric", "value"]).assign(member=ENSEMBLE)
