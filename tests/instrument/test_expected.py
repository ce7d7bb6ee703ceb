"""Expected measurements: they are what measuring does on average, and their slopes are those of differences."""

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM
from polyinv.instrument.errors import LEAST, LEVELS, measurement_errors
from polyinv.instrument.expected import CURVE, MN, MW, ExpectedMeasurement, without_nuisances
from polyinv.instrument.measure import draw_errors, observe
from polyinv.mmd import LOG_M, STEP
from polyinv.simulate.observed import observe as simulate
from polyinv.simulate.observed import observe_with_slopes
from polyinv.simulate.recipes import random_recipes

ROWS = 16
WHERE = (torch.from_numpy(LOG_M) >= 3).expand(ROWS, -1)


@pytest.fixture(scope="module")
def recipes():
    return random_recipes(ROWS, torch.Generator().manual_seed(1), SYSTEM)


def laboratory(errors):
    given = measurement_errors(errors)
    return {name: torch.full((ROWS,), getattr(given, name)).double() for name in LEAST}


def test_without_errors_a_polymer_is_measured_as_it_is(recipes):
    values = simulate(recipes, BUTYL_ACRYLATE)
    expected = ExpectedMeasurement(laboratory("exact"), torch.ones(ROWS, 100, dtype=torch.bool))
    assert expected.is_exact
    torch.testing.assert_close(expected(values, torch.zeros(ROWS, 0)), values)


@pytest.mark.parametrize("errors", [{"broadening": 0.06}, {"lower_limit": 5e3}, {"cut_high": 0.3}, {"cut_low": 0.2}])
def test_what_is_known_of_an_instrument_changes_a_curve_as_measuring_does(recipes, errors):
    values = simulate(recipes, BUTYL_ACRYLATE)
    errors = {"level": "exact", **errors}
    means = values[:, MN].exp(), values[:, MW].exp()
    found = observe(
        *(recipes, values[:, 0].exp(), values[:, CURVE], measurement_errors(errors)),
        torch.Generator().manual_seed(0),
        quantities=RECIPE,
        residual_name="cBA_time",
        means=means,
    )
    expected = ExpectedMeasurement(laboratory(errors), found.mmd > 0)(values, torch.zeros(ROWS, 0))
    torch.testing.assert_close(expected[:, [MN, MW]], torch.stack([found.Mn, found.Mw], 1).log())
    # A bin that the lower limit goes through keeps its share when measured.
    apart = 0.5 * STEP * (expected[:, CURVE] - found.mmd).abs().sum(-1)
    assert apart.max() < (0.02 if "lower_limit" in errors else 1e-6)


def test_a_calibration_that_is_off_moves_curve_and_means(recipes):
    values = simulate(recipes, BUTYL_ACRYLATE)
    expected = ExpectedMeasurement(laboratory({"level": "exact", "offset": 0.05}), WHERE)
    none, off = (torch.zeros(ROWS, 4, dtype=torch.float64) for _ in range(2))
    off[:, 0] = 2.0  # standard deviations
    moved, plain = expected(values, off), expected(values, none)
    torch.testing.assert_close(
        moved[:, [MN, MW]] - plain[:, [MN, MW]], torch.full((ROWS, 2), 0.1).double(), rtol=0.02, atol=0
    )
    middle = (moved[:, CURVE] - plain[:, CURVE]) @ torch.from_numpy(LOG_M) * STEP
    torch.testing.assert_close(middle, torch.full((ROWS,), 0.1 / 2.302585).double(), rtol=0.02, atol=0)


@pytest.mark.parametrize("level", ["good", "rough"])
def test_slopes_are_those_of_differences(recipes, level):
    generator = torch.Generator().manual_seed(2)
    errors = draw_errors(LEVELS["exact"], LEVELS[level], ROWS, generator) | {"drift": torch.zeros(ROWS).double()}
    expected = ExpectedMeasurement(errors, WHERE)
    nuisances = torch.randn(ROWS, 4, generator=generator).double()
    values, slopes = observe_with_slopes(recipes, BUTYL_ACRYLATE)
    seen, found = expected.with_slopes(values, slopes, nuisances)
    torch.testing.assert_close(seen, expected(values, nuisances))
    for at in range(4):
        step = torch.zeros_like(recipes)
        step[:, at] = 1e-5 * recipes[:, at]
        ahead, behind = (expected(simulate(recipes + sign * step, BUTYL_ACRYLATE), nuisances) for sign in (1, -1))
        difference = (ahead - behind) / (2 * step[:, at : at + 1])
        assert (difference - found[..., at]).abs().max() < 1e-3 * found[..., at].abs().max()


def test_nuisances_that_are_left_out_are_zero(recipes):
    expected = ExpectedMeasurement(laboratory("rough"), WHERE)
    assert not expected.is_exact
    assert without_nuisances(expected).is_exact
    assert len(expected[torch.tensor([0, 3])]) == 2
    assert len(expected.repeated(3)) == 3 * ROWS
