r"""Kernel density of a cloud of points: proposals that know a curved ridge from one end to the other.

Around each point stands a kernel whose covariance is that of its nearest neighbours, so that together they follow the
cloud wherever it bends. The kernels are Student's, :math:`(1 + q/\nu)^{-4}` with :math:`\nu = 8 - D`: their tails are
heavier than those of what is sampled.
"""

import math

import torch
from torch import Tensor

NEIGHBOURS = 30
"""Of each point, itself among them."""
WIDTH = 0.7
"""Of a kernel, as a multiple of the spread of its neighbours."""
POWER = 8
"""Of the tails: freedom and dimensions together."""
FLAT = 1e-5
"""Least variance of a kernel in any direction, as a share of the mean over the directions."""
THIN = 1e-14
"""Likewise of all points together."""
ROUNDING = 1e-24
"""Least variance of points that coincide."""


class Kernels:
    """Mixture of kernels at points.

    Args:
        points: (N, D), D < 8; those that coincide count as one with more weight.
    """

    def __init__(self, points: Tensor) -> None:
        places, counts = points.unique(dim=0, return_counts=True)
        share = counts.to(points) / len(points)
        self.middle = share @ places
        apart = places - self.middle
        spread = apart.T @ (share[:, None] * apart)
        self.scale = torch.linalg.cholesky(spread + _ridge(spread, THIN))
        self.places = self._scaled(places)
        near = torch.cdist(self.places, self.places).topk(min(NEIGHBOURS, len(places)), largest=False).indices
        weight = share[near] / share[near].sum(-1, keepdim=True)
        apart = self.places[near] - self.places[:, None]
        covariance = WIDTH**2 * apart.mT @ (weight[..., None] * apart)
        self.root = torch.linalg.cholesky(covariance + _ridge(covariance, FLAT))
        inverse = torch.cholesky_inverse(self.root)
        turned = (inverse @ self.places[..., None])[..., 0]
        # The squared distance from each kernel is linear in the products of coordinates.
        self.quadratic = torch.cat([inverse.flatten(1), -2 * turned, (turned * self.places).sum(-1, keepdim=True)], -1)
        height = -self.root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        self.highest = height.max() - self.scale.diagonal().log().sum() + _log_peak(places.shape[1])
        self.height, self.share = share * (height - height.max()).exp(), share

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw points, (count, D)."""
        D, freedom = self.places.shape[1], POWER - self.places.shape[1]
        at = torch.multinomial(self.share, count, replacement=True, generator=generator)
        normal = torch.randn(count, D, generator=generator, dtype=self.places.dtype)
        squares = torch.randn(count, freedom, generator=generator, dtype=self.places.dtype).square().sum(-1)
        student = normal * (freedom / squares).sqrt()[:, None]
        scaled = self.places[at] + (self.root[at] @ student[..., None])[..., 0]
        return self.middle + scaled @ self.scale.T

    def log_density(self, points: Tensor) -> Tensor:
        """Logarithm of the density at points (M, D), (M,)."""
        scaled = self._scaled(points)
        products = (scaled[:, :, None] * scaled[:, None, :]).flatten(1)
        numbers = torch.cat([products, scaled, torch.ones_like(scaled[:, :1])], -1)
        squares = (numbers @ self.quadratic.T).clamp_(min=0).div_(POWER - scaled.shape[1]).add_(1)
        return (squares.square_().square_().reciprocal_() @ self.height).log() + self.highest

    def _scaled(self, points: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(self.scale, (points - self.middle).T, upper=False).T


def _log_peak(dimensions: int) -> float:
    """Logarithm of the density of Student's kernel at its centre, in that many dimensions."""
    freedom = POWER - dimensions
    return math.lgamma(POWER / 2) - math.lgamma(freedom / 2) - dimensions / 2 * math.log(freedom * math.pi)


def _ridge(covariance: Tensor, share: float) -> Tensor:
    """Small multiples of the identity beside covariances (*, D, D)."""
    mean = covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    return (share * mean + ROUNDING) * torch.eye(covariance.shape[-1], dtype=covariance.dtype)
