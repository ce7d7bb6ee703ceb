"""A measured molar mass distribution: two columns of a file, whatever their form, as one curve on the grid.

Instruments export log10 M or M against w(log10 M), w(M) or the signal of a detector, with any separator, with decimal
points or commas, with or without a header. A file is taken at its word; what it leaves open is decided by the rules
below, and `MeasuredCurve.notes` says how.
"""

import csv
import itertools
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from polyinv.chemistry import DEFAULT, AnySystem, load_system
from polyinv.data.workbook import SHEETS
from polyinv.errors import InputError, unknown
from polyinv.mmd import BIN_EDGES, area, resample, unit_area

SIGNALS = {"w_log": "w(log10 M)", "w_m": "w(M)", "sec": "a signal, w(log10 M) up to a factor"}
"""What an ordinate can be. A signal is w(log10 M) up to a factor if the calibration is a straight line."""
UNITS = {"g/mol": 0, "kg/mol": 3}
"""Units of M, and what they add to log10 M."""
LOG_RANGE = (-1.0, 10.0)
"""An abscissa without a known name is log10 M if all of it lies in here, M otherwise."""
ABSURD = 12
"""No log10 M is larger, whatever the unit, nor smaller than minus this."""
LEAST_POINTS = 10
NOISE = 0.02
"""Share of the peak: negative values up to it are noise, an end of the curve above it is a cut."""
OUTSIDE = 0.01
"""Share of the area that may lie outside of the grid without a note."""
ENDS = 0.05
"""Share of the points at either end through which a linear baseline goes."""
HEAD = 200
"""Lines by which a curve is told from a table."""

_MASS = r"(m|mi|mr|mw|mass|molarmass|molmasse?|molecular(mass|weight))"
_WEIGHT = r"d?w(t|f|eight)?(fraction)?"
NAMES = {
    "log_m": rf"log{_MASS}",
    "m": _MASS,
    "w_log": rf"{_WEIGHT}d?log{_MASS}?",
    "w_m": rf"{_WEIGHT}d?{_MASS}",
    "sec": r"(?=.)(normali[sz]ed|norm)?(sec|gpc)?(d?rid?)?(detector)?(signal|response|intensity)?",
    "other": rf"((elution|retention|run)?(time|vol)|elution|retention|cum|ln{_MASS}).*",
}
"""What names of columns mean: lower case, ``log`` for ``lg``, without units and whatever is no letter."""
ABSCISSAE, ORDINATES = ("log_m", "m"), ("w_log", "w_m", "sec")  # the first found is taken
_UNIT_WORDS = re.compile(r"(?<![a-z])(k?g[^a-z]*mol|mol[^a-z]*k?g|k?da(ltons?)?|a\.?u\.?|m?v)(?![a-z])")
_UNIT_SAID = {
    "kg/mol": re.compile(r"(?<![a-z])(kg[^a-z]*mol|kda(ltons?)?)(?![a-z])"),
    "g/mol": re.compile(r"(?<![a-z])(g[^a-z]*mol|da(ltons?)?)(?![a-z])"),
}
_NUMBER = re.compile(r"[+-]?((\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?|nan|inf(inity)?)", re.IGNORECASE)

Rows = dict[int, list[str]]
"""Cells by the number of their row, as a person counts."""


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
    """

    w: np.ndarray
    Mn: float
    Mw: float
    notes: tuple[str, ...]
    log_m: np.ndarray
    raw: np.ndarray


def read_curve(
    path: Path | str, *, signal: str = "auto", unit: str = "g/mol", baseline: str = "none", sheet: str | None = None
) -> MeasuredCurve:
    """Read a measured distribution from a text file or an .xlsx workbook.

    Args:
        path: A workbook if it ends in .xlsx, text otherwise: columns set apart by semicolons, tabs, blanks or commas,
            decimals by points or commas; empty lines and lines that start with ``#`` are passed over.
        signal: What the ordinate is, one of `SIGNALS`; ``auto`` goes by its name and, without a known one, takes it
            for w(log10 M).
        unit: Unit of M, one of `UNITS`, where the header names none.
        baseline: What is taken off the ordinate, one of `BASELINES`; ``linear`` is the straight line over log10 M
            through the means of the outermost 5 % of the points at either end.
        sheet: Of a workbook; without it the first.

    Raises:
        InputError: In one line: file, row and column, what stands there and what would be right.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() == ".xlsx":
        rows, place, others = _sheet_rows(path, sheet)
        curve = _curve(rows, {}, place, signal, unit, baseline)
        return replace(curve, notes=(*curve.notes, *others))
    if sheet is not None:
        raise InputError(f"{path} has no sheets; only an .xlsx workbook has")
    return curve_of(_text(path), str(path), signal=signal, unit=unit, baseline=baseline)


