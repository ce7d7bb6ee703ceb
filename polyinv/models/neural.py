"""Networks behind the interface of every inverse model."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from polyinv.errors import InputError, unknown
from polyinv.models.base import InverseModel, check_seed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from polyinv.data.datamodule import RecipeData

WEIGHTS = "weights.pt"
ACCELERATORS = ("auto", "cpu", "gpu")


class NeuralModel(InverseModel):
    """A network between two scalings, trained by `polyinv.models.training`.

    A subclass names an architecture and inherits the options of training.
    """

    learning_rate: float
    batch_size: int
    max_epochs: int
    patience: int
    loss_weights: tuple[float, ...]
    accelerator: str
    seed: int

    @abstractmethod
    def network(self) -> "nn.Module":
        """A new, untrained network for ``self.columns``."""

    def fit(self, data: "RecipeData", folder: Path | None = None) -> None:
        """See `InverseModel.fit`; TensorBoard events, best and last checkpoint go to ``folder``."""
        from polyinv.models.training import train

        self.columns = data.columns
        self._module = train(self, data, folder)

    def _predict(self, x: "Tensor") -> "Tensor":
        return self._module.predict(x)

    def _save(self, folder: Path) -> None:
        import torch

        torch.save(self._module.state_dict(), folder / WEIGHTS)

    def _load(self, folder: Path) -> None:
        import torch

        from polyinv.models.training import ScaledNetwork

        self._module = ScaledNetwork(self.network(), len(self.columns))
        self._module.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))


class MLP(NeuralModel):
    """Fully connected network; the defaults are the published architecture and training.

    Args:
        hidden: Units of each hidden layer.
        dropout: Dropout rate behind each hidden layer.
        learning_rate: Of Adam.
        batch_size: Rows per step.
        max_epochs: Passes over the training rows at most.
        patience: Epochs without a better validation loss before training stops; the best weights are kept.
        loss_weights: Weight of each target in the loss.
        accelerator: Where to train: auto, cpu or gpu.
        seed: Of initialization, batch order and dropout.
    """

    name = "mlp"

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (256, 128, 64),
        dropout: tuple[float, ...] = (0.2, 0.1, 0.0),
        learning_rate: float = 1e-3,
        batch_size: int = 32,
        max_epochs: int = 1000,
        patience: int = 50,
        loss_weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0),
        accelerator: str = "auto",
        seed: int = 42,
    ) -> None:
        if len(dropout) != len(hidden):
            raise InputError(
                f"model.dropout has {len(dropout)} rates for {len(hidden)} hidden layers; needs one for each"
            )
        check_seed(seed)
        if accelerator not in ACCELERATORS:
            raise unknown("accelerator", accelerator, ACCELERATORS)
        if not any(loss_weights):
            raise InputError("model.loss_weights are all zero; at least one target has to count")
        counts = {"max_epochs": [max_epochs], "patience": [patience], "batch_size": [batch_size], "hidden": hidden}
        for option, values in counts.items():
            _check(option, values, "1 or more", lambda value: value >= 1)
        _check("learning_rate", [learning_rate], "more than 0", lambda value: 0 < value < float("inf"))
        _check("dropout", dropout, "0 up to, not including, 1", lambda value: 0 <= value < 1)
        _check("loss_weights", loss_weights, "0 or more", lambda value: 0 <= value < float("inf"))
        self.hidden, self.dropout = tuple(hidden), tuple(dropout)
        self.learning_rate, self.batch_size = learning_rate, batch_size
        self.max_epochs, self.patience, self.loss_weights = max_epochs, patience, tuple(loss_weights)
        self.accelerator, self.seed = accelerator, seed

    def network(self) -> "nn.Module":
        """See `NeuralModel.network`."""
        from polyinv.models.networks import FullyConnected

        return FullyConnected(len(self.columns), self.hidden, self.dropout)


def _check(option: str, values: Iterable[float], rule: str, holds: Callable[[float], bool]) -> None:
    for value in values:
        if not holds(value):
            raise InputError(f"model.{option} is {value}; needs {rule}")
