"""The local estimate: closed forms, and what noise and slopes have to obey."""

from dataclasses import replace

import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.bank import CurveBank
from polyinv.data.patterns import every_pattern, inputs_of
from polyinv.errors import InputError
from polyinv.evaluation.information import (
    _noise,
    box_variance,
    expected_variance,
    local_r2,
    local_r2_of_rows,
    posterior_covariance,
    respond,
)
from polyinv.mmd import STEP
from polyinv.simulate.observed import OBSERVED, observe
from polyinv.simulate.recipes import random_recipes
from polyinv.simulate.snapshots import Growth


@pytest.fixture(scope="module")
def recipes():
    return torch.tensor([[1.0, 0.02, 70.0, 3600.0], [2.6, 0.004, 62.0, 1200.0], [0.6, 0.01, 79.0, 400.0]]).double()


@pytest.fixture(scope="module")
def response(recipes):
    return respond(recipes)


def test_a_linear_gaussian_problem_has_its_closed_form():
    """The conditional covariance of jointly Gaussian numbers, worked out the other way round."""
    slopes = torch.randn(5, 6, 3, dtype=torch.float64)
    root = torch.randn(5, 6, 6, dtype=torch.float64)
    noise, prior = root @ root.mT + 0.1 * torch.eye(6), torch.tensor([0.5, 2.0, 1e4]).double()
    unknown = torch.diag(prior).expand(5, 3, 3)
    seen = slopes @ unknown @ slopes.mT + noise
    with_seen = unknown @ slopes.mT
    expected = unknown - with_seen @ torch.linalg.inv(seen) @ with_seen.mT
    torch.testing.assert_close(posterior_covariance(slopes, noise, prior), expected)


def test_the_closed_form_is_the_error_of_the_best_estimate():
    generator = torch.Generator().manual_seed(0)
    slopes = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    prior = torch.tensor([1.0, 0.04]).double()
    unknown = torch.randn(200_000, 2, generator=generator, dtype=torch.float64) * prior.sqrt()
    seen = unknown @ slopes.T + torch.randn(200_000, 6, generator=generator, dtype=torch.float64) @ root.T
    estimate = seen @ torch.linalg.lstsq(seen, unknown).solution
    expected = posterior_covariance(slopes, root @ root.T, prior).diagonal()
    # 200 000 squared Gaussian errors: five standard errors.
    torch.testing.assert_close((estimate - unknown).square().mean(0), expected, rtol=5 * (2 / 200_000) ** 0.5, atol=0)


def test_a_direction_without_noise_and_without_meaning_changes_nothing():
    slopes, prior = torch.randn(4, 2, dtype=torch.float64), torch.ones(2).double()
    root = torch.randn(4, 4, dtype=torch.float64)
    noise = root @ root.T
    doubled = torch.cat([slopes, slopes[:1] * 0]), torch.nn.functional.pad(noise, (0, 1, 0, 1))
    torch.testing.assert_close(posterior_covariance(*doubled, prior), posterior_covariance(slopes, noise, prior))


def test_nothing_learned_leaves_the_box():
    left = posterior_covariance(torch.zeros(3, 4).double(), torch.eye(3).double(), box_variance(SYSTEM))
    torch.testing.assert_close(left, torch.diag(box_variance(SYSTEM)))


def test_slopes_are_those_of_the_solver(recipes, response):
    """Against differences over ten times the interval, in both directions: to first order."""
    for at, width in enumerate(box_variance(SYSTEM).sqrt()):
        step = torch.zeros(4).double()
        step[at] = 0.05 * width
        wide = (observe(recipes + step, BUTYL_ACRYLATE) - observe(recipes - step, BUTYL_ACRYLATE)) / (2 * step[at])
        scale = response.slopes[..., at].abs().amax(-1, keepdim=True)
        assert ((wide - response.slopes[..., at]) / scale).abs().max() < 0.02
    area = response.slopes[:, 3:].sum(1) * STEP
    assert (area * box_variance(SYSTEM).sqrt()).abs().max() < 1e-6  # the area of a curve is one for every recipe


