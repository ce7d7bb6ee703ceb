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
import shutil
import subprocess
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from polyinv.chemistry import BUTYL_ACRYLATE, Chemistry
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.chemistry.reference_problem import P1, P1_KNOWN, P1_RECIPE
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


PLAIN_C = r"""
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
static uint64_t s[2] = {0x9E3779B97F4A7C15u, 0xBF58476D1CE4E5B9u};
static double uniform(void) {  /* xorshift128+ */
    uint64_t a = s[0], b = s[1];
    s[0] = b; a ^= a << 23; s[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return ((s[1] + b) >> 11) * 0x1p-53;
}
int main(int argc, char **argv) {
    double V = atof(argv[1]), kd = 4e-5, f = 0.5, kp = 2000, kt = 2e7, now = 0, end = 3600;
    double M = V * 1.0, I = V * 0.02, start = M, chains = 0, units = 0, squares = 0, events = 0;
    int *radical = malloc(sizeof(int) * 100000), n = 0;
    for (;;) {
        double rd = kd * I, rp = kp * M / V * n, rt = kt / V * n * (n - 1.0), total = rd + rp + rt;
        now -= log(1 - uniform()) / total;
        if (!(now < end)) break;
        events++;
        double pick = uniform() * total;
        if (pick < rp) { radical[(int)(uniform() * n)]++; M--; }
        else if (pick < rp + rd) {
            I--;
            if (uniform() < f) { radical[n++] = 1; radical[n++] = 1; M -= 2; }
        } else {
            int i = uniform() * n, one = radical[i]; radical[i] = radical[--n];
            int j = uniform() * n, two = radical[j]; radical[j] = radical[--n];
            units += one + two;
            if (uniform() < 0.5) { chains++; squares += (double)(one + two) * (one + two); }
            else { chains += 2; squares += (double)one * one + (double)two * two; }
        }
    }
    printf("%.0f %.0f %.17g %.17g %.17g\n", chains, events, 1 - M / start, units / chains, squares / units);
    return 0;
}
"""
"""Gillespie's direct method for P1, every propagation executed: what plain C takes."""


def measure_c(chains: float) -> tuple[float, float, float] | None:
    """The same for ``PLAIN_C``; None where there is no C compiler. Its numbers have to be those of P1."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/plain"
        Path(f"{program}.c").write_text(PLAIN_C, encoding="utf-8")
        subprocess.run([compiler, "-O3", "-march=native", "-o", program, f"{program}.c", "-lm"], check=True)
        per_molar = chains * P1_KNOWN["DPn"] / P1_KNOWN["X"]
        before = os.times()
        done = subprocess.run([program, str(per_molar)], check=True, capture_output=True, text=True)
        after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    dead, events, *found = (float(number) for number in done.stdout.split())
    for value, (name, known) in zip(found, P1_KNOWN.items(), strict=True):
        if abs(value / known - 1) > 0.02:
            raise RuntimeError(f"plain C gives {name} {value:g}, not {known:g}")
    return dead / seconds, events / seconds, seconds


def measure(
    conditions: Tensor, times: Tensor, chemistry: Chemistry, chains: float, engine: str
) -> tuple[float, float, float]:
    """Dead chains and elementary events per CPU second, and the seconds."""
    options: dict[str, Any] = {"seed": 1, "workers": 1, "engine": engine, "allow_few": True}
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

    grid, times, _, _ = runs(published_grid(), SYSTEM)
    few, fewer = slice(None, None, given.every), slice(None, None, given.plain_every)
    recipe = torch.tensor([P1_RECIPE[:3]], dtype=torch.float64)
    rows = [
        ("grid", "skip", measure(grid[few], times[few], BUTYL_ACRYLATE, given.chains, "skip")),
        ("grid", "plain", measure(grid[fewer], times[fewer], BUTYL_ACRYLATE, given.plain_chains, "plain")),
        ("P1", "skip", measure(recipe, times[:1], P1, 4 * given.chains, "skip")),
        ("P1", "plain", measure(recipe, times[:1], P1, given.plain_chains, "plain")),
    ]
    in_c = measure_c(given.chains)
    if in_c:
        rows.append(("P1", "plain C", in_c))
    else:
        print("there is no C compiler here: plain C is left out")
    if given.runkmc:
        rows.append(("P1", "RunKMC", measure_runkmc(given.runkmc)))
    else:
        print("RunKMC is not installed (pip install runkmc): left out")
    speed = {(problem, engine): measured[0] for problem, engine, measured in rows}
    print("| problem | simulator | dead chains/s | elementary events/s | against plain | against plain C | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for problem, engine, (chains, events, seconds) in rows:
        ratio = chains / speed[problem, "plain"]
        by_c = f"{chains / speed[problem, 'plain C']:.3g}" if (problem, "plain C") in speed else ""
        print(f"| {problem} | {engine} | {chains:.3g} | {events:.3g} | {ratio:.3g} | {by_c} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
