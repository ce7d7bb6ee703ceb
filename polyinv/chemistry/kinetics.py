"""Chemistry of a polymerization: reaction scheme, and a rate coefficient with range and source for each step.

The scheme is that of an acrylate in solution with one initiator I. Secondary chain-end radicals S propagate;
backbiting turns them into mid-chain radicals Q; a monomer unit added to Q makes it an S again.
"""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

GAS_CONSTANT = 8.31446261815324  # J/mol/K
ZERO_CELSIUS = 273.15  # K
FRACTIONS = ("f", "d_ss", "d_st", "d_tt")
"""Numbers of a chemistry that are shares: the efficiency, and what disproportionates of each termination."""


@dataclass(frozen=True)
class Arrhenius:
    r"""Rate coefficient :math:`k(T) = A \exp(-E_a / RT)`.

    Args:
        A: Pre-exponential factor, in 1/s (first order) or L/mol/s (second order).
        E_a: Activation energy, in J/mol.
        measured: Temperature range of the underlying data, in °C; values outside it are extrapolated. None where it
            is not known.
        source: Where A and E_a come from.

    Example:
        >>> k_p = Arrhenius(A=2.21e7, E_a=17.9e3, measured=(-65.0, 20.0), source="Asua et al. 2004")
        >>> import torch
        >>> k_p(torch.tensor([20.0, 70.0]))
        tensor([14287.6562, 41657.1250])
    """

    A: "float | Tensor"
    E_a: "float | Tensor"
    measured: tuple[float, float] | None
    source: str

    def __call__(self, temp: "Tensor") -> "Tensor":
        """The coefficient at ``temp`` in °C, of any shape."""
        return self.A * (-self.E_a / (GAS_CONSTANT * (temp + ZERO_CELSIUS))).exp()

    def slope(self, temp: "Tensor") -> "Tensor":
        """Derivative of the coefficient by the temperature, per K."""
        return self(temp) * self.E_a / (GAS_CONSTANT * (temp + ZERO_CELSIUS) ** 2)


@dataclass(frozen=True)
class RateCoefficients:
    """The coefficients of a `Chemistry` at given conditions: tensors of one shape, in 1/s or L/mol/s, 0 if absent."""

    k_d: "Tensor"
    k_p: "Tensor"
    k_bb: "Tensor"
    k_pt: "Tensor"
    k_tss: "Tensor"
    k_tst: "Tensor"
    k_ttt: "Tensor"
    k_trM: "Tensor"
    k_trS: "Tensor"  # times the concentration of the solvent: 1/s
    k_trA: "Tensor"


@dataclass(frozen=True)
class Solvent:
    """Solvent: what chains transfer to, at a concentration that does not change in a reaction.

    Args:
        name: Such as "toluene".
        molar_volumes: Of monomer and solvent in L/mol. They fill the volume together, so that the recipe need not name
            the solvent: :math:`c_S = (1 - c_M V_M) / V_S`. None where the concentration is a value of the recipe.
    """

    name: str
    molar_volumes: tuple[float, float] | None = None

    def concentration(self, monomer: "Tensor") -> "Tensor":
        """Concentration in mol/L beside monomer in mol/L, of any shape; not below 0."""
        if self.molar_volumes is None:
            raise ValueError(f"the concentration of {self.name} is a value of the recipe")
        of_monomer, of_solvent = self.molar_volumes
        return ((1 - monomer * of_monomer) / of_solvent).clamp(min=0)


