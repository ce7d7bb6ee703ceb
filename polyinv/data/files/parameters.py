"""Read the lines of a calibration that are no standards."""

import difflib
import itertools
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple

from polyinv.data.files.calibration_keys import KEYS, KNOWN, MOST_ORDER, Kind
from polyinv.data.files.cells import Sheet, said
from polyinv.data.files.numbers import Cell, is_missing, number, possible_decimals
from polyinv.data.files.units import plain
from polyinv.errors import InputError, one_line

MOST_COEFFICIENT = 1e9
LIKE = 0.7
"""Likeness, 0 to 1, from which on a name is that of a line misspelt."""
SENTENCE = 4
"""Words from which on what stands before a number is a sentence, and no name."""

_ORDERS = {
    "linea": 1,
    "gerade": 1,
    "first": 1,
    "straight": 1,
    "quadrat": 2,
    "cuadrat": 2,
    "second": 2,
    "cubi": 3,
    "kubi": 3,
    "third": 3,
}
_COEFFICIENT = re.compile(r"(?:[abcd]|coeff?(?:icient)?|koeff?(?:izient)?)(\d+)")
_OTHER_COEFFICIENTS = {0: r"const(ant)?|intercept|achsenabschnitt|konstante?", 1: "slope|steigung"}
_POWER = re.compile(r"[x×*·]?\s*\b10(?:\s*\^\s*\(?([+-]?\d{1,2})\)?|(-\d{1,2}))\s*[x×*·]?")
_NUMBER = re.compile(
    r"[+-]?\s*(?:\d[\d.,']*|[.,]\d+)(?:\s*[eEdD][+-]?\d+(?!\w)|\s*[x×*·]\s*10\s*\^?\s*\(?[+-]?\d+\)?)?(?![\d.:/]|-\d)"
)
"""A number that a text begins with; dates, times of the day and ratios are none."""
_HEADER_WORDS = re.compile(
    "date|datum|fecha|uhrzeit|version|user|operator|temp|inject|injekt|column|saule|columna|detector|detektor|wavelength|"
    "pressure|druck|solvent|eluent|losungsmittel|r2|rsquare|correlation|korrelation|bestimmtheit|error|fehler|residual|"
    "deviation|abweichung|sigma|rms|numberof|anzahl|numero|points|punkte|limit|grenze|range|bereich|concentration|"
    "konzentration|serial|method|sequence|vial|lot|batch|plates|asymmetry|resolution|created|modified|dndc|scatter|exclude|outlier|omit"
)
_HEADER_NAMES = re.compile(
    "no|nr|id|n|of|from|to|min|max|start|end|year|jahr|page|seite|run|(run)?time|laufzeit|samples?|standards?|name|set|"
    "calibration(name|no|id)?|kalibrierung|revision|channel|kanal|port|m[pnwz]|pdi|d"
)
"""Lines that instruments and people put above standards, and that do not change what a calibration is."""


class LineError(InputError):
    """A line of a calibration that cannot be used."""


class Line(NamedTuple):
    """A line ``name, number``.

    Args:
        row: Where it stands.
        text: As it stands.
        name: What stands before the number.
        value: The number, None where there is none.
        beside: Texts between and behind.
        again: A second number right behind the first.
        free: Whether it may be free text, as nothing but a blank or a colon sets the number apart.
        noted: Whether it is a comment.
    """

    row: int
    text: str
    name: str
    value: float | None
    beside: str
    again: str = ""
    free: bool = False
    noted: bool = False


@dataclass
class Parameters:
    """What the lines of a calibration say.

    Args:
        values: Numbers in the units of polyinv, by the names of ``KEYS``.
        coefficients: Of a polynomial, by power.
        from_one: Whether they may be numbered from one.
        elution: ``volume`` or ``time``, where a line says so.
        known: Whether a line is one that a calibration has.
        problem: The first line that cannot be used, which is an error if the sheet is the calibration.
    """

    values: dict[str, float] = field(default_factory=dict)
    coefficients: dict[int, float] = field(default_factory=dict)
    from_one: bool = True
    elution: str | None = None
    known: bool = False
    problem: InputError | None = None


