"""Page of designs: the recipes, their curves against what is wished for, and the trade-off between two preferences."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from polyinv.chemistry import System
from polyinv.mmd import LOG_M
from polyinv.report.figures import BLUE, GREY, INK, ORANGE
from polyinv.report.html import Section, report

SHOWN = 1e-3
"""Of the peak: from where on a curve is shown."""
DRAWN = 9
"""Curves of a picture."""


def page(
    title: str,
    said: Sequence[str],
    table: pd.DataFrame,
    curves: np.ndarray,
    wanted: np.ndarray | None,
    preferences: Sequence[str],
    system: System,
) -> str:
    """Make an HTML page of designs.

    Args:
        title: What was wished for.
        said: Lines to say first.
        table: Of `polyinv.design.designs.Designs`, N lines.
        curves: That the recipes make, (N, 100).
        wanted: The curve that is to be made, (100,), if there is one.
        preferences: Columns of the trade-off, none or two.
        system: What is polymerized.
    """
    units = {quantity.name: quantity.unit for quantity in system.recipe}
    of_recipe = [name for name in table if "_per_" not in name]
    whole = {name: table[name].round().astype(int) for name in ("Mn", "Mw", "Mp")}
    recipes = (
        table[of_recipe].assign(**whole).rename(columns={name: f"{name} / {unit}" for name, unit in units.items()})
    )
    tolerated = table[["design", *(name for name in table if "_per_" in name)]].round(2)
    text = (
        "By how many per cent Mn and the dispersity D change if the temperature is 1 °C higher, a concentration 2 % "
        "higher, or the reaction 60 s longer; by the slopes of the rate equations."
    )
    figures = [
        (
            "Curves of the recipes" + (", and the one that is wanted" if wanted is not None else ""),
            _curves(curves, wanted, table["design"]),
        )
    ]
    if len(preferences) == 2:
        figures.append(
            (
                f"{preferences[0]} against {preferences[1]}: what less of one costs of the other",
                _front(table, preferences, units),
            )
        )
    sections = [
        Section("Recipes", "", (("Each is simulated by the rate equations", recipes),), tuple(figures)),
        Section("Tolerances", text, (("Change in per cent", tolerated),)),
    ]
    return report(title, said, sections)


def _curves(curves: np.ndarray, wanted: np.ndarray | None, names: pd.Series) -> Figure:
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.subplots()
    if wanted is not None:
        axes.fill_between(LOG_M, wanted, color=GREY, alpha=0.6, linewidth=0, label="wanted")
    for number, (curve, name) in enumerate(zip(curves[:DRAWN], names, strict=False), start=1):
        axes.plot(
            LOG_M,
            curve,
            color=ORANGE if number == 1 else BLUE,
            linewidth=1.6 if number == 1 else 0.9,
            alpha=1.0 if number == 1 else 0.6,
            label=f"{number}: {name}",
        )
    both = curves if wanted is None else np.vstack([curves, wanted])
    there = LOG_M[(both > SHOWN * both.max()).any(0)]
    axes.set_xlim(there[0] - 0.2, there[-1] + 0.2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("log$_{10}$(M / g mol$^{-1}$)")
    axes.set_ylabel("w(log$_{10}$ M)")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _front(table: pd.DataFrame, preferences: Sequence[str], units: dict[str, str]) -> Figure:
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    x, y = (table[name] for name in preferences)
    axes.plot(x, y, color=INK, linewidth=0.8)
    axes.scatter(x, y, color=ORANGE, zorder=3)
    for number, point in enumerate(zip(x, y, strict=True), start=1):
        axes.annotate(str(number), point, xytext=(4, 4), textcoords="offset points", fontsize=8)
    labels = [f"{name} / {units[name]}" if name in units else name for name in preferences]
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    return figure
