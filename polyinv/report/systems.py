"""Systems on a terminal: the list of those that come with polyinv, and one with all that its file states."""

import itertools
from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from polyinv.chemistry.heat import Heat
from polyinv.chemistry.kinetics import Arrhenius
from polyinv.chemistry.system import System, load_system
from polyinv.chemistry.system_file import SYSTEMS, symbol_of

WIDTH = 110
"""Characters of a line where there is no terminal."""
REACTIONS = {
    "k_d": "I → 2 S",
    "k_p": "S + M → S",
    "k_bb": "S → Q (backbiting)",
    "k_pt": "Q + M → S",
    "k_tss": "S + S → dead",
    "k_tst": "S + Q → dead",
    "k_ttt": "Q + Q → dead",
    "k_trM": "S + M → dead + S",
    "k_trS": "S + solvent → dead + S",
    "k_trA": "S + agent → dead + S",
}
FIRST_ORDER = ("k_d", "k_bb")
FRACTIONS = {
    "f": "initiator efficiency",
    "d_ss": "S + S that disproportionates",
    "d_st": "S + Q that disproportionates",
    "d_tt": "Q + Q that disproportionates",
}
LEFT_OUT = "β-scission, transfer to polymer, gel effect, depropagation, volume contraction"


class _Standard(Console):
    """Standard output of rich, which would end with exit code 1 where its reader has read enough."""

    def on_broken_pipe(self) -> None:
        """See `rich.console.Console`."""
        raise BrokenPipeError


def console() -> Console:
    """Standard output, as wide as the terminal; of a fixed width where there is none."""
    found = _Standard(highlight=False, soft_wrap=False)
    return found if found.is_terminal else _Standard(highlight=False, width=WIDTH)


def listed() -> RenderableType:
    """The systems that come with polyinv, a line each."""
    table = _table("system", "or", "what", "recipe")
    for name in SYSTEMS:
        system = load_system(name)
        table.add_row(name, symbol_of(name), system.title, ", ".join(system.targets))
    return Group(table, Text("\npolyinv systems show NAME_OR_FILE prints one with its coefficients and their sources."))


def shown(system: System) -> RenderableType:
    """All that a system states: recipe, coefficients with uncertainty, sources, and what has to be said with them."""
    return Group(*itertools.chain.from_iterable((part, Text("")) for part in _parts(system)))


def _parts(system: System) -> Iterator[RenderableType]:
    chemistry = system.chemistry
    yield Text(f"{system.name}: {system.title}\n{', '.join(_substances(system))}")
    yield _recipe(system)
    yield _coefficients(system)
    yield _fractions(system)
    if system.heat is not None:
        yield Text(_heat(system.heat))
    yield Group(Text("Sources"), *_sources(system))
    yield Group(Text(f"Note: {chemistry.note}"), *_warnings(system))


def _substances(system: System) -> Iterator[str]:
    chemistry = system.chemistry
    yield f"monomer {chemistry.monomer} ({chemistry.monomer_molar_mass:g} g/mol)"
    yield f"initiator {chemistry.initiator}"
    if chemistry.solvent is not None:
        stated = "a value of the recipe" if "solvent" in chemistry.extras else "computed from densities"
        yield f"solvent {chemistry.solvent.name} ({stated})"
    if system.agent is not None:
        yield f"chain transfer agent {system.agent}"


def _recipe(system: System) -> Table:
    table = _table("recipe", "", "low", "high", "unit")
    for quantity in system.recipe:
        table.add_row(quantity.name, quantity.label, f"{quantity.low:g}", f"{quantity.high:g}", quantity.unit)
    return table


def _coefficients(system: System) -> Table:
    temp = _middle(system)
    table = _table("", "reaction", "A", "E_a", f"at {temp:g} °C", "unit", "sd ln k", "sd E_a", "measured")
    for name, law in _laws(system):
        sd = system.uncertainty.get(name)
        table.add_row(
            name,
            REACTIONS[name],
            f"{law.A:.4g}",
            f"{law.E_a / 1000:.4g}",
            f"{_at(law, temp):.4g}",
            _unit(system, name),
            "" if sd is None or sd.sd is None else f"{sd.sd:g}",
            "" if sd is None or sd.sd_E_a is None else f"{sd.sd_E_a / 1000:g}",
            _measured(law),
        )
    table.caption = "E_a in kJ/mol; sd: standard deviations of ln k and of E_a"
    table.caption_justify = "left"
    return table


def _unit(system: System, name: str) -> str:
    lumped = name == "k_trS" and system.chemistry.solvent is None
    return "1/s" if name in FIRST_ORDER or lumped else "L/mol/s"


def _measured(law: Arrhenius) -> str:
    if law.measured is None:
        return "not stated"
    low, high = law.measured
    return f"{low:g} °C" if low == high else f"{low:g} to {high:g} °C"


def _fractions(system: System) -> Table:
    table = _table("", "share of", "value", "sd", "of")
    for name, what in FRACTIONS.items():
        if name in system.sources:
            sd = system.uncertainty[name].sd
            scale = "ln" if name == "f" else "logit"
            table.add_row(name, what, f"{getattr(system.chemistry, name):g}", "" if sd is None else f"{sd:g}", scale)
    return table


def _heat(heat: Heat) -> str:
    capacity = "" if heat.capacity is None else f"; heat capacity {heat.capacity / 1000:g} kJ/L/K"
    return f"Enthalpy of polymerization {heat.enthalpy / 1000:g} kJ/mol{capacity}"


def _sources(system: System) -> Iterator[RenderableType]:
    sources = {name: law.source for name, law in _laws(system)} | dict(system.sources)
    if (heat := system.heat) is not None:
        sources["enthalpy of polymerization"] = heat.source
        sources |= {} if heat.capacity is None else {"heat capacity": heat.capacity_source}
    return (Padding(Text(f"{name}: {source}"), (0, 0, 0, 2), expand=False) for name, source in sources.items())


def _warnings(system: System) -> Iterator[Text]:
    temp = next(quantity for quantity in system.recipe if quantity.name == "temp")
    beyond = [
        f"{name} ({_measured(law)})"
        for name, law in _laws(system)
        if law.measured is not None and (law.measured[0] > temp.low or law.measured[1] < temp.high)
    ]
    unknown = [name for name, law in _laws(system) if law.measured is None]
    if beyond:
        yield Text(f"Extrapolated to {temp.low:g} to {temp.high:g} °C: {', '.join(beyond)}")
    if unknown:
        yield Text(f"Measured at temperatures that are not stated: {', '.join(unknown)}")
    yield Text(f"In no system: {LEFT_OUT}")


def _laws(system: System) -> Iterator[tuple[str, Arrhenius]]:
    return ((name, law) for name in REACTIONS if (law := getattr(system.chemistry, name)) is not None)


def _middle(system: System) -> float:
    temp = next(quantity for quantity in system.recipe if quantity.name == "temp")
    return (temp.low + temp.high) / 2


def _at(law: Arrhenius, temp: float) -> float:
    import torch

    return float(law(torch.tensor(temp, dtype=torch.float64)))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
