"""Systems: a chemistry with the names and the box of its recipe, as a file states it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

from polyinv.chemistry.kinetics import Arrhenius, Chemistry, Solvent
from polyinv.chemistry.system_file import SYSTEMS, read_system, system_file
from polyinv.errors import InputError
from polyinv.quantities import MMD, Quantity

__all__ = ["SYSTEMS", "System", "Uncertainty", "load_system"]


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

    def __hash__(self) -> int:
        return hash((self.name, self.recipe, self.residual))

    @property
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
        return (self.residual, "Mn", "Mw")

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of a table of this system."""
        return self.targets + self.scalars + MMD

    def as_dict(self) -> dict[str, Any]:
        """Plain values, to be stored as JSON or YAML: `from_dict` makes the same system of them."""
        chemistry = asdict(self.chemistry)
        laws = {name: law for name, law in chemistry.items() if name.startswith("k_")}
        rest = {name: value for name, value in chemistry.items() if name not in laws}
        plain = {each.name: getattr(self, each.name) for each in self.__dataclass_fields__.values()}
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
            return cls(
                **{
                    **plain,
                    "chemistry": _chemistry(plain["chemistry"]),
                    "recipe": tuple(Quantity(**quantity) for quantity in plain["recipe"]),
                    "uncertainty": {name: Uncertainty(**each) for name, each in plain["uncertainty"].items()},
                    "bundled": tuple(plain["bundled"]),
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


def load_system(name_or_path: str | Path) -> System:
    """Load a system that comes with polyinv, by its name or its monomer's symbol, or one from a file.

    Raises:
        InputError: There is none, or its file cannot be used.

    Example:
        >>> load_system("styrene").residual
        'cSty_time'
    """
    path = system_file(name_or_path)
    return _shipped(path) if path in SYSTEMS.values() else System.from_dict(read_system(path))


@cache
def _shipped(path: Path) -> System:
    return System.from_dict(read_system(path))
