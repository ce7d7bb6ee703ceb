"""Standards of a calibration: elution volume or time against molar mass, and a polynomial through them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from polyinv.data.files.blocks import Block, Column, blocks_of
from polyinv.data.files.calibration_keys import FAR
from polyinv.data.files.cells import Sheet, said
from polyinv.data.files.derived import sign_in
from polyinv.data.files.marks import left_out
from polyinv.data.files.names import DERIVED, average_of, letters
from polyinv.data.files.numbers import is_missing
from polyinv.data.files.parameters import LineError, is_key, leading, loose, sign_of
from polyinv.data.files.units import split_unit
from polyinv.errors import InputError, quoted

LEAST_MASS = 50.0
"""Smallest standard there is, in g/mol; smaller ones without a unit are in kg/mol, or logarithms."""
SCATTER, MOST_SCATTER = 0.1, 0.3
"""Root mean square in decades of standards about a fit, from which on it is doubted and refused; 0.03 is usual."""
STANDS_OUT = 4.0
"""How much smaller the scatter of the other standards has to be for one to stand out."""
LOGARITHMS = (1.5, 8.5)
"""Masses of standards that all lie between are log10 M."""


class NoCalibration(InputError):
    """A sheet that holds no calibration at all."""


@dataclass(frozen=True, eq=False)
class Table:
    """Standards of a calibration.

    Args:
        block: Where they stand.
        run, mass: Columns of the elution and of the molar mass.
        pairs: Numbers of both, by row.
        open: Rows that lack one of them.
        problem: The first row of which one is there and is no number.
        unused: Rows that are marked as not used.
        marked: Name of the column of those marks.
    """

    block: Block
    run: Column
    mass: Column
    pairs: Mapping[int, tuple[float, float]]
    open: tuple[int, ...] = ()
    problem: InputError | None = None
    unused: tuple[int, ...] = ()
    marked: str | None = None

    @property
    def kind(self) -> str:
        """Whether the elution is a ``volume`` or a ``time``."""
        return str(self.run.name.kind)


def table_of(sheet: Sheet) -> Table | None:
    """The standards of a sheet, None where it has none."""
    try:
        found = blocks_of(sheet)
    except InputError:
        return None
    for block in found:
        columns = {column.name.kind: column for column in reversed(block.columns)}
        run, mass = columns.get("volume") or columns.get("time"), _mass(block)
        if run is not None and mass is not None:
            return _table(block, run, mass)
    return None


def _table(block: Block, run: Column, mass: Column) -> Table:
    sign = sign_of(block.sheet)
    pairs: dict[int, tuple[float, float]] = {}
    open_: list[int] = []
    problem = None
    for at, row in enumerate(block.rows):
        cells = run.cells[at], mass.cells[at]
        v, m = (loose(cell, sign) for cell in cells)
        if _is_line(block, row, min(run.at, mass.at)):
            continue
        if v is not None and m is not None:
            pairs[row] = v, m
        elif v is not None or m is not None:
            open_.append(row)
            odd = next((cell for cell in cells if loose(cell, sign) is None and leading(said(cell), sign)), None)
            if odd is not None and problem is None:
                problem = LineError(
                    f"{block.sheet.place}, row {row}: {quoted(odd)!r} is no number; a unit belongs into the name of "
                    "its column"
                )
    unused, marked = left_out(block, [*pairs], (run, mass))
    used = {row: pair for row, pair in pairs.items() if row not in unused}
    return Table(block, run, mass, used, tuple(open_), problem, tuple(unused), marked)


def _is_line(block: Block, row: int, first: int) -> bool:
    """Whether a row among standards is a line such as ``order, 1``."""
    text = said(block.columns[0].cells[block.rows.index(row)])
    if first > 0:
        return is_key(text) and not re.fullmatch(r"[Kk]\W*[12]", text)
    return not is_missing(text) and leading(text, sign_of(block.sheet)) is None


def standards(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Elution in mL or min and log10 M of standards, shape (S,) each.

    Raises:
        InputError: There are none, or what stands there is none.
    """
    if table.problem is not None:
        raise table.problem
    return _pairs(table)


