"""Numbers as people and instruments write them: decimal points or commas, groups of thousands, any exponent."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from polyinv.errors import unknown

Cell = str | float
"""A cell as it stands: text, or the number that a workbook holds."""

DECIMALS = {"auto": "by the numbers of the file", ".": "points, commas part thousands", ",": "commas, points part them"}
"""Decimal signs (``--decimal``)."""
EXCEL_ERRORS = ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!")
_MISSING = {
    "",
    "-",
    "--",
    "---",
    "n/a",
    "na",
    "nan",
    "n.a.",
    "n.d.",
    "nd",
    "n.b.",
    "n.v.",
    "k.a.",
    "n/d",
    "s.d.",
    "null",
    "none",
    "—",
    "–",
    "***",
    "?",
}
_EXPONENT = r"(?:\s*[ed]\s*[+-]?\d+)?"
_POINT = rf"[+-]?(?:(?:[1-9]\d{{0,2}}(?:[,' ]\d{{3}})+|\d+)(?:\.\d*)?|\.\d+){_EXPONENT}"
_COMMA = _POINT.replace(r"\.", "§").replace("[,'", "[.'").replace("§", ",")
_PATTERNS = {".": re.compile(_POINT, re.IGNORECASE), ",": re.compile(_COMMA, re.IGNORECASE)}
_PLAIN = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
"""What most cells are, and is read at once."""
_POWER = re.compile(r"\s*[x×*·]\s*10\s*\^?\s*\(?([+-]?\d+)\)?$", re.IGNORECASE)
_SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴-⁹]+")
_SIGNS = str.maketrans({"−": "-", "–": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'"})
PLUS_MINUS = re.compile(r"±|[+＋]\s*[/／]?\s*[-－\N{MINUS SIGN}]")
"""Between a value and its error: ``±``, ``+-`` or ``+/-``, full-width signs, too."""
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


@lru_cache(maxsize=1 << 14)
def number(cell: Cell, decimal: str = ".") -> float | None:
    """Read a cell as a number by a decimal sign; None if it is none.

    Example:
        >>> number("1,234.5"), number("1.234,5", ","), number("1.0D+03"), number("3,1 %", ","), number("abc")
        (1234.5, 1234.5, 1000.0, 3.1, None)
    """
    if not isinstance(cell, str):
        return None if math.isnan(cell) else float(cell)
    if decimal == "." and cell.isascii() and _PLAIN.fullmatch(cell):
        return float(cell)
    if _SUPERSCRIPT.search(cell):
        cell = _SUPERSCRIPT.sub(lambda power: "^" + unicodedata.normalize("NFKC", power[0]), cell)
    if not cell.isascii():
        cell = unicodedata.normalize("NFKC", cell)  # full-width digits
    text = _POWER.sub(r"e\1", cell.translate(_SIGNS).strip().removesuffix("%").strip())
    if _INFINITE.fullmatch(text):
        return math.inf
    if not _PATTERNS[decimal].fullmatch(text):
        return None
    apart = re.sub(r"(?<=\d)[ ,'](?=\d)" if decimal == "." else r"(?<=\d)[ .'](?=\d)", "", text)
    return float(re.sub(r"\s*[ed]\s*", "e", apart.replace(",", "."), flags=re.IGNORECASE))


def is_missing(cell: Cell) -> bool:
    """Whether a cell says that there is no value, in any of the ways in which people do."""
    return cell.strip().lower() in _MISSING or set(cell) == {"*"} if isinstance(cell, str) else math.isnan(cell)


def is_number(cell: Cell) -> bool:
    """Whether a cell is a number by some decimal sign."""
    return number(cell) is not None or (isinstance(cell, str) and number(cell, ",") is not None)


def possible_decimals(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Decimal signs by which all of the cells, or all but few, are numbers; the likelier one first.

    Example:
        >>> possible_decimals(["3,02", "1.000"]), possible_decimals(["1,000", "1,047"]), possible_decimals(["0,162"])
        ((',',), ('.', ','), (',',))
    """
    counts: Counter[str] = Counter()
    for cell in cells:
        if isinstance(cell, str) and ("," in cell or "." in cell):
            counts["".join(sign for sign in ".," if number(cell, sign) is not None)] += 1
    if counts["."] or counts[","]:
        return (".",) if counts["."] >= counts[","] else (",",)
    return (".", ",") if counts[".,"] else (".",)


def check_decimal(decimal: str | None) -> None:
    """Refuse an unknown decimal sign.

    Raises:
        InputError: It is none of ``DECIMALS``.
    """
    if decimal is not None and decimal not in DECIMALS:
        raise unknown("decimal sign", decimal, DECIMALS)
