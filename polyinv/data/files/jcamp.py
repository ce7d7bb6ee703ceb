"""JCAMP-DX as electronic laboratory notebooks export it: XYPOINTS, XYDATA and PEAK TABLE, plain or compressed."""

import re
from collections.abc import Iterator
from math import isfinite

from polyinv.data.files.cells import Rows, Sheet
from polyinv.data.files.numbers import number
from polyinv.errors import InputError, quoted

X_NAMES = {
    "gmol": "M (g/mol)",
    "kgmol": "M (kg/mol)",
    "milliliters": "Volume (mL)",
    "ml": "Volume (mL)",
    "minutes": "Time (min)",
}
X_NAMES |= {"min": "Time (min)", "seconds": "Time (s)", "da": "M (g/mol)", "dalton": "M (g/mol)", "kda": "M (kg/mol)"}
"""Names of the abscissa by ``##XUNITS``."""
_DATA = ("XYPOINTS", "XYDATA", "PEAKTABLE", "PEAKASSIGNMENTS")
_LABEL = re.compile(r"^\s*##([^=]*)=(.*)$")
_SQUEEZED = {**{c: str(k) for k, c in enumerate("@ABCDEFGHI")}, **{c: f"-{k}" for k, c in enumerate("abcdefghi", 1)}}
_DIFFERENCES = {**{c: str(k) for k, c in enumerate("%JKLMNOPQR")}, **{c: f"-{k}" for k, c in enumerate("jklmnopqr", 1)}}
_REPEATS = {c: str(k) for k, c in enumerate("STUVWXYZs", 1)}
MOST_DIGITS = 4
"""Of the number of times that an ordinate is repeated, behind the first."""
CUT_OFF = "is the file cut off, or damaged?"
_TOKEN = re.compile(r"([@A-Ia-i%J-Rj-rS-Zs]\d*|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]\d+)?|\?)")


def is_jcamp(text: str) -> bool:
    """Whether a text begins with a label of JCAMP-DX."""
    return re.match(r"\s*(\$\$[^\n]*\n\s*)*##\s*(TITLE|JCAMP-?DX)\s*=", text, re.IGNORECASE) is not None


def jcamp_sheets(text: str, place: str) -> list[Sheet]:
    """Read the blocks of a JCAMP-DX file as sheets of two columns; labels stand above them as rows.

    Raises:
        InputError: It holds no points, fewer or others than it states, or a spectrum.
    """
    sheets: list[Sheet] = []
    labels: dict[str, str] = {}
    lines = enumerate(text.splitlines(), 1)
    data: list[tuple[int, str]] = []
    kind = ""
    for row, line in lines:
        line = line.partition("$$")[0].rstrip()
        label = _LABEL.match(line)
        if label is None:
            if kind and line.strip():
                data.append((row, line))
            continue
        if kind:
            sheets.append(_sheet(kind, labels, data, place))
        name = re.sub(r"[\s_/-]", "", label[1].upper())
        kind, data = (name, []) if name in _DATA else ("", [])
        labels = {} if name == "TITLE" else labels
        labels[name] = label[2].strip()
    if kind:
        sheets.append(_sheet(kind, labels, data, place))
    if not sheets:
        raise InputError(f"{place} is JCAMP-DX without points; a curve needs ##XYPOINTS= or ##XYDATA=")
    return sheets


def _sheet(kind: str, labels: dict[str, str], data: list[tuple[int, str]], place: str) -> Sheet:
    by_steps = "++" in labels[kind].replace(" ", "")
    points = [*(_steps if by_steps else _pairs)(labels, data, place)]
    _check_count(labels, len(points), place)
    if "SPECTRUM" in labels.get("DATATYPE", "").upper():
        raise InputError(f"{place} is of the data type {labels['DATATYPE']}, no molar mass distribution")
    x = X_NAMES.get(re.sub("[^a-z]", "", labels.get("XUNITS", "").lower()), labels.get("XUNITS", "") or "x")
    y = labels.get("YUNITS", "")
    y = "signal" if not y or "arbitrary" in y.lower() or y.lower() == "a.u." else y
    first = max(2, data[0][0] - 1 if data else 2)
    rows: Rows = {
        1: [labels.get("TITLE", "")],
        first: [x, y],
        **{first + k: [a, b] for k, (_, a, b) in enumerate(points, 1)},
    }
    stated = {name: value for name, value in labels.items() if name.lstrip("$") in ("MN", "MW", "MP", "MZ", "D", "PDI")}
    comments: Rows = {-k: [name.lstrip("$").capitalize(), value] for k, (name, value) in enumerate(stated.items(), 1)}
    return Sheet(place, rows, comments)


def _check_count(labels: dict[str, str], found: int, place: str) -> None:
    stated = labels.get("NPOINTS", "")
    if stated.strip().isdigit() and int(stated) != found:
        raise InputError(f"{place} states {stated} points and holds {found}")


