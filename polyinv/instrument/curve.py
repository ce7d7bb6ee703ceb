r"""Effects of an SEC instrument on molar mass distributions: pure functions of curves and errors, differentiable.

Curves are :math:`w(\log_{10} M)` on the nodes of `polyinv.mmd`, (\*, 100). Errors are numbers or tensors (\*) that
broadcast against the rows; nothing here is random. Gradients go through curves and errors alike.
"""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from polyinv.mmd import BIN_EDGES, LOG_M, STEP
from polyinv.quantities import N_NODES

PIVOT = 4.5
"""log10 M in the middle of a calibration, where an error of its slope changes nothing."""
BASELINE = 3.0, 7.0
"""log10 M where the two ends of a baseline are anchored."""

ROUNDING = 1e-7
"""Share of the peak that a curve of zero may be below it, by rounding."""

Error = Tensor | float


def broaden(w: Tensor, sigma: Error) -> Tensor:
    r"""Gaussian broadening in log10 M (band broadening of the columns), by ``sigma`` decades.

    The kernel is the discrete Gaussian [Lindeberg, *IEEE Trans. Pattern Anal. Mach. Intell.* 12 (1990) 234]: exactly
    normalized, positive, of variance :math:`\sigma^2`, and two broadenings are one of
    :math:`\sqrt{\sigma_1^2 + \sigma_2^2}`. Mass is conserved: nothing leaves at the ends of the grid. Mw grows by
    :math:`e^{\sigma^2 \ln^2 10 / 2}` and Mn shrinks by it, but for 0.3 % of the exponent, the step of the grid.

    Example:
        >>> w = torch.zeros(100, dtype=torch.float64)
        >>> w[50] = 1.0
        >>> broaden(w, 0.08)[48:53].numpy().round(3)
        array([0.05 , 0.208, 0.466, 0.208, 0.05 ])
    """
    modes, rates = _modes(w.dtype)
    modes, rates = modes.to(w.device), rates.to(w.device)
    return ((w @ modes) * torch.exp(-_column(sigma, w).square() * rates)) @ modes.T


