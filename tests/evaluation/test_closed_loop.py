"""The closed loop: the truth scores one, errors score more, and what cannot be simulated is marked."""

import itertools
import logging
from dataclasses import replace
from functools import partial

import pandas as pd
import pytest
import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import SCALARS, SYSTEM, TARGETS
from polyinv.data.bank import observables
from polyinv.data.bundled import load_bundled
from polyinv.data.observations import Observations
from polyinv.data.splits import split_rows
from polyinv.errors import InputError
from polyinv.evaluation.closed_loop import closed_loop, distance, summary
from polyinv.evaluation.simulated import METHODS, limits, physical, simulated
from polyinv.mmd import LOG_M, STEP
from polyinv.quantities import MMD
from polyinv.simulate import sampling, solvers
from polyinv.simulate.recipes import random_recipes


def bundled(name: str, every: int) -> Observations:
    """Kinetic Monte Carlo runs: of the grid those that a by_recipe split tests on."""
    table = load_bundled(name)
    if name == "grid":
        table = table.iloc[split_rows(table, "by_recipe", 42).test]
    return Observations.from_table(table.iloc[::every])


HORIZON = 300.0
brief_loop = partial(closed_loop, horizon=HORIZON)


@pytest.fixture(scope="module")
def rows() -> Observations:
    """40 drawn runs of five minutes at most, which take a twelfth of the time of an hour."""
    recipes = random_recipes(40, torch.Generator().manual_seed(0), SYSTEM)
    recipes[:, 3] *= HORIZON / 3600
    seen = sampling.simulate(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE, seed=0, horizon=HORIZON)
    return replace(Observations.from_tensor(observables(seen), (*SCALARS, *MMD)), recipe=recipes)


@pytest.fixture(scope="module")
def truth(rows) -> pd.DataFrame:
    return brief_loop(rows.recipe, rows, true=rows.recipe)


def changed(recipes: torch.Tensor, name: str, by: float) -> torch.Tensor:
    recipes = recipes.clone()
    recipes[:, TARGETS.index(name)] += by
    return recipes


@pytest.mark.parametrize("method", ["sampled", "deterministic"])
@pytest.mark.parametrize("name", ["grid", "off_grid"])
def test_the_true_recipe_of_a_kinetic_monte_carlo_run_scores_one(name, method):
    """The floor of drawn replicates is the scatter of the bundled runs."""
    rows = bundled(name, 3)
    line = summary(closed_loop(rows.recipe, rows, rows.recipe, method=method)).loc[0]
    assert line["rows"] == len(rows) > 300
    assert abs(line["ratio"] - 1) < 0.1
    assert line["close"] > 0.95
    # What one replicate scatters by, 0.0005 to 0.0018 in the median.
    assert line[["error_Mn", "error_Mw", "error_conversion"]].max() < 0.003


def test_drawn_replicates_stand_for_real_ones():
    table = load_bundled("grid")
    early = Observations.from_table(table[table["time"] == 300].iloc[::72])  # a run of 300 s takes 0.02 s
    true = {"true": early.recipe, "replicates": 8}
    real, drawn = (closed_loop(early.recipe, early, method=method, **true) for method in ("kmc", "sampled"))
    # A floor of 8 replicates scatters by 6 %, the mean of 6 by 2.5 %, two means by 3.5 % against each other.
    assert real["floor"].mean() == pytest.approx(drawn["floor"].mean(), rel=0.14)
    assert real["ratio"].mean() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("name", "steps"), {"temp": (1.0, 8.0), "cBA_0": (0.05, 0.4)}.items())
@pytest.mark.parametrize("method", ["sampled", "deterministic"])
def test_the_further_from_the_truth_the_worse(rows, name, steps, method):
    loops = [brief_loop(changed(rows.recipe, name, by), rows, true=rows.recipe, method=method) for by in (0.0, *steps)]
    medians = [loop["ratio"].median() for loop in loops]
    assert medians == sorted(medians)
    assert medians[-1] > 5
    assert (loops[-1]["ratio"] > loops[0]["ratio"]).all()
    floors = [loop["floor"].tolist() for loop in loops]
    assert all(floor == floors[0] for floor in floors)  # that of the truth, whatever was predicted


def test_neither_order_nor_company_matters(rows, truth):
    order = torch.randperm(len(rows))
    turned = brief_loop(rows.recipe[order], rows[order], true=rows.recipe[order])
    pd.testing.assert_frame_equal(turned, truth.iloc[order.numpy()])
    alone = brief_loop(rows.recipe[7:8], rows[7], true=rows.recipe[7:8])
    pd.testing.assert_frame_equal(alone, truth.iloc[7:8])


def test_another_seed_is_another_draw_of_the_same(rows, truth):
    other = brief_loop(rows.recipe, rows, true=rows.recipe, seed=1)
    assert (other["distance"] != truth["distance"]).all()
    # 40 rows, whose floors scatter by 3 % each
    assert (other["floor"] / truth["floor"]).mean() == pytest.approx(1, abs=0.04)


