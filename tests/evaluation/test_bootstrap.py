"""The bootstrap over test reactions: known standard errors, whole reactions, the same seed."""

import numpy as np
import pytest
import torch

from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM, TARGETS
from polyinv.evaluation.bootstrap import DRAWS, reactions_of, resampled_means, spread_of
from polyinv.evaluation.metrics import SPREAD, score, score_members
from polyinv.simulate.recipes import random_recipes


def test_the_spread_of_a_mean_is_its_standard_error():
    values = torch.randn(400, 1, dtype=torch.float64)
    sd, low, high = spread_of(resampled_means(values, torch.arange(400)))
    error = values.std().item() / 20
    # of 1000 draws: a standard deviation to 2 %, an end of the interval to 4 % of it or so
    assert sd.item() == pytest.approx(error, rel=0.1)
    assert high.item() - low.item() == pytest.approx(2 * 1.96 * error, rel=0.12)
    assert low < values.mean() < high


def test_rows_of_one_group_are_no_independent_tests():
    """Twelve copies of each row tell no more than one."""
    values = torch.randn(100, 1, dtype=torch.float64)
    once = spread_of(resampled_means(values, torch.arange(100)))[0]
    copies = spread_of(resampled_means(values.repeat_interleave(12, 0), torch.arange(100).repeat_interleave(12)))[0]
    torch.testing.assert_close(copies, once)
    taken_for_independent = spread_of(resampled_means(values.repeat_interleave(12, 0), torch.arange(1200)))[0]
    assert taken_for_independent < 0.4 * once


def test_large_groups_count_by_their_rows():
    values, groups = torch.tensor([[1.0], [1.0], [1.0], [5.0]]).double(), torch.tensor([0, 0, 0, 1])
    found = {round(mean, 9) for mean in resampled_means(values, groups)[:, 0].tolist()}
    assert found == {1.0, 2.0, 5.0}  # never half of a group


def test_a_reaction_is_all_rows_of_the_same_conditions():
    conditions = random_recipes(5, torch.Generator().manual_seed(0), SYSTEM)[:, :3].repeat_interleave(4, 0)
    y = torch.cat([conditions, torch.tensor([300.0, 600.0, 900.0, 1200.0]).repeat(5)[:, None]], dim=1)
    groups = reactions_of(y)
    assert len(groups.unique()) == 5
    assert (groups.view(5, 4) == groups.view(5, 4)[:, :1]).all()


def scored(count, noise, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = random_recipes(count, generator, SYSTEM).double()
    width = torch.tensor([quantity.high - quantity.low for quantity in RECIPE]).double()
    return y, y + noise * width * torch.randn(count, 4, generator=generator, dtype=torch.float64)


def test_the_interval_of_r2_covers_it():
    """The R² of an infinite test lies in 95 % of the intervals."""
    true, hits = 1 - 12 * 0.2**2, []
    for seed in range(100):
        line = score(*scored(150, 0.2, seed)).set_index(["target", "metric"]).loc[("time", "r2")]
        hits.append(line["low"] <= true <= line["high"])
    # of 100 trials, 4 standard errors below 95 % and a little for the bootstrap of 150 rows
    assert np.mean(hits) > 0.85


def test_every_score_of_the_whole_has_its_spread():
    y, predicted = scored(300, 0.1)
    scores = score(y, predicted)
    assert list(scores.columns) == ["target", "metric", "value", *SPREAD]
    assert scores.notna().all().all()
    assert ((scores["low"] < scores["value"]) & (scores["value"] < scores["high"])).all()
    assert (scores["sd"] > 0).all()
    again = score(y, predicted)
    assert scores.equals(again)


def test_members_have_no_spread_of_their_own():
    y, predicted = scored(50, 0.1)
    scores = score_members(y, torch.stack([predicted, y]))
    assert scores.loc[scores["member"] == "all", list(SPREAD)].notna().all().all()
    assert scores.loc[scores["member"] != "all", list(SPREAD)].isna().all().all()


def test_one_reaction_has_no_interval():
    y, predicted = scored(10, 0.1)
    y[:, :3] = y[0, :3]
    scores = score(y, predicted)
    assert scores[list(SPREAD)].isna().all().all()
    assert scores.set_index(["target", "metric"])["value"].notna()["time", "r2"]


def test_a_target_that_never_varies_has_no_interval_of_r2():
    y, predicted = scored(40, 0.1)
    y[:, 2] = 70.0
    scores = score(y, predicted).set_index(["target", "metric"])
    assert scores.loc[("temp", "r2"), list(SPREAD)].isna().all()
    assert scores.loc[("global", "r2"), list(SPREAD)].isna().all()
    assert scores.loc[("temp", "r2_box"), list(SPREAD)].notna().all()
    assert DRAWS == 1000
    assert scores.loc[(TARGETS[0], "r2"), list(SPREAD)].notna().all()