def _mass(block: Block) -> Column | None:
    """The column of masses: log M, the mass at the peak, else any."""
    for pattern in (r"logm(p|peak|pmean)?", r"mp(eak)?|m(asse|olarmass)?peak|peak(molar)?mass(e)?"):
        for column in block.columns:
            if _is_plain(column) and re.fullmatch(pattern, letters(split_unit(column.name.text)[0])):
                return column
    named = [column for column in block.columns if _is_plain(column) and column.name.kind in ("log_m", "m")]
    return min(named, key=lambda column: column.name.kind != "log_m", default=None)


def _is_plain(column: Column) -> bool:
    """Whether a column holds numbers of what its name says, and nothing computed from it."""
    return column.is_numeric and column.name.kind not in DERIVED and sign_in(column.name.text) is None


def derived_in(sheet: Sheet) -> str:
    """What a sheet without standards holds instead of their molar mass or elution, for an error."""
    try:
        columns = [column for block in blocks_of(sheet) for column in block.columns if column.is_numeric]
    except InputError:
        return ""
    found = next((column for column in columns if not _is_plain(column)), None)
    if found is None:
        return ""
    kind = "hydrodynamic volume" if found.name.kind == "hydrodynamic volume" else "derived quantity"
    return f": column {found.label} is a {kind}, neither M nor an elution"


def _pairs(table: Table) -> tuple[np.ndarray, np.ndarray]:
    sheet, run, mass = table.block.sheet, table.run, table.mass
    if not table.pairs:
        raise InputError(f"{sheet.place}: the columns {run.label} and {mass.label} have no row in common")
    v, m = np.array([*table.pairs.values()], dtype=float).T
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
    different = len(np.unique(v))
    if different < order + 1:
        raise InputError(
            f"{place} has {len(v)} standards at {different} elutions; a fit of order {order} needs {order + 1} or more"
        )
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


def farthest(table: Table, order: int, place: str) -> list[str]:
    """Name the standard that lies farthest from a fit to the others, if it stands out or the fit is bad.

    Raises:
        InputError: The fit is too bad for any calibration.
    """
    v, log_m = standards(table)
    spare = len(v) - order - 1
    if spare < 1 or not (np.abs(v) <= FAR).all() or not (np.abs(log_m) <= FAR).all():
        return []
    others = [np.arange(len(v)) != k for k in range(len(v))]
    enough = [len(np.unique(v[kept])) > order for kept in others]
    fits = [
        _scatter(v[kept], log_m[kept], order) if ok else (np.inf, None) for kept, ok in zip(others, enough, strict=True)
    ]
    at = int(np.argmin([scatter for scatter, _ in fits]))
    scatter, (best, fit) = _scatter(v, log_m, order)[0], fits[at]
    off = abs(float(fit(v[at]) - log_m[at])) if fit is not None else 0.0
    stands_out = spare > 2 and off > SCATTER and scatter > STANDS_OUT * best
    if scatter < SCATTER and not stands_out:
        return []
    row = [*table.pairs][at]
    found = (
        f"{place}: the standards scatter by {scatter:.2g} decades about the fit of order {order}; row {row} "
        f"({v[at]:g}, M {10 ** log_m[at]:.4g}) lies farthest, {off:.2g} decades from a fit to the others"
    )
    if scatter > MOST_SCATTER:
        raise InputError(f"{found}; mend the row or leave it out")
    return [found]


def _scatter(v: np.ndarray, log_m: np.ndarray, order: int) -> tuple[float, np.polynomial.Polynomial]:
    """Root mean square about a fit, by its degrees of freedom, and the fit."""
    middle, width = v.mean(), np.ptp(v) or 1.0
    fit = np.polynomial.Polynomial.fit(v, log_m, order, domain=[middle - width / 2, middle + width / 2])
    return float(np.sqrt(((fit(v) - log_m) ** 2).sum() / max(len(v) - order - 1, 1))), fit


def mass_taken(table: Table) -> list[str]:
    """Say that an average is taken for the molar mass at the peak, which a calibration is of."""
    average = average_of(table.mass.name.text)
    if average is None or average[0] == "Mp":
        return []
    return [
        f"{table.block.sheet.place}: column {table.mass.label} is taken for the molar mass of the standards; Mp, that "
        "at the peak, is right for most calibrations"
    ]
