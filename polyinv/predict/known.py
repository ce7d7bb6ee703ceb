"""Known values of a recipe and measured scalars, as a user states them."""

from collections.abc import Mapping, Sequence

import numpy as np

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.errors import InputError, unknown


def known_values(given: Sequence[str], system: AnySystem = DEFAULT) -> dict[str, float]:
    """Parse known values from ``name=value``, several in one by commas.

    Raises:
        InputError: Not of that form, an unknown name, a name twice, or a value that cannot be.

    Example:
        >>> known_values(["temp=70,time=3600"])
        {'temp': 70.0, 'time': 3600.0}
    """
    values: dict[str, float] = {}
    for each in (part for whole in given for part in whole.split(",")):
        name, sign, text = (part.strip() for part in each.partition("="))
        if not sign:
            raise InputError(f"--known {each}: needs name=value, such as temp=70")
        if name in values:
            raise InputError(f"--known gives {name} twice")
        values[name] = checked_value(name, text, load_system(system))
    return values


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
