"""Posterior model and its distribution: what holds whatever was learned."""

import pandas as pd
import pytest
import torch

from polyinv.chemistry import load_system
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.features import WITH_CHAINS, WITH_ERRORS
from polyinv.data.laboratory import observations_of, random_observations
from polyinv.data.observations import Observations
from polyinv.data.splits import split_rows
from polyinv.errors import InputError
from polyinv.instrument.errors import SUFFIX
from polyinv.models import MLP, Posterior, load_model
from polyinv.quantities import CHAINS
from polyinv.simulate.recipes import box

SYSTEM = load_system("butyl_acrylate")
LOW, HIGH = box(SYSTEM)
QUICK = {"hidden": (32, 16), "members": 1, "transform": "moments", "training": {"max_epochs": 8, "loss": "density"}}


@pytest.fixture(scope="module")
def data(small):
    return RecipeDataModule.from_table(small, WITH_CHAINS, split_rows(small, "by_recipe", 0))


@pytest.fixture(scope="module")
def model(data):
    model = Posterior(**QUICK)
    model.fit(data)
    return model


@pytest.fixture(scope="module")
def recipes_and_observations():
    return random_observations(6, "ordinary", 1e6, 3, SYSTEM)


@pytest.fixture(scope="module")
def observations(recipes_and_observations):
    return recipes_and_observations[1]


def exactly(observations):
    """The same as if nothing had an error."""
    from dataclasses import replace

    from polyinv.instrument.errors import LEVELS

    return replace(observations, errors={}, assumed=LEVELS["exact"])


@pytest.mark.parametrize("pattern", ["mmd", "composite+temp", "means+temp+time", "composite+temp+time+cBA_0"])
def test_samples_lie_in_the_box_and_keep_what_is_known_exactly(model, observations, pattern):
    known = exactly(observations).masked(pattern)
    posterior = model.posterior(known)
    assert (posterior.batch_shape, posterior.event_shape) == ((6,), (4,))
    for samples in (posterior.sample((50,), seed=1), posterior.sample((50,))):
        assert samples.shape == (50, 6, 4)
        assert ((samples >= LOW) & (samples <= HIGH)).logical_or(~known.recipe.isnan()).all()
        given = ~known.recipe.isnan()
        assert (samples == known.recipe)[:, given].all()
        assert (samples.std(0) > 0)[~given].all()
        assert posterior.log_prob(samples).isfinite().all()
    assert (posterior.mean == known.recipe)[given].all()
    assert (posterior.variance == 0)[given].all()


def test_what_is_known_with_an_error_is_sampled_near_what_is_stated(model, observations):
    known = observations.masked("mmd+temp")
    samples = model.posterior(known).sample((200,), seed=1)[..., 2]
    assert (samples.std(0) > 0).all()
    assert ((samples.mean(0) - known.recipe[:, 2]).abs() < 5 * known.error_columns()["temp" + SUFFIX]).all()


def test_a_missing_input_cannot_move_the_posterior(model, observations):
    x = observations.masked("means+temp").x(model.columns)
    other = x.clone()
    for name in ("cBA_time" + SUFFIX, "time" + SUFFIX, "cBA_0" + SUFFIX):
        other[:, model.columns.index(name)] = 7.0  # errors of what is not given
    one, two = model.posterior_of(x), model.posterior_of(other)
    assert torch.equal(one.sample((20,), seed=4), two.sample((20,), seed=4))
    assert torch.equal(one.mean, two.mean)


def test_a_row_alone_has_the_samples_that_it_has_among_others(model, observations):
    together = model.posterior(observations.masked("mmd+temp")).sample((64,), seed=5)
    for row in range(6):
        alone = model.posterior(observations[row].masked("mmd+temp")).sample((64,), seed=5)
        assert torch.equal(alone[:, 0], together[:, row])
    again = model.posterior(observations.masked("mmd+temp"))[[2, 4]].sample((64,), seed=5)
    assert torch.equal(again, together[:, [2, 4]])


@pytest.mark.parametrize("pattern", ["mmd", "composite+temp+time", "composite+temp+time+cBA_0"])
def test_samples_are_drawn_with_their_density(model, observations, pattern):
    for known in (observations.masked(pattern), exactly(observations).masked(pattern)):
        posterior = model.posterior(known)
        recipes, density = posterior.sample_with_density(50, seed=3)
        assert torch.equal(recipes, posterior.sample((50,), seed=3))
        # the network works in single precision
        torch.testing.assert_close(density, posterior.log_prob(recipes), rtol=0, atol=1e-3)