def loose(cell: Cell, sign: str) -> float | None:
    """A number, or None where the cell is none."""
    return None if is_missing(cell) else number(cell, sign)


def sign_of(sheet: Sheet) -> str:
    """The decimal sign of a sheet."""
    return possible_decimals(cell for cells in sheet.rows.values() for cell in cells)[0]


def parameters(sheet: Sheet, passed: Collection[int], beside: Mapping[int, int]) -> Parameters:
    """Read the lines of a sheet that are no standards.

    Args:
        sheet: Of a calibration.
        passed: Rows that are something else.
        beside: Rows of standards, and the cell from which on lines may stand beside them.
    """
    found, sign = Parameters(), sign_of(sheet)
    for line in _lines(sheet, sign, passed, beside):
        try:
            _take(line, found)
        except InputError as error:
            found.problem = found.problem or LineError(f"{sheet.place}, row {line.row}: '{line.text}' {error}")
    return found


def power_of(name: str) -> tuple[int, bool] | None:
    """The power that a name of a coefficient is of, and whether it may be numbered from one: ``Coef.2``."""
    name = _bare(name)
    if match := _COEFFICIENT.fullmatch(name):
        return int(match[1]), not re.match(r"[abcd]\d", name)
    power = next((power for power, pattern in _OTHER_COEFFICIENTS.items() if re.fullmatch(pattern, name)), None)
    return None if power is None else (power, True)


def is_key(text: str) -> bool:
    """Whether a text names a line of a calibration."""
    return _key_of(text) is not None


def leading(text: str, sign: str) -> tuple[float, str] | None:
    """The number that a text begins with, and what stands behind it.

    Example:
        >>> leading("1,41·10⁻² mL/g", ","), leading("0.7 (THF)", "."), leading("12.03.2020", ".")
        ((0.0141, 'mL/g'), (0.7, '(THF)'), None)
    """
    whole = None if text.endswith("%") else loose(text, sign)
    if whole is not None:
        return whole, ""
    text = plain(text)
    match = _NUMBER.match(text)
    if match is None or is_missing(text):
        return None
    written = re.sub(r"^([+-])\s+", r"\1", match[0].rstrip(",'"))
    found = (number(written, each) for each in (sign, ".", ","))
    value = next((each for each in found if each is not None), None)
    return None if value is None else (value, text[match.end() :].strip(" ,;"))


# Lines of a sheet


def _lines(sheet: Sheet, sign: str, passed: Collection[int], beside: Mapping[int, int]) -> Iterator[Line]:
    for row, cells in sheet.rows.items():
        texts = [said(cell) for cell in cells[beside.get(row, 0) :]]
        if row in passed:
            continue
        if row not in beside and texts and loose(texts[0], sign) is not None:
            if beside and any(found[1] for each in texts[1:] if (found := leading(each, sign))):  # a spoilt standard
                yield _line(texts, sign)._replace(row=row, text=one_line(", ".join(texts), 60))
            continue
        if row in beside:
            first = next((at for at, text in enumerate(texts) if is_key(text)), len(texts))
            texts = texts[first:]
        yield from _of_row(row, texts, sign, sheet.separator)
    for row, cells in sheet.comments.items():
        for line in _of_row(row, [said(cell) for cell in cells], sign, sheet.separator):
            yield line._replace(noted=True)


def _of_row(row: int, texts: list[str], sign: str, separator: str | None) -> Iterator[Line]:
    """Lines of a row: one, or several beside each other."""
    text = one_line((" " if separator == " " else ", ").join(filter(None, texts)), 60)
    texts = texts[next((at for at, each in enumerate(texts) if each), len(texts)) :]
    free = separator == " " or len(texts) == 1
    if free:
        texts = _apart(" ".join(texts), sign)
        free = len(texts) > 1 and "=" not in text and not texts[0].endswith((",", ";"))
    while len(texts) > 1:
        end = next((k for k in range(1, len(texts) - 1) if is_key(texts[k]) or power_of(texts[k])), len(texts))
        yield _line(texts[: max(end, 2)], sign)._replace(row=row, text=text, free=free)
        texts = texts[end:]


