"""Wishes for a polymer and its recipe, as a user states them: ``Mn=25000±5%``, ``D<2.4``, ``time<=1 h``."""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from polyinv.chemistry import System
from polyinv.data.files.plus_minus import Part, in_units, part_of, parted
from polyinv.data.files.units import quantity_of, units_of
from polyinv.design.unit_doubts import check_masses, doubt_of, guess_of
from polyinv.errors import InputError, unknown

PROPERTIES = ("Mn", "Mw", "D", "Mp", "conversion")
"""Of a polymer: mean molar masses, dispersity Mw/Mn, molar mass at the peak of the MMD, conversion of the monomer."""
CONVERSION, DISTANCE, COST = "conversion", "mmd_distance", "cost"
"""One of them; and what may be preferred besides: the share of the mass elsewhere than in a curve, a cost by prices."""
SAME = {
    "đ": "D",
    "ð": "D",
    "pdi": "D",
    "dispersity": "D",
    "mw/mn": "D",
    "x": "conversion",
    "mpeak": "Mp",
    "distance": DISTANCE,
    "t": "time",
    "temperature": "temp",
}
"""Other names of properties, in lower case."""
WITHIN = {"Mn": 0.02, "Mw": 0.02, "D": 0.02, "Mp": 0.05, "conversion": 0.01}
"""Half width of the band of a property that is to be a number: relative, of the conversion absolute."""
_SIGNS = re.compile(r"\s*(<=|>=|≤|≥|=|<|>)\s*")
_RANGE = re.compile(r"\s*(?:\.\.+|…|\bto\b|(?<=[\d%])\s*-\s*(?=\d))\s*")


@dataclass(frozen=True)
class Wish:
    """Wish: a band that a property of the polymer or a value of the recipe is to lie in.

    Args:
        name: One of ``PROPERTIES``, or a value of the recipe.
        low, high: Ends of the band in the project's units; minus and plus infinity where it is open.
        text: As the user states it.
        doubt: What looks odd about it, in a line; empty where nothing does.
    """

    name: str
    low: float
    high: float
    text: str
    doubt: str = ""


def wishes(given: Sequence[str], system: System) -> list[Wish]:
    """Parse wishes for a polymer and its recipe.

    A property that is to be a number may be off by ``WITHIN``, unless ± says by how much; a value of the recipe is
    held. Two wishes for one thing hold together.

    Args:
        given: Such as ``Mn=25000±5%``, ``D<2.4``, ``conversion>=90%``, ``Mw=40 to 60 kg/mol``, ``temp<=75``. The roles
            ``monomer``, ``initiator``, ``solvent`` and ``agent`` stand for the names of the system.
        system: What is polymerized.

    Raises:
        InputError: Not of that form, an unknown name, a number that cannot be, or two that contradict each other.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> for wish in wishes(["Mn=25 kg/mol±4%", "Đ<2.4", "time<=1 h"], load_system()):
        ...     print(wish.name, wish.low, wish.high)
        Mn 24000.0 26000.0
        D -inf 2.4
        time -inf 3600.0
    """
    found: dict[str, Wish] = {}
    for text in given:
        wish = _wish(unicodedata.normalize("NFKC", text), system)
        before = found.get(wish.name)
        if before is not None:
            low, high, text = max(wish.low, before.low), min(wish.high, before.high), f"{before.text} {wish.text}"
            both = Wish(wish.name, low, high, text, "; ".join(filter(None, (before.doubt, wish.doubt))))
            if both.low > both.high:
                raise InputError(f"{before.text} and {wish.text} contradict each other")
            wish = both
        found[wish.name] = wish
    return list(found.values())


def known_name(written: str, system: System) -> str:
    """Name of a property, or of a value of the recipe.

    Raises:
        InputError: It is neither.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> [known_name(name, load_system()) for name in ("PDI", "initiator", "mn")]
        ['D', 'cAIBN_0', 'Mn']
    """
    roles = dict(zip(("monomer", "initiator", "temp", *system.chemistry.extras), system.targets, strict=False))
    known = (*PROPERTIES, *system.targets, DISTANCE, COST)
    names = {name.lower(): name for name in known} | SAME | roles
    found = "temp" if written.strip() == "T" else names.get(written.strip().lower())  # t is the time
    if found is None:
        raise unknown("property or value of the recipe", written.strip(), known)
    return found


def _wish(text: str, system: System) -> Wish:
    text = text.strip()
    parts = _SIGNS.split(text, maxsplit=1)
    if len(parts) != 3 or not all(part.strip() for part in (parts[0], parts[2])):
        raise InputError(f"{text!r} is no wish; needs a name, =, < or >, and a number, such as Mn=25000±5% or D<2.4")
    written, sign, numbers = parts
    name = known_name(written, system)
    if name == COST:
        raise InputError(f"{text}: a cost is preferred, not wished for; needs --minimize {COST}")
    sign = {"≤": "<=", "≥": ">="}.get(sign, sign)
    if name == DISTANCE and sign not in ("<", "<="):
        raise InputError(f"{text}: a distance from the curve is to be small; needs <")
    low, high, bare = _band(name, sign, numbers, text)
    if bare and name in ("Mn", "Mw", "Mp"):
        check_masses(bare, text)
    _check(name, low, high, text, system, bare)
    doubt = doubt_of(name, (low, high), bare, text, system) if name in system.targets else ""
    return Wish(name, low, high, text, doubt)


