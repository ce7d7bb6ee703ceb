"""Whether reactions of a system's file can be: no coefficient faster than diffusion, radicals stationary in the box."""

from collections.abc import Mapping
from math import exp, log, sqrt
from typing import Any

from polyinv.chemistry.coefficients_file import units_of
from polyinv.chemistry.kinetics import GAS_CONSTANT, ZERO_CELSIUS
from polyinv.chemistry.sections import Section
from polyinv.errors import InputError
from polyinv.quantities import Quantity

FASTEST = {"1/s": 1e13, "L/mol/s": 1e12}
"""No event is faster: a molecule vibrates at 1e13 1/s, and what reacts at every encounter does at 1e10 L/mol/s."""
SLOWEST = 1e-30
"""Of either unit: slower is a slip, too."""
LIFETIMES = 10
"""Lifetimes of a radical until the first time of the box: conversion is too high by 7 % then, by 0.7 % after 100."""
USED_UP = 20
"""Largest k_d·t of the box: 2e-9 of the initiator are left, and Mw is 1 % too high; 9 % at 30."""

Laws = Mapping[str, Mapping[str, Any] | None]


def check_rates(whole: Section, laws: Laws, recipe: Mapping[str, Quantity]) -> None:
    """Refuse coefficients that no reaction has at the temperatures of the box: A or E_a is a slip."""
    for name, law in laws.items():
        if law is None:
            continue
        unit = next(iter(units_of(name, whole.content.get("solvent") is not None)))
        for temp in (recipe["temp"].low, recipe["temp"].high):
            value = _log(law, temp)
            if not log(SLOWEST) < value < log(FASTEST[unit]):
                raise InputError(
                    f"{whole.section('coefficients').at(name)} is 1e{value / log(10):.0f} {unit} at {temp:g} °C; needs "
                    f"{SLOWEST:g} to {FASTEST[unit]:g} {unit}; check A and E_a and their units"
                )


def check_stationary(whole: Section, laws: Laws, f: float, recipe: Mapping[str, Quantity]) -> None:
    """Refuse times at which radicals are not stationary, as the rate equations have them: too early, or too late.

    They become so within some lifetimes :math:`1 / 2 k_{tss} S`, with :math:`S^2 = f k_d I / k_{tss}`. When next to no
    initiator is left, those that are left live on for longer than it takes to decompose.
    """
    k_d, k_tss = laws["k_d"], laws["k_tss"]
    assert k_d is not None
    assert k_tss is not None
    temp, time, least = recipe["temp"], recipe["time"], recipe["initiator"].low
    begin = LIFETIMES / 2 / sqrt(f * least * exp(_log(k_d, temp.low) + _log(k_tss, temp.low)))
    end = USED_UP / exp(_log(k_d, temp.high))
    where = f"{whole.section('recipe').at('time')}.range"
    if time.low < begin:
        raise InputError(
            f"{where} begins at {time.low:g} s; radicals are stationary after {begin:.3g} s at {temp.low:g} °C and "
            f"{least:g} mol/L of initiator; begin then or later"
        )
    if time.high > end:
        raise InputError(
            f"{where} ends at {time.high:g} s; at {temp.high:g} °C the initiator is used up long before, and radicals "
            f"are not stationary any more; end at {end:.3g} s or before, or at a lower temperature"
        )


def _log(law: Mapping[str, Any], temp: float) -> float:
    """Logarithm of a coefficient at a temperature in °C, which may be too large or small for a number."""
    return log(law["A"]) - law["E_a"] / (GAS_CONSTANT * (temp + ZERO_CELSIUS))
