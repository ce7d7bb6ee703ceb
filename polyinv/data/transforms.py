"""Transforms of measured numbers to features of a network: the same information, more evenly spread."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

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


_ROOT_LOG: dict[str, dict[str, Function]] = {
    "cBA_time": {"ln cBA_time": _log, "cBA_time": _same},
    **{name: {f"ln {name}": _log} for name in ("Mn", "Mw", "cBA_0", "cAIBN_0", "time")},
    **{node: {f"√{node}": _root} for node in MMD},
}
TRANSFORMS: dict[str, dict[str, dict[str, Function]]] = {"plain": {}, "root_log": _ROOT_LOG}
"""By name, for each column: the features it becomes. A column that is not named stays as it is.

``root_log`` takes the square root of the curve, whose noise by counted chains is then equal at all heights, and the
logarithms of the molar masses and of the residual monomer, whose errors are relative.
"""


class Transform:
    """Transform of columns (*, F) to features (*, G), one after the other in the order of the columns.

    Args:
        name: One of ``TRANSFORMS``.
        columns: Names of the F columns.

    Attributes:
        names: Of the G features.
        columns: The column behind each of them.
        curve: Numbers of the features that are nodes of the curve, ascending along it.

    Raises:
        InputError: The name is unknown.

    Example:
        >>> transform = Transform("root_log", ("Mn", "MMD1"))
        >>> transform.names, transform(torch.tensor([[1.0, 0.25]]))
        (('ln Mn', '√MMD1'), tensor([[0.0000, 0.5000]]))
    """

    def __init__(self, name: str, columns: Sequence[str]) -> None:
        if name not in TRANSFORMS:
            raise unknown("transform", name, TRANSFORMS)
        features = [
            (column, at, feature, function)
            for at, column in enumerate(columns)
            for feature, function in TRANSFORMS[name].get(column, {column: _same}).items()
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
