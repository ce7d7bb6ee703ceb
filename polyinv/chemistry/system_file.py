"""Read the file of a system: YAML to plain values, each checked, in one line per error.

The plain values are those of `System.as_dict`: numbers in mol/L, s, °C, J/mol and g/mol. Nothing here imports torch.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from polyinv.chemistry.coefficients_file import fractions_of, laws_of
from polyinv.chemistry.measures import (
    CONCENTRATION,
    DENSITY,
    MOLAR_MASS,
    TEMPERATURE,
    TIME,
    limits,
    measure,
    positive,
)
from polyinv.chemistry.sections import Section
from polyinv.errors import InputError, unknown
from polyinv.quantities import Quantity
from polyinv.runtime.yaml_files import read_mapping

HERE = Path(__file__).parent
SYSTEMS = {path.stem: path for path in sorted((HERE / "systems").glob("*.yaml"))}
"""Files of the systems that come with polyinv, by name."""
ENDINGS = (".yaml", ".yml")
REQUIRED = ("name", "title", "monomer", "initiator", "recipe", "coefficients", "fractions", "note")
OPTIONAL = ("solvent", "agent", "checked", "bundled", "limits")
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
ABSOLUTE_ZERO = -273.15  # °C
OTHERS = ("Mn", "Mw")


def system_file(name_or_path: str | Path) -> Path:
    """Find the file of a system: by its name, its monomer's symbol, or its path.

    Raises:
        InputError: There is none.
    """
    name, path = str(name_or_path), Path(name_or_path).expanduser()
    if name in SYSTEMS:
        return SYSTEMS[name]
    if path.is_file():
        return path
    if path.suffix in ENDINGS:
        raise InputError(f"{path}: no such file")
    symbols = {symbol_of(shipped).lower(): file for shipped, file in SYSTEMS.items()}
    if name.lower() not in symbols:
        raise InputError(f"{unknown('system', name, SYSTEMS)}; or a file, such as my.yaml")
    return symbols[name.lower()]


def symbol_of(name: str) -> str:
    """Symbol of the monomer of a system that comes with polyinv."""
    return read_mapping(SYSTEMS[name], "system")["monomer"]["symbol"]


def read_system(path: Path) -> dict[str, Any]:
    """Read and check a system's file.

    Returns:
        Plain values, as `System.as_dict` has them.

    Raises:
        InputError: In one line: file, key, value, and what is needed.
    """
    whole = Section(path.name, "", read_mapping(path, "system; it has to hold keys such as monomer, recipe")).check(
        REQUIRED, OPTIONAL
    )
    substances = _substances(whole)
    laws = laws_of(whole, substances)
    recipe = _recipe(whole, substances)
    range_ = _checked(whole, recipe)
    extras = [name for name in ("solvent", "agent") if name in recipe]
    volumes = _molar_volumes(whole, substances, needed="solvent" in substances and "solvent" not in recipe)
    fractions = fractions_of(whole, substances, mid_chain=laws["k_bb"] is not None)
    solvent = (
        {"name": substances["solvent"].text("name"), "molar_volumes": volumes} if "solvent" in substances else None
    )
    chemistry = {
        "name": whole.name(),
        "monomer": substances["monomer"].text("name"),
        "initiator": substances["initiator"].text("name"),
        "monomer_molar_mass": _molar_mass(substances["monomer"]),
        **{name: fraction["value"] for name, fraction in fractions.items()},
        "coefficients": {
            name: law and {key: law[key] for key in ("A", "E_a", "measured", "source")} for name, law in laws.items()
        },
        "range": range_,
        "solvent": solvent,
        "extras": extras,
        "note": whole.text("note"),
    }
    return {
        "name": chemistry["name"],
        "title": whole.text("title"),
        "chemistry": chemistry,
        "recipe": [asdict(quantity) for quantity in recipe.values()],
        "residual": RESIDUAL.format(substances["monomer"].symbol()),
        "agent": substances["agent"].text("name") if "agent" in substances else None,
        "uncertainty": {name: {key: law[key] for key in ("sd", "sd_E_a")} for name, law in laws.items() if law}
        | {name: {"sd": each["sd"], "sd_E_a": None} for name, each in fractions.items() if each["source"]},
        "sources": {name: each["source"] for name, each in fractions.items() if each["source"]}
        | _density_sources(substances),
        "bundled": _names(whole, "bundled"),
        "limits": whole.text("limits") if "limits" in whole.content else None,
    }


def _substances(whole: Section) -> dict[str, Section]:
    keys: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "monomer": (("name", "symbol", "molar_mass"), ("density",)),
        "initiator": (("name", "symbol"), ()),
        "solvent": (("name", "symbol"), ("molar_mass", "density")),
        "agent": (("name", "symbol"), ()),
    }
    return {
        name: whole.section(name).check(required, optional)
        for name, (required, optional) in keys.items()
        if whole.content.get(name) is not None
    }


def _molar_mass(substance: Section) -> float:
    return positive(substance.at("molar_mass"), substance.content.get("molar_mass"), MOLAR_MASS)


def _recipe(whole: Section, substances: dict[str, Section]) -> dict[str, Quantity]:
    given = whole.section("recipe")
    present = [name for name in COLUMNS if name in ("temp", "time") or name in substances]
    optional = tuple(name for name in present if name == "solvent")
    given.check(tuple(name for name in present if name not in optional), optional)
    recipe = {
        name: _quantity(name, given.section(name), substances.get(name)) for name in present if name in given.content
    }
    _check_columns(given, recipe, RESIDUAL.format(substances["monomer"].symbol()))
    return recipe


def _quantity(name: str, given: Section, substance: Section | None) -> Quantity:
    given.check(("range",), ("span",))
    low, high = limits(given.at("range"), given.content["range"], UNITS[name])
    above = ABSOLUTE_ZERO if name == "temp" else 0.0
    if low <= above:
        raise InputError(f"{given.at('range')} is {given.content['range']}; needs to begin above {above:g}")
    span = positive(given.at("span"), given.content["span"], UNITS[name]) if "span" in given.content else high - low
    column = COLUMNS[name].format(substance.symbol() if substance else "")
    return Quantity(column, next(iter(UNITS[name])), low, high, span, LABELS[name], above)


def _check_columns(given: Section, recipe: dict[str, Quantity], residual: str) -> None:
    """Refuse columns that only case tells apart, too: spreadsheets and people do not."""
    taken = {residual.lower(): "the residual monomer"} | {name.lower(): name for name in OTHERS}
    for name, quantity in recipe.items():
        key = quantity.name.lower()
        if key in taken:
            raise InputError(
                f"{given.at(name)} has the column {quantity.name}, as {taken[key]} has; needs other symbols"
            )
        taken[key] = given.section(name).place


def _checked(whole: Section, recipe: dict[str, Quantity]) -> dict[str, list[float]]:
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


def _molar_volumes(whole: Section, substances: dict[str, Section], *, needed: bool) -> list[float] | None:
    """Molar volumes of monomer and solvent in L/mol, where both densities are known."""
    if "solvent" not in substances:
        return None
    pair = [substances["monomer"], substances["solvent"]]
    for substance in pair:
        if "density" not in substance.content:
            if needed:
                raise InputError(
                    f"{substance.at('density')} is missing; the concentration of the solvent is computed from the "
                    "densities, unless recipe.solvent says it"
                )
            return None
    return [_molar_mass(substance) / _density(substance) for substance in pair]


def _density(substance: Section) -> float:
    given = substance.section("density").check(("value", "temp", "source"))
    measure(given.at("temp"), given.content["temp"], TEMPERATURE)
    return positive(given.at("value"), given.content["value"], DENSITY)


def _density_sources(substances: dict[str, Section]) -> dict[str, str]:
    given = {name: each.section("density") for name, each in substances.items() if "density" in each.content}
    return {
        f"density of {substances[name].text('name')}": f"{each.content['value']} at {each.content['temp']}, "
        f"{each.text('source')}"
        for name, each in given.items()
    }


def _names(whole: Section, key: str) -> list[str]:
    given = whole.content.get(key) or []
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise InputError(f"{whole.at(key)} is {given}; needs a list of names")
    return given
