"""Network architectures: R members from standardized features (B, G) or (R, B, G) to outputs (R, B, outputs)."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from polyinv.data.scaling import Scaling
from polyinv.errors import InputError, one_line, unknown
from polyinv.models.heads import COMPONENTS, Heads
from polyinv.models.layers import Convolution, Dense, Dropout

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}
"""ReLU as published; SiLU is smooth [Hendrycks & Gimpel 2016]."""


def member_streams(seeds: Sequence[int]) -> list[torch.Generator]:
    """Random number generators for the initialization of each member."""
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


class CurveNetwork(nn.Module):
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


class Stacked(nn.Module):
    """R networks of any architecture at once, their parameters side by side [torch.func.stack_module_state].

    Args:
        networks: R modules of one architecture, each from (B, G) to (B, outputs).
    """

    _one: nn.Module

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = len(networks)
        parameters, buffers = stack_module_state(list(networks))
        self._names = {name: name.replace(".", "-") for name in (*parameters, *buffers)}
        for name, value in parameters.items():  # what the network has frozen stays frozen
            self.register_parameter(self._names[name], nn.Parameter(value.detach(), value.requires_grad))
        for name, value in buffers.items():
            self.register_buffer(self._names[name], value)
        ties = _ties(networks[0])
        self._names |= {name: self._names[first] for name, first in ties.items()}
        self._parts = (*parameters, *ties), tuple(buffers)
        self.__dict__["_one"] = deepcopy(networks[0]).to("meta")  # the architecture, without weights of its own

    def forward(self, x: Tensor) -> Tensor:
        """Standardized features (B, G), or (R, B, G) with rows of each member's own, to (R, B, outputs)."""
        if self._one.training != self.training:  # Lightning sets the attribute of the modules that it knows
            self._one.train(self.training)
        parameters, buffers = ({name: getattr(self, self._names[name]) for name in part} for part in self._parts)

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(self._one, (parameters, buffers), (x,))

        return vmap(one, in_dims=(0, 0, None if x.ndim == 2 else 0), randomness="different")(parameters, buffers, x)


def fully_connected(
    scaling: Scaling,
    outputs: int,
    seeds: Sequence[int],
    *,
    hidden: Sequence[int] = (256, 128, 64),
    dropout: Sequence[float] = (0.2, 0.1, 0.0),
    activation: str = "relu",
) -> nn.Module:
    """Build members of `FullyConnected`; the defaults are the published architecture."""
    return FullyConnected(scaling.width, hidden, dropout, activation, outputs, member_streams(seeds))


def curve_network(
    scaling: Scaling,
    outputs: int,
    seeds: Sequence[int],
    *,
    channels: Sequence[int] = (16, 32, 32),
    kernel: int = 5,
    hidden: Sequence[int] = (256, 128),
    dropout: Sequence[float] = (0.0, 0.0),
    activation: str = "relu",
) -> nn.Module:
    """Build members of `CurveNetwork`.

    Raises:
        InputError: The curve is not among the features.
    """
    curve = scaling.transform.curve
    if not curve:
        raise InputError("a curve network needs the nodes of the curve among its features")
    scalars = [number for number in range(scaling.width) if number not in curve]
    return CurveNetwork(curve, scalars, channels, kernel, hidden, dropout, activation, outputs, member_streams(seeds))


def density_network(
    scaling: Scaling,
    outputs: int,
    seeds: Sequence[int],
    *,
    hidden: Sequence[int] = (512, 512, 256),
    dropout: Sequence[float] = (0.0, 0.0, 0.0),
    activation: str = "relu",
) -> nn.Module:
    """Build members of `FullyConnected` that answer with densities, see `polyinv.models.heads`.

    Raises:
        InputError: The observations do not have the values of the recipe and their errors among them.
    """
    if not scaling.conditional or not scaling.tells_errors:
        raise InputError("a posterior needs to be told what is known and how well; its features are conditional+errors")
    numbers = 3 * COMPONENTS * len(scaling.system.targets)
    members = FullyConnected(scaling.width, hidden, dropout, activation, numbers, member_streams(seeds))
    return Heads(members, scaling, len(seeds))


