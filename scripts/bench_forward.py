"""Speed and accuracy of the forward solver on one core: the published grid and 100 000 random recipes.

python scripts/bench_forward.py
"""

import argparse
import resource
import time
from collections.abc import Callable

import torch

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.quantities import RECIPE
from polyinv.simulate.deterministic import STEP, grow, simulate
from polyinv.simulate.recipes import published_grid, runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", type=int, default=100_000, help="number of random recipes")
    options = parser.parse_args()
    torch.set_num_threads(1)

    conditions, times, _, _ = runs(published_grid())
    simulate(conditions[:1], times[:1], BUTYL_ACRYLATE)  # imports and first calls
    seconds = cpu_seconds(lambda: simulate(conditions, times, BUTYL_ACRYLATE))
    print(f"published grid, {times.numel()} rows: {seconds:.2f} CPU s at steps of {STEP:g} s")

    exact = grow(conditions, times, BUTYL_ACRYLATE, step=1.0).cumulated()
    for step in (40.0, 20.0, 10.0, 5.0):
        growth = grow(conditions, times, BUTYL_ACRYLATE, step=step).cumulated()
        seen, truth = (each.snapshots(BUTYL_ACRYLATE) for each in (growth, exact))
        worst = {
            "X": ((growth.monomer - exact.monomer) / conditions[:, :1]).abs().max(),
            "Mn": (seen.Mn / truth.Mn - 1).abs().max(),
            "Mw": (seen.Mw / truth.Mw - 1).abs().max(),
            "w": (seen.mmd - truth.mmd).abs().max(),
        }
        errors = ", ".join(f"{name} {value:.1e}" for name, value in worst.items())
        print(f"steps of {step:4.0f} s, largest error on the grid against steps of 1 s: {errors}")

    low, high = (torch.tensor([getattr(q, end) for q in RECIPE], dtype=torch.float64) for end in ("low", "high"))
    generator = torch.Generator().manual_seed(0)
    recipes = low + (high - low) * torch.rand(options.recipes, 4, dtype=torch.float64, generator=generator)
    seconds = cpu_seconds(lambda: simulate(recipes[:, :3], recipes[:, 3:], BUTYL_ACRYLATE))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{options.recipes} random recipes at one time each: {seconds:.1f} CPU s, peak memory {peak:.0f} MB")


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
