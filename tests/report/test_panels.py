"""The pictures: as many panels as they say, and in them the numbers that went in."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import PathCollection

from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM, TARGETS
from polyinv.data.bundled import load_bundled
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.splits import split_rows
from polyinv.evaluation.importance import ALL_TARGETS, WHOLE_CURVE
from polyinv.models import MLP
from polyinv.report.panels import (
    assessments,
    closed_loop,
    conversion,
    high_conversion,
    importance_bars,
    learning_curves,
    parity,
    read_scalars,
    residuals,
    running_quantiles,
)


def drawn(figure):
    """Check that a figure can be drawn and that its lines and bars are finite; its panels."""
    figure.canvas.draw()
    for panel in figure.axes:
        for line in panel.lines:
            assert np.isfinite(np.asarray(line.get_xydata(), dtype=float)).all()
        for bar in panel.patches:
            assert np.isfinite(bar.get_bbox().get_points()).all()
        for points in panel.collections:
            if isinstance(points, PathCollection):
                assert np.isfinite(np.asarray(points.get_offsets())).all()
    return figure.axes


def heights(panel, label):
    return next([bar.get_height() for bar in bars] for bars in panel.containers if bars.get_label() == label)


def test_parity_says_r2_with_its_spread_and_draws_members_as_error_bars(recipes):
    predictions = torch.stack([recipes * 1.01, recipes * 0.99])
    panels = drawn(parity(recipes, predictions, "title"))
    assert [panel.get_xlabel() for panel in panels] == [f"true {quantity.axis}" for quantity in RECIPE]
    assert all(panel.get_title().startswith("R² 1.000 ± 0.0") for panel in panels)
    assert all(panel.containers[0].has_yerr for panel in panels)
    equal = panels[2].lines[-1]
    assert equal.get_linestyle() == "--"
    assert np.array_equal(equal.get_xdata(), equal.get_ydata())

    alone = drawn(parity(recipes, predictions[:1], "title", targets=("cBA_0", "cAIBN_0", "time")))
    assert [panel.get_title()[:3] for panel in alone] == ["R² "] * 3
    assert not any("±" in panel.get_title() or panel.containers[0].has_yerr for panel in alone)


def test_a_running_median_follows_what_it_runs_over():
    x = np.sort(np.random.default_rng(0).random(2000))
    values = np.where(np.arange(2000) % 2, 1.0, -1.0) + 3 * x
    centres, (low, median, high) = running_quantiles(x, values, (0.16, 0.5, 0.84))
    assert np.all(np.diff(centres) > 0)
    # Two levels, 2 apart, blurred by the slope of 3 over a window of a sixteenth of the range.
    assert np.abs((high - low) - 2).max() < 3 / 16 + 0.05
    assert np.all((median >= low) & (median <= high))
    assert centres[0] < 0.05
    assert centres[-1] > 0.95
    constant = running_quantiles(x, np.ones(2000), (0.5,))[1]
    assert (constant == 1).all()


@pytest.mark.parametrize("rows", [0, 1, 7, 40])
def test_few_rows_have_residuals_too(rows, recipes):
    gone = np.linspace(0.1, 0.9, rows)
    panels = drawn(residuals(recipes[:rows], recipes[:rows], gone, "title"))
    assert len(panels) == len(TARGETS)
    assert all((np.asarray(line.get_ydata()) == 0).all() for panel in panels for line in panel.lines)


def test_residuals_leave_out_rows_of_unknown_conversion(recipes):
    gone = np.linspace(0, 1, len(recipes))
    gone[:10] = np.nan
    predicted = recipes.clone()
    predicted[:10] = torch.inf  # would not be finite
    panel = drawn(residuals(recipes, predicted, gone, "title", targets=("temp",)))[0]
    assert len(panel.collections[0].get_offsets()) == len(recipes) - 10


def test_learning_curves_are_read_from_the_events_of_a_training(small, tmp_path):
    data = RecipeDataModule.from_table(small, "composite", split_rows(small, "by_recipe", 0))
    MLP(hidden=(8,), dropout=(0.0,), members=2, training={"max_epochs": 4}).fit(data, tmp_path)
    panels = drawn(learning_curves(tmp_path))
    assert len(panels) == 1 + len(TARGETS)
    curves = [line for panel in panels for line in panel.lines if line.get_label() in ("training", "validation")]
    assert [line.get_xdata().tolist() for line in curves] == [[0, 1, 2, 3]] * (2 * len(panels))
    assert all(len(panel.collections) == 1 for panel in panels[1:])  # the band over the members
    logged = read_scalars(tmp_path)
    kept = logged["val/r2/temp"][logged["val/loss"].idxmin()]
    assert panels[1 + TARGETS.index("temp")].get_title() == f"temperature: R² {kept:.3f}"


def test_without_epochs_there_are_no_learning_curves(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    assert learning_curves(tmp_path) is None  # a checkpoint
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("test/r2/temp", 0.5)
    assert learning_curves(tmp_path) is None  # a forest


def test_an_epoch_that_was_logged_twice_counts_once(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    for values in ([3.0, 2.0, 9.0], [9.0, 1.0]):  # killed after epoch 2, resumed from epoch 1
        with SummaryWriter(tmp_path, filename_suffix=str(len(values))) as writer:
            for step, value in enumerate(values, start=3 - len(values)):
                writer.add_scalar("val/loss", value, step)
    curve = read_scalars(tmp_path)["val/loss"]
    assert curve.index.tolist() == [0, 1, 2]
    assert curve.iloc[0] == 3


def test_importance_has_a_bar_for_each_block_and_a_panel_for_each_target():
    lines = [(block, name, 0.5, 0.1) for block in ("Mn", WHOLE_CURVE) for name in TARGETS]
    importance = pd.DataFrame(lines, columns=["block", "target", "drop", "spread"])
    importance.loc[0, ["drop", "spread"]] = np.nan  # a target that never varies
    figure = importance_bars(importance, "title")
    assert [panel.get_title() for panel in figure.axes] == [quantity.label for quantity in RECIPE]
    assert [len(panel.patches) for panel in figure.axes] == [2] * 4
    assert len(figure.axes[0].texts) == 1
    figure.canvas.draw()
    shares = pd.DataFrame(
        [("Mn", ALL_TARGETS, 0.004), ("Mw", ALL_TARGETS, -0.001)], columns=["block", "target", "share"]
    )
    (panel,) = drawn(importance_bars(shares, "title", "share", "share"))
    assert panel.get_xlim()[1] >= 0.1  # next to nothing looks like it
    assert [text.get_text() for text in panel.texts] == ["0.00", "0.00"]


def test_86_of_432_runs_of_the_grid_get_far():
    """The study's number, on its Figures 3 to 5."""
    figure = high_conversion(load_bundled("grid"))
    assert figure.get_suptitle().startswith("86 of 432 reactions")
    panels = drawn(figure)
    assert [panel.get_xlabel() for panel in panels] == [RECIPE[at].axis for at in (2, 1, 0)]
    for panel, levels in zip(panels, (9, 8, 6), strict=True):
        assert heights(panel, "all reactions") == [432 / levels] * levels
        far = heights(panel, "conversion of 90% or more")
        assert sum(far) == 86
        assert far[0] == 0  # cold, or starved of initiator or monomer