ENSEMBLES: dict[str, Callable[..., nn.Module]] = {
    "mlp": fully_connected,
    "cnn": curve_network,
    "posterior": density_network,
}
"""Architectures whose members are computed at once by layers of our own."""
NETWORKS: dict[str, Callable[[int, int], nn.Module]] = {}
"""Other architectures: functions from the numbers of inputs and outputs to any module from (B, inputs) to (B, outputs).
Add one of your own under a name, and it trains as ``--model.name network --model.network NAME``."""


def built(name: str, scaling: Scaling, outputs: int, seeds: Sequence[int], **options: Any) -> nn.Module:
    """Build new, untrained networks, one for each seed, side by side.

    Raises:
        InputError: An unknown name or option, or a network that does not fit the data.
    """
    if name in ENSEMBLES:
        if name in NETWORKS:
            raise InputError(f"NETWORKS has a network {name!r}, the name of one of polyinv's own; give it another")
        return ENSEMBLES[name](scaling, outputs, seeds, **options)
    if name not in NETWORKS:
        raise unknown("network", name, {**ENSEMBLES, **NETWORKS})
    networks = [_seeded(name, scaling.width, outputs, seed, **options) for seed in seeds]
    return _stacked(name, networks, scaling.width)


def _seeded(name: str, inputs: int, outputs: int, seed: int, **options: Any) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = NETWORKS[name](inputs, outputs, **options)
        except Exception as error:  # whatever somebody's function raises
            raise InputError(f"network {name!r} cannot be built for {inputs} inputs: {_first_line(error)}") from None
        if not isinstance(network, nn.Module):
            raise InputError(f"network {name!r} is a {type(network).__name__}; needs a torch.nn.Module")
        check_network(network, inputs, outputs)  # here, where lazy layers get their weights from this seed
        return network


def _ties(network: nn.Module) -> dict[str, str]:
    """Further names of parameters that several layers share, and the first name of each."""
    first: dict[nn.Parameter, str] = {}
    named = network.named_parameters(remove_duplicate=False)
    return {name: first[value] for name, value in named if first.setdefault(value, name) != name}


def _stacked(name: str, networks: Sequence[nn.Module], inputs: int) -> nn.Module:
    """Stack members, and try them on two rows before hours are spent on them."""
    try:
        together = Stacked(networks)
        before = deepcopy(together.state_dict())
        with torch.random.fork_rng(devices=[]):
            together.train()(torch.randn(len(networks), 2, inputs))
        together.load_state_dict(before)
    except Exception as error:  # whatever somebody's network raises
        raise InputError(f"network {name!r} cannot be trained as members at once: {_first_line(error)}") from None
    return together


def check_network(network: nn.Module, inputs: int, outputs: int, members: int | None = None) -> None:
    """Refuse a network that does not go from (B, inputs) to (B, outputs), or with members to (R, B, outputs).

    Raises:
        InputError: Says what it does instead.
    """
    replicas = replicas_of(network)
    if members is not None and replicas != members:
        raise InputError(
            f"members={members} needs as many networks side by side; give the name of one in "
            "polyinv.models.networks.NETWORKS instead of a module, or members=None"
        )
    was_training = network.training
    try:
        with torch.no_grad():
            output = network.eval()(torch.zeros(2, inputs))
    except Exception as error:  # whatever somebody's network raises
        raise InputError(f"the network cannot take observations (2, {inputs}): {_first_line(error)}") from None
    finally:
        network.train(was_training)
    needed = (2, outputs) if replicas is None else (replicas, 2, outputs)
    shape = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    if shape != needed:
        raise InputError(f"the network gives {shape} for two observations (2, {inputs}); needs {needed}")


def replicas_of(network: nn.Module) -> int | None:
    """How many networks side by side a module is; None for a network without that dimension."""
    members = getattr(network, "members", None)  # of an ensemble of somebody's own, a list of modules perhaps
    return members if isinstance(members, int) else None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error, 200)}"
