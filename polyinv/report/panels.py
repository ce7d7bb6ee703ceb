"""Figures of an evaluation: parity, residuals, learning curves, importance, closed loop, applicability domain.

All are narrow, with two panels in a row at most, so that a report can be read on a telephone. No two colours that
stand side by side differ in red and green alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.evaluation.importance import WHOLE_CURVE
from polyinv.evaluation.metrics import GLOBAL, score
from polyinv.quantities import Quantity
from polyinv.reactions import HIGH_CONVERSION, at_last_time, conversion
from polyinv.report.figures import BLUE, DARK, GREY, INK, ORANGE, Figure

RED, YELLOW = "#c8281e", "#e6a93c"
GRADES = {"inside": (BLUE, ""), "edge": (YELLOW, "//"), "outside": (DARK, "xx")}
"""Colour and hatching of what may be said of the domain."""
WIDTH = 6.4
"""Of every figure, in inches."""
BAND = (0.16, 0.84)
"""Quantiles of the band about a running median: a standard deviation to either side if errors are Gaussian."""
WINDOWS, LEAST = 16, 16
"""A running quantile covers this part of the rows, and so many at least."""
LEVELS = 12
"""A quantity with more distinct values than these is drawn in intervals."""
NARROWEST = 0.1
"""An axis of importances reaches so far at least: what is next to nothing is to look like it."""
LOWEST_R2 = -0.25
"""R² below this, as of the first epochs, is cut off."""


def parity(
    y: Tensor, predictions: Tensor, title: str, targets: Sequence[str] | None = None, system: AnySystem = DEFAULT
) -> Figure:
    """Plot predicted against true values, one panel for each target, as the study's Figures 6 and 7.

    Args:
        y: True recipes (N, V).
        predictions: Recipes (R, N, V) of each of R members. Points are their means; of several, error bars show a
            standard deviation to either side, and R² is that of the mean, ± the standard deviation of the members'.
        title: Over all panels; says which rows.
        targets: The values to draw, those that were asked for; all by default.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
    """
    system = load_system(system)
    targets = system.targets if targets is None else targets
    figure, panels = _grid(targets, 3.3)
    figure.suptitle(title)
    scored = [
        score(y, each, system).set_index(["target", "metric"])["value"] for each in (predictions.mean(0), *predictions)
    ]
    for panel, quantity in zip(panels, _named(targets, system), strict=True):
        at, unit = system.targets.index(quantity.name), quantity.unit
        _parity(panel, y[:, at].numpy(), predictions[..., at].numpy())
        r2, *of_members = [each[quantity.name, "r2"] for each in scored]
        spread = f" ± {np.std(of_members, ddof=1):.4f}" if len(of_members) > 1 else ""
        panel.set_title(f"R² {r2:.3f}{spread}\nMAE {scored[0][quantity.name, 'mae']:.3g} {unit}", fontsize=10)
        panel.set_xlabel(f"true {quantity.axis}")
        panel.set_ylabel(f"predicted / {unit}")
    return figure


def residuals(
    y: Tensor,
    predicted: Tensor,
    reacted: np.ndarray,
    title: str,
    targets: Sequence[str] | None = None,
    system: AnySystem = DEFAULT,
) -> Figure:
    """Plot residuals against conversion, with the running median and the band of 16 to 84 %.

    Args:
        y: True recipes (N, V).
        predicted: Predicted recipes (N, V).
        reacted: Conversion of the rows (N,), see `polyinv.reactions.conversion`; rows where it is NaN are left out.
        title: Over all panels; says which rows.
        targets: The values to draw; all by default.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
    """
    system = load_system(system)
    targets = system.targets if targets is None else targets
    reacted = np.asarray(reacted, dtype=float)
    known = np.isfinite(reacted)
    order = np.flatnonzero(known)[reacted[known].argsort(kind="stable")]
    figure, panels = _grid(targets, 2.9)
    figure.suptitle(title)
    for panel, quantity in zip(panels, _named(targets, system), strict=True):
        at = system.targets.index(quantity.name)
        left = (predicted - y)[order, at].numpy()
        panel.scatter(reacted[order], left, s=5, alpha=0.35, color=BLUE, linewidths=0)
        centres, (low, median, high) = running_quantiles(reacted[order], left, (BAND[0], 0.5, BAND[1]))
        panel.fill_between(centres, low, high, color=ORANGE, alpha=0.3, linewidth=0, label="16 to 84 %")
        panel.plot(centres, median, color=RED, linewidth=1.4, label="running median")
        panel.axhline(0, color=INK, linewidth=0.8, linestyle="--")
        panel.set_title(quantity.label, fontsize=10)
        panel.set_xlabel("conversion")
        panel.set_ylabel(f"predicted − true / {quantity.unit}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def running_quantiles(x: np.ndarray, values: np.ndarray, quantiles: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles in W overlapping windows of a sixteenth of N rows each, 16 at least; half of that at the ends.

    Args:
        x: What the values are ordered by, ascending, (N,).
        values: What is averaged, (N,).
        quantiles: Q shares.

    Returns:
        The median of ``x`` in each window, (W,), and the quantiles, (Q, W).
    """
    half = max(LEAST, len(values) // WINDOWS) // 2
    about = [slice(max(0, at - half), at + half) for at in range(0, len(values) + 1, half // 2)]
    windows = [rows for rows in about if len(values[rows]) >= min(half, len(values)) > 0]
    centres = np.array([np.median(x[rows]) for rows in windows])
    return centres, np.array([np.quantile(values[rows], quantiles) for rows in windows]).T.reshape(len(quantiles), -1)


def learning_curves(folder: Path | str, system: AnySystem = DEFAULT) -> Figure | None:
    """Plot loss and R² over the epochs of a training, from the TensorBoard events of its run folder.

    R² is the mean over the members, with a standard deviation to either side where there are several; its number is
    that of the epoch with the lowest mean validation loss, about where each member has its own best one and stays.

    Args:
        folder: Of the run.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Returns:
        One panel for the losses and one for each target; None where no epochs were logged: a checkpoint, a forest.
    """
    curves, system = read_scalars(folder), load_system(system)
    if "val/loss" not in curves:
        return None
    figure = Figure(figsize=(WIDTH, 8.2), layout="constrained")
    rows: list[Any] = [["loss", "loss"], *_pairs(system.targets)]
    panels = figure.subplot_mosaic(rows, height_ratios=[1.1, *[1] * (len(rows) - 1)])
    _losses(panels["loss"], curves)
    best = int(curves["val/loss"].idxmin())
    lowest = min(curve.min() for tag, curve in curves.items() if tag.startswith("val/r2/") and GLOBAL not in tag)
    for quantity in system.recipe:
        panel, at_best = panels[quantity.name], curves[f"val/r2/{quantity.name}"][best]
        _r2_curves(panel, curves, quantity.name)
        panel.axvline(best, color=RED, linewidth=1, linestyle=":")
        panel.set_title(f"{quantity.label}: R² {at_best:.3f}", fontsize=10)
        panel.set_ylim(max(LOWEST_R2, min(lowest, 0)), 1.02)
    for panel in panels.values():
        panel.set_xlabel("epoch")
    handles, labels = panels[system.targets[0]].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def read_scalars(folder: Path | str) -> dict[str, pd.Series]:
    """Read the scalars of the TensorBoard events of a folder, by tag: values by step. Empty if it has none.

    Of a step that was logged twice, by a training that was killed and resumed, the later value counts.
    """
    if not any(Path(folder).glob("events.out.tfevents.*")):
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    curves = {}
    for tag in events.Tags()["scalars"]:
        logged = events.Scalars(tag)
        curve = pd.Series([event.value for event in logged], [event.step for event in logged], dtype=float)
        curves[tag] = curve[~curve.index.duplicated(keep="last")].sort_index()
    return curves


def importance_bars(
    importance: pd.DataFrame,
    title: str,
    value: str = "drop",
    label: str = "drop in R²",
    system: AnySystem = DEFAULT,
) -> Figure:
    """Plot the importance of inputs: a horizontal bar for each block, a panel for each target.

    Args:
        importance: ``block``, ``target``, the value and, if there is one, its ``spread``; see
            `polyinv.evaluation.importance`.
        title: Over all panels; says which rows.
        value: Column of the value.
        label: Axis label.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
    """
    names, targets = list(importance["block"].unique()), list(importance["target"].unique())
    figure, panels = _grid(targets, 0.9 + 0.235 * len(names))
    figure.suptitle(title)
    labels = {quantity.name: quantity.label for quantity in load_system(system).recipe}
    for place, (panel, target) in enumerate(zip(panels, targets, strict=True)):
        lines = importance[importance["target"] == target].set_index("block").reindex(names)
        _bars(panel, lines[value], lines["spread"].fillna(0.0) if "spread" in lines else 0.0 * lines[value])
        panel.set_yticks(range(len(names)), names if place % 2 == 0 else [])
        panel.set_title(labels.get(target, target), fontsize=10)
        panel.set_xlabel(label)
    return figure


def high_conversion(table: pd.DataFrame, threshold: float = HIGH_CONVERSION, system: AnySystem = DEFAULT) -> Figure:
    """Plot reactions above a conversion, beside all, by temperature, initiator and monomer.

    The study's Figures 3 to 5; it counts 86 of 432 reactions above 90 % at their last time.

    Args:
        table: Rows with recipe and residual monomer; each reaction is taken at its last time.
        threshold: Of the conversion, which counts from there on.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Returns:
        One panel for each of the conditions.
    """
    system = load_system(system)
    last = at_last_time(table, system)
    above = last[conversion(last, system) >= threshold]
    conditions = system.recipe[:-1]
    figure = Figure(figsize=(WIDTH, 2.2 * len(conditions)), layout="constrained")
    figure.suptitle(f"{len(above)} of {len(last)} reactions reach a conversion of {threshold:.0%} at their last time")
    for panel, quantity in zip(figure.subplots(len(conditions), 1), reversed(conditions), strict=True):
        _counts(panel, last[quantity.name], above[quantity.name], f"conversion of {threshold:.0%} or more")
        panel.set_xlabel(quantity.axis)
        panel.set_ylabel("reactions")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def closed_loop(table: pd.DataFrame, title: str) -> Figure:
    """Plot the closed loop: MMD distance of answered recipes over that of replicates.

    Args:
        table: A line for each row: ``distance`` of the curves, ``floor`` (that of two reactions of the same recipe),
            ``ratio`` of the two, ``error_Mn``, ``error_Mw``, ``error_conversion``. Only the ratio is drawn.
        title: Says which rows.
    """
    ratio = table["ratio"].to_numpy(dtype=float)
    drawn = ratio[np.isfinite(ratio) & (ratio > 0)]
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    left_out = f"; without a ratio: {len(ratio) - len(drawn)}" if len(drawn) < len(ratio) else ""
    figure.suptitle(title + left_out)
    panel = figure.subplots()
    panel.set_xscale("log")
    _plain_logarithmic(panel.xaxis, (1, 2, 5))
    panel.set_xlabel("distance of the curves / distance that noise alone makes")
    panel.set_ylabel("rows")
    panel.axvline(1, color=INK, linestyle="--", linewidth=1.2, label="1: as near as noise allows")
    if len(drawn):
        low, high = min(drawn.min(), 0.8), max(drawn.max(), 1.25)
        panel.hist(drawn, np.geomspace(low, high, 41).tolist(), color=BLUE, edgecolor="white", linewidth=0.4)
        median = float(np.median(drawn))
        panel.axvline(median, color=RED, linewidth=1.6, label=f"median: {median:.2f}")
    panel.legend(frameon=False)
    return figure


def assessments(table: pd.DataFrame, title: str) -> Figure:
    """Plot the share of rows inside, at the edge and outside of the applicability domain, by subset.

    Args:
        table: ``subset``, ``applicability`` (inside, edge, outside) and ``share``, shares of a subset summing to one.
        title: Over the bars.
    """
    shares = table.pivot(index="subset", columns="applicability", values="share").fillna(0.0)
    shares = shares.reindex(table["subset"].unique()).reindex(columns=list(GRADES), fill_value=0.0)
    figure = Figure(figsize=(WIDTH, 1.5 + 0.5 * len(shares)), layout="constrained")
    figure.suptitle(title)
    panel, begin = figure.subplots(), np.zeros(len(shares))
    for grade, (colour, hatch) in GRADES.items():
        width = shares[grade].to_numpy()
        panel.barh(
            range(len(shares)), width, 0.62, left=begin, color=colour, hatch=hatch, edgecolor="white", label=grade
        )
        for at in np.flatnonzero(width >= 0.05).tolist():
            panel.text(begin[at] + width[at] / 2, at, f"{width[at]:.0%}", ha="center", va="center", color=INK,
                       bbox={"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.2"})  # fmt: skip
        begin = begin + width
    panel.set_yticks(range(len(shares)), shares.index)
    panel.invert_yaxis()
    panel.set_xlim(0, 1)
    panel.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    panel.set_xlabel("share of the rows")
    figure.legend(loc="outside lower center", ncols=len(GRADES), frameon=False)
    return figure


def _named(targets: Sequence[str], system: System) -> list[Quantity]:
    return [quantity for quantity in system.recipe if quantity.name in targets]


def _pairs(names: Sequence[str]) -> list[list[str]]:
    even = [*names, *names[len(names) - len(names) % 2 :]]  # a last one alone is as wide as two
    return [even[at : at + 2] for at in range(0, len(even), 2)]


def _grid(names: Sequence[str], height: float) -> tuple[Figure, list[Axes]]:
    """Make a figure with a panel for each name, two in a row."""
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, height * rows + 0.5), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for idle in panels[len(names) :]:
        idle.remove()
    return figure, panels[: len(names)]


def _parity(panel: Axes, true: np.ndarray, predictions: np.ndarray) -> None:
    """Plot predictions (R, N) of true values (N,) as points with error bars, and the line where they are equal."""
    mean, spread = (
        predictions.mean(0),
        predictions.std(0, ddof=1) if len(predictions) > 1 else None,
    )
    points: dict[str, Any] = {"fmt": "o", "markersize": 2.6, "markeredgewidth": 0, "color": DARK, "alpha": 0.45}
    panel.errorbar(true, mean, spread, ecolor=BLUE, elinewidth=0.5, **points)
    ends = [min(true.min(), mean.min()), max(true.max(), mean.max())]
    panel.plot(ends, ends, color=RED, linestyle="--", linewidth=1.2, zorder=3)
    panel.set_box_aspect(1)


def _losses(panel: Axes, curves: dict[str, pd.Series]) -> None:
    for tag, colour, style, name in (
        ("train/loss", ORANGE, "--", "training"),
        ("val/loss", DARK, "-", "validation"),
    ):
        if tag in curves:
            panel.plot(curves[tag].index, curves[tag], color=colour, linestyle=style, linewidth=1.2, label=name)
    best, lowest = curves["val/loss"].idxmin(), curves["val/loss"].min()
    label = f"lowest validation loss: {lowest:.4g}, epoch {best}"
    panel.plot([best], [lowest], "o", color=RED, markersize=5, label=label)
    if lowest > 0:  # a likelihood may be negative
        panel.set_yscale("log")
        _plain_logarithmic(panel.yaxis, (1, 1.5, 2, 3, 5, 7))
    panel.set_title("loss, mean over the members", fontsize=10)
    panel.set_ylabel("loss")
    panel.grid(alpha=0.3, which="both")
    panel.legend(frameon=False)


def _r2_curves(panel: Axes, curves: dict[str, pd.Series], target: str) -> None:
    train, val = curves.get(f"train/r2/{target}"), curves[f"val/r2/{target}"]
    if train is not None:
        panel.plot(train.index, train, color=ORANGE, linewidth=1, linestyle="--", label="training")
    panel.plot(val.index, val, color=DARK, linewidth=1.2, label="validation")
    low, high = (curves.get(f"val/r2/{target}/{end}") for end in ("low", "high"))
    if low is not None and high is not None:
        panel.fill_between(low.index, low, high, color=BLUE, alpha=0.4, linewidth=0, label="± over the members")
    panel.set_ylabel("R²")
    panel.grid(alpha=0.3)


def _bars(panel: Axes, lengths: pd.Series, spread: pd.Series) -> None:
    """Plot a horizontal bar with its number for each block; the whole curve in a colour of its own."""
    colours = [ORANGE if name == WHOLE_CURVE else BLUE for name in lengths.index]
    panel.barh(range(len(lengths)), lengths, xerr=spread, color=colours, error_kw={"linewidth": 0.9})
    for at, (length, end) in enumerate(zip(lengths, (lengths + spread).clip(lower=0), strict=True)):
        if np.isfinite(length):
            text = f"{round(length, 2) + 0.0:.2f}"  # no minus before a zero
            panel.annotate(text, (end, at), (3, 0), textcoords="offset points", va="center", fontsize=8, color=INK)
    panel.axvline(0, color=INK, linewidth=0.6)
    panel.margins(x=0.2)
    panel.set_xlim(right=max(panel.get_xlim()[1], NARROWEST))
    panel.invert_yaxis()


def _plain_logarithmic(axis: Axis, steps: Sequence[float]) -> None:
    """Label a logarithmic axis with plain numbers, at these steps of each decade."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def _counts(panel: Axes, of_all: pd.Series, of_above: pd.Series, label: str) -> None:
    """Bars of both by level of a grid, or by interval where there are more values than levels of one."""
    levels = np.unique(of_all)
    if len(levels) <= LEVELS:
        counts = [of_all.value_counts(), of_above.value_counts()]
        heights = [count.reindex(levels, fill_value=0).to_numpy() for count in counts]
        names = [f"{level:g}" for level in levels]
        panel.set_xticks(range(len(levels)), names)
        at, width = np.arange(len(levels)), 0.8
    else:
        edges = np.histogram_bin_edges(of_all, LEVELS)
        heights = [np.histogram(values, edges)[0] for values in (of_all, of_above)]
        at, width = (edges[:-1] + edges[1:]) / 2, 0.92 * (edges[1] - edges[0])
    panel.bar(at, heights[0], width, color=GREY, label="all reactions")
    bars = panel.bar(at, heights[1], width, color=DARK, label=label)
    panel.bar_label(bars, fontsize=9, color=INK, padding=1)
    panel.margins(y=0.08)
