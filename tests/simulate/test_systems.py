"""The shipped systems against an independent balance, and linear systems against closed forms."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from polyinv.chemistry import SYSTEMS, load_system
from polyinv.chemistry.reference_problem import P1
from polyinv.simulate.recipes import box
from polyinv.simulate.solvers import simulate
from tests.simulate.reference import full_balance

HOUR = torch.tensor([[3600.0]], dtype=torch.float64)


def corners(name: str) -> list[list[float]]:
    """Middle of the box, and corners of it: each second one, by the parity of its ends."""
    low, high = box(load_system(name))
    ends = [torch.where(torch.tensor(which), high, low) for which in itertools.product((False, True), repeat=len(low))]
    return [((low + high) / 2).tolist(), *(end.tolist() for end in ends[:: len(ends) // 8 + 1])]


@pytest.mark.parametrize(("name", "recipe"), [(name, recipe) for name in SYSTEMS for recipe in corners(name)])
def test_conversion_and_means_agree_with_the_full_moment_balance(name, recipe):
    system = load_system(name)
    *conditions, time = recipe
    polymer = simulate(torch.tensor([conditions]).double(), torch.tensor([[time]]).double(), system.chemistry)
    exact = full_balance(system.chemistry, conditions, time)
    left, Mn, Mw = (part.item() for part in polymer.scalars)
    mass = system.chemistry.monomer_molar_mass
    # The full balance starts without radicals: of 300 s at 60 °C the first second or two are lost.
    rel = 2e-3 if time >= 600 else 5e-3
    assert 1 - left / conditions[0] == pytest.approx(1 - exact["monomer"] / conditions[0], rel=rel)
    assert Mn == pytest.approx(mass * exact["units"] / exact["chains"], rel=rel)
    assert Mw == pytest.approx(mass * exact["squares"] / exact["units"], rel=rel)


@pytest.mark.parametrize(("d_ss", "dispersity"), [(1.0, 2.0), (0.0, 1.5)], ids=["disproportionation", "combination"])
def test_flory_limits(d_ss, dispersity):
    """At low conversion Mw/Mn is 2 of chains that end singly, and 3/2 of pairs; Mn doubles with pairs."""
    chemistry = replace(P1, d_ss=d_ss)
    polymer = simulate(torch.tensor([[1.0, 0.02, 70.0]]).double(), HOUR / 360, chemistry)
    kinetic = (
        2000.0 * 1.0 / math.sqrt(4 * 2e7 * 0.5 * 4e-5 * 0.02)
    )  # k_p M / sqrt(2 k_t · 2 f k_d I): units of a radical
    length = (polymer.Mn / chemistry.monomer_molar_mass).item()
    assert length == pytest.approx(kinetic * (1 if d_ss else 2), rel=0.005)  # one unit of it starts the chain
    assert (polymer.Mw / polymer.Mn).item() == pytest.approx(dispersity, rel=0.005)


def test_conversion_of_a_linear_system_is_that_of_the_textbook():
    """ln(M/M_0) = -k_p sqrt(2 f k_d I_0 / 2 k_t) (2/k_d) (1 - exp(-k_d t/2)), where few units start chains."""
    chemistry = replace(P1, d_ss=1.0)
    few = torch.tensor([[5.0, 1e-5, 70.0]]).double()  # chains of 10 000 units
    polymer = simulate(few, HOUR, chemistry)
    radicals = math.sqrt(2 * 0.5 * 4e-5 * 1e-5 / (2 * 2e7))
    expected = math.exp(-2000.0 * radicals * (2 / 4e-5) * (1 - math.exp(-4e-5 * 3600 / 2)))
    assert (polymer.residual_monomer / 5.0).item() == pytest.approx(expected, rel=1e-5)
