"""Calibration of a size exclusion chromatograph: log10 M over elution volume or time, by standards or a polynomial."""

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from polyinv.data.files.cells import Sheet, said
from polyinv.data.files.numbers import Cell
from polyinv.data.files.reading import read_book
from polyinv.data.files.standards import MOST_ORDER, fitted, loose, sign_of, standards
from polyinv.errors import InputError

CUBIC_FROM = 6
"""Standards from which on a cubic is fitted; a straight line to fewer."""
_ORDERS = {"linear": 1, "quadratic": 2, "quadratisch": 2, "cubic": 3, "kubisch": 3, "cuadratico": 2, "cubico": 3}
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
    problems = []
    for sheet in read_book(path).sheets:
        try:
            return _of_sheet(sheet, path)
        except InputError as error:
            problems.append(error)
    raise problems[0]


def _of_sheet(sheet: Sheet, path: Path | str) -> Calibration:
    keys = _keys(sheet)
    coefficients, kind = _polynomial(sheet)
    span, covariance = None, None
    notes: list[str] = []
    if coefficients is None:
        elution, log_m, kind = standards(sheet)
        order = int(keys.get("order", 3 if len(elution) >= CUBIC_FROM else 1))
        coefficients, covariance, notes = fitted(elution, log_m, order, str(path))
        span = float(elution.min()), float(elution.max())
    else:
        notes = [f"{path}: polynomial of order {len(coefficients) - 1}"]
    if {"K_standard", "a_standard", "K_sample", "a_sample"} <= keys.keys():
        coefficients, covariance = _other_polymer(coefficients, covariance, keys)
        notes.append("converted to the polymer of the sample by the Mark-Houwink parameters (universal calibration)")
    elif any(name in keys for name in ("K_standard", "a_standard", "K_sample", "a_sample")):
        raise InputError(f"{path}: universal calibration needs K_standard, a_standard, K_sample and a_sample, all four")
    if len({"marker", "marker_sample"} & keys.keys()) == 1:
        raise InputError(f"{path}: a flow marker needs two lines, 'flow marker' and 'flow marker sample'")
    marker = keys["marker"] / keys["marker_sample"] if {"marker", "marker_sample"} <= keys.keys() else 1.0
    if marker != 1.0:
        notes.append(f"elution is multiplied by {marker:.5g}, by the flow marker")
    return Calibration(coefficients, kind, span, covariance, keys.get("flow"), marker, tuple(notes))


def _keys(sheet: Sheet) -> dict[str, float]:
    found: dict[str, float] = {}
    sign = sign_of(sheet)
    for cells in (*sheet.rows.values(), *sheet.comments.values()):
        name = re.sub("[^a-z0-9]", "", re.sub(r"[(\[].*?[)\]]", "", said(cells[0])).lower())
        value = next((v for cell in cells[1:] if (v := loose(cell, sign)) is not None), None)
        key = next((key for key, pattern in _KEYS.items() if re.fullmatch(pattern, name)), None)
        if key == "order" and value is None and len(cells) > 1:
            word = re.sub("[^a-z0-9]", "", said(cells[1]).lower())
            value = _ORDERS.get(word) or (float(word[-1]) if re.fullmatch(r"poly(nom)?\w*\d", word) else None)
        if key and value is not None:
            found[key] = value * (_factor_of_k(cells) if key.startswith("K_") else 1.0)
    return found


def _factor_of_k(cells: list[Cell]) -> float:
    """What makes mL/g of the unit of a Mark-Houwink K, 1 where none is stated."""
    words = " ".join(map(said, cells)).lower().replace(" ", "")
    unit = re.search(r"(dl|ml|cm3|cm³|l|m3|m³)(?:/|·)?(k?g)", words)
    return {"dl": 100.0, "l": 1000.0, "m3": 1e3, "m³": 1e3}.get(unit[1], 1.0) if unit else 1.0


def _polynomial(sheet: Sheet) -> tuple[np.ndarray | None, str | None]:
    found: dict[int, float] = {}
    sign = sign_of(sheet)
    rows = [*sheet.rows.values()]
    pairs = [
        (cells[0], next((v for cell in cells[1:] if (v := loose(cell, sign)) is not None), None)) for cells in rows
    ]
    for names, below in itertools.pairwise(rows):  # side by side, numbers below
        pairs += [(name, loose(cell, sign)) for name, cell in zip(names, below, strict=False)]
    for cell, value in pairs:
        name = re.sub("[^a-z0-9]", "", said(cell).lower())
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


def _other_polymer(
    coefficients: np.ndarray, covariance: np.ndarray | None, keys: dict[str, float]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Universal calibration: K₁ M₁^(1 + a₁) = K₂ M₂^(1 + a₂)."""
    factor = (1 + keys["a_standard"]) / (1 + keys["a_sample"])
    moved = coefficients * factor
    moved[0] += np.log10(keys["K_standard"] / keys["K_sample"]) / (1 + keys["a_sample"])
    return moved, None if covariance is None else covariance * factor**2