def _line(texts: list[str], sign: str) -> Line:
    """A line of cells: a name, and a number with what stands beside it."""
    at = next((at for at, each in enumerate(texts[1:], 1) if leading(each, sign)), 0)
    if not at:
        return Line(0, "", texts[0], None, " ".join(texts[1:]).strip())
    value, behind = leading(texts[at], sign) or (None, "")
    again = texts[at + 1] if at + 1 < len(texts) and not behind and loose(texts[at + 1], sign) is not None else ""
    if again and loose(f"{texts[at]}.{again}", ".") == value:  # 1,0 where commas part cells
        again = ""
    return Line(0, "", texts[0], value, " ".join([*texts[1:at], behind, *texts[at + 1 :]]).strip(), again)


def _apart(text: str, sign: str) -> list[str]:
    """Part a line that nothing sets apart: at a colon or an equals sign, else before the first number."""
    match = re.fullmatch(r"([^:=]*[^:=\s])\s*[:=]+\s*(.+)", text)
    if match:
        return [*match.groups()]
    words = text.split()
    at = next((at for at in range(1, len(words)) if leading(" ".join(words[at:]), sign)), None)
    if at is None:
        return [words[0], " ".join(words[1:])] if len(words) == 2 else words[:1]
    return [" ".join(words[:at]), " ".join(words[at:])]


# What they mean


def _take(line: Line, found: Parameters) -> None:
    """Take a line into what is found.

    Raises:
        InputError: It cannot be used; the error is the end of a sentence that begins with the line.
    """
    key = _key_of(line.name)
    power = power_of(line.name)
    found.known |= key is not None or power is not None
    if key is not None:
        value = _value_of(key[0], line, f"{key[1]} {line.beside}")
        if value is not None:
            _check_single(key[0], value, found.values.get(key[0]))
            found.values[key[0]] = value
    elif power is not None and not line.noted:
        _take_coefficient(line, *power, found)
    elif line.noted:
        return
    elif _bare(line.name) == "elution":
        found.elution = _elution_of(line)
    elif _is_unknown(line):
        nearest = sorted(KNOWN, key=lambda name: -_alike(line.name, name))
        raise InputError(f"is no line of a calibration; known: {', '.join(nearest)}; a remark begins with #")


def _bare(text: str) -> str:
    """A name in small letters and digits, without accents."""
    text = plain(text).lower().replace("α", "alpha").replace("ß", "ss")
    return re.sub("[^a-z0-9]", "", unicodedata.normalize("NFKD", text))


def _key_of(text: str) -> tuple[str, str] | None:
    """The key that a name is, and what may be a unit in it."""
    inside = " ".join(re.findall(r"[(\[](.*?)[)\]]", text))
    head, _, tail = text.rpartition(" ")
    forms = [(re.sub(r"[(\[].*?[)\]]", "", text), inside), (text, "")]
    if _unit_key(tail) in {form for key in KEYS.values() for form in key.kind.units}:
        forms.append((head, tail))
    for form, unit in forms:
        for name, key in KEYS.items():
            if re.fullmatch(key.pattern, _bare(form)):
                return name, unit
    return None


def _alike(text: str, name: str) -> float:
    return difflib.SequenceMatcher(None, _bare(text), _bare(name)).ratio()


def _is_unknown(line: Line) -> bool:
    """Whether a line that means nothing was to mean something: a number, or a word that a line has, beside a name."""
    name = _bare(line.name)
    if not name or _HEADER_NAMES.fullmatch(name) or _HEADER_WORDS.search(name):
        return False
    like = max(_alike(name, key) for key in KNOWN)
    if line.value is None:
        says = _order_of(line.beside) is not None or kind_said(line.beside) is not None
        return says and len(line.beside.split()) == 1 and like >= LIKE
    return like >= LIKE if line.free or len(line.name.split()) >= SENTENCE else True


