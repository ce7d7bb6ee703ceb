"""Do designs make what is wished for? python scripts/check_design.py, about a quarter of an hour of one core.

Curves of random recipes are to be made again; what can be made is compared with random simulations; fronts with the
best points of the published grid; tolerances with kinetic Monte Carlo.
"""

import argparse
import logging
import time
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import System, load_system
from polyinv.data.source import simulate_table
from polyinv.design.designs import CHANGES, design
from polyinv.design.front import hypervolume, unbeaten
from polyinv.design.properties import PROPERTIES, Polymers, polymers
from polyinv.design.search import REPLICATES
from polyinv.evaluation.closed_loop import distance
from polyinv.report.tables import markdown
from polyinv.runtime.threads import one_thread
from polyinv.simulate.recipes import grid, random_recipes, to_unit

SEED = 31
DISTINCT = 0.1
"""Least distance of two recipes, in the units of `polyinv.simulate.recipes.to_unit`, that counts as distinct."""
LIMITS = {"D": (2.0, 2.2, 2.5, 3.0), "Mn": (30e3, 60e3, 100e3)}
"""Of a property; the largest conversion below it is asked for."""
FIGURE_1 = torch.tensor([[1.0, 0.02, 70.0, 3600.0]], dtype=torch.float64)
"""Recipe of the wanted curve in Figure 1 of Fiosina et al. (2023)."""
WORST, POINTS = (0.1, 1.0, 1.0), 100
"""Distance, shares of the longest time and of the monomer from which on a recipe is nothing; designs of a front."""
OFF = 1.01
"""Half widths of a band from the middle from which on it is missed."""
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


