"""Typical error of each answer: from the errors of what it was answered from, or that of its pattern of inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.data.observations import Observations
from polyinv.domain.expectations import Expectations
from polyinv.models.base import InverseModel
from polyinv.runtime.blocks import blocks
from polyinv.simulate.recipes import box

AT_ONCE = 1024
"""Rows that a model answers at once."""
BEYOND_95 = 2.576 / 1.96
"""What 99 % of a normal distribution lie within, as a multiple of what 95 % do."""


@dataclass(frozen=True)
class TypicalErrors:
    """Errors of B answers, in physical units.

    Args:
        rmse: Error that 68 % of such answers stay below, (B, V); of models that know it of a pattern only, the root
            mean square.
        error_95: Error that 95 % of such answers stay below, (B, V); NaN of those models.
        largest: Error that 99 % of such answers stay below, (B, V).
        r2: R² that is expected of such answers in the whole box, (B, V).
    """

    rmse: Tensor
    error_95: Tensor
    largest: Tensor
    r2: Tensor

    def __getitem__(self, rows: Tensor) -> "TypicalErrors":
        return TypicalErrors(self.rmse[rows], self.error_95[rows], self.largest[rows], self.r2[rows])


def typical_errors(
    model: InverseModel, observations: Observations, pattern: str, expectations: Expectations
) -> TypicalErrors:
    """Errors of the answers to observations of one pattern of inputs, NaN of what is given.

    A model that is told the errors of its inputs says itself how far each answer errs; of any other the errors of the
    pattern hold for all rows.
    """
    count, targets = len(observations), list(model.system.targets)
    if model.tells_errors:
        parts = blocks(count, AT_ONCE, "typical errors")
        x = [observations[rows].masked(pattern).x(model.columns) for rows in parts]
        halves = torch.cat([model.half_widths(part) for part in x], dim=1)
        spread = torch.cat([model.spread(part) for part in x])
        given = ~observations.masked(pattern).recipe.isnan()
        rmse, error_95 = halves.masked_fill(given, torch.nan)
        low, high = box(model.system)
        r2 = (1 - spread.square() / ((high - low).square() / 12)).clamp(min=0).masked_fill(given, torch.nan)
        return TypicalErrors(rmse, error_95, BEYOND_95 * error_95, r2)
    expected = expectations.of(pattern).reindex(targets)
    rmse, largest, r2 = (
        torch.from_numpy(expected[name].to_numpy(dtype=float, copy=True)).expand(count, -1)
        for name in ("rmse", "error_99", "r2")
    )
    return TypicalErrors(rmse, torch.full_like(rmse, torch.nan), largest, r2)
