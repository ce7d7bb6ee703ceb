"""Standards of a calibration: elution volume or time against molar mass, and a polynomial through them."""

import re

import numpy as np

from polyinv.data.files.blocks import Block, Column, blocks_of
from polyinv.data.files.cells import Sheet
from polyinv.data.files.names import letters
from polyinv.data.files.numbers import Cell, is_missing, number, possible_decimals
from polyinv.data.files.units import split_unit
from polyinv.errors import InputError

MOST_ORDER = 7
FAR = 1e6
"""Elution volume in mL or time in min, and log10 M, that no standard reaches."""
LEAST_MASS = 50.0
"""Smallest standard there is, in g/mol; smaller ones without a unit are in kg/mol, or logarithms."""
LOGARITHMS = (1.5, 8.5)
"""Masses of standards that all lie between are log10 M."""


def loose(cell: Cell, sign: str) -> float | None:
    """A number, or None where the cell is none."""
    return None if is_missing(cell) else number(cell, sign)


def sign_of(sheet: Sheet) -> str:
    """The decimal sign of a sheet."""
    return possible_decimals(cell for cells in sheet.rows.values() for cell in cells)[0]


def standards(sheet: Sheet) -> tuple[np.ndarray, np.ndarray, str]:
    """Elution in mL or min and log10 M of standards, shape (S,) each, and whether it is volume or time.

    Raises:
        InputError: There are none.
    """
    try:
        found = blocks_of(sheet)
    except InputError:
        found = []
    for block in found:
        columns = {column.name.kind: column for column in reversed(block.columns)}
        run, mass = columns.get("volume") or columns.get("time"), _mass(block)
        if run is not None and mass is not None:
            return *_pairs(sheet, run, mass), str(run.name.kind)
    raise InputError(
        f"{sheet.place} is no calibration; needs standards (columns such as 'Volume (mL)' and 'M (g/mol)' or "
        "'log M') or the coefficients of a polynomial (lines such as 'a0, 26.1')"
    )


def _mass(block: Block) -> Column | None:
    """The column of masses: log M, the mass at the peak, else any."""
    for pattern in (r"logm(p|peak|pmean)?", r"mp(eak)?|m(asse|olarmass)?peak|peak(molar)?mass(e)?"):
        for column in block.columns:
            if column.is_numeric and re.fullmatch(pattern, letters(split_unit(column.name.text)[0])):
                return column
    named = [column for column in block.columns if column.is_numeric and column.name.kind in ("log_m", "m")]
    return min(named, key=lambda column: column.name.kind != "log_m", default=None)


def _pairs(sheet: Sheet, run: Column, mass: Column) -> tuple[np.ndarray, np.ndarray]:
    sign = sign_of(sheet)
    both = [(loose(a, sign), loose(b, sign)) for a, b in zip(run.cells, mass.cells, strict=True)]
    v, m = np.array([pair for pair in both if None not in pair], dtype=float).reshape(-1, 2).T
    if not len(v):
        raise InputError(f"{sheet.place}: the columns {run.label} and {mass.label} have no row in common")
    unit = mass.name.unit if mass.name.unit and mass.name.unit.quantity in ("molar mass", "number") else None
    v = v * (run.name.unit.factor / 60 if run.name.kind == "time" and run.name.unit else 1.0)
    is_log = letters(split_unit(mass.name.text)[0]).startswith("log")
    if not is_log and (m <= 0).any():
        raise InputError(f"{sheet.place}: column {mass.label} holds {m.min():g}; M has to be more than 0")
    if unit is None and not is_log and m.min() < LEAST_MASS:
        is_log = bool(LOGARITHMS[0] < m.min() and m.max() < LOGARITHMS[1])
        if not is_log:
            raise InputError(
                f"{sheet.place}: column {mass.label} holds M from {m.min():g}, which looks like kg/mol; name it "
                "'M (kg/mol)', or 'log M' if it is that"
            )
    return v, (m if is_log else np.log10(m)) + (np.log10(unit.factor) if unit else 0.0)


def fitted(v: np.ndarray, log_m: np.ndarray, order: int, place: str) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Fit a polynomial; its scatter gives the covariance."""
    if not 1 <= order <= MOST_ORDER or len(v) < order + 1:
        raise InputError(f"{place} has {len(v)} standards; a fit of order {order} needs {order + 1} or more")
    if not (np.isfinite(v).all() and np.isfinite(log_m).all()) or np.abs(v).max() > FAR or np.abs(log_m).max() > FAR:
        raise InputError(f"{place} has elutions or molar masses that no standard has; needs numbers up to {FAR:g}")
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