def answered(rows: int, tried: Polymers, system: System) -> pd.DataFrame:
    """A line for each target in Mn, dispersity and conversion: whether a recipe was found, and whether there is one.

    Half of the targets are those of random recipes, half lie anywhere between the least and the most that ``tried``
    have. There is one if any of these has it; a recipe that was found is simulated by the reference solver.
    """
    generator, names = torch.Generator().manual_seed(SEED + 4), ("Mn", "D", "conversion")
    have = tried.physical()[:, [PROPERTIES.index(name) for name in names]]
    scale = torch.cat([have[:, :2].log(), have[:, 2:]], 1)
    low, high = scale.min(0).values, scale.max(0).values
    anywhere = low + (high - low) * torch.rand(rows - rows // 2, 3, generator=generator, dtype=torch.float64)
    anywhere[:, :2] = anywhere[:, :2].exp()
    made = random_polymers(rows // 2, SEED + 4, system).physical()[:, [PROPERTIES.index(name) for name in names]]
    lines: list[dict[str, Any]] = []
    for target in torch.cat([made, anywhere]):
        half = torch.tensor([0.02, 0.02, 0.01], dtype=torch.float64) * torch.cat([target[:2], torch.ones(1)])
        half[2] = min(half[2], target[2].item(), 1 - target[2].item())  # no conversion lies beyond 0 or 1
        given = [f"{name}={at!r}±{by!r}" for name, at, by in zip(names, target.tolist(), half.tolist(), strict=True)]
        start = time.process_time()
        found = design(given, system, count=1)
        line = {
            "target": "of a recipe" if len(lines) < len(made) else "anywhere",
            "found": found.found is not None,
            "exists": bool(((have - target).abs() <= half).all(1).any()) or len(lines) < len(made),
            "CPU s": time.process_time() - start,
        }
        if found.found is not None:
            again = simulate_table(found.table()[list(system.targets)], method="deterministic", system=system).iloc[0]
            values = (again["Mn"], again["Mw"] / again["Mn"], 1 - again[system.residual] / again[system.targets[0]])
            line["off"] = ((torch.tensor(values, dtype=torch.float64) - target).abs() / half).max().item()
        lines.append(line)
    return pd.DataFrame(lines)


def reachable(tried: Polymers, system: System) -> pd.DataFrame:
    """Most conversion below limits of other properties: as designed, and of random recipes."""
    lines = []
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


def against_grid(rows: int, system: System) -> pd.DataFrame:
    """Front of a curve, least time and most conversion, and the best points of the system's grid, a line each curve.

    The question of Fiosina et al. (2024), who look for recipes of vinyl acetate in a list that was simulated before.
    The first curve is that of Figure 1 of their study of butyl acrylate, which is a point of the grid; the others are
    those of random recipes. Neither side has noise. Volumes are shares of what lies below ``WORST`` in all three.
    """
    listed = torch.from_numpy(grid(system).to_numpy(copy=True))
    tried = polymers(to_unit(listed, system), system)
    targets = [
        polymers(to_unit(FIGURE_1, system), system).curves[0],
        *random_polymers(rows - 1, SEED + 3, system).curves,
    ]
    return pd.DataFrame([_beside_grid(curve, tried, system) for curve in targets])


def _beside_grid(curve: Tensor, tried: Polymers, system: System) -> dict[str, float]:
    of_grid = _objectives(tried, curve, system)
    of_grid = of_grid[(of_grid < 1).all(1)]
    of_grid = of_grid[unbeaten(of_grid)]
    start = time.process_time()
    wanted = [f"mmd_distance<={WORST[0]:.0%}"]
    options: dict[str, Any] = {"minimize": ["time", "mmd_distance"], "maximize": ["conversion"], "count": POINTS}
    found = design(wanted, system, curve=curve, **options)
    took = time.process_time() - start
    designed = _objectives(found.shown, curve, system)
    beaten = [bool((designed <= point + 1e-6).all(1).any()) for point in of_grid]
    ahead = [bool((of_grid <= point - 1e-6).all(1).any()) for point in designed]
    return {
        "best of grid": len(of_grid),
        "designs": len(designed),
        "volume, grid": hypervolume(of_grid.numpy(), np.ones(3)),
        "volume, designs": hypervolume(designed.numpy(), np.ones(3)),
        "volume, both": hypervolume(torch.cat([of_grid, designed]).numpy(), np.ones(3)),
        "grid beaten": float(np.mean(beaten)),
        "designs beaten": float(np.mean(ahead)),
        "CPU s": took,
    }


def _objectives(found: Polymers, curve: Tensor, system: System) -> Tensor:
    """Distance, time and 1 - conversion of M polymers, each by what is too much, (M, 3)."""
    missing = 1 - found.physical()[:, PROPERTIES.index("conversion")]
    of_time = found.recipes[:, -1] / system.horizon
    return torch.stack([distance(found.curves, curve) / WORST[0], of_time / WORST[1], missing / WORST[2]], 1)


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
    options: dict[str, Any] = {"method": "kmc", "chains": KMC_CHAINS, "seed": SEED, "replicates": KMC_REPLICATES}
    made = simulate_table(changed.to_frame().T, system=system, **options)
    return torch.from_numpy(made["Mn"].to_numpy(copy=True)).log()


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", default="butyl_acrylate")
    parser.add_argument("--rows", type=int, default=200, help="curves that are to be made")
    parser.add_argument("--random", type=int, default=100_000, help="recipes that what can be made is compared with")
    parser.add_argument("--targets", type=int, default=400, help="targets in Mn, dispersity and conversion")
    parser.add_argument("--fronts", type=int, default=8, help="curves whose fronts stand beside the best of the grid")
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
    tried = random_polymers(given.random, SEED + 2, system)
    print(markdown(reachable(tried, system).round(4).astype(str)), "\n")
    asked = answered(given.targets, tried, system)
    cannot, can = asked["exists"] & ~asked["found"], asked["off"] > OFF
    print(f"{len(asked)} targets, {asked['found'].sum()} of them found; CPU s: most {asked['CPU s'].max():.2f}")
    print(f"said not to be made though a recipe makes it: {cannot.sum()} of {(asked['exists']).sum()}")
    print(f"said to be made though the recipe does not: {can.sum()} of {asked['found'].sum()}\n")
    beside = against_grid(given.fronts, system)
    print(markdown(beside.round(3).astype(str)))
    of_grid, designed = beside["volume, grid"], beside["volume, designs"]
    print(f"median volume {of_grid.median():.3f} of the grid, {designed.median():.3f} of the designs")
    print(f"ratio {(designed / of_grid).min():.2f} to {(designed / of_grid).max():.2f}\n")
    found = tolerances(given.tolerances, system)
    print(markdown(found.round(2).astype(str)))
    print(f"\nroot mean square deviation {found['deviation'].pow(2).mean() ** 0.5:.2f} standard errors")


if __name__ == "__main__":
    main()
