"""Heads of a network that answers with densities: of each value of a recipe, a mixture on the box.

One pass gives the density of each value given the observation and those values of the recipe that are stated. What is
known exactly is not asked for; stated with an error, it is asked for near what is stated.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from polyinv.data.recipe_stated import RecipeStated
from polyinv.data.scaling import Scaling
from polyinv.models.mixtures import TruncatedLogistics
from polyinv.simulate.recipes import box

COMPONENTS = 8
"""Of each mixture."""
OUTPUTS = 3 + 3 * COMPONENTS
"""Numbers for each value: mean, ends of the box, and of each component logarithm of its share, location and scale."""
WIDTH = 0.1
"""Scale that components start with, as a share of the box; of a stated value, of six of its errors."""
LEAST, LEAST_STATED = 3e-5, 0.02
"""Least scale, likewise of the box, and of the error of a stated value."""


class Heads(nn.Module):
    """Network whose outputs become mixtures, standardized as recipes are.

    Args:
        network: From standardized features (B, G) to (R, B, V * 3 * COMPONENTS).
        scaling: Of observations and recipes; not its own, but that of the model.
        members: Networks side by side, R.
    """

    def __init__(self, network: nn.Module, scaling: Scaling, members: int) -> None:
        super().__init__()
        self.network, self.members = network, members
        self.__dict__["_scaling"] = scaling  # whose weights are its owner's
        self._stated = RecipeStated(scaling)
        # Components start side by side, from end to end.
        self.register_buffer("_start", (torch.arange(COMPONENTS) + 0.5) / COMPONENTS, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, G) or (R, B, G) to (R, B, V * OUTPUTS), see `mixtures_of`."""
        mixtures = self.mixtures(features)
        with torch.no_grad():
            mean = mixtures.about() if self.training else mixtures.moments()[0]
        each = torch.cat([mixtures.logits, mixtures.location, mixtures.scale], dim=-1)
        return torch.cat([mean, mixtures.low, mixtures.high, each.flatten(-2)], dim=-1)

    def mixtures(self, features: Tensor) -> TruncatedLogistics:
        """Features (B, G) or (R, B, G) to mixtures (R, B, V), standardized."""
        scaling, start = cast(Scaling, self.__dict__["_scaling"]), cast(Tensor, self._start)
        raw = self.network(features).float()
        logits, location, scale = raw.unflatten(-1, (-1, 3, COMPONENTS)).unbind(-2)
        low, high = (scaling.targets(end.to(features.device)) for end in box(scaling.system))
        width = high - low
        stated = self._stated(features)
        center, error = scaling.targets(stated.value), stated.error / scaling.y.std.to(features)
        reach = 6 * torch.where(stated.given, error, torch.zeros_like(error))[..., None]  # about, from end to end
        from_box = low[:, None] + width[:, None] * (start + location)
        near = center[..., None] + reach * (start - 0.5 + location)
        given = stated.given[..., None]
        location = torch.where(given, near, from_box)
        spread = softplus(scale + _INVERSE) / _UNIT * WIDTH
        scale = torch.where(given, reach * spread + LEAST_STATED * reach / 6, width[:, None] * spread)
        scale = scale + LEAST * width[:, None]
        ends = low.expand(scale.shape[:-1]), high.expand(scale.shape[:-1])
        return TruncatedLogistics(*ends, logits, location, scale)


_UNIT = 0.5
_INVERSE = -0.4327521295671885  # softplus of it is one half


def mixtures_of(output: Tensor, targets: int) -> TruncatedLogistics:
    """Mixtures (*, B, V) of the output of `Heads` for V values, standardized."""
    _, low, high, each = output.split([targets, targets, targets, 3 * COMPONENTS * targets], dim=-1)
    logits, location, scale = each.unflatten(-1, (targets, 3 * COMPONENTS)).chunk(3, dim=-1)
    return TruncatedLogistics(low, high, logits, location, scale)
