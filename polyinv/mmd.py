r"""The molar mass distribution as a curve: its grid, its area, its means.

A curve is :math:`w(\log_{10} M)`, the mass fraction per decade of molar mass, on 100 nodes at multiples of 0.08 in
:math:`\log_{10}(M / \mathrm{g\,mol^{-1}})`. The value at a node is the mean over its bin, half a step to either side,
so that ``w.sum() * STEP`` is the mass that lies on the grid: a histogram of chains and a computed curve mean the same
thing.
"""

import numpy as np

from polyinv.quantities import N_NODES

STEP = 0.08
LOG_M = STEP * np.arange(1, N_NODES + 1)
"""log10 of the molar mass at the nodes, shape (100,)."""
BIN_EDGES = STEP * (np.arange(N_NODES + 1) + 0.5)
"""log10 of the molar mass at the bin edges, shape (101,)."""


def area(w: np.ndarray) -> np.ndarray:
    """Area under curves of shape (*, 100); shape (*)."""
    return w.sum(-1) * STEP


def unit_area(w: np.ndarray) -> np.ndarray:
    """Curves of shape (*, 100), each divided by its area.

    Example:
        >>> float(area(unit_area(np.exp(-(LOG_M - 4.0) ** 2))).round(12))
        1.0
    """
    return w / area(w)[..., None]


def mean_molar_masses(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Mn and Mw of curves of shape (*, 100), in g/mol; two arrays of shape (*).

    :math:`M_n = \int w \,/ \int w M^{-1}` and :math:`M_w = \int w M \,/ \int w`, every bin taken at its node. Inside
    a bin of 0.08 decades M spreads by 5 %, so both means are blurred by up to 0.3 %, and Mn by more where short
    chains carry weight.
    """
    molar_mass = 10.0**LOG_M
    return w.sum(-1) / (w / molar_mass).sum(-1), (w * molar_mass).sum(-1) / w.sum(-1)