def _value_of(name: str, line: Line, words: str) -> float | None:
    """The number of a known line in the unit of polyinv; None where the line leaves it open."""
    kind, value = KEYS[name].kind, line.value
    if line.noted and (value is None or _remark(words, kind)):
        return None
    if value is None:
        if _is_open(line):
            return None
        value = _order_of(line.beside) if name == "order" else None
    if line.again:
        raise InputError("has two numbers; with decimal commas, set cells apart by semicolons")
    factors = {kind.units[form] for each in _candidates(words) if (form := _unit_key(each)) in kind.units}
    factors = {factor * _power(words) for factor in factors}
    if value is None or len(factors) > 1 or _is_odd(kind, words, factors):
        raise InputError(f"is not understood; needs {kind.rule}")
    value *= next(iter(factors), 1.0)
    if not isfinite(value) or not kind.holds(value):
        raise InputError(f"is {value:.6g}; needs {kind.rule}")
    return value


def _is_open(line: Line) -> bool:
    """Whether a line says that it has no number."""
    return is_missing(line.beside) and line.beside.lower() != "nan"


def _is_odd(kind: Kind, words: str, factors: Collection[float]) -> bool:
    """Whether words beside a number look like a unit that is not known."""
    return "%" in words or (not factors and re.search(kind.looks, words.strip()) is not None)


def _check_single(name: str, value: float, before: float | None) -> None:
    if before not in (None, value):
        raise InputError(f"says {name} a second time, after {before:g}")


def _order_of(text: str) -> int | None:
    """The order that words say: ``linear``, ``Polynom 5``, ``third order``."""
    name = _bare(text)
    digits = re.findall(r"\d+", name)
    if len(digits) == 1 and re.search("poly|ord|grad|deg", name):
        return int(digits[0])
    return next((order for word, order in _ORDERS.items() if word in name and not digits), None)


def kind_said(text: str) -> str | None:
    """What a text says of the elution: ``volume`` or ``time``."""
    words = text.lower()
    if re.search(r"\bm[lL]\b|volum", words) and "/min" not in words:
        return "volume"
    return "time" if re.search(r"\bmin\b|\btime\b|\bzeit\b", words) and "/min" not in words else None


def _elution_of(line: Line) -> str:
    kind = kind_said(line.beside) if line.value is None else None
    if kind is None:
        raise InputError("is not understood; needs 'elution, volume' or 'elution, time'")
    return kind


def _take_coefficient(line: Line, power: int, from_one: bool, found: Parameters) -> None:
    if line.value is None and (_is_open(line) or power_of(line.beside.split()[0])):  # names side by side
        return
    needs = f"needs a number up to {MOST_COEFFICIENT:g}"
    if power > MOST_ORDER:
        raise InputError(f"is beyond the polynomials that are read, of order 1 to {MOST_ORDER}")
    if line.value is None or line.again or re.match(r"[^(]*10\s*\^|%", line.beside):
        raise InputError(f"is not understood; {needs}")
    if not abs(line.value) <= MOST_COEFFICIENT:
        raise InputError(f"is no coefficient; {needs}")
    _check_single(line.name.strip(" :="), line.value, found.coefficients.get(power))
    found.coefficients[power] = line.value
    found.from_one &= from_one


# Units


def _unit_key(text: str) -> str:
    return re.sub(r"[\s·⋅*^().]|(?<=min)s?(?:utes?)?$", "", plain(text).lower())


def _candidates(words: str) -> Iterator[str]:
    """Parts of some words that may be a unit: each one, and each two."""
    each = [part for part in re.split(r"[\s()\[\],;]+", _POWER.sub(" ", plain(words))) if part]
    yield from each
    yield from map("".join, itertools.pairwise(each))


def _power(words: str) -> float:
    match = _POWER.search(plain(words))
    return 10.0 ** int(match[1] or match[2]) if match else 1.0


def _remark(words: str, kind: Kind) -> bool:
    """Whether words beside a number are more than its unit and what stands in brackets."""
    outside = re.sub(r"[(\[].*?[)\]]", "", words).strip()
    return bool(outside) and _unit_key(outside) not in kind.units
