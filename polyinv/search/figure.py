"""Figure of a search: its course, and the validation loss over each axis."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from polyinv.ablation.summary import text
from polyinv.report.figures import BLUE, GREY, INK, ORANGE, Figure
from polyinv.search.spec import Search, Span

ACROSS = 4
"""Panels in a row."""
WIDE = 5
"""Ratio of the largest to the smallest loss from which the losses are drawn on a logarithmic scale."""


def figure(search: Search, table: pd.DataFrame) -> Figure:
    """Plot the validation loss of the complete trials: in their order with the best so far, and over each axis.

    Args:
        search: What was searched.
        table: See `polyinv.search.result.table_of`; pruned trials are marks at the lower edge of the first panel.
    """
    complete, pruned = (table[table["state"] == state] for state in ("complete", "pruned"))
    down = -(-(1 + len(search.axes)) // ACROSS)
    shape = Figure(figsize=(3.2 * min(ACROSS, 1 + len(search.axes)), 2.9 * down), layout="constrained")
    shape.suptitle(f"{search.name}: {len(complete)} complete and {len(pruned)} pruned trials", fontsize=12)
    panels = shape.subplots(down, min(ACROSS, 1 + len(search.axes)), squeeze=False, sharey=True).ravel()
    _course(panels[0], complete, pruned)
    for panel, (name, axis) in zip(panels[1:], search.axes.items(), strict=False):
        _slice(panel, name, axis, complete)
    for panel in panels[1 + len(search.axes) :]:
        panel.set_visible(False)
    for row in panels[::ACROSS]:
        row.set_ylabel("validation loss")
    if len(complete) and 0 < WIDE * complete["value"].min() < complete["value"].max():
        panels[0].set_yscale("log")
        panels[0].yaxis.set_major_formatter("{x:g}")
    return shape


def _course(panel: Axes, complete: pd.DataFrame, pruned: pd.DataFrame) -> None:
    panel.plot(complete["trial"], complete["value"], "o", color=BLUE, markersize=4, label="complete")
    panel.step(complete["trial"], complete["value"].cummin(), where="post", color=ORANGE, label="best so far")
    edge = panel.get_xaxis_transform()
    panel.plot(pruned["trial"], np.full(len(pruned), 0.02), "|", color=GREY, transform=edge, label="pruned")
    panel.set_xlabel("trial")
    panel.legend(frameon=False, fontsize=8)


def _slice(panel: Axes, name: str, axis: Any, complete: pd.DataFrame) -> None:
    if isinstance(axis, Span):
        panel.plot(complete[name], complete["value"], "o", color=BLUE, markersize=4)
        panel.set_xscale("log" if axis.range.is_log else "linear")
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter(NullFormatter())
    else:
        labels = [*axis]
        places = [labels.index(value) for value in complete[name]]
        panel.plot(places, complete["value"], "o", color=BLUE, markersize=4)
        panel.set_xticks(range(len(labels)), [text(label) for label in labels], fontsize=8, rotation=20)
        panel.set_xlim(-0.5, len(labels) - 0.5)
    if len(complete):
        best = complete.loc[complete["value"].idxmin()]
        at = best[name] if isinstance(axis, Span) else [*axis].index(best[name])
        panel.plot([at], [best["value"]], "o", color=ORANGE, markeredgecolor=INK, markersize=7)
    panel.set_xlabel(name.removeprefix("model.").removeprefix("training."))
