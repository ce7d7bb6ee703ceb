"""The polynomial is the solver, inside the box."""

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM
from polyinv.evaluation.information import respond
from polyinv.simulate.observed import OBSERVED, observe
from polyinv.simulate.polynomial import Polynomial
from polyinv.simulate.recipes import from_unit, to_unit


@pytest.fixture(scope="module")
def polynomial():
    return Polynomial.interpolate(SYSTEM)


def test_units_go_there_and_back(recipes):
    unit = to_unit(recipes, SYSTEM)
    assert (unit.abs() <= 1).all()
    torch.testing.assert_close(from_unit(unit, SYSTEM), recipes)
    corners = torch.tensor([[quantity.low for quantity in RECIPE], [quantity.high for quantity in RECIPE]]).double()
    torch.testing.assert_close(to_unit(corners, SYSTEM), torch.tensor([[-1.0] * 4, [1.0] * 4]).double())


def test_its_error_is_small_against_the_noise_of_ten_million_chains(polynomial, recipes):
    error = (polynomial(to_unit(recipes, SYSTEM)) - observe(recipes, BUTYL_ACRYLATE)).abs()
    noise = (respond(recipes).noise.diagonal(dim1=-2, dim2=-1) / 1e7).sqrt()
    seen = observe(recipes, BUTYL_ACRYLATE) > 1e-3  # nodes that hold more than a few chains
    seen[:, :3] = True
    assert (error / noise)[seen].max() < 0.5


def test_slopes_are_its_derivatives(polynomial, recipes):
    unit = 0.99 * to_unit(recipes[:8], SYSTEM)
    values, slopes = polynomial.with_slopes(unit)
    torch.testing.assert_close(values, polynomial(unit))
    for at in range(4):
        step = torch.zeros(4).double()
        step[at] = 1e-5
        wide = (polynomial(unit + step) - polynomial(unit - step)) / 2e-5
        torch.testing.assert_close(wide, slopes[..., at], atol=1e-6, rtol=1e-6)


def test_combinations_are_those_of_the_observed_numbers(polynomial, recipes):
    matrix = torch.randn(len(OBSERVED), 3, dtype=torch.float64)
    unit = to_unit(recipes, SYSTEM)
    torch.testing.assert_close(polynomial.combined(matrix)(unit), polynomial(unit) @ matrix)


def test_beyond_the_box_it_stays_at_the_wall(polynomial):
    wall = torch.tensor([[1.0, 0.3, -1.0, 0.2]]).double()
    torch.testing.assert_close(polynomial(wall * torch.tensor([3.0, 1, 2, 1])), polynomial(wall))
