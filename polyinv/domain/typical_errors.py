"""Typical error of each answer: from the errors of what it was answered from, or that of its pattern of inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.data.observations import Observations
from polyinv.domain.expectations import Expectations
from polyinv.models.base import InverseModel
from polyinv.runtime.blocks import blocks

AT_ONCE = 1024
"""Rows that a model answers at once."""
NORMAL_99 = 2.576
"""Standard deviations that 99 % of a normal distribution lie within; an error inside the box is no larger."""


@dataclass(frozen=True)
class TypicalErrors:
    """Errors of B answers, in physical units.

    Args:
        rmse: Root mean square error, (B, V).
        largest: Error that 99 % of such answers stay below, (B, V).
    """

    rmse: Tensor
    largest: Tensor

    def __getitem__(self, rows: Tensor) -> "TypicalErrors":
        return TypicalErrors(self.rmse[rows], self.largest[rows])


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
        masked = (observations[rows].masked(pattern) for rows in parts)
        rmse = torch.cat([model.spread(part.x(model.columns)) for part in masked])
        given = ~observations.masked(pattern).recipe.isnan()
        rmse = rmse.masked_fill(given, torch.nan)
        return TypicalErrors(rmse, NORMAL_99 * rmse)
    expected = expectations.of(pattern).reindex(targets)
    rmse, largest = (
        torch.from_numpy(expected[name].to_numpy(dtype=float, copy=True)).expand(count, -1)
        for name in ("rmse", "error_99")
    )
    return TypicalErrors(rmse, largest)
