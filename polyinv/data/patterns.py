"""Patterns of inputs: which are given and which are missing, of those that a laboratory may have.

A pattern names the inputs that are there, joined by plus signs: ``mmd+temp`` is a curve and the temperature of the
reactor. What is missing stands as NaN in a row of the feature set ``conditional``.
"""

import itertools
from collections.abc import Mapping, Sequence

from polyinv.chemistry import System
from polyinv.errors import InputError, unknown

SHOWING = ("mmd", "means")
"""One of these has to be given: the others do not tell of a polymer."""
RESIDUAL = "residual"
"""Stands for the residual monomer, whatever the column of a system is called."""
COMPOSITE = "composite"
"""Stands for all that is measured."""
ANY = "any"
"""Stands for every pattern alike."""
PRACTICAL = {"mmd": 1.0, "mmd+temp": 1.0, "mmd+temp+time": 1.0, "composite": 1.0, "composite+temp": 1.0, ANY: 5.0}
"""How often each pattern is trained on, unless a configuration says otherwise."""


def measured(system: System) -> tuple[str, ...]:
    """Inputs that are measured, not values of the recipe."""
    return tuple(system.inputs)[: -len(system.targets)]


def inputs_of(pattern: str, system: System) -> tuple[str, ...]:
    """Inputs of a pattern, in the order of `System.inputs`.

    Raises:
        InputError: One is unknown, or nothing of the polymer or nothing of the recipe would be open.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> inputs_of("temp+composite", load_system("butyl_acrylate"))
        ('mmd', 'cBA_time', 'means', 'temp')
    """
    given: set[str] = set()
    short = {COMPOSITE: measured(system), RESIDUAL: (system.residual,)}
    for name in pattern.split("+"):
        name = name.strip()
        if name not in system.inputs and name not in short:
            raise unknown("input", name, {**system.inputs, **short})
        given |= set(short.get(name, (name,)))
    if not given & set(SHOWING):
        raise InputError(f"the pattern {pattern!r} shows no polymer; needs mmd, or means (Mn and Mw)")
    if set(system.targets) <= given:
        raise InputError(f"the pattern {pattern!r} leaves nothing of the recipe to answer")
    return tuple(name for name in system.inputs if name in given)


def name_of(inputs: Sequence[str], system: System) -> str:
    """Name of the pattern of some inputs.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> system = load_system("butyl_acrylate")
        >>> name_of(("temp", "mmd"), system), name_of(("mmd", "cBA_time", "means", "temp"), system)
        ('mmd+temp', 'composite+temp')
    """
    rest = [name for name in system.inputs if name in inputs]
    if set(measured(system)) <= set(rest):
        rest = [COMPOSITE, *(name for name in rest if name in system.targets)]
    return "+".join(rest)


def named_patterns(weights: Mapping[str, float], system: System) -> tuple[str, ...]:
    """Patterns that are named singly, each once; those of ``PRACTICAL`` where none is.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> system = load_system("butyl_acrylate")
        >>> named_patterns({"temp+mmd": 1, "any": 2}, system), named_patterns({"any": 1}, system)[:2]
        (('mmd+temp',), ('mmd', 'mmd+temp'))
    """
    named = [pattern for pattern in weights if pattern != ANY] or [name for name in PRACTICAL if name != ANY]
    return tuple(dict.fromkeys(name_of(inputs_of(pattern, system), system) for pattern in named))


def pattern_of(columns: Sequence[str], system: System) -> str | None:
    """The pattern that observations with these columns are of; None if they are of none, such as a curve with Mn alone.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> from polyinv.quantities import MMD
        >>> [pattern_of((column, *MMD), load_system("butyl_acrylate")) for column in ("cBA_time", "Mn")]
        ['mmd+cBA_time', None]
    """
    inputs = [name for name, needed in system.inputs.items() if set(needed) <= set(columns)]
    whole = {column for name in inputs for column in system.inputs[name]} == set(columns)
    return name_of(inputs, system) if whole and set(inputs) & set(SHOWING) else None


def every_pattern(system: System) -> tuple[str, ...]:
    """All patterns that show a polymer and leave a value of the recipe to answer, fewest inputs first.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> patterns = every_pattern(load_system("butyl_acrylate"))
        >>> len(patterns), patterns[:3]
        (90, ('mmd', 'means', 'mmd+cBA_time'))
    """
    found = []
    for count in range(1, len(system.inputs)):
        for inputs in itertools.combinations(system.inputs, count):
            if set(inputs) & set(SHOWING) and not set(system.targets) <= set(inputs):
                found.append(name_of(inputs, system))
    return tuple(found)


def check_patterns(weights: Mapping[str, float], system: System) -> dict[str, float]:
    """Check the patterns to train on and their weights; none given are ``PRACTICAL``.

    Raises:
        InputError: A pattern that cannot be, or weights that are no shares.
    """
    for pattern, weight in weights.items():
        if not isinstance(pattern, str):
            raise InputError(f"data.patterns has the pattern {pattern!r}; needs names such as mmd+temp")
        if pattern != ANY:
            inputs_of(pattern, system)
        if not 0 <= weight < float("inf"):
            raise InputError(f"data.patterns gives {pattern} the weight {weight}; needs 0 or more")
    if weights and not any(weights.values()):
        raise InputError("data.patterns are all zero; at least one has to count")
    return dict(weights) or dict(PRACTICAL)
