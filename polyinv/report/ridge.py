"""Figure of all the recipes that fit one polymer: each pair of values, and each value alone."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from polyinv.chemistry import System
from polyinv.quantities import Quantity
from polyinv.report.figures import BLUE, DARK, GREY, INK, ORANGE, Figure

SIZE = 2.3
"""Of a panel, in inches."""
BINS = 32


def ridge(
    samples: Tensor, known: Tensor, intervals: dict[str, tuple[float, float, float]], system: System, title: str
) -> Figure:
    """Plot recipes that fit: scatters of pairs, and histograms on the diagonal, over the whole box of the system.

    Args:
        samples: Recipes of the same weight, (S, V).
        known: Known values, (V,), NaN where there is none; drawn as lines.
        intervals: Low end, median and high end by the name of a value; shaded on the diagonal.
        system: What is polymerized.
        title: Over all panels.
    """
    recipe, drawn = system.recipe, samples.numpy()
    count = len(recipe)
    figure = Figure(figsize=(SIZE * count + 0.6, SIZE * count + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels: Any = figure.subplots(count, count, squeeze=False)
    for down, across in np.ndindex(count, count):
        panel = panels[down, across]
        if across > down:
            panel.axis("off")
            continue
        panel.set_xlim(recipe[across].low, recipe[across].high)
        panel.tick_params(labelsize=7)
        panel.locator_params(nbins=4)
        if down == across:
            _alone(panel, drawn[:, down], float(known[down]), intervals.get(recipe[down].name), recipe[down])
        else:
            panel.plot(drawn[:, across], drawn[:, down], ".", color=BLUE, markersize=2, alpha=0.35, rasterized=True)
            panel.set_ylim(recipe[down].low, recipe[down].high)
            _lines(panel, float(known[across]), float(known[down]))
        if down == count - 1:
            panel.set_xlabel(recipe[across].axis, fontsize=8)
        else:
            panel.set_xticklabels([])
        if across == 0 and down > 0:
            panel.set_ylabel(recipe[down].axis, fontsize=8)
        elif across < down:
            panel.set_yticklabels([])
    return figure


def _alone(
    panel: Axes, values: np.ndarray, known: float, interval: tuple[float, float, float] | None, quantity: Quantity
) -> None:
    panel.set_yticks([])
    for side in ("left", "right", "top"):
        panel.spines[side].set_visible(False)
    if values.min() < values.max():
        panel.hist(values, BINS, range=(quantity.low, quantity.high), color=GREY, zorder=1)
        if interval is not None and not np.isnan(interval[0]):
            low, median, high = interval
            panel.axvspan(low, high, color=BLUE, alpha=0.2, linewidth=0, zorder=0)
            panel.axvline(median, color=DARK, linewidth=1)
            panel.set_title(f"{low:.4g} to {high:.4g}", fontsize=8, color=INK)
    if not np.isnan(known):
        panel.axvline(known, color=ORANGE, linewidth=1.4)
        panel.set_title(f"known: {known:.4g}", fontsize=8, color=ORANGE)


def _lines(panel: Axes, across: float, down: float) -> None:
    if not np.isnan(across):
        panel.axvline(across, color=ORANGE, linewidth=1)
    if not np.isnan(down):
        panel.axhline(down, color=ORANGE, linewidth=1)
