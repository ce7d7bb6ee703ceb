"""Networks that answer in physical units."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from polyinv.data.scaling import Scaling
from polyinv.models.coverage import Coverage
from polyinv.models.losses import mean, variance

BLOCK = 256
"""Rows of each pass: always as many, since a product of matrices of another size may round otherwise."""


def in_blocks(x: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Rows (B, F) in blocks of one size, the last one filled up, with how many of each count.

    A row alone is so answered as it is among others, bit for bit.
    """
    for part in x.split(BLOCK):
        missing = BLOCK - len(part) if len(part) else 0
        yield torch.cat([part, part[-1:].expand(missing, -1)]), len(part)


class ScaledNetwork(nn.Module):
    """R networks between the scaling of their observations and that of their recipes.

    Args:
        network: From standardized observations (B, G) to outputs (R, B, outputs).
        scaling: Of observations and recipes.
        coverage: Of networks that predict how far they err: makes intervals of it.
    """

    def __init__(self, network: nn.Module, scaling: Scaling, coverage: Coverage | None = None) -> None:
        super().__init__()
        self.network, self.scaling, self.coverage = network, scaling, coverage

    def predict(self, x: Tensor) -> Tensor:
        """Predict recipes (R, B, V) of observations (B, F) by each member, in physical units; known values stay."""
        given = self.scaling.given(x)
        return torch.where(given.isnan(), self.scaling.y.inverse(mean(self._output(x), given.shape[-1])), given)

    def variance(self, x: Tensor) -> Tensor:
        """Variance (R, B, V) that each member predicts, in squared physical units; trained with ``nll`` only."""
        given = self.scaling.given(x)
        return variance(self._output(x), given.shape[-1]).double() * self.scaling.y.std**2 * given.isnan()

    @torch.no_grad()
    def _output(self, x: Tensor) -> Tensor:
        self.eval()
        return torch.cat([self.network(self.scaling(part))[:, :rows] for part, rows in in_blocks(x)], dim=1)
