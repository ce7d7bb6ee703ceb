"""Read the file of a system: YAML to plain values, each checked, in one line per error.

The plain values are those of `System.as_dict`: numbers in mol/L, s, °C, J/mol and g/mol. Nothing here imports torch.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from polyinv.chemistry.measures import (
    CONCENTRATION,
    DENSITY,
    ENERGY,
    FIRST_ORDER,
    MOLAR_MASS,
    RATIO,
    SECOND_ORDER,
    TEMPERATURE,
    TIME,
    activation_energy,
    limits,
    measure,
    measured,
    positive,
    share,
)
from polyinv.errors import InputError, unknown
from polyinv.quantities import Quantity
from polyinv.runtime.yaml_files import read_mapping

HERE = Path(__file__).parent
SYSTEMS = {path.stem: path for path in sorted((HERE / "systems").glob("*.yaml"))}
"""Files of the systems that come with polyinv, by name."""
ENDINGS = (".yaml", ".yml")
REQUIRED = ("name", "title", "monomer", "initiator", "recipe", "coefficients", "fractions", "note")
OPTIONAL = ("solvent", "agent", "checked", "bundled", "limits")
ALWAYS, MID_CHAIN, TRANSFER = (
    ("k_d", "k_p", "k_tss"),
    ("k_bb", "k_pt", "k_tst", "k_ttt"),
    ("k_trM", "k_trS", "k_trA"),
)
"""Coefficients: of every system, of one with mid-chain radicals (all or none of them), and of transfer."""
LAW = ("A", "E_a", "measured", "sd_ln_k", "sd_E_a", "source")
FRACTION = ("value", "sd", "source")
LARGEST_SD = 5.0
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
    "agent": "initial chain transfer agent",
    "time": "reaction time",
}
UNITS = dict.fromkeys(COLUMNS, CONCENTRATION) | {"temp": TEMPERATURE, "time": TIME}
ABSOLUTE_ZERO = -273.15  # °C
OTHERS = ("Mn", "Mw")


@dataclass(frozen=True)
class Section:
    """Section of a file, which knows its place in it: what errors begin with.

    Args:
        file: Name of the file.
        place: Its key, dotted; empty for the whole file.
        content: What stands there.
    """

    file: str
    place: str
    content: Mapping[str, Any]

    def at(self, key: str) -> str:
        """File and dotted key, as an error names it."""
        return f"{self.file}: {self.place}{'.' if self.place else ''}{key}"

    def check(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> "Section":
        """Refuse unknown keys and missing ones; returns itself."""
        for key in self.content:
            if key not in (*required, *optional):
                raise InputError(f"{self.at(str(key))}: {unknown('key', key, (*required, *optional))}")
        for key in required:
            if self.content.get(key) is None:
                raise InputError(f"{self.at(key)} is missing")
        return self

    def section(self, key: str) -> "Section":
        """The section under a key; an empty one if there is none."""
        content = self.content.get(key)
        if content is not None and not isinstance(content, Mapping):
            raise InputError(f"{self.at(key)} is {content}; needs keys with values")
        return Section(self.file, f"{self.place}{'.' if self.place else ''}{key}", content or {})

    def sections(self) -> Iterator[tuple[str, "Section"]]:
        """Every key with its section."""
        return ((str(key), self.section(key)) for key in self.content)

    def text(self, key: str) -> str:
        """The text under a key."""
        given = self.content.get(key)
        if not isinstance(given, str) or not given.strip():
            raise InputError(f"{self.at(key)} is {given}; needs text")
        return " ".join(given.split())

    def symbol(self) -> str:
        """The symbol of a substance, which makes the names of its columns."""
        return self._word("symbol", r"[A-Za-z][A-Za-z0-9]*", "letters and digits, such as MMA")

    def name(self) -> str:
        """The name of a system, which names files, too."""
        return self._word("name", r"[A-Za-z][A-Za-z0-9_-]*", "letters, digits, _ and -, such as my_monomer")

    def _word(self, key: str, pattern: str, needed: str) -> str:
        word = self.text(key)
        if not re.fullmatch(pattern, word):
            raise InputError(f"{self.at(key)} is {word}; needs {needed}")
        return word


@cache
def initiators() -> dict[str, Any]:
    """Initiators by name: k_d and f with their sources."""
    return read_mapping(HERE / "initiators.yaml", "table of initiators")


@cache
def agents() -> dict[str, Any]:
    """Chain transfer agents by name: transfer constants by monomer, with their sources."""
    return read_mapping(HERE / "agents.yaml", "table of chain transfer agents")


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
    laws = _laws(whole, substances)
    recipe = _recipe(whole, substances)
    range_ = _checked(whole, recipe)
    extras = [name for name in ("solvent", "agent") if name in recipe]
    volumes = _molar_volumes(whole, substances, needed="solvent" in substances and "solvent" not in recipe)
    fractions = _fractions(whole, substances, mid_chain=laws["k_bb"] is not None)
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


def _laws(whole: Section, substances: dict[str, Section]) -> dict[str, dict[str, Any] | None]:
    given = whole.section("coefficients")
    every = (*ALWAYS, *MID_CHAIN, *TRANSFER)
    given.check((), every)
    found = {name: section for name, section in given.sections() if section.content}
    _add_from_tables(whole, substances, found)
    _check_complete(given, found, substances)
    laws: dict[str, dict[str, Any] | None] = dict.fromkeys(every)
    laws |= {name: _law(section, _units(name, "solvent" in substances)) for name, section in found.items()}
    for name, section in found.items():
        if "times" in section.content:
            laws[name] = _times(section, name, laws)
    return laws


def _units(name: str, solvent: bool) -> dict[str, str]:
    lumped = name == "k_trS" and not solvent
    return FIRST_ORDER if name in ("k_d", "k_bb") or lumped else SECOND_ORDER


def _add_from_tables(whole: Section, substances: dict[str, Section], found: dict[str, Section]) -> None:
    initiator = substances["initiator"].text("name")
    if "k_d" not in found:
        if initiator not in initiators():
            raise InputError(
                f"{substances['initiator'].at('name')}: {unknown('initiator', initiator, initiators())}; another one "
                "needs coefficients.k_d and fractions.f"
            )
        found["k_d"] = Section("initiators.yaml", f"{initiator}.k_d", initiators()[initiator]["k_d"])
    if "agent" in substances and "k_trA" not in found:
        agent, monomer = substances["agent"].text("name"), substances["monomer"].text("name")
        if monomer not in agents().get(agent, {}).get("transfer", {}):
            raise InputError(
                f"{substances['agent'].at('name')}: no transfer constant of {agent!r} to {monomer}; known agents: "
                f"{', '.join(agents())}; another one needs coefficients.k_trA"
            )
        law = agents()[agent]["transfer"][monomer] | {"times": "k_p"}
        found["k_trA"] = Section("agents.yaml", f"{agent}.{monomer}", law)


def _check_complete(given: Section, found: dict[str, Section], substances: dict[str, Section]) -> None:
    for name in ALWAYS:
        if name not in found:
            raise InputError(f"{given.at(name)} is missing; every system needs {', '.join(ALWAYS)}")
    some = [name for name in MID_CHAIN if name in found]
    for name in MID_CHAIN:
        if some and name not in found:
            raise InputError(
                f"{given.at(name)} is missing; there is {some[0]}, and mid-chain radicals need {', '.join(MID_CHAIN)}"
            )
    if "solvent" in substances and "k_trS" not in found:
        raise InputError(f"{given.at('k_trS')} is missing; the solvent {substances['solvent'].text('name')} needs it")
    if "k_trA" in found and "agent" not in substances:
        raise InputError(f"{given.at('k_trA')} is given, but there is no agent; needs a section agent")


def _law(given: Section, units: dict[str, str]) -> dict[str, Any]:
    of_a_ratio = "times" in given.content
    given.check(("A", "E_a", "source"), ("measured", "sd_ln_k", "sd_E_a", "times"))
    content = given.content
    return {
        "A": positive(given.at("A"), content["A"], RATIO if of_a_ratio else units),
        "E_a": activation_energy(given.at("E_a"), content["E_a"], of_a_ratio=of_a_ratio),
        "measured": list(measured(given.at("measured"), content["measured"])) if "measured" in content else None,
        "source": given.text("source"),
        "sd": _sd(given, "sd_ln_k"),
        "sd_E_a": _sd_of_energy(given) if "sd_E_a" in content else None,
    }


def _times(given: Section, name: str, laws: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Multiply a transfer constant by the coefficient of propagation that it is a ratio to."""
    if name not in TRANSFER or given.content["times"] != "k_p":
        raise InputError(f"{given.at('times')} is {given.content['times']}; only k_p, of {', '.join(TRANSFER)}")
    ratio, k_p = laws[name], laws["k_p"]
    assert ratio is not None
    assert k_p is not None
    activated = f" exp({-ratio['E_a'] / 1000:g} kJ/mol / RT)" if ratio["E_a"] else ""
    source = f"{ratio['A']:g}{activated} times k_p: {ratio['source']}"
    return ratio | {"A": ratio["A"] * k_p["A"], "E_a": ratio["E_a"] + k_p["E_a"], "source": source}


