"""Patterns of inputs: which are given and which are missing, of those that a laboratory may have.

A pattern names the inputs that are there, joined by plus signs: ``mmd+temp`` is a curve and the temperature of the
reactor. What is missing stands as NaN in a row of the feature set ``conditional``.
"""

import itertools
from collections.abc import Mapping, Sequence

from polyinv.errors import InputError, unknown
from polyinv.quantities import MMD, TARGETS

INPUTS: dict[str, tuple[str, ...]] = {
    "mmd": MMD,
    "cBA_time": ("cBA_time",),
    "means": ("Mn", "Mw"),
    **{name: (name,) for name in TARGETS},
}
"""What is given or missing as a whole, and its columns."""
MEASURED = tuple(INPUTS)[: -len(TARGETS)]
SHOWING = ("mmd", "means")
"""One of these has to be given: the others do not tell of a polymer."""
TOGETHER = {"composite": MEASURED}
"""Names for several inputs."""
ANY = "any"
"""Stands for every pattern alike."""
PRACTICAL = {"mmd": 1.0, "mmd+temp": 1.0, "mmd+temp+time": 1.0, "composite": 1.0, "composite+temp": 1.0, ANY: 5.0}
"""How often each pattern is trained on, unless a configuration says otherwise."""


def inputs_of(pattern: str) -> tuple[str, ...]:
    """Inputs of a pattern, in the order of ``INPUTS``.

    Raises:
        InputError: One is unknown, or nothing of the polymer or nothing of the recipe would be open.

    Example:
        >>> inputs_of("temp+composite")
        ('mmd', 'cBA_time', 'means', 'temp')
    """
    given: set[str] = set()
    for name in pattern.split("+"):
        name = name.strip()
        if name not in INPUTS and name not in TOGETHER:
            raise unknown("input", name, {**INPUTS, **TOGETHER})
        given |= set(TOGETHER.get(name, (name,)))
    if not given & set(SHOWING):
        raise InputError(f"the pattern {pattern!r} shows no polymer; needs mmd, or means (Mn and Mw)")
    if set(TARGETS) <= given:
        raise InputError(f"the pattern {pattern!r} leaves nothing of the recipe to answer")
    return tuple(name for name in INPUTS if name in given)


def name_of(inputs: Sequence[str]) -> str:
    """Name of the pattern of some inputs.

    Example:
        >>> name_of(("temp", "mmd")), name_of(("mmd", "cBA_time", "means", "temp"))
        ('mmd+temp', 'composite+temp')
    """
    rest = [name for name in INPUTS if name in inputs]
    for short, names in TOGETHER.items():
        if set(names) <= set(rest):
            rest = [short, *(name for name in rest if name not in names)]
    return "+".join(rest)


def named_patterns(weights: Mapping[str, float]) -> tuple[str, ...]:
    """Patterns that are named singly, each once; those of ``PRACTICAL`` where none is.

    Example:
        >>> named_patterns({"temp+mmd": 1, "any": 2}), named_patterns({"any": 1})[:2]
        (('mmd+temp',), ('mmd', 'mmd+temp'))
    """
    named = [pattern for pattern in weights if pattern != ANY] or [name for name in PRACTICAL if name != ANY]
    return tuple(dict.fromkeys(name_of(inputs_of(pattern)) for pattern in named))


def pattern_of(columns: Sequence[str]) -> str | None:
    """The pattern that observations with these columns are of; None if they are of none, such as a curve with Mn alone.

    Example:
        >>> pattern_of(("cBA_time", *MMD)), pattern_of(("Mn", *MMD))
        ('mmd+cBA_time', None)
    """
    inputs = [name for name, needed in INPUTS.items() if set(needed) <= set(columns)]
    whole = {column for name in inputs for column in INPUTS[name]} == set(columns)
    return name_of(inputs) if whole and set(inputs) & set(SHOWING) else None


def every_pattern() -> tuple[str, ...]:
    """All patterns that show a polymer and leave a value of the recipe to answer, fewest inputs first.

    Example:
        >>> len(every_pattern()), every_pattern()[:3]
        (90, ('mmd', 'means', 'mmd+cBA_time'))
    """
    found = []
    for count in range(1, len(INPUTS)):
        for inputs in itertools.combinations(INPUTS, count):
            if set(inputs) & set(SHOWING) and not set(TARGETS) <= set(inputs):
                found.append(name_of(inputs))
    return tuple(found)


def check_patterns(weights: Mapping[str, float]) -> dict[str, float]:
    """Check the patterns to train on and their weights; none given are ``PRACTICAL``.

    Raises:
        InputError: A pattern that cannot be, or weights that are no shares.
    """
    for pattern, weight in weights.items():
        if not isinstance(pattern, str):
            raise InputError(f"data.patterns has the pattern {pattern!r}; needs names such as mmd+temp")
        if pattern != ANY:
            inputs_of(pattern)
        if not 0 <= weight < float("inf"):
            raise InputError(f"data.patterns gives {pattern} the weight {weight}; needs 0 or more")
    if weights and not any(weights.values()):
        raise InputError("data.patterns are all zero; at least one has to count")
    return dict(weights) or dict(PRACTICAL)
