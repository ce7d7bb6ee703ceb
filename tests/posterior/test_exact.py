"""The exact sampler: closed forms, quadrature, calibration, and what it promises."""

import math
from dataclasses import replace

import pytest
import torch
from torch.distributions import Normal

from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.instrument.errors import OF_CONVERSION
from polyinv.mmd import LOG_M, STEP
from polyinv.posterior.exact import FAR, exact_posteriors, sample
from polyinv.posterior.kernels import Kernels
from polyinv.posterior.likelihood import Likelihood
from polyinv.posterior.prior import Prior
from tests.posterior.simulated import known_but, polymers
from tests.posterior.toys import HIGH, LOW, WHOLE_BOX, gaussian, linear


def known(values: list[float], errors: str | dict | None = None) -> Prior:
    """Prior of a recipe of which some values are known."""
    return Prior.of(Observations(recipe=[values], Mn=[1e4], Mw=[2e4], assumed=errors))


def apart(samples: torch.Tensor, distribution) -> float:
    """Largest difference of the shares of samples (S,) from a cumulated distribution (Kolmogorov and Smirnov)."""
    ordered = samples.sort().values
    return (distribution(ordered) - (torch.arange(len(samples)) + 0.5) / len(samples)).abs().max().item()


def by_chance(samples: int) -> float:
    """What independent samples are apart once in a thousand times."""
    return 1.95 / samples**0.5


def share_of_box(values: torch.Tensor, at: int) -> torch.Tensor:
    return (values - LOW[at]) / (HIGH[at] - LOW[at])


def truncated(gaussian: Normal, at: int):
    """Distribution of a value that is Gaussian between the walls."""
    below, above = gaussian.cdf(LOW[at]), gaussian.cdf(HIGH[at])
    return lambda values: (gaussian.cdf(values) - below) / (above - below)


@pytest.mark.parametrize("monomer", [2.9, None], ids=["between the walls", "at a wall"])
def test_a_linear_gaussian_problem_has_its_closed_form(monomer):
    """Two values are observed, two are not: Gaussian within the box, and uniform."""
    monomer = HIGH[0].item() + 0.1 if monomer is None else monomer
    slopes = torch.zeros(4, 2, dtype=torch.float64)
    slopes[0, 0], slopes[3, 1] = 1.0, 1e-3
    found = sample(WHOLE_BOX, linear(slopes, torch.tensor([monomer, 1.5]).double(), sd=0.2), samples=3000)
    observed = {0: Normal(monomer, 0.2), 3: Normal(1500.0, 200.0)}
    for at in range(4):
        expected = truncated(observed[at], at) if at in observed else lambda values, at=at: share_of_box(values, at)
        assert apart(found.samples[:, at], expected) < by_chance(3000)
    # the likelihood is a density of numbers over their standard deviation, and these are values over theirs
    masses = [of.cdf(HIGH[at]) - of.cdf(LOW[at]) for at, of in observed.items()]
    widths = [of.stddev / (HIGH[at] - LOW[at]) for at, of in observed.items()]
    evidence = sum(math.log(mass * width) for mass, width in zip(masses, widths, strict=True))
    assert found.evidence == pytest.approx(evidence, abs=0.1)
    assert found.converged
    assert found.fits


def test_a_ridge_is_found_from_wall_to_wall():
    """A thousandth of the box wide: all initiators fit, each at a temperature of its own."""
    slopes = torch.zeros(4, 2, dtype=torch.float64)
    slopes[1, 0], slopes[2, 0] = 1 / (HIGH[1] - LOW[1]), 1 / (HIGH[2] - LOW[2])
    slopes[0, 1] = 1.0
    total = LOW[1] * slopes[1, 0] + LOW[2] * slopes[2, 0] + 1.0
    found = sample(WHOLE_BOX, linear(slopes, torch.stack([total, torch.tensor(1.0).double()]), sd=1e-3))
    for at in (1, 2, 3):  # the ridge is straight in these values, and they are uniform on it
        assert apart(found.samples[:, at], lambda values, at=at: share_of_box(values, at)) < by_chance(1000)


def bent(recipes: torch.Tensor) -> torch.Tensor:
    """The monomer, and how far the temperature is from a parabola over the initiator, as shares of the box."""
    monomer, initiator, temperature = (share_of_box(recipes[:, at], at) for at in range(3))
    return torch.stack([monomer, temperature - 3.6 * (initiator - 0.5) ** 2], -1)


