"""Plain values of a system, as models and run folders keep them: checked before anything is made of them.

A file that a person wrote is checked by `polyinv.chemistry.system_file`, which says what would be right. What is stored
was right when it was written: here a damaged or foreign one is told from a sound one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from math import inf
from typing import Any

from polyinv.chemistry.kinetics import Chemistry, RateCoefficients
from polyinv.errors import InputError, quoted
from polyinv.quantities import Quantity
from polyinv.runtime.nested import is_number

COLUMN = r"[A-Za-z][A-Za-z0-9_]*"
UNITS = ("mol/L", "°C", "s")
LONGEST_TEXT = 10_000
LAWS = tuple(field.name for field in fields(RateCoefficients))
Check = Callable[[str, Any], None]


def check_stored(plain: Mapping[str, Any]) -> None:
    """Check the plain values of a system, of `System.as_dict`.

    Raises:
        InputError: A key is missing or unknown, or a value is of another type, or none that a system has.
    """
    chemistry = {field.name: CHEMISTRY.get(field.name, _text) for field in fields(Chemistry) if field.name not in LAWS}
    _mapping(chemistry | {"coefficients": _mapping(dict.fromkeys(LAWS, _or_none(LAW)))})(
        "chemistry", plain["chemistry"]
    )
    _mapping(SYSTEM)("the system", plain)
    box, names = plain["recipe"], [quantity["name"] for quantity in plain["recipe"]]
    given = plain["chemistry"]
    _true("recipe", len(box) == 4 + len(given["extras"]) and len(set(names)) == len(names), "a recipe")
    _true("recipe", [quantity["unit"] for quantity in box[:3]] == ["mol/L", "mol/L", "°C"], "a recipe")
    _true("recipe", box[-1]["unit"] == "s" and plain["residual"] not in names, "a recipe")
    for quantity in box:
        _true(f"recipe.{quantity['name']}", quantity["above"] < quantity["low"] < quantity["high"], "a range")
    _true("range", set(given["range"]) == set(names), "ranges of the recipe")
    _true("solvent", "solvent" not in given["extras"] or given["solvent"] is not None, "a solvent in the recipe")
    _true("agent", ("agent" in given["extras"]) == (plain["agent"] is not None), "an agent in the recipe")
    _true("coefficients", all(given["coefficients"][name] for name in ("k_d", "k_p", "k_tss")), "k_d, k_p and k_tss")


def _true(where: str, holds: bool, needed: str) -> None:
    if not holds:
        raise InputError(f"this is no stored system: {where} is not {needed}")


def _number(low: float, high: float = inf) -> Check:
    def check(where: str, value: Any) -> None:
        good = is_number(value) and low <= value <= high
        _true(f"{where}, {quoted(value)},", good, f"a number from {low:g} to {high:g}")

    return check


def _text(where: str, value: Any) -> None:
    good = isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT
    _true(f"{where}, {quoted(value)},", good, "text")


def _matching(pattern: str) -> Check:
    def check(where: str, value: Any) -> None:
        good = isinstance(value, str) and re.fullmatch(pattern, value) is not None
        _true(f"{where}, {quoted(value)},", good, "a name")

    return check


def _one_of(known: tuple[str, ...]) -> Check:
    def check(where: str, value: Any) -> None:
        _true(f"{where}, {quoted(value)},", value in known, f"one of {', '.join(known)}")

    return check


def _or_none(check: Check) -> Check:
    return lambda where, value: None if value is None else check(where, value)


def _list(each: Check, length: int | None = None) -> Check:
    def check(where: str, value: Any) -> None:
        good = isinstance(value, list | tuple) and length in (None, len(value))
        _true(f"{where}, {quoted(value)},", good, "a list" if length is None else f"a list of {length}")
        for item in value:
            each(where, item)

    return check


def _each(check_value: Check) -> Check:
    def check(where: str, value: Any) -> None:
        _true(f"{where}, {quoted(value)},", isinstance(value, Mapping), "a mapping")
        for key, item in value.items():
            _text(where, key)
            check_value(f"{where}.{key}", item)

    return check


def _mapping(keys: Mapping[str, Check]) -> Check:
    def check(where: str, value: Any) -> None:
        _true(f"{where}, {quoted(value)},", isinstance(value, Mapping), "a mapping")
        for key in [*keys, *value]:
            _true(f"{where}, {quoted(key)},", key in keys and key in value, f"among {', '.join(keys)}")
        for key, each in keys.items():
            each(f"{where}.{key}", value[key])

    return check


TINY, SHARE, SD = 1e-300, _number(0, 1), _or_none(_number(0, 1e6))
LAW = _mapping(
    {
        "A": _number(TINY),
        "E_a": _number(-1e6, 1e6),
        "measured": _or_none(_list(_number(-300, 5000), 2)),
        "source": _text,
    }
)
CHEMISTRY: dict[str, Check] = {
    "monomer_molar_mass": _number(TINY),
    "f": _number(TINY, 1),
    "d_ss": SHARE,
    "d_st": SHARE,
    "d_tt": SHARE,
    "range": _each(_list(_number(-300), 2)),
    "solvent": _or_none(_mapping({"name": _text, "molar_volumes": _or_none(_list(_number(TINY), 2))})),
    "extras": _list(_one_of(("solvent", "agent"))),
}
"""Checks of what is no text in a chemistry."""
QUANTITY = {
    "name": _matching(COLUMN),
    "unit": _one_of(UNITS),
    "low": _number(-300),
    "high": _number(-300),
    "span": _number(TINY),
    "label": _text,
    "above": _number(-300),
}
SYSTEM: dict[str, Check] = {
    "name": _matching(r"[A-Za-z][A-Za-z0-9_-]*"),
    "title": _text,
    "chemistry": _each(lambda where, value: None),
    "recipe": _list(_mapping({field.name: QUANTITY[field.name] for field in fields(Quantity)})),
    "residual": _matching(COLUMN),
    "agent": _or_none(_text),
    "uncertainty": _each(_mapping({"sd": SD, "sd_E_a": SD})),
    "sources": _each(_text),
    "bundled": _list(_text),
    "limits": _or_none(_matching(r"[\w-]+\.yaml")),
}
