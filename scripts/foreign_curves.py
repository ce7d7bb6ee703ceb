"""How far an answer moves when its curve is exported on another grid or cut off; a table of docs/explanation/domain.md.

python scripts/foreign_curves.py                           # two minutes of one core

The curves are exact but for the way in which they were exported, and taken for those of an ordinary laboratory, as
`polyinv predict` takes any curve of which nothing is said.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.interpolate import CubicSpline

import polyinv
from polyinv.chemistry.butyl_acrylate import TARGETS
from polyinv.data.bundled import load_bundled
from polyinv.data.measured import curve_of
from polyinv.data.observations import Observations
from polyinv.domain.assessment import assess
from polyinv.evaluation.closed_loop import distance
from polyinv.instrument.errors import measurement_errors
from polyinv.mmd import BIN_EDGES, LOG_M, STEP, without_oligomers
from polyinv.report.tables import markdown

ROOT = Path(__file__).resolve().parent.parent
Export = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def on(points: np.ndarray) -> Export:
    """Values of the curve at other points, as an instrument has them: the slope of the mass up to there."""

    def read(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        up_to = CubicSpline(BIN_EDGES, np.concatenate([[0.0], w.cumsum() * STEP]))
        inside = (points >= BIN_EDGES[0]) & (points <= BIN_EDGES[-1])
        return points[inside], up_to(points[inside], 1).clip(min=0)

    return read


def by_lines(points: np.ndarray) -> Export:
    """Read off at other points by straight lines from node to node, as a spreadsheet does: its peaks are blurred."""
    return lambda w: (points, np.interp(points, LOG_M, w))


def cut(low: float, high: float) -> Export:
    """Keep the nodes between two log10 M."""
    there = (low <= LOG_M) & (high >= LOG_M)
    return lambda w: (LOG_M[there], w[there])


WAYS: dict[str, Export] = {
    "the nodes of the grid": by_lines(LOG_M),
    "seven times as fine": on(np.linspace(1, 8, 614)),
    "half a step aside": on(LOG_M[:-1] + 0.04),
    "steps of 0.1": on(np.arange(1.0, 8.0, 0.1)),
    "steps of 0.16": on(np.arange(1.0, 8.0, 0.16)),
    "seven times as fine, by lines": by_lines(np.linspace(1, 8, 614)),
    "half a step aside, by lines": by_lines(LOG_M[:-1] + 0.04),
    "every second node": by_lines(LOG_M[::2]),
    "cut off below 1000 g/mol": cut(3.0, 8.0),
    "cut off below 3000 g/mol": cut(3.48, 8.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "checkpoints" / "conditional")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--errors", default="ordinary", help="level of errors that the curves are taken to have")
    given = parser.parse_args()
    model, table = polyinv.load(given.model).model, load_bundled("off_grid").head(given.rows)
    true = replace(Observations.from_table(table), assumed=measurement_errors(given.errors))
    lines = []
    for name, export in WAYS.items():
        exported = true.mmd.clone()
        for row, curve in enumerate(true.mmd.numpy()):
            text = "\n".join(f"{a:.5f};{b:.7g}" for a, b in zip(*export(curve), strict=True))
            exported[row] = torch.from_numpy(without_oligomers(curve_of(text, name).w))
        other = replace(true, mmd=exported)
        line = {"exported": name, "MMD distance": f"{distance(true.mmd, exported).mean():.2%}"}
        line["not inside"] = f"{(assess(other.masked('mmd'))['applicability'] != 'inside').mean():.0%}"
        for pattern in ("mmd", "mmd+temp+time"):
            x, moved_x = (part.masked(pattern).x(model.columns) for part in (true, other))
            before, typical = model.predict(x), model.half_widths(x)[0]
            moved = (model.predict(moved_x) - before).abs() / typical
            for target in ("cBA_0", "cAIBN_0"):
                of = moved[:, TARGETS.index(target)]
                line[f"{pattern}: {target}"] = f"{of.median():.2f} ({of.quantile(0.95):.2f})"
        lines.append(line)
    print("Move of an answer over its typical error, median (95 % of rows stay below):\n")
    print(markdown(pd.DataFrame(lines)))


if __name__ == "__main__":
    main()
