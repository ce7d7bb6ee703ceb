"""One scoring function for every model."""

import logging

import pandas as pd
import torch
from torch import Tensor
from torchmetrics.functional import mean_absolute_error, mean_squared_error, r2_score

from polyinv.evaluation.report import ENSEMBLE
from polyinv.models.base import mean_answer
from polyinv.quantities import RECIPE, TARGETS

GLOBAL = "global"
"""Target name of the plain means over the four targets."""

log = logging.getLogger(__name__)


def score(y: Tensor, guess: Tensor) -> pd.DataFrame:
    r"""Scores of predicted recipes.

    - ``r2``: :math:`1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2`; undefined (NaN, with a warning) where y is
      constant.
    - ``mae``, ``mse``: in units of the target, and their square.
    - ``relative_mae``: MAE over `polyinv.quantities.Quantity.span`, as the study divides it.
    - target ``global``: plain means of ``r2``, ``mse`` and ``relative_mae`` over the targets, as published; that of
      the MSE mixes units, and is in practice the time error divided by four.

    Args:
        y: True recipes (N, 4).
        guess: Predicted recipes (N, 4), in the same physical units.

    Returns:
        Columns ``target``, ``metric``, ``value``.

    Example:
        >>> y = torch.tensor([[1.0, 0.01, 60.0, 300.0], [2.0, 0.02, 80.0, 600.0]])
        >>> scores = score(y, y + torch.tensor([0.5, 0.0, 0.0, 0.0])).set_index(["target", "metric"])["value"]
        >>> [float(scores["cBA_0", name]) for name in ("r2", "mae", "relative_mae")], float(scores["global", "r2"])
        ([0.0, 0.5, 0.2], 0.75)
    """
    y, guess = y.double(), guess.double()
    constant = y.std(0, correction=0) == 0
    for name, flat in zip(TARGETS, constant.tolist(), strict=True):
        if flat:
            log.warning("R² of %s is undefined: its true value is the same in all %d rows", name, len(y))
    mae = mean_absolute_error(guess, y, num_outputs=len(TARGETS))
    values = {
        "r2": torch.where(constant, torch.nan, r2_score(guess, y, multioutput="raw_values")),
        "mae": mae,
        "mse": mean_squared_error(guess, y, num_outputs=len(TARGETS)),
        "relative_mae": mae / torch.tensor([quantity.span for quantity in RECIPE], dtype=y.dtype),
    }
    rows = [
        (name, metric, value.item())
        for metric, each in values.items()
        for name, value in zip(TARGETS, each, strict=True)
    ]
    rows += [(GLOBAL, metric, values[metric].mean().item()) for metric in ("r2", "mse", "relative_mae")]
    return pd.DataFrame(rows, columns=["target", "metric", "value"])


def score_members(y: Tensor, guesses: Tensor) -> pd.DataFrame:
    """Scores of a model as a whole (member ``all``) and of each of its members.

    Args:
        y: True recipes (N, 4).
        guesses: Recipes that each member predicts, (R, N, 4); of a single one the whole says it all.

    Returns:
        Columns ``member``, ``target``, ``metric``, ``value``.
    """
    answers = {ENSEMBLE: mean_answer(guesses)}
    if len(guesses) > 1:
        answers |= {str(member): guess for member, guess in enumerate(guesses)}
    parts = {member: score(y, guess) for member, guess in answers.items()}
    return pd.concat(parts, names=["member"]).reset_index("member").reset_index(drop=True)
