"""Scores of predicted recipes: one function for every model."""

import logging
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor
from torchmetrics.functional import mean_absolute_error, mean_squared_error

from polyinv.chemistry import DEFAULT, AnySystem, load_system
from polyinv.evaluation import ENSEMBLE
from polyinv.evaluation.bootstrap import reactions_of, resampled_means, spread_of
from polyinv.models.base import mean_answer
from polyinv.quantities import Quantity
from polyinv.r2 import r2

GLOBAL = "global"
"""Target name of the plain means over the targets."""
GLOBAL_METRICS = ("r2", "r2_box", "mse", "relative_mae")
SPREAD = ("sd", "low", "high")
"""Columns of what the choice of the test reactions does to a value."""

log = logging.getLogger(__name__)


def score(y: Tensor, predicted: Tensor, system: AnySystem = DEFAULT) -> pd.DataFrame:
    """Score predicted recipes: R² and errors of each target.

    - ``r2``: see `polyinv.r2.r2`; undefined (NaN, with a warning) where y is constant.
    - ``r2_box``: one less the MSE over the variance of recipes uniform in the box. It compares answers to different
      rows, whose own variances, and with them R², differ by as much as a half.
    - ``mae``, ``mse``: in units of the target, and their square.
    - ``relative_mae``: MAE over `polyinv.quantities.Quantity.span`, as the study divides it.
    - target ``global``: plain means of ``r2``, ``r2_box``, ``mse`` and ``relative_mae`` over the targets, as published;
      that of the MSE mixes units, and is in practice the time error divided by the number of targets.

    Args:
        y: True recipes (N, V), the time last.
        predicted: Predicted recipes (N, V), in the same physical units.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Returns:
        Columns ``target``, ``metric``, ``value``; ``sd``, ``low``, ``high``: standard deviation and 95 % interval of
        the value by the choice of the test reactions, see `polyinv.evaluation.bootstrap`.

    Example:
        >>> y = torch.tensor([[1.0, 0.01, 60.0, 300.0], [2.0, 0.02, 80.0, 600.0]])
        >>> scores = score(y, y + torch.tensor([0.5, 0.0, 0.0, 0.0])).set_index(["target", "metric"])["value"]
        >>> [float(scores["cBA_0", name]) for name in ("r2", "mae", "relative_mae")], float(scores["global", "r2"])
        ([0.0, 0.5, 0.2], 0.75)
    """
    recipe = load_system(system).recipe
    _say_what_is_constant(y, recipe)
    return _with_spread(y.double(), predicted.double(), recipe)


def _say_what_is_constant(y: Tensor, recipe: Sequence[Quantity]) -> None:
    for quantity, flat in zip(recipe, (y == y[:1]).all(0).tolist(), strict=True):
        if flat:
            log.warning("R² of %s is undefined: its true value is the same in all %d rows", quantity.name, len(y))


def _score(y: Tensor, predicted: Tensor, recipe: Sequence[Quantity]) -> pd.DataFrame:
    mse = mean_squared_error(predicted, y, num_outputs=len(recipe))
    mae = mean_absolute_error(predicted, y, num_outputs=len(recipe))
    return _table(_values(r2(y, predicted), mae, mse, recipe), recipe)


def _values(r2: Tensor, mae: Tensor, mse: Tensor, recipe: Sequence[Quantity]) -> dict[str, Tensor]:
    """Every metric (*, K) of K targets."""
    span, width = (mse.new_tensor(each) for each in zip(*((q.span, q.high - q.low) for q in recipe), strict=True))
    return {"r2": r2, "r2_box": 1 - 12 * mse / width**2, "mae": mae, "mse": mse, "relative_mae": mae / span}


def _table(values: dict[str, Tensor], recipe: Sequence[Quantity]) -> pd.DataFrame:
    rows = [
        (quantity.name, metric, value.item())
        for metric, each in values.items()
        for quantity, value in zip(recipe, each, strict=True)
    ]
    rows += [(GLOBAL, metric, values[metric].mean().item()) for metric in GLOBAL_METRICS]
    return pd.DataFrame(rows, columns=["target", "metric", "value"])


def _with_spread(y: Tensor, predicted: Tensor, recipe: Sequence[Quantity]) -> pd.DataFrame:
    error, scale = predicted - y, y.std(0, correction=0)
    about = (y - y.mean(0)) / scale.where(scale > 0, 1.0)
    parts = torch.cat([error.abs(), error.square(), about, about.square()], dim=1)
    mae, mse, mean, square = resampled_means(parts, reactions_of(y)).split(len(recipe), dim=1)
    variance = (square - mean.square()) * scale.square()
    draws = _values(torch.where(variance > 0, 1 - mse / variance, torch.nan), mae, mse, recipe)
    spread = {metric: spread_of(torch.cat([each, each.mean(1, keepdim=True)], 1)) for metric, each in draws.items()}
    table = _score(y, predicted, recipe)
    place = {quantity.name: at for at, quantity in enumerate(recipe)} | {GLOBAL: len(recipe)}
    for at, column in enumerate(SPREAD):
        table[column] = [
            spread[metric][at][place[target]].item()
            for target, metric in table[["target", "metric"]].itertuples(index=False)
        ]
    return table


def score_members(y: Tensor, predictions: Tensor, system: AnySystem = DEFAULT) -> pd.DataFrame:
    """Score a model as a whole (member ``all``) and each of its members.

    Args:
        y: True recipes (N, V).
        predictions: Recipes that each member predicts, (R, N, V); of a single one the whole says it all.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Returns:
        Columns ``member`` and those of `score`; the spread is that of the whole alone.
    """
    recipe = load_system(system).recipe
    _say_what_is_constant(y, recipe)
    parts = {ENSEMBLE: _with_spread(y.double(), mean_answer(predictions).double(), recipe)}
    if len(predictions) > 1:
        parts |= {str(member): _score(y.double(), each.double(), recipe) for member, each in enumerate(predictions)}
    return pd.concat(parts, names=["member"]).reset_index("member").reset_index(drop=True)
