r"""Coordinates of coefficients: numbers in which what is not known of a chemistry is normally distributed.

A rate coefficient has two, :math:`\ln k` in the middle of the recipe box and :math:`E_a`; the efficiency and each
fraction of disproportionation have one, their logit, so that none leaves 0 to 1. Nothing here imports torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import exp, log
from typing import Any

from polyinv.chemistry.kinetics import FRACTIONS, GAS_CONSTANT, ZERO_CELSIUS, Arrhenius, Chemistry
from polyinv.chemistry.system import System, Uncertainty

ENERGY = " E_a"
"""Ends the name of the coordinate of an activation energy, in J/mol: ``k_p E_a``."""
USUAL = {"k_d": 0.1, "k_p": 0.1, "k_bb": 0.3, "k_trM": 0.3, "f": 0.2, "d_ss": 0.5, "d_st": 0.5, "d_tt": 0.5}
"""Standard deviations that are taken where a system states none, see `polyinv.chemistry.System`."""
OTHERS, OF_ENERGY = 0.4, 3e3
"""Of all other coefficients, and of activation energies in J/mol."""
WALL = 5e-3
"""How close to 0 or 1 a fraction comes: its logit would be infinite there."""


@dataclass(frozen=True)
class Coordinates:
    """Coordinates of the coefficients of a system, Q of them.

    Args:
        system: Whose coefficients are the origin.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> of = Coordinates(load_system("MMA"))
        >>> of.names[:3], of.names[-2:], of.sd[:2]
        (('k_d', 'k_d E_a', 'k_p'), ('f', 'd_ss'), (0.1, 1000.0))
        >>> moved = of.chemistry([0.1, *[0.0] * (len(of.names) - 1)])
        >>> round(moved.k_d.A / load_system("MMA").chemistry.k_d.A, 4)
        1.1052
    """

    system: System

    @cached_property
    def laws(self) -> tuple[str, ...]:
        """Names of the rate coefficients that the chemistry has."""
        chemistry = self.system.chemistry
        return tuple(name for name, value in vars(chemistry).items() if isinstance(value, Arrhenius))

    @cached_property
    def fractions(self) -> tuple[str, ...]:
        """Names of the efficiency and of the fractions whose value is stated."""
        stated = [name for name in FRACTIONS if name in self.system.sources or name in self.system.uncertainty]
        return tuple(stated)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates, (Q,): ln k and E_a of each law, then the logits."""
        return tuple(name for law in self.laws for name in (law, law + ENERGY)) + self.fractions

    @cached_property
    def sd(self) -> tuple[float, ...]:
        """Standard deviations a priori, (Q,): as the system states them, else those of ``USUAL``."""
        found = []
        for name in self.laws:
            stated = self._stated(name)
            found += [_or(stated.sd, USUAL.get(name, OTHERS)), _or(stated.sd_E_a, OF_ENERGY)]
        for name in self.fractions:
            sd = _or(self._stated(name).sd, USUAL[name])
            # Of ln f is stated what its logit has: d ln f = (1 - f) d logit f.
            found.append(sd / (1 - _inside(self.system.chemistry.f)) if name == "f" else sd)
        return tuple(found)

    @cached_property
    def middle(self) -> float:
        """Temperature in the middle of the recipe box, in K."""
        temp = self.system.recipe[2]
        return (temp.low + temp.high) / 2 + ZERO_CELSIUS

    @cached_property
    def origin(self) -> tuple[float, ...]:
        """Coordinates of the system itself, (Q,)."""
        return self.of(self.system.chemistry)

    def of(self, chemistry: Chemistry) -> tuple[float, ...]:
        """Coordinates of a chemistry of the same scheme, (Q,)."""
        found = []
        for name in self.laws:
            law = getattr(chemistry, name)
            found += [log(law.A) - law.E_a / (GAS_CONSTANT * self.middle), law.E_a]
        fractions = (_inside(getattr(chemistry, name)) for name in self.fractions)
        return (*found, *(log(value / (1 - value)) for value in fractions))

    def chemistry(self, moved: Sequence[float]) -> Chemistry:
        """Chemistry at a distance from the system's own, (Q,); what does not move stays as it is, bit for bit."""
        if len(moved) != len(self.names):
            raise ValueError(f"{len(moved)} coordinates; needs {len(self.names)}")
        changed: dict[str, Any] = {}
        for at, name in enumerate(self.laws):
            by, by_energy = float(moved[2 * at]), float(moved[2 * at + 1])
            law = getattr(self.system.chemistry, name)
            if by or by_energy:
                A = law.A * exp(by + by_energy / (GAS_CONSTANT * self.middle))
                changed[name] = replace(law, A=A, E_a=law.E_a + by_energy)
        for at, name in enumerate(self.fractions, 2 * len(self.laws)):
            if moved[at]:
                changed[name] = 1 / (1 + exp(-self.origin[at] - float(moved[at])))
        return replace(self.system.chemistry, **changed)

    def _stated(self, name: str) -> Uncertainty:
        return self.system.uncertainty.get(name) or Uncertainty(None)


def _or(stated: float | None, usual: float) -> float:
    return usual if stated is None else stated


def _inside(fraction: float) -> float:
    return min(max(fraction, WALL), 1 - WALL)