def test_a_thin_bent_ridge_is_found_from_end_to_end():
    """At every initiator the same share of temperatures fits: it is uniform, and the temperature its parabola."""
    found = sample(WHOLE_BOX, gaussian(bent, torch.tensor([0.5, 0.05]).double(), sd=3e-3))
    assert apart(found.samples[:, 1], lambda values: share_of_box(values, 1)) < by_chance(1000)
    temperature = share_of_box(found.samples[:, 2], 2)
    assert apart(temperature, lambda values: 2 * ((values - 0.05).clamp(min=0) / 3.6).sqrt()) < by_chance(1000)
    assert bent(found.samples).std(0).tolist() == pytest.approx([3e-3] * 2, rel=0.1)  # 2 % by chance
    assert found.converged


@pytest.mark.parametrize("level", ["exact", "ordinary"])
def test_one_unknown_has_the_posterior_of_a_quadrature(level):
    true, observations, _ = polymers(1, level)
    instrument = {name: sd for name, sd in observations.errors.items() if name not in (*SYSTEM.targets, OF_CONVERSION)}
    observation = replace(observations, recipe=known_but(true, 2), errors=instrument)
    prior, likelihood = Prior.of(observation), Likelihood.of(observation)
    prior = replace(prior, error=torch.where(prior.known.isnan(), prior.error, 0.0))
    found = sample(prior, likelihood, samples=2000)
    middle, spread = found.samples[:, 2].mean(), found.samples[:, 2].std()
    grid = true.repeat(600, 1)
    grid[:, 2] = torch.linspace((middle - 7 * spread).item(), (middle + 7 * spread).item(), 600, dtype=torch.float64)
    log_density = likelihood(grid)
    density = torch.softmax(log_density, 0)
    cumulated = density.cumsum(0) - 0.5 * density
    assert apart(found.samples[:, 2], lambda values: interpolated(values, grid[:, 2], cumulated)) < by_chance(2000)
    step = (grid[1, 2] - grid[0, 2]) / (HIGH[2] - LOW[2])
    assert found.evidence == pytest.approx((log_density.logsumexp(0) + step.log()).item(), abs=0.1)