def test_the_floor_falls_with_the_root_of_the_chains(rows):
    few, many = (brief_loop(rows.recipe, rows, chains=chains)["floor"] for chains in (2.5e5, 1e6))
    # A floor scatters by 3 %, the mean ratio of 40 by 1 %; bins of a handful of chains are no Gaussians.
    assert (few / many).mean() == pytest.approx(2, rel=0.05)


def test_the_horizon_fixes_the_volume_of_runs_that_go_beyond_it():
    run = torch.tensor([[1.0, 0.01, 70.0]]).double()
    times = torch.tensor([[600.0, 1200.0]]).double()
    early, late = solvers.simulate(run, times, BUTYL_ACRYLATE).dead_chains[0].tolist()
    recipe = torch.cat([run, times[:, 1:]], -1)
    beyond = simulated(recipe, horizon=600.0, chains=1e5)
    until = simulated(recipe, horizon=1200.0, chains=1e5 * late / early)
    torch.testing.assert_close(beyond.dead_chains, until.dead_chains, rtol=1e-3, atol=0)  # they scatter by 0.3 %


def test_without_the_truth_the_answer_is_the_yardstick(rows):
    near = changed(rows.recipe, "cBA_0", 0.01)
    unknown = brief_loop(near, rows)
    pd.testing.assert_frame_equal(unknown, brief_loop(near, rows, true=near))
    half = rows.recipe.clone()
    half[::2, 0] = torch.nan
    mixed, known = (brief_loop(near, rows, true=true) for true in (half, rows.recipe))
    pd.testing.assert_frame_equal(mixed[::2], unknown[::2])
    pd.testing.assert_frame_equal(mixed[1::2], known[1::2])


def test_errors_are_those_of_the_simulated_polymer(rows):
    predicted = changed(rows.recipe, "temp", 2.0)
    shown, made = (solvers.simulate(y[:, :3], y[:, 3:], BUTYL_ACRYLATE) for y in (rows.recipe, predicted))
    x = Observations.from_tensor(observables(shown), (*SCALARS, *MMD))
    loop = brief_loop(predicted, x, true=rows.recipe, method="deterministic")
    for name in ("Mn", "Mw"):
        expected = getattr(made, name) / getattr(shown, name) - 1
        torch.testing.assert_close(torch.from_numpy(loop[f"error_{name}"].to_numpy(copy=True)), expected[:, 0])
    consumed = (shown.residual_monomer - made.residual_monomer)[:, 0] / rows.recipe[:, 0]  # cBA_0 is the same
    torch.testing.assert_close(torch.from_numpy(loop["error_conversion"].to_numpy(copy=True)), consumed)
    from_curves = brief_loop(predicted, Observations(mmd=x.mmd), true=rows.recipe, method="deterministic")
    assert from_curves["error_conversion"].isna().all()
    assert (from_curves["error_Mn"] - loop["error_Mn"]).abs().max() < 0.002
    pd.testing.assert_series_equal(from_curves["ratio"], loop["ratio"])
    no_error = brief_loop(rows.recipe, x, true=rows.recipe, method="deterministic")
    assert no_error.filter(like="error").abs().max().max() < 1e-12
    assert (no_error["distance"] < 1e-12).all()


def test_recipes_that_cannot_be_are_marked_and_do_not_stop_the_rest(rows, caplog):
    predicted = rows.recipe[:6].clone()
    predicted[0, 0], predicted[1, 3], predicted[2, 2], predicted[3, 1] = -0.2, -1800.0, 1e4, torch.inf
    predicted[4, 0] = torch.nan
    with caplog.at_level(logging.WARNING):
        loop = brief_loop(predicted, rows[:6], true=rows.recipe[:6]).reset_index(drop=True)
    assert loop["clamped"].tolist() == [True] * 5 + [False]
    assert "5 of 6 recipes cannot be simulated" in caplog.text
    assert (loop["ratio"][:4] > 5).all()
    assert loop.loc[4].drop(["clamped", "floor"]).isna().all()
    assert loop["ratio"][5] == pytest.approx(1, abs=0.5)
    assert summary(loop).loc[0, ["rows", "clamped"]].tolist() == [5, 5]


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"kmc"}))
def test_every_corner_of_the_limits_is_a_polymerization(method):
    ends = dict(zip(TARGETS, torch.stack(limits(SYSTEM), 1).tolist(), strict=True))
    ends["time"][1] = HORIZON  # ten hours take their time
    corners = torch.tensor(list(itertools.product(*(ends[name] for name in TARGETS)))).double()
    polymer = simulated(corners, method=method, horizon=HORIZON)
    torch.testing.assert_close(polymer.mmd.sum(-1) * STEP, torch.ones(polymer.mmd.shape[:2]).double())
    assert (polymer.Mw > polymer.Mn).all()
    assert (polymer.residual_monomer > 0).all()


