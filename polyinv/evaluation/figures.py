"""Figures: drawn on their own canvas, so that no display and no global state is needed."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polyinv.quantities import RECIPE, TARGETS

INK, BLUE, ORANGE, GREY = "#222222", "#2166ac", "#d6604d", "#bbbbbb"


def parity(y: np.ndarray, guess: np.ndarray, title: str) -> Figure:
    """Predicted against true value, one panel for each target, with R² and MAE.

    Args:
        y: True recipes (N, 4).
        guess: Predicted recipes (N, 4).
        title: Over all panels.
    """
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    figure.suptitle(title)
    for panel, quantity, true, predicted in zip(figure.subplots(1, len(RECIPE)), RECIPE, y.T, guess.T, strict=True):
        ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
        panel.plot(ends, ends, color=ORANGE, linewidth=1)
        panel.scatter(true, predicted, s=6, alpha=0.35, color=BLUE, linewidths=0)
        spread = ((true - true.mean()) ** 2).sum()
        r2 = f"{1 - ((true - predicted) ** 2).sum() / spread:.3f}" if spread > 0 else "undefined"
        panel.set_title(f"R² {r2}, MAE {np.abs(true - predicted).mean():.3g} {quantity.unit}", fontsize=9)
        panel.set_xlabel(f"true {quantity.axis}")
        panel.set_ylabel("predicted")
        panel.set_box_aspect(1)
    return figure


def honest_scores(scores: pd.DataFrame, published: dict[tuple[str, str], dict[tuple[str, str], float]]) -> Figure:
    """R² of each target: published, on the published split, and on runs never seen.

    Args:
        scores: Tidy scores with the columns of a ``scores.csv``, several split seeds.
        published: `polyinv.evaluation.published.PUBLISHED`.
    """
    names = (*TARGETS, "global")
    r2 = scores[scores["metric"] == "r2"].groupby(["split", "model", "features", "target"])["value"]
    mean, spread = r2.mean(), r2.std().fillna(0.0)
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    for panel, (case, values) in zip(figure.subplots(1, len(published), sharey=True), published.items(), strict=True):
        _bars(panel, -1, GREY, "published", [values[name, "r2"] for name in names])
        for place, split, colour, label in (
            (0, "random_rows", ORANGE, "ours, published split"),
            (1, "by_recipe", BLUE, "ours, runs never seen"),
        ):
            keys = [(split, *case, name) for name in names]
            _bars(panel, place, colour, label, mean[keys].tolist(), spread[keys].tolist())
        panel.axhline(0, color=INK, linewidth=0.6)
        panel.set_xticks(range(len(names)), names)
        panel.set_title(f"{case[0]}, {case[1]}")
    figure.axes[0].set_ylabel("R² on the test rows")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    return figure


def _bars(
    panel: Axes, place: int, colour: str, label: str, heights: list[float], errors: list[float] | None = None
) -> None:
    at = np.arange(len(heights)) + 0.27 * place
    panel.bar(at, heights, 0.27, yerr=errors, color=colour, label=label)
