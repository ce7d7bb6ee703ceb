"""Check the errors that answers state for kinetics as uncertain as in the literature, on drawn laboratories.

Each laboratory has coefficients drawn at the uncertainty of the system's file; its polymers are answered as if they
were those of the file. Of the answers that are inside the applicability domain, how many err by less than they say?

    python scripts/check_literature.py --laboratories 20 --polymers 60
"""

import argparse
import logging
from dataclasses import replace

import pandas as pd
import torch

import polyinv
from polyinv.chemistry import DEFAULT, System, load_system
from polyinv.chemistry.draws import draws
from polyinv.data.laboratory import observations_of
from polyinv.evaluation.information import box_variance
from polyinv.simulate.recipes import random_recipes

PATTERNS = {
    "mmd+temp+time": ("temp", "time"),
    "mmd+temp": ("temp",),
    "composite+temp": ("composite", "temp"),
    "composite": ("composite",),
    "composite+temp+time": ("composite", "temp", "time"),
}
CHAINS = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default=DEFAULT)
    parser.add_argument("--laboratories", type=int, default=20)
    parser.add_argument("--polymers", type=int, default=60, help="of each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.getLogger("polyinv").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    system = load_system(options.system)
    chemistries = draws(system, options.laboratories, torch.Generator().manual_seed(options.seed))
    laboratories = [replace(system, chemistry=each) for each in chemistries]
    print("| inputs | value | R² | outside | typical error | below it | with the literature | below it |")
    print("|---|---|---|---|---|---|---|---|")
    for pattern, known in PATTERNS.items():
        parts = [
            answered(laboratory, options.seed + 1 + at, options.polymers, known, system)
            for at, laboratory in enumerate(laboratories)
        ]
        describe(
            pattern, pd.concat(parts, ignore_index=True), [name for name in system.targets if name not in known], system
        )


def answered(laboratory: System, seed: int, count: int, known: tuple[str, ...], system: System) -> pd.DataFrame:
    """Answers to polymers of a laboratory by the released network of a system, with the errors that they have."""
    recipes = random_recipes(count, torch.Generator().manual_seed(seed), system)
    seen = replace(observations_of(recipes, "ordinary", CHAINS, seed, laboratory), system=system)
    seen = seen.forgetting([name for name in system.targets if name not in known])
    if "composite" not in known:
        seen = replace(seen, residual_monomer=torch.full_like(seen.Mn, torch.nan))
    answers = polyinv.load(system=system.name).predict(seen, sharpen=False).reset_index(drop=True)
    for at, name in enumerate(system.targets):
        answers[f"{name}_error"] = (answers[name] - recipes[:, at].numpy()).abs()
    return answers


def describe(pattern: str, answers: pd.DataFrame, asked: list[str], system: System) -> None:
    """Print a line for each value that was asked for."""
    outside = (answers["applicability"] == "outside").mean()
    for name in asked:
        error = answers[f"{name}_error"]
        row = []
        for end in ("rmse", "rmse_literature"):
            stated = answers[f"{name}_{end}"].dropna()
            row += [f"{stated.median():.2g}", f"{(error[stated.index] < stated).mean():.2f}"]
        variance = box_variance(system)[system.targets.index(name)].item()
        print(f"| {pattern} | {name} | {1 - (error**2).mean() / variance:.2f} | {outside:.2f} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