def _stated(labels: dict[str, str], name: str, place: str) -> float | None:
    """The number of a label, None where there is none."""
    if not labels.get(name):
        return None
    value = number(labels[name], "." if "." in labels[name] else ",")
    if value is None or not isfinite(value):
        raise InputError(f"{place}: ##{name}= is {quoted(labels[name])!r}; needs a number")
    return value


def _factors(labels: dict[str, str], place: str) -> tuple[float, float]:
    factors = (_stated(labels, name, place) for name in ("XFACTOR", "YFACTOR"))
    x_factor, y_factor = (1.0 if factor is None else factor for factor in factors)
    return x_factor, y_factor


def _pairs(labels: dict[str, str], data: list[tuple[int, str]], place: str) -> Iterator[tuple[int, float, float]]:
    """``(XY..XY)``: x, y pairs, parted by commas, blanks or semicolons."""
    x_factor, y_factor = _factors(labels, place)
    for row, line in data:
        for pair in re.split(r"\s*;\s*|(?<=\d)\s+(?=\S+\s*,)", line.strip()) if "," in line else [line]:
            if pair.strip():
                values = [_value(each, place, row) for each in re.split(r"\s*,\s*|\s+", pair.strip(" ,"))]
                if len(values) % 2:
                    raise InputError(f"{place}, line {row}: {values[-1]:g} is an x without its y; {CUT_OFF}")
                for x, y in zip(values[::2], values[1::2], strict=True):
                    yield row, x * x_factor, y * y_factor


def _value(text: str, place: str, row: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{place}, line {row}: {quoted(text)!r} is no number; {CUT_OFF}") from None


def _steps(labels: dict[str, str], data: list[tuple[int, str]], place: str) -> Iterator[tuple[int, float, float]]:
    """``(X++(Y..Y))``: ordinates at even steps, compressed or not; x begins each line and is checked."""
    x_factor, y_factor = _factors(labels, place)
    values: list[tuple[int, float]] = []
    starts: list[tuple[int, float]] = []
    difference = False
    for row, line in data:
        x, ys, ends_in_difference = _decoded(line, place, row)
        if difference and values and ys:  # the check value repeats the last ordinate
            if ys[0] != values[-1][1]:
                raise InputError(f"{place}, line {row}: the ordinate {ys[0]:g} has to repeat {values[-1][1]:g}")
            ys = ys[1:]
        starts.append((len(values), x * x_factor))
        values += [(row, y) for y in ys]
        difference = ends_in_difference
    if not values:
        raise InputError(f"{place} has no ordinates below ##XYDATA=; {CUT_OFF}")
    first, step = _axis(labels, starts[0][1], len(values), place)
    for at, x in starts:
        if abs(first + at * step - x) > 1.5 * abs(step):
            raise InputError(f"{place}: the line of x = {x:g} begins at {first + at * step:g}; points are missing")
    for k, (row, y) in enumerate(values):
        yield row, first + k * step, y * y_factor


def _axis(labels: dict[str, str], start: float, count: int, place: str) -> tuple[float, float]:
    """The first x and the step, as labels state them."""
    stated, last, step = (_stated(labels, name, place) for name in ("FIRSTX", "LASTX", "DELTAX"))
    first = start if stated is None else stated
    if last is not None and count > 1:
        return first, (last - first) / (count - 1)
    if step is None:
        raise InputError(f"{place} lacks the step of x; a line ##LASTX= or ##DELTAX= states it")
    return first, step


def _decoded(line: str, place: str, row: int) -> tuple[float, list[float], bool]:
    """x, ordinates, and whether the last one is a difference, of a line in the ASDF forms."""
    tokens = _TOKEN.findall(line)
    if not tokens or not re.fullmatch(r"[-+.\d].*", tokens[0]):
        raise InputError(f"{place}, line {row} does not begin with an x; {CUT_OFF}")
    x, difference = float(tokens[0]), False
    ys: list[float] = []
    step: float | None = None
    for token in tokens[1:]:
        sign, digits = token[0], token[1:]
        if sign in _REPEATS:
            _check_first(ys, token, place, row)
            if len(digits) > MOST_DIGITS:
                raise InputError(
                    f"{place}, line {row}: an ordinate is repeated {quoted(digits)} times and more; {CUT_OFF}"
                )
            for _ in range(int(_REPEATS[sign] + digits) - 1):
                ys.append(ys[-1] + step if step is not None else ys[-1])
        elif sign in _DIFFERENCES:
            _check_first(ys, token, place, row)
            step, difference = float(_DIFFERENCES[sign] + digits), True
            ys.append(ys[-1] + step)
        elif token == "?":
            raise InputError(f"{place}, line {row}: an ordinate is '?', which says that it is not known")
        else:
            step, difference = None, False
            ys.append(float(_SQUEEZED[sign] + digits if sign in _SQUEEZED else token))
    return x, ys, difference


def _check_first(ys: list[float], token: str, place: str, row: int) -> None:
    if not ys:
        raise InputError(f"{place}, line {row}: {token!r} goes on from an ordinate that is not there; {CUT_OFF}")
