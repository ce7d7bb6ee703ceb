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


def moments_beyond(length: Tensor, chains: ChainEnds) -> tuple[Tensor, Tensor, Tensor]:
    r"""Moments :math:`\sum_{n>N} n^j c_n`, j = 0, 1, 2, of the chains longer than N.

    Args:
        length: N, whole numbers; broadcasts against the tensors of ``chains``.
        chains: The chains.

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
    return survival * zeroth, survival * first, survival * second


def bin_lengths(monomer_molar_mass: float, *, like: Tensor) -> Tensor:
    """Longest chain below each bin edge, in monomer units; shape (101,), dtype and device of ``like``."""
    return torch.as_tensor(np.floor(10.0**BIN_EDGES / monomer_molar_mass), dtype=like.dtype, device=like.device)
