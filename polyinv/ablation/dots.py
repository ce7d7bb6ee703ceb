"""Dot plot of a study: for each target a mean and an interval for every combination of values."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from polyinv.ablation.summary import GIVEN, targets_of, text
from polyinv.report.figures import BLUE, DARK, GREY, INK, ORANGE, Figure

MARKS = {"test": ("test rows of the split", BLUE, "o", -0.16), "off_grid": ("off the grid", DARK, "D", 0.16)}
"""Name, colour, marker and shift of a subset."""
ROW = 0.30
"""Height of a combination in inches."""
LEAST = -0.6
"""Values of R² below are drawn at the edge: one failure must not flatten the rest. Intervals end at 1, as R² does."""


def dots(found: pd.DataFrame, axes: Sequence[str], title: str) -> Figure:
    """Mean R² and its 95 % interval, a panel for each target and the global mean, a row for each combination.

    Combinations that differ on the first axis only, which is what is compared, stand together, with a line between the
    groups. Where a row repeats a published model on the published kind of split, the published number is a vertical
    line in that row.

    Args:
        found: `polyinv.ablation.summary.summary`, with a column ``published`` where there are published numbers.
        axes: Columns of the axes.
        title: Over all panels.
    """
    keys = [*axes, GIVEN]
    rows = list(dict.fromkeys(found[keys].itertuples(index=False, name=None)))
    groups = list(dict.fromkeys(row[1:] for row in rows))
    rows.sort(key=lambda row: groups.index(row[1:]))
    figure = Figure(figsize=(13, 1.5 + ROW * len(rows)), layout="constrained")
    seeds = found["seeds"].max()
    spread = f"mean over {seeds} seeds and its 95 % interval" if seeds > 1 else "one seed"
    figure.suptitle(f"{title}: {spread}", fontsize=12)
    names = targets_of(found)
    panels = figure.subplots(1, len(names), sharey=True)
    for panel, target in zip(panels, names, strict=True):
        of_target = found[found["target"] == target]
        for subset, marks in MARKS.items():
            _draw(panel, of_target[of_target["subset"] == subset], keys, rows, marks)
        _draw_published(panel, of_target, keys, rows)
        _dress(panel, target, rows)
    panels[0].set_yticks(range(len(rows)), [_label(row, keys) for row in rows], fontsize=9)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    handles = {label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels())}  # noqa: B905
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _label(row: Sequence, keys: Sequence[str]) -> str:
    """Row label of a combination; a number with the name of its axis."""
    said = [
        text(value) if isinstance(value, str) else f"{key.split('.')[-1]} {text(value)}"
        for key, value in zip(keys, row, strict=True)
    ]
    return ", ".join(each for each in said if each)


def _draw(panel: Axes, part: pd.DataFrame, keys: Sequence[str], rows: Sequence, marks: tuple) -> None:
    name, colour, marker, shift = marks
    at = np.array([rows.index(key) for key in part[list(keys)].itertuples(index=False, name=None)]) + shift
    if len(part) == 0:
        return
    mean = part["mean"].to_numpy()
    low, high = (part[end].fillna(part["mean"]).clip(LEAST, 1.0).to_numpy() for end in ("low", "high"))
    inside = mean >= LEAST
    panel.hlines(at[inside], low[inside], high[inside], color=colour, linewidth=1.4, alpha=0.7)
    panel.plot(mean[inside], at[inside], marker, color=colour, markersize=5, linestyle="none", label=name)
    below = mean < LEAST
    if below.any():
        lost = f"below {LEAST:g}".replace("-", "−")
        panel.plot(
            np.full(below.sum(), LEAST), at[below], "<", color=colour, markersize=5, linestyle="none", label=lost
        )


def _draw_published(panel: Axes, part: pd.DataFrame, keys: Sequence[str], rows: Sequence) -> None:
    known = part[part["published"].notna()] if "published" in part else part.head(0)
    at = np.array([rows.index(key) for key in known[list(keys)].itertuples(index=False, name=None)])
    if len(known):
        panel.vlines(known["published"], at - 0.42, at + 0.42, color=ORANGE, linewidth=1.6, label="published", zorder=1)


def _dress(panel: Axes, target: str, rows: Sequence) -> None:
    for at in range(1, len(rows)):
        if rows[at][1:] != rows[at - 1][1:] and len({row[1:] for row in rows}) < len(rows):
            panel.axhline(at - 0.5, color=GREY, linewidth=0.6)
    low, high = panel.get_xlim()
    if low < 0 < high:
        panel.axvline(0, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    panel.grid(axis="x", color="#eeeeee", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.set_title("global mean" if target == "global" else target, fontsize=10, color=INK)
    panel.set_xlabel("R²", fontsize=9)
    panel.locator_params(axis="x", nbins=5)
    panel.tick_params(labelsize=8)
    panel.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
