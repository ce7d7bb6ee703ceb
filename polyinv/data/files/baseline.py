"""Baseline of a curve or a chromatogram: what is taken off, what passes for noise, what is cut off at the ends."""

import numpy as np

from polyinv.data.files.points import NOISE, means_between
from polyinv.errors import InputError

ENDS = 0.05
"""Share of the points at either end through which a linear baseline goes."""
SPIKE = 0.5
"""Share of the curve in one point from which on it is said."""
OFFSET = 0.05
"""Share of the peak: a curve that ends above it on both sides has an offset, and on one side is cut off."""
MOVED = 0.01
"""Relative change of a mean by noise from which on it is said."""


def _through_ends(log_m: np.ndarray, y: np.ndarray) -> np.ndarray:
    count = max(1, round(ENDS * len(y)))
    (x0, x1), (y0, y1) = ((each[:count].mean(), each[-count:].mean()) for each in (log_m, y))
    return y0 + (y1 - y0) * (log_m - x0) / (x1 - x0)


def above_baseline(x: np.ndarray, y: np.ndarray, baseline: str, place: str) -> tuple[np.ndarray, np.ndarray]:
    """Subtract a baseline over x from an ordinate; both are scaled by its largest value.

    Returns:
        What is above the line, and the line, shape (P,) each.

    Raises:
        InputError: Nothing is above it.
    """
    y = y / (np.abs(y).max() or 1)
    line = _through_ends(x, y) if baseline == "linear" else np.zeros_like(y)
    if (y - line).max() < 1e-9:
        raise InputError(f"{place}: the ordinate is nowhere above zero; needs w or a signal with a peak upwards")
    return y - line, line


def without_noise(
    log_m: np.ndarray, w: np.ndarray, y: np.ndarray, rows: np.ndarray, place: str, baseline: str | None
) -> tuple[np.ndarray, list[str], list[str]]:
    """Set small negative values of w to zero, with a note on it, and a warning where that moves the means.

    Args:
        log_m: log10 of the molar mass, shape (P,).
        w: Ordinate above its baseline, shape (P,).
        y: What the file holds there, shape (P,).
        rows: Rows of the file, shape (P,).
        place: Of the file, in errors.
        baseline: What was taken off.

    Raises:
        InputError: They are larger than noise.
    """
    lowest, depth = w.argmin(), -w.min() / w.max()
    if depth > NOISE:
        below = "the baseline" if baseline == "linear" else "zero; baseline linear takes off a drift"
        raise InputError(
            f"{place}, row {rows[lowest]}: the ordinate holds {y[lowest]:g}, "
            f"{depth:.0%} of the peak below {below}; up to {NOISE:.0%} passes for noise"
        )
    count = (w < 0).sum()
    note = f"{count} values below zero, by at most {depth:.2%} of the peak, are set to zero"
    above = np.maximum(w, 0)
    moved = zip(("Mn", "Mw"), means_between(log_m, above), means_between(log_m, w), strict=True) if count else ()
    changes = [(name, now / before - 1) for name, now, before in moved]
    far = [f"{name} by {change:+.0%}" for name, change in changes if not abs(change) <= MOVED]
    warning = f"noise set to zero below the baseline moves {' and '.join(far)}; cut the curve where its peak ends"
    return above, [note] * bool(count), [warning] * bool(far)


def spike(log_m: np.ndarray, raw: np.ndarray) -> list[str]:
    """Warn where one point holds more than half of a curve."""
    at = int(raw.argmax())
    share = float(raw[at] * np.gradient(log_m)[at] / np.trapezoid(raw, log_m))
    return [f"one point, at log10 M {log_m[at]:.4g}, holds {share:.0%} of the curve: an outlier?"] * (share > SPIKE)


def ends(log_m: np.ndarray, raw: np.ndarray, place: str, baseline: str | None) -> tuple[list[str], list[str]]:
    """Say where a curve ends high above zero: notes, and warnings.

    Raises:
        InputError: It does on both sides, and no baseline is stated.
    """
    high = raw[[0, -1]] / raw.max()
    if baseline is None and high.min() > OFFSET:
        raise InputError(
            f"{place}: the curve ends at {high[0]:.0%} and {high[1]:.0%} of its peak, as with an offset; "
            "--baseline linear takes it off, --baseline none says that there is none"
        )
    hint = "" if baseline == "linear" else "; baseline linear takes off an offset"
    said = [
        f"the curve ends at log10 M {log_m[end]:.3g} with {high[end]:.0%} of its peak: cut off there{hint}"
        for end in (0, -1)
    ]
    notes = [each for each, share in zip(said, high, strict=True) if NOISE < share <= OFFSET]
    return notes, [each for each, share in zip(said, high, strict=True) if share > OFFSET]
