"""From the points of a curve to w(log10 M) on the grid: units, kinds of ordinate, baseline, noise, what is cut off."""

from dataclasses import dataclass, replace

import numpy as np

from polyinv.data.files.baseline import above_baseline, ends, spike, without_noise
from polyinv.data.files.curves import LEAST_POINTS, Source
from polyinv.data.files.names import AXES
from polyinv.data.files.numbers import number
from polyinv.data.files.options import SIGNALS, UNITS, Options
from polyinv.data.files.points import Points, means_between
from polyinv.data.files.slices import are_shares, over_slope, over_width
from polyinv.errors import InputError
from polyinv.mmd import BIN_EDGES, area, resample, unit_area

LOG_RANGE = (-1.0, 10.0)
"""An abscissa without a known name is log10 M if all of it lies in here, M otherwise."""
LOG_BY_VALUES = (1.5, 8.5, 5.0)
"""A column called M, without a unit, is log10 M if it lies between the first two and spans less than this factor."""
ABSURD = 12
"""No log10 M is larger, whatever the unit, nor smaller than minus this."""
OUTSIDE = 0.01
"""Share of the area that may lie outside of the grid without a note."""
APART = 0.2
"""Share of the peak by which values at one log M may differ and still be averaged."""
LEVEL = 0.1
"""Share of the largest step up to which those at the high end are small: a cumulative curve levels off there."""
LARGEST = 1e7
"""Mw in g/mol of a curve, from which on a unit such as kg/mol in the name of its column is doubted."""
POWERS = {"w_log": 0, "sec": 0, "w_m": 1, "n_log": 1, "n_m": 2}
"""Powers of M that make w(log10 M), up to a factor, of an ordinate."""


@dataclass(frozen=True, eq=False)
class MeasuredCurve:
    """Measured molar mass distribution on the grid, with notes on how it was read.

    Args:
        w: w(log10 M) on the nodes of `polyinv.mmd`, unit area, shape (100,).
        Mn: Number average molar mass in g/mol, from all points of the curve rather than from the grid.
        Mw: Mass average molar mass in g/mol, likewise.
        notes: First what was taken for what, then what was changed or looks odd; one line each.
        log_m: log10 of the molar mass of the points in g/mol, increasing, shape (P,).
        raw: w(log10 M) there, above the baseline, unit area, shape (P,).
        warnings: What was guessed, or contradicts the file; one line each.
        sample: What the curve is called, where a file has several.
        sec_offset: Relative error that all molar masses share by the fit of a calibration.
    """

    w: np.ndarray
    Mn: float
    Mw: float
    notes: tuple[str, ...]
    log_m: np.ndarray
    raw: np.ndarray
    warnings: tuple[str, ...] = ()
    sample: str | None = None
    sec_offset: float | None = None

    @property
    def averages(self) -> dict[str, float]:
        """Mn, Mw, Mz, Mp in g/mol and the dispersity D, of the points."""
        moment = [float(np.trapezoid(self.raw * 10 ** (k * self.log_m), self.log_m)) for k in (1, 2)]
        peak = float(10 ** self.log_m[self.raw.argmax()])
        return {"Mn": self.Mn, "Mw": self.Mw, "Mz": moment[1] / moment[0], "Mp": peak, "D": self.Mw / self.Mn}


@dataclass(frozen=True, eq=False)
class _Axis:
    """log10 M of points, and what it was made of: ``log10 M`` or ``M``, and the unit."""

    log_m: np.ndarray
    what: str
    unit: str
    warnings: tuple[str, ...]


