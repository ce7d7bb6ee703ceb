"""Figure of the calibration of a posterior: how many truths its intervals hold."""

import numpy as np
import pandas as pd

from polyinv.posterior.calibration import DENSITY, JOINT
from polyinv.report.figures import BLUE, DARK, GREY, INK, ORANGE, Figure
from polyinv.report.panels import WIDTH

STYLES = ("-", "--", ":")
COLOURS = (DARK, BLUE, ORANGE)


def coverage(table: pd.DataFrame, title: str) -> Figure:
    """Plot the share of the truths in intervals against the share that these claim, a panel for each target.

    Args:
        table: Of `polyinv.posterior.checks.calibration`.
        title: Over all panels.
    """
    shown = table[table["check"].isin(["marginal", DENSITY])]
    names = sorted(dict.fromkeys(shown["target"]), key=lambda name: name == JOINT)
    down = -(-len(names) // 2)
    figure = Figure(figsize=(WIDTH, 2.9 * down + 0.6), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(down, 2, squeeze=False).ravel()
    columns = [name for name in table.columns if name.startswith("coverage_")]
    claimed = np.array([float(name.removeprefix("coverage_")) / 100 for name in columns])
    levels, chains = (list(dict.fromkeys(shown[name])) for name in ("errors", "chains"))
    for panel, name in zip(panels, names, strict=False):
        panel.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        for line in shown[shown["target"] == name].itertuples():
            held = [getattr(line, column) for column in columns]
            colour = COLOURS[levels.index(line.errors) % len(COLOURS)]
            style = STYLES[chains.index(line.chains) % len(STYLES)]
            panel.plot(
                claimed, held, style, color=colour, linewidth=1, label=f"{line.errors}, {line.chains:.0e} chains"
            )
        panel.set_title("joint, of highest density" if name == JOINT else name, fontsize=9, color=INK)
        panel.set_xlabel("share claimed", fontsize=8)
        panel.set_ylabel("share of the truths", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.set_aspect("equal")
    for panel in panels[len(names) :]:
        panel.axis("off")
    if len(names) % 2:
        handles, labels = panels[0].get_legend_handles_labels()
        panels[-1].legend(handles, labels, loc="center", frameon=False, fontsize=8)
    else:
        panels[0].legend(frameon=False, fontsize=6)
    return figure
