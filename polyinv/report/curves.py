"""Figure of observed curves and the simulated curves of answered recipes."""

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.evaluation.simulated import simulated
from polyinv.mmd import LOG_M
from polyinv.quantities import MMD
from polyinv.report.figures import DENSITY, GREY, INK, LOG_MASS, ORANGE, Figure

MOST = 12
"""Panels of a picture; further rows are left out."""
SHOWN = 1e-3
"""Of the peak: from where on a curve is shown."""


def compared(table: pd.DataFrame, answers: pd.DataFrame, system: AnySystem = DEFAULT) -> Figure:
    """Plot a panel for each row that has a curve, twelve at most.

    Args:
        table: Rows with the columns of ``MMD``, NaN without a curve.
        answers: The same rows with the recipe and, if there are, ``applicability`` and ``mmd_distance``.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
    """
    system = load_system(system)
    rows = table.index[table[MMD[0]].notna()][:MOST]
    across = min(3, max(1, len(rows)))
    down = -(-len(rows) // across) or 1
    figure = Figure(figsize=(4.6 * across + 0.4, 3.6 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    recipes = torch.from_numpy(answers.loc[rows, list(system.targets)].to_numpy(dtype=float, copy=True))
    made = simulated(recipes, method="deterministic", system=system).mmd[:, 0].numpy() if len(rows) else np.empty(0)
    for panel, row, curve in zip(panels, rows, made, strict=False):
        _panel(panel, table.loc[row, list(MMD)].to_numpy(dtype=float), curve, answers.loc[row], row, system)
    for panel in panels[len(rows) :]:
        panel.axis("off")
    if len(rows):
        panels[0].legend(frameon=False, fontsize=8)
    else:
        panels[0].text(0.5, 0.5, "no row has a curve", ha="center")
    return figure


def _panel(panel: Axes, observed, made, answer: pd.Series, row: object, system: System) -> None:  # noqa: ANN001 (arrays)
    panel.fill_between(LOG_M, observed, color=GREY, alpha=0.6, linewidth=0, label="observed")
    panel.plot(LOG_M, observed, color=INK, linewidth=0.8)
    panel.plot(LOG_M, made, color=ORANGE, linewidth=1.6, label="simulated from the answer")
    there = LOG_M[(observed > SHOWN * observed.max()) | (made > SHOWN * made.max())]
    panel.set_xlim(there[0] - 0.2, there[-1] + 0.2)
    panel.set_ylim(bottom=0)
    panel.set_xlabel(LOG_MASS)
    panel.set_ylabel(DENSITY)
    recipe = ", ".join(f"{quantity.name} {answer[quantity.name]:.4g}" for quantity in system.recipe)
    said = [f"row {row}: {recipe}"]
    if "applicability" in answer:
        said.append(f"{answer['applicability']}; {answer['mmd_distance']:.1%} MMD distance")
    panel.set_title("\n".join(said), fontsize=8)
