"""Neural networks with the interface of every inverse model."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from polyinv.errors import InputError, unknown
from polyinv.models.base import WEIGHTS, InverseModel, check_seed, load_weights
from polyinv.models.options import DENSITY, MOST_MEMBERS, MOST_UNITS, Training, check, check_trainer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from polyinv.data.datamodule import RecipeDataModule
    from polyinv.data.scaling import Scaling
    from polyinv.models.scaled import ScaledNetwork

ACTIVATIONS = ("relu", "silu")
TRANSFORMS = ("plain", "root_log", "moments")


class NeuralModel(InverseModel):
    """Ensemble of networks between two scalings, trained by `polyinv.models.training`.

    The members differ in initialization, dropout and batch order, are trained at once, and each keeps its own best
    epoch. Member k is what the seed ``seed + k`` gives alone, but for rounding. A subclass names a network of
    `polyinv.models.networks`, and which of its own options are that network's.
    """

    has_members = True
    length_option = "training.max_epochs"
    takes_missing_inputs = True
    can_start_from = True
    uses_trainer = True
    architecture: ClassVar[tuple[str, ...]] = ()
    transform: str
    members: int
    seed: int
    training: Training
    _module: "ScaledNetwork | None" = None
    _start: "NeuralModel | None" = None

    @property
    def network_name(self) -> str:
        """Name of the network, one of `polyinv.models.networks.NETWORKS`."""
        return self.name

    @property
    def network_options(self) -> dict[str, Any]:
        """Options of the network."""
        return {option: getattr(self, option) for option in (*self.architecture, "dropout")}

    @property
    def _fitted(self) -> "ScaledNetwork":
        if self._module is None:
            raise InputError(f"this {self.name} has learned nothing yet; fit it, or load a saved one")
        return self._module

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seed of each member."""
        return tuple(range(self.seed, self.seed + self.members))

    def fit(self, data: "RecipeDataModule", folder: Path | None = None) -> None:
        """See `InverseModel.fit`; TensorBoard events and the last checkpoint go to ``folder``.

        Raises:
            InputError: Options of the trainer or the logger that cannot be, data that cannot be used, or a loss that is
                not finite.
        """
        check_trainer(self.trainer, self.logger)
        from polyinv.models.training import train

        data.setup("fit")
        if self._start is not None:
            data.system.check_like(self._start.system, "the data", "the model to start from")
            if not self.goes_on_from(self._start.columns, data.columns):
                raise InputError(f"the model to start from was trained on {len(self._start.columns)} other columns")
        self.columns, self._system = data.columns, data.system
        self._module = train(self, data, folder, self._start._fitted if self._start else None)
        if self.training.predicts_spread:
            self._fit_coverage(data)

    def _fit_coverage(self, data: "RecipeDataModule") -> None:
        """Choose on the validation rows what makes intervals of the predicted spread."""
        from polyinv.models.coverage import Coverage, masked_rows

        x, y = data.val.x.double(), data.val.y.double()
        mask = data.input_mask()
        if mask is not None:
            x, y = masked_rows(x, y, data.columns, mask.patterns, data.system)
        unit = self._fitted.scaling.y.std
        self._fitted.coverage = Coverage(data.system, data.columns)
        self._fitted.coverage.fit(x, self.spread(x) / unit, (self.predict(x) - y).abs() / unit)

    def start_from(self, folder: Path | str) -> None:
        """Fine-tune: start `fit` from the weights and the scaling of a saved model.

        Raises:
            InputError: There is no such model, or it has another architecture.
        """
        other = type(self).load(folder)
        self._check_alike(other, folder)
        if self.training.predicts_spread != other.training.predicts_spread:
            raise InputError(f"{folder} was trained with loss {other.training.loss}: it cannot be started from")
        self._start = other

    def _check_alike(self, other: "NeuralModel", folder: Path | str, but: tuple[str, ...] = ()) -> None:
        for option in (name for name in (*self.architecture, "transform", "members") if name not in but):
            theirs, ours = getattr(other, option), getattr(self, option)
            if theirs != ours:
                raise InputError(f"{folder} has model.{option} {theirs}, not {ours}: it cannot be started from")

    def take_over(self, network: "nn.Module", scaling: "Scaling", start: "ScaledNetwork") -> None:
        """Begin with the weights and the scaling of the model to start from."""
        scaling.load_state_dict(start.scaling.state_dict())
        network.load_state_dict(start.network.state_dict())

    def predict_members(self, x: "Tensor") -> "Tensor":
        """See `InverseModel.predict_members`."""
        return self._fitted.predict(self._checked(x))

    @property
    def tells_errors(self) -> bool:
        """See `InverseModel.tells_errors`."""
        return self.takes_errors and self.training.predicts_spread

    def spread(self, x: "Tensor") -> "Tensor":
        """Predicted standard deviation (B, V) of the answers to observations (B, F), in physical units.

        That between the members, and, for networks trained with ``nll``, the scatter that they predict themselves
        on top [Lakshminarayanan et al. 2017]. Zero for a single member with another loss, which knows of none.
        """
        x = self._checked(x)
        between = self._fitted.predict(x).var(0, correction=0)
        within = self._fitted.variance(x).mean(0) if self.training.predicts_spread else 0.0
        return (between + within).sqrt()

    def half_widths(self, x: "Tensor") -> "Tensor":
        """See `InverseModel.half_widths`."""
        if not self.tells_errors or self._fitted.coverage is None:
            return super().half_widths(x)
        unit = self._fitted.scaling.y.std
        return self._fitted.coverage.half_widths(self._checked(x), self.spread(x) / unit) * unit

    def _save(self, folder: Path) -> None:
        import torch

        torch.save(self._fitted.state_dict(), folder / WEIGHTS)

    def _load(self, folder: Path) -> None:
        from polyinv.data.scaling import Scaling
        from polyinv.models.coverage import Coverage
        from polyinv.models.losses import LOSSES
        from polyinv.models.networks import built
        from polyinv.models.scaled import ScaledNetwork

        self._check_size(folder / WEIGHTS)
        scaling = Scaling(self.columns, self.transform, self.system)
        outputs = len(self.system.targets) * LOSSES[self.training.loss].outputs
        network = built(self.network_name, scaling, outputs, self.seeds, **self.network_options)
        weights = load_weights(folder / WEIGHTS)
        # What was saved before there were intervals has none.
        has_coverage = any(name.startswith("coverage.") for name in weights)
        coverage = Coverage(self.system, self.columns) if has_coverage else None
        self._module = ScaledNetwork(network, scaling, coverage)
        self._module.load_state_dict(weights)
        if coverage is not None:
            coverage.check()

    def _check_size(self, path: Path) -> None:
        """Refuse options of a network larger than the weights on disk, before it is built."""
        widths, channels = getattr(self, "hidden", ()), getattr(self, "channels", ())
        fewest = sum(a * b for a, b in pairwise(widths))
        fewest += sum(a * b * getattr(self, "kernel", 1) for a, b in pairwise(channels))
        if 2 * self.members * max(fewest, *widths, *channels, 1) > path.stat().st_size:  # two bytes in half precision
            raise ValueError(f"{path.name} is too small for a network of these options")

    def _set_training(self, transform: str, members: int, seed: int, training: Training | Mapping[str, Any]) -> None:
        """Check and keep what all networks have in common."""
        if transform not in TRANSFORMS:
            raise unknown("transform", transform, TRANSFORMS)
        check("members", [members], f"1 to {MOST_MEMBERS}", lambda value: 1 <= value <= MOST_MEMBERS)
        check_seed(seed)
        if seed + members > 2**32:
            raise InputError(f"model.seed is {seed}; with {members} members it needs {2**32 - members} or less")
        self.transform, self.members, self.seed = transform, members, seed
        self.training = training if isinstance(training, Training) else Training(**training)
        if (self.training.loss == DENSITY) != (self.name == "posterior"):
            raise InputError(f"model.training.loss {DENSITY} goes with the model posterior, and this with no other")

    def _set_layers(self, hidden: tuple[int, ...], dropout: tuple[float, ...], activation: str) -> None:
        """Check and keep the fully connected layers of a network of ours."""
        if len(dropout) not in (1, len(hidden)):
            raise InputError(
                f"model.dropout has {len(dropout)} rates for {len(hidden)} hidden layers; "
                "needs one for all or one for each"
            )
        if activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        check("hidden", hidden, f"1 to {MOST_UNITS}", lambda value: 1 <= value <= MOST_UNITS)
        check("dropout", dropout, "0 up to, not including, 1", lambda value: 0 <= value < 1)
        self.hidden, self.activation = tuple(hidden), activation
        self.dropout = tuple(dropout) * (len(hidden) if len(dropout) == 1 else 1)