def distribution(source: Source, points: Points, options: Options) -> MeasuredCurve:
    """Make a distribution of points.

    Raises:
        InputError: They cannot be one; a line that says why.
    """
    place = source.block.sheet.place
    axis = _axis(source, points, options)
    _check_order(source, points, axis)
    points, log_m, mean_notes = _sorted(source, points, axis)
    stated = options.stated_signal
    kind = stated or (source.y.name.kind if source.y.name.kind in SIGNALS else None) or "w_log"
    shares = stated is None and are_shares(source, points)
    kind = "n_log" if shares and kind == "n_m" else kind
    warnings = [*axis.warnings, *_odd_ordinate(source, points, stated, kind)]
    w, baseline_notes = _above_baseline(points, log_m, options.baseline or "none", place)
    w = w * 10 ** (POWERS[kind] * (log_m - log_m[-1]))  # w(log10 M) = ln(10) M w(M), up to a factor
    slope_notes: list[str] = []
    if kind == "sec":
        w, slope_notes = over_slope(source, points, log_m, w)
    elif shares:
        w, slope_notes = over_width(source, log_m, w)
    w, noise_notes, noisy = without_noise(log_m, w, points.y, points.rows, place, options.baseline)
    curve = curve_from(log_m, w, place, options.baseline)
    first, last = points.x[[0, -1]] if log_m[0] < log_m[-1] else points.x[[-1, 0]]
    _check_unit(source, axis, options, curve, (float(first), float(last)))
    warnings += _too_large(source, axis, curve)
    unnamed = ", for want of a known name" if stated is None and source.y.name.kind not in SIGNALS else ""
    taken = (
        f"{len(points.x)} points; column {source.x.label} is {axis.what} ({axis.unit}), {first:g} to {last:g}; "
        f"column {source.y.label} is {SIGNALS[kind]}{unnamed}"
    )
    if unnamed and source.y.name.text:
        warnings.append(
            f"column {source.y.label} is taken for w(log10 M), for want of a known name; --signal w_m says it is w(M), "
            "--y names another column"
        )
    notes = (taken, *source.notes, *source.block.notes, *points.notes, *mean_notes, *baseline_notes, *slope_notes)
    notes = (*notes, *noise_notes)
    said = (*warnings, *noisy, *spike(curve.log_m, curve.raw), *curve.warnings)
    return replace(curve, notes=(*notes, *curve.notes), warnings=said, sample=source.sample)


def curve_from(log_m: np.ndarray, w: np.ndarray, place: str, baseline: str | None = None) -> MeasuredCurve:
    """Bring w(log10 M), not negative, at increasing log10 M to the grid, with its averages.

    Raises:
        InputError: Most of it lies outside of the grid, or it has an offset.
    """
    raw = w / np.trapezoid(w, log_m)
    Mn, Mw = means_between(log_m, raw)
    notes, warnings = ends(log_m, raw, place, baseline)
    on_grid = resample(log_m, raw)
    notes += _left_out(on_grid, log_m, place)
    return MeasuredCurve(unit_area(on_grid), Mn, Mw, tuple(notes), log_m, raw, tuple(warnings))


# The abscissa


def _axis(source: Source, points: Points, options: Options) -> _Axis:
    x, place, warnings = source.x, source.block.sheet.place, []
    if x.name.kind in AXES and x.name.unit and x.name.unit.quantity not in ("molar mass", "number"):
        raise InputError(f"{place}: the unit {x.name.unit.name} of column {x.label} is none of a molar mass")
    named = x.name.unit if x.name.unit and x.name.unit.quantity == "molar mass" else None
    if named and options.unit is not None and named.name != options.unit:
        raise InputError(f"{place}: column {x.label} is in {named.name} by its name, so unit {options.unit} cannot be")
    unit = named.name if named else options.unit or "g/mol"
    shift = np.log10(named.factor) if named else UNITS[unit]
    kind = x.name.kind
    if kind not in ("log_m", "m", "ln_m"):
        is_log = (
            options.unit is None
            and named is None
            and bool(((points.x >= LOG_RANGE[0]) & (points.x <= LOG_RANGE[1])).all())
        )
        kind = "log_m" if is_log else "m"
        if x.name.text or any(column.name.text for column in source.block.columns):
            warnings.append(
                f"column {x.label} is taken for {'log10 M' if is_log else 'M'}, for want of a "
                "known name; --x names another"
            )
        elif is_log:
            warnings.append("the columns have no names: an elution time or volume would look the same as log10 M")
    elif kind == "m" and unit == "g/mol" and options.unit is None and _is_log_by_values(points.x):
        kind = "log_m"
        warnings.append(
            f"column {x.label} is taken for log10 M: all of it lies between {points.x.min():g} and {points.x.max():g}; "
            f"--unit kg/mol says it is M"
        )
    if kind == "m":
        _refuse(points.x <= 0, points, x.label, place, "M has to be more than 0")
    log_m = {"m": lambda: np.log10(points.x), "ln_m": lambda: points.x / np.log(10), "log_m": lambda: points.x}[kind]()
    what = {"m": "M", "ln_m": "ln M", "log_m": "log10 M"}[kind]
    _refuse(np.abs(log_m + shift) > ABSURD, points, x.label, place, f"that cannot be {what}")
    _check_other_axis(source, points, log_m + shift)
    return _Axis(log_m + shift, what, unit, tuple(warnings))


