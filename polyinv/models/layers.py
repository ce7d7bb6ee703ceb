"""Layers of R networks at once: the members of an ensemble, side by side in a leading dimension.

Every member has weights of its own and never sees the others, so that it trains as it would alone (but for rounding: a
product of several matrices may add in another order); the price of a step grows far slower than R, because one call
works on all of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Dense(nn.Module):
    """R fully connected layers, initialized as Keras does (Glorot uniform, zero bias).

    Args:
        inputs: Features of the input.
        outputs: Features of the output.
        generator: A stream for each of the R members.
    """

    def __init__(self, inputs: int, outputs: int, generator: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.stack([_glorot((inputs, outputs), inputs, outputs, each) for each in generator])
        )
        self.bias = nn.Parameter(torch.zeros(len(generator), 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (R, B, inputs) to (R, B, outputs)."""
        return torch.baddbmm(self.bias, x, self.weight)


class Convolution(nn.Module):
    """R convolutions along a curve, zero-padded so that a stride of s divides its length by s, rounded up.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        kernel: Nodes that one output sees, odd.
        stride: Nodes between two outputs.
        generator: A stream for each of the R members.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, generator: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        shape = (outputs, inputs, kernel)
        weights = [_glorot(shape, inputs * kernel, outputs * kernel, each) for each in generator]
        self.weight = nn.Parameter(torch.stack(weights))
        self.bias = nn.Parameter(torch.zeros(len(generator), outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, R * inputs, L), channels of a member side by side, to (B, R * outputs, ceil(L / stride))."""
        members = len(self.weight)
        return nn.functional.conv1d(
            x, self.weight.flatten(0, 1), self.bias.flatten(), self.stride, self.padding, groups=members
        )


class Dropout(nn.Module):
    """Dropout [Srivastava et al. 2014] whose masks follow from the member's seed and the step alone.

    The mask is a hash of key, row and unit, 16 bits for each: the same on every device, alone or beside other members,
    and after a training has been resumed, without a state to keep. Masks of small layers are made for several steps at
    once. Without keys it is PyTorch's own dropout.

    Args:
        rate: Share of units that is set to 0; the others are scaled by 1 / (1 - rate).
    """

    AT_ONCE = 2**17
    """Numbers of a mask that are made at once: more would leave the cache of a core."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self._drops = round(rate * 2**16) - 2**15
        self._keys, self._step = torch.empty(0), -1
        self._masks, self._first = torch.empty(0), 0

    def choose(self, keys: Tensor, step: int) -> None:
        """Set the masks of a step.

        Args:
            keys: Of several steps and R members, (S, R), int32.
            step: Number of the step among them.
        """
        if keys is not self._keys:
            self._keys, self._masks = keys, torch.empty(0)
        self._step = step

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of (R, B, units)."""
        if not self.training or self.rate == 0.0:
            return x
        if self._step < 0:  # in a module that does not say the step
            return nn.functional.dropout(x, self.rate)
        return x * self._mask(x.shape[1:].numel(), x.device).view(x.shape).to(x.dtype)

    def _mask(self, units: int, device: torch.device) -> Tensor:
        """Mask of the units of each member in this step, (R, units): 0, or 1 / (1 - rate)."""
        masks, after = self._masks, self._step - self._first
        if not (0 <= after < len(masks) and masks.shape[-1] == units and masks.device == device):
            count = max(1, self.AT_ONCE // (units * self._keys.shape[1]))
            keys = self._keys[self._step : self._step + count].to(device)
            self._masks, self._first, after = self._made(keys, units), self._step, 0
        return self._masks[after]

    def _made(self, keys: Tensor, units: int) -> Tensor:
        """Masks (S, R, units) for keys (S, R)."""
        places = torch.arange(-(-units // 2), dtype=torch.int32, device=keys.device) * _ODD
        halves = _mixed(places + keys[..., None]).view(torch.int16)[..., :units]
        # Whole numbers less the last one that drops, cut at 0 and 1: comparisons of int16 take three times as long.
        return halves.float().sub_(self._drops - 1).clamp_(0, 1).mul_(1 / (1 - self.rate))


class DropoutKeys:
    """Keys of the dropout masks of each step, for each member by its seed.

    Args:
        network: Any that holds `Dropout` layers.
        seeds: One for each member.
    """

    AT_ONCE = 1024
    """Steps whose keys are computed at once."""

    def __init__(self, network: nn.Module, seeds: Sequence[int]) -> None:
        self.layers = [module for module in network.modules() if isinstance(module, Dropout) and module.rate > 0]
        signed = [seed - 2**32 if seed >= 2**31 else seed for seed in seeds]
        self.members = _mixed(torch.tensor(signed, dtype=torch.int32))
        self.first = -1
        self.keys: list[Tensor] = []

    def __call__(self, step: int) -> None:
        """Set the masks of a step."""
        if not self.layers:
            return
        first = step - step % self.AT_ONCE
        if first != self.first:
            steps = torch.arange(first, first + self.AT_ONCE).to(torch.int32)
            keys = _mixed(self.members + steps[:, None])
            self.keys, self.first = [_mixed(keys + number) for number in range(len(self.layers))], first
        for layer, keys in zip(self.layers, self.keys, strict=True):
            layer.choose(keys, step - first)


_ODD = -1640531535  # 2654435761, Knuth's multiplicative constant, as a signed number


def _mixed(x: Tensor) -> Tensor:
    """Spread int32 numbers over all 32 bits, one to one: the finalizer of MurmurHash3 [Appleby 2011]."""
    x = x ^ (x >> 16).bitwise_and_(0xFFFF)  # masked, because the shift of a signed number drags its sign along
    x.mul_(-2048144789)
    x ^= (x >> 13).bitwise_and_(0x7FFFF)
    x.mul_(-1028477387)
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    return x


def _glorot(shape: tuple[int, ...], fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
    limit = (6 / (fan_in + fan_out)) ** 0.5
    return (2 * torch.rand(shape, generator=generator) - 1) * limit
