"""Do designs make what is wished for? python scripts/check_design.py, about five minutes of one core.

Curves of random recipes are to be made again; what can be made is compared with random simulations; tolerances with
kinetic Monte Carlo.
"""

import argparse
import logging
import time

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import System, load_system
from polyinv.data.source import simulate_table
from polyinv.design.designs import CHANGES, design
from polyinv.design.properties import PROPERTIES, Polymers, polymers
from polyinv.design.search import REPLICATES
from polyinv.report.tables import markdown
from polyinv.runtime.threads import one_thread
from polyinv.simulate.recipes import random_recipes, to_unit

SEED = 31
DISTINCT = 0.1
"""Least distance of two recipes, in the units of `polyinv.simulate.recipes.to_unit`, that counts as distinct."""
LIMITS = {"D": (2.0, 2.2, 2.5, 3.0), "Mn": (30e3, 60e3, 100e3)}
"""Of a property; the largest conversion below it is asked for."""
KMC_CHAINS, KMC_REPLICATES = 3e6, 8


def random_polymers(count: int, seed: int, system: System) -> Polymers:
    """Polymers of recipes uniform in the box."""
    return polymers(to_unit(random_recipes(count, torch.Generator().manual_seed(seed), system), system), system)


def made_again(rows: int, system: System) -> pd.DataFrame:
    """A line for each curve that is to be made: distances, distinct recipes and CPU seconds."""
    lines = []
    for curve in random_polymers(rows, SEED, system).curves:
        start = time.process_time()
        table = design([], system, curve=curve, count=5).table()
        unit = to_unit(torch.from_numpy(table[list(system.targets)].to_numpy(copy=True)), system)
        lines.append(
            {
                "nearest": table["mmd_distance"].min(),
                "farthest of five": table["mmd_distance"].max(),
                "recipes": len(table),
                "apart": torch.pdist(unit).min().item() if len(table) > 1 else np.nan,
                "CPU s": time.process_time() - start,
            }
        )
    return pd.DataFrame(lines)


def known_but_one(rows: int, system: System) -> pd.DataFrame:
    """Relative errors of the value that is asked for, when temperature and time are known: shares of the box."""
    found = random_polymers(rows, SEED + 1, system)
    errors = []
    for recipe, curve in zip(found.recipes, found.curves, strict=True):
        known = [f"temp={recipe[2].item()!r}", f"time={recipe[-1].item()!r}"]
        table = design(known, system, curve=curve, count=1).table()
        errors.append([abs(table[name][0] / recipe[at].item() - 1) for at, name in enumerate(system.targets[:2])])
    return pd.DataFrame(errors, columns=list(system.targets[:2]))


def reachable(count: int, system: System) -> pd.DataFrame:
    """Most conversion below limits of other properties: as designed, and of random recipes."""
    tried, lines = random_polymers(count, SEED + 2, system), []
    values = dict(zip(PROPERTIES, tried.physical().T, strict=True))
    for name, limits in LIMITS.items():
        for limit in limits:
            sign = "<" if name == "D" else ">"
            wish = f"{name}{sign}{limit:g}"
            inside = values[name] < limit if name == "D" else values[name] > limit
            table = design([wish], system, maximize=["conversion"], count=1).table()
            most = values["conversion"][inside].max().item()
            lines.append({"with": wish, "most conversion, designed": table["conversion"][0], "of random": most})
    table = pd.DataFrame(lines)
    return table.assign(beaten=table["most conversion, designed"] < table["of random"] - 1e-3)


def tolerances(rows: int, system: System) -> pd.DataFrame:
    """Deviation of told tolerances of Mn from those of kinetic Monte Carlo, in its standard errors."""
    lines = []
    for Mn in np.linspace(25e3, 80e3, rows):
        line = design([f"Mn={Mn:.0f}", "conversion>=40%"], system, count=1).table().iloc[0]
        recipe = line[list(system.targets)].astype(float)
        for quantity in system.recipe:
            step = CHANGES[quantity.unit] * (recipe[quantity.name] if quantity.unit == "mol/L" else 1.0)
            ends = [_log_Mn(recipe, quantity.name, sign * step, system) for sign in (1, -1)]
            change = 50 * (ends[0].mean() - ends[1].mean()).item()
            error = 50 * sum(end.var().item() / len(end) for end in ends) ** 0.5
            told = line[f"Mn_per_{quantity.name}"]
            lines.append({"value": quantity.name, "told": told, "kmc": change, "deviation": (told - change) / error})
    return pd.DataFrame(lines)


def _log_Mn(recipe: pd.Series, name: str, step: float, system: System) -> Tensor:
    changed = recipe.copy()
    changed[name] += step
    options = {"method": "kmc", "chains": KMC_CHAINS, "seed": SEED, "replicates": KMC_REPLICATES}
    made = simulate_table(changed.to_frame().T, system=system, **options)
    return torch.from_numpy(made["Mn"].to_numpy(copy=True)).log()


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", default="butyl_acrylate")
    parser.add_argument("--rows", type=int, default=200, help="curves that are to be made")
    parser.add_argument("--random", type=int, default=100_000, help="recipes that what can be made is compared with")
    parser.add_argument("--tolerances", type=int, default=4, help="designs whose tolerances are simulated")
    given = parser.parse_args()
    logging.getLogger("polyinv").setLevel(logging.ERROR)
    system = load_system(given.system)
    again = made_again(given.rows, system)
    within = (again["nearest"] <= REPLICATES).mean()
    print(
        f"{given.rows} curves: {within:.1%} made within what replicates of a million chains differ by, {REPLICATES:.1%}"
    )
    five = (again["recipes"] == 5) & (again["apart"] > DISTINCT) & (again["farthest of five"] <= REPLICATES)
    print(f"five distinct recipes within that: {five.mean():.1%}")
    print(f"CPU s: median {again['CPU s'].median():.2f}, most {again['CPU s'].max():.2f}\n")
    errors = known_but_one(min(given.rows, 50), system)
    print("temperature and time known, relative error of the rest, median and most:")
    print(", ".join(f"{name} {column.median():.1e}, {column.max():.1e}" for name, column in errors.items()), "\n")
    print(markdown(reachable(given.random, system).round(4).astype(str)), "\n")
    found = tolerances(given.tolerances, system)
    print(markdown(found.round(2).astype(str)))
    print(f"\nroot mean square deviation {found['deviation'].pow(2).mean() ** 0.5:.2f} standard errors")


if __name__ == "__main__":
    main()
