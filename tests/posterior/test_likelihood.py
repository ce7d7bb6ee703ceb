"""The likelihood: closed forms, noise of the stated size, and nothing that is missing has a say."""

import math
from dataclasses import replace

import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.instrument.expected import CURVE, MN, MW
from polyinv.posterior.exact import FAR
from polyinv.posterior.likelihood import Likelihood
from polyinv.posterior.noise import USUAL, Noise, spread, stated_noise
from polyinv.simulate.observed import OBSERVED
from polyinv.simulate.recipes import random_recipes
from tests.posterior.simulated import polymers
from tests.posterior.toys import linear


def test_linear_gaussian_numbers_have_their_density(recipes):
    slopes, observed = torch.randn(4, 2).double(), torch.tensor([3.0, -1.0]).double()
    found = linear(slopes, observed, sd=0.7)(recipes)
    whitened = torch.distributions.Normal(recipes @ slopes / 0.7, 1.0).log_prob(observed / 0.7).sum(-1)
    torch.testing.assert_close(found, whitened)


def test_recipes_are_as_likely_among_others_as_alone(recipes):
    _, observations, _ = polymers(1, "ordinary")
    likelihood = Likelihood.of(observations.masked("composite"))
    alone = torch.cat([likelihood(recipe[None]) for recipe in recipes[:8]])
    torch.testing.assert_close(likelihood(recipes)[:8], alone)


@pytest.mark.parametrize(("level", "pattern"), [("exact", "composite"), ("ordinary", "composite"), ("rough", "mmd")])
def test_the_true_recipe_deviates_by_one_standard_deviation(level, pattern):
    true, observations, held = polymers(12, level)
    observations, means = observations.masked(pattern), []
    for row, recipe in enumerate(true):
        likelihood = Likelihood.of(observations[row], chains=held[row].item())
        means.append(likelihood.sum_of_squares(recipe[None]) / likelihood.numbers)
    found = torch.cat(means)
    assert abs(found.mean() - 1) < 4 * found.std() / len(found) ** 0.5
    assert found.std() < 0.5  # some twenty numbers each


@pytest.mark.parametrize(("level", "chains"), [("exact", 1e5), ("exact", 1e7), ("good", 1e5)])
def test_the_roughness_of_a_curve_tells_the_number_of_chains(level, chains):
    """By some 30 second differences, to a factor of 1.4; in the mean over 12 curves, three standard errors."""
    _, observations, held = polymers(12, level, chains)
    observations = observations.masked("mmd")
    told = torch.tensor([Likelihood.of(observations[row]).reference for row in range(len(observations))])
    assert (told / held).log().mean().abs() < 3 * math.log(1.4) / 12**0.5


@pytest.mark.parametrize("chains", [1e4, 1e5, 1e7])
@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
def test_true_recipes_fit_whether_the_number_of_chains_is_told_or_not(chains, told):
    """By the number that the sample itself holds, which of an early one is far below that at the horizon."""
    true, observations, held = polymers(10, "exact", chains)
    observations = observations.masked("composite")
    for row, recipe in enumerate(true):
        likelihood = Likelihood.of(observations[row], chains=held[row].item() if told else None)
        squares = likelihood.sum_of_squares(recipe[None]).item()
        assert math.sqrt(2 * squares) - math.sqrt(2 * likelihood.numbers - 1) < FAR


@pytest.mark.parametrize("level", ["ordinary", "rough", {"level": "exact", "offset": 0.1}])
@pytest.mark.parametrize("pattern", ["mmd", "means"])
def test_nuisances_are_integrated_out(level, pattern):
    """Against a sum over a fine grid of the only one that there is, an offset of the calibration."""
    true, observations, _ = polymers(1, level)
    only_offset = {"sec_slope": 0.0, "sec_drift": 0.0}
    none = {name: torch.full((1,), value).double() for name, value in only_offset.items()}
    given = replace(observations.masked(pattern), errors={**observations.errors, **none})
    likelihood = Likelihood.of(given, chains=1e5)
    recipes = true * (1 + 0.01 * torch.randn(12, 4, dtype=torch.float64))
    offsets, width = torch.linspace(-6, 6, 2401, dtype=torch.float64), 12 / 2400
    grid = torch.zeros(len(offsets), 4, dtype=torch.float64)
    grid[:, 0] = offsets
    others = 1.5 * math.log(2 * math.pi)  # three standard normal numbers at zero
    exact = torch.stack(
        [
            likelihood.with_nuisances(recipe.expand(len(grid), -1), grid).logsumexp(0) + math.log(width) + others
            for recipe in recipes
        ]
    )
    found = likelihood(recipes)
    apart = (found - exact)[exact > exact.max() - 8].abs()
    assert len(apart) >= 3
    assert apart.median() < 0.15  # of ten draws from 0.02 to 0.12
    assert apart.max() < 0.6  # where the end of a curve jumps to the next bin


def test_a_residual_monomer_has_the_error_of_the_conversion():
    """What a standard deviation of the conversion takes away, whatever the residual monomer is."""
    true, observations, _ = polymers(1, {"level": "exact", "conversion": 0.03})
    likelihood = Likelihood.of(observations.masked("residual+means"), chains=1e6)
    assert likelihood.residual is not None
    left = likelihood.forward(true)[0, 0].exp().item()
    without = replace(likelihood, residual=None)(true)
    for deviations in (0.0, 1.0, 2.0):
        sd = 0.03 * true[0, 0].item()
        residual = replace(likelihood.residual, observed=left + deviations * sd)
        found = replace(likelihood, residual=residual)(true) - without
        expected = -0.5 * deviations**2 - 0.5 * math.log(2 * math.pi * sd**2)
        assert found.item() == pytest.approx(expected, abs=0.1)  # the means say a little of it


