"""Recipe of a system's file: columns, box, and where the coefficients were checked."""

from polyinv.chemistry.measures import (
    ABSOLUTE_ZERO,
    CONCENTRATION,
    DENSITY,
    MOLAR_MASS,
    TEMPERATURE,
    TIME,
    limits,
    positive,
    temperature,
)
from polyinv.chemistry.sections import Section
from polyinv.errors import InputError
from polyinv.quantities import Quantity

COLUMNS = {
    "monomer": "c{}_0",
    "initiator": "c{}_0",
    "temp": "temp",
    "solvent": "c{}",
    "agent": "c{}_0",
    "time": "time",
}
"""Columns of a recipe in their order, by the symbol of the substance."""
RESIDUAL = "c{}_time"
LABELS = {
    "monomer": "initial monomer",
    "initiator": "initial initiator",
    "temp": "temperature",
    "solvent": "solvent",
    "agent": "chain transfer agent",
    "time": "reaction time",
}
UNITS = dict.fromkeys(COLUMNS, CONCENTRATION) | {"temp": TEMPERATURE, "time": TIME}
MOST = {"mol/L": 100.0, "°C": 400.0, "s": 1e6}
"""Largest value of a recipe by its unit: more is a slip. Pure water is 55 mol/L, 1e6 s are eleven days."""
MOST_OF = {"monomer": 30.0, "initiator": 5.0}
"""mol/L of a substance that no reactor holds more of: pure acrylonitrile is 15 mol/L, pure AIBN 6.7 mol/L."""
DENSER = 1.1
"""How much denser the monomer may be somewhere in the box than at the temperature of its density."""
OTHERS = ("Mn", "Mw", "conversion", "composite", "means")
"""Names that no column of a recipe may have, since tables and options use them for something else."""


def recipe_of(whole: Section, substances: dict[str, Section]) -> dict[str, Quantity]:
    """Box of the recipe by the names of ``COLUMNS``, in their order."""
    given = whole.section("recipe")
    present = [name for name in COLUMNS if name in ("temp", "time") or name in substances]
    optional = tuple(name for name in present if name == "solvent")
    for name in ("solvent", "agent"):
        if name in given.content and name not in substances:
            raise InputError(f"{given.at(name)} is given, but there is no {name}; needs a section {name}")
    given.check(tuple(name for name in present if name not in optional), optional)
    recipe = {
        name: _quantity(name, given.section(name), substances.get(name)) for name in present if name in given.content
    }
    _check_columns(given, recipe, RESIDUAL.format(substances["monomer"].symbol()))
    _check_pure(given, recipe["monomer"], substances["monomer"])
    return recipe


def _quantity(name: str, given: Section, substance: Section | None) -> Quantity:
    given.check(("range",), ("span",))
    low, high = limits(given.at("range"), given.content["range"], UNITS[name])
    above = ABSOLUTE_ZERO if name == "temp" else 0.0
    unit = next(iter(UNITS[name]))
    if low <= above:
        raise InputError(f"{given.at('range')} is {given.content['range']}; needs to begin above {above:g} {unit}")
    if high > MOST[unit]:
        raise InputError(
            f"{given.at('range')} is {given.content['range']}; needs to end at {MOST[unit]:g} {unit} or below"
        )
    if high > MOST_OF.get(name, high):
        raise InputError(
            f"{given.at('range')} is {given.content['range']}; needs to end at {MOST_OF[name]:g} {unit} or below: is "
            "it in mmol/L?"
        )
    span = positive(given.at("span"), given.content["span"], UNITS[name]) if "span" in given.content else high - low
    column = COLUMNS[name].format(substance.symbol() if substance else "")
    return Quantity(column, unit, low, high, span, LABELS[name], above)


def _check_pure(given: Section, quantity: Quantity, monomer: Section) -> None:
    """Refuse more monomer in a litre than there is in a litre of monomer."""
    if "density" not in monomer.content:
        return
    pure = density(monomer) / molar_mass(monomer)
    if quantity.high > DENSER * pure:
        raise InputError(
            f"{given.at('monomer')}.range ends at {quantity.high:g} mol/L; pure {monomer.text('name')} has "
            f"{pure:.3g} mol/L, by its density"
        )


def _check_columns(given: Section, recipe: dict[str, Quantity], residual: str) -> None:
    """Refuse columns that only case tells apart, too: spreadsheets and people do not."""
    taken = {residual.lower(): "the residual monomer"} | {name.lower(): "something else" for name in OTHERS}
    for name, quantity in recipe.items():
        key = quantity.name.lower()
        if key in taken:
            raise InputError(
                f"{given.at(name)} has the column {quantity.name}, as {taken[key]} has; needs other symbols"
            )
        taken[key] = given.section(name).place


def checked_ranges(whole: Section, recipe: dict[str, Quantity]) -> dict[str, list[float]]:
    """Ranges where the coefficients hold; the box of the recipe, from time zero, unless the file says more."""
    given = whole.section("checked").check((), tuple(recipe))
    ranges = {}
    for name, quantity in recipe.items():
        low, high = (0.0 if name == "time" else quantity.low), quantity.high
        if name in given.content:
            low, high = limits(given.at(name), given.content[name], UNITS[name])
        if not low <= quantity.low <= quantity.high <= high:
            raise InputError(
                f"{whole.section('recipe').at(name)}.range, {quantity.low:g} to {quantity.high:g} {quantity.unit}, "
                f"leaves the range where the coefficients were checked, {low:g} to {high:g} {quantity.unit}"
            )
        ranges[quantity.name] = [low, high]
    return ranges


def density(substance: Section) -> float:
    """Density of a substance in g/L."""
    given = substance.section("density").check(("value", "temp", "source"))
    temperature(given.at("temp"), given.content["temp"])
    given.text("source")
    return positive(given.at("value"), given.content["value"], DENSITY)


def molar_mass(substance: Section) -> float:
    """Molar mass of a substance in g/mol."""
    return positive(substance.at("molar_mass"), substance.content.get("molar_mass"), MOLAR_MASS)