class MLP(NeuralModel):
    """Fully connected networks; the defaults are the published architecture and training.

    Args:
        hidden: Units of each hidden layer.
        dropout: Dropout rate behind each hidden layer, or one for all.
        activation: ``relu`` or ``silu``.
        transform: What the network sees of the columns, one of `polyinv.data.transforms.TRANSFORMS`.
        members: Networks trained at once.
        seed: Of the first member; the next ones count up.
        training: How they are trained.
    """

    name = "mlp"
    architecture = ("hidden", "activation")

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (256, 128, 64),
        dropout: tuple[float, ...] = (0.2, 0.1, 0.0),
        activation: str = "relu",
        transform: str = "plain",
        members: int = 1,
        seed: int = 42,
        training: Training = Training(),  # noqa: B008 (frozen)
    ) -> None:
        self._set_layers(hidden, dropout, activation)
        self._set_training(transform, members, seed, training)


class CurveCNN(NeuralModel):
    """Convolutional networks over the curve, whose features join the scalar inputs before a fully connected head.

    Args:
        channels: Channels of each convolution; every one halves the length of the curve.
        kernel: Nodes that one output of a convolution sees, odd.
        hidden: Units of each hidden layer of the head.
        dropout: Dropout rate behind each of them, or one for all.
        activation: ``relu`` or ``silu``.
        transform: What the network sees of the columns, one of `polyinv.data.transforms.TRANSFORMS`.
        members: Networks trained at once.
        seed: Of the first member; the next ones count up.
        training: How they are trained.
    """

    name = "cnn"
    architecture = ("channels", "kernel", "hidden", "activation")

    def __init__(
        self,
        *,
        channels: tuple[int, ...] = (16, 32, 32),
        kernel: int = 5,
        hidden: tuple[int, ...] = (256, 128),
        dropout: tuple[float, ...] = (0.0,),
        activation: str = "relu",
        transform: str = "root_log",
        members: int = 1,
        seed: int = 42,
        training: Training = Training(),  # noqa: B008 (frozen)
    ) -> None:
        check("channels", channels, "1 or more", lambda value: value >= 1)
        check("kernel", [kernel], "an odd number from 1", lambda value: value >= 1 and value % 2 == 1)
        if not channels:
            raise InputError("model.channels is empty; a curve network needs one convolution at least")
        self.channels, self.kernel = tuple(channels), kernel
        self._set_layers(hidden, dropout, activation)
        self._set_training(transform, members, seed, training)


class Network(NeuralModel):
    """Networks of any architecture: a function from the number of inputs and outputs to a PyTorch module.

    Args:
        network: Name of one of ``polyinv.models.networks.NETWORKS``, or of ours with its defaults (mlp, cnn). A file
            that adds one is named by ``--import FILE``.
        transform: What the network sees of the columns, one of `polyinv.data.transforms.TRANSFORMS`.
        members: Networks trained at once, one or more; `torch.func.vmap` has to be able to take the module, which it is
            not with recurrent layers or choices that depend on the data.
        seed: Of the first member; the next ones count up.
        training: How they are trained.
    """

    name = "network"
    architecture = ("network",)

    def __init__(
        self,
        *,
        network: str = "mlp",
        transform: str = "plain",
        members: int = 1,
        seed: int = 42,
        training: Training = Training(),  # noqa: B008 (frozen)
    ) -> None:
        self.network = network
        self._set_training(transform, members, seed, training)

    @property
    def network_name(self) -> str:
        """See `NeuralModel.network_name`."""
        return self.network

    @property
    def network_options(self) -> dict[str, Any]:
        """No options: the function behind the name has chosen them."""
        return {}