def test_no_monomer_found_is_less_than_could_be_told_from_none():
    true, observations, _ = polymers(1, {"level": "exact", "conversion": 0.03})
    nothing = replace(observations, residual_monomer=1e-6 * observations.residual_monomer).masked("residual+means")
    likelihood = Likelihood.of(nothing, chains=1e6)
    assert likelihood.residual is not None
    without = replace(likelihood, residual=None)(true)
    sd, left = 0.03 * true[0, 0], likelihood.forward(true)[0, 0].exp()
    expected = torch.special.log_ndtr(-left / sd)
    torch.testing.assert_close((likelihood(true) - without)[0], expected, rtol=0.02, atol=0.02)


def test_exact_means_of_a_curve_say_nothing_that_it_does_not():
    _, observations, _ = polymers(1)
    other = replace(observations, Mn=1.05 * observations.Mn, Mw=1.05 * observations.Mw)
    recipes = random_recipes(32, torch.Generator().manual_seed(0), SYSTEM)
    found, moved = (Likelihood.of(each.masked("mmd+means"))(recipes) for each in (observations, other))
    torch.testing.assert_close(found, moved, rtol=0, atol=0)
    errors = {**observations.errors, "Mn": 0.02 * observations.Mn}
    measured = replace(observations, errors=errors)
    assert Likelihood.of(measured.masked("mmd+means")).white[MN].abs().sum() > 0


def test_what_is_missing_has_no_say(recipes):
    _, observations, _ = polymers(1, "ordinary")
    for pattern in ("mmd+temp+time", "means+temp", "residual+means"):
        masked = observations.masked(pattern)
        missing = [name for name in (*SYSTEM.targets, *SYSTEM.scalars) if is_missing(masked, name)]
        spoilt = replace(masked, errors={**masked.errors, **{name: 7 * masked.errors[name] for name in missing}})
        found = (Likelihood.of(each)(recipes) for each in (masked, spoilt))
        assert torch.equal(*found)


def is_missing(observations: Observations, name: str) -> bool:
    columns = (*SYSTEM.targets, *SYSTEM.scalars)
    values = torch.cat([observations.recipe, observations.scalars], 1)
    return bool(values[:, columns.index(name)].isnan().all())


def test_an_observation_of_nothing_is_refused():
    with pytest.raises(InputError, match="row 1 shows no polymer"):
        Likelihood.of(Observations(recipe=[[1.0, 0.01, 70.0, math.nan]]))


def noise_of(curve: torch.Tensor) -> Noise:
    """Poisson noise of the nodes of a curve, (100,), and none of the means."""
    expected = torch.zeros(len(OBSERVED)).double()
    expected[CURVE] = curve
    return Noise(expected, torch.diag(expected), torch.zeros(len(OBSERVED), len(OBSERVED)).double())


def test_nodes_of_few_chains_count_as_one():
    curve = torch.exp(-0.5 * ((torch.arange(100) - 50) / 8.0) ** 2).double()
    given = torch.arange(len(OBSERVED)) >= CURVE.start
    noise = noise_of(curve)
    combinations = noise.combinations(given, 1000.0)
    single = combinations.sum(0) == 1
    assert (curve[combinations[CURVE][:, single].sum(-1) > 0] >= 0.025).all()  # 25 of 1000 chains
    assert (~single).sum() == 2
    assert (combinations.sum(-1) <= 1).all()


def test_white_numbers_have_unit_noise_for_any_number_of_chains():
    root = torch.randn(len(OBSERVED), len(OBSERVED), dtype=torch.float64)
    noise = Noise(torch.ones(len(OBSERVED)).double(), root @ root.T, torch.eye(len(OBSERVED)).double())
    combinations = torch.eye(len(OBSERVED)).double()[:, :12]
    white, share = noise.white(combinations, USUAL, torch.zeros_like(noise.stated))
    for chains in (1e3, USUAL, 1e8):
        found = white.T @ (noise.chain / chains + noise.stated) @ white
        variance = spread(share, USUAL, torch.tensor([chains]).double())[0]
        torch.testing.assert_close(found, torch.diag(variance), rtol=1e-6, atol=1e-6)


def test_the_noise_of_a_detector_moves_curve_and_means_alike():
    """Against 40 000 curves: four standard errors of a variance."""
    expected = torch.zeros(len(OBSERVED)).double()
    curve = torch.exp(-0.5 * ((torch.arange(100) - 55) / 6.0) ** 2).double()
    nodes = curve > 0.05
    expected[CURVE] = nodes * curve / (curve[nodes].sum() * 0.08)
    covariance = stated_noise(expected, nodes, 0.002, (0.0, 0.0))
    noisy = expected[CURVE] + nodes * 0.002 * expected[CURVE].amax() * torch.randn(40_000, 100, dtype=torch.float64)
    molar_mass = 10 ** (0.08 * torch.arange(1, 101).double())
    numbers = torch.zeros(len(noisy), len(OBSERVED)).double()
    numbers[:, MN] = (noisy.sum(-1) / (noisy / molar_mass).sum(-1)).log()
    numbers[:, MW] = ((noisy * molar_mass).sum(-1) / noisy.sum(-1)).log()
    numbers[:, CURVE] = noisy / (noisy.sum(-1, keepdim=True) * 0.08)
    found = numbers.T.cov()
    scale = covariance.diagonal().clamp(min=1e-30).rsqrt()
    apart = (found - covariance) * scale[:, None] * scale
    moved = covariance.diagonal() > 0
    assert apart[moved][:, moved].abs().max() < 4.5 * (2 / 40_000) ** 0.5
