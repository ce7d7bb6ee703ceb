"""Known values of a recipe and measured scalars, and their errors, as a user states them."""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.files.doubts import suspicions
from polyinv.data.files.numbers import PLUS_MINUS
from polyinv.errors import InputError, unknown

log = logging.getLogger(__name__)


class Stated(NamedTuple):
    """Value that a user states, with its standard deviation in the same unit; None where none is stated."""

    value: float
    error: float | None = None


def all_stated(given: Sequence[str], system: AnySystem = DEFAULT) -> dict[str, Stated]:
    """Parse known values and their errors from ``name=value±error``, several in one by commas.

    ``+-`` and ``+/-`` mean the same as ``±``. A per cent sign makes an error relative to the value. Values that would
    fit another unit better are said in the log.

    Raises:
        InputError: Not of that form, an unknown name, a name twice, a value that cannot be, or an error that is not
            positive.

    Example:
        >>> all_stated(["temp=70±0.5,time=3600"])
        {'temp': Stated(value=70.0, error=0.5), 'time': Stated(value=3600.0, error=None)}
    """
    system = load_system(system)
    values: dict[str, Stated] = {}
    for each in (part for whole in given for part in whole.split(",")):
        name, sign, text = (part.strip() for part in each.partition("="))
        if not sign:
            raise InputError(f"--known {each}: needs name=value, such as temp=70 or temp=70±0.5")
        if name in values:
            raise InputError(f"--known gives {name} twice")
        values[name] = stated(name, text, system)
    for name, known in values.items():
        for doubt in suspicions(name, np.array([known.value]), system, f"--known {name}", "convert it"):
            log.warning(doubt)
    return values


def values_of(given: Mapping[str, Stated]) -> dict[str, float]:
    """The values without their errors.

    Example:
        >>> values_of(all_stated(["temp=70±0.5,time=3600"]))
        {'temp': 70.0, 'time': 3600.0}
    """
    return {name: each.value for name, each in given.items()}


def errors_of(given: Mapping[str, Stated]) -> dict[str, float]:
    """The errors that are stated.

    Example:
        >>> errors_of(all_stated(["temp=70+-0.5,time=3600", "cBA_time=0.4±5%"]))
        {'temp': 0.5, 'cBA_time': 0.02}
    """
    return {name: each.error for name, each in given.items() if each.error is not None}


def stated(name: str, given: float | str, system: AnySystem = DEFAULT) -> Stated:
    """Check a known value and its error, if there is one.

    Args:
        name: Of the recipe, residual monomer, Mn or Mw.
        given: A number, or text such as ``70``, ``70±0.5``, ``0.4 +/- 5 %``.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Raises:
        InputError: An unknown name, a value that cannot be, or an error that is not positive.

    Example:
        >>> stated("Mn", "20000 ± 2 %"), stated("temp", 70)
        (Stated(value=20000.0, error=400.0), Stated(value=70.0, error=None))
    """
    system = load_system(system)
    if not isinstance(given, str) or not PLUS_MINUS.search(given):
        return Stated(checked_value(name, given, system))
    value, error = PLUS_MINUS.split(given, maxsplit=1)
    number = checked_value(name, value.strip(), system)
    return Stated(number, _error(name, number, error.strip(), system))


def _error(name: str, value: float, text: str, system: System) -> float:
    relative = text.endswith("%")
    if relative and name in [quantity.name for quantity in system.recipe if quantity.unit == "°C"]:
        raise InputError(f"{name} is said to be known to ± {text}; needs its error in °C, such as {name}=70±0.5")
    try:
        number = float(text.rstrip("% "))
    except ValueError:
        number = np.nan
    error = number * abs(value) / 100 if relative else number
    if not 0 < error < np.inf:
        raise InputError(f"{name} is said to be known to ± {text}; needs a number above 0, or per cent: ±5%")
    return error


def checked_value(name: str, value: float | str, system: System) -> float:
    """Check a known value of the recipe, residual monomer, Mn or Mw, and return it as a number.

    Raises:
        InputError: An unknown name, no number, or one that cannot be.
    """
    if name not in (*system.targets, *system.scalars):
        raise unknown("value to be known", name, (*system.targets, *system.scalars))
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is said to be {value!r}, which is not a number; needs one, such as temp=70") from None
    least = {quantity.name: quantity.above for quantity in system.recipe}.get(name, 0.0)
    enough = number >= least if name == system.residual else number > least
    if not enough or not np.isfinite(number):
        rule = f"{least:g} or more" if name == system.residual else f"a number above {least:g}"
        raise InputError(f"{name} is said to be {value}; needs {rule}")
    return number


def check_asked(asked: Sequence[str], known: Mapping[str, float], system: System) -> None:
    for name in asked:
        if name not in system.targets:
            raise unknown("value of the recipe", name, system.targets)
        if name in known:
            raise InputError(f"{name} is both known and asked for")