def interpolated(x: torch.Tensor, places: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    places = places.contiguous()
    at = torch.searchsorted(places, x.contiguous()).clamp(1, len(places) - 1)
    share = (x - places[at - 1]) / (places[at] - places[at - 1])
    return values[at - 1] + share * (values[at] - values[at - 1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "level"), [("composite+temp", "exact"), ("mmd+temp+time", "ordinary"), ("mmd", "rough")]
)
def test_intervals_hold_their_share_of_true_values(pattern, level):
    rows = 60
    true, observations, held = polymers(rows, level)
    found = exact_posteriors(observations.masked(pattern), chains=held)
    values = [at for at in range(4) if found[0].samples[:, at].std() > 0]
    below = torch.stack([(each.samples < true[row]).double().mean(0)[values] for row, each in enumerate(found)])
    for share in (0.5, 0.9):
        inside = ((below - 0.5).abs() <= share / 2).double().mean(-1)
        # three standard errors by the observations, whose values are right or wrong together
        assert abs(inside.mean() - share) < 3 * inside.std() / rows**0.5
    assert all(each.converged for each in found)
    assert sum(each.fits for each in found) >= rows - 2


@pytest.fixture(scope="module")
def observations():
    return polymers(3, "ordinary")[1]


@pytest.fixture(scope="module")
def posteriors(observations):
    return exact_posteriors(observations.masked("mmd+temp+time"), samples=300)


def test_samples_stay_in_the_box(posteriors):
    for each in posteriors:
        assert each.samples.shape == (300, 4)
        assert ((each.samples >= LOW) & (each.samples <= HIGH)).all()


def test_a_row_has_the_samples_of_its_own_among_others(observations, posteriors):
    (alone,) = exact_posteriors(observations.masked("mmd+temp+time")[2], samples=300)
    assert torch.equal(alone.samples, posteriors[2].samples)
    assert (alone.evidence, alone.misfit) == (posteriors[2].evidence, posteriors[2].misfit)
    (other,) = exact_posteriors(observations.masked("mmd+temp+time")[2], samples=300, seed=1)
    assert not torch.equal(alone.samples, other.samples)
    assert other.evidence == pytest.approx(alone.evidence, abs=0.15)


def test_what_is_missing_moves_nothing(observations, posteriors):
    masked = observations.masked("mmd+temp+time")[0]
    errors = {name: sd * (7 if name in ("cBA_0", "cAIBN_0", "cBA_time") else 1) for name, sd in masked.errors.items()}
    (found,) = exact_posteriors(replace(masked, errors=errors), samples=300)
    assert torch.equal(found.samples, posteriors[0].samples)


def test_what_is_known_exactly_is_in_every_sample():
    _, observations, _ = polymers(1)
    (found,) = exact_posteriors(observations.masked("mmd+temp+time"), samples=100)
    assert (found.samples[:, [2, 3]] == observations.recipe[0, [2, 3]]).all()
    (whole,) = exact_posteriors(observations, samples=7)
    assert torch.equal(whole.samples, observations.recipe.expand(7, -1))
    assert whole.fits


def test_better_known_values_narrow_the_others(observations, posteriors):
    """And a value known with an error is learned of, too."""
    masked = observations.masked("mmd+temp+time")[0]
    vague = {**masked.errors, "temp": torch.tensor([5.0]).double()}
    (found,) = exact_posteriors(replace(masked, errors=vague), samples=300)
    assert (found.samples.std(0) > posteriors[0].samples.std(0))[[1, 2]].all()
    assert posteriors[0].samples[:, 2].std() < 0.6  # stated as 0.5 °C
    assert found.samples[:, 2].std() < 5.0


def test_a_curve_that_no_recipe_makes_is_said_to_be_so():
    _, observations, _ = polymers(1, "ordinary")
    second = torch.from_numpy(LOG_M)
    bumped = observations.mmd + 0.3 * observations.mmd.amax() * torch.exp(-0.5 * ((second - 3.6) / 0.1) ** 2)
    bumped = bumped / (bumped.sum(-1, keepdim=True) * STEP)
    spoilt, right = (
        exact_posteriors(replace(observations, mmd=mmd).masked("mmd"), samples=100)[0]
        for mmd in (bumped, observations.mmd)
    )
    assert right.fits
    assert not spoilt.fits
    assert spoilt.misfit > 2 * FAR
    assert ((spoilt.samples >= LOW) & (spoilt.samples <= HIGH)).all()


def test_a_second_mode_far_away_is_said_to_be_so():
    """Nothing is expected there: in an exact curve it shows by the area that the rest of it lacks."""
    _, observations, _ = polymers(1)
    mode = torch.exp(-0.5 * ((torch.from_numpy(LOG_M) - 7.5) / 0.1) ** 2)
    curve = observations.mmd + 0.02 * observations.mmd.amax() * mode
    spoilt = replace(observations, mmd=curve / (curve.sum(-1, keepdim=True) * STEP))
    (found,) = exact_posteriors(spoilt.masked("mmd"), samples=100)
    assert found.misfit > FAR


def test_few_chains_fit_without_a_curve_to_tell_them():
    true, observations, _ = polymers(5, "exact", 1e4)
    given = replace(observations.masked("means"), recipe=known_but(true, 2))
    assert all(each.fits for each in exact_posteriors(given, samples=50))


def test_no_monomer_left_gives_an_answer():
    _, observations, _ = polymers(1, "ordinary")
    nothing = replace(observations, residual_monomer=[0.0]).masked("composite")
    (found,) = exact_posteriors(nothing, samples=50)
    assert found.samples.isfinite().all()
    assert math.isfinite(found.evidence)


def test_a_needle_in_the_box_is_found_or_said_not_to_be():
    """A billionth of the box in each of two directions: bounded work, and an answer inside the box."""
    slopes = torch.zeros(4, 2, dtype=torch.float64)
    slopes[0, 0], slopes[2, 1] = 1.0, 0.1
    found = sample(WHOLE_BOX, linear(slopes, torch.tensor([1.5, 7.0]).double(), sd=1e-9), samples=200)
    assert ((found.samples >= LOW) & (found.samples <= HIGH)).all()
    if found.converged:
        assert (found.samples[:, 0] - 1.5).abs().max() < 1e-7


def test_what_was_missed_though_descent_found_it_is_said_to_be():
    """The likelihood of a toy, which knows of a recipe that fits far better than any that is sampled."""
    slopes = torch.zeros(4, 2, dtype=torch.float64)
    slopes[0, 0] = 1.0
    likelihood = linear(slopes, torch.tensor([HIGH[0].item() + 1, 0.0]).double(), sd=0.1)
    better = replace(likelihood, closest=torch.where(torch.arange(4) == 0, HIGH + 1, HIGH))
    (without, found) = (sample(WHOLE_BOX, each, samples=50) for each in (likelihood, better))
    assert without.converged
    assert not without.fits
    assert found.fits
    assert not found.converged


def test_numbers_of_samples_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="samples is 0"):
        sample(WHOLE_BOX, linear(torch.eye(4, 2).double(), torch.zeros(2).double(), sd=1.0), samples=0)


