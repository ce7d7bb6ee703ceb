"""From slices of the elution to w(log10 M): a signal over the slope of its calibration, a share over the width."""

import re

import numpy as np

from polyinv.data.files.curves import Source
from polyinv.data.files.names import letters
from polyinv.data.files.numbers import number
from polyinv.data.files.points import NOISE, Points
from polyinv.data.files.units import split_unit

MOST = 1e6
"""Elution time or volume, in any unit."""
STRAIGHT = 1.03
"""Largest ratio of slopes of a calibration that passes for a straight line."""
_SHARE = re.compile(
    r"(slice)?(weight|wt|mass|w)(fraction|percent|pct|share)?|(massen|gewichts)(anteil|bruch|prozent)|"
    r"fracci?on(enpeso|masica|massique|enmasse|enpoids)"
)
_NUMBER_SHARE = re.compile(r"(number|mole|molar)fraction|(zahlen|stoffmengen|anzahl)anteil|molenbruch|fraccionmolar")


def over_slope(source: Source, points: Points, log_m: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Divide a signal by the slope of the calibration, where the file has the elution time or volume of its points."""
    if source.run is None or len(log_m) != len(points.rows):
        return w, []
    rows = {row: k for k, row in enumerate(source.block.rows)}
    cells = [source.run.cells[rows[row]] if row in rows else "" for row in points.rows]
    values = [number(cell, points.decimal) for cell in cells]
    if any(value is None for value in values):
        return w, []
    v = np.array(values, dtype=float)
    if len(np.unique(v)) < len(v) or np.abs(v).max() > MOST:  # no elution takes so long
        return w, []
    v = (v - v.mean()) / np.ptp(v)
    high = w > NOISE * w.max()
    fit = np.polynomial.Polynomial.fit(v, log_m, min(5, len(v) // 4))
    slope = np.abs(fit.deriv()(v))
    if not high.any() or np.abs(fit(v) - log_m)[high].max() > 0.02 or slope[high].min() <= 0:
        return w, []
    ratio = slope[high].max() / slope[high].min()
    if ratio < STRAIGHT:
        return w, []
    note = f"the signal is divided by the slope of log10 M over {source.run.label}, which varies {ratio:.2f}-fold"
    return w / np.maximum(slope, slope[high].min()), [note]


def are_shares(source: Source, points: Points) -> bool:
    """Whether an ordinate holds shares of the mass or the number: it is called so, and its sum is 1 or 100 %."""
    total = float(points.y.sum())
    called = letters(split_unit(source.y.name.text)[0])
    return any(each.fullmatch(called) for each in (_SHARE, _NUMBER_SHARE)) and (
        abs(total - 1) < 0.01 or abs(total - 100) < 1
    )


def over_width(source: Source, log_m: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Divide the shares of slices by their width in log10 M."""
    note = f"column {source.y.label} holds shares of the slices, which are divided by their width in log10 M"
    return w / np.abs(np.gradient(log_m)), [note]
