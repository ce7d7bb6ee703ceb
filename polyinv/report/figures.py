"""Figures: drawn on their own canvas, so that no display and no global state is needed."""

from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.text import Text

from polyinv.chemistry import DEFAULT, load_system
from polyinv.errors import one_line
from polyinv.report.tables import by_chance

INK, BLUE, DARK, ORANGE, GREY = "#222222", "#4393c3", "#053061", "#d6604d", "#bbbbbb"
LINES = {
    "ours, published split": (("random_rows", "test"), ORANGE),
    "ours, reactions never seen": (("by_recipe", "test"), BLUE),
    "ours, off the grid (where true values vary less)": (("by_recipe", "off_grid"), DARK),
}
"""Split, subset and colour of the bars beside the published ones."""
LOG_MASS, DENSITY = "log₁₀(M / g mol⁻¹)", "w(log₁₀ M)"
"""Axes of a molar mass distribution."""
LONGEST = 200
"""Characters of a line in a figure."""


class Figure(matplotlib.figure.Figure):
    """Figure whose texts stand there as they are written: labels of others may hold ``$``, which is no formula."""

    def draw(self, renderer: Any) -> None:
        """See `matplotlib.figure.Figure`."""
        scales = [axis for axes in self.axes for axis in (axes.xaxis, axes.yaxis)]
        labels = {axis: axis.get_ticklabels(which="both") for axis in scales}  # makes those that are to be drawn
        powers = {label for axis in scales if axis.get_scale() == "log" for label in labels[axis]}  # are formulas
        for text in {*self.findobj(Text)} - powers:
            text.set_parse_math(False)
            lines = text.get_text().split("\n")
            if not all(line.isprintable() and len(line) <= LONGEST for line in lines):
                text.set_text("\n".join(one_line(line, LONGEST) for line in lines))
        super().draw(renderer)


def honest_scores(scores: pd.DataFrame, published: dict[tuple[str, str], dict[tuple[str, str], float]]) -> Figure:
    """Plot R² of each target: published, on the published split, on reactions never seen, and off the grid.

    Args:
        scores: Tidy scores with the columns of a ``scores.csv``, several split seeds; bars have their standard
            deviation by chance.
        published: `polyinv.evaluation.published.PUBLISHED`.
    """
    names = (*load_system(DEFAULT).targets, "global")  # the study's
    lines = dict(iter(scores[scores["metric"] == "r2"].groupby(["split", "subset", "model", "features", "target"])))
    mean = {key: of_line["value"].mean() for key, of_line in lines.items()}
    spread = {key: np.nan_to_num(by_chance(of_line)) for key, of_line in lines.items()}
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    for panel, (case, values) in zip(figure.subplots(1, len(published), sharey=True), published.items(), strict=True):
        _bars(panel, 0, GREY, "published", [values[name, "r2"] for name in names])
        for place, (label, (line, colour)) in enumerate(LINES.items(), start=1):
            keys = [(*line, *case, name) for name in names if (*line, *case, name) in mean]
            if keys:
                _bars(panel, place, colour, label, [mean[key] for key in keys], [spread[key] for key in keys])
        panel.axhline(0, color=INK, linewidth=0.6)
        panel.set_xticks(range(len(names)), names)
        panel.set_title(f"{case[0]}, {case[1]}")
    figure.axes[0].set_ylabel("R² on the test rows")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=1 + len(LINES), frameon=False)
    return figure


def _bars(
    panel: Axes, place: int, colour: str, label: str, heights: list[float], errors: list[float] | None = None
) -> None:
    at = np.arange(len(heights)) + 0.21 * (place - 1.5)
    panel.bar(at, heights, 0.21, yerr=errors, color=colour, label=label)
