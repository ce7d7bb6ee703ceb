"""Read the file of a system: YAML to plain values, each checked, in one line per error.

The plain values are those of `System.as_dict`: numbers in mol/L, s, °C, J/mol and g/mol. Nothing here imports torch.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from polyinv.chemistry.coefficients_file import fractions_of, laws_of
from polyinv.chemistry.heat import Heat
from polyinv.chemistry.kinetics import FRACTIONS
from polyinv.chemistry.laboratory import INSTRUMENT, Laboratory
from polyinv.chemistry.plausibility import check_rates, check_stationary
from polyinv.chemistry.recipe_file import RESIDUAL, checked_ranges, density, molar_mass, recipe_of
from polyinv.chemistry.sections import Section
from polyinv.errors import InputError, quoted, unknown
from polyinv.runtime.files import at_home, check_file
from polyinv.runtime.yaml_files import read_mapping

HERE = Path(__file__).parent
SYSTEMS = {path.stem: path for path in sorted((HERE / "systems").glob("*.yaml"))}
"""Files of the systems that come with polyinv, by name."""
ENDINGS = (".yaml", ".yml")
REQUIRED = ("name", "title", "monomer", "initiator", "recipe", "coefficients", "fractions", "note")
OPTIONAL = ("solvent", "agent", "heat", "checked", "bundled", "limits", "laboratory")


def system_file(name_or_path: str | Path) -> Path:
    """Find the file of a system: by its name, its monomer's symbol, or its path.

    Raises:
        InputError: There is none.
    """
    name, path = str(name_or_path), at_home(name_or_path)
    if name in SYSTEMS:
        return SYSTEMS[name]
    if path.is_file():
        return path
    if name.strip() and path.is_dir():
        raise InputError(f"{path} is a folder; needs the file of a system, or the name of one: {', '.join(SYSTEMS)}")
    if path.suffix in ENDINGS:
        check_file(path)
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
    recipe = recipe_of(whole, substances)
    check_rates(whole, laws, recipe)
    range_ = checked_ranges(whole, recipe)
    extras = [name for name in ("solvent", "agent") if name in recipe]
    volumes = _molar_volumes(whole, substances, needed="solvent" in substances and "solvent" not in recipe)
    fractions = fractions_of(whole, substances, mid_chain=laws["k_bb"] is not None)
    check_stationary(whole, laws, fractions["f"]["value"], recipe)
    solvent = (
        {"name": substances["solvent"].text("name"), "molar_volumes": volumes} if "solvent" in substances else None
    )
    chemistry = {
        "name": whole.name(),
        "monomer": substances["monomer"].text("name"),
        "initiator": substances["initiator"].text("name"),
        "monomer_molar_mass": molar_mass(substances["monomer"]),
        **{name: fraction["value"] for name, fraction in fractions.items()},
        "coefficients": {
            name: law and {key: law[key] for key in ("A", "E_a", "measured", "source")} for name, law in laws.items()
        },
        "range": range_,
        "solvent": solvent,
        "extras": extras,
        "note": whole.text("note"),
    }
    return (
        {
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
            "bundled": _bundled(whole, path),
            "limits": _limits(whole),
        }
        | _heat(whole)
        | _laboratory(whole, laws)
    )


def _substances(whole: Section) -> dict[str, Section]:
    keys: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "monomer": (("name", "symbol", "molar_mass"), ("density",)),
        "initiator": (("name", "symbol"), ()),
        "solvent": (("name", "symbol"), ("molar_mass", "density")),
        "agent": (("name", "symbol"), ()),
    }
    found = {
        name: whole.section(name).check(required, optional)
        for name, (required, optional) in keys.items()
        if whole.content.get(name) is not None
    }
    taken: dict[str, str] = {}
    for name, substance in found.items():
        _check_substance(substance)
        symbol = substance.symbol().lower()
        if symbol in taken:
            raise InputError(
                f"{substance.at('symbol')} is {substance.symbol()}, as {taken[symbol]} is; needs another one"
            )
        taken[symbol] = f"{name}.symbol"
    return found


def _check_substance(substance: Section) -> None:
    """Check all that is stated of a substance, used or not: what is wrong today is used tomorrow."""
    substance.text("name")
    if "molar_mass" in substance.content:
        molar_mass(substance)
    if "density" in substance.content:
        density(substance)


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
        if "molar_mass" not in substance.content:
            raise InputError(f"{substance.at('molar_mass')} is missing; a density needs it")
    return [molar_mass(substance) / density(substance) for substance in pair]


def _density_sources(substances: dict[str, Section]) -> dict[str, str]:
    given = {name: each.section("density") for name, each in substances.items() if "density" in each.content}
    return {
        f"density of {substances[name].text('name')}": f"{each.content['value']} at {each.content['temp']}, "
        f"{each.text('source')}"
        for name, each in given.items()
    }


def _bundled(whole: Section, path: Path) -> list[str]:
    """Names of bundled data sets, which only systems that come with polyinv have: theirs are the coefficients of it."""
    given = whole.content.get("bundled") or []
    if given and path not in SYSTEMS.values():
        raise InputError(
            f"{whole.at('bundled')} is {quoted(given)}; no data set of this system comes along; leave it out"
        )
    return given


def _heat(whole: Section) -> dict[str, Any]:
    """What the file says of heat; nothing where it says nothing."""
    if whole.content.get("heat") is None:
        return {}
    return {"heat": Heat.read(whole.section("heat")).as_dict()}


def _laboratory(whole: Section, laws: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """What `polyinv calibrate` wrote of a laboratory, checked; nothing where it wrote none."""
    if whole.content.get("laboratory") is None:
        return {}
    found = Laboratory.from_dict(whole.content["laboratory"], whole.at("laboratory"))
    for name in found.names:
        law = name.removesuffix(" E_a")
        if law not in (*INSTRUMENT, *FRACTIONS) and laws.get(law) is None:
            raise InputError(f"{whole.at('laboratory')}.names has {quoted(name)}, which is no coefficient of this file")
    return {"laboratory": found.as_dict()}


def _limits(whole: Section) -> str | None:
    """File with limits of the applicability check, beside those that come along."""
    if whole.content.get("limits") is None:
        return None
    known = [file.name for file in (HERE.parent / "domain").glob("limits*.yaml")]
    if (name := whole.text("limits")) not in known:
        raise InputError(f"{whole.at('limits')}: {unknown('file of limits', name, known)}")
    return name
