"""Units in names of columns and in cells: (g/mol), / kDa, in °C, [min], and what they are in polyinv's units."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Unit:
    """Unit of a quantity.

    Args:
        name: As polyinv writes it.
        quantity: Molar mass, temperature, time, …
        factor: What a value is multiplied by to be in polyinv's unit of the quantity.
        offset: What is added then.
    """

    name: str
    quantity: str
    factor: float = 1.0
    offset: float = 0.0

    def converted(self, value: float) -> float:
        """A value of this unit in polyinv's unit."""
        return value * self.factor + self.offset


_UNITS = {
    Unit("g/mol", "molar mass"): "g/mol gmol-1 gpermol da dalton daltons amu gr/mol gmol^-1 u gmole g/mole gmol",
    Unit("kg/mol", "molar mass", 1e3): "kg/mol kgmol-1 kgpermol kda kdalton kilodalton kilodaltons 10^3g/mol 103g/mol "
    "1000g/mol 1000gmol-1 kg/mole",
    Unit("Mg/mol", "molar mass", 1e6): "mda 10^6g/mol 106g/mol",
    Unit("mol/g", "per molar mass"): "mol/g molg-1 1/(g/mol) (g/mol)-1 da-1 1/da mole/g",
    Unit("mol/kg", "per molar mass", 1e-3): "mol/kg molkg-1 kda-1 1/kda",
    Unit("1/decade", "per decade"): "1/dec dec-1 1/decade 1/log(g/mol) 1/log10(g/mol) 1/logg/mol 1/log10g/mol",
    Unit("°C", "temperature"): "°c degc c grad gradc celsius ºc deg.c oc",
    Unit("K", "temperature", 1.0, -273.15): "k kelvin °k degk",
    Unit("°F", "temperature", 5 / 9, -160 / 9): "°f degf f fahrenheit",
    Unit("s", "time"): "秒 s sec secs second seconds sek sekunde sekunden seg segundos segundo secondes seconde",
    Unit("min", "time", 60.0): "分 min mins minute minutes minuten min. minuto minutos",
    Unit("h", "time", 3600.0): "時間 h hr hrs hour hours std stunde stunden hora horas heure heures",
    Unit("d", "time", 86400.0): "d day days tag tage dia dias jour jours",
    Unit("mL", "volume"): "ml milliliter milliliters milliliter cm3 cc",
    Unit("mol/L", "concentration"): "mol/l moll-1 mol/dm3 moldm-3 mole/l",
    Unit("mmol/L", "concentration", 1e-3): "mmol/l mmoll-1 mm mmol/dm3 mmoldm-3 mol/m3 molm-3",
    Unit("g/L", "mass concentration"): "g/l gl-1 mg/ml mgml-1 g/cm3 g/ml",
    Unit(
        "mV", "signal"
    ): "mv µv uv-1 v volt millivolt au mau a.u. a.u a.e. u.a. mvolt nriu µriu uriu riu counts cts ua",
    Unit("nm", "length"): "nm",
    Unit("mL/min", "flow"): "ml/min mlmin-1",
    Unit("%", "share", 1e-2): "% wt% wt.% prozent percent gew.-% gew% pct",
    Unit("1", "number"): "1 none",
}
ALIASES = {alias: unit for unit, written in _UNITS.items() for alias in written.split()}
_SHORT = {"s", "k", "c", "f", "h", "v", "d", "1", "u", "mm", "au", "ua", "oc", "grad", "day", "days", "min."}
"""Not taken for a unit after a mere blank."""
_BRACKETS = re.compile(r"[(\[{<]([^()\[\]{}<>]*(?:\([^()]*\)[^()\[\]{}<>]*)?)[)\]}>]")
_EXPONENT = r"\(?(?P<exponent>(?<=[eE^(])\d{1,2}|[-+]\d{1,2})\)?"
_POWER = re.compile(rf"(?:[x×*·]\s*)?(?:10|1(?=[eE]))\s*[eE^]?\s*{_EXPONENT}\s*[x×*·]?\s*")
"""A power of ten before a unit: ``10^4 g/mol``, ``×10⁻³``."""
_POWER_OF_VALUES = re.compile(
    rf"\s*(?:^(?=10.*[A-Za-z])(?!10[\s^\d+-]*[/÷])|(?:(?<![A-Za-z(])x|(?<![(\s])\s*[×*·])\s*)10\s*\^?\s*{_EXPONENT}"
)
"""A power of ten that all values have been multiplied by: ``Mn × 10⁻³ (g/mol)``, ``10³ Mn``."""
_WITH_POWERS = ("temperature", "time", "volume", "concentration", "mass concentration")
EITHER_SIDE = "power of ten on either side"
"""Quantity of a unit with a power of ten of which nobody can tell whether values are multiplied or divided by it."""
_CUTS = re.compile(r"\s*/\s*|\s+in\s+|\s*[,;:]\s*|_|\s+-\s*|\s+")


