"""What chance does to a score by the choice of the test reactions: a bootstrap over them."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

DRAWS, SEED = 1000, 0
"""Resamples, and the seed of their random numbers: the same scores have the same intervals."""
INTERVAL = 0.025, 0.975
"""Quantiles of the ends of an interval."""


def resampled_means(parts: Tensor, groups: Tensor) -> Tensor:
    """Means of columns over resampled groups: whole groups are drawn, as many as there are, with replacement.

    Rows of one group (snapshots of one reaction) are no independent tests; a bootstrap over rows would promise a
    precision that the set has not [Davison, Hinkley, *Bootstrap Methods and their Application*, 1997, 3.8].

    Args:
        parts: Columns (N, K) to take the mean of.
        groups: Number of the group of each row, (N,), from 0 on without gaps.

    Returns:
        (DRAWS, K), float64; NaN where there is but one group.
    """
    count = int(groups.max()) + 1
    if count < 2:
        return parts.new_full((DRAWS, parts.shape[1]), torch.nan, dtype=torch.float64)
    with_ones = torch.cat([torch.ones_like(parts[:, :1]), parts], dim=1).double()
    sums = torch.zeros(count, with_ones.shape[1], dtype=torch.float64).index_add(0, groups, with_ones)
    rows, *totals = (_times_drawn(count) @ sums).T
    return torch.stack(totals, dim=1) / rows[:, None]


@cache
def _times_drawn(count: int) -> Tensor:
    """How often each of the groups is drawn in each resample, (DRAWS, count)."""
    drawn = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return torch.from_numpy(drawn.astype(float))


def reactions_of(y: Tensor) -> Tensor:
    """Number the reactions (N,) of recipes (N, K): all but the last value, the time, are the same in one."""
    return torch.unique(y[:, :-1], dim=0, return_inverse=True)[1]


def spread_of(draws: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Standard deviation and ends of the 95 % interval of draws (D, K), (K,) each.

    Draws that are NaN do not count; where all are, so is the result.
    """
    ends = torch.tensor(INTERVAL, dtype=draws.dtype)
    low, high = torch.nanquantile(draws, ends, dim=0)
    counted = draws.isfinite()
    mean = draws.nanmean(0)
    sd = (draws - mean).where(counted, 0.0).square().sum(0).div(counted.sum(0).clamp(min=1)).sqrt()
    return sd.where(counted.any(0), torch.nan), low, high
