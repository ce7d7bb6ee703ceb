r"""Densities on an interval: mixtures of logistic distributions that are cut off at its ends.

Ridges of recipes run into the walls of the box with full density, which a density that falls off towards them cannot
say. A truncated logistic has everything in closed form: with :math:`t = (z - m) / s`,

.. math:: p(z) = \frac{\sigma(t)\,\sigma(-t)}{s\,(\sigma(b) - \sigma(a))}, \qquad
    F(z) = \frac{\sigma(t) - \sigma(a)}{\sigma(b) - \sigma(a)},

a and b being t at the ends. All is computed by logarithms, so that a component may lie outside the interval.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from polyinv.simulate.snapshots import mapped

NODES = 32
"""Of the quadrature over the quantiles of a component, for its moments."""
HALVINGS = 40
"""Of the interval, to find a quantile of a mixture: to 1e-12 of its width."""


@dataclass(frozen=True, eq=False)
class TruncatedLogistics:
    """Mixtures of K truncated logistic distributions, as many as there are in the leading dimensions.

    Args:
        low, high: Ends of the intervals, (*,).
        logits: Logarithms of the shares of the components, not normalized, (*, K).
        location, scale: Of the components before they are cut off, (*, K).
    """

    low: Tensor
    high: Tensor
    logits: Tensor
    location: Tensor
    scale: Tensor

    def __getitem__(self, index: object) -> Self:
        """Some of the mixtures, by leading dimensions."""
        return mapped(self, lambda part: part[index])  # type: ignore[index]

    def repeated(self, times: int) -> Self:
        """Each mixture that many times, one after the other along the last dimension of (*,)."""
        dim = self.low.ndim - 1
        return mapped(self, lambda part: part.repeat_interleave(times, dim=dim))

    def double(self) -> Self:
        """The same in double precision."""
        return mapped(self, torch.Tensor.double)

    @property
    def _ends(self) -> tuple[Tensor, Tensor]:
        return (self.low[..., None] - self.location) / self.scale, (self.high[..., None] - self.location) / self.scale

    @property
    def _log_share(self) -> Tensor:
        return torch.log_softmax(self.logits, -1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Logarithm of the density at points (*,) of the intervals."""
        low, high = self._ends
        t = (z[..., None] - self.location) / self.scale
        inside = logsigmoid(high) + logsigmoid(-low) + _log1mexp(low - high)
        each = logsigmoid(t) + logsigmoid(-t) - inside - self.scale.log()
        return (self._log_share + each).logsumexp(-1)

    def cdf(self, z: Tensor) -> Tensor:
        """Probability (*,) of less than points (*,) of the intervals."""
        return self._below()(z)

    def _below(self) -> Callable[[Tensor], Tensor]:
        """`cdf`, with what is the same for all points."""
        low, high = self._ends
        whole = self._log_share - logsigmoid(high) - _log1mexp(low - high)

        def below(z: Tensor) -> Tensor:
            t = (z[..., None] - self.location) / self.scale
            return (whole + logsigmoid(t) + _log1mexp(low - t)).exp().sum(-1).clamp(0, 1)

        return below

    def icdf(self, p: Tensor) -> Tensor:
        """Quantiles (*,) of probabilities (*,), by halving the interval."""
        low, high, share_below = self.low.expand(p.shape), self.high.expand(p.shape), self._below()
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below = share_below(middle) < p
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2

    def drawn(self, choice: Tensor, p: Tensor) -> Tensor:
        """Draw by two uniform numbers (*,): which component, and where in it."""
        at = torch.searchsorted(self._log_share.exp().cumsum(-1).contiguous(), choice[..., None].contiguous())
        at = at.clamp(max=self.logits.shape[-1] - 1)
        low, high = (end.expand(self.logits.shape).gather(-1, at)[..., 0] for end in self._ends)
        location, scale = (part.gather(-1, at)[..., 0] for part in (self.location, self.scale))
        return (location + scale * _quantile(low, high, p)).maximum(self.low).minimum(self.high)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Means and variances, (*,) each."""
        nodes, weights = (torch.from_numpy(part).to(self.location) for part in _quadrature())
        low, high = (end[..., None] for end in self._ends)
        z = self.location[..., None] + self.scale[..., None] * _quantile(low, high, nodes)
        z = z.maximum(self.low[..., None, None]).minimum(self.high[..., None, None])
        share = self._log_share.exp()
        mean = (share * (z @ weights)).sum(-1)
        apart = (z - mean[..., None, None]).square() @ weights
        return mean, (share * apart).sum(-1)

    def about(self) -> Tensor:
        """Means (*,) at a glance: of the locations, which are off by what the ends cut away."""
        within = self.location.maximum(self.low[..., None]).minimum(self.high[..., None])
        return (self._log_share.exp() * within).sum(-1)


def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes between 0 and 1 and their weights, closer to the ends, where quantiles are steep."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    x = (nodes + 1) / 2
    return x**2 * (3 - 2 * x), weights / 2 * 6 * x * (1 - x)


def _quantile(low: Tensor, high: Tensor, p: Tensor) -> Tensor:
    """Where a standard logistic distribution between two ends has its quantile p: the logit of what lies below."""
    left, right = torch.log1p(-p), p.log()
    below = torch.logaddexp(left + logsigmoid(low), right + logsigmoid(high))
    above = torch.logaddexp(left + logsigmoid(-low), right + logsigmoid(-high))
    return below - above


def _log1mexp(x: Tensor) -> Tensor:
    """Logarithm of 1 - exp(x) for x below 0 [Maechler 2012]."""
    x = x.clamp(max=-1e-30)
    return torch.where(x > -0.6931, (-torch.expm1(x)).log(), torch.log1p(-x.clamp(max=-0.5).exp()))
