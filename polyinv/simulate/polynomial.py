r"""Polynomial surrogate of the forward model, for recipes of the box, in microseconds.

Every observed number is interpolated at Chebyshev nodes in the four values of the recipe, temperature as it is and the
others by their logarithm, which makes them smooth; the interpolation converges faster than any power of the number of
nodes [Trefethen, *Approximation Theory and Approximation Practice*]. The numbers of all nodes move together, so that
few combinations of them carry everything.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from polyinv.chemistry import Chemistry
from polyinv.quantities import MMD, RECIPE, SCALARS
from polyinv.simulate.deterministic import grow_in_chunks
from polyinv.simulate.recipes import HIGH, LOW
from polyinv.simulate.snapshots import Progress, silent

OBSERVED = SCALARS + MMD
"""What is observed: the logarithms of the scalars, and the nodes of the curve."""
NODES = 9
"""Chebyshev nodes along each value of the recipe: errors are then a third of the noise of 1e7 chains at most."""
TIME_STEP = 20.0
"""Of the solver, in s."""
NEGLIGIBLE = 1e-6
"""Combinations of the observed numbers smaller than this share of the largest are left out."""

LOGARITHMIC = torch.tensor([quantity.name != "temp" for quantity in RECIPE])


def to_unit(recipes: Tensor) -> Tensor:
    """Map recipes (*, 4) of the box to [-1, 1]: the temperature linearly, the others by their logarithm."""
    logarithmic = (recipes / LOW).log() / (HIGH / LOW).log()
    return 2 * torch.where(LOGARITHMIC, logarithmic, (recipes - LOW) / (HIGH - LOW)) - 1


def from_unit(unit: Tensor) -> Tensor:
    """Map points of [-1, 1] back to recipes: the inverse of `to_unit`."""
    share = (unit + 1) / 2
    return torch.where(LOGARITHMIC, LOW * (HIGH / LOW) ** share, LOW + (HIGH - LOW) * share)


def observe(recipes: Tensor, chemistry: Chemistry, progress: Progress = silent) -> Tensor:
    """Simulate the observed numbers (B, 103) of recipes (B, 4) by the rate equations, see ``OBSERVED``."""
    growth = grow_in_chunks(recipes[:, :3], recipes[:, 3:], chemistry, step=TIME_STEP, progress=progress)
    values = growth.snapshots(chemistry)
    return torch.cat([values.cBA_time.log(), values.Mn.log(), values.Mw.log(), values.mmd[:, 0]], dim=-1)


@dataclass(frozen=True)
class Polynomial:
    """Chebyshev polynomial of the observed numbers in the recipe, inside the box.

    Args:
        coefficients: Of K polynomials, (NODES, NODES, NODES, NODES, K).
        mixing: The O observed numbers as combinations of them, (K, O).
        observed: Names of the O numbers.
    """

    coefficients: Tensor
    mixing: Tensor
    observed: tuple[str, ...] = OBSERVED

    @classmethod
    def interpolate(cls, chemistry: Chemistry, nodes: int = NODES, progress: Progress = silent) -> "Polynomial":
        """Interpolate a chemistry; half a millisecond of one core for each of ``nodes`` to the fourth."""
        angles = math.pi * (torch.arange(nodes).double() + 0.5) / nodes
        grid = torch.cartesian_prod(*[angles.cos()] * len(RECIPE))
        values = observe(from_unit(grid), chemistry, progress).view(*[nodes] * len(RECIPE), -1)
        transform = torch.cos(torch.arange(nodes)[:, None] * angles) * 2 / nodes
        transform[0] /= 2
        coefficients = torch.einsum("ia,jb,kc,ld,abcdo->ijklo", *[transform] * len(RECIPE), values)
        return cls(coefficients, torch.eye(values.shape[-1], dtype=values.dtype)).compressed()

    def compressed(self) -> "Polynomial":
        """Compress to as few polynomials as carry everything."""
        scale = self.coefficients.flatten(0, -2).norm(dim=0).clamp(min=1e-12)
        flat = self.coefficients.flatten(0, -2) / scale
        _, sizes, directions = torch.linalg.svd(flat, full_matrices=False)
        kept = directions[sizes > NEGLIGIBLE * sizes[0]]
        polynomials = (flat @ kept.T).view(*self.coefficients.shape[:-1], -1)
        return Polynomial(polynomials, kept * scale @ self.mixing, self.observed)

    def combined(self, matrix: Tensor) -> "Polynomial":
        """Linear combinations of the observed numbers by a matrix (O, K)."""
        return Polynomial(
            self.coefficients @ (self.mixing @ matrix), torch.eye(matrix.shape[1], dtype=matrix.dtype), ()
        )

    def __call__(self, unit: Tensor) -> Tensor:
        """Evaluate the observed numbers (M, O) at points (M, 4), see `to_unit`; beyond the box at its wall."""
        return self.evaluate(unit)[0]

    def with_slopes(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the observed numbers (M, O) at points (M, 4), and their slopes (M, O, 4) there."""
        values, inner = self.evaluate(unit)
        return values, self.slopes(unit, inner)

    def evaluate(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the observed numbers (M, O) at points (M, 4), with the inner sums, which `slopes` takes."""
        first, second, third, fourth = self._basis(unit)
        inner = self._inner(first, second, self.coefficients)
        return self._outer([(third, fourth)], inner)[:, 0], inner

    def slopes(self, unit: Tensor, inner: Tensor) -> Tensor:
        """Evaluate the slopes (M, O, 4) of the observed numbers at points (M, 4) with these inner sums."""
        first, second, third, fourth = self._basis(unit)
        angle = unit.clamp(-1 + 1e-12, 1 - 1e-12).acos()[..., None]
        order = torch.arange(first.shape[-1])
        steep = (order * torch.sin(order * angle) / torch.sin(angle)).unbind(1)  # T_n' = n U_(n-1)
        # The sum over two values is what costs: once over the first two, once over the others, whose slopes it serves.
        other = self._inner(third, fourth, self._swapped)
        by_first = self._outer([(steep[0], second), (first, steep[1])], other)
        by_last = self._outer([(steep[2], fourth), (third, steep[3])], inner)
        return torch.cat([by_first, by_last], 1).mT

    @cached_property
    def _swapped(self) -> Tensor:
        return self.coefficients.permute(2, 3, 0, 1, 4).contiguous()

    def _basis(self, unit: Tensor) -> tuple[Tensor, ...]:
        """Chebyshev polynomials of each of the four values, (M, nodes) each."""
        angle = unit.clamp(-1, 1).acos()[..., None]
        return torch.cos(torch.arange(self.coefficients.shape[0]) * angle).unbind(1)

    @staticmethod
    def _inner(first: Tensor, second: Tensor, coefficients: Tensor) -> Tensor:
        """The sum over two values of the recipe, which costs most: (M, nodes², K)."""
        both = (first[:, :, None] * second[:, None, :]).flatten(1)
        return (both @ coefficients.flatten(0, 1).flatten(1)).view(*both.shape, coefficients.shape[-1])

    def _outer(self, pairs: Sequence[tuple[Tensor, Tensor]], inner: Tensor) -> Tensor:
        """The sum over the other two, for each of P pairs of their polynomials, and the observed numbers: (M, P, O)."""
        both = torch.stack([(third[:, :, None] * fourth[:, None, :]).flatten(1) for third, fourth in pairs], 1)
        return both @ inner @ self.mixing
