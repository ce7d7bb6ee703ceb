"""How fast the kinetic Monte Carlo is: the fast run against the plain one, both on one core in one go.

    python scripts/bench_simulators.py
    python scripts/bench_simulators.py --every 1            # all 432 recipes with the fast run, minutes
    python scripts/bench_simulators.py --runkmc PATH/RunKMC  # the program in the wheel of runkmc, on P1

Times are CPU seconds of the process, the choice of the control volume included, compilation excluded. Compare ratios
rather than numbers: a processor that others use, too, is slower.
"""

import argparse
import csv
import os
import subprocess
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from polyinv.chemistry import BUTYL_ACRYLATE, Chemistry
from polyinv.chemistry.reference_problem import P1, P1_RECIPE
from polyinv.simulate.control_volume import FewRadicals
from polyinv.simulate.montecarlo import simulate_runs
from polyinv.simulate.recipes import published_grid, runs

RUNKMC_P1 = """parameters
    num_units = {units};
    termination_time = 3600;
    analysis_time = 300;
end
species
    I I [C0]=0.02 FW=164 f=0.5
    U R [C0]=1e-6 FW=0
    M A [C0]=1.0 FW=100
    P P[R.A]
    P P[A.A]
    P P[-.A] P[R.A]|P[A.A]
    P D
end
rateconstants
    kd = 4e-5
    kp = 2000
    ktc = 1e7
    ktd = 1e7
end
reactions
    ID I -kd-> R + R
    IN R + A -kp-> P[R.A]
    PR P[-.A] + A -kp-> P[A.A]
    TC P[-.A] + P[-.A] -ktc-> D
    TD P[-.A] + P[-.A] -ktd-> D + D
end
"""


def measure(
    conditions: Tensor, times: Tensor, chemistry: Chemistry, chains: float, engine: str
) -> tuple[float, float, float]:
    """Dead chains and elementary events per CPU second, and the seconds."""
    options = {"seed": 1, "workers": 1, "engine": engine, "allow_few": True}
    simulate_runs(conditions[:1], times[:1], chemistry, chains=1000, **options)  # compile
    start = time.process_time()
    events = simulate_runs(conditions, times, chemistry, chains=chains, **options).events
    seconds = time.process_time() - start
    return int(events.dead_chains[:, -1].sum()) / seconds, int(events.elementary_events.sum()) / seconds, seconds


def measure_runkmc(program: Path, units: int = 20_000_000) -> tuple[float, float, float]:
    """The same for RunKMC on P1; its control volume is set by the number of monomers and initiators."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "p1.txt").write_text(RUNKMC_P1.format(units=units), encoding="utf-8")
        before = os.times()
        subprocess.run([program, f"{folder}/p1.txt", f"{folder}/out"], check=True, capture_output=True)
        after = os.times()
        seconds = after.children_user + after.children_system - before.children_user - before.children_system
        with open(f"{folder}/out/results.csv", newline="", encoding="utf-8") as file:
            last = list(csv.DictReader(file))[-1]
    return int(last["Count_D"]) / seconds, int(last["KMC Step"]) / seconds, seconds


def installed_runkmc() -> Path | None:
    spec = find_spec("runkmc")
    return Path(spec.origin).parent / "build" / "RunKMC" if spec and spec.origin else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=24, help="take every n-th of the 432 recipes (default: 24)")
    parser.add_argument("--chains", type=float, default=1e6, help="dead chains per fast run (default: 1e6)")
    parser.add_argument("--plain-chains", type=float, default=1e5, help="dead chains per plain run (default: 1e5)")
    parser.add_argument("--plain-every", type=int, default=48, help="recipes of the plain runs (default: every 48th)")
    parser.add_argument("--runkmc", type=Path, default=installed_runkmc(), help="RunKMC program to compare with")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FewRadicals)  # speed is the question here

    grid, times, _, _ = runs(published_grid())
    few, fewer = slice(None, None, given.every), slice(None, None, given.plain_every)
    recipe = torch.tensor([P1_RECIPE[:3]], dtype=torch.float64)
    rows = [
        ("grid", "skip", measure(grid[few], times[few], BUTYL_ACRYLATE, given.chains, "skip")),
        ("grid", "plain", measure(grid[fewer], times[fewer], BUTYL_ACRYLATE, given.plain_chains, "plain")),
        ("P1", "skip", measure(recipe, times[:1], P1, 4 * given.chains, "skip")),
        ("P1", "plain", measure(recipe, times[:1], P1, given.plain_chains, "plain")),
    ]
    if given.runkmc:
        rows.append(("P1", "RunKMC", measure_runkmc(given.runkmc)))
    else:
        print("RunKMC is not installed (pip install runkmc): left out")
    speed = {(problem, engine): measured[0] for problem, engine, measured in rows}
    print("| problem | simulator | dead chains/s | elementary events/s | against plain | CPU s |")
    print("|---|---|---|---|---|---|")
    for problem, engine, (chains, events, seconds) in rows:
        ratio = chains / speed[problem, "plain"]
        print(f"| {problem} | {engine} | {chains:.3g} | {events:.3g} | {ratio:.3g} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
