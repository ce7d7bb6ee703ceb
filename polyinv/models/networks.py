"""Network architectures: R members from standardized features (B, G) or (R, B, G) to outputs (R, B, outputs)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyinv.models.layers import Convolution, Dense, Dropout

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}
"""ReLU as published; SiLU is smooth [Hendrycks & Gimpel 2016]."""


def member_streams(seeds: Sequence[int]) -> list[torch.Generator]:
    """Random numbers for the initialization of each member."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


class FullyConnected(nn.Module):
    """Dense layers with dropout behind each but the last.

    Args:
        width: Number of features G.
        hidden: Units of each hidden layer.
        dropout: Dropout rate behind each hidden layer.
        activation: One of ``ACTIVATIONS``.
        outputs: Number of outputs.
        generator: A stream for each of the R members, see `member_streams`.
    """

    def __init__(
        self,
        width: int,
        hidden: Sequence[int],
        dropout: Sequence[float],
        activation: str,
        outputs: int,
        generator: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        self.members = len(generator)
        layers: list[nn.Module] = []
        for units, rate in zip(hidden, dropout, strict=True):
            layers += [Dense(width, units, generator), ACTIVATIONS[activation](), Dropout(rate)]
            width = units
        self.layers = nn.Sequential(*layers, Dense(width, outputs, generator))

    def forward(self, x: Tensor) -> Tensor:
        """Standardized features (B, G), or (R, B, G) with rows of each member's own, to (R, B, outputs)."""
        return self.layers(x.expand(self.members, *x.shape[-2:]))


class CurveCNN(nn.Module):
    """Convolutions along the curve, whose features join the scalar inputs before a fully connected head.

    Args:
        curve: Numbers of the features that are nodes of the curve, in order.
        scalars: Numbers of all others.
        channels: Channels of each convolution; every one halves the length of the curve.
        kernel: Nodes that one output of a convolution sees.
        hidden, dropout: Of the head, see `FullyConnected`.
        activation: One of ``ACTIVATIONS``.
        outputs: Number of outputs.
        generator: A stream for each of the R members.
    """

    def __init__(
        self,
        curve: Sequence[int],
        scalars: Sequence[int],
        channels: Sequence[int],
        kernel: int,
        hidden: Sequence[int],
        dropout: Sequence[float],
        activation: str,
        outputs: int,
        generator: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        self.members, self.curve, self.scalars = len(generator), list(curve), list(scalars)
        layers: list[nn.Module] = []
        before, length = 1, len(curve)
        for count in channels:
            layers += [Convolution(before, count, kernel, 2, generator), ACTIVATIONS[activation]()]
            before, length = count, -(-length // 2)
        self.convolutions = nn.Sequential(*layers)
        width = before * length + len(scalars)
        self.head = FullyConnected(width, hidden, dropout, activation, outputs, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Standardized features (B, G), or (R, B, G) with rows of each member's own, to (R, B, outputs)."""
        x = x.expand(self.members, *x.shape[-2:])
        seen = self.convolutions(x[..., self.curve].transpose(0, 1))  # (B, R, L): a channel for each member
        seen = seen.unflatten(1, (self.members, -1)).flatten(2).transpose(0, 1)
        return self.head(torch.cat([x[..., self.scalars], seen], dim=-1))
