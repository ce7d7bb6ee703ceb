"""Lines that a calibration may have beside its standards: what they are called, and what their numbers have to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_ORDER = 7
FAR = 1e6
"""Elution volume in mL or time in min, and log10 M, that no standard reaches."""

_VOLUMES = {"ml": 1.0, "cm3": 1.0, "cc": 1.0, "dl": 100.0, "l": 1e3, "dm3": 1e3, "m3": 1e6, "µl": 1e-3, "ul": 1e-3}
_MASSES = {"g": 1.0, "kg": 1e3, "mg": 1e-3}
_MINUTES = {"min": 1.0, "h": 60.0, "hr": 60.0, "s": 1 / 60, "sec": 1 / 60}


def _quotients(above: Mapping[str, float], below: Mapping[str, float]) -> dict[str, float]:
    return {
        form: a / b
        for upper, a in above.items()
        for lower, b in below.items()
        for form in (f"{upper}/{lower}", f"{upper}{lower}-1")
    }


@dataclass(frozen=True)
class Kind:
    """What a number of a line has to be.

    Args:
        rule: In words.
        holds: Whether a number is that.
        units: Factors to the unit of polyinv.
        looks: Pattern of what looks like a unit: what does and is none of ``units`` is refused.
    """

    rule: str
    holds: Callable[[float], bool]
    units: Mapping[str, float] = field(default_factory=dict)
    looks: str = "(?!)"


class Key(NamedTuple):
    """A line that a calibration may have: a pattern of its name, small letters and digits, and its number."""

    pattern: str
    kind: Kind


_VISCOSITY = Kind(
    "an intrinsic viscosity in mL/g, dL/g, L/g or cm³/g, above 0 and below 1000 mL/g",
    lambda value: 1e-9 < value < 1e3,
    _quotients(_VOLUMES, _MASSES),
    r"/\s*\(?[kmµ]?g\b|g\s*\^?-1|10\s*\^|^[^\s(]*/|^[cdmµ]?[lg]\b",
)
_EXPONENT = Kind("a number from 0 to 2", lambda value: 0 <= value <= 2, looks=r"10\s*\^|^/")
_MARKER = Kind(
    f"an elution in mL or min, above 0 and up to {FAR:g}",
    lambda value: 0 < value <= FAR,
    _VOLUMES | _MINUTES,
    r"10\s*\^|^[^\s(]*/",
)
_FLOW = Kind(
    "a flow in mL/min, from 0.001 to 200",
    lambda value: 1e-3 <= value <= 200,
    _quotients(_VOLUMES, _MINUTES),
    r"/|min|10\s*\^|^\S+-1",
)
_ORDER = Kind(
    f"a whole number from 1 to {MOST_ORDER}, or linear, quadratic or cubic",
    lambda value: value in range(1, MOST_ORDER + 1),
)
_STANDARD, _SAMPLE = "(ofthe)?(standards?|ps|std|calibration|kalibrierung)", "(ofthe)?(samples?|probe|polymer|muestra)"
_K, _A = "(mh|markhouwink)?k", "(mh|markhouwink)?(a|alpha)"
KEYS = {
    "K_standard": Key(f"{_K}({_STANDARD}|1)", _VISCOSITY),
    "a_standard": Key(f"{_A}{_STANDARD}|alpha1", _EXPONENT),
    "K_sample": Key(f"{_K}({_SAMPLE}|2)", _VISCOSITY),
    "a_sample": Key(f"{_A}{_SAMPLE}|alpha2", _EXPONENT),
    "flow": Key("flow(rate)?(mlmin)?|fluss(rate)?|flujo|debit", _FLOW),
    "flow marker": Key("flowmarker(calibration|nominal|reference)?|flussmarker|internalstandard", _MARKER),
    "flow marker sample": Key("flowmarker(sample|run|observed|measured)|internalstandardsample", _MARKER),
    "order": Key("(curve|polynom(ial)?)?(fit|order|degree|grad|ordnung|orden|degre)(type|order)?", _ORDER),
}
KNOWN = (*KEYS, "elution", f"a0 to a{MOST_ORDER}")
