"""Errors behind ± in the cells and the names of a table, in the unit of their value."""

import math
import re
from typing import NamedTuple

from polyinv.data.files.numbers import PLUS_MINUS, Cell, number
from polyinv.data.files.units import MOLAR, Unit, quantity_of, unit_of

_IN_NAME = re.compile(rf"\s*(?:{PLUS_MINUS.pattern})\s*(?:(?P<error>\d[\d.,]*\s*%?)|[A-Za-zσ.]+)", re.IGNORECASE)


_SAYS = re.compile(
    r"(?<![a-z])(?:rel(?:\.|ative)? ?)?(?:rsd|cv|sd|s\.d\.|std\.?(?: ?(?:dev|error|err)\.?)?|stdev|error|err\.?|fehler|"
    r"±|\+/?-|σ|uncertainty|standard(?: deviation|abweichung)|stabw\.?|desv\.?|desviación estándar|écart[- ]type)"
    r"(?![a-z])",
    re.IGNORECASE,
)


_RELATIVE = re.compile(r"(?<![a-z])(?:rsd|cv|rel(?:\.|ative)?)(?![a-z])", re.IGNORECASE)


class Part(NamedTuple):
    """Number, unit and per cent sign of a text, such as ``5 %`` or ``40.1 kDa``; None where it is none."""

    value: float | None
    unit: Unit | None = None
    percent: bool = False


def parted(cell: Cell) -> tuple[Cell, str | None]:
    """Part a cell into a value and what stands behind ±.

    Example:
        >>> parted("70 ± 0.5"), parted("(40.1+/-0.8) kDa"), parted("1800")
        (('70', '0.5'), ('40.1', '0.8 kDa'), ('1800', None))
    """
    if not isinstance(cell, str) or not PLUS_MINUS.search(cell):
        return cell, None
    value, error = PLUS_MINUS.split(re.sub(r"[()（）]", "", cell), maxsplit=1)
    return value.strip(), error.strip()


def part_of(text: Cell, sign: str) -> Part:
    """Read a number that may have a unit behind it.

    Example:
        >>> part_of("40,1 kDa", ",").unit.name, part_of("5 %", ".")
        ('kg/mol', Part(value=5.0, unit=None, percent=True))
    """
    value = number(text, sign)
    if not isinstance(text, str) or value is not None:
        return Part(value, None, isinstance(text, str) and text.rstrip().endswith(("%", "％")))
    digits, _, written = text.strip().rpartition(" ")
    if not digits or number(digits, sign) is None:  # no blank between, or one in the unit
        match = re.fullmatch(r"([-+\d.,eE]*\d)\s*([^\d\s].*)", text.strip())
        digits, written = match.groups() if match else ("", "")
    unit = MOLAR if written == "M" else unit_of(written)
    return Part(number(digits, sign) if unit else None, unit)


def in_units(value: Part, error: Part, column: str, unit: Unit | None = None) -> tuple[float, float] | None:
    """A value and its error, NaN where there is none, in polyinv's unit of a column; None where the units do not fit.

    A unit behind the error holds for both if the value has none. Of temperatures it does not: an error of 0.5 K is one
    of 0.5 °C.

    Args:
        value: With a number.
        error: Without one, if none is stated; a share of the value where it has a per cent sign.
        column: Of a system.
        unit: That of the column, where its name says it.

    Example:
        >>> in_units(part_of("30", "."), part_of("1 min", "."), "time")
        (1800.0, 60.0)
        >>> in_units(part_of("70", "."), part_of("0.5 K", "."), "temp")
        (70.0, 0.5)
    """
    assert value.value is not None
    quantity = quantity_of(column)
    behind = None if error.percent else error.unit
    if any(each and each.quantity != quantity for each in (value.unit, behind)) or (
        value.unit and unit not in (None, value.unit)
    ):
        return None
    taken = value.unit or unit or (behind if quantity != "temperature" else None) or Unit("", quantity)
    converted = taken.converted(value.value)
    if error.value is None:
        return converted, math.nan
    return converted, error.value * abs(converted) / 100 if error.percent else error.value * (behind or taken).factor


def without_error(name: str) -> str:
    """The name of a column without the error in it.

    Example:
        >>> without_error("temp (°C) ± 0.5"), without_error("Mn ± SD (kDa)"), without_error("time (min)")
        ('temp (°C)', 'Mn (kDa)', 'time (min)')
    """
    return _IN_NAME.sub("", name)


def error_in(name: str) -> str | None:
    """The error that the name of a column states of all its values.

    Example:
        >>> error_in("temp (°C) ± 0.5"), error_in("Mn ± SD (kDa)"), error_in("cBA_time ± 5 %")
        ('0.5', None, '5 %')
    """
    found = _IN_NAME.search(name)
    return found["error"] if found else None


def says_relative(name: str) -> bool:
    """Whether a column that states errors says that they are shares of the value.

    Example:
        >>> says_relative("RSD Mn (%)"), says_relative("Mn error (%)")
        (True, False)
    """
    return _RELATIVE.search(name) is not None


def says_error(name: str) -> str | None:
    """What a column that states errors says besides; None for other columns.

    Example:
        >>> says_error("temp_error"), says_error("SD Mn (kDa)"), says_error("±"), says_error("Mn")
        ('temp', 'Mn (kDa)', '', None)
    """
    rest, count = _SAYS.subn("", name)
    return re.sub(r"\(\s*\)", "", rest).strip(" _-,.") if count else None
