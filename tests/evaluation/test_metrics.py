import logging

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from polyinv.chemistry.butyl_acrylate import RECIPE, TARGETS
from polyinv.evaluation.metrics import score, score_members
from polyinv.evaluation.published import PUBLISHED


def values(y, predicted):
    return score(y, predicted).set_index(["target", "metric"])["value"]


def test_scores_are_scikit_learns(recipes):
    predicted = recipes * (1 + 0.1 * torch.randn_like(recipes))
    scores = values(recipes, predicted)
    y, g = recipes.numpy(), predicted.numpy()
    for name, expected in (
        ("r2", r2_score(y, g, multioutput="raw_values")),
        ("mae", mean_absolute_error(y, g, multioutput="raw_values")),
        ("mse", mean_squared_error(y, g, multioutput="raw_values")),
    ):
        np.testing.assert_allclose([scores[target, name] for target in TARGETS], expected, rtol=1e-9)
    assert scores["global", "r2"] == pytest.approx(r2_score(y, g))
    assert scores["global", "mse"] == pytest.approx(mean_squared_error(y, g))


def test_small_errors_of_few_rows_are_errors(recipes):
    """Sums of squares of cAIBN_0 in mol/L are small numbers; that they are not taken for zero."""
    few = recipes[:10]
    predicted = few.clone()
    predicted[:, 1] += 1e-3 * torch.randn(10).double()
    expected = r2_score(few[:, 1].numpy(), predicted[:, 1].numpy())
    assert values(few, predicted)["cAIBN_0", "r2"] == pytest.approx(expected, rel=1e-9)
    assert expected < 0.99


def test_a_whole_and_its_members(recipes, caplog):
    recipes[:, 2] = 70.0
    predictions = torch.stack([recipes * factor for factor in (1.0, 1.1)])
    with caplog.at_level(logging.WARNING):
        scores = score_members(recipes, predictions).set_index(["member", "target", "metric"])["value"]
    assert caplog.text.count("R² of temp is undefined") == 1
    assert scores["0", "time", "mae"] == 0
    assert scores["all", "time", "mae"] == pytest.approx(scores["1", "time", "mae"] / 2)
    assert set(score_members(recipes, predictions[:1])["member"]) == {"all"}


def test_relative_mae_is_over_the_published_spans(recipes):
    span = torch.tensor([2.5, 0.0175, 20.0, 3600.0], dtype=torch.float64)
    scores = values(recipes, recipes + 0.1 * span)
    assert [scores[name, "relative_mae"] for name in TARGETS] == pytest.approx([0.1] * 4)
    assert [quantity.span for quantity in RECIPE] == span.tolist()


def test_r2_by_the_variance_of_the_box_does_not_depend_on_how_the_rows_vary(recipes):
    """The same errors: half of the box has a quarter of its variance, and R² falls, but not that of the box."""
    width = torch.tensor([quantity.high - quantity.low for quantity in RECIPE], dtype=torch.float64)
    error = 0.1 * width * torch.randn(64, 4, dtype=torch.float64)
    narrow = recipes.mean(0) + (recipes - recipes.mean(0)) / 2
    wide, half = values(recipes, recipes + error), values(narrow, narrow + error)
    for name, span, mse in zip(TARGETS, width.tolist(), error.square().mean(0).tolist(), strict=True):
        assert wide[name, "r2_box"] == pytest.approx(1 - mse / (span**2 / 12))
        assert half[name, "r2_box"] == pytest.approx(wide[name, "r2_box"])
        assert 1 - half[name, "r2"] == pytest.approx(4 * (1 - wide[name, "r2"]))
    assert wide["global", "r2_box"] == pytest.approx(np.mean([wide[name, "r2_box"] for name in TARGETS]))


def test_the_truth_scores_one_and_the_mean_zero(recipes):
    assert values(recipes, recipes)["global", "r2"] == 1
    assert values(recipes, recipes.mean(0).expand_as(recipes))["global", "r2"] == pytest.approx(0, abs=1e-9)


def test_a_target_that_never_varies_has_no_r2_and_says_so(recipes, caplog):
    recipes[:, 2] = 70.0
    with caplog.at_level(logging.WARNING):
        scores = values(recipes, recipes + 1)
    assert np.isnan(scores["temp", "r2"])
    assert np.isnan(scores["global", "r2"])
    assert scores["temp", "mae"] == pytest.approx(1)
    assert "R² of temp is undefined" in caplog.text


@pytest.mark.parametrize("case", PUBLISHED)
def test_published_globals_are_the_means_of_their_targets(case):
    numbers = PUBLISHED[case]
    mean = sum(numbers[name, "r2"] for name in TARGETS) / 4
    assert numbers["global", "r2"] == pytest.approx(mean, abs=1e-4)
    # The time error dominates: MSE = (1 - R²)·variance of the 1037 test rows, divided by four.
    assert numbers["global", "mse"] == pytest.approx((1 - numbers["time", "r2"]) * 1135182.12 / 4, rel=1e-3)