def _band(name: str, sign: str, numbers: str, text: str) -> tuple[float, float, list[float]]:
    """Ends of a wish, and the numbers in it that have no unit."""
    ends = _RANGE.split(numbers)
    if sign != "=":
        if len(ends) > 1 or parted(numbers)[1] is not None:
            raise InputError(f"{text}: needs a single number behind {sign}")
        value, _, bare = _number(name, numbers, text)
        low, high = (-math.inf, value) if sign.startswith("<") else (value, math.inf)
        return low, high, [value] if bare else []
    if len(ends) == 2:
        return _ends(name, ends, text)
    if len(ends) > 2:
        raise InputError(f"{text}: needs one number, or two with 'to' between")
    value, error, bare = _number(name, numbers, text)
    if math.isnan(error):
        error = WITHIN.get(name, 0.0) * (1.0 if name == CONVERSION else abs(value))
    if error >= (1.0 if name == CONVERSION else abs(value)) and name in WITHIN:
        raise InputError(f"{text}: a band as wide as the number says nothing; needs less behind ±")
    return value - error, value + error, [value] if bare else []


def _ends(name: str, ends: Sequence[str], text: str) -> tuple[float, float, list[float]]:
    unit = part_of(ends[1].strip(), ".")  # 40 to 60 kg/mol: the unit is that of both
    first, alone = ends[0].strip(), part_of(ends[0].strip(), ".")
    is_shared = (unit.unit or unit.percent) and not (alone.unit or alone.percent)
    if is_shared:
        first += f" {unit.unit.name}" if unit.unit else "%"
    (low, _, first_bare), (high, _, bare) = _number(name, first, text), _number(name, ends[1], text)
    if low > high:
        raise InputError(f"{text}: needs the smaller number first")
    if is_shared and alone.value is not None and low < alone.value <= high:  # 0.6-70%
        raise InputError(
            f"{text}: {alone.value:g} may be {low:g} or {alone.value:g}; write the unit behind both numbers"
        )
    return low, high, [*([low] if first_bare else []), *([high] if bare else [])]


def _number(name: str, text: str, whole: str) -> tuple[float, float, bool]:
    """A number in the project's unit, half the width of its band, NaN where it has none, and whether it has no unit."""
    said, behind = parted(text.strip())
    value, error = part_of(str(said), "."), part_of(behind or "", ".")
    if value.value is None or (behind is not None and error.value is None):
        raise InputError(f"{whole}: needs a number, decimals with a point")
    if name in ("D", CONVERSION, DISTANCE):
        found = _plain(name, value, error, whole)
    else:
        column = "Mn" if name == "Mp" else name
        if error.percent and quantity_of(column) == "temperature":
            raise InputError(f"{whole}: needs what stands behind ± in °C, such as {name}=70±0.5")
        in_unit = None if value.percent else in_units(value, error, column)
        if in_unit is None:
            *units, last = units_of(quantity_of(column))
            raise InputError(f"{whole}: needs a number in {', '.join(units)} or {last}")
        found = in_unit
    if found[1] < 0 or not all(math.isfinite(each) or math.isnan(each) for each in found):
        raise InputError(f"{whole}: needs finite numbers, and what stands behind ± not negative")
    has_unit = value.unit is not None or (error.unit is not None and name != "temp")
    return *found, not has_unit


def _plain(name: str, value: Part, error: Part, whole: str) -> tuple[float, float]:
    if value.unit or error.unit or value.value is None or (name == "D" and value.percent):
        raise InputError(f"{whole}: needs a number without a unit")
    if "," in whole:  # 2,400 may be 2.4
        raise InputError(f"{whole}: needs a number, decimals with a point")
    percent = value.percent or (name != "D" and error.percent and value.value > 1)  # 60±5%
    number = value.value / 100 if percent else value.value
    if name in (CONVERSION, DISTANCE) and not 0 <= number <= 1:
        raise InputError(f"{whole}: needs {name} from 0 to 1 (a share, or per cent with a sign)")
    if error.value is None:
        return number, math.nan
    if name in (CONVERSION, DISTANCE):
        return number, error.value / 100 if error.percent or percent else error.value
    return number, number * error.value / 100 if error.percent else error.value


def _check(name: str, low: float, high: float, text: str, system: System, bare: Sequence[float]) -> None:
    if name in system.targets:
        box = system.recipe[system.targets.index(name)]
        if high < box.low or low > box.high:
            needed = f"needs {name} from {box.low:g} to {box.high:g} {box.unit}, the box of {system.name}"
            _, mark, guess = guess_of(name, bare, system).partition("; ")
            raise InputError(f"{text}: no recipe has it; {needed}{mark}{guess}")
        return
    least = {"D": 1.0}.get(name, 0.0)
    if high <= least:
        raise InputError(f"{text}: no polymer has it; needs {name} above {least:g}")
