"""Calibrate a drawn laboratory on three runs, train a network of it, and compare the answers to new polymers.

The laboratory has coefficients drawn at the uncertainty of the system's file, and ordinary errors. The network goes on
from the released one (`configs/laboratory.yaml`).

    python scripts/laboratory_network.py runs/laboratory_network
"""

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import polyinv
from polyinv.calibrate.fit import fit
from polyinv.calibrate.model import LaboratoryModel
from polyinv.calibrate.result import write_system
from polyinv.calibrate.runs import Runs
from polyinv.chemistry import System, load_system
from polyinv.chemistry.coordinates import Coordinates
from polyinv.chemistry.draws import draws
from polyinv.cli import main as command
from polyinv.data.laboratory import observations_of
from polyinv.data.observations import Observations
from polyinv.evaluation.information import box_variance
from polyinv.runtime.resources import RELEASED
from polyinv.simulate.recipes import random_recipes

SYSTEM = load_system("butyl_acrylate")
RUNS, SAMPLES, CHAINS = 3, 3, 1e6
PATTERNS = {"mmd+temp+time": ("temp", "time"), "composite+temp": ("composite", "temp")}
SHARPENED = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--polymers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    (chemistry,) = draws(SYSTEM, 1, torch.Generator().manual_seed(options.seed))
    true, file, network = replace(SYSTEM, chemistry=chemistry), options.folder / "lab.yaml", options.folder / "network"
    if not file.exists():
        runs = own_runs(true, options.seed)
        write_system(fit(LaboratoryModel(runs, Coordinates(SYSTEM))), SYSTEM.name, file)
    if not network.exists():
        configs = [f"--config={name}" for name in ("configs/posterior.yaml", "configs/laboratory.yaml")]
        started = time.process_time()
        command(["train", *configs, f"--init={RELEASED}", f"--system={file}", f"--output={network}"])
        print(f"trained in {time.process_time() - started:.0f} CPU s")
    logging.getLogger("polyinv").setLevel(logging.ERROR)
    compare(true, load_system(file), network, options.polymers, options.seed + 1)


def own_runs(laboratory: System, seed: int) -> Runs:
    """Runs of random recipes, with samples at equal steps, as the laboratory measures them."""
    recipes = random_recipes(RUNS, torch.Generator().manual_seed(seed), SYSTEM).repeat_interleave(SAMPLES, 0)
    recipes[:, -1] = SYSTEM.horizon * torch.arange(1, SAMPLES + 1).repeat(RUNS) / SAMPLES
    seen = observations_of(recipes, "ordinary", CHAINS, seed, laboratory)
    number = torch.arange(RUNS).repeat_interleave(SAMPLES)
    return Runs(replace(seen, recipe=recipes, system=SYSTEM), number, tuple(str(at + 1) for at in range(RUNS)))


def compare(true: System, laboratory: System, network: Path, count: int, seed: int) -> None:
    """Print R², by the variance of the box, and the share of the truth in 90 % intervals, of each way to answer."""
    recipes = random_recipes(count, torch.Generator().manual_seed(seed), SYSTEM)
    seen = replace(observations_of(recipes, "ordinary", CHAINS, seed, true), system=laboratory)
    print("| inputs | answered by | value | R² | in 90 % intervals |\n|---|---|---|---|---|")
    for pattern, known in PATTERNS.items():
        rows = seen.forgetting([name for name in SYSTEM.targets if name not in known])
        if "composite" not in known:
            rows = replace(rows, residual_monomer=torch.full_like(rows.Mn, torch.nan))
        some = rows[torch.arange(min(SHARPENED, count))]
        describe(pattern, known, "the released network", RELEASED, rows, recipes, False)
        describe(pattern, known, "that of the laboratory", network, rows, recipes, False)
        describe(pattern, known, f"it, sharpened ({len(some)} polymers)", network, some, recipes[: len(some)], True)


def describe(
    pattern: str, known: tuple[str, ...], how: str, model: Path, rows: Observations, recipes: Tensor, sharpen: bool
) -> None:
    answers = polyinv.load(model).predict(rows, sharpen=sharpen)
    for at, name in enumerate(SYSTEM.targets):
        if name in known:
            continue
        true = recipes[:, at].numpy()
        r2 = 1 - ((answers[name] - true) ** 2).mean() / box_variance(SYSTEM)[at].item()
        inside = ((answers[f"{name}_low"] <= true) & (true <= answers[f"{name}_high"])).mean()
        print(f"| {pattern} | {how} | {name} | {r2:.2f} | {inside:.2f} |", flush=True)


if __name__ == "__main__":
    main()