def test_recipes_within_the_limits_stay_what_they_are(recipes):
    within, clamped = physical(recipes)
    assert torch.equal(within, recipes)
    assert not clamped.any()


def test_without_a_curve_there_is_no_distance(rows):
    mmd, Mn, Mw = (part.clone() for part in (rows.mmd, rows.Mn, rows.Mw))
    mmd[0], mmd[1, 50] = torch.nan, torch.nan
    loop = brief_loop(rows.recipe, replace(rows, mmd=mmd), true=rows.recipe)
    lacking = loop[["distance", "floor", "ratio"]].isna().all(axis=1)
    assert lacking.tolist() == [True, True, *[False] * (len(rows) - 2)]
    assert loop[["error_Mn", "error_Mw", "error_conversion"]].notna().all(axis=None)  # known without it
    scalars = brief_loop(rows.recipe, rows.forgetting(["mmd"]), true=rows.recipe)
    assert scalars["ratio"].isna().all()
    assert summary(scalars).loc[0, "rows"] == 0
    Mn[0], Mw[0] = torch.nan, torch.nan
    bare = replace(rows, mmd=mmd, Mn=Mn, Mw=Mw)
    assert brief_loop(rows.recipe, bare, true=rows.recipe)[["error_Mn", "error_Mw"]].iloc[0].isna().all()


def test_the_area_of_an_observed_curve_does_not_matter(rows, truth):
    larger = replace(rows, mmd=7 * rows.mmd)
    pd.testing.assert_series_equal(brief_loop(rows.recipe, larger, true=rows.recipe)["ratio"], truth["ratio"])


def test_a_distance_is_the_share_of_mass_that_lies_elsewhere():
    peaks = torch.exp(-((torch.from_numpy(LOG_M) - torch.tensor([[2.0], [4.0], [6.0]])) ** 2) / 0.02)
    one, other, third = peaks / (peaks.sum(-1, keepdim=True) * STEP)
    assert distance(one, one) == 0
    assert distance(one, other) == pytest.approx(1)
    assert distance(one, 0.75 * one + 0.25 * other) == pytest.approx(0.25)
    mixed = (one + third) / 2
    assert distance(one, third) <= distance(one, mixed) + distance(mixed, third) + 1e-12


def test_replicates_are_runs_of_their_own(recipes):
    recipes[:, 3] /= 12
    polymer = simulated(recipes[:4], replicates=3, horizon=HORIZON)
    assert polymer.mmd.shape == (4, 3, 100)
    assert polymer.Mn.unique().numel() == 12
    smooth = solvers.simulate(recipes[:4, :3], recipes[:4, 3:], BUTYL_ACRYLATE)
    torch.testing.assert_close(polymer.Mn, smooth.Mn.expand(4, 3), rtol=0.02, atol=0)


@pytest.mark.parametrize("replicates", [2, 5])
def test_a_floor_is_the_mean_over_pairs_of_replicates(rows, replicates):
    floor = brief_loop(rows.recipe[:5], rows[:5], replicates=replicates)["floor"]
    other = {"replicates": replicates, "seed": 1, "horizon": HORIZON}  # other random numbers than the answer's
    seen = simulated(rows.recipe[:5], **other).mmd
    pairs = [distance(seen[:, one], seen[:, other]) for one, other in itertools.combinations(range(replicates), 2)]
    torch.testing.assert_close(torch.from_numpy(floor.to_numpy(copy=True)), torch.stack(pairs).mean(0))


def test_a_summary_counts_what_it_can():
    loop = pd.DataFrame(
        {
            "ratio": [1.0, 1.4, 1.6, 3.0, float("nan")],
            "error_Mn": [-0.1, 0.2, -0.3, 0.4, 0.5],
            "error_Mw": [0.0, 0.0, 0.0, 0.0, 1.0],
            "error_conversion": float("nan"),
            "clamped": [False, False, True, False, False],
        }
    )
    line = summary(loop).loc[0]
    assert line[["rows", "ratio", "ratio_25", "ratio_75", "close", "clamped"]].tolist() == pytest.approx(
        [4, 1.5, 1.3, 1.95, 0.5, 1]
    )
    assert line["error_Mn"] == pytest.approx(0.3)
    assert pd.isna(line["error_conversion"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "kcm"}, "no method of a closed loop 'kcm'; known: deterministic, kmc, sampled"),
        ({"replicates": 1}, "needs 2 or more"),
        ({"chains": -1}, "chains is -1"),
        ({"horizon": 0.0}, "horizon is 0 s"),
        ({"true": torch.ones(3, 4)}, r"true recipes of 40 observations need the shape \(40, 4\), got \(3, 4\)"),
    ],
)
def test_a_call_that_cannot_be_says_so(rows, change, message):
    with pytest.raises(InputError, match=message):
        closed_loop(rows.recipe, rows, **change)
