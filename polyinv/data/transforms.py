"""Transforms of measured numbers to features of a network: the same information, more evenly spread."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.features import errors_of
from polyinv.errors import unknown
from polyinv.quantities import MMD

SMALLEST = 1e-9
"""Lower end of what a logarithm is taken of, in the unit of the column."""

Function = Callable[[Tensor], Tensor]


def _same(x: Tensor) -> Tensor:
    return x


def _root(x: Tensor) -> Tensor:
    return x.clamp(min=0).sqrt()


def _log(x: Tensor) -> Tensor:
    return x.clamp(min=SMALLEST).log()


def _plain(column: str, system: System) -> dict[str, Function]:
    return {column: _same}


def _root_log(column: str, system: System) -> dict[str, Function]:
    if column in MMD:
        return {f"√{column}": _root}
    if column == system.residual:
        return {f"ln {column}": _log, column: _same}
    if column in errors_of(system):
        return {f"ln {column}": _log}
    linear = {quantity.name for quantity in system.recipe if not quantity.logarithmic}
    return {column: _same} if column in linear else {f"ln {column}": _log}


TRANSFORMS: dict[str, Callable[[str, System], dict[str, Function]]] = {"plain": _plain, "root_log": _root_log}
"""By name: the features that a column of a system becomes.

``root_log`` takes the square root of the curve, whose noise by counted chains is then equal at all heights, and the
logarithms of the molar masses, concentrations and times, whose errors are relative.
"""


class Transform:
    """Transform of columns (*, F) to features (*, G), one after the other in the order of the columns.

    Args:
        name: One of ``TRANSFORMS``.
        columns: Names of the F columns.
        system: What they are of.

    Attributes:
        names: Of the G features.
        columns: The column behind each of them.
        curve: Numbers of the features that are nodes of the curve, ascending along it.

    Raises:
        InputError: The name is unknown.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> transform = Transform("root_log", ("Mn", "MMD1"), load_system("styrene"))
        >>> transform.names, transform(torch.tensor([[1.0, 0.25]]))
        (('ln Mn', '√MMD1'), tensor([[0.0000, 0.5000]]))
    """

    def __init__(self, name: str, columns: Sequence[str], system: System) -> None:
        if name not in TRANSFORMS:
            raise unknown("transform", name, TRANSFORMS)
        features = [
            (column, at, feature, function)
            for at, column in enumerate(columns)
            for feature, function in TRANSFORMS[name](column, system).items()
        ]
        self.names = tuple(feature for _, _, feature, _ in features)
        self.columns = tuple(column for column, *_ in features)
        self.curve = tuple(number for number, (column, *_) in enumerate(features) if column in MMD)
        # Neighbouring columns of one function are transformed at once.
        self._runs: list[tuple[list[int], Function]] = []
        for _, at, _, function in features:
            if self._runs and self._runs[-1][1] is function:
                self._runs[-1][0].append(at)
            else:
                self._runs.append(([at], function))

    def __call__(self, x: Tensor) -> Tensor:
        """Transform columns (*, F) to features (*, G)."""
        return torch.cat([function(x[..., at]) for at, function in self._runs], dim=-1)
