"""Reference problem P1: a linear polymerization with a known answer, to test every simulator against.

Neither backbiting nor transfer; combination and disproportionation events at 1e7·S² each. From 1.0 mol/L of monomer
and 0.02 mol/L of initiator, the quasi-steady rate equations give after an hour, with the unit that each chain start
consumes, the conversion and the number and mass averages of the chain length in ``P1_KNOWN``.
"""

from polyinv.chemistry.kinetics import Arrhenius, Chemistry


def _constant(value: float) -> Arrhenius:
    return Arrhenius(value, 0.0, measured=None, source="reference problem P1")


P1 = Chemistry(
    name="P1",
    monomer="M",
    initiator="I",
    monomer_molar_mass=100.0,
    f=0.5,
    k_d=_constant(4e-5),
    k_p=_constant(2000.0),
    k_tss=_constant(2e7),
    d_ss=0.5,
    range={},
    note="made up, for tests",
)
P1_RECIPE = (1.0, 0.02, 60.0, 3600.0)
"""cBA_0 and cAIBN_0 in mol/L, temp in °C (of no consequence), time in s."""
P1_KNOWN = {"X": 0.6275, "DPn": 311.8, "DPw": 624.0}
