"""Sharpening: the result agrees with the exact sampler whatever the approximation is like, and says how it was made."""

import math
from dataclasses import replace

import pytest
import torch

from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.mmd import LOG_M, STEP
from polyinv.posterior.exact import sample
from polyinv.posterior.kernels import Kernels
from polyinv.posterior.likelihood import Likelihood
from polyinv.posterior.prior import Prior
from polyinv.posterior.sharpening import LEAST, sharpen, sharpened
from tests.posterior.simulated import polymers
from tests.posterior.toys import HIGH, LOW, WHOLE_BOX, linear

Proposals = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def observation():
    return polymers(1, "exact")[1].masked("composite")


@pytest.fixture(scope="module")
def problem(observation):
    return Prior.of(observation), Likelihood.of(observation)


@pytest.fixture(scope="module")
def exact(problem):
    return sample(*problem, samples=4000, seed=1)


def proposals(prior: Prior, points: torch.Tensor, count: int = 2000) -> Proposals:
    """Recipes drawn from a kernel density of points in the box, and its logarithm in physical units."""
    kernels = Kernels(points[torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:800]])
    drawn = kernels.draw(4 * count, torch.Generator().manual_seed(1))
    drawn = drawn[(drawn.abs() <= 1).all(-1)][:count]
    recipes = prior.recipes(drawn)
    return recipes, kernels.log_density(drawn) - prior.log_slopes(recipes)


def wrong(points: torch.Tensor, how: str) -> torch.Tensor:
    """Points (N, D) of the posterior, spoilt."""
    middle, spread = points.mean(0), points.std(0)
    noise = torch.randn(points.shape, generator=torch.Generator().manual_seed(2), dtype=points.dtype)
    spoilt = {
        "right": points,
        "too wide": points + 0.2 * spread * noise,
        "too narrow": middle + 0.5 * (points - middle),
        "shifted": points + 0.3 * spread * torch.tensor([1.0, -1.0, 1.0, 1.0]).double(),
        "far off": points + 3 * spread,
        "without its hot end": points[points[:, 2] < points[:, 2].quantile(0.7)],
        "without its cold end": points[points[:, 2] > points[:, 2].quantile(0.3)],
    }
    return spoilt[how].clamp(-1, 1)


@pytest.mark.parametrize(
    ("how", "difference", "ratio"),
    [
        ("right", 0.15, 1.15),
        ("too wide", 0.15, 1.15),
        ("too narrow", 0.25, 1.25),
        ("shifted", 0.15, 1.15),
        ("far off", 0.15, 1.15),
        # what one end lacks is a shift by half a standard deviation, and a third of the width
        ("without its hot end", 0.25, 1.25),
        ("without its cold end", 0.25, 1.25),
    ],
)
def test_a_wrong_approximation_is_put_right(problem, exact, how, difference, ratio):
    """1000 samples: means by chance within 0.12 standard deviations, in four of four values, and widths within 10 %."""
    prior, likelihood = problem
    recipes, log_density = proposals(prior, wrong(prior.points(exact.samples), how))
    found = sharpened(prior, likelihood, recipes, log_density)
    assert ((found.samples.mean(0) - exact.samples.mean(0)) / exact.samples.std(0)).abs().max() < difference
    widths = (found.samples.std(0) / exact.samples.std(0)).log().abs().exp()
    assert widths.max() < ratio
    assert found.evidence == pytest.approx(exact.evidence, abs=0.2)
    assert found.converged
    assert found.from_nothing == (found.proposals_effective < LEAST)
    assert found.from_nothing or how != "far off"


