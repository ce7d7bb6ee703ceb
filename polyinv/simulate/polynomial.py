r"""Polynomial surrogate of the forward model, for recipes of the box, in microseconds.

Every observed number is interpolated at Chebyshev nodes in the four values of the recipe, temperature as it is and the
others by their logarithm, which makes them smooth; the interpolation converges faster than any power of the number of
nodes [Trefethen, *Approximation Theory and Approximation Practice*]. The numbers of all nodes move together, so that
few combinations of them carry everything.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.simulate.observed import OBSERVED, observe
from polyinv.simulate.recipes import from_unit

VALUES, NODES = 4, 9
"""Values of a recipe, and Chebyshev nodes along each of them: errors are then a third of the noise of 1e7
chains at most."""
NEGLIGIBLE = 1e-6
"""Combinations of the observed numbers smaller than this share of the largest are left out."""


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
    def interpolate(cls, system: System, nodes: int = NODES) -> "Polynomial":
        """Interpolate a system of four recipe values; some 30 µs of one core for each of ``nodes`` to the fourth."""
        angles = math.pi * (torch.arange(nodes).double() + 0.5) / nodes
        grid = torch.cartesian_prod(*[angles.cos()] * VALUES)
        values = observe(from_unit(grid, system), system.chemistry).view(*[nodes] * VALUES, -1)
        transform = torch.cos(torch.arange(nodes)[:, None] * angles) * 2 / nodes
        transform[0] /= 2
        coefficients = torch.einsum("ia,jb,kc,ld,abcdo->ijklo", *[transform] * VALUES, values)
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
        """Evaluate the observed numbers (M, O) at points (M, 4) of the unit box; beyond it at its wall."""
        first, second, third, fourth = self._basis(unit)
        return self._outer(self._inner(first, second), third, fourth)

    def with_slopes(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the observed numbers (M, O) at points (M, 4), and their slopes (M, O, 4) there."""
        values = self._basis(unit)
        angle = unit.clamp(-1 + 1e-12, 1 - 1e-12).acos()[..., None]
        order = torch.arange(values[0].shape[-1])
        steep = (order * torch.sin(order * angle) / torch.sin(angle)).unbind(1)  # T_n' = n U_(n-1)
        inner = self._inner(*values[:2])
        slopes = [
            self._outer(self._inner(steep[0], values[1]), *values[2:]),
            self._outer(self._inner(values[0], steep[1]), *values[2:]),
            self._outer(inner, steep[2], values[3]),
            self._outer(inner, values[2], steep[3]),
        ]
        return self._outer(inner, *values[2:]), torch.stack(slopes, -1)

    def _basis(self, unit: Tensor) -> tuple[Tensor, ...]:
        """Chebyshev polynomials of each of the four values, (M, nodes) each."""
        angle = unit.clamp(-1, 1).acos()[..., None]
        return torch.cos(torch.arange(self.coefficients.shape[0]) * angle).unbind(1)

    def _inner(self, first: Tensor, second: Tensor) -> Tensor:
        """The sum over the first two values of the recipe, which costs most: (M, nodes², K)."""
        both = (first[:, :, None] * second[:, None, :]).flatten(1)
        return (both @ self.coefficients.flatten(0, 1).flatten(1)).view(*both.shape, -1)

    def _outer(self, inner: Tensor, third: Tensor, fourth: Tensor) -> Tensor:
        """The sum over the other two, and the observed numbers: (M, O)."""
        both = (third[:, :, None] * fourth[:, None, :]).flatten(1)
        return torch.einsum("mj,mjk->mk", both, inner) @ self.mixing
