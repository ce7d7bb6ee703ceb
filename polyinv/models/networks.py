"""Network architectures: torch modules from standardized observations (B, F) to standardized recipes (B, 4)."""

from collections.abc import Sequence

from torch import Tensor, nn

from polyinv.quantities import TARGETS


class FullyConnected(nn.Module):
    """Dense layers with ReLU and dropout, initialized as Keras does (Glorot uniform, zero bias).

    Args:
        width: Number of features F.
        hidden: Units of each hidden layer.
        dropout: Dropout rate behind each hidden layer.
    """

    def __init__(self, width: int, hidden: Sequence[int], dropout: Sequence[float]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for units, rate in zip(hidden, dropout, strict=True):
            layers += [_dense(width, units), nn.ReLU(), nn.Dropout(rate)]
            width = units
        self.layers = nn.Sequential(*layers, _dense(width, len(TARGETS)))

    def forward(self, x: Tensor) -> Tensor:
        """Standardized observations (B, F) to standardized recipes (B, 4)."""
        return self.layers(x)


def _dense(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
