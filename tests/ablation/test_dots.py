"""The figure of a study shows every combination, and published numbers only where they belong."""

import numpy as np
import pandas as pd
import pytest

from polyinv.ablation.dots import dots
from polyinv.ablation.summary import summary
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.evaluation.published import PUBLISHED, repeated_case

AXES = ["axis.rows", "axis.model"]


@pytest.fixture
def found(rng):
    rows = [
        {"axis.rows": rows, "axis.model": model, "subset": subset, "target": target, "value": rng.normal(0.5, 0.1)}
        | {"seed": seed, "features": "mmd", "member": "all", "metric": "r2"}
        for rows in (1000, 100)
        for model in ("forest", "MLP")
        for seed in (1, 2, 3)
        for subset in ("test", "off_grid")
        for target in (*SYSTEM.targets, "global")
    ]
    return summary(pd.DataFrame(rows), AXES, 1000)


def test_what_is_compared_stands_together(found):
    figure = dots(found, AXES, "study")
    assert len(figure.axes) == len((*SYSTEM.targets, "global"))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["rows 1000, forest", "rows 100, forest", "rows 1000, MLP", "rows 100, MLP"]
    shown = figure.axes[-1].lines[0].get_xdata()
    of_test = found[(found["subset"] == "test") & (found["target"] == "global")]
    np.testing.assert_allclose(sorted(shown), sorted(of_test["mean"]))


def test_published_numbers_stand_in_their_row_and_a_failure_does_not_flatten_the_rest(found):
    is_first = (found["axis.rows"] == 1000) & (found["axis.model"] == "forest") & (found["subset"] == "test")
    found.loc[found.index[-2], ["mean", "low", "high"]] = [-40.0, -60.0, -20.0]
    figure = dots(found.assign(published=np.where(is_first, 0.4, np.nan)), AXES, "study")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(names) == {"test rows of the split", "off the grid", "published", "below −0.6"}
    assert min(panel.get_xlim()[0] for panel in figure.axes) > -1


def test_a_published_number_stands_beside_what_repeats_it_and_nothing_else():
    network = {"name": "mlp", "hidden": [256, 128, 64], "dropout": [0.2, 0.1, 0.0], "transform": "plain", "members": 1}
    config = {
        "model": network,
        "features": "composite",
        "split": {"name": "random_rows", "seed": 3, "share": 1.0},
        "data": {"source": "table", "path": None},
    }
    assert repeated_case(config) == ("mlp", "composite")
    assert repeated_case(config | {"model": {"name": "forest"}, "features": "mmd"}) == ("forest", "mmd")
    assert all(case in PUBLISHED for case in (("mlp", "composite"), ("forest", "mmd")))
    for change in (
        {"features": "mmd"},
        {"split": {"name": "by_recipe", "seed": 3}},
        {"split": {"name": "random_rows", "seed": 3, "share": 0.5}},
        {"data": {"source": "simulated", "path": None}},
        {"data": {"source": "table", "path": "mine.xlsx"}},
        {"model": network | {"hidden": [256, 256, 128]}},
        {"model": network | {"members": 4}},
        {"model": {"name": "trees"}},
    ):
        assert repeated_case(config | change) is None, change
