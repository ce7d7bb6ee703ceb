"""Systems: a chemistry with the names and the box of its recipe, as a file states it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from polyinv.chemistry.heat import Heat
from polyinv.chemistry.kinetics import Arrhenius, Chemistry, Solvent
from polyinv.chemistry.laboratory import Laboratory
from polyinv.chemistry.stored import check_stored
from polyinv.chemistry.system_file import SYSTEMS, read_system, system_file
from polyinv.errors import InputError, naming, quoted
from polyinv.quantities import MEANS, MMD, Quantity

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DEFAULT", "SYSTEMS", "AnySystem", "System", "Uncertainty", "load_system"]

DEFAULT = "butyl_acrylate"
"""The system that is meant where nobody names one: that of the published study, and of all that 0.1.0 wrote."""
ALIKE = ("monomer", "initiator", "monomer_molar_mass", "extras")
"""What two chemistries have in common whose polymers may be compared, whatever their coefficients."""
OWN: dict[str, type[Laboratory] | type[Heat]] = {"laboratory": Laboratory, "heat": Heat}
"""Parts of a system that not every one has, each with plain values of its own."""


@dataclass(frozen=True)
class Uncertainty:
    """Standard deviations of what a chemistry states.

    Args:
        sd: Of ln k in the middle of the recipe box; of ln f for the efficiency, of the logit of a fraction of
            disproportionation. None where it is not stated.
        sd_E_a: Of the activation energy, in J/mol. None where it is not stated.
    """

    sd: float | None
    sd_E_a: float | None = None


@dataclass(frozen=True)
class System:
    """System: what is polymerized, by which chemistry, in which recipes, and what its tables call it.

    Args:
        name: Such as "methyl_methacrylate".
        title: For people.
        chemistry: Scheme and coefficients.
        recipe: Values of a recipe in their order: monomer, initiator, temperature, then the ``extras`` of the
            chemistry, and the time. All but the last are the conditions of a reaction.
        residual: Column of the residual monomer.
        agent: Name of the chain transfer agent, if any.
        uncertainty: Of the coefficients, of ``f`` and of the fractions, by name.
        sources: Of what is no rate coefficient: ``f``, fractions, densities.
        bundled: Names of bundled data sets of this system.
        limits: File in `polyinv.domain` with the calibrated limits of the applicability check, if there is one.
        laboratory: What own runs said, if the coefficients were calibrated on some (`polyinv.calibrate`).
        heat: That is set free, if the file states it. No polymer depends on it: systems are equal without regard to it.

    Example:
        >>> load_system("MMA").targets
        ('cMMA_0', 'cAIBN_0', 'temp', 'cToluene', 'time')
    """

    name: str
    title: str
    chemistry: Chemistry
    recipe: tuple[Quantity, ...]
    residual: str
    agent: str | None = None
    uncertainty: Mapping[str, Uncertainty] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    bundled: tuple[str, ...] = ()
    limits: str | None = None
    laboratory: Laboratory | None = None
    heat: Heat | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        return hash((self.name, self.recipe, self.residual))

    def __str__(self) -> str:
        return self.name

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Columns of a recipe."""
        return tuple(quantity.name for quantity in self.recipe)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Columns that identify a reaction, in the order of a simulator's conditions; the time picks a snapshot."""
        return self.targets[:-1]

    @property
    def scalars(self) -> tuple[str, str, str]:
        """Observed columns beside the MMD."""
        return (self.residual, *MEANS)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All columns of a table of this system."""
        return self.targets + self.scalars + MMD

    @cached_property
    def inputs(self) -> dict[str, tuple[str, ...]]:
        """Inputs that are given or missing as a whole, with the columns of each: what is measured, then the recipe."""
        measured = {"mmd": MMD, self.residual: (self.residual,), "means": MEANS}
        return measured | {name: (name,) for name in self.targets}

    @property
    def horizon(self) -> float:
        """Last time of the recipe box, in s."""
        return self.recipe[-1].high

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what decides a simulation: chemistry, recipe box and columns."""
        plain = self.as_dict()
        decisive = {name: plain[name] for name in ("name", "chemistry", "recipe", "residual")}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    @property
    def stored(self) -> "str | dict[str, Any]":
        """Name of a system that comes with polyinv, or the plain values of any other: what checkpoints keep."""
        return self.name if self.name in SYSTEMS and self == load_system(self.name) else self.as_dict()

    def is_like(self, other: "System") -> bool:
        """Whether another system has the same substances and columns; its coefficients and its box may differ."""
        alike = all(getattr(self.chemistry, name) == getattr(other.chemistry, name) for name in ALIKE)
        return alike and self.targets == other.targets and self.residual == other.residual

    def check_like(self, other: "System", whose: str, of: str) -> None:
        """Refuse to mix this system with one of other substances or columns.

        Args:
            other: The other system.
            whose: What is of this system, such as a model.
            of: What is of the other.

        Raises:
            InputError: They are not alike, see `is_like`.
        """
        if not self.is_like(other):
            said = f"{whose} is of the system {self.name}, {of} of {other.name}; they do not go together"
            raise InputError(said + self._apart(other))

    def _apart(self, other: "System") -> str:
        """What two systems of one name differ in; nothing where the names say it."""
        if self.name != other.name:
            return ""
        differing = {name: (getattr(self.chemistry, name), getattr(other.chemistry, name)) for name in ALIKE}
        differing["columns"] = (" ".join(self.columns[: -len(MMD)]), " ".join(other.columns[: -len(MMD)]))
        what, (ours, theirs) = next((what, pair) for what, pair in differing.items() if pair[0] != pair[1])
        return f": {what.replace('_', ' ')} {ours} and {theirs}"

    def outside(self, recipes: "Tensor") -> list[str]:
        """Describe the values of ``recipes`` (B, R) that leave the checked range, a line each, if any.

        Example:
            >>> import torch
            >>> load_system("butyl_acrylate").outside(torch.tensor([[1.0, 0.01, 95.0, 3600.0]]))
            ['temp 95 is outside the range 60 to 80 °C where butyl_acrylate was checked (1 of 1 recipes)']
        """
        lines = []
        for quantity, column in zip(self.recipe, recipes.unbind(-1), strict=True):
            low, high = self.chemistry.range[quantity.name]
            out = (column < low) | (column > high)
            if out.any():
                worst = column[(column - (low + high) / 2).abs().argmax()].item()
                lines.append(
                    f"{quantity.name} {worst:g} is outside the range {low:g} to {high:g} {quantity.unit} "
                    f"where {self.name} was checked ({int(out.sum())} of {len(column)} recipes)"
                )
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Plain values, to be stored as JSON or YAML: `from_dict` makes the same system of them."""
        chemistry = asdict(self.chemistry)
        laws = {name: law for name, law in chemistry.items() if name.startswith("k_")}
        rest = {name: value for name, value in chemistry.items() if name not in laws}
        plain = {each.name: getattr(self, each.name) for each in self.__dataclass_fields__.values()}
        for name in OWN:  # files that know of none stay as they were
            if (own := plain.pop(name)) is not None:
                plain[name] = own.as_dict()
        return _plain(
            plain
            | {"chemistry": rest | {"coefficients": laws}}
            | {"recipe": [asdict(quantity) for quantity in self.recipe]}
            | {"uncertainty": {name: asdict(each) for name, each in self.uncertainty.items()}}
        )

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Make a system of what `as_dict` returned.

        Raises:
            InputError: It is none.
        """
        try:
            own = {name: plain.get(name) for name in OWN}
            plain = {name: value for name, value in plain.items() if name not in OWN}
            check_stored(plain)
            return cls(
                **{
                    **plain,
                    "chemistry": _chemistry(plain["chemistry"]),
                    "recipe": tuple(Quantity(**quantity) for quantity in plain["recipe"]),
                    "uncertainty": {name: Uncertainty(**each) for name, each in plain["uncertainty"].items()},
                    "bundled": tuple(plain["bundled"]),
                    **{name: None if own[name] is None else kind.from_dict(own[name]) for name, kind in OWN.items()},
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"this is no stored system: {type(error).__name__} {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _chemistry(plain: Mapping[str, Any]) -> Chemistry:
    values: dict[str, Any] = {name: value for name, value in plain.items() if name != "coefficients"}
    laws: dict[str, Any] = {
        name: law and Arrhenius(**law | {"measured": _pair(law)}) for name, law in plain["coefficients"].items()
    }
    solvent = plain["solvent"]
    volumes = solvent and solvent["molar_volumes"]
    values |= {
        "range": {name: (low, high) for name, (low, high) in plain["range"].items()},
        "solvent": solvent and Solvent(solvent["name"], volumes and tuple(volumes)),
        "extras": tuple(plain["extras"]),
    }
    return Chemistry(**values, **laws)


def _pair(law: Mapping[str, Any]) -> tuple[float, float] | None:
    return law["measured"] and tuple(law["measured"])


AnySystem = System | Mapping[str, Any] | str | Path
"""A system, its plain values, its name, its monomer's symbol, or its file: what `load_system` takes."""


def load_system(given: AnySystem = DEFAULT) -> System:
    """Load a system that comes with polyinv, by its name or its monomer's symbol, or one from a file.

    A `System` is returned as it is, and one is made of what `System.as_dict` gave.

    Raises:
        InputError: There is none, or its file cannot be used.

    Example:
        >>> load_system("styrene").residual
        'cSty_time'
    """
    if isinstance(given, System):
        return given
    if isinstance(given, Mapping):
        return System.from_dict(given)
    if not isinstance(given, str | Path):
        raise InputError(f"{quoted(given)} is no system; needs a name, such as {DEFAULT}, or the path of a file")
    path = system_file(given)
    if path in SYSTEMS.values():
        return _shipped(path)
    with naming([path]):
        system = System.from_dict(read_system(path))
    if system.name in SYSTEMS and not system.is_like(_shipped(SYSTEMS[system.name])):
        raise InputError(
            f"{path.name}: name is {system.name}, which polyinv has with other substances or columns; needs another"
        )
    return system


@cache
def _shipped(path: Path) -> System:
    return System.from_dict(read_system(path))