def plain(text: str) -> str:
    """Fold superscripts, wide signs and dashes of a name into plain ones."""
    text = re.sub(r"(?<=10)[⁺⁻]?[⁰¹²³⁴-⁹]+", lambda power: "^" + power[0], text)
    folded = unicodedata.normalize("NFKC", text.replace("º", "°"))
    folded = "".join("-" if char == "−" or unicodedata.category(char) == "Pd" else char for char in folded)
    folded = re.sub(r"(?<=mol)\?1", "-1", folded)  # a minus sign that an encoding has lost
    return " ".join(folded.replace("μ", "µ").split())


@lru_cache(maxsize=4096)
def unit_of(text: str) -> Unit | None:
    """The unit that a text is, all of it.

    Example:
        >>> [unit_of(each).name for each in ("g mol⁻¹", "kDa", "Daltons", "°C", "[min]", "mmol / L")]
        ['g/mol', 'kg/mol', 'g/mol', '°C', 'min', 'mmol/L']
    """
    bare = plain(text).strip("[](){}<> ")
    if power := _POWER.match(bare):
        return _times(unit_of(bare[power.end() :]) or Unit("", "number"), power) if _is_whole(bare, power) else None
    key = re.sub(r"[\s*·⋅^]|\.(?=mol)", "", bare.lower())
    return ALIASES.get(key) or ALIASES.get(re.sub(r"[()]", "", key))


def _is_whole(text: str, power: re.Match[str]) -> bool:
    return power.end() == len(text) or unit_of(text[power.end() :]) is not None


def _times(unit: Unit, power: re.Match[str], *, of_values: bool = False) -> Unit:
    """A unit times a power of ten. Nobody has molar masses of some mg/mol: there its sign is that of what is meant."""
    exponent = int(power["exponent"])
    if unit.quantity in ("molar mass", "number"):
        exponent = abs(exponent)
    quantity = EITHER_SIDE if of_values and unit.quantity in _WITH_POWERS else unit.quantity
    return Unit(f"10^{power['exponent']} {unit.name}".strip(), quantity, unit.factor * 10.0**exponent)


def without_power(name: str) -> str | None:
    """The name of a column without the power of ten of its values; None where it has none.

    Example:
        >>> without_power("time x 10^-3 (s)"), without_power("time (s)")
        ('time (s)', None)
    """
    text, count = _POWER_OF_VALUES.subn("", plain(name))
    return text.strip(" x×*·") if count else None


_JAPANESE = {
    "数平均分子量": "Mn",
    "重量平均分子量": "Mw",
    "分子量": "M",
    "モル質量": "M",
    "温度": "temp",
    "反応温度": "temp",
    "重合温度": "temp",
    "時間": "time",
    "反応時間": "time",
    "重合時間": "time",
    "溶出時間": "retention time",
    "保持時間": "retention time",
    "溶出体積": "elution volume",
    "溶出容量": "elution volume",
    "強度": "signal",
    "信号強度": "signal",
    "検出器信号": "signal",
    "残存モノマー": "residual monomer",
    "残存モノマー濃度": "residual monomer",
    "試料": "sample",
    "試料名": "sample",
}


MOLAR = next(unit for unit in _UNITS if unit.name == "mol/L")
"""What M is behind a number; above a column it is the molar mass, or this."""
PERCENT = next(unit for unit in _UNITS if unit.name == "%")
LONGEST = 500
"""Characters of the name of a column; what is longer is none: each comma would be tried as the start of a unit."""