def curve_of(
    text: str, place: str, *, signal: str = "auto", unit: str = "g/mol", baseline: str = "none"
) -> MeasuredCurve:
    r"""Read a measured distribution from text, such as standard input; ``place`` names it in errors.

    Example:
        >>> lines = [f"{x / 10};{np.exp(-((x - 45) ** 2) / 20):.5f}" for x in range(30, 61)]
        >>> print(curve_of("\n".join(["log M;RI", *lines]), "standard input").notes[0])
        31 points; column 'log M' is log10 M (g/mol), 3 to 6; column 'RI' is a signal, w(log10 M) up to a factor
    """
    rows, comments = _text_rows(text, place)
    return _curve(rows, comments, place, signal, unit, baseline)


def looks_like_curve(path: Path | str, system: AnySystem = DEFAULT) -> bool:
    """Whether a file is one curve rather than a table with columns of a system.

    What cannot be read counts as a curve, so that `read_curve` says what is wrong with it.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return False
    try:
        if path.suffix.lower() != ".xlsx":
            return is_curve(_head(path), system)
        with pd.ExcelFile(path, engine="calamine") as book:
            return not set(SHEETS) & set(book.sheet_names) and _names_a_curve(_cells_of(book, 0, HEAD), system)
    except Exception:
        return True


def is_curve(text: str, system: AnySystem = DEFAULT) -> bool:
    """Whether text is one curve, see `looks_like_curve`."""
    try:
        return _names_a_curve(_text_rows("\n".join(text.splitlines()[:HEAD]), "text")[0], system)
    except InputError:
        return True


def _names_a_curve(rows: Rows, system: AnySystem) -> bool:
    first = set(next(iter(rows.values()), []))
    of_table = first & set(load_system(system).columns)
    if not of_table or any(map(_is_number, first)):
        return True
    kinds = {_kind(name) for name in first - of_table}
    # an instrument, too, may call its columns `time` and `Mw`
    return bool(kinds & set(ORDINATES)) and (of_table <= {"time", "Mw"} or bool(kinds & set(ABSCISSAE)))


# From a file to rows of cells


def _head(path: Path) -> str:
    """The first lines of a file: a table may have a hundred thousand, and is read elsewhere."""
    with path.open("rb") as file:
        content = file.readline()
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # two bytes a character: lines end otherwise
            return _text(path)
        return _decoded(content + b"".join(itertools.islice(file, HEAD)), path)


def _text(path: Path) -> str:
    return _decoded(path.read_bytes(), path)


def _decoded(content: bytes, path: Path) -> str:
    encodings = ("utf-16",) if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8", "cp1252")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError(f"{path} is not text; a curve is read from .csv, .txt or .xlsx")


def _text_rows(text: str, place: str) -> tuple[Rows, Rows]:
    """Split text into rows and comments, which may name the columns as `numpy.savetxt` does."""
    whole = text.removeprefix("\ufeff").replace("\N{MINUS SIGN}", "-").splitlines()
    lines = {row: line.strip(" ") for row, line in enumerate(whole, 1) if line.strip(" \t;,")}
    comments = {row: line.lstrip("# ") for row, line in lines.items() if line.startswith("#")}
    lines = {row: line for row, line in lines.items() if row not in comments}
    try:
        separator = max((";", "\t", " ", ","), key=lambda each: _fit(lines.values(), each))
        rows, noted = ({row: _cells(line, separator) for row, line in part.items()} for part in (lines, comments))
    except csv.Error as error:
        raise InputError(f"{place} is not a table of numbers: {error}") from None
    return rows, noted


def _fit(lines: Iterable[str], separator: str) -> tuple[int, int, int]:
    """Score of a separator: rows of numbers alone, rows of two numbers and more, most cells in a row."""
    numeric = [[_is_number(cell) for cell in _cells(line, separator)] for line in lines]
    alone = sum(len(row) > 1 and all(row) for row in numeric)
    return alone, sum(sum(row) > 1 for row in numeric), max(map(len, numeric), default=0)


def _cells(line: str, separator: str) -> list[str]:
    line = " ".join(line.split()) if separator == " " else line
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _sheet_rows(path: Path, sheet: str | None) -> tuple[Rows, str, list[str]]:
    """Read the rows of a sheet, its place, and a note if other sheets were passed over."""
    from python_calamine import CalamineError

    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            there = ", ".join(map(repr, book.sheet_names))
            if sheet is not None and sheet not in book.sheet_names:
                raise InputError(f"{path} has no sheet {sheet!r}; it has {there}")
            taken = book.sheet_names[0] if sheet is None else sheet
            others = [f"sheet {taken!r} is read, the first of {there}"] * (sheet is None and len(book.sheet_names) > 1)
            return _cells_of(book, taken), f"{path}, sheet {taken!r}", others
    except (CalamineError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not an Excel workbook: {error}") from None


def _cells_of(book: pd.ExcelFile, sheet: str | int, most: int | None = None) -> Rows:
    frame = pd.read_excel(
        book, sheet_name=sheet, header=None, nrows=most, dtype=object, keep_default_na=False, na_values=[""]
    )
    cells = frame.map(lambda cell: "" if pd.isna(cell) else str(cell).strip()).to_numpy().tolist()
    return {row: each for row, each in enumerate(cells, 1) if any(each)}


# From cells to two columns


@dataclass(frozen=True, eq=False)
class _Column:
    """Column of a file: its name in errors, its meaning, the unit in its header, its cells by row."""

    label: str
    kind: str | None
    unit: str | None
    cells: pd.Series


def _kind(name: str) -> str | None:
    letters = re.sub("[^a-z]", "", _UNIT_WORDS.sub("", name.lower())).replace("lg", "log")
    return next((kind for kind, pattern in NAMES.items() if re.fullmatch(pattern, letters)), None)


def _known(names: Sequence[str]) -> int:
    return sum(_kind(name) is not None for name in names)


def _columns(rows: Rows, comments: Rows, place: str) -> list[_Column]:
    numbers = {row: sum(map(_is_number, cells)) for row, cells in rows.items()}
    start = next((row for row, count in numbers.items() if count > 1), None)
    if start is None:
        found = "is empty" if not rows else f"has {'one column' if any(numbers.values()) else 'no row'} of numbers"
        raise InputError(f"{place} {found}; needs two columns, log10 M or M and w")
    width = max(len(cells) for row, cells in rows.items() if row >= start)
    above = {row: cells for row, cells in rows.items() if row < start}
    named_at, names = _names(above, {row: cells for row, cells in comments.items() if row < start}, width)
    below = [row for row in above if row > named_at]
    while below and numbers[below[-1]] and len(above[below[-1]]) > 1:
        start = below.pop()  # right above the numbers, and with one in it: a spoilt row of them, not a header
    said = above[below[0]] if named_at and below else []
    units = [_unit(" ".join(each)) for each in itertools.zip_longest(names, said[:width], fillvalue="")]
    data = {row: (cells + [""] * width)[:width] for row, cells in rows.items() if row >= start}
    frame = pd.DataFrame.from_dict(data, orient="index")
    return [_Column(repr(names[k]) if names[k] else str(k + 1), _kind(names[k]), units[k], frame[k]) for k in frame]


def _names(above: Rows, comments: Rows, width: int) -> tuple[int, list[str]]:
    """Find the header: the line with most known names, else a comment of known names only."""
    found = {row: names for row, cells in above.items() if (names := _as_names(cells, width))}
    best = max(found, key=lambda row: _known(found[row]), default=0)
    if best and _known(found[best]):
        return best, found[best]
    noted = [names for cells in comments.values() if (names := _as_names(cells, width)) and _known(names) == width]
    return 0, [*noted, *reversed(found.values()), [""] * width][0]


def _as_names(cells: list[str], width: int) -> list[str] | None:
    if any(map(_is_number, cells)) and "log_m" not in map(_kind, cells):  # but a sample may be called 7
        return None
    if width == 2 < len(cells):  # names with blanks in them, in columns set apart by blanks
        pairs = ([" ".join(cells[:cut]), " ".join(cells[cut:])] for cut in range(1, len(cells)))
        return next((pair for pair in pairs if _known(pair) == 2), None)
    return cells if len(cells) == width else None


def _unit(header: str) -> str | None:
    return next((unit for unit, pattern in _UNIT_SAID.items() if pattern.search(header.lower())), None)


def _chosen(columns: list[_Column], signal: str, place: str) -> tuple[_Column, _Column]:
    """Choose abscissa and ordinate: by name, or what is left where that is clear."""
    x = _by_name(columns, ABSCISSAE, place)
    y = _by_name(columns, ORDINATES if signal == "auto" else (signal,), place)
    numeric = [each for each in columns if each.cells.map(_is_number).mean() >= 0.5]
    usable = (None, *ORDINATES) if x else (None,)
    free = [each for each in numeric if each not in (x, y) and each.kind in usable]
    missing = ["log10 M or M"] * (x is None) + ["w or a signal"] * (y is None)
    if missing and len(free) != len(missing):
        hint = "" if any(each.kind for each in columns) else "; with decimal commas, set columns apart by semicolons"
        hint += "".join(f"; {each.label} is neither" for each in numeric if each.kind == "other")
        there = ", ".join(each.label for each in numeric)
        raise InputError(
            f"{place}: which column is {' and which '.join(missing)}? There are the columns of numbers {there}; "
            f"needs just two, or names such as 'log M' and 'w(log M)'{hint}"
        )
    return x or free.pop(0), y or free.pop()


def _by_name(columns: list[_Column], kinds: Sequence[str], place: str) -> _Column | None:
    for kind in kinds:
        found = [each for each in columns if each.kind == kind]
        if len(found) > 1:
            raise InputError(f"{place}: the columns {found[0].label} and {found[1].label} mean the same; leave one")
        if found:
            return found[0]
    return None


def _numbers(x: _Column, y: _Column, place: str) -> pd.DataFrame:
    """Columns ``x`` and ``y`` as numbers, by row."""
    cells = pd.DataFrame({"x": x.cells, "y": y.cells})
    cells = cells[(cells != "").any(axis=1)]  # beside a longer column
    for name, column in (("x", x), ("y", y)):
        for row, cell in cells[name].items():
            if not (_is_number(cell) and np.isfinite(float(cell.replace(",", ".")))):
                what = f"holds {cell!r}" if cell else "is empty"
                raise InputError(f"{place}, row {row}, column {column.label} {what}; needs a finite number")
    commas = cells.apply(lambda each: each.str.contains(",")).any(axis=1)
    if commas.any() and cells.apply(lambda each: each.str.contains(".", regex=False)).any(axis=None):
        held = " and ".join(map(repr, cells.loc[commas.idxmax()]))
        raise InputError(f"{place}, row {commas.idxmax()} holds {held}: decimal commas and points; needs one of them")
    if len(cells) < LEAST_POINTS:
        raise InputError(f"{place} has {len(cells)} points; a curve needs {LEAST_POINTS} or more")
    return cells.apply(lambda each: each.str.replace(",", ".").astype(float))


# From two columns to a distribution


def _through_ends(log_m: np.ndarray, y: np.ndarray) -> np.ndarray:
    count = max(1, round(ENDS * len(y)))
    (x0, x1), (y0, y1) = ((each[:count].mean(), each[-count:].mean()) for each in (log_m, y))
    return y0 + (y1 - y0) * (log_m - x0) / (x1 - x0)


BASELINES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "none": lambda log_m, y: np.zeros_like(y),
    "linear": _through_ends,
}
"""What is taken off an ordinate y over log10 M."""


def _curve(rows: Rows, comments: Rows, place: str, signal: str, unit: str, baseline: str) -> MeasuredCurve:
    _check_options(signal, unit, baseline)
    x, y = _chosen(_columns(rows, comments, place), signal, place)
    if x.unit == "g/mol" != unit:
        raise InputError(f"{place}: column {x.label} is in g/mol by its name, so unit {unit} cannot be")
    unit = x.unit or unit
    points = _numbers(x, y, place)
    is_log = x.kind == "log_m" or (x.kind is None and unit == "g/mol" and points["x"].between(*LOG_RANGE).all())
    points = _on_log_axis(points, x, is_log, unit, place)
    kind = (y.kind or "w_log") if signal == "auto" else signal
    log_m = points["log_m"].to_numpy()
    w, baseline_notes = _above_baseline(points, baseline, place)
    if kind == "w_m":
        w = w * 10 ** (log_m - log_m[-1])  # w(log10 M) = ln(10) M w(M), up to a factor
    w, noise_notes = _without_noise(w, points, baseline, place)
    raw = w / np.trapezoid(w, log_m)
    Mn, Mw = float(1 / np.trapezoid(raw * 10**-log_m, log_m)), float(np.trapezoid(raw * 10**log_m, log_m))
    first, last = points["x"].iloc[[0, -1]]
    if not is_log and x.unit is None and unit == "g/mol" and 1 <= Mw < 1000:
        raise InputError(
            f"{place}: column {x.label} holds M from {first:g} to {last:g}, with a mean of {Mw:.3g}, which looks like "
            f"kg/mol: give unit kg/mol (or name the column 'M (g/mol)', or 'log M' if it is that)"
        )
    unnamed = ", for want of a known name" if signal == "auto" and y.kind is None else ""
    taken = (
        f"{len(points)} points; column {x.label} is {'log10 M' if is_log else 'M'} ({unit}), {first:g} to {last:g}; "
        f"column {y.label} is {SIGNALS[kind]}{unnamed}"
    )
    on_grid = resample(log_m, raw)
    notes = (taken, *baseline_notes, *noise_notes, *_cuts(log_m, raw, baseline), *_left_out(on_grid, log_m, place))
    return MeasuredCurve(unit_area(on_grid), Mn, Mw, notes, log_m, raw)


def _check_options(signal: str, unit: str, baseline: str) -> None:
    options = {"signal": (signal, ("auto", *SIGNALS)), "unit": (unit, UNITS), "baseline": (baseline, BASELINES)}
    for option, (given, known) in options.items():
        if given not in known:
            raise unknown(option, given, known)


def _on_log_axis(points: pd.DataFrame, x: _Column, is_log: bool, unit: str, place: str) -> pd.DataFrame:
    """Add ``log_m``, log10 of M in g/mol, to points and sort by it."""
    what, values = "log10 M" if is_log else "M", points["x"]
    if not is_log:
        _refuse(values <= 0, values, x, place, "M has to be more than 0")
    points = points.assign(log_m=(values if is_log else np.log10(values)) + UNITS[unit])
    _refuse(points["log_m"].abs() > ABSURD, values, x, place, f"that cannot be {what}")
    points = points.sort_values("log_m", kind="stable")
    again = points["log_m"].duplicated()
    if again.any():
        first, second = points.index[points["log_m"] == points["log_m"][again.idxmax()]][:2]
        raise InputError(
            f"{place}: {what} {values[first]:g} stands there twice, rows {first} and {second}; leave one of them"
        )
    return points


def _refuse(bad: pd.Series, values: pd.Series, x: _Column, place: str, rule: str) -> None:
    if bad.any():
        row = bad.idxmax()
        raise InputError(f"{place}, row {row}, column {x.label} holds {values[row]:g}; {rule}")


def _above_baseline(points: pd.DataFrame, baseline: str, place: str) -> tuple[np.ndarray, list[str]]:
    """Subtract the baseline from the ordinate, up to a factor, with a note on what was taken off."""
    log_m, y = points["log_m"].to_numpy(), points["y"].to_numpy()
    y = y / (np.abs(y).max() or 1)
    line = BASELINES[baseline](log_m, y)
    peak = (y - line).max()
    if peak < 1e-9:
        raise InputError(f"{place}: the ordinate is nowhere above zero; needs w or a signal with a peak upwards")
    if baseline == "none":
        return y, []
    ends = f"{line[0] / peak:.2g} and {line[-1] / peak:.2g} of the peak"
    return y - line, [f"a {baseline} baseline is taken off, {ends} at log10 M {log_m[0]:.3g} and {log_m[-1]:.3g}"]


def _without_noise(w: np.ndarray, points: pd.DataFrame, baseline: str, place: str) -> tuple[np.ndarray, list[str]]:
    """Set small negative values of w to zero, with a note on it."""
    lowest, depth = w.argmin(), -w.min() / w.max()
    if depth > NOISE:
        below = "the baseline" if baseline != "none" else "zero; baseline linear takes off a drift"
        raise InputError(
            f"{place}, row {points.index[lowest]}: the ordinate holds {points['y'].iloc[lowest]:g}, "
            f"{depth:.0%} of the peak below {below}; up to {NOISE:.0%} passes for noise"
        )
    count = (w < 0).sum()
    note = f"{count} values below zero, by at most {depth:.2%} of the peak, are set to zero"
    return np.maximum(w, 0), [note] * bool(count)


def _cuts(log_m: np.ndarray, raw: np.ndarray, baseline: str) -> list[str]:
    hint = "; baseline linear takes off an offset" if baseline == "none" else ""
    return [
        f"the curve ends at log10 M {log_m[end]:.3g} with {raw[end] / raw.max():.0%} of its peak: cut off there{hint}"
        for end in (0, -1)
        if raw[end] > NOISE * raw.max()
    ]


def _left_out(on_grid: np.ndarray, log_m: np.ndarray, place: str) -> list[str]:
    outside, grid = 1 - area(on_grid), f"log10 M {BIN_EDGES[0]:.2f} to {BIN_EDGES[-1]:.2f}"
    if outside > 0.5:
        raise InputError(
            f"{place}: the curve, log10 M {log_m[0]:.3g} to {log_m[-1]:.3g}, lies outside of {grid}; is the unit right?"
        )
    return [f"{outside:.1%} of the area lies outside of {grid} and is left out"] * bool(outside > OUTSIDE)
