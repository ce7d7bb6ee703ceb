import dataclasses
import math

import pytest
import torch

from polyinv.chemistry import SYSTEMS, Arrhenius, load_system
from polyinv.chemistry.kinetics import RateCoefficients

EFFECTIVE = {"k_bb", "k_pt", "k_tss", "k_tst", "k_ttt", "k_trS"}


def test_activation_energy_is_the_slope_of_the_arrhenius_plot():
    k = Arrhenius(A=1e7, E_a=20e3, measured=None, source="")
    cold, hot = k(torch.tensor([20.0, 80.0], dtype=torch.float64))
    slope = math.log(hot / cold) / (1 / 293.15 - 1 / 353.15)
    assert slope * 8.31446261815324 == pytest.approx(20e3)


@pytest.mark.parametrize("name", SYSTEMS)
def test_contract(name):
    system = load_system(name)
    chemistry = system.chemistry
    assert chemistry.name == name
    assert set(chemistry.range) == set(system.targets)
    for field in dataclasses.fields(RateCoefficients):
        coefficient = getattr(chemistry, field.name)
        if coefficient is None:
            continue
        assert coefficient.source
        assert (coefficient(torch.tensor([60.0, 80.0])) > 0).all()
    for fraction in (chemistry.f, chemistry.d_ss, chemistry.d_st, chemistry.d_tt):
        assert 0 <= fraction <= 1


def test_fitted_coefficients_are_called_effective():
    chemistry = load_system("butyl_acrylate").chemistry
    laws = {field.name: getattr(chemistry, field.name) for field in dataclasses.fields(RateCoefficients)}
    for name, law in laws.items():
        assert law is None or ("effective" in law.source) == (name in EFFECTIVE)
    assert [name for name, law in laws.items() if law is None] == ["k_trA"]
    assert "effective" in chemistry.note


def test_transfer_to_solvent_at_70_degrees():
    assert load_system("butyl_acrylate").chemistry.k_trS(torch.tensor(70.0)).item() == pytest.approx(
        105, abs=0.5
    )  # 1/s