def has_percent(name: str) -> bool:
    """Whether the unit in the name of a column is per cent."""
    return split_unit(name)[1] == PERCENT


@lru_cache(maxsize=4096)
def split_unit(name: str) -> tuple[str, Unit | None]:
    """Part the name of a column into what it says and the unit in it; a Japanese name becomes an English one.

    Example:
        >>> [(base, unit.name) for base, unit in map(split_unit, ["Mn (g/mol)", "Mw / kDa", "T in °C", "時間（分）"])]
        [('Mn', 'g/mol'), ('Mw', 'kg/mol'), ('T', '°C'), ('time', 'min')]
    """
    if len(name) > LONGEST:
        return name, None
    base, unit = _split(name)
    return _JAPANESE.get(base.strip(), base), unit


def _split(name: str) -> tuple[str, Unit | None]:
    text, found = plain(name), None
    if (power := _POWER_OF_VALUES.search(text)) and not unit_of(text):
        base, unit = split_unit((text[: power.start()] + text[power.end() :]).strip(" x×*·"))
        return base, _times(unit or Unit("", "number"), power, of_values=True)
    for bracket in _BRACKETS.finditer(text):
        unit = unit_of(bracket[1])
        if unit and not (unit.name == "1" or (bracket[1].strip().lower() == "m")):
            return (text[: bracket.start()] + " " + text[bracket.end() :]).strip(), unit
    inside = _BRACKETS.search(text)
    if inside and (part := _tail(inside[1])):
        found = part[1]
        return text.replace(inside[1], part[0]), found
    return _tail(text) or (text, None)


def _tail(text: str) -> tuple[str, Unit] | None:
    for cut in _CUTS.finditer(text):
        head, tail = text[: cut.start()], text[cut.end() :]
        unit = unit_of(tail)
        mere = not cut[0].strip() or cut[0] == "_"
        whole = head.count("(") == head.count(")")
        if head and whole and unit and not (mere and tail.lower() in _SHORT and unit.quantity != "temperature"):
            return head, unit
    return None


def units_of(quantity: str) -> list[str]:
    """Names of the units of a quantity, polyinv's own first.

    Example:
        >>> units_of("temperature")
        ['°C', 'K', '°F']
    """
    return [unit.name for unit in _UNITS if unit.quantity == quantity]


_QUANTITIES = {"Mn": "molar mass", "Mw": "molar mass", "temp": "temperature", "time": "time"}


def quantity_of(column: str) -> str:
    """The quantity of a column of a system: molar mass, temperature, time, or concentration."""
    return _QUANTITIES.get(column, "concentration")


_OTHERS = {"°C": ("K", "°F"), "s": ("min", "h"), "mol/L": ("mmol/L",)}
_MARGINS = (0.25, 0.1, 0.0)
"""How far beyond a range a guess may lie, as a share of its width; below it, no farther than a fifth of its low end."""


def likely_units(values: Sequence[float], name: str, low: float, high: float) -> list[Unit]:
    """Which of the other units that people use most of the values would fit, had they been meant in it.

    A range that is missed by a little counts, too; the best comes first, and several stand there if they do equally
    well.

    Args:
        values: As if in the unit of polyinv, of which they fit the range badly.
        name: That unit.
        low, high: Range that they should lie in.

    Example:
        >>> [unit.name for unit in likely_units([1.0], "s", 300, 3600)]
        ['h']
        >>> [unit.name for unit in likely_units([1.0, 5.0, 30.0], "s", 300, 3600)]
        ['min']
        >>> [unit.name for unit in likely_units([1.5], "s", 60, 7200)]
        ['min', 'h']
    """
    units = [unit for unit in _UNITS if unit.name in _OTHERS.get(name, ())]
    fitting = {
        unit: [sum(fits(unit.converted(value), low, high, margin) for value in values) for margin in _MARGINS]
        for unit in units
    }
    best = max(fitting.values(), default=[0])
    return [unit for unit, count in fitting.items() if count == best and best[0] > 0]


def fits(value: float, low: float, high: float, margin: float = _MARGINS[0]) -> bool:
    """Whether a value lies in a range, or misses it by no more than a share of its width."""
    most = margin * (high - low)
    least = max(low - most, low / 5) if low >= 0 and margin else low - most
    return least <= value <= high + most