@dataclass(frozen=True)
class Chemistry:
    """Reaction scheme and coefficients of one monomer with one initiator.

    Every rate is a rate of **events**: the event rate of S + S is ``k_tss·S²``, so that radicals vanish at
    ``2·k_tss·S²``; of S + Q it is ``2·k_tst·S·Q``, of Q + Q ``k_ttt·Q²``. A chain that starts (from the initiator,
    the monomer, the solvent or the agent) consumes one monomer unit at once. Termination does not depend on chain
    length. Left out: β-scission, intermolecular transfer to polymer, gel effect, depropagation, volume contraction.

    Conditions of a reaction are (B, 3 + E): monomer and initiator in mol/L, temperature in °C, then what ``extras``
    names.

    Args:
        name: Such as "styrene".
        monomer: Name of the monomer.
        initiator: Name of the initiator.
        monomer_molar_mass: In g/mol. End groups are not counted into the mass of a chain.
        f: Initiator efficiency: the share of fragments that start a chain.
        k_d: I → 2 S.
        k_p: S + M → S.
        k_tss: S + S → dead.
        d_ss: Fraction of S + S that disproportionates into two chains; the rest combines into one.
        range: Where the coefficients have been checked, as ``{column: (low, high)}``; outside it they extrapolate.
        k_bb: S → Q; None without mid-chain radicals Q, and then the other coefficients of Q are, too.
        k_pt: Q + M → S.
        k_tst: S + Q → dead.
        k_ttt: Q + Q → dead.
        k_trM: S + M → dead + S.
        k_trS: S → dead + S through the solvent: in L/mol/s with a ``solvent``; in 1/s, its constant concentration
            lumped in, without.
        k_trA: S + A → dead + S through a chain transfer agent A, which is used up.
        d_st: The same for S + Q.
        d_tt: The same for Q + Q.
        solvent: None where there is none, or its concentration is lumped into ``k_trS``.
        extras: Concentrations in mol/L that the conditions name beside monomer and initiator: "solvent", "agent".
        note: What has to be said wherever the coefficients are shown.
    """

    name: str
    monomer: str
    initiator: str
    monomer_molar_mass: float
    f: float
    k_d: Arrhenius
    k_p: Arrhenius
    k_tss: Arrhenius
    d_ss: float
    range: dict[str, tuple[float, float]]
    k_bb: Arrhenius | None = None
    k_pt: Arrhenius | None = None
    k_tst: Arrhenius | None = None
    k_ttt: Arrhenius | None = None
    k_trM: Arrhenius | None = None
    k_trS: Arrhenius | None = None
    k_trA: Arrhenius | None = None
    d_st: float = 0.0
    d_tt: float = 0.0
    solvent: Solvent | None = None
    extras: tuple[str, ...] = ()
    note: str = ""

    def at(self, temp: "Tensor") -> RateCoefficients:
        """All rate coefficients at ``temp`` in °C, each with the shape of ``temp``; ``k_trS`` as the law gives it."""
        laws = {field.name: getattr(self, field.name) for field in fields(RateCoefficients)}
        return RateCoefficients(
            **{name: temp.new_zeros(temp.shape) if law is None else law(temp) for name, law in laws.items()}
        )

    def under(self, conditions: "Tensor") -> RateCoefficients:
        """All rate coefficients under ``conditions`` (*, 3 + E), each (*): transfer to the solvent in 1/s."""
        k = self.at(conditions[..., 2])
        return k if self.solvent is None else replace(k, k_trS=k.k_trS * self.solvent_under(conditions))

    def solvent_under(self, conditions: "Tensor") -> "Tensor":
        """Concentration of the solvent in mol/L under ``conditions`` (*, 3 + E), (*); 1 where it is lumped in."""
        if self.solvent is None:
            return conditions.new_ones(conditions.shape[:-1])
        if "solvent" in self.extras:
            return conditions[..., 3 + self.extras.index("solvent")]
        return self.solvent.concentration(conditions[..., 0])

    def agent_under(self, conditions: "Tensor") -> "Tensor":
        """Initial chain transfer agent in mol/L under ``conditions`` (*, 3 + E), (*); 0 without one."""
        if "agent" not in self.extras:
            return conditions.new_zeros(conditions.shape[:-1])
        return conditions[..., 3 + self.extras.index("agent")]
