"""Optimizer of an ensemble: AdamW with a learning rate scale for each member, and its schedule."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from polyinv.errors import InputError
from polyinv.models.options import Training

WARM_UP = 0.05
"""Share of the steps of the cosine schedule that the learning rate rises over."""


class MemberAdamW(torch.optim.AdamW):
    """AdamW [Loshchilov & Hutter 2019] with a factor on the learning rate of each member.

    The parameters of R members lie side by side in a leading dimension.

    Args:
        parameters: Groups of parameters, as for AdamW.
        lr_scale: What each member multiplies the learning rate by, (R,); may change between steps.
        options: Others of AdamW.
    """

    def __init__(self, parameters: Iterable[Any], lr_scale: Tensor, **options: Any) -> None:
        super().__init__(parameters, **options)
        self.lr_scale = lr_scale

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; AdamW's is proportional to the learning rate, so that a part of it is that of a lower one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if (self.lr_scale == 1).all():
            super().step()
            return loss
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        before = [parameter.detach().clone() for parameter in parameters]
        super().step()
        for old, parameter in zip(before, parameters, strict=True):
            parameter.copy_(old.lerp(parameter, beside(self.lr_scale, parameter)))
        return loss


def adamw(module: nn.Module, training: Training, lr_scale: Tensor) -> torch.optim.AdamW:
    """Make AdamW for the parameters of a module, with weight decay for weights but not for biases.

    Raises:
        InputError: There is nothing to train.
    """
    decaying: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decaying[name.endswith("weight")].append(parameter)
    if not any(decaying.values()):
        raise InputError("the network has no parameters to train")
    groups = [
        {"params": parameters, "weight_decay": training.weight_decay if decays else 0.0}
        for decays, parameters in decaying.items()
        if parameters
    ]
    first = next(module.parameters())
    # A fifth of the time of a step; the scaler of 16-mixed wants to divide the gradients before they are clipped.
    fused = first.device.type in ("cpu", "cuda") and training.precision != "16-mixed"
    # Without decay this is Adam, with the epsilon of Keras.
    options: dict[str, Any] = {"lr": training.learning_rate, "eps": 1e-7, "fused": fused}
    optimizer = (
        MemberAdamW(groups, lr_scale, **options)
        if training.schedule == "plateau"
        else torch.optim.AdamW(groups, **options)
    )
    optimizer.register_load_state_dict_post_hook(_check_moments)
    return optimizer


def _check_moments(optimizer: torch.optim.Optimizer) -> None:
    """Refuse moments of another size than their parameter: the fused step would read and write beyond them.

    Raises:
        ValueError: There are such.
    """
    for parameter, moments in optimizer.state.items():
        if any(isinstance(each, Tensor) and each.shape not in ((), parameter.shape) for each in moments.values()):
            raise ValueError("moments of the optimizer have another size than their parameter")


def cosine(steps: int) -> Callable[[int], float]:
    """Cosine schedule: learning rate scale at each step, up over the first twentieth, then half a cosine down to 0.

    Example:
        >>> rate = cosine(100)
        >>> [round(rate(step), 3) for step in (0, 4, 52, 100)]
        [0.2, 1.0, 0.508, 0.0]
    """
    rising = max(1, int(WARM_UP * steps))

    def rate(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * min((step - rising) / max(1, steps - rising), 1.0)))

    return rate


def clip_members(parameters: Iterable[nn.Parameter], largest: float) -> None:
    """Clip the gradient of each member to a norm of ``largest``.

    Args:
        parameters: With R members side by side in a leading dimension.
        largest: Norm of the gradient of one member.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    squares = [gradient.flatten(1).square().sum(1) for gradient in gradients]
    norm = torch.stack(squares).sum(0).sqrt()
    shortened = (largest / norm.clamp(min=1e-12)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(beside(shortened, gradient))


def beside(of_members: Tensor, parameter: Tensor) -> Tensor:
    """Reshape values of each member, (R,), to be multiplied with a parameter (R, ...)."""
    return of_members.to(parameter).view(-1, *[1] * (parameter.ndim - 1))
