"""Posterior model: for any pattern of inputs, the density of all the recipes that fit."""

from pathlib import Path
from typing import TYPE_CHECKING

from polyinv.errors import InputError
from polyinv.models.card import read_card
from polyinv.models.neural import MLP, NeuralModel
from polyinv.models.options import Training

if TYPE_CHECKING:
    from torch import Tensor, nn

    from polyinv.data.observations import Observations
    from polyinv.data.scaling import Scaling
    from polyinv.models.distribution import RecipePosterior
    from polyinv.models.scaled import ScaledNetwork


class Posterior(NeuralModel):
    """Networks that answer any pattern of inputs with a density over recipes, see `polyinv.models.distribution`.

    Its features are what may be missing, its errors and the number of chains (``conditional+errors+chains``).
    It may start from a conditional MLP of the same hidden layers (``--init``), and of its members from the first ones.
    Its point answer is the mean.

    Args:
        hidden: Units of each hidden layer.
        dropout: Dropout rate behind each hidden layer, or one for all.
        activation: ``relu`` or ``silu``.
        transform: What the network sees of the columns, one of `polyinv.data.transforms.TRANSFORMS`.
        members: Networks trained at once, whose densities are averaged.
        seed: Of the first member; the next ones count up.
        training: How they are trained; their loss is ``density``.
    """

    name = "posterior"
    architecture = ("hidden", "activation")

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (512, 512, 256),
        dropout: tuple[float, ...] = (0.0,),
        activation: str = "relu",
        transform: str = "moments",
        members: int = 1,
        seed: int = 42,
        training: Training = Training(loss="density"),  # noqa: B008 (frozen)
    ) -> None:
        self._set_layers(hidden, dropout, activation)
        self._set_training(transform, members, seed, training)

    def start_from(self, folder: Path | str) -> None:
        """See `NeuralModel.start_from`; from a conditional MLP, too, whose last layer is replaced."""
        if read_card(folder)["model"] != MLP.name:
            super().start_from(folder)
            return
        other = MLP.load(folder)
        if not other.takes_errors:
            raise InputError(f"{folder} is told no errors: a posterior cannot be started from it")
        self._check_alike(other, folder, but=("members",))
        if other.members < self.members:
            raise InputError(
                f"{folder} has model.members {other.members}, not {self.members}: it cannot be started from"
            )
        self._start = other

    def goes_on_from(self, theirs: tuple[str, ...], ours: tuple[str, ...]) -> bool:
        """See `InverseModel.goes_on_from`; further columns may follow."""
        return ours[: len(theirs)] == theirs

    def take_over(self, network: "nn.Module", scaling: "Scaling", start: "ScaledNetwork") -> None:
        """See `NeuralModel.take_over`; of an MLP all layers but the last, new features without a say at first."""
        import torch

        if self._start is not None and self._start.name == self.name:
            super().take_over(network, scaling, start)
            return
        theirs, ours = start.scaling.transform.names, scaling.transform.names
        at = [ours.index(name) for name in theirs]
        with torch.no_grad():
            for part in ("mean", "std", "kept"):
                getattr(scaling.x, part)[at] = getattr(start.scaling.x, part)
            scaling.y.load_state_dict(start.scaling.y.state_dict())
            weights, old = network.state_dict(), start.network.state_dict()
            first, *_, last = (name for name in old if name.endswith("weight"))
            flags = range(scaling.width - len(scaling.system.inputs), scaling.width)
            for name, value in old.items():
                of_ours = value[: self.members]
                if name == first:
                    weights[f"network.{name}"].zero_()[:, [*at, *flags]] = of_ours
                elif name.rpartition(".")[0] != last.rpartition(".")[0]:
                    weights[f"network.{name}"].copy_(of_ours)

    def posterior(self, observations: "Observations") -> "RecipePosterior":
        """Posterior of each of B observations, with the errors that they state or assume.

        Raises:
            InputError: One shows no polymer.
        """
        return self.posterior_of(observations.x(self.columns))

    def posterior_of(self, x: "Tensor") -> "RecipePosterior":
        """Posterior of observations (B, F) with the columns that the model was fitted on; NaN is what is missing.

        Raises:
            InputError: As `predict`.
        """
        from polyinv.models.distribution import RecipePosterior

        return RecipePosterior(self._fitted, self._checked(x), self.columns)

    def spread(self, x: "Tensor") -> "Tensor":
        """Standard deviation (B, V) of the posterior of observations (B, F), physical; zero of what is given."""
        found = self.posterior_of(x)
        return found.variance.sqrt() * self._fitted.scaling.given(found.x).isnan()
