"""Numbers with their units, as files of systems write them: ``2.67e6 L/mol/s``, ``22.3 kJ/mol``, ``60 to 80 °C``."""

import re
from decimal import Decimal
from math import isfinite
from typing import Any

from polyinv.errors import InputError, quoted

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
FIRST_ORDER = {"1/s": "1"}
SECOND_ORDER = {"L/mol/s": "1"}
RATIO = {"": "1"}
ENERGY = {"kJ/mol": "1000", "J/mol": "1"}
CONCENTRATION = {"mol/L": "1", "mmol/L": "0.001"}
TEMPERATURE = {"°C": "1", "C": "1"}
TIME = {"s": "1", "min": "60", "h": "3600"}
DENSITY = {"g/mL": "1000", "g/cm3": "1000", "kg/m3": "1"}
MOLAR_MASS = {"g/mol": "1"}
HEAT_CAPACITY = {"kJ/L/K": "1000", "J/L/K": "1", "J/mL/K": "1000", "J/cm3/K": "1000", "kJ/m3/K": "1"}
"""Units of each kind, and what turns a number into that which is kept: mol/L, s, J/mol, g/L, g/mol, J/L/K."""
ALIASES = {
    "s-1": "1/s",
    "L mol-1 s-1": "L/mol/s",
    "dm3 mol-1 s-1": "L/mol/s",
    "M-1 s-1": "L/mol/s",
    "kJ mol-1": "kJ/mol",
    "J mol-1": "J/mol",
    "M": "mol/L",
    "mM": "mmol/L",
    "mol L-1": "mol/L",
    "mol dm-3": "mol/L",
    "g mol-1": "g/mol",
    "g cm-3": "g/cm3",
    "kg m-3": "kg/m3",
    "kJ L-1 K-1": "kJ/L/K",
    "J L-1 K-1": "J/L/K",
    "J mL-1 K-1": "J/mL/K",
    "J cm-3 K-1": "J/cm3/K",
    "kJ m-3 K-1": "kJ/m3/K",
}
"""Units as papers write them, with superscripts and dots, too."""
ABSOLUTE_ZERO = -273.15  # °C
EXAMPLES = {"°C": "60 to 80", "s": "600 to 7200"}
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
        raise InputError(f"{where} is {quoted(given)}; needs a number that a computer can hold")
    return value


def _parts(where: str, given: Any, units: dict[str, str]) -> tuple[str, str]:
    match = re.fullmatch(rf"({NUMBER})(?:\s*([^\W\d_].*|[°%].*|)|\s+(1/.*))", _text(given))
    if match is None:
        hint = "; write it as 1e9 or 22.3" if re.match("[+-]?[0-9.]", _text(given)) else ""
        raise InputError(f"{where} is {quoted(given)}; needs a number{_with(units)}{hint}")
    written = match[2] or match[3] or ""
    unit = ALIASES.get(written, written)
    if unit not in units:
        found = f"has the unit {unit}" if unit else "has no unit"
        raise InputError(f"{where} is {quoted(given)}, which {found}; needs {_named(units) or 'a number without one'}")
    return match[1], unit


def _text(given: Any) -> str:
    """What stands there in one line, with plain signs for those of a printed page; empty if it is no number."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return ""
    return " ".join(quoted(given).translate(PLAIN).split())


PLAIN = str.maketrans("−⁻¹²³·⋅", "--123  ")


def _named(units: dict[str, str]) -> str:
    return " or ".join(unit for unit in units if unit)


def _with(units: dict[str, str]) -> str:
    return f" with its unit, {_named(units)}" if _named(units) else ""


def positive(where: str, given: Any, units: dict[str, str]) -> float:
    """Read a number above 0 with its unit; see `measure`."""
    value = measure(where, given, units)
    if value <= 0:
        raise InputError(
            f"{where} is {quoted(given)}; needs more than 0{f' {next(iter(units))}' if _named(units) else ''}"
        )
    return value


def share(where: str, given: Any) -> float:
    """Read a number from 0 to 1."""
    value = measure(where, given, RATIO)
    if not 0 <= value <= 1:
        raise InputError(f"{where} is {quoted(given)}; needs a share from 0 to 1")
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
    raise InputError(f"{where} is {quoted(given)}; needs {needs}{guess}")


def temperature(where: str, given: Any) -> float:
    """Read a temperature in °C."""
    temp = measure(where, given, TEMPERATURE)
    if temp <= ABSOLUTE_ZERO:
        raise InputError(f"{where} is {quoted(given)}; needs more than {ABSOLUTE_ZERO:g} °C")
    return temp


def measured(where: str, given: Any) -> tuple[float, float]:
    """Read a range of temperatures in °C, or a single one."""
    if re.fullmatch(rf"{NUMBER}\s*°?C", _text(given)):
        return (temp := temperature(where, given)), temp
    low, high = limits(where, given, TEMPERATURE)
    return temperature(where, f"{low} °C"), high


def limits(where: str, given: Any, units: dict[str, str]) -> tuple[float, float]:
    """Read a range with its unit.

    Example:
        >>> limits("recipe.temp.range", "60 to 80 °C", TEMPERATURE)
        (60.0, 80.0)
    """
    match = re.fullmatch(rf"({NUMBER}) to ({NUMBER})\s*(.*)", _text(given))
    unit = ALIASES.get(match[3], match[3]) if match else ""
    if match is None or unit not in units:
        raise InputError(
            f"{where} is {quoted(given)}; needs LOW to HIGH with the unit {_named(units)}, "
            f"such as {EXAMPLES.get(next(iter(units)), '1 to 2')} {next(iter(units))}"
        )
    low, high = (_finite(where, given, number, units[unit]) for number in (match[1], match[2]))
    if low >= high:
        wrong = "reversed" if low > high else "of no width"
        raise InputError(f"{where} is {quoted(given)}, which is {wrong}; needs LOW to HIGH, LOW the smaller one")
    return low, high