def test_a_row_alone_has_the_marginals_and_the_answer_that_it_has_among_others(model):
    many = random_observations(300, "ordinary", 1e6, 3, SYSTEM)[1].masked("mmd+temp")
    posterior, x = model.posterior(many), many.x(model.columns)
    together = posterior.quantiles([0.05, 0.5, 0.95])
    members = model.predict_members(x)
    for row in (0, 1, 17, 255, 256, 299):
        alone = model.posterior(many[row])
        assert torch.equal(alone.quantiles([0.05, 0.5, 0.95])[:, 0], together[:, row])
        assert torch.equal(alone.mean[0], posterior.mean[row])
        assert torch.equal(model.predict_members(x[row : row + 1])[:, 0], members[:, row])


def test_the_density_is_normalized_over_what_is_open(model, observations):
    """Over two open values on a grid; the others are known exactly."""
    known = exactly(observations)[0].masked("composite+cBA_0+time")
    side = 200
    at = [LOW[k] + (HIGH[k] - LOW[k]) * (torch.arange(side).double() + 0.5) / side for k in (1, 2)]
    grid = torch.cartesian_prod(*at)
    recipes = known.recipe.expand(len(grid), -1).clone()
    recipes[:, 1:3] = grid
    density = model.posterior(known).log_prob(recipes[:, None]).exp()
    cell = ((HIGH - LOW) / side)[1:3].prod()
    assert (density.sum() * cell).item() == pytest.approx(1, abs=0.02)


def test_there_is_no_density_outside_the_box_or_beside_what_is_known(model, observations):
    known = exactly(observations)[:2].masked("mmd+temp")
    posterior = model.posterior(known)
    inside = posterior.sample((1,), seed=0)[0]
    outside, beside = inside.clone(), inside.clone()
    outside[:, 0] = 9.0
    beside[:, 2] += 1.0
    assert posterior.log_prob(inside).isfinite().all()
    assert posterior.log_prob(outside).isneginf().all()
    assert posterior.log_prob(beside).isneginf().all()


def test_marginals_agree_with_samples(model, observations):
    posterior = model.posterior(observations.masked("mmd"))
    first = posterior.order[0]  # of the others the density is a product, which its marginal need not equal
    name = posterior.names[first]
    samples = posterior.sample((20_000,))[..., first]
    marginal = posterior.marginal(name)
    low, high = posterior.marginal(name).icdf(torch.tensor([[0.05], [0.95]]))
    share = ((samples > low) & (samples < high)).double().mean(0)
    assert share.sub(0.9).abs().max() < 0.015
    assert (samples.mean(0) - marginal.mean).abs().div(marginal.variance.sqrt()).max() < 0.05
    assert (marginal.cdf(marginal.icdf(torch.tensor(0.3))) - 0.3).abs().max() < 1e-6
    assert torch.allclose(posterior.mean[:, first], marginal.mean)
    middle = marginal.icdf(torch.tensor(0.5))
    assert marginal.log_prob(middle).isfinite().all()
    assert marginal.log_prob(torch.full((6,), 1e9)).isneginf().all()


def test_a_marginal_is_a_distribution_of_pytorch(model, observations):
    known = exactly(observations).masked("mmd+temp")
    posterior = model.posterior(known)
    for at, name in enumerate(posterior.names):
        marginal = posterior.marginal(name)
        samples = marginal.sample((4000,))
        assert samples.shape == (4000, 6)
        assert marginal.support.check(samples).all()
        assert not marginal.support.check(torch.full((6,), 1e9)).any()
        # means and widths by chance within 5 standard errors
        sd = marginal.stddev
        assert ((samples.mean(0) - marginal.mean).abs() <= 5 * sd / 4000**0.5 + 1e-9).all()
        if name == "temp":
            assert (samples == known.recipe[:, at]).all()
            continue
        ranks = marginal.cdf(samples)
        assert (ranks.mean(0) - 0.5).abs().max() < 0.025
        low, high = marginal.support.lower_bound, marginal.support.upper_bound
        grid = low + (high - low) * (torch.arange(4000).double()[:, None] + 0.5) / 4000
        area = marginal.log_prob(grid).exp().mean(0) * (high - low)
        assert (area - 1).abs().max() < 0.01
        with pytest.raises(NotImplementedError, match="no gradient"):
            marginal.rsample()


def test_the_support_is_the_box_and_what_is_known_exactly(model, observations):
    posterior = model.posterior(exactly(observations).masked("mmd+temp"))
    samples = posterior.sample((20,), seed=0)
    assert posterior.support.check(samples).all()
    beside = samples + torch.tensor([0.0, 0.0, 1.0, 0.0])
    assert not posterior.support.check(beside).any()
    with pytest.raises(NotImplementedError, match="no gradient"):
        posterior.rsample((2,))


def test_what_is_known_exactly_cannot_be_known_to_be_another_value(model, observations):
    posterior = model.posterior(exactly(observations)[0].masked("mmd+temp"))
    temp = observations.recipe[:1, 2]
    assert torch.equal(posterior.knowing("temp", temp).mean, posterior.mean)
    with pytest.raises(InputError, match="it cannot be known to be 65"):
        posterior.knowing("temp", torch.tensor(65.0))