def _is_log_by_values(x: np.ndarray) -> bool:
    low, high, factor = LOG_BY_VALUES
    return bool(low <= x.min() and x.max() <= high and x.max() < factor * x.min() and np.ptp(x) > 0.3)


def _check_other_axis(source: Source, points: Points, log_m: np.ndarray) -> None:
    """Refuse M and log M side by side that say two things."""
    if source.x.name.kind != "log_m":
        return
    rows = {row: k for k, row in enumerate(source.block.rows)}
    others = [c for c in source.block.columns if c.name.kind == "m" and c is not source.x]
    if len(others) != 1 or sum(c.name.kind == "log_m" for c in source.block.columns) > 1:
        return
    values = [number(others[0].cells[rows[row]], points.decimal) for row in points.rows]
    if any(value is None or value <= 0 for value in values):
        return
    apart = np.median(np.log10(np.array(values, dtype=float)) - log_m)
    unit = others[0].name.unit
    expected = -np.log10(unit.factor) if unit and unit.quantity == "molar mass" else 0.0
    if min(abs(apart - expected), abs(apart + 3 if unit is None else np.inf)) > 0.05:
        raise InputError(
            f"{source.block.sheet.place}: the columns {others[0].label} and {source.x.label} do not belong together, "
            f"by {apart - expected:+.2g} decades; --x names the one that is right"
        )


def _refuse(bad: np.ndarray, points: Points, label: str, place: str, rule: str) -> None:
    if bad.any():
        at = int(bad.argmax())
        raise InputError(f"{place}, row {points.rows[at]}, column {label} holds {points.x[at]:g}; {rule}")


def _check_order(source: Source, points: Points, axis: _Axis) -> None:
    """Refuse molar masses that go up and down along the elution, as those of a light scattering detector do."""
    steps = np.diff(axis.log_m)
    if source.run is None or source.y.name.kind != "sec" or (steps >= 0).all() or (steps <= 0).all():
        return
    raise InputError(
        f"{source.block.sheet.place}: column {source.x.label} goes up and down along {source.run.label}, as molar "
        "masses by light scattering do; export the differential distribution w(log M)"
    )


def _sorted(source: Source, points: Points, axis: _Axis) -> tuple[Points, np.ndarray, list[str]]:
    """Sort points by log M; those at one log M that stand together are averaged, and it is said."""
    order = np.argsort(axis.log_m, kind="stable")
    log_m, group = np.unique(axis.log_m[order], return_inverse=True)
    if len(log_m) == len(order):
        return replace(points, rows=points.rows[order], x=points.x[order], y=points.y[order]), log_m, []
    place = source.block.sheet.place
    if len(log_m) < LEAST_POINTS:
        raise InputError(
            f"{place} has {len(log_m)} different values of {axis.what}; a curve needs {LEAST_POINTS} or more"
        )
    for k in np.flatnonzero(np.bincount(group) > 1):
        at = np.sort(order[group == k])
        if np.diff(at).max() > 1:
            first, second = points.rows[at[0]], points.rows[at[at.searchsorted(at[0] + 1)]]
            raise InputError(
                f"{place}: {axis.what} {points.x[at[0]]:g} stands there twice, rows {first} and {second}; leave one of "
                "them"
            )
        if np.ptp(points.y[at]) > APART * np.ptp(points.y):
            raise InputError(
                f"{place}: {axis.what} {points.x[at[0]]:g} stands in rows {points.rows[at[0]]} to "
                f"{points.rows[at[-1]]} "
                f"with {points.y[at].min():g} to {points.y[at].max():g}: more than one curve?"
            )
    count = np.bincount(group)
    mean = [np.bincount(group, each[order]) / count for each in (points.x, points.y)]
    rows = points.rows[order][np.unique(group, return_index=True)[1]]
    note = f"{axis.what} is rounded: {len(order)} points at {len(log_m)} values of it, averaged"
    return replace(points, rows=rows, x=mean[0], y=mean[1]), log_m, [note]


