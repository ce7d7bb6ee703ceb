r"""Scatter of a laboratory: standard deviations that no one states, estimated from the runs themselves.

Runs of one recipe differ by more than their samples tell: a trace of oxygen, a thermometer, a balance. And no model is
right to the last digit of a curve. Each standard deviation :math:`\eta` is lognormal a priori about what is usual; few
runs leave it there, many decide it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Kind:
    """Kind of scatter.

    Args:
        name: As files and reports have it.
        usual: Median a priori; of ``temperature`` and ``sampling`` relative to what is stated.
        spread: Standard deviation of its logarithm a priori.
        words: For people.
    """

    name: str
    usual: float
    spread: float
    words: str


KINDS = (
    Kind("initiation", 0.05, 1.0, "initiation of a run, relative"),
    Kind("temperature", 1.0, 0.7, "temperature of a run"),
    Kind("conversion", 0.01, 0.5, "conversion of a run, absolute, that all its samples share"),
    Kind("sampling", 1.0, 0.7, "conversion of a sample, relative to its stated error"),
    Kind("curve", 0.015, 1.0, "smooth error of a curve, relative to its height"),
    Kind("kinks", 1e-3, 1.5, "rough error of a curve from node to node, relative to its peak"),
    Kind("chains", 1e-3, 1.0, "noise of counted chains: the root of one over their number"),
)
NAMES = tuple(kind.name for kind in KINDS)
WIDEST = 4.0
"""Standard deviations a priori that a scatter is tried at, at most."""


@dataclass(frozen=True, eq=False)
class Scatter:
    """Scatter of each of ``KINDS``, as the logarithm of its ratio to the usual one over its spread, (7,)."""

    z: Tensor

    @classmethod
    def usual(cls) -> "Scatter":
        """What is usual."""
        return cls(torch.zeros(len(KINDS), dtype=torch.float64))

    @classmethod
    def first(cls) -> "Scatter":
        """What a fit starts with: curves may be far off, so that it goes downhill without being caught."""
        z = torch.zeros(len(KINDS), dtype=torch.float64)
        z[NAMES.index("curve")] = 3.0
        return cls(z)

    def __getitem__(self, name: str) -> Tensor:
        kind = KINDS[NAMES.index(name)]
        return kind.usual * (kind.spread * self.z[NAMES.index(name)]).exp()

    def as_dict(self) -> dict[str, float]:
        """Standard deviations by name."""
        return {name: self[name].item() for name in NAMES}