def test_the_noise_is_that_of_drawn_observations(recipes, response):
    chains, draws = 1e6, 4000
    entries = CurveBank.simulate(recipes.repeat_interleave(draws, 0), BUTYL_ACRYLATE, 3600.0)
    seen = entries.observe(
        BUTYL_ACRYLATE, torch.full((len(entries.recipes),), chains), torch.Generator().manual_seed(0)
    )
    seen = torch.cat([seen[:, :3].log(), seen[:, 3:]], -1).double().view(3, draws, -1)
    expected = (response.noise.diagonal(dim1=-2, dim2=-1) / chains).sqrt()
    counted = seen.mean(1) > 0.01  # nodes that hold hundreds of chains at least
    counted[:, :3] = True
    ratio = (seen.std(1) / expected)[counted]
    # Drawn chains keep the mean length of their bin; their true lengths would blur it by a few per cent.
    assert ((ratio > 0.93) & (ratio < 1.05)).all()
    monomer, mean = OBSERVED.index("residual_monomer"), OBSERVED.index("Mn")
    for run in range(3):
        drawn = torch.corrcoef(seen[run, :, [monomer, mean]].T)[0, 1]
        of_noise = response.noise[run, monomer, mean] / (response.noise[run].diagonal()[[monomer, mean]].prod().sqrt())
        assert abs(drawn - of_noise) < 5 / draws**0.5


def test_bins_that_hardly_hold_a_chain_carry_no_noise():
    """The numbers of a far bin are products of small ones: their squares underflow, and ratios of them may not."""
    lengths = 10 ** torch.linspace(1, 6, 100, dtype=torch.float64)
    units = torch.exp(-0.5 * ((lengths.log10() - 2.5) / 0.3) ** 2)
    tails = 10.0 ** -torch.arange(140.0, 330.0, 0.25, dtype=torch.float64)  # down to numbers that are zero
    rows = units.repeat(len(tails), 1)
    rows[:, 70:] = tails[:, None] * torch.linspace(0.1, 1, 30, dtype=torch.float64)
    parts = [part[:, None] for part in (rows / lengths, rows, 1.003 * rows * lengths)]
    growth = Growth(rows[:, :1], *parts)
    variance, correlation = torch.full((len(rows),), 1e-3).double(), torch.zeros(len(rows)).double()
    noise = _noise(growth, variance, correlation)
    assert noise.isfinite().all()
    without = replace(growth, **{name: getattr(growth, name).clone() for name in ("chains", "units", "squares")})
    for name in ("chains", "units", "squares"):
        getattr(without, name)[:, :, 70:] = 0
    torch.testing.assert_close(noise[:, :3, :3], _noise(without, variance, correlation)[:, :3, :3])


def test_the_noise_of_mean_molar_masses_is_small_everywhere_in_the_box():
    """A million chains scatter Mn and Mw by a per mille, in 300 recipes; the bins do not matter for that."""
    recipes = random_recipes(300, torch.Generator().manual_seed(7), SYSTEM)
    noise = respond(recipes).noise.diagonal(dim1=-2, dim2=-1)[:, 1:3] / 1e6
    assert (noise.sqrt() < 0.01).all()


def test_more_inputs_and_more_chains_never_tell_less(response):
    """Information adds up."""
    for pattern in every_pattern(SYSTEM):
        left = expected_variance(response, pattern, 1e6)
        assert (expected_variance(response, pattern, 1e7) <= left * (1 + 1e-9)).all()
        for more in ("mmd", "cBA_time", "means", "temp"):
            wider = "+".join({*inputs_of(pattern, SYSTEM), more})
            if not set(TARGETS) <= {*inputs_of(pattern, SYSTEM), more}:
                assert (expected_variance(response, wider, 1e6) <= left * (1 + 1e-6) + 1e-12).all(), (pattern, more)


def test_what_is_known_is_certain_and_the_rest_within_the_box(response):
    limit = local_r2(response, "mmd+temp", torch.tensor([1e5, 1e6, 1e7]))
    assert limit[TARGETS.index("temp")] == 1
    assert ((limit >= 0) & (limit <= 1)).all()
    with pytest.raises(InputError, match="shows no polymer"):
        local_r2(response, "temp", 1e6)


def test_the_temperature_tells_the_initiator(response):
    """The finding that the masked model rests on, without a network."""
    at = TARGETS.index("cAIBN_0")
    alone, with_temp = (local_r2(response, pattern, 1e6)[at] for pattern in ("composite", "composite+temp"))
    assert alone < 0.5
    assert with_temp > 0.85


def test_the_local_r2_of_rows_goes_by_their_own_spread(recipes, response):
    """Of all rows it is one less the variance that is left over that of the rows; known values are answered."""
    left = expected_variance(response, "composite+temp", 1e6).mean(0)
    limit = local_r2_of_rows(recipes, "composite+temp", 1e6)
    torch.testing.assert_close(limit, torch.where(left > 0, 1 - left / recipes.var(0, correction=0), 1.0))
    assert limit[2] == 1
    assert local_r2_of_rows(recipes[[0, 0, 1, 1, 2, 2]], "mmd", 1e6, most=3).shape == (4,)
