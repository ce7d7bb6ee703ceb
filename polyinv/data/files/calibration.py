"""Calibration of a size exclusion chromatograph: log10 M over elution volume or time, by standards or a polynomial."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from polyinv.data.files.blocks import blocks_of
from polyinv.data.files.cells import Sheet, said
from polyinv.data.files.parameters import (
    MOST_ORDER,
    LineError,
    Parameters,
    is_key,
    kind_said,
    loose,
    parameters,
    power_of,
    sign_of,
)
from polyinv.data.files.reading import read_book
from polyinv.data.files.standards import (
    NoCalibration,
    Table,
    derived_in,
    farthest,
    fitted,
    mass_taken,
    standards,
    table_of,
)
from polyinv.errors import InputError

CUBIC_FROM = 6
"""Standards from which on a cubic is fitted; a straight line to fewer."""
SHIFTED = 1.25
"""Ratio of flow markers from which on it is asked whether they are of one flow."""
APART, OF_MASS = 20.0, 1e5
"""Ratio of intrinsic viscosities, at a molar mass in g/mol, that two polymers in one solvent hardly have."""
EXPONENTS, MOST_K = (0.4, 1.0), 1.0
"""Mark-Houwink exponents, and K in mL/g, of flexible chains; beyond, they are doubted. Theta conditions have 0.5."""
OFF = 0.05
"""Decades, root mean square, that a polynomial may lie off the standards beside it without a warning."""
LONG = 10
"""Cells of a row from which on it is a column on its side."""
_MARK_HOUWINK = ("K_standard", "a_standard", "K_sample", "a_sample")


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
        warnings: What may be wrong with it.
    """

    coefficients: np.ndarray
    kind: str | None
    span: tuple[float, float] | None = None
    covariance: np.ndarray | None = None
    flow: float | None = None
    marker: float = 1.0
    notes: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())

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
    sheets = read_book(path).sheets
    problems: list[InputError] = []
    for sheet in sheets:
        try:
            found = _of_sheet(sheet, path)
        except LineError:
            raise
        except InputError as error:
            problems.append(error)
            continue
        others = [other for other in sheets if other is not sheet and parameters(other, (), {}).values]
        return replace(found, warnings=(*found.warnings, *(_idle(other, sheet) for other in others)))
    raise next((error for error in problems if not isinstance(error, NoCalibration)), problems[0])


def _idle(other: Sheet, sheet: Sheet) -> str:
    named = ", ".join(parameters(other, (), {}).values)
    return f"{other.place}: its lines {named} have no effect, as the calibration is on sheet {sheet.name!r}"


def _of_sheet(sheet: Sheet, path: Path | str) -> Calibration:
    table = table_of(sheet)
    lines, coefficients = _lines(sheet, table)
    if lines.problem is not None and (lines.known or table is not None):
        raise lines.problem if table is not None or coefficients is not None else InputError(str(lines.problem))
    if coefficients is not None:
        found = _stated(sheet, table, lines, coefficients, path)
    elif table is not None:
        found = _fitted(table, lines, path)
    else:
        raise NoCalibration(
            f"{sheet.place} is no calibration{derived_in(sheet)}; needs standards (columns such as 'Volume (mL)' "
            "and 'M (g/mol)' or 'log M') or the coefficients of a polynomial (lines such as 'a0, 26.1')"
        )
    found = _with_marker(_other_polymer(found, lines.values, path), lines.values, path)
    return replace(found, flow=lines.values.get("flow"))


def _lines(sheet: Sheet, table: Table | None) -> tuple[Parameters, np.ndarray | None]:
    """What is said beside standards, and the coefficients of a polynomial, if there is one."""
    beside: dict[int, int] = {}
    passed = {row for row, cells in sheet.rows.items() if len(cells) > LONG}
    if table is not None and table.block.sheet is sheet:
        beside = dict.fromkeys([*table.pairs, *table.unused, *table.open], max(table.run.at, table.mass.at) + 1)
        passed.add(table.block.header)
    named, rows = _side_by_side(sheet, beside)
    lines = parameters(sheet, passed | rows, beside)
    found = named | lines.coefficients
    if 0 in found and 1 not in found and 2 in found and lines.from_one:  # Const., Coef.2, Coef.3
        found = {power - 1 if power else 0: value for power, value in found.items()}
    if {0, 1} <= found.keys():
        return lines, np.array([found.get(k, 0.0) for k in range(max(found) + 1)])
    if lines.coefficients and lines.problem is None:
        lines.problem = LineError(f"{sheet.place}: the coefficients of a polynomial lack a{0 if 1 in found else 1}")
    return lines, None


def _side_by_side(sheet: Sheet, standards_at: Collection[int]) -> tuple[dict[int, float], set[int]]:
    """Coefficients whose names stand beside each other, numbers below, and the rows of those."""
    found: dict[int, float] = {}
    rows: set[int] = set()
    sign = sign_of(sheet)
    for (_, names), (row, below) in itertools.pairwise(sheet.rows.items()):
        for name, cell in zip(names, below, strict=False):
            named, value = power_of(said(name)), loose(cell, sign)
            if named is not None and value is not None and named[0] <= MOST_ORDER and row not in standards_at:
                found[named[0]] = value
                rows.add(row)
    return found, rows


def _kind(sheet: Sheet) -> str | None:
    """Whether a polynomial is over volume or time, by the units and words of its sheet."""
    cells = (said(cell) for cells in sheet.rows.values() if not is_key(said(cells[0])) for cell in cells)
    kinds = {kind for cell in cells if (kind := kind_said(cell))}
    return kinds.pop() if len(kinds) == 1 else None


