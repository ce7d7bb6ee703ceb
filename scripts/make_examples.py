"""The sample files in examples/files, all simulated with this package; examples/files/README.md says what each one is.

python scripts/make_examples.py                            # a few seconds; the same files byte for byte
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.interpolate import CubicSpline

from polyinv.chemistry.butyl_acrylate import SYSTEM, TARGETS
from polyinv.data.source import simulate_table
from polyinv.mmd import BIN_EDGES, STEP
from polyinv.quantities import MMD
from polyinv.simulate.recipes import random_recipes

ROOT = Path(__file__).resolve().parent.parent
SEED = 20
CURVE = {"cBA_0": 1.5, "cAIBN_0": 0.008, "temp": 70.0, "time": 3600.0}
"""Recipe of the polymer whose curve is exported in three forms."""
POLYMERS = [
    {"sample": "BA-01", "cBA_0": 1.0, "cAIBN_0": 0.005, "temp": 65.0, "time": 1800.0},
    {"sample": "BA-02", "cBA_0": 1.0, "cAIBN_0": 0.015, "temp": 65.0, "time": 1800.0},
    {"sample": "BA-03", "cBA_0": 2.0, "cAIBN_0": 0.010, "temp": 70.0, "time": 900.0},
    {"sample": "BA-04", "cBA_0": 2.0, "cAIBN_0": 0.010, "temp": 70.0, "time": 3600.0},
    {"sample": "BA-05", "cBA_0": 2.6, "cAIBN_0": 0.004, "temp": 75.0, "time": 2700.0},
    {"sample": "BA-06", "cBA_0": 0.7, "cAIBN_0": 0.018, "temp": 78.0, "time": 1200.0},
]
"""Recipes of the results table, which shows the temperature of four of them and no more."""
NOT_MEASURED = {"cBA_time": ["BA-02", "BA-06"], "temp": ["BA-05", "BA-06"]}
"""Cells of the results table that are empty."""
REACTIONS, SNAPSHOTS = 40, (0.25, 0.5, 0.75, 1.0)
"""Known reactions, and their snapshots as shares of the last time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "examples" / "files")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    log_m, w = exported(simulated([CURVE]))
    text = {
        "curve_wingpc.txt": as_wingpc(log_m, w),
        "curve_gpc_tabs.txt": as_tabs(log_m, w),
        "curve_simple.csv": as_csv(log_m, w),
        "polymers.csv": polymers().to_csv(index=False, lineterminator="\n", float_format="%.6g"),
        "recipes.csv": recipes().to_csv(index=False, lineterminator="\n", float_format="%g"),
        "known_runs.csv": known_runs().to_csv(index=False, lineterminator="\n", float_format="%.6g"),
    }
    for name, content in text.items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")


def simulated(recipes: list[dict]) -> pd.DataFrame:
    """Simulate recipes with the noise of 1e6 chains."""
    return simulate_table(pd.DataFrame(recipes), method="sampled", chains=1e6, seed=SEED)


def exported(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Read the first curve off at points 0.02 decades apart, from 1000 g/mol up to where it ends."""
    w = table[list(MMD)].to_numpy()[0]
    up_to = CubicSpline(BIN_EDGES, np.concatenate([[0.0], w.cumsum() * STEP]))
    log_m = np.arange(3.0, 7.0, 0.02).round(2)
    w = up_to(log_m, 1).clip(min=0)
    last = np.flatnonzero(w > 1e-4 * w.max())[-1] + 1
    return log_m[:last], w[:last]


def as_wingpc(log_m: np.ndarray, w: np.ndarray) -> str:
    """Write a curve as WinGPC's text export of a German computer: a head of names and values, decimal commas, tabs."""
    head = [
        "WinGPC-like text export (simulated with polyinv, not measured)",
        "Sample :\tBA-17",
        "Eluent :\tTHF",
        "Calibration :\tPS, universal",
        "",
        "Molar mass [g/mol]\tW(log M)",
    ]
    lines = [f"{10**x:.4e}\t{y:.6f}".replace(".", ",") for x, y in zip(log_m, w, strict=True)]
    return "\n".join([*head, *lines]) + "\n"


def as_tabs(log_m: np.ndarray, w: np.ndarray) -> str:
    """Write a curve as a GPC program's table: slices from high to low M, units in the header, a signal in mV."""
    head = ["# simulated with polyinv, not measured", "Slice\tTime(min)\tLogM(g/mol)\tRI(mV)"]
    time = 24.0 - 2.4 * log_m
    lines = [
        f"{k}\t{t:.3f}\t{x:.2f}\t{40 * y:.4f}"
        for k, (t, x, y) in enumerate(zip(time[::-1], log_m[::-1], w[::-1], strict=True), 1)
    ]
    return "\n".join([*head, *lines]) + "\n"


def as_csv(log_m: np.ndarray, w: np.ndarray) -> str:
    """Write a curve as two columns separated by commas."""
    head = ["# simulated with polyinv, not measured", "M (g/mol),w(log M)"]
    return "\n".join([*head, *(f"{10**x:.1f},{y:.5f}" for x, y in zip(log_m, w, strict=True))]) + "\n"


def polymers() -> pd.DataFrame:
    """Make a results table: names, what was measured, of the recipes the temperature alone, and empty cells."""
    table = simulated(POLYMERS).drop(columns=["cBA_0", "cAIBN_0", "time"])
    table.insert(0, "sample", [row["sample"] for row in POLYMERS])
    for column, samples in NOT_MEASURED.items():
        table.loc[table["sample"].isin(samples), column] = np.nan
    return table


def recipes() -> pd.DataFrame:
    """List recipes to simulate: two reactions, three snapshots of each."""
    conditions = [(1.0, 0.005, 65.0), (2.0, 0.010, 75.0)]
    rows = [(*each, time) for each in conditions for time in (900.0, 1800.0, 3600.0)]
    return pd.DataFrame(rows, columns=list(TARGETS))


def known_runs() -> pd.DataFrame:
    """Simulate random reactions of known recipe, four snapshots of each."""
    drawn = random_recipes(REACTIONS, torch.Generator().manual_seed(SEED), SYSTEM).numpy()
    drawn[:, 0], drawn[:, 1], drawn[:, 2] = drawn[:, 0].round(2), drawn[:, 1].round(4), drawn[:, 2].round(0)
    rows = [[*row[:3], 60 * np.round(share * (1200 + row[3] * 2 / 3) / 60)] for row in drawn for share in SNAPSHOTS]
    table = pd.DataFrame(rows, columns=list(TARGETS))
    return simulate_table(table, method="sampled", chains=1e6, seed=SEED)


if __name__ == "__main__":
    main()
