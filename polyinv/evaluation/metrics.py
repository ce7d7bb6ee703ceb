"""Scores of predicted recipes: one function for every model."""

import logging

import pandas as pd
import torch
from torch import Tensor
from torchmetrics.functional import mean_absolute_error, mean_squared_error

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.evaluation import ENSEMBLE
from polyinv.models.base import mean_answer
from polyinv.r2 import r2

GLOBAL = "global"
"""Target name of the plain means over the targets."""

log = logging.getLogger(__name__)


def score(y: Tensor, predicted: Tensor, system: AnySystem = DEFAULT) -> pd.DataFrame:
    """Score predicted recipes: R² and errors of each target.

    - ``r2``: see `polyinv.r2.r2`; undefined (NaN, with a warning) where y is constant.
    - ``mae``, ``mse``: in units of the target, and their square.
    - ``relative_mae``: MAE over `polyinv.quantities.Quantity.span`, as the study divides it.
    - target ``global``: plain means of ``r2``, ``mse`` and ``relative_mae`` over the targets, as published; that of
      the MSE mixes units, and is in practice the time error divided by the number of targets.

    Args:
        y: True recipes (N, V).
        predicted: Predicted recipes (N, V), in the same physical units.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Returns:
        Columns ``target``, ``metric``, ``value``.

    Example:
        >>> y = torch.tensor([[1.0, 0.01, 60.0, 300.0], [2.0, 0.02, 80.0, 600.0]])
        >>> scores = score(y, y + torch.tensor([0.5, 0.0, 0.0, 0.0])).set_index(["target", "metric"])["value"]
        >>> [float(scores["cBA_0", name]) for name in ("r2", "mae", "relative_mae")], float(scores["global", "r2"])
        ([0.0, 0.5, 0.2], 0.75)
    """
    system = load_system(system)
    _say_what_is_constant(y, system)
    return _score(y.double(), predicted.double(), system)


def _say_what_is_constant(y: Tensor, system: System) -> None:
    for name, flat in zip(system.targets, (y == y[:1]).all(0).tolist(), strict=True):
        if flat:
            log.warning("R² of %s is undefined: its true value is the same in all %d rows", name, len(y))


def _score(y: Tensor, predicted: Tensor, system: System) -> pd.DataFrame:
    mae = mean_absolute_error(predicted, y, num_outputs=len(system.targets))
    values = {
        "r2": r2(y, predicted),
        "mae": mae,
        "mse": mean_squared_error(predicted, y, num_outputs=len(system.targets)),
        "relative_mae": mae / torch.tensor([quantity.span for quantity in system.recipe], dtype=y.dtype),
    }
    rows = [
        (name, metric, value.item())
        for metric, each in values.items()
        for name, value in zip(system.targets, each, strict=True)
    ]
    rows += [(GLOBAL, metric, values[metric].mean().item()) for metric in ("r2", "mse", "relative_mae")]
    return pd.DataFrame(rows, columns=["target", "metric", "value"])


def score_members(y: Tensor, predictions: Tensor, system: AnySystem = DEFAULT) -> pd.DataFrame:
    """Score a model as a whole (member ``all``) and each of its members.

    Args:
        y: True recipes (N, V).
        predictions: Recipes that each member predicts, (R, N, V); of a single one the whole says it all.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Returns:
        Columns ``member``, ``target``, ``metric``, ``value``.
    """
    system = load_system(system)
    _say_what_is_constant(y, system)
    answers = {ENSEMBLE: mean_answer(predictions)}
    if len(predictions) > 1:
        answers |= {str(member): predicted for member, predicted in enumerate(predictions)}
    parts = {member: _score(y.double(), predicted.double(), system) for member, predicted in answers.items()}
    return pd.concat(parts, names=["member"]).reset_index("member").reset_index(drop=True)
