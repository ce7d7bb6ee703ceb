"""Points of a curve: the numbers of two columns, whatever their decimal sign; what is empty outside the peak goes."""

from dataclasses import dataclass

import numpy as np

from polyinv.data.files.blocks import Column
from polyinv.data.files.curves import LEAST_POINTS, Source
from polyinv.data.files.numbers import Cell, is_missing, number, possible_decimals
from polyinv.errors import InputError

NOISE = 0.02
"""Share of the peak: negative values up to it are noise, an end of the curve above it is a cut."""
PLAUSIBLE = {"log_m": (-3.0, 9.0), "ln_m": (0.0, 20.0), "m": (1e2, 1e8), "time": (0.1, 300.0), "volume": (0.1, 300.0)}
"""Median of an abscissa in g/mol, by which thousands are told from decimals."""


@dataclass(frozen=True, eq=False)
class Points:
    """Numbers of two columns, by row of the file.

    Args:
        rows: Their numbers, shape (P,).
        x: The abscissa as it stands, shape (P,).
        y: The ordinate as it stands, shape (P,).
        decimal: The decimal sign of the file.
        notes: What was left out.
    """

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    decimal: str = "."
    notes: tuple[str, ...] = ()


def means_between(log_m: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """Mn and Mw in g/mol of w(log10 M) at P points, (P,) each, with straight lines between them; of any area."""
    mass, over, times = (np.trapezoid(w * 10 ** (power * log_m), log_m) for power in (0, -1, 1))
    return float(mass / over), float(times / mass)


def points_of(source: Source, decimal: str | None = None) -> Points:
    """Read the numbers of a curve.

    Args:
        source: Its columns.
        decimal: The decimal sign, where the user states it.

    Raises:
        InputError: A cell inside the peak is no number, or there are too few.
    """
    rows, x, y = source.block.rows, source.x, source.y
    there = [k for k in range(len(rows)) if not (is_missing(x.cells[k]) and is_missing(y.cells[k]))]
    sign, said = _decimal(source, there, decimal)
    given = [k for k in there if not is_missing(x.cells[k]) and not is_missing(y.cells[k])]
    if not given:
        raise InputError(f"{source.block.sheet.place}: the columns {x.label} and {y.label} have no row in common")
    inside = [k for k in there if given[0] <= k <= given[-1]]
    values = np.array([[_value(source, column, k, sign) for column in (x, y)] for k in inside], dtype=float)
    kept = ~np.isnan(values).any(1)
    _check_gaps(source, inside, values, kept)
    left_out = len(there) - int(kept.sum())
    notes = [said] * bool(said)
    if left_out:
        notes.append(f"{left_out} rows without {x.label} or {y.label}, outside the peak, are left out")
    if kept.sum() < LEAST_POINTS:
        raise InputError(f"{source.block.sheet.place} has {kept.sum()} points; a curve needs {LEAST_POINTS} or more")
    numbers = np.array([rows[k] for k in inside])[kept]
    x_values, y_values = values[kept].T
    return Points(numbers, x_values, y_values, sign, tuple(notes))


def _value(source: Source, column: Column, at: int, sign: str) -> float:
    cell, other = column.cells[at], "," if sign == "." else "."
    value = None if is_missing(cell) else number(cell, sign)
    if value is None and is_missing(cell):
        return np.nan
    if value is not None and np.isfinite(value):
        return value
    place, row = source.block.sheet.place, source.block.rows[at]
    if value is None and isinstance(cell, str) and number(cell, other) is not None:
        held = " and ".join(repr(each.cells[at]) for each in (source.x, source.y))
        raise InputError(f"{place}, row {row} holds {held}: decimal commas and points; needs one of them")
    raise InputError(f"{place}, row {row}, column {column.label} {_holds(source, column, at)}; needs a finite number")


def _holds(source: Source, column: Column, at: int) -> str:
    cell: Cell = column.cells[at]
    if cell == "":
        formula = source.block.sheet.formulas().get((source.block.rows[at], column.at))
        return f"holds {formula}" if formula else "is empty"
    return f"holds {cell!r}"


def _check_gaps(source: Source, inside: list[int], values: np.ndarray, kept: np.ndarray) -> None:
    """Refuse a row without a number, unless the curve is flat at zero on both sides of it."""
    if kept.all():
        return
    height = np.interp(np.arange(len(kept)), np.flatnonzero(kept), np.abs(values[kept, 1]))
    near = np.maximum.reduce([height, np.roll(height, 1), np.roll(height, -1)])
    bad = np.flatnonzero(~kept & (near > NOISE * height.max()))
    if len(bad):
        at = inside[bad[0]]
        column = source.x if is_missing(source.x.cells[at]) else source.y
        place, row = source.block.sheet.place, source.block.rows[at]
        raise InputError(
            f"{place}, row {row}, column {column.label} {_holds(source, column, at)}; needs a finite number"
        )


def _decimal(source: Source, there: list[int], given: str | None) -> tuple[str, str]:
    """The decimal sign of a curve, with a sentence on it where commas or points may mean thousands."""
    if given not in (None, "auto"):
        return str(given), ""
    cells = [column.cells[k] for column in (source.x, source.y) for k in there]
    signs = possible_decimals(cells)
    if len(signs) == 1:
        _check_one_sign(source, there, signs[0])
        return signs[0], ""
    fits = [sign for sign in signs if _plausible(source, there, sign)]
    if len(fits) != 1:
        shown = next(cell for cell in cells if isinstance(cell, str) and ("," in cell or "." in cell))
        if fits and "," not in "".join(cell for cell in cells if isinstance(cell, str)):
            return ".", ""
        raise InputError(
            f"{source.block.sheet.place}: {shown!r} may be a number with decimals or with thousands; --decimal . or "
            "--decimal , says which"
        )
    mark = "," if any(isinstance(cell, str) and "," in cell for cell in cells) else "."
    meaning = "a decimal sign" if fits[0] == mark else "a sign of thousands"
    return fits[0], f"{mark!r} is taken for {meaning}; --decimal says otherwise"


def _check_one_sign(source: Source, there: list[int], sign: str) -> None:
    """Refuse an abscissa that can be one only by the other decimal sign than that of the ordinate."""
    other = "," if sign == "." else "."
    x, y = ("".join(each for k in there if isinstance(each := column.cells[k], str)) for column in (source.x, source.y))
    if other not in x or other in y:
        return
    if not _plausible(source, there, sign) and _plausible(source, there, other):
        held = " and ".join(repr(column.cells[there[0]]) for column in (source.x, source.y))
        place, row = source.block.sheet.place, source.block.rows[there[0]]
        raise InputError(f"{place}, row {row} holds {held}: decimal commas and points; needs one of them")


def _plausible(source: Source, there: list[int], sign: str) -> bool:
    kind = source.x.name.kind or "log_m"
    factor = source.x.name.unit.factor if kind == "m" and source.x.name.unit else 1.0
    values = [value for k in there if (value := number(source.x.cells[k], sign)) is not None]
    low, high = PLAUSIBLE.get(kind, (-np.inf, np.inf))
    return bool(values) and low <= float(np.median(values)) * factor <= high
