"""Axes of studies and searches: values of a key, a range of them, or labels and what each changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite, log
from pathlib import Path
from typing import Any

from polyinv.errors import InputError, quoted, unknown
from polyinv.experiment.configuration import read_yaml
from polyinv.runtime.files import at_home, check_file
from polyinv.runtime.nested import dotted

RANGE = ("from", "to", "steps", "scale")
SCALES = ("linear", "log")
MOST_STEPS = 1000
SEED = "split.seed"
SECTIONS = {"model": "model.name", "data": "data.source", "split": "split.name"}
"""Of a configuration, and a key of each."""
CONFIG = "config"
"""Key of a label's config files."""


@dataclass(frozen=True)
class Option:
    """One value of an axis.

    Args:
        label: The value, or what it is called.
        files: Config files that it puts on top of the base.
        values: Keys of the configuration that it changes.
        typed: Whether the label is the value of a key, which the configuration says the type of.
    """

    label: Any
    files: tuple[Path, ...]
    values: Mapping[str, Any]
    typed: bool = False


def read_keys(path: Path, what: str, keys: Sequence[str]) -> dict[str, Any]:
    """Read the file of a study or search, as ``what`` says.

    Raises:
        InputError: There is none, or it has other keys.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such {what} file")
    given = read_yaml(path, ", ".join(keys))
    for key in given:
        if key not in keys:
            raise InputError(f"{path}: {unknown(f'key of a {what}', key, keys)}")
    return given


def axes_of(given: Mapping[str, Any], taken: Sequence[str] = ()) -> Mapping[str, Any]:
    """Check the names of the axes of a file, none of which may be one of ``taken``.

    Raises:
        InputError: There are none, or one has a name that no axis can have.
    """
    axes = given.get("axes")
    if not isinstance(axes, Mapping) or not axes:
        raise InputError(f"axes are {axes}; needs a key of the configuration, or a name, with its values")
    for axis in axes:
        if not isinstance(axis, str) or not axis.strip() or axis in (*taken, CONFIG):
            raise InputError(
                f"{axis!r} cannot be the name of an axis; needs a key of the configuration or another name"
            )
        if not axis.isprintable():
            raise InputError(f"the axis {quoted(axis)} has a sign in its name that cannot be printed; leave it out")
        if axis in SECTIONS and not _has_labels(axes[axis]):
            raise InputError(f"{axis} is a section; needs a key of it, such as {SECTIONS[axis]}, or labels")
    if SEED in axes:
        raise InputError(f"{SEED} is no axis; the splits are said by seeds")
    return axes


def _has_labels(given: Any) -> bool:
    return isinstance(given, Mapping) and "from" not in given


def options_of(axis: str, given: Any, folder: Path) -> list[Option]:
    """Read the values of an axis.

    Args:
        axis: Its name.
        given: A list, a range with steps, or labels.
        folder: What paths of config files are relative to.

    Raises:
        InputError: It is none of them.
    """
    if isinstance(given, Mapping) and "from" in given:
        given = _steps(axis, given)
    if isinstance(given, Mapping) and given:
        if any(label is None or not str(label).strip() for label in given):
            raise InputError(f"the axis {axis} has a label without a name")
        if unprintable := [label for label in map(str, given) if not label.isprintable()]:
            raise InputError(
                f"the axis {axis}: the label {quoted(unprintable[0])} has a sign that cannot be printed; leave it out"
            )
        return [_labelled(axis, str(label), changes, folder) for label, changes in given.items()]
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise InputError(
            f"the axis {axis} has {given or 'no values'}; needs a list, a range (from, to, steps) or labels"
        )
    return [Option(value, (), {axis: value}, typed=True) for value in given]


def _labelled(axis: str, label: str, changes: Any, folder: Path) -> Option:
    if changes is not None and not isinstance(changes, Mapping):
        raise InputError(f"the axis {axis} has under {label} {changes}; needs what it changes, {{}} for nothing")
    values = dict(changes or {})
    if SEED in dict(dotted(values)):
        raise InputError(f"the axis {axis}, {label}: {SEED} is no axis; the splits are said by seeds")
    files = files_of(values.pop(CONFIG), folder, f"{axis}, {label}") if CONFIG in values else ()
    return Option(label, files, values)


def files_of(given: Any, folder: Path, where: str) -> tuple[Path, ...]:
    """Find the config file, or files, that are given at one place of a file in ``folder``.

    Raises:
        InputError: None are given, or one is not there.
    """
    if given is None:
        raise InputError(f"{where} is missing; needs a config file or a list of them")
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where} is {given}; needs a config file or a list of them")
    files = tuple(folder / at_home(name) for name in names)
    for file in files:
        check_file(file, where)
    return files


def _steps(axis: str, given: Mapping[str, Any]) -> list[float]:
    span, steps = range_of(axis, given), _number(axis, "steps", given.get("steps"))
    if not (2 <= steps <= MOST_STEPS and steps == int(steps)):
        raise InputError(f"the axis {axis} has {steps:g} steps; needs a whole number from 2 to {MOST_STEPS}")
    on, back = (log, exp) if span.is_log else (float, float)
    low, high = on(span.low), on(span.high)
    values = [back(low + (high - low) * at / (int(steps) - 1)) for at in range(int(steps))]
    whole = span.low.is_integer() and span.high.is_integer()
    return [round(value) for value in values] if whole else [float(f"{value:.10g}") for value in values]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, on a linear or logarithmic scale."""

    low: float
    high: float
    is_log: bool


def range_of(axis: str, given: Mapping[str, Any]) -> Range:
    """Read a range of an axis: ``from``, ``to`` and ``scale``.

    Raises:
        InputError: It has other keys, no numbers, or zero on a log scale.
    """
    for key in given:
        if key not in RANGE:
            raise InputError(f"the axis {axis}: {unknown('key of a range', key, RANGE)}")
    low, high = (_number(axis, key, given.get(key)) for key in RANGE[:2])
    scale = given.get("scale", "linear")
    if scale not in SCALES:
        raise InputError(f"the axis {axis}: {unknown('scale', scale, SCALES)}")
    if scale == "log" and min(low, high) <= 0:
        raise InputError(f"the axis {axis} goes from {low:g} to {high:g}; a log scale needs positive ends")
    return Range(low, high, scale == "log")


def _number(axis: str, key: str, given: Any) -> float:
    try:
        if isinstance(given, bool) or not isfinite(number := float(given)):  # YAML takes 1e5 for text
            raise ValueError
        return number
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"the axis {axis} has {key} {quoted(given)}; needs a number") from None
