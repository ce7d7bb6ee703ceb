"""Known values of a recipe and measured scalars, and their errors, as a user states them."""

import logging
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.files.doubts import can_be, suspicions
from polyinv.data.files.plus_minus import Part, in_units, part_of, parted
from polyinv.data.files.units import quantity_of, units_of
from polyinv.data.stated import rule_of, stated_error
from polyinv.errors import InputError, unknown
from polyinv.instrument.errors import SUFFIX, error_columns
from polyinv.predict.conversion import CONVERSION, share_of

_APART = re.compile(r"[;、]|(?<!\d),|,(?!\d)")
"""Between known values; a comma between two digits is a decimal sign."""

log = logging.getLogger(__name__)


class Stated(NamedTuple):
    """Value that a user states, with its standard deviation in the same unit; None where one is not stated."""

    value: float | None
    error: float | None = None


def all_stated(given: Sequence[str], system: AnySystem = DEFAULT) -> dict[str, Stated]:
    """Parse known values and their errors from ``name=value±error``, several in one by commas or semicolons.

    A name may be that of an error, such as ``sec_broadening`` or ``temp_error``, or ``conversion``.

    ``+-`` and ``+/-`` mean the same as ``±``; a comma between two digits is a decimal sign. A unit may stand behind a
    number, and a per cent sign makes an error relative to the value. Values without a unit that would fit another one
    better are said in the log.

    Raises:
        InputError: Not of that form, an unknown name, a name or a thing twice, a value that cannot be or may be two, or
            an error that is not positive.

    Example:
        >>> all_stated(["temp=70±0,5 °C,time=60 min"])
        {'temp': Stated(value=70.0, error=0.5), 'time': Stated(value=3600.0, error=None)}
    """
    system = load_system(system)
    values: dict[str, Stated] = {}
    bare = []
    for each in (part for whole in given for part in _APART.split(unicodedata.normalize("NFKC", whole))):
        name, sign, text = (part.strip() for part in each.partition("="))
        if not sign:
            raise InputError(f"--known {each}: needs name=value, such as temp=70 or temp=70±0.5")
        if name in values:
            raise InputError(f"--known gives {name} twice")
        values[name], has_unit = _read(name, text, system)
        bare += [] if has_unit else [name]
    _check_once(values, system)
    for name in bare:
        for doubt in suspicions(name, np.array([values[name].value]), system, f"--known {name}", "convert it"):
            log.warning(doubt)
    return values


def _check_once(values: Mapping[str, Stated], system: System) -> None:
    """Refuse what is said under two names."""
    twice = [name for name, each in values.items() if each.error is not None and name + SUFFIX in values]
    if twice:
        raise InputError(f"--known gives the error of {twice[0]} twice: behind the value, and as {twice[0]}{SUFFIX}")
    if CONVERSION in values and system.residual in values:
        raise InputError(f"--known gives {CONVERSION} and {system.residual}, which say the same; leave out one")


def values_of(given: Mapping[str, Stated]) -> dict[str, float]:
    """The values without their errors.

    Example:
        >>> values_of(all_stated(["temp=70±0.5,time=3600"]))
        {'temp': 70.0, 'time': 3600.0}
    """
    return {name: each.value for name, each in given.items() if each.value is not None}


def errors_of(given: Mapping[str, Stated]) -> dict[str, float]:
    """The errors that are stated, by the value that they are of; those of the instrument by the name of their column.

    Example:
        >>> errors_of(all_stated(["temp=70+-0.5,time=3600", "cBA_time=0.4±5%"]))
        {'temp': 0.5, 'cBA_time': 0.02}
    """
    return {name.removesuffix(SUFFIX): each.error for name, each in given.items() if each.error is not None}


def stated(name: str, given: float | str, system: AnySystem = DEFAULT) -> Stated:
    """Check a known value and its error, if there is one.

    Args:
        name: Of the recipe, residual monomer, Mn, Mw, conversion, or an error.
        given: A number, or text such as ``70``, ``70±0,5``, ``70 °C ± 0.5 K``, ``0.4 +/- 5 %``.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Raises:
        InputError: An unknown name, a value that cannot be, or an error that is not positive.

    Example:
        >>> stated("Mn", "20000 ± 2 %"), stated("temp", 70)
        (Stated(value=20000.0, error=400.0), Stated(value=70.0, error=None))
    """
    system = load_system(system)
    if isinstance(given, str) or name not in (*system.targets, *system.scalars):
        given = str(given)
        return _read(name, unicodedata.normalize("NFKC", given), system)[0]
    return Stated(checked_value(name, given, system))