# The ordinate


def _odd_ordinate(source: Source, points: Points, stated: str | None, kind: str) -> list[str]:
    """Refuse an ordinate that only rises or falls; warn of a number distribution.

    One with a known name may be cut off at its peak, unless it levels off; over M it may fall from its first point on.
    """
    steps = np.diff(points.y)
    rises, falls = bool((steps >= 0).all()), bool((steps <= 0).all())
    name = source.y.name.kind
    if name is not None:
        high = steps[-3:] if rises else steps[:3]
        levels_off = np.abs(high).mean() < LEVEL * np.abs(steps).max()
        rises, falls = rises and levels_off, falls and levels_off and name not in ("w_m", "n_m")
    if stated is None and (rises or falls) and np.ptp(points.y):
        raise InputError(
            f"{source.block.sheet.place}: column {source.y.label} only rises or falls, as a cumulative curve or an "
            "axis does; export w(log M), or --signal w_log says that it is one, cut off"
        )
    made = f"column {source.y.label} is a number distribution and is converted to w(log10 M)"
    return [made] if kind in ("n_log", "n_m") and stated is None else []


def _above_baseline(points: Points, log_m: np.ndarray, baseline: str, place: str) -> tuple[np.ndarray, list[str]]:
    w, line = above_baseline(log_m, points.y, baseline, place)
    if baseline == "none":
        return w, []
    ends = f"{line[0] / w.max():.2g} and {line[-1] / w.max():.2g} of the peak"
    return w, [f"a {baseline} baseline is taken off, {ends} at log10 M {log_m[0]:.3g} and {log_m[-1]:.3g}"]


def _left_out(on_grid: np.ndarray, log_m: np.ndarray, place: str) -> list[str]:
    outside, grid = 1 - area(on_grid), f"log10 M {BIN_EDGES[0]:.2f} to {BIN_EDGES[-1]:.2f}"
    if outside > 0.5:
        raise InputError(
            f"{place}: the curve, log10 M {log_m[0]:.4g} to {log_m[-1]:.4g}, lies outside of {grid}; is the unit right?"
        )
    return [f"{outside:.1%} of the area lies outside of {grid} and is left out"] * bool(outside > OUTSIDE)


def _check_unit(source: Source, axis: _Axis, options: Options, curve: MeasuredCurve, span: tuple[float, float]) -> None:
    """Refuse M without a unit that is too small to be in g/mol."""
    if axis.what != "M" or options.unit is not None or source.x.name.unit is not None or not 1 <= curve.Mw < 1000:
        return
    place, label = source.block.sheet.place, source.x.label
    held = f"{place}: column {label} holds M from {span[0]:g} to {span[1]:g}, with a mean of {curve.Mw:.3g}"
    if source.x.name.kind != "m":
        raise InputError(
            f"{held}: no molar mass in g/mol; name the column 'M (kg/mol)' if it is one, or, if it is an elution time "
            "or volume, give --calibration FILE"
        )
    raise InputError(
        f"{held}, which looks like kg/mol: give unit kg/mol (or name the column 'M (g/mol)', or 'log M' if it is that)"
    )


def _too_large(source: Source, axis: _Axis, curve: MeasuredCurve) -> list[str]:
    """Say that a unit in a name makes molar masses that hardly any polymer has."""
    if source.x.name.unit is None or axis.unit == "g/mol" or curve.Mw < LARGEST:
        return []
    return [
        f"column {source.x.label} is in {axis.unit} by its name, which makes Mw {curve.Mw:.3g} g/mol; if it is in "
        "g/mol, mend the name"
    ]
