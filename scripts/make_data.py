"""Make the bundled data sets again: `python scripts/make_data.py FOLDER`, a few minutes on two cores.

Writes ``grid.npz`` and ``off_grid.npz``, the list of off-grid recipes, and prints what belongs into ``card.yaml``. A
killed call goes on where it was. With another processor or other versions of numba and numpy the last bits of a rate
may differ, and with them single chains: the checksum tells.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from polyinv.chemistry.butyl_acrylate import RECIPE
from polyinv.cli import main as polyinv
from polyinv.data.workbook import checksum, read_table

OFF_GRID_RECIPES, RECIPE_SEED = 1000, 20260  # of the recipes; the runs have a seed of their own
GRID_SEED, OFF_GRID_SEED = 1, 2


def off_grid_recipes() -> pd.DataFrame:
    """Recipes uniform in the published box, rounded to what a laboratory can set."""
    rng = np.random.default_rng(RECIPE_SEED)
    digits = {"cBA_0": 4, "cAIBN_0": 6, "temp": 2, "time": 0}
    return pd.DataFrame({q.name: rng.uniform(q.low, q.high, OFF_GRID_RECIPES).round(digits[q.name]) for q in RECIPE})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    recipes = folder / "off_grid_recipes.csv"
    off_grid_recipes().to_csv(recipes, index=False, lineterminator="\n")
    kmc = ["simulate", "--method", "kmc", "--chains", "1e6"]
    jobs = {
        "grid": [*kmc, "--seed", str(GRID_SEED)],
        # The volume of the grid: 1e6 chains by 3600 s, however early the snapshot is taken.
        "off_grid": [*kmc, "--horizon", "3600", "--seed", str(OFF_GRID_SEED), "--recipes", str(recipes)],
    }
    for name, arguments in jobs.items():
        out = folder / f"{name}.npz"
        if not out.exists() and polyinv([*arguments, "--out", str(out)]) != 0:
            raise SystemExit(2)
        table = read_table(out)
        print(f"{name}: rows {len(table)}, sha256 {checksum(table)}, {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
