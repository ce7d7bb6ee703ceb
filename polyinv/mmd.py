r"""Molar mass distribution (MMD) as a curve: its grid, its area, its means.

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
OLIGOMERS = 3.0
"""log10 of the molar mass below which single oligomers stand apart in a polymer, which no instrument separates."""
NODE_TOLERANCE = 2.5e-3
"""How far, in decades, a point may be from a node and still mean it: as much as M written with three digits."""


def area(w: np.ndarray) -> np.ndarray:
    """Area under curves of shape (*, 100); shape (*)."""
    return w.sum(-1) * STEP


def unit_area(w: np.ndarray) -> np.ndarray:
    """Normalize curves of shape (*, 100) to unit area.

    Example:
        >>> float(area(unit_area(np.exp(-(LOG_M - 4.0) ** 2))).round(12))
        1.0
    """
    return w / area(w)[..., None]


def without_oligomers(w: np.ndarray) -> np.ndarray:
    """Cut curves of shape (*, 100) off below ``OLIGOMERS``, unit area; NaN where nothing is left.

    Example:
        >>> float(without_oligomers(np.ones(100))[LOG_M < 3].sum())
        0.0
    """
    with np.errstate(invalid="ignore"):
        return unit_area(np.where(LOG_M >= OLIGOMERS, w, 0.0))


def mean_molar_masses(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Mn and Mw of curves of shape (*, 100), in g/mol; two arrays of shape (*).

    :math:`M_n = \int w \,/ \int w M^{-1}` and :math:`M_w = \int w M \,/ \int w`, every bin taken at its node. Inside
    a bin of 0.08 decades M spreads by 5 %, so both means are blurred by up to 0.3 %, and Mn by more where short
    chains carry weight.
    """
    molar_mass = 10.0**LOG_M
    return w.sum(-1) / (w / molar_mass).sum(-1), (w * molar_mass).sum(-1) / w.sum(-1)


def resample(log_m: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Resample a curve given at other points onto the grid: the means over the bins, shape (100,).

    The curve runs smoothly from point to point, never beyond either (monotone cubic pieces), and is zero beyond the
    outermost. Its integral over each bin is exact, so what lies on the grid keeps its area whatever the spacing of the
    points. Straight lines would cut off peaks: at 0.1 decades from point to point they lose ten times as much.

    A run of the grid's own nodes comes back as it stands: their values are bin means already, and a line through them,
    averaged once more, would have every peak blurred.

    Args:
        log_m: log10 of the molar mass in g/mol, increasing, shape (P,) with P > 1.
        w: w(log10 M) there, not negative, shape (P,).

    Example:
        >>> points = np.arange(3.96, 4.30, 0.04)
        >>> float((resample(points, points - 3.96).sum() * STEP).round(12))  # a triangle, 0.32 wide and high
        0.0512
    """
    nearest = np.rint(log_m / STEP).astype(int)
    if (np.diff(nearest) == 1).all() and np.abs(log_m - STEP * nearest).max() < NODE_TOLERANCE:
        inside = (nearest >= 1) & (nearest <= N_NODES)
        return np.bincount(nearest[inside] - 1, w[inside], N_NODES)
    w = np.where(w > 1e-12 * w.max(), w, 0.0)  # whose slopes could not be divided by
    means = np.diff(_integral(log_m, w, np.clip(BIN_EDGES, log_m[0], log_m[-1]))) / STEP
    return np.maximum(means, 0.0)  # differences of the integral may be below zero in the last digit


def _integral(x: np.ndarray, y: np.ndarray, until: np.ndarray) -> np.ndarray:
    """Integral from the first point of the monotone cubic pieces through points (P,), until places within them.

    As ``scipy.interpolate.PchipInterpolator(x, y).antiderivative()``, whose import takes a third of a second.
    """
    h, slopes = np.diff(x), _monotone_slopes(x, y)
    below = np.concatenate([[0.0], np.cumsum(h * (y[:-1] + y[1:]) / 2 + h**2 * (slopes[:-1] - slopes[1:]) / 12)])
    at = np.clip(np.searchsorted(x, until, side="right") - 1, 0, len(h) - 1)
    h, t = h[at], (until - x[at]) / h[at]
    of_values = y[at] * (t - t**3 + t**4 / 2) + y[at + 1] * (t**3 - t**4 / 2)
    of_slopes = slopes[at] * (t**2 / 2 - 2 * t**3 / 3 + t**4 / 4) + slopes[at + 1] * (t**4 / 4 - t**3 / 3)
    return below[at] + h * (of_values + h * of_slopes)


def _monotone_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes at points (P,) of monotone cubic pieces [Fritsch, Butland, *SIAM J. Sci. Stat. Comput.* 5 (1984) 300].

    Inside, the harmonic mean of the slopes to either side, or zero at an extremum; at the ends that of a parabola
    through three points, as far as it stays monotone [Moler, *Numerical Computing with MATLAB*, 3.6].
    """
    h, m = np.diff(x), np.diff(y) / np.diff(x)
    if len(m) == 1:
        return np.repeat(m, 2)
    left, right = h[1:] + 2 * h[:-1], 2 * h[1:] + h[:-1]
    monotone = m[:-1] * m[1:] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(monotone, (left + right) / (right / m[:-1] + left / m[1:]), 0.0)
    first, last = _slope_at_end(*h[:2], *m[:2]), _slope_at_end(*h[:-3:-1], *m[:-3:-1])
    return np.concatenate([[first], inside, [last]])


def _slope_at_end(h: float, next_h: float, m: float, next_m: float) -> float:
    """Slope at an end, from the lengths and slopes of the two pieces next to it."""
    slope = ((2 * h + next_h) * m - h * next_m) / (h + next_h)
    if slope * m <= 0:
        return 0.0
    return 3 * m if m * next_m <= 0 and abs(slope) > 3 * abs(m) else slope