def test_knowing_a_value_is_to_be_told_it_exactly(model, observations):
    known = exactly(observations).masked("mmd+temp")
    without = exactly(observations).masked("mmd")
    told = model.posterior(without).knowing("temp", known.recipe[:, 2])
    assert torch.equal(told.sample((10,), seed=2), model.posterior(known).sample((10,), seed=2))


def test_the_point_answer_is_the_mean(model, observations):
    x = observations.masked("composite+temp")
    given = ~x.recipe.isnan()
    posterior, answer = model.posterior(x), model.predict(x.x(model.columns))
    torch.testing.assert_close(answer[~given], posterior.mean[~given], rtol=1e-4, atol=1e-6)
    assert torch.equal(answer[given], x.recipe[given])
    assert (model.spread(x.x(model.columns))[given] == 0).all()


def test_a_posterior_comes_back_from_disk_as_it_was(model, observations, tmp_path):
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    x = observations.masked("composite")
    assert torch.equal(again.posterior(x).sample((30,), seed=1), model.posterior(x).sample((30,), seed=1))


def test_it_starts_from_a_conditional_model_and_chains_have_no_say_at_first(small, data, tmp_path):
    split = split_rows(small, "by_recipe", 0)
    start = MLP(
        hidden=(32, 16), dropout=(0.0,), transform="moments", members=2, training={"max_epochs": 2, "loss": "nll"}
    )
    start.fit(RecipeDataModule.from_table(small, WITH_ERRORS, split))
    start.save(tmp_path / "start")
    model = Posterior(**QUICK | {"training": {"max_epochs": 1, "loss": "density", "learning_rate": 1e-12}})
    model.start_from(tmp_path / "start")
    model.fit(data)
    theirs, ours = start._fitted.network.state_dict(), model._fitted.network.state_dict()
    same = [name for name in theirs if "layers.3" in name]
    assert same
    for name in same:
        torch.testing.assert_close(ours[f"network.{name}"], theirs[name][:1])  # of its first member
    x = observations_of(random_observations(3, "exact", 1e6, 1, SYSTEM)[0], "exact", 1e6, 1, SYSTEM)
    told = x.masked("mmd").x(model.columns)
    untold = told.clone()
    untold[:, model.columns.index(CHAINS)] = float("nan")
    torch.testing.assert_close(model.predict(told), model.predict(untold), rtol=1e-5, atol=1e-7)


def test_what_cannot_be_a_posterior_is_refused(small, tmp_path):
    split = split_rows(small, "by_recipe", 0)
    with pytest.raises(InputError, match="loss density goes with the model posterior"):
        Posterior(training={"loss": "nll"})
    with pytest.raises(InputError, match="loss density goes with the model posterior"):
        MLP(training={"loss": "density"})
    with pytest.raises(InputError, match=r"needs to be told what is known and how well"):
        Posterior(**QUICK).fit(RecipeDataModule.from_table(small, "composite", split))
    plain = MLP(hidden=(32, 16), dropout=(0.0,), transform="moments", training={"max_epochs": 1})
    plain.fit(RecipeDataModule.from_table(small, "conditional", split))
    plain.save(tmp_path / "plain")
    with pytest.raises(InputError, match="is told no errors: a posterior cannot be started from it"):
        Posterior(**QUICK).start_from(tmp_path / "plain")


def test_density_and_coverage_are_logged_by_target_pattern_and_errors(data, tmp_path):
    model = Posterior(**QUICK | {"training": {"max_epochs": 2, "loss": "density"}})
    model.logger = "csv"
    model.fit(data, tmp_path)
    logged = pd.concat([pd.read_csv(file) for file in tmp_path.rglob("metrics.csv")])
    for name in SYSTEM.targets:
        assert logged[f"val/nll/{name}"].notna().sum() == 2
        assert logged[f"val/coverage_90/{name}"].dropna().between(0, 1).all()
    for name in ("mmd", "composite+temp"):
        assert logged[f"val/nll_given/{name}"].notna().any()
        assert logged[f"val/coverage_90_given/{name}"].dropna().between(0, 1).all()


def test_a_polymer_is_needed(model):
    with pytest.raises(InputError, match="has neither the curve nor Mn and Mw"):
        model.posterior(Observations(residual_monomer=[0.4]))


def test_names_and_shares_that_are_none_are_refused(model, observations):
    posterior = model.posterior(observations.masked("mmd"))
    with pytest.raises(InputError, match="no value of the recipe 'Temp'"):
        posterior.marginal("Temp")
    with pytest.raises(InputError, match="a quantile needs a probability, 0 to 1"):
        posterior.marginal("temp").icdf(torch.tensor(5.0))