def _sd(given: Section, key: str) -> float | None:
    if key not in given.content:
        return None
    value = measure(given.at(key), given.content[key], RATIO)
    if not 0 <= value <= LARGEST_SD:
        raise InputError(f"{given.at(key)} is {given.content[key]}; needs 0 to {LARGEST_SD:g}")
    return value


def _sd_of_energy(given: Section) -> float:
    value = measure(given.at("sd_E_a"), given.content["sd_E_a"], ENERGY)
    if not 0 <= value <= 50e3:
        raise InputError(f"{given.at('sd_E_a')} is {given.content['sd_E_a']}; needs 0 to 50 kJ/mol")
    return value


def _fractions(whole: Section, substances: dict[str, Section], *, mid_chain: bool) -> dict[str, dict[str, Any]]:
    given = whole.section("fractions")
    given.check(("d_ss", "d_st", "d_tt") if mid_chain else ("d_ss",), ("f",))
    name = substances["initiator"].text("name")
    sections = dict(given.sections())
    if "f" not in sections:
        if name not in initiators():
            raise InputError(f"{given.at('f')} is missing; the initiator {name} is not among {', '.join(initiators())}")
        sections["f"] = Section("initiators.yaml", f"{name}.f", initiators()[name]["f"])
    found = {key: _fraction(section) for key, section in sections.items()}
    absent = {"value": 0.0, "sd": None, "source": ""}
    return {key: found.get(key, absent) for key in ("f", "d_ss", "d_st", "d_tt")}


def _fraction(given: Section) -> dict[str, Any]:
    given.check(("value", "source"), ("sd",))
    return {
        "value": share(given.at("value"), given.content["value"]),
        "sd": _sd(given, "sd"),
        "source": given.text("source"),
    }


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