def test_off_the_grid_runs_are_counted_by_interval():
    table = load_bundled("off_grid")
    panels = drawn(high_conversion(table, threshold=0.5))
    assert [sum(heights(panel, "all reactions")) for panel in panels] == [1000] * 3
    above = int((conversion(table, SYSTEM) >= 0.5).sum())
    assert [sum(heights(panel, "conversion of 50% or more")) for panel in panels] == [above] * 3


def test_the_closed_loop_counts_every_ratio_and_says_what_it_cannot_draw():
    ratio = [0.5, 1.0, 2.0, 4.0, np.inf, np.nan, 0.0]
    figure = closed_loop(pd.DataFrame({"ratio": ratio}), "title")
    (panel,) = drawn(figure)
    assert figure.get_suptitle() == "title; without a ratio: 3"
    assert sum(bar.get_height() for bar in panel.patches) == 4
    assert panel.get_xscale() == "log"
    assert [line.get_xdata()[0] for line in panel.lines] == [1, 1.5]
    drawn(closed_loop(pd.DataFrame({"ratio": [np.nan]}), "none"))
    drawn(closed_loop(pd.DataFrame({"ratio": [1.0, 1.0]}), "all the same"))


def test_assessments_fill_each_bar():
    lines = [("test", "inside", 0.75), ("test", "outside", 0.25), ("off_grid", "edge", 1.0)]
    (panel,) = drawn(assessments(pd.DataFrame(lines, columns=["subset", "applicability", "share"]), "title"))
    assert [label.get_text() for label in panel.get_yticklabels()] == ["test", "off_grid"]
    widths = np.array([[bar.get_width() for bar in bars] for bars in panel.containers])
    assert widths.tolist() == [[0.75, 0.0], [0.0, 1.0], [0.25, 0.0]]
    assert [text.get_text() for text in panel.texts] == ["75%", "100%", "25%"]
