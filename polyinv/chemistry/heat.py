"""Heat of a polymerization: what a mole of monomer sets free when it is converted, and what warms a litre by a kelvin.

No rate depends on it: reactions are isothermal. Nothing here imports torch.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from polyinv.chemistry.measures import ENERGY, HEAT_CAPACITY, measure, positive
from polyinv.chemistry.sections import Section
from polyinv.errors import InputError, quoted
from polyinv.runtime.nested import is_number

LEAST, MOST = 1e3, 250e3
"""Heat in J that a mole of monomer may set free: a double bond that becomes two single ones is worth about 90 kJ."""
DENSEST = 6e3
"""Heat capacity in J/L/K above which one is a slip: that of water, which few liquids reach, is 4180."""


@dataclass(frozen=True)
class Heat:
    """Heat of a polymerization.

    Args:
        enthalpy: Of the polymerization, in J per mole of monomer: below 0.
        source: Where it comes from.
        capacity: Heat capacity of the mixture, in J/L/K; None where it is not stated.
        capacity_source: Where that comes from.

    Example:
        >>> Heat(-78e3, "Polymer Handbook").set_free(1.5)
        117.0
    """

    enthalpy: float
    source: str
    capacity: float | None = None
    capacity_source: str = ""

    def set_free(self, converted: Any) -> Any:
        """Heat in kJ/L that is set free by an amount of converted monomer, in mol/L; a number, an array or a tensor."""
        return -self.enthalpy / 1000 * converted

    def rise(self, converted: Any) -> Any:
        """Rise of the temperature in K if none of it is removed; None where no heat capacity is stated."""
        return None if self.capacity is None else -self.enthalpy / self.capacity * converted

    def as_dict(self) -> dict[str, Any]:
        """Plain values: `from_dict` makes the same of them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Any) -> Self:
        """Make one of plain values, checked.

        Raises:
            InputError: They are of none.
        """
        if not isinstance(plain, Mapping) or set(plain) != set(cls.__dataclass_fields__):
            raise InputError(f"heat is {quoted(plain)}; needs {', '.join(cls.__dataclass_fields__)}")
        for key in ("source", "capacity_source"):
            if not isinstance(plain[key], str):
                raise InputError(f"heat.{key} is {quoted(plain[key])}; needs text")
        _number("enthalpy", plain["enthalpy"], -MOST, -LEAST)
        if plain["capacity"] is not None:
            _number("capacity", plain["capacity"], 1.0, DENSEST)
        return cls(**plain)

    @classmethod
    def read(cls, given: Section) -> Self:
        """Read the section ``heat`` of a system's file: ``enthalpy`` and ``capacity``, with ``value`` and ``source``.

        Raises:
            InputError: In one line: file, key, value, and what is needed.
        """
        given.check(("enthalpy",), ("capacity",))
        stated = given.section("enthalpy").check(("value", "source"))
        enthalpy = measure(stated.at("value"), written := stated.content["value"], ENERGY)
        if not LEAST <= -enthalpy <= MOST:
            guess = "; heat that is set free has a minus sign" if LEAST <= enthalpy <= MOST else ""
            raise InputError(
                f"{stated.at('value')} is {quoted(written)}; needs {-MOST / 1000:g} to {-LEAST / 1000:g} kJ/mol{guess}"
            )
        if given.content.get("capacity") is None:
            return cls(enthalpy, stated.text("source"))
        other = given.section("capacity").check(("value", "source"))
        capacity = positive(other.at("value"), other.content["value"], HEAT_CAPACITY)
        if capacity > DENSEST:
            raise InputError(
                f"{other.at('value')} is {quoted(other.content['value'])}; needs {DENSEST / 1000:g} kJ/L/K or less: "
                "water has 4.2"
            )
        return cls(enthalpy, stated.text("source"), capacity, other.text("source"))


def _number(key: str, value: Any, low: float, high: float) -> None:
    good = is_number(value) and low <= value <= high
    if not good:
        raise InputError(f"heat.{key} is {quoted(value)}; needs a number from {low:g} to {high:g}")