@pytest.mark.parametrize(
    ("chains", "message"), [(torch.ones(3), r"chains are \(3,\)"), (-1.0, "chains is -1"), (math.nan, "chains is nan")]
)
def test_chains_that_cannot_be_are_refused(chains, message):
    _, observations, _ = polymers(2)
    with pytest.raises(InputError, match=message):
        exact_posteriors(observations.masked("mmd"), samples=10, chains=chains)


def test_a_row_without_a_polymer_is_refused():
    with pytest.raises(InputError, match="row 1 shows no polymer"):
        exact_posteriors(Observations(recipe=[[1.0, 0.01, 70.0, math.nan]]))


@pytest.mark.parametrize(
    ("values", "level"),
    [
        ([math.nan] * 4, None),
        ([1.0, math.nan, 70.0, 1800.0], None),
        ([1.0, math.nan, 79.5, 290.0], "rough"),
        ([0.4, 0.01, 90.0, math.nan], "rough"),
    ],
)
def test_recipes_drawn_from_a_prior_have_its_density(values, level):
    """Their mean inverse density is the volume of the open box; four standard errors."""
    prior = known(values, level)
    uniform = torch.rand(20_000, int(prior.open.sum()), dtype=torch.float64)
    recipes = prior.drawn(uniform)
    torch.testing.assert_close(prior.recipes(prior.points(recipes)), recipes)
    for at in prior.open.nonzero()[:, 0].tolist():
        one = replace(prior, known=recipes[0].where(torch.arange(4) != at, prior.known),
                      error=torch.where(torch.arange(4) == at, prior.error, 0.0))  # fmt: skip
        grid = recipes[0].repeat(20_001, 1)
        ends = recipes[:, at].min(), recipes[:, at].max()
        grid[:, at] = torch.linspace(*ends, 20_001, dtype=torch.float64)
        density = one.log_density(grid).exp()
        cumulated = torch.cumulative_trapezoid(density, grid[:, at])
        assert cumulated[-1] == pytest.approx(1.0, abs=0.01)
        assert apart(recipes[:, at], lambda x, g=grid[1:, at], c=cumulated: interpolated(x, g, c)) < 0.02


def test_stated_values_deviate_in_their_own_errors():
    prior = known([1.0, math.nan, 70.0, 1800.0], "ordinary")
    recipe = torch.tensor([[math.exp(0.005), 0.01, 69.0, 1830.0]]).double()
    torch.testing.assert_close(
        prior.deviation(recipe), torch.tensor([[1.0, 0.0, -2.0, 2.0]]).double(), rtol=1e-5, atol=0
    )


def test_kernels_are_a_density_that_their_draws_have():
    generator = torch.Generator().manual_seed(0)
    angle = 3 * torch.rand(400, generator=generator, dtype=torch.float64)
    radius = 1 + 0.01 * torch.randn(400, generator=generator, dtype=torch.float64)
    kernels = Kernels(torch.stack([radius * angle.cos(), radius * angle.sin()], -1))
    axis = torch.linspace(-1.6, 1.6, 801, dtype=torch.float64)
    mass = torch.cat([kernels.log_density(torch.cartesian_prod(part, axis)).exp() for part in axis.split(50)])
    assert mass.sum() * 0.004**2 == pytest.approx(1.0, abs=0.02)  # 1 % lie in the tails beyond
    drawn = kernels.draw(4000, generator)
    right = drawn[:, 0] > 0.5
    at = torch.cartesian_prod(axis, axis)[:, 0] > 0.5
    assert right.double().mean() == pytest.approx((mass[at].sum() * 0.004**2).item(), abs=4 * 0.5 / 4000**0.5)
