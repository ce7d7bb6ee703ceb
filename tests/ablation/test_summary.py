"""What a study shows: intervals that hold as often as they say, and differences that know the truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from polyinv.ablation.summary import in_words, mean_interval, summary
from polyinv.chemistry.butyl_acrylate import SYSTEM

SEEDS = range(42, 47)
AXES = ["axis.features", "axis.model"]


def scores(values, seeds=SEEDS, subset="test"):
    """Scores of combinations whose global R² (and that of each target) is given by seed."""
    rows = [
        {
            **dict(zip(AXES, key, strict=True)),
            "model": "forest",
            "features": "composite",
            "split": "by_recipe",
            "seed": seed,
            "member": "all",
            "subset": subset,
            "target": target,
            "metric": "r2",
            "value": value,
        }
        for key, of_seeds in values.items()
        for seed, value in zip(seeds, of_seeds, strict=True)
        for target in (*SYSTEM.targets, "global")
    ]
    return pd.DataFrame(rows)


def line(found, *key, target="global"):
    (row,) = found[(found[AXES] == list(key)).all(axis=1) & (found["target"] == target)].to_dict("records")
    return row


def test_the_interval_is_that_of_the_t_test(rng):
    values = rng.normal(size=7)
    mean, half = mean_interval(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([mean - half, mean + half], [low, high], rtol=1e-12)
    assert np.isnan(mean_interval(values[:1])[1])
    assert np.isnan(mean_interval(values[:0])).all()


def test_paired_differences_recover_a_known_effect_as_often_as_they_say(rng):
    # Splits differ by 0.05, which both cells share; each has 0.01 of its own. 2000 studies of 5 seeds: the share that
    # covers the truth scatters by sqrt(0.05 * 0.95 / 2000) = 0.005; four of those.
    effect, covered, widths = 0.02, [], []
    for _ in range(2000):
        split = rng.normal(0.6, 0.05, len(SEEDS))
        base, other = (split + rng.normal(0, 0.01, len(SEEDS)) for _ in range(2))
        low, high = _interval(other + effect - base)
        covered.append(low <= effect <= high)
        widths.append((high - low, np.subtract(*_interval(base)[::-1])))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    paired, unpaired = np.mean(widths, axis=0)
    assert paired < unpaired / 3  # what makes a split hard cancels
    found = summary(scores({("mmd", "MLP"): base, ("composite", "MLP"): other + effect}), AXES, "mmd")
    row = line(found, "composite", "MLP")
    np.testing.assert_allclose((row["difference_low"], row["difference_high"]), (low, high), rtol=1e-12)


def _interval(values):
    mean, half = mean_interval(values)
    return mean - half, mean + half


def test_the_reference_is_the_first_value_of_the_first_axis_on_the_same_others():
    values = {
        ("composite", "forest"): [0.5, 0.6, 0.7, 0.6, 0.6],
        ("composite", "MLP"): [0.6, 0.7, 0.8, 0.7, 0.7],
        ("mmd", "forest"): [0.4, 0.5, 0.6, 0.5, 0.5],
        ("mmd", "MLP"): [0.3, 0.4, 0.5, 0.4, 0.4],
    }
    found = summary(scores(values), AXES, "composite")
    assert len(found) == 4 * len((*SYSTEM.targets, "global"))
    for model, difference in (("forest", -0.1), ("MLP", -0.3)):
        row = line(found, "mmd", model, target="temp")
        assert (row["pairs"], row["difference"]) == (5, pytest.approx(difference))
        assert row["difference_high"] - row["difference_low"] == pytest.approx(0, abs=1e-12)
        base = line(found, "composite", model)
        assert base["pairs"] == 0
        assert np.isnan(base["difference"])


def test_only_seeds_that_both_have_are_paired_and_undefined_scores_count_for_nothing():
    table = pd.concat(
        [
            scores({("composite", "forest"): [0.5, np.nan, 0.7]}, seeds=[1, 2, 3]),
            scores({("mmd", "forest"): [0.4, 0.3, 0.2]}, seeds=[2, 3, 4]),
            scores({("scalars", "forest"): [0.1]}, seeds=[1]),
        ]
    )
    found = summary(table, AXES, "composite")
    assert (line(found, "composite", "forest")["seeds"], line(found, "mmd", "forest")["seeds"]) == (2, 3)
    assert line(found, "composite", "forest")["mean"] == pytest.approx(0.6)
    row = line(found, "mmd", "forest")
    assert (row["pairs"], row["difference"]) == (1, pytest.approx(-0.4))
    assert np.isnan(row["difference_low"])  # one pair has no interval
    words = in_words(found, AXES, "composite", "study", ["split.seed", "model.seed"])
    assert "| mmd      | forest | 1     | -0.400 |" in words
    assert "(split.seed, model.seed)" in words
    assert "nan" not in words


def test_subsets_have_tables_of_their_own_and_a_score_that_stands_twice_is_no_summary():
    values = {("composite", "forest"): [0.5] * 5, ("mmd", "forest"): [0.4] * 5}
    table = pd.concat([scores(values), scores(values, subset="off_grid")])
    words = in_words(summary(table, AXES, "composite"), AXES, "composite", "study", ["split.seed"])
    assert words.count("Less the same with features composite, paired") == 2
    with pytest.raises(ValueError, match="stands there twice"):
        summary(pd.concat([table, table.tail(1)]), AXES, "composite")


def test_the_patterns_of_a_model_that_takes_gaps_are_lines_of_their_own():
    values = {("conditional", "MLP"): [0.5] * 5}
    table = pd.concat([scores(values).assign(given=pattern) for pattern in ("mmd", "mmd+temp")])
    found = summary(pd.concat([scores({("composite", "MLP"): [0.6] * 5}), table]), AXES, "composite")
    assert found.groupby("given", sort=False).size().to_dict() == {"": 5, "mmd": 5, "mmd+temp": 5}