def _read(name: str, given: str, system: System) -> tuple[Stated, bool]:
    """A known value and its error, and whether a unit stands there that holds for the value."""
    _check_name(name, system)
    if name in (errors := error_columns(system.recipe, system.residual)):
        error_alone = stated_error(given, errors[name])
        if np.isnan(error_alone):
            hint = ", decimals with a point" if "," in given else ""
            raise InputError(f"{name} is said to be {given!r}; needs {rule_of(errors[name])}{hint}")
        return Stated(None, error_alone), True
    text, behind = parted(given.strip())
    sign = _decimal(name, [str(text), *([] if behind is None else [behind])])
    value, error = part_of(text, sign), part_of(behind or "", sign)
    if name == CONVERSION:
        return _conversion(value, error, given, behind), True
    if value.value is None:
        raise _no_number(name, str(text))
    found = None if value.percent else in_units(value, error, name)
    if found is None:
        *units, last = units_of(quantity_of(name))
        raise InputError(f"{name} is said to be {given}; needs a number in {', '.join(units)} or {last}")
    number = checked_value(name, found[0], system)
    if behind is None:
        return Stated(number), value.unit is not None
    _check_error(name, found[1], error.percent, behind)
    return Stated(number, found[1]), value.unit is not None or (error.unit is not None and name != "temp")


def _decimal(name: str, parts: Sequence[str]) -> str:
    """The decimal sign of a value and its error, by which both are numbers that can be."""
    read = {sign: [part_of(part, sign) for part in parts] for sign in (".", ",")}
    readings = {sign: [part.value for part in found] for sign, found in read.items()}
    fitting = [sign for sign, values in readings.items() if None not in values]
    written = " ± ".join(parts)
    if "," not in written:
        return "."
    if not fitting and all(any(values[k] is not None for values in readings.values()) for k in range(len(parts))):
        raise InputError(f"{name} is said to be {written}: decimal commas and points; needs one of them")
    meant = {sign: in_units(read[sign][0], Part(None), name) for sign in fitting}
    fitting = [sign for sign, found in meant.items() if found is None or can_be(name, found[:1])] or fitting
    if len(fitting) == 2:
        at = next(k for k, part in enumerate(parts) if "," in part)
        one, other = (f"{values[at]:g}" for values in readings.values())
        raise InputError(f"{name} is said to be {written}: {parts[at]} may be {one} or {other}; write one of these")
    return fitting[0] if fitting else "."


def _conversion(value: Part, error: Part, given: str, behind: str | None) -> Stated:
    found = Stated(*share_of(value, error, given))
    if behind is not None:
        _check_error(CONVERSION, np.nan if found.error is None else found.error, False, behind)
    return found


def _check_error(name: str, error: float, percent: bool, text: str) -> None:
    if percent and quantity_of(name) == "temperature":
        raise InputError(f"{name} is said to be known to ± {text}; needs its error in °C, such as {name}=70±0.5")
    if not 0 < error < np.inf:
        raise InputError(f"{name} is said to be known to ± {text}; needs a number above 0, or per cent: ±5%")


def checked_value(name: str, value: float | str, system: System) -> float:
    """Check a known value of the recipe, residual monomer, Mn or Mw, and return it as a number.

    Raises:
        InputError: An unknown name, no number, or one that cannot be.
    """
    _check_name(name, system)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _no_number(name, value) from None
    least = {quantity.name: quantity.above for quantity in system.recipe}.get(name, 0.0)
    enough = number >= least if name == system.residual else number > least
    if not enough or not np.isfinite(number):
        rule = f"{least:g} or more" if name == system.residual else f"a number above {least:g}"
        raise InputError(f"{name} is said to be {number:g}; needs {rule}")
    return number


def _no_number(name: str, value: object) -> InputError:
    return InputError(f"{name} is said to be {value!r}, which is not a number; needs one, such as temp=70")


def _check_name(name: str, system: System) -> None:
    values, errors = (*system.targets, *system.scalars, CONVERSION), error_columns(system.recipe, system.residual)
    if name not in (*values, *errors):
        of_error = name.startswith("sec_") or name.endswith(SUFFIX)
        raise unknown("error to be known", name, errors) if of_error else unknown("value to be known", name, values)


def check_asked(asked: Sequence[str], known: Mapping[str, float], system: System) -> None:
    for name in asked:
        if name not in system.targets:
            raise unknown("value of the recipe", name, system.targets)
        if name in known:
            raise InputError(f"{name} is both known and asked for")
