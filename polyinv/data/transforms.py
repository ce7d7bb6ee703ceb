"""Transforms of measured numbers to features of a network: the same information, more evenly spread."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.features import errors_of
from polyinv.errors import unknown
from polyinv.mmd import LOG_M
from polyinv.quantities import CHAINS, MEANS, MMD

PIVOT = 4.5
"""log10 M that moments are counted from, so that single precision holds them."""
SMALLEST = 1e-9
"""Lower end of what a logarithm is taken of, in the unit of the column."""

USUAL_CHAINS = 1e6
"""Chains of a sample that tells none."""
MOST_CHAINS = 2e7
"""More are told as so many, up to which models learn: their noise is smaller than any that was learned from."""

Function = Callable[[Tensor], Tensor]


def _same(x: Tensor) -> Tensor:
    return x


def _root(x: Tensor) -> Tensor:
    return x.clamp(min=0).sqrt()


def _log(x: Tensor) -> Tensor:
    return x.clamp(min=SMALLEST).log()


def _log_of_chains(x: Tensor) -> Tensor:
    return x.nan_to_num(USUAL_CHAINS).clamp(min=1, max=MOST_CHAINS).log()


def _told(x: Tensor) -> Tensor:
    return (~x.isnan()).to(x)


_OF_CHAINS: dict[str, Function] = {f"ln {CHAINS}": _log_of_chains, f"{CHAINS} told": _told}


def _plain(column: str, system: System) -> dict[str, Function]:
    return _OF_CHAINS if column == CHAINS else {column: _same}


def _root_log(column: str, system: System) -> dict[str, Function]:
    if column == CHAINS:
        return _OF_CHAINS
    if column in MMD:
        return {f"√{column}": _root}
    if column == system.residual:
        return {f"ln {column}": _log, column: _same}
    if column in errors_of(system):
        return {f"ln {column}": _log}
    linear = {quantity.name for quantity in system.recipe if not quantity.logarithmic}
    return {column: _same} if column in linear else {f"ln {column}": _log}


def _dispersity(x: Tensor) -> Tensor:
    """ln Mw/Mn of Mn and Mw (*, 2)."""
    means = x.clamp(min=SMALLEST).log()
    return means[..., 1:] - means[..., :1]


def _of_curve(x: Tensor) -> Tensor:
    """ln Mn, ln Mw/Mn and ln Mz/Mw of curves (*, 100), (*, 3)."""
    molar_mass = torch.from_numpy(10.0 ** (LOG_M - PIVOT)).to(x)
    w = x.clamp(min=0)
    moments = torch.stack([w @ molar_mass**power for power in (-1, 0, 1, 2)], -1).clamp(min=SMALLEST).log()
    steps = moments.diff(dim=-1)  # ln Mn, ln Mw, ln Mz
    return torch.cat([steps[..., :1], steps.diff(dim=-1)], dim=-1)


TRANSFORMS: dict[str, Callable[[str, System], dict[str, Function]]] = {
    "plain": _plain,
    "root_log": _root_log,
    "moments": _root_log,
}
"""By name: the features that a column of a system becomes.

``root_log`` takes the square root of the curve, whose noise by counted chains is then equal at all heights, and the
logarithms of the molar masses, concentrations and times, whose errors are relative. ``moments`` adds what a network
would have to learn, small differences of large numbers: ``JOINT``.
"""
JOINT: dict[str, dict[tuple[str, ...], tuple[tuple[str, ...], Function]]] = {
    "moments": {
        MEANS: (("ln Mw/Mn",), _dispersity),
        MMD: (("ln Mn of the curve", "ln Mw/Mn of the curve", "ln Mz/Mw of the curve"), _of_curve),
    }
}
"""By name of a transform: features of several columns at once, where all of these are there."""


class Transform:
    """Transform of columns (*, F) to features (*, G), one after the other in the order of the columns.

    Args:
        name: One of ``TRANSFORMS``.
        columns: Names of the F columns.
        system: What they are of.

    Attributes:
        names: Of the G features.
        columns: The column behind each of them, the first of several.
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
        self._joint = [
            ([list(columns).index(column) for column in of], names, function)
            for of, (names, function) in JOINT.get(name, {}).items()
            if set(of) <= set(columns)
        ]
        self.names = tuple(feature for _, _, feature, _ in features)
        self.columns = tuple(column for column, *_ in features)
        self.curve = tuple(number for number, (column, *_) in enumerate(features) if column in MMD)
        for places, names, _ in self._joint:
            self.names += names
            self.columns += (columns[places[0]],) * len(names)
        # Neighbouring columns of one function are transformed at once.
        self._runs: list[tuple[list[int], Function]] = []
        for _, at, _, function in features:
            if self._runs and self._runs[-1][1] is function:
                self._runs[-1][0].append(at)
            else:
                self._runs.append(([at], function))

    def __call__(self, x: Tensor) -> Tensor:
        """Transform columns (*, F) to features (*, G)."""
        joint = (function(x[..., at]) for at, _, function in self._joint)
        return torch.cat([*(function(x[..., at]) for at, function in self._runs), *joint], dim=-1)
