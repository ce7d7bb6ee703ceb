r"""Chain length distribution of the chains that die at one instant, in closed form.

In the quasi-steady state every radical that is to grow by one unit does so with the same probability :math:`q`,
whatever its length: a chain-end radical S adds a unit or turns into a mid-chain radical Q, and Q either returns or
dies, so that :math:`Q_n` is proportional to :math:`S_n` and both are geometric. With :math:`p = 1 - q` the
instantaneous dead chains are

- a Flory (geometric) distribution :math:`p\,q^{n-1}` from transfer and disproportionation, and
- its self-convolution :math:`(n-1)\,p^2 q^{n-2}` from combination.

The geometric distribution has no memory, which gives the sums over all :math:`n > N` at once. A Flory chain is longer
than N with probability :math:`q^N`, and then has length :math:`N + X`, X being a fresh Flory length. A combined chain
is longer than N either because neither half has ended, with probability :math:`q^N`, and then has length :math:`N +
X_1 + X_2`; or because just one has, with probability :math:`N p q^{N-1}`, and then has length :math:`N + X`. Hence
:math:`q^N` times a cubic polynomial in N.

A molar mass distribution is smooth: a chain of n units stands for all masses between :math:`n - 1/2` and :math:`n +
1/2` units, evenly, and the bins that this interval meets share it. Whole lengths counted bin by bin would leave a comb
below some 10⁴ g/mol, where a bin is a few units wide, that no measured curve has. An edge of a bin cuts the interval of
one length, :math:`N + 1`; what lies beyond the edge are the chains longer than N, less the share of this length that
lies below it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from polyinv.mmd import BIN_EDGES


@dataclass(frozen=True)
class ChainEnds:
    """Dead chains made by one time step, as amounts in mol/L; all tensors of one shape.

    Args:
        p: Probability that a radical dies rather than grows by one more unit; mean Flory length 1/p.
        flory: Chains from transfer and disproportionation.
        combined: Chains from combination.
    """

    p: Tensor
    flory: Tensor
    combined: Tensor


def moments_beyond(length: Tensor, chains: ChainEnds, below: Tensor | float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    r"""Moments :math:`\sum_{n>N} n^j c_n`, j = 0, 1, 2, of the chains longer than N, less a share of those of N + 1.

    Args:
        length: N, whole numbers; broadcasts against the tensors of ``chains``.
        chains: The chains.
        below: Share of the chains of N + 1 units that is left out; broadcasts likewise.

    Returns:
        Chains, monomer units in them, and second moment, each in mol/L. N = 0 gives the moments of all chains.

    Example:
        >>> flory = ChainEnds(torch.tensor(0.01), flory=torch.tensor(2.0), combined=torch.tensor(0.0))
        >>> [round(float(moment), 3) for moment in moments_beyond(torch.tensor(0.0), flory)]
        [2.0, 200.0, 39800.0]
    """
    p, flory, combined, N = chains.p, chains.flory, chains.combined, length
    survival = torch.exp(N * torch.log1p(-p))  # q^N
    one_ended = combined * p / (1 - p)  # times N: combined chains of which one half ended within N units
    mean, square = 1 / p, (2 - p) / p**2  # E[X], E[X²] of a Flory length
    single = [flory, flory * mean, flory * square]  # fresh lengths beyond N with weight one ...
    single[1] = single[1] + combined * 2 * mean  # ... where E[X1 + X2] = 2/p
    single[2] = single[2] + combined * (2 * square + 2 * mean**2)
    number = flory + combined
    zeroth = number + N * one_ended
    first = single[1] + N * (number + one_ended * mean + N * one_ended)
    linear = 2 * single[1] + one_ended * square
    second = single[2] + N * (linear + N * (number + 2 * one_ended * mean + N * one_ended))
    cut = below * p * (flory + N * one_ended)  # of N + 1 units
    parts = zeroth - cut, first - (N + 1) * cut, second - (N + 1) ** 2 * cut
    return survival * parts[0], survival * parts[1], survival * parts[2]


def cuts(monomer_molar_mass: float) -> tuple[np.ndarray, np.ndarray]:
    """How the bin edges cut the chain lengths, (101,) each.

    Returns:
        The longest chain N that lies wholly below each edge, in units; and the share of the chains of N + 1 units that
        does.

    Example:
        >>> N, below = cuts(100.0)
        >>> float(N[40]), float(below[40].round(3))  # at 10^3.24 g/mol, or 17.38 units
        (16.0, 0.878)
    """
    edges = 10.0**BIN_EDGES / monomer_molar_mass
    lengths = np.maximum(np.floor(edges + 0.5) - 1, 0.0)
    return lengths, np.maximum(edges - lengths - 0.5, 0.0)


def spread(monomer_molar_mass: float) -> tuple[np.ndarray, np.ndarray]:
    """How chains counted by their length are spread over the bins.

    Returns:
        The longest chain of each of C classes but the last, (C - 1,), in units; every length of a class meets the same
        bins in the same shares. And these shares, (C, 100).
    """
    lengths, below = cuts(monomer_molar_mass)
    ends = np.unique(np.concatenate([lengths[1:-1], lengths[1:-1] + 1]).astype(np.int64))
    first = np.concatenate([[0], ends])[:, None] + 1  # a length of each class
    under = np.where(first <= lengths, 1.0, np.where(first == lengths + 1, below, 0.0))  # share of it below each edge
    under[:, 0], under[:, -1] = 0.0, 1.0  # the outer bins are open
    return ends, np.diff(under, axis=1)
