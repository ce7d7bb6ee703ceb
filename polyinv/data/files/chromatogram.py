"""From a chromatogram to w(log10 M): the signal over the slope of the calibration."""

from dataclasses import replace

import numpy as np

from polyinv.data.files.baseline import above_baseline, without_noise
from polyinv.data.files.calibration import Calibration
from polyinv.data.files.curves import Source
from polyinv.data.files.distribution import MeasuredCurve, curve_from
from polyinv.data.files.options import Options
from polyinv.data.files.points import Points
from polyinv.errors import InputError

BEYOND = 0.3
"""Decades beyond the outermost standards up to which a calibration is used."""
USUAL = (2.0, 7.5)
"""log10 M between which a polynomial without standards is used."""
MOST_ELUTION = 1e9
"""In any unit."""
MOST_BEYOND = 0.02
"""Share of the area that may lie beyond the standards without a warning."""


def calibrated(source: Source, points: Points, calibration: Calibration, options: Options) -> MeasuredCurve:
    r"""Make a distribution of a chromatogram: :math:`w(\log M) = s(V) / |d \log M / dV|`.

    Raises:
        InputError: Volume and time do not go together, or nothing of the signal lies where the calibration holds.
    """
    place = source.block.sheet.place
    elution = _elution(source, points, calibration)
    order = np.argsort(elution, kind="stable")
    elution, y = elution[order], points.y[order]
    keep = _within(calibration, elution)
    if keep.sum() < 10:
        raise InputError(f"{place}: {keep.sum()} points lie where the calibration holds; is it of this instrument?")
    signal, line = above_baseline(elution[keep], y[keep], options.baseline or "none", place)
    elution, rows = elution[keep], points.rows[order][keep]
    w = signal / np.abs(calibration.slope(elution))
    log_m = calibration.log_m(elution)
    w, noise_notes, noisy = without_noise(log_m, w, y[keep], rows, place, options.baseline)
    curve = curve_from(log_m[::-1], w[::-1], place, options.baseline)
    first = f"{len(w)} points of {len(points.x)}; elution {source.x.label}, signal {source.y.label}"
    notes = [first, *calibration.notes, *points.notes, *noise_notes]
    if options.baseline == "linear":
        notes.append(
            f"a linear baseline is taken off, {line[0]:.2g} and {line[-1]:.2g} of the highest signal at either end"
        )
    middle = float((elution * np.maximum(signal, 0)).sum() / np.maximum(signal, 0).sum())
    offset = calibration.relative_error(middle)
    if offset is not None:
        notes.append(f"the calibration is known to {offset:.1%} there (sec_offset)")
    warnings = [*calibration.warnings, *_unsaid(source, calibration), *_beyond(calibration, elution, signal)]
    return replace(
        curve,
        notes=(*notes, *curve.notes),
        warnings=(*warnings, *noisy, *curve.warnings),
        sample=source.sample,
        sec_offset=offset,
    )


def _unsaid(source: Source, calibration: Calibration) -> list[str]:
    """Say what is taken for granted where a file does not say whether it is over volume or time."""
    kind = source.x.name.kind
    if kind in ("time", "volume") and calibration.kind is None:
        return [f"the calibration is taken to be over {kind}, like the signal; a line 'elution, volume' says otherwise"]
    if kind not in ("time", "volume"):
        return [f"column {source.x.label} is taken for the elution {calibration.kind or 'of the calibration'}"]
    return []


def _elution(source: Source, points: Points, calibration: Calibration) -> np.ndarray:
    """Elution in the unit of the calibration, corrected for the flow marker."""
    kind, unit = source.x.name.kind, source.x.name.unit
    elution = points.x * (unit.factor / 60 if kind == "time" and unit and unit.quantity == "time" else 1.0)
    if kind in ("time", "volume") and calibration.kind and kind != calibration.kind:
        if calibration.flow is None:
            raise InputError(
                f"{source.block.sheet.place}: column {source.x.label} is an elution {kind}, the calibration is over "
                f"{calibration.kind}; a line 'flow, 1.0' (mL/min) in the calibration joins them"
            )
        elution = elution * calibration.flow if kind == "time" else elution / calibration.flow
    elution = elution * calibration.marker
    if np.abs(elution).max(initial=0.0) > MOST_ELUTION:
        raise InputError(
            f"{source.block.sheet.place}: column {source.x.label} reaches {np.abs(elution).max():.3g}; an elution lies "
            f"below {MOST_ELUTION:g}"
        )
    return elution


def _within(calibration: Calibration, elution: np.ndarray) -> np.ndarray:
    """Points at which the calibration holds: not far beyond its standards, and where it falls, about their middle."""
    log_m = calibration.log_m(elution)
    low, high = USUAL
    if calibration.span is not None:
        low, high = sorted(calibration.log_m(np.array(calibration.span)))
        low, high = low - BEYOND, high + BEYOND
    good = (log_m >= low) & (log_m <= high) & (calibration.slope(elution) < 0)
    centre = np.mean(calibration.span) if calibration.span else elution[good].mean() if good.any() else 0.0
    at = int(np.abs(elution - centre).argmin())
    bad = np.flatnonzero(~good)
    first = bad[bad < at].max(initial=-1) + 1
    last = bad[bad >= at].min(initial=len(good))
    kept = np.zeros(len(good), dtype=bool)
    kept[first:last] = True
    return kept


def _beyond(calibration: Calibration, elution: np.ndarray, signal: np.ndarray) -> list[str]:
    if calibration.span is None:
        return []
    outside = (elution < calibration.span[0]) | (elution > calibration.span[1])
    share = float(np.maximum(signal, 0)[outside].sum() / np.maximum(signal, 0).sum())
    return [f"{share:.0%} of the signal lies beyond the outermost standards"] if share > MOST_BEYOND else []
