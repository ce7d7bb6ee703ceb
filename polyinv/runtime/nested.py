"""Configurations as nested mappings, and as flat ones with dotted keys; and which of their values are numbers.

Not by ``jsonargparse.Namespace``, which takes over one spelling of a section and drops the other where a file has both,
makes namespaces of values that are mappings, and raises for keys that its parser would refuse in one line.
"""

from collections.abc import Callable, Iterator, Mapping
from sys import float_info
from typing import Any

LEAVES = ("data.patterns", "data.system", "trainer", "logger")
"""Keys whose value is a mapping."""


def dotted(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Flatten nested values to dotted keys, but for keys whose value is a mapping.

    Example:
        >>> dict(dotted({"model": {"name": "mlp", "training.patience": 3}, "data": {"patterns": {"mmd": 1}}}))
        {'model.name': 'mlp', 'model.training.patience': 3, 'data.patterns': {'mmd': 1}}
        >>> dict(dotted({"model.seed": 1, "model": {"name": "mlp"}}))
        {'model.seed': 1, 'model.name': 'mlp'}
    """
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and name not in LEAVES:
            yield from dotted(value, f"{name}.")
        else:
            yield name, value


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same with lists for tuples, as YAML and checkpoints have them.

    Example:
        >>> plain({"hidden": (64, 32), "training": {"loss_weights": (1.0, 1.0)}})
        {'hidden': [64, 32], 'training': {'loss_weights': [1.0, 1.0]}}
    """
    kinds: dict[type, Callable] = {dict: plain, tuple: list}
    # A number of NumPy, as a sweep over np.logspace gives them, cannot be read back without pickle.
    numbers = {key: value.item() if hasattr(value, "dtype") else value for key, value in options.items()}
    return {key: kinds.get(type(value), lambda same: same)(value) for key, value in numbers.items()}


def is_number(value: Any) -> bool:
    """Whether a plain value is a finite number; truth values are none.

    Example:
        >>> is_number(3), is_number(True), is_number(float("nan")), is_number("3"), is_number(10**400)
        (True, False, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= float_info.max
