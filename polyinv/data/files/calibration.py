"""Calibration of a size exclusion chromatograph: log10 M over elution volume or time, by standards or a polynomial."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from polyinv.data.files.blocks import blocks_of
from polyinv.data.files.cells import Sheet, said
from polyinv.data.files.numbers import Cell, is_missing, number, possible_decimals
from polyinv.data.files.reading import read_book
from polyinv.errors import InputError

CUBIC_FROM = 6
"""Standards from which on a cubic is fitted; a straight line to fewer."""
MOST_ORDER = 7
_ORDERS = {
    "linear": 1,
    "quadratic": 2,
    "quadratisch": 2,
    "cubic": 3,
    "kubisch": 3,
    "polynom3": 3,
    "polynom5": 5,
    "polynom1": 1,
}
_KEYS = {
    "K_standard": r"k(ofthe)?(standards?|1|ps|std|calibration)|mhkstandard",
    "a_standard": r"(a|alpha)(ofthe)?(standards?|ps|std|calibration)|mhastandard|alpha1",
    "K_sample": r"k(ofthe)?(sample|probe|polymer|2|muestra)|mhksample",
    "a_sample": r"(a|alpha)(ofthe)?(sample|probe|polymer|muestra)|mhasample|alpha2",
    "flow": r"flow(rate)?(mlmin)?|fluss(rate)?|flujo|debit",
    "marker": r"flowmarker(calibration|nominal|reference)?|flussmarker|internalstandard",
    "marker_sample": r"flowmarker(sample|run|observed|measured)|internalstandardsample",
    "order": r"fit|order|degree|grad|ordnung|orden|degre",
}


@dataclass(frozen=True, eq=False)
class Calibration:
    """log10 M as a polynomial of the elution volume or time.

    Args:
        coefficients: Ascending, of log10(M / (g/mol)) over mL, or over min.
        kind: ``volume`` or ``time``; None where the file does not say.
        span: Elution of the outermost standards.
        covariance: Of the coefficients, by the scatter of the standards.
        flow: In mL/min.
        marker: Factor by which elution is corrected for a flow marker.
        notes: How it was read.
    """

    coefficients: np.ndarray
    kind: str | None
    span: tuple[float, float] | None = None
    covariance: np.ndarray | None = None
    flow: float | None = None
    marker: float = 1.0
    notes: tuple[str, ...] = field(default=())

    def log_m(self, elution: np.ndarray) -> np.ndarray:
        """log10 of M in g/mol at elution volumes or times."""
        return np.polynomial.polynomial.polyval(elution, self.coefficients)

    def slope(self, elution: np.ndarray) -> np.ndarray:
        """d log10 M / d elution."""
        return np.polynomial.polynomial.polyval(elution, np.polynomial.polynomial.polyder(self.coefficients))

    def relative_error(self, elution: float) -> float | None:
        """Standard error of M at an elution, relative, by the scatter of the standards about the fit."""
        if self.covariance is None:
            return None
        at = elution ** np.arange(len(self.coefficients))
        return float(np.log(10) * np.sqrt(max(at @ self.covariance @ at, 0.0)))


def read_calibration(path: Path | str) -> Calibration:
    """Read a calibration: standards, or the coefficients of a polynomial, and Mark-Houwink parameters.

    Args:
        path: A file with columns such as ``Volume (mL)`` and ``M (g/mol)`` or ``log M``, or lines such as ``a0, 26.1``.
            Lines ``K_standard``, ``a_standard``, ``K_sample``, ``a_sample`` convert to another polymer; ``flow`` in
            mL/min joins times and volumes; ``flow marker`` and ``flow marker sample`` correct the elution.

    Raises:
        InputError: It holds neither, or a curve that does not fall.
    """
    sheet = read_book(path).sheets[0]
    keys = _keys(sheet)
    coefficients, kind = _polynomial(sheet)
    span, covariance = None, None
    notes: list[str] = []
    if coefficients is None:
        elution, log_m, kind = _standards(sheet)
        order = int(keys.get("order", 3 if len(elution) >= CUBIC_FROM else 1))
        coefficients, covariance, notes = _fitted(elution, log_m, order, str(path))
        span = float(elution.min()), float(elution.max())
    else:
        notes = [f"{path}: polynomial of order {len(coefficients) - 1}"]
    if {"K_standard", "a_standard", "K_sample", "a_sample"} <= keys.keys():
        coefficients, covariance = _other_polymer(coefficients, covariance, keys)
        notes.append("converted to the polymer of the sample by the Mark-Houwink parameters (universal calibration)")
    elif any(name in keys for name in ("K_standard", "a_standard", "K_sample", "a_sample")):
        raise InputError(f"{path}: universal calibration needs K_standard, a_standard, K_sample and a_sample, all four")
    marker = keys["marker"] / keys["marker_sample"] if {"marker", "marker_sample"} <= keys.keys() else 1.0
    if marker != 1.0:
        notes.append(f"elution is multiplied by {marker:.5g}, by the flow marker")
    return Calibration(coefficients, kind, span, covariance, keys.get("flow"), marker, tuple(notes))


def _keys(sheet: Sheet) -> dict[str, float]:
    found: dict[str, float] = {}
    sign = _sign(sheet)
    for cells in (*sheet.rows.values(), *sheet.comments.values()):
        name = re.sub("[^a-z0-9]", "", said(cells[0]).lower())
        value = next((v for cell in cells[1:] if (v := _loose(cell, sign)) is not None), None)
        key = next((key for key, pattern in _KEYS.items() if re.fullmatch(pattern, name)), None)
        if key == "order" and value is None and len(cells) > 1:
            value = _ORDERS.get(re.sub("[^a-z0-9]", "", said(cells[1]).lower()))
        if key and value is not None:
            found[key] = value
    return found


def _loose(cell: Cell, sign: str) -> float | None:
    return None if is_missing(cell) else number(cell, sign)


def _sign(sheet: Sheet) -> str:
    return possible_decimals(cell for cells in sheet.rows.values() for cell in cells)[0]


def _polynomial(sheet: Sheet) -> tuple[np.ndarray | None, str | None]:
    found: dict[int, float] = {}
    sign = _sign(sheet)
    for cells in sheet.rows.values():
        name = re.sub("[^a-z0-9]", "", said(cells[0]).lower())
        value = next((v for cell in cells[1:] if (v := _loose(cell, sign)) is not None), None)
        match = re.fullmatch(r"(?:[abcd]|coeff?(?:icient)?|koeff?(?:izient)?)(\d)", name)
        power = (
            0
            if re.fullmatch(r"const(ant)?|intercept|achsenabschnitt|konstante?", name)
            else 1
            if name in ("slope", "steigung")
            else None
        )
        power = int(match[1]) if match else power
        if power is not None and value is not None:
            found[power] = value
    if 0 in found and 1 not in found and 2 in found:  # Const., Coef.2, Coef.3: numbered from one
        found = {power - 1 if power else 0: value for power, value in found.items()}
    if 0 not in found or len(found) < 2 or max(found) > MOST_ORDER:
        return None, None
    kinds = {each for cells in sheet.rows.values() for cell in cells if (each := _kind_said(said(cell)))}
    return np.array([found.get(k, 0.0) for k in range(max(found) + 1)]), kinds.pop() if len(kinds) == 1 else None


def _kind_said(text: str) -> str | None:
    words = text.lower()
    if re.search(r"\bm[lL]\b|volum", words) and "/min" not in words:
        return "volume"
    return "time" if re.search(r"\bmin\b|\btime\b|\bzeit\b", words) and "/min" not in words else None


def _standards(sheet: Sheet) -> tuple[np.ndarray, np.ndarray, str]:
    sign = _sign(sheet)
    for block in blocks_of(sheet):
        columns = {kind: c for kind in ("time", "volume", "m", "log_m") for c in block.columns if c.name.kind == kind}
        masses = [
            c for c in block.columns if c.name.kind in ("m", "log_m") or c.name.text.lower().startswith(("mp", "m_p"))
        ]
        run = columns.get("volume") or columns.get("time")
        if run is None or not masses:
            continue
        mass = columns.get("log_m") or masses[0]
        pairs = [
            (v, m)
            for a, b in zip(run.cells, mass.cells, strict=True)
            if (v := _loose(a, sign)) is not None and (m := _loose(b, sign)) is not None and not is_missing(a)
        ]
        v, m = np.array(pairs, dtype=float).T
        factor = run.name.unit.factor / 60 if run.name.kind == "time" and run.name.unit else 1.0
        unit = mass.name.unit
        m = m if mass.name.kind == "log_m" else np.log10(m)
        return (
            v * factor,
            m + (np.log10(unit.factor) if unit and unit.quantity == "molar mass" else 0.0),
            str(run.name.kind),
        )
    raise InputError(
        f"{sheet.place} is no calibration; needs standards (columns such as 'Volume (mL)' and 'M (g/mol)' or "
        "'log M') or the coefficients of a polynomial (lines such as 'a0, 26.1')"
    )


def _fitted(
    v: np.ndarray, log_m: np.ndarray, order: int, place: str
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Fit a polynomial; its scatter gives the covariance."""
    if not 1 <= order <= MOST_ORDER or len(v) < order + 1:
        raise InputError(f"{place} has {len(v)} standards; a fit of order {order} needs {order + 1} or more")
    powers = np.vander(v, order + 1, increasing=True)
    middle, width = v.mean(), np.ptp(v) or 1.0
    fit = np.polynomial.Polynomial.fit(v, log_m, order, domain=[middle - width / 2, middle + width / 2])
    coefficients = fit.convert().coef
    coefficients = np.pad(coefficients, (0, order + 1 - len(coefficients)))
    inside = np.linspace(v.min(), v.max(), 200)
    if (np.polynomial.polynomial.polyval(inside, np.polynomial.polynomial.polyder(coefficients)) >= 0).any():
        raise InputError(
            f"{place}: log10 M does not fall with the elution everywhere between the standards; 'order, 1'"
        )
    spare = len(v) - order - 1
    scatter = float(np.sqrt(((fit(v) - log_m) ** 2).sum() / spare)) if spare else None
    covariance = scatter**2 * np.linalg.pinv(powers.T @ powers) if scatter is not None else None
    about = f", scatter {scatter:.2g} decades" if scatter is not None else ""
    return coefficients, covariance, [f"{place}: {len(v)} standards, polynomial of order {order}{about}"]


def _other_polymer(
    coefficients: np.ndarray, covariance: np.ndarray | None, keys: dict[str, float]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Universal calibration: K₁ M₁^(1 + a₁) = K₂ M₂^(1 + a₂)."""
    factor = (1 + keys["a_standard"]) / (1 + keys["a_sample"])
    moved = coefficients * factor
    moved[0] += np.log10(keys["K_standard"] / keys["K_sample"]) / (1 + keys["a_sample"])
    return moved, None if covariance is None else covariance * factor**2
