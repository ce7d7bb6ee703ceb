"""n-Butyl acrylate with AIBN in solution, 60 to 80 °C.

Coefficients marked *effective* were adjusted, starting from the literature, to the 432 yes-or-no labels "reaches 90 %
conversion within 3600 s" and to the one curve that the study of Ortube (2025) on the data of Fiosina et al. (2023)
prints. Those data determine about three directions of thirteen: the numbers fix predictions on the published grid
(posterior standard deviation of the conversion at 3600 s about 0.003), **not** the coefficients. Do not quote them as
measurements.
"""

from polyinv.chemistry.kinetics import Arrhenius, Chemistry
from polyinv.quantities import RECIPE

_FITTED = (60.0, 80.0)  # °C, the grid the effective coefficients were adjusted on


def _effective(A: float, E_a: float, literature: str) -> Arrhenius:
    return Arrhenius(
        A, E_a, measured=_FITTED, source=f"effective, adjusted to the published grid; literature: {literature}"
    )


BUTYL_ACRYLATE = Chemistry(
    name="butyl_acrylate",
    monomer="n-butyl acrylate",
    initiator="AIBN",
    monomer_molar_mass=128.169,
    f=0.4028,  # effective
    k_d=Arrhenius(1.58e15, 128.9e3, measured=None, source="AIBN, literature"),
    k_p=Arrhenius(2.21e7, 17.9e3, measured=(-65.0, 20.0), source="IUPAC benchmark, Asua et al. 2004"),
    k_bb=_effective(6.995e7, 32.78e3, "4.8e7, 31.7 kJ/mol (Nikitin 2007) to 1.6e8, 34.7 kJ/mol (Barth 2010)"),
    k_pt=_effective(1.770e6, 27.83e3, "9.2e5, 28.3 kJ/mol (Barth 2010), 1.5e6, 28.9 kJ/mol"),
    k_tss=_effective(1.548e9, 8.4e3, "3.9e9, 8.4 kJ/mol"),
    k_tst=_effective(1.855e9, 14.13e3, "none taken"),
    k_ttt=_effective(6.440e9, 19.81e3, "5.3e9, 19.6 kJ/mol"),
    k_trM=Arrhenius(2.9e5, 32.6e3, measured=None, source="Maeder & Gilbert 1998"),
    k_trS=_effective(3.866e6, 30.0e3, "none: transfer to solvent, k_tr·[solvent] lumped, 105 1/s at 70 °C"),
    d_ss=0.05,
    d_st=0.699,
    d_tt=0.792,
    # Runs start at time zero, so every snapshot up to the end of the grid is inside.
    range={q.name: (0.0 if q.name == "time" else q.low, q.high) for q in RECIPE},
    note="effective coefficients: they fix predictions on the published grid, not the rate coefficients themselves",
)
CHEMISTRIES = {"butyl_acrylate": BUTYL_ACRYLATE}
"""The chemistries that polyinv knows, by name."""
