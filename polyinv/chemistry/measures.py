"""Numbers with their units, as files of systems write them: ``2.67e6 L/mol/s``, ``22.3 kJ/mol``, ``60 to 80 °C``."""

import re
from decimal import Decimal
from math import isfinite
from typing import Any

from polyinv.errors import InputError

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
FIRST_ORDER = {"1/s": "1"}
SECOND_ORDER = {"L/mol/s": "1"}
RATIO = {"": "1"}
ENERGY = {"kJ/mol": "1000", "J/mol": "1"}
CONCENTRATION = {"mol/L": "1", "mmol/L": "0.001"}
TEMPERATURE = {"°C": "1", "C": "1"}
TIME = {"s": "1", "min": "60", "h": "3600"}
DENSITY = {"g/mL": "1000", "kg/m3": "1"}
MOLAR_MASS = {"g/mol": "1"}
"""Units of each kind, and what turns a number into that which is kept: mol/L, s, J/mol, g/L, g/mol."""
SMALL, LARGE = 500.0, 400e3
"""Activation energies in J/mol below and above which one is a slip: what diffuses has more, a bond that breaks less."""


def measure(where: str, given: Any, units: dict[str, str]) -> float:
    """Read a number with its unit.

    Args:
        where: File and key, for the error.
        given: As YAML has it: text, or a number where no unit is needed. ``1e-3``, which YAML takes for text, is one.
        units: One of the kinds above.

    Raises:
        InputError: It is no number, or has no unit or another one.

    Example:
        >>> measure("coefficients.k_p.E_a", "22.3 kJ/mol", ENERGY)
        22300.0
    """
    number, unit = _parts(where, given, units)
    return _finite(where, given, number, units[unit])


def _finite(where: str, given: Any, number: str, factor: str) -> float:
    value = float(Decimal(number) * Decimal(factor))
    if not isfinite(value):
        raise InputError(f"{where} is {given}; needs a number that a computer can hold")
    return value


def _parts(where: str, given: Any, units: dict[str, str]) -> tuple[str, str]:
    match = re.fullmatch(rf"({NUMBER})\s*(.*)", _text(given))
    if match is None:
        raise InputError(f"{where} is {given}; needs a number{_with(units)}")
    if match[2] not in units:
        found = f"has the unit {match[2]}" if match[2] else "has no unit"
        raise InputError(f"{where} is {given}, which {found}; needs {_named(units) or 'a number without one'}")
    return match[1], match[2]


def _text(given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return ""
    return " ".join(str(given).split()).replace("−", "-")


def _named(units: dict[str, str]) -> str:
    return " or ".join(unit for unit in units if unit)


def _with(units: dict[str, str]) -> str:
    return f" with its unit, {_named(units)}" if _named(units) else ""


def positive(where: str, given: Any, units: dict[str, str]) -> float:
    """Read a number above 0 with its unit; see `measure`."""
    value = measure(where, given, units)
    if value <= 0:
        raise InputError(f"{where} is {given}; needs more than 0{f' {next(iter(units))}' if _named(units) else ''}")
    return value


def share(where: str, given: Any) -> float:
    """Read a number from 0 to 1."""
    value = measure(where, given, RATIO)
    if not 0 <= value <= 1:
        raise InputError(f"{where} is {given}; needs a share from 0 to 1")
    return value


def activation_energy(where: str, given: Any, *, of_a_ratio: bool = False) -> float:
    """Read an activation energy in J/mol, and guess aloud where kJ and J were taken for each other.

    Args:
        where: File and key, for the error.
        given: As in `measure`.
        of_a_ratio: Of a ratio of two coefficients: it may be small or negative.

    Example:
        >>> activation_energy("k_p.E_a", "17900 kJ/mol")
        Traceback (most recent call last):
            ...
        polyinv.errors.InputError: k_p.E_a is 17900 kJ/mol; needs 0, or 0.5 to 400 kJ/mol; was 17900 J/mol meant?
    """
    number, unit = _parts(where, given, ENERGY)
    value = measure(where, given, ENERGY)
    good = abs(value) <= LARGE if of_a_ratio else value == 0 or SMALL <= value <= LARGE
    if good:
        return value
    other = "J/mol" if unit == "kJ/mol" else "kJ/mol"
    meant = abs(float(Decimal(number) * Decimal(ENERGY[other])))
    guess = f"; was {number} {other} meant?" if SMALL <= meant <= LARGE and value > 0 else ""
    needs = "-400 to 400 kJ/mol" if of_a_ratio else "0, or 0.5 to 400 kJ/mol"
    raise InputError(f"{where} is {given}; needs {needs}{guess}")


def measured(where: str, given: Any) -> tuple[float, float]:
    """Read a range of temperatures in °C, or a single one."""
    if re.fullmatch(rf"{NUMBER}\s*°?C", _text(given)):
        return (temp := measure(where, given, TEMPERATURE)), temp
    return limits(where, given, TEMPERATURE)


def limits(where: str, given: Any, units: dict[str, str]) -> tuple[float, float]:
    """Read a range with its unit.

    Example:
        >>> limits("recipe.temp.range", "60 to 80 °C", TEMPERATURE)
        (60.0, 80.0)
    """
    match = re.fullmatch(rf"({NUMBER}) to ({NUMBER})\s*(.*)", _text(given))
    if match is None or match[3] not in units:
        unit = next(iter(units))
        raise InputError(f"{where} is {given}; needs LOW to HIGH with the unit {_named(units)}, such as 1 to 2 {unit}")
    low, high = (_finite(where, given, number, units[match[3]]) for number in (match[1], match[2]))
    if low >= high:
        raise InputError(f"{where} is {given}, which is reversed; needs LOW to HIGH, LOW the smaller one")
    return low, high