def _fitted(table: Table, lines: Parameters, path: Path | str) -> Calibration:
    elution, log_m = standards(table)
    if lines.elution not in (None, table.kind):
        raise LineError(
            f"{table.block.sheet.place} says 'elution, {lines.elution}', and its standards have the {table.kind} "
            f"{table.run.label}"
        )
    order = int(lines.values.get("order", 3 if len(elution) >= CUBIC_FROM else 1))
    doubts = farthest(table, order, str(path))
    coefficients, covariance, notes = fitted(elution, log_m, order, str(path))
    if table.unused:
        notes.append(_marked(table))
    if table.open:
        notes.append(f"rows without an elution or a molar mass are left out: {_listed(table.open)}")
    span = float(elution.min()), float(elution.max())
    warnings = (*table.block.sheet.warnings, *doubts, *mass_taken(table), *_unused(table))
    return Calibration(coefficients, table.kind, span, covariance, notes=tuple(notes), warnings=warnings)


def _marked(table: Table) -> str:
    count, rows = len(table.pairs) + len(table.unused), _listed(table.unused)
    verb = "is" if len(table.unused) == 1 else "are"
    return f"{len(table.unused)} of {count} standards {verb} marked as not used in column {table.marked}: row {rows}"


def _listed(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:5])) + (", …" if rows[5:] else "")


def _unused(table: Table) -> tuple[str, ...]:
    """Say that more standards stand elsewhere on the sheet."""
    names, sheet = {table.run.name.text, table.mass.name.text}, table.block.sheet
    others = [block.rows for block in blocks_of(sheet) if names <= {column.name.text for column in block.columns}]
    return tuple(
        f"{sheet.place}: rows {rows[0]} to {rows[-1]} look like more standards and are not used; set all standards "
        "below each other, without rows between"
        for rows in others
        if rows != table.block.rows and len(rows) > 1
    )


def _stated(
    sheet: Sheet, table: Table | None, lines: Parameters, coefficients: np.ndarray, path: Path | str
) -> Calibration:
    """A polynomial as the file states it, which goes before standards."""
    order = len(coefficients) - 1
    found = Calibration(coefficients, lines.elution or _kind(sheet), notes=(f"{path}: polynomial of order {order}",))
    warnings = []
    if lines.values.get("order", order) != order:
        warnings.append(f"{path} says order {lines.values['order']:g} and has the coefficients of order {order}")
    if table is not None and table.pairs:
        elution, log_m = standards(table)
        off = float(np.sqrt(np.mean((found.log_m(elution) - log_m) ** 2)))
        said_off = (
            f"{path} has coefficients and {len(log_m)} standards; the coefficients are used, {off:.2g} decades off"
        )
        if off <= OFF:
            return replace(found, notes=(*found.notes, said_off), warnings=tuple(warnings))
        warnings.append(f"{said_off}; leave out the lines of what is not to be used")
    return replace(found, warnings=tuple(warnings))


def _other_polymer(found: Calibration, values: Mapping[str, float], path: Path | str) -> Calibration:
    """Universal calibration: K₁ M₁^(1 + a₁) = K₂ M₂^(1 + a₂)."""
    missing = [name for name in _MARK_HOUWINK if name not in values]
    if len(missing) == len(_MARK_HOUWINK):
        return found
    if missing:
        raise LineError(
            f"{path}: universal calibration needs K_standard, a_standard, K_sample and a_sample, all four; it lacks "
            f"{' and '.join(missing)}"
        )
    k1, a1, k2, a2 = (values[name] for name in _MARK_HOUWINK)
    factor = (1 + a1) / (1 + a2)
    moved = found.coefficients * factor
    moved[0] += np.log10(k1 / k2) / (1 + a2)
    covariance = None if found.covariance is None else found.covariance * factor**2
    note = "converted to the polymer of the sample by the Mark-Houwink parameters (universal calibration)"
    ratio = k1 / k2 * OF_MASS ** (a1 - a2)
    warnings = (*found.warnings, *(_odd_pair(path, name, values) for name in ("standard", "sample")))
    warnings = tuple(filter(None, warnings))
    if not 1 / APART < ratio < APART:
        warnings += (
            f"{path}: at {OF_MASS:.0e} g/mol the standard would have {ratio:.3g} times the intrinsic viscosity of the "
            f"sample (K {k1:.4g} and {k2:.4g} mL/g); state units, as in 'K_sample, 0.000122 dL/g'",
        )
    return replace(found, coefficients=moved, covariance=covariance, notes=(*found.notes, note), warnings=warnings)


def _odd_pair(path: Path | str, polymer: str, values: Mapping[str, float]) -> str:
    """Say that K and a are those of no flexible chain; empty where they may be."""
    k, a = values[f"K_{polymer}"], values[f"a_{polymer}"]
    if EXPONENTS[0] <= a <= EXPONENTS[1] and k <= MOST_K:
        return ""
    return (
        f"{path}: K_{polymer} is {k:.4g} mL/g and a_{polymer} {a:.4g}; of flexible chains a lies between 0.5 and 0.8, "
        "and K is a few hundredths of a mL/g: are the two exchanged, or is a unit missing?"
    )


def _with_marker(found: Calibration, values: Mapping[str, float], path: Path | str) -> Calibration:
    names = [name for name in ("flow marker", "flow marker sample") if name in values]
    if not names:
        return found
    if len(names) == 1:
        raise LineError(f"{path}: a flow marker needs two lines, 'flow marker' and 'flow marker sample'")
    marker = values["flow marker"] / values["flow marker sample"]
    note, warnings = f"elution is multiplied by {marker:.5g}, by the flow marker", found.warnings
    if not 1 / SHIFTED < marker < SHIFTED:
        warnings += (f"{path}: {note}; flows of one instrument differ by a few per cent",)
    return replace(found, marker=marker, notes=(*found.notes, note) if marker != 1 else found.notes, warnings=warnings)
