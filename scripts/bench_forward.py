"""Speed and accuracy of the forward solvers on one core, CPU seconds; every ratio is measured side by side in one run.

python scripts/bench_forward.py            # about three minutes
"""

import argparse
import resource
import time
from collections.abc import Callable

import torch
from torch import Tensor

from polyinv.chemistry import BUTYL_ACRYLATE
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.simulate import deterministic, fused
from polyinv.simulate.derivatives import derivatives, directions
from polyinv.simulate.fluctuations import fluctuations
from polyinv.simulate.recipes import published_grid, random_recipes, runs
from polyinv.simulate.snapshots import Growth
from polyinv.simulate.solvers import simulate

ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", type=int, default=100_000, help="number of random recipes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    one = torch.tensor([[1.0, 0.02, 70.0, 3600.0]], dtype=torch.float64)
    warm_up(one)
    one_recipe(one)
    against_torch(random_recipes(2000, torch.Generator().manual_seed(1), SYSTEM))
    published(*runs(published_grid(), SYSTEM)[:2])
    many(random_recipes(options.recipes, torch.Generator().manual_seed(0), SYSTEM))


def warm_up(one: Tensor) -> None:
    """Load or compile everything once."""
    both = one.repeat(2, 1)
    simulate(both[:, :3], both[:, 3:], BUTYL_ACRYLATE)
    derivatives(both[:, :3], both[:, 3:], BUTYL_ACRYLATE)
    fluctuations(both[:, :3], both[:, 3:], BUTYL_ACRYLATE)


def one_recipe(one: Tensor) -> None:
    """Time one recipe of 3600 s, its derivatives, and the torch solver beside them."""
    ways: dict[str, Callable[[], object]] = {
        "values": lambda: fused.grow(one[:, :3], one[:, 3:], BUTYL_ACRYLATE),
        "values and derivatives by the recipe": lambda: derivatives(one[:, :3], one[:, 3:], BUTYL_ACRYLATE),
        f"values and derivatives by all {len(directions(BUTYL_ACRYLATE))}": lambda: derivatives(
            one[:, :3], one[:, 3:], BUTYL_ACRYLATE, directions(BUTYL_ACRYLATE)
        ),
    }
    torch_seconds = per_call(lambda: deterministic.grow(one[:, :3], one[:, 3:], BUTYL_ACRYLATE), 3)
    print(f"one recipe of 3600 s, torch solver at steps of {deterministic.STEP:g} s: {1e3 * torch_seconds:.0f} ms")
    for name, work in ways.items():
        seconds = per_call(work, 200)
        print(f"one recipe of 3600 s, {name}: {1e3 * seconds:.2f} ms, 1/{torch_seconds / seconds:.0f}")


def against_torch(recipes: Tensor) -> None:
    """Time a batch by both solvers at the same error, in turns."""
    conditions, times = recipes[:, :3], recipes[:, 3:]
    exact = fused.grow(conditions, times, BUTYL_ACRYLATE, tolerance=1e-12)

    def both(step: float, tolerance: float) -> tuple[float, float, float, float]:
        ways = (
            lambda: deterministic.grow_in_chunks(conditions, times, BUTYL_ACRYLATE, step=step),
            lambda: fused.grow(conditions, times, BUTYL_ACRYLATE, tolerance=tolerance),
        )
        seconds = [[cpu_seconds(way) for way in ways] for _ in range(ROUNDS)]
        ratio = sorted(slow / fast for slow, fast in seconds)[ROUNDS // 2]
        slow_error, fast_error = (error(way(), exact) for way in ways)
        return ratio, min(fast for _, fast in seconds), slow_error, fast_error

    for step, tolerance in ((10.0, 3e-4), (10.0, fused.TOLERANCE)):
        ratio, seconds, by_torch, by_fused = both(step, tolerance)
        print(
            f"{len(recipes)} recipes: torch at steps of {step:g} s (error {by_torch:.0e}) takes {ratio:.0f} times as "
            f"long as the compiled loop at tolerance {tolerance:.0e} (error {by_fused:.0e}, {seconds:.3f} CPU s)"
        )


def published(conditions: Tensor, times: Tensor) -> None:
    """Time the published grid, and its accuracy at several tolerances."""
    seconds = min(cpu_seconds(lambda: fused.grow(conditions, times, BUTYL_ACRYLATE)) for _ in range(ROUNDS))
    print(f"published grid, {len(conditions)} reactions, {times.numel()} rows: {seconds:.3f} CPU s")
    exact = fused.grow(conditions, times, BUTYL_ACRYLATE, tolerance=1e-13).cumulated()
    for tolerance in (1e-4, 1e-6, 1e-8):
        found = fused.grow(conditions, times, BUTYL_ACRYLATE, tolerance=tolerance).cumulated()
        print(f"published grid, tolerance {tolerance:.0e}: largest error {error(found, exact):.1e}")
    for step in (20.0, 10.0, 5.0):
        found = deterministic.grow(conditions, times, BUTYL_ACRYLATE, step=step).cumulated()
        print(f"published grid, torch at steps of {step:g} s: largest error {error(found, exact):.1e}")


def many(recipes: Tensor) -> None:
    """Time a large batch, and the fluctuations of its reactions."""
    conditions, times = recipes[:, :3], recipes[:, 3:]
    seconds = cpu_seconds(lambda: simulate(conditions, times, BUTYL_ACRYLATE))
    print(
        f"{len(recipes)} random recipes at one time each: {seconds:.1f} CPU s, {len(recipes) / seconds:.0f} per CPU s"
    )
    seconds = cpu_seconds(lambda: fluctuations(conditions, times, BUTYL_ACRYLATE))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"their fluctuations: {seconds:.1f} CPU s; peak memory {peak:.0f} MB")


def error(found: Growth, exact: Growth) -> float:
    """Largest error of ln M, Mn and Mw, relative, and of the curve against its peak."""
    a, b = (growth.snapshots(BUTYL_ACRYLATE) for growth in (found, exact))
    curve = (a.mmd - b.mmd) / b.mmd.amax(-1, keepdim=True)
    parts = (a.residual_monomer / b.residual_monomer - 1, a.Mn / b.Mn - 1, a.Mw / b.Mw - 1, curve)
    return max(part.abs().max().item() for part in parts)


def per_call(work: Callable[[], object], calls: int) -> float:
    """CPU seconds of one call, the least of a few rounds."""
    work()
    return min(cpu_seconds(lambda: [work() for _ in range(calls)]) / calls for _ in range(ROUNDS))


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