@cache
def _modes(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Eigenvectors (100, 100) of diffusion between neighbouring bins of a closed grid, and their decay per decade²."""
    k = torch.arange(N_NODES, dtype=torch.float64)
    modes = torch.cos(math.pi / N_NODES * (k[:, None] + 0.5) * k) * (2 / N_NODES) ** 0.5
    modes[:, 0] = N_NODES**-0.5
    return modes.to(dtype), ((1 - torch.cos(math.pi / N_NODES * k)) / STEP**2).to(dtype)


def miscalibrate(w: Tensor, offset: Error = 0.0, slope: Error = 0.0, pivot: float = PIVOT) -> Tensor:
    r"""Shift and stretch a curve along log10 M, as a wrong calibration does.

    What has the molar mass M is shown at :math:`\log_{10} M` + offset + slope × (:math:`\log_{10} M` - pivot). The mass
    of each bin goes where the bin goes, so that the area stays but for what leaves the grid. Between the edges of bins,
    the cumulated mass is interpolated by cubic convolution [Keys, *IEEE Trans. Acoust.* 29 (1981) 1153], which adds no
    width; next to a jump it may undershoot by a few per cent of it.

    Args:
        w: Curves, (*, 100).
        offset: In decades; a relative error e of all molar masses is ``e / ln 10``.
        slope: Relative error of the slope of the calibration, more than -1.
        pivot: log10 M that the slope leaves in place.
    """
    edges = torch.from_numpy(BIN_EDGES).to(w)
    true = (edges - pivot - _column(offset, w)) / (1 + _column(slope, w)) + pivot
    place = ((true - BIN_EDGES[0]) / STEP).clamp(0, N_NODES)
    left = place.detach().floor().clamp(max=N_NODES - 1)
    return _cumulated(w, place - left, left.long()).diff(dim=-1)


def _cumulated(w: Tensor, t: Tensor, number: Tensor) -> Tensor:
    """Sum of the nodes of curves up to the place t, 0 to 1, in the bins of these numbers; t and numbers (*, 101)."""
    before = torch.nn.functional.pad(w.cumsum(-1)[..., :-1], (1, 0))
    left, right = torch.nn.functional.pad(w[..., :-1], (1, 0)), torch.nn.functional.pad(w[..., 1:], (0, 1))
    linear, cubic = torch.lerp(left, w, 0.5), torch.lerp(left, right, 0.5) - w
    square = w - linear - cubic
    rows = np.broadcast_shapes(w.shape[:-1], number.shape[:-1])  # torch's imports sympy
    t, number = t.expand(*rows, -1), number.expand(*rows, -1)
    terms = (each.expand(*rows, -1).gather(-1, number) for each in (cubic, square, linear, before))
    total = next(terms)
    for term in terms:
        total = torch.addcmul(term, t, total)
    return total


def add_baseline(w: Tensor, low: Error, high: Error) -> Tensor:
    """Add a baseline that drifted: a straight line over log10 M between its ends at ``BASELINE``, and none beyond them.

    It is drawn where a polymer is looked for; carried on to oligomers, it would make more chains there than there are.

    Args:
        w: Curves, (*, 100).
        low: Height of the low end, as a share of the peak; may be negative.
        high: Height of the high end.
    """
    place = ((torch.from_numpy(LOG_M) - BASELINE[0]) / (BASELINE[1] - BASELINE[0])).to(w)
    low, high = _column(low, w), _column(high, w)
    return w + w.amax(-1, keepdim=True) * (low + (high - low) * place) * ((place >= 0) & (place <= 1))


def add_noise(w: Tensor, standard: Tensor, sd: Error) -> Tensor:
    """Add the noise of a detector, alike at all heights.

    Args:
        w: Curves, (*, 100).
        standard: Standard normal numbers, (*, 100).
        sd: Standard deviation of the noise, as a share of the peak.
    """
    return w + w.amax(-1, keepdim=True) * _column(sd, w) * standard


def cut_ends(w: Tensor, low: Error = -math.inf, high: Error = math.inf) -> Tensor:
    """Cut curves off below ``low`` and above ``high``, in log10 M; a bin that is cut through keeps its share.

    The limit of what an instrument separates is such a cut, see `polyinv.mmd.OLIGOMERS`. The area shrinks by the mass
    that is cut off; `unit_area` mends it.

    Example:
        >>> cut_ends(torch.ones(100), 3.0, 3.12)[36:40]  # bins from 2.92, 3.00, 3.08 and 3.16 on
        tensor([0.0000, 1.0000, 0.5000, 0.0000])
    """
    edges = torch.from_numpy(BIN_EDGES).to(w)
    left, right = edges[:-1].maximum(_column(low, w)), edges[1:].minimum(_column(high, w))
    return w * ((right - left) / STEP).clamp(0, 1)


def ends_at(w: Tensor, low: Error, high: Error) -> tuple[Tensor, Tensor]:
    """Ends of curves (*) in log10 M: the edges of bins within which, from the peak on, they stay above a share of it.

    Args:
        w: Curves, (*, 100).
        low: Share of the peak that the low end falls below; 0 takes all that is not negative.
        high: That of the high end.
    """
    peak, top = w.max(-1, keepdim=True)
    node = torch.arange(N_NODES, dtype=torch.int16, device=w.device)
    lowest, highest = ((_column(share, w) - ROUNDING) * peak for share in (low, high))
    before = ((w < lowest) & (node < top)) * (node + 1)
    after = ((w < highest) & (node > top)) * (N_NODES - node)
    edges = torch.from_numpy(BIN_EDGES).to(w)
    return edges[before.amax(-1).long()], edges[N_NODES - after.amax(-1).long()]


def unit_area(w: Tensor) -> Tensor:
    """Normalize curves (*, 100) to unit area."""
    return w / (w.sum(-1, keepdim=True) * STEP)


def mean_molar_masses(w: Tensor) -> tuple[Tensor, Tensor]:
    """Mn and Mw in g/mol, (*) each, as an SEC program computes them from the slices of a curve (*, 100).

    See `polyinv.mmd.mean_molar_masses`, which does the same to arrays.
    """
    molar_mass = torch.from_numpy(10.0**LOG_M).to(w)
    mass = w.sum(-1)
    return mass / (w @ (1 / molar_mass)), (w @ molar_mass) / mass


def _column(error: Error, w: Tensor) -> Tensor:
    """An error for each row as a column, (*, 1)."""
    return torch.as_tensor(error, dtype=w.dtype, device=w.device)[..., None]
