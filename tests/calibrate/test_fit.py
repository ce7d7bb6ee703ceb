"""Fits of drawn laboratories: they arrive, and find what was drawn."""

from dataclasses import replace

import pytest
import torch

from polyinv.calibrate.fit import fit
from polyinv.calibrate.left_out import deviations, left_out, outlying, predicted, summary
from polyinv.calibrate.runs import Runs
from polyinv.calibrate.scatter import Scatter
from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.instrument.errors import LEVELS
from tests.calibrate.laboratories import SYSTEM, drawn, model_of


@pytest.fixture(scope="module")
def laboratory():
    return drawn(3)


@pytest.fixture(scope="module")
def fitted(laboratory):
    return fit(model_of(laboratory, 4, 3))


def test_slopes_are_those_of_what_is_shown(laboratory):
    model = model_of(laboratory, 2, 0)
    theta = 0.1 * torch.randn(model.parameters, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slopes = model(theta).slopes
    for at in range(model.parameters):
        step = torch.zeros_like(theta)
        step[at] = 1e-3
        apart = (model(theta + step).values - model(theta - step).values) / 2e-3
        # The broadening's own slope is a difference over 0.05.
        assert torch.allclose(slopes[..., at], apart, atol=2e-3 * max(1.0, apart.abs().max().item())), at


def test_every_drawn_laboratory_is_fitted():
    for seed in range(8):
        found = fit(model_of(drawn(seed), 1 + seed % 3, seed))
        assert found.converged
        # As many as there are numbers: a fit that strayed has many times that.
        assert found.cost < 3 * found.model.given.sum().item()


def test_coefficients_lie_within_what_is_left_open(laboratory, fitted):
    coordinates = fitted.model.coordinates
    true = torch.tensor(coordinates.of(laboratory.chemistry)) - torch.tensor(coordinates.origin)
    Q = len(coordinates.names)
    apart = fitted.theta[:Q] - true / fitted.model.sd
    squares = apart @ torch.linalg.solve(fitted.covariance[:Q, :Q], apart)
    assert squares < Q + 4 * (2 * Q) ** 0.5  # 4 standard deviations of a χ² of Q numbers


def test_more_runs_leave_less_open(laboratory, fitted):
    one = fit(fitted.model.of(fitted.model.runs.only([0])))
    shared = fitted.model.shared
    assert fitted.covariance[:shared, :shared].logdet() < one.covariance[:shared, :shared].logdet()


def test_runs_that_were_left_out_are_predicted(laboratory, fitted):
    new = fitted.model.of(model_of(laboratory, 3, 77).runs)
    before = deviations(new, new(torch.zeros(new.parameters, dtype=torch.float64)))
    after = deviations(new, predicted(fitted, new))
    assert summary(after)["mmd_distance"].iloc[-1] < 0.5 * summary(before)["mmd_distance"].iloc[-1]
    assert summary(after)["X rms"].iloc[-1] < 0.5 * summary(before)["X rms"].iloc[-1]


def test_a_run_that_is_none_of_the_others_is_outlying(laboratory, fitted):
    runs = fitted.model.runs
    wrong = runs.observations.recipe.clone()
    wrong[runs.run == 1, 1] *= 4  # somebody wrote down another initiator
    found = left_out(fit(fitted.model.of(replace(runs, observations=replace(runs.observations, recipe=wrong)))))
    by_run = found.groupby("run")["deviation"].first()
    assert by_run.idxmax() == "2"
    assert by_run["2"] > 1.5 * by_run.drop("2").max() or outlying(found) == ["2"]


def test_scatter_is_what_is_usual_until_runs_tell():
    assert Scatter.usual().as_dict()["initiation"] == 0.05
    alone = fit(model_of(drawn(1), 1, 1))
    assert alone.scatter["initiation"] == pytest.approx(0.05, rel=0.5)


def test_runs_need_whole_recipes_and_something_shown():
    recipe = torch.tensor([[2.0, 0.01, 70.0, 6.0, 3600.0]], dtype=torch.float64)
    nothing = Observations(recipe=recipe, system=SYSTEM, assumed=LEVELS["good"])
    with pytest.raises(InputError, match="row 1 shows nothing: no curve, conversion"):
        Runs.of(nothing)
    partly = replace(nothing, recipe=torch.where(recipe == 70.0, torch.nan, recipe), Mw=torch.tensor([5e4]))
    with pytest.raises(InputError, match="row 1: a value of the recipe is missing"):
        Runs.of(partly)


def test_samples_of_the_same_conditions_are_one_run():
    recipe = torch.tensor([[2.0, 0.01, 70.0, 6.0, t] for t in (1800.0, 3600.0)] + [[2.0, 0.02, 70.0, 6.0, 3600.0]])
    runs = Runs.of(Observations(recipe=recipe, Mw=[5e4, 5e4, 4e4], system=SYSTEM, assumed=LEVELS["good"]))
    assert runs.run.tolist() == [0, 0, 1]
    assert runs.without(0).names == ("2",)
    assert len(runs.only([0])) == 2