def test_a_linear_gaussian_problem_is_sharpened_to_its_closed_form():
    slopes = torch.zeros(4, 2, dtype=torch.float64)
    slopes[0, 0], slopes[3, 1] = 1.0, 1e-3
    likelihood = linear(slopes, torch.tensor([2.0, 1.5]).double(), sd=0.2)
    share = torch.rand(4000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = sharpened(WHOLE_BOX, likelihood, LOW + share * (HIGH - LOW), torch.zeros(4000), samples=2000)
    for at, mean, sd in ((0, 2.0, 0.2), (3, 1500.0, 200.0)):
        assert found.samples[:, at].mean() == pytest.approx(mean, abs=4 * sd / 1000**0.5)
        assert found.samples[:, at].std() == pytest.approx(sd, rel=0.1)
    assert not found.from_nothing


def test_proposals_of_a_likelihood_that_says_nothing_all_count():
    likelihood = linear(torch.zeros(4, 2).double(), torch.zeros(2).double(), sd=1.0)
    recipes = LOW + torch.rand(500, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * (HIGH - LOW)
    found = sharpened(WHOLE_BOX, likelihood, recipes, torch.full((500,), 7.0), samples=100)
    assert found.proposals_effective == pytest.approx(500)


def test_the_same_seed_gives_the_same_samples(observation, problem, exact):
    recipes, log_density = proposals(problem[0], problem[0].points(exact.samples), 500)
    one, again = (sharpen(observation, recipes, log_density, samples=100) for _ in range(2))
    other = sharpen(observation, recipes, log_density, samples=100, seed=1)
    # no network knows the constant of its density
    scaled = sharpen(observation, recipes, log_density + 3.0, samples=100)
    assert torch.equal(one.samples, again.samples)
    assert one.evidence == again.evidence == pytest.approx(scaled.evidence, abs=1e-9)
    assert not torch.equal(one.samples, other.samples)
    assert one.samples.shape == (100, 4)
    assert ((one.samples >= LOW) & (one.samples <= HIGH)).all()


def test_known_values_are_exact_whatever_is_proposed():
    true, observations, _ = polymers(1)
    given = observations.masked("mmd+temp+time")
    recipes = LOW + torch.rand(2000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * (HIGH - LOW)
    found = sharpen(given, recipes, torch.zeros(2000), samples=100)
    assert (found.samples[:, 2:] == true[0, 2:]).all()
    whole = sharpen(observations, recipes, torch.zeros(2000), samples=7)
    assert torch.equal(whole.samples, true.expand(7, -1))


def test_proposals_outside_the_box_do_not_count(problem):
    prior, likelihood = problem
    found = sharpened(prior, likelihood, (2 * HIGH).repeat(100, 1), torch.zeros(100), samples=50)
    assert found.proposals_effective == 0
    assert found.from_nothing
    assert ((found.samples >= LOW) & (found.samples <= HIGH)).all()


@pytest.mark.parametrize(
    ("recipes", "log_density", "message"),
    [
        (torch.ones(5, 3), torch.zeros(5), r"proposals are \(5, 3\)"),
        (torch.ones(5, 4), torch.zeros(4), r"log densities \(4,\)"),
        (torch.ones(0, 4), torch.zeros(0), r"proposals are \(0, 4\)"),
        (torch.full((5, 4), math.nan), torch.zeros(5), "proposals hold what is not finite"),
        (torch.ones(5, 4), torch.full((5,), -math.inf), "log densities hold what is not finite"),
    ],
)
def test_proposals_that_cannot_be_are_refused(observation, recipes, log_density, message):
    with pytest.raises(InputError, match=message):
        sharpen(observation, recipes, log_density)


def test_what_cannot_be_sharpened_is_refused(observation):
    proposed = torch.ones(5, 4), torch.zeros(5)
    with pytest.raises(InputError, match="takes one observation; got 2"):
        sharpen(polymers(2)[1], *proposed)
    with pytest.raises(InputError, match="shows no polymer"):
        sharpen(Observations(recipe=[[1.0, 0.01, 70.0, math.nan]]), *proposed)
    with pytest.raises(InputError, match="samples is 0"):
        sharpen(observation, *proposed, samples=0)


def test_an_observation_that_no_recipe_makes_is_said_to_be_so(observation, exact):
    mode = torch.exp(-0.5 * ((torch.from_numpy(LOG_M) - 3.6) / 0.1) ** 2)
    curve = observation.mmd + 0.3 * observation.mmd.amax() * mode
    spoilt = replace(observation, mmd=curve / (curve.sum(-1, keepdim=True) * STEP))
    found = sharpen(spoilt, exact.samples[:1000], torch.zeros(1000), samples=100)
    assert not found.fits
    assert ((found.samples >= LOW) & (found.samples <= HIGH)).all()
