"""Standardization fitted on training rows, with a guard against columns that are almost empty.

The far tails of the MMD are populated by a handful of chains in a handful of rows. Standardized, such a column is
zero nearly everywhere and up to 70 standard deviations in the rows that populate it, and networks then fail
erratically.
"""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyinv.errors import InputError
from polyinv.quantities import MMD

NEAR_CONSTANT = 1e-3
"""A node of the curve is dropped if its standard deviation is below this share of the largest one on the curve."""
LIMIT = 6.0
"""Standardized features are clipped to ±LIMIT."""

log = logging.getLogger(__name__)


class Standardize(nn.Module):
    """Shift and scale columns to mean 0 and standard deviation 1; dropped columns become 0.

    Buffers: ``mean``, ``std``, ``kept`` (0 or 1) of shape (F,), and the scalar ``limit``.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("std", torch.ones(width, dtype=torch.float64))
        self.register_buffer("kept", torch.ones(width, dtype=torch.float64))
        self.register_buffer("limit", torch.tensor(torch.inf, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Physical values (*, F) to standardized ones."""
        z = (x - self.mean) / self.std * self.kept
        return z.clamp(-self.limit, self.limit)

    def inverse(self, z: Tensor) -> Tensor:
        """Standardized values (*, F) to physical ones, in float64."""
        return z.double() * self.std + self.mean


def fit_targets(y: Tensor) -> Standardize:
    """Scaling of recipes (N, 4), one-to-one. One that never varies keeps its unit."""
    scaling = Standardize(y.shape[-1])
    scaling.mean = y.mean(0)
    std = y.std(0, correction=0)
    scaling.std = torch.where(std > 0, std, 1.0)
    return scaling


def fit_features(x: Tensor, columns: Sequence[str]) -> Standardize:
    """Scaling of observations (N, F) that drops near-constant columns and clips, and says so in the log.

    Raises:
        InputError: No column varies.
    """
    scaling = Standardize(x.shape[-1])
    scaling.mean, std = x.mean(0), x.std(0, correction=0)
    on_curve = torch.tensor([column in MMD for column in columns])
    floor = 1e-12 * scaling.mean.abs()
    if on_curve.any():
        floor[on_curve] = floor[on_curve].clamp(min=NEAR_CONSTANT * std[on_curve].max().item())
    kept = std > floor
    if not kept.any():
        raise InputError(f"none of the {len(columns)} features varies over the {len(x)} training rows")
    scaling.kept, scaling.std = kept.double(), torch.where(kept, std, 1.0)
    clipped = ((x - scaling.mean) / scaling.std * scaling.kept).abs() > LIMIT
    scaling.limit = torch.tensor(LIMIT, dtype=torch.float64)
    log.info(
        "%d of %d features are near-constant on the training rows and dropped%s; %.3f %% of values clipped to ±%g",
        int((~kept).sum()),
        len(columns),
        _named([column for column, keep in zip(columns, kept.tolist(), strict=True) if not keep]),
        100 * clipped.double().mean().item(),
        LIMIT,
    )
    return scaling


def _named(columns: list[str]) -> str:
    """Runs of names in brackets.

    Example:
        >>> _named(["Mn", "MMD1", "MMD2", "MMD3", "MMD90"])
        ' (Mn, MMD1–MMD3, MMD90)'
    """
    runs: list[list[str]] = []
    for column in columns:
        follows = runs and column in MMD and MMD.index(column) > 0 and runs[-1][-1] == MMD[MMD.index(column) - 1]
        if follows:
            runs[-1].append(column)
        else:
            runs.append([column])
    return f" ({', '.join(run[0] if len(run) == 1 else f'{run[0]}–{run[-1]}' for run in runs)})" if runs else ""
