"""Coefficients and fractions of a system's file, with what the tables of initiators and agents add to them."""

from functools import cache
from pathlib import Path
from typing import Any

from polyinv.chemistry.kinetics import FRACTIONS
from polyinv.chemistry.measures import (
    ENERGY,
    FIRST_ORDER,
    RATIO,
    SECOND_ORDER,
    activation_energy,
    measure,
    measured,
    positive,
    share,
)
from polyinv.chemistry.sections import Section
from polyinv.errors import InputError, quoted, unknown
from polyinv.runtime.yaml_files import read_mapping

HERE = Path(__file__).parent
ALWAYS, MID_CHAIN, TRANSFER = (
    ("k_d", "k_p", "k_tss"),
    ("k_bb", "k_pt", "k_tst", "k_ttt"),
    ("k_trM", "k_trS", "k_trA"),
)
"""Coefficients: of every system, of one with mid-chain radicals (all or none of them), and of transfer."""
LAW = ("A", "E_a", "measured", "sd_ln_k", "sd_E_a", "source")
FRACTION = ("value", "sd", "source")
LARGEST_SD = 5.0


@cache
def initiators() -> dict[str, Any]:
    """Initiators by name: k_d and f with their sources."""
    return read_mapping(HERE / "initiators.yaml", "table of initiators")


@cache
def agents() -> dict[str, Any]:
    """Chain transfer agents by name: transfer constants by monomer, with their sources."""
    return read_mapping(HERE / "agents.yaml", "table of chain transfer agents")


def laws_of(whole: Section, substances: dict[str, Section]) -> dict[str, dict[str, Any] | None]:
    given = whole.section("coefficients")
    every = (*ALWAYS, *MID_CHAIN, *TRANSFER)
    given.check((), every)
    found = {name: section for name, section in given.sections() if section.content}
    _add_from_tables(whole, substances, found)
    _check_complete(given, found, substances)
    laws: dict[str, dict[str, Any] | None] = dict.fromkeys(every)
    laws |= {name: _law(section, units_of(name, "solvent" in substances)) for name, section in found.items()}
    for name, section in found.items():
        if "times" in section.content:
            if name == "k_trS" and "solvent" not in substances:
                raise InputError(
                    f"{section.at('times')}: a transfer constant needs a section solvent; without one k_trS is in 1/s, "
                    "the concentration of the solvent lumped in"
                )
            laws[name] = _times(section, name, laws)
    return laws


def units_of(name: str, solvent: bool) -> dict[str, str]:
    """Units of a coefficient by its name, in a system with or without a section ``solvent``."""
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
        raise InputError(f"{given.at('times')} is {quoted(given.content['times'])}; only k_p, of {', '.join(TRANSFER)}")
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
        raise InputError(f"{given.at(key)} is {quoted(given.content[key])}; needs 0 to {LARGEST_SD:g}")
    return value


def _sd_of_energy(given: Section) -> float:
    value = measure(given.at("sd_E_a"), given.content["sd_E_a"], ENERGY)
    if not 0 <= value <= 50e3:
        raise InputError(f"{given.at('sd_E_a')} is {quoted(given.content['sd_E_a'])}; needs 0 to 50 kJ/mol")
    return value


def fractions_of(whole: Section, substances: dict[str, Section], *, mid_chain: bool) -> dict[str, dict[str, Any]]:
    given = whole.section("fractions")
    given.check(("d_ss", "d_st", "d_tt") if mid_chain else ("d_ss",), ("f",))
    name = substances["initiator"].text("name")
    sections = dict(given.sections())
    if "f" not in sections:
        if name not in initiators():
            raise InputError(f"{given.at('f')} is missing; the initiator {name} is not among {', '.join(initiators())}")
        sections["f"] = Section("initiators.yaml", f"{name}.f", initiators()[name]["f"])
    found = {key: _fraction(section) for key, section in sections.items()}
    if found["f"]["value"] == 0:
        raise InputError(f"{sections['f'].at('value')} is 0; needs more, or no chain starts")
    absent = {"value": 0.0, "sd": None, "source": ""}
    return {key: found.get(key, absent) for key in FRACTIONS}


def _fraction(given: Section) -> dict[str, Any]:
    given.check(("value", "source"), ("sd",))
    return {
        "value": share(given.at("value"), given.content["value"]),
        "sd": _sd(given, "sd"),
        "source": given.text("source"),
    }
