"""Page of designs: the recipes, their curves against what is wished for, and the trade-off between two preferences."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from polyinv.chemistry import System
from polyinv.mmd import LOG_M
from polyinv.report.figures import BLUE, DENSITY, GREY, LOG_MASS, ORANGE, Figure
from polyinv.report.html import Section, report
from polyinv.report.scatter import Axis, scatter

SHOWN = 1e-3
"""Of the peak: from where on a curve is shown."""
DRAWN = 9
"""Curves of a picture."""
UNITS = {"Mn": "g/mol", "Mw": "g/mol", "Mp": "g/mol", "heat": "kJ/L", "adiabatic_rise": "K", "cost": "kg"}
"""Of what is no value of the recipe; a cost is that of a kilogram."""


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
        preferences: Columns of the trade-off, none, two or three.
        system: What is polymerized.
    """
    units = {quantity.name: quantity.unit for quantity in system.recipe} | UNITS
    labels = {name: f"{name} / {units[name]}" if name in units else name for name in table}
    of_recipe = [name for name in table if "_per_" not in name]
    whole = {name: table[name].round().astype(int) for name in ("Mn", "Mw", "Mp")}
    recipes = table[of_recipe].assign(**whole).rename(columns=labels)
    tolerated = table[["design", *(name for name in table if "_per_" in name)]].round(2)
    text = (
        "By how many per cent Mn and the dispersity D change if the temperature is 1 °C higher, a concentration 2 % "
        "higher, or the reaction 60 s longer; by the slopes of the rate equations."
    )
    caption = "Curves of the recipes" + (", and the one that is wanted" if wanted is not None else "")
    figures = ((caption, _curves(curves, wanted, table["design"])),)
    drawings = ((_caption(preferences), _front(table, preferences, labels)),) if preferences else ()
    shown = (("Each is simulated by the rate equations", recipes),)
    sections = [
        *([Section("Trade-off", drawings=drawings)] if drawings else []),
        Section("Recipes", tables=shown),
        Section("Curves", figures=figures),
        Section("Tolerances", text, (("Change in per cent", tolerated),)),
    ]
    return report(title, said, sections)


def _caption(preferences: Sequence[str]) -> str:
    third = f", {preferences[2]} as colour" if len(preferences) > 2 else ""
    return (
        f"{preferences[1]} against {preferences[0]}{third}: what less of one costs of the other"
        f"{'s' if third else ''}. Point at a recipe to read it."
    )


def _front(table: pd.DataFrame, preferences: Sequence[str], labels: dict[str, str]) -> Markup:
    axes = [Axis(labels[name], table[name].to_numpy()) for name in preferences]
    return scatter(
        axes[0],
        axes[1],
        [_said(number, line, labels) for number, (_, line) in enumerate(table.iterrows(), 1)],
        *axes[2:],
    )


def _said(number: int, line: pd.Series, labels: dict[str, str]) -> str:
    """What a point of the front is: a line for its role, one for the recipe, one for the polymer and what it costs."""
    at = list(line.index).index("Mn")
    recipe, rest = line.index[1:at], [name for name in line.index[at:] if "_per_" not in name]
    parts = [_listed(line, names, labels) for names in (recipe, rest)]
    return "\n".join([f"{number}: {line['design']}", *parts])


def _listed(line: pd.Series, names: Sequence[str], labels: dict[str, str]) -> str:
    units = {name: labels[name].partition(" / ")[2] for name in names}
    return ", ".join(f"{name} {float(f'{line[name]:.4g}'):g} {units[name]}".strip() for name in names)


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
    axes.set_xlabel(LOG_MASS)
    axes.set_ylabel(DENSITY)
    axes.legend(frameon=False, fontsize=8)
    return figure
