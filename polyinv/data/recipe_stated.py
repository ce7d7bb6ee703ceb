"""What an observation states of its recipe, read back from the features of a network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.observations import EXACT
from polyinv.data.scaling import Scaling
from polyinv.instrument.errors import LEAST, OF_UNIT, RELATIVE, SUFFIX


@dataclass(frozen=True)
class Statement:
    """Stated values of V-valued recipes, in physical units; what is not given means nothing.

    Args:
        given: Whether each value is given, (*, V).
        value: (*, V).
        error: Standard deviation, (*, V).
        exactly: Whether it is given and known exactly, (*, V).
    """

    given: Tensor
    value: Tensor
    error: Tensor
    exactly: Tensor


def least_errors(system: System) -> tuple[Tensor, Tensor]:
    """What is as good as exact of each value of a recipe, (V,) float64, and whether that is relative to it, (V,).

    Example:
        >>> from polyinv.chemistry import load_system
        >>> least_errors(load_system("butyl_acrylate"))[1].tolist()
        [True, True, False, False]
    """
    errors = [OF_UNIT[quantity.unit] for quantity in system.recipe]
    least = torch.tensor([LEAST[error] for error in errors], dtype=torch.float64)
    return least, torch.tensor([error in RELATIVE for error in errors])


def drawing_order(system: System) -> tuple[int, ...]:
    """Numbers of the values of a recipe in the order in which a posterior draws them.

    What a laboratory most often knows comes first: those before a value are then a pattern of inputs that networks are
    trained on a lot.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> system = load_system("butyl_acrylate")
        >>> [system.targets[at] for at in drawing_order(system)]
        ['temp', 'time', 'cAIBN_0', 'cBA_0']
    """
    _, relative = least_errors(system)
    later = [at for at, is_relative in enumerate(relative.tolist()) if is_relative]
    return (*(at for at in range(len(relative)) if at not in later), *reversed(later))


class RecipeStated:
    """Reads the stated values of recipes and their errors back from what a network sees.

    Args:
        scaling: Of observations that have the values of the recipe and their errors among them.
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        names, recipe = list(scaling.transform.names), scaling.system.recipe
        columns = [quantity.name for quantity in recipe] + [quantity.name + SUFFIX for quantity in recipe]
        self._logarithmic = [f"ln {column}" in names for column in columns]
        of = zip(columns, self._logarithmic, strict=True)
        self._at = [names.index(f"ln {column}" if log else column) for column, log in of]
        self._least, self._relative = least_errors(scaling.system)

    def __call__(self, features: Tensor) -> Statement:
        """Read features (*, width)."""
        scaling, device = self._scaling.x, features.device
        physical = features[..., self._at] * scaling.std[self._at].to(features) + scaling.mean[self._at].to(features)
        physical = torch.where(torch.tensor(self._logarithmic, device=device), physical.exp(), physical)
        value, error = physical.chunk(2, dim=-1)
        given = features[..., -value.shape[-1] :] > 0
        scale = torch.where(self._relative.to(device), value, torch.ones_like(value))
        return Statement(given, value, error, given & (error <= EXACT * self._least.to(features) * scale))
