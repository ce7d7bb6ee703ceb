"""Check the kinetic Monte Carlo against the rate equations and itself; write docs/explanation/simulators.md.

python scripts/validate_simulators.py                      # about four minutes of one core
python scripts/validate_simulators.py --every 24           # a glance
"""

import argparse
import csv
import warnings
from pathlib import Path

import matplotlib
import torch
from torch import Tensor

from polyinv.chemistry import BUTYL_ACRYLATE, Chemistry
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.chemistry.reference_problem import P1, P1_KNOWN, P1_RECIPE
from polyinv.mmd import LOG_M
from polyinv.simulate import solvers
from polyinv.simulate.control_volume import ENOUGH, TOO_FEW, FewRadicals, control_volumes
from polyinv.simulate.fluctuations import fluctuations
from polyinv.simulate.montecarlo import Runs, simulate_runs
from polyinv.simulate.recipes import published_grid, runs
from polyinv.simulate.snapshots import Snapshots

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
SIZES = {1e4: 32, 3e4: 16, 1e5: 16, 3e5: 16, 1e6: 12}  # dead chains per run: replicates
SHOWN = ([0.5, 0.0025, 60.0], [1.0, 0.02, 70.0], [3.0, 0.0025, 80.0])


def frontier_labels(conditions: Tensor) -> Tensor:
    """Whether each run reached 90 % conversion after an hour in the published study, shape (B,)."""
    with open(ROOT / "tests/data/conversion_frontier.csv", newline="", encoding="utf-8") as file:
        rows = [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    needed = {(row["temp"], row["cBA_0"]): row["cAIBN_0_min"] for row in rows}
    return torch.tensor(
        [initiator >= needed.get((temp, monomer), 1.0) - 1e-9 for monomer, initiator, temp in conditions.tolist()]
    )


def conversion(polymer: Snapshots, conditions: Tensor) -> Tensor:
    return 1 - polymer.residual_monomer / conditions[:, :1]


def grid(every: int) -> tuple[Tensor, Tensor]:
    """Conditions (B, 3) and times (B, 12) of every n-th of the 432 published runs."""
    conditions, times, _, _ = runs(published_grid(), SYSTEM)
    return conditions[::every], times[::every]


def shown(made: Runs, chemistry: Chemistry = BUTYL_ACRYLATE) -> Snapshots:
    return made.growth.cumulated().snapshots(chemistry)


def table(head: str, rows: list[str]) -> list[str]:
    return [head, "|" + "---|" * (head.count("|") - 1), *rows, ""]


def against_rate_equations(every: int, chains: float, store: str | None) -> list[str]:
    conditions, times = grid(every)
    made = simulate_runs(conditions, times, BUTYL_ACRYLATE, chains=chains, seed=1, workers=1, store=store)
    seen, expected = shown(made), solvers.simulate(conditions, times, BUTYL_ACRYLATE)
    error = conversion(seen, conditions) - conversion(expected, conditions)
    curves = (seen.mmd - expected.mmd)[..., LOG_M > 3.3]
    labels = frontier_labels(conditions)
    right = int(((conversion(seen, conditions)[:, -1] >= 0.9) == labels).sum())
    rows = [f"| conversion labels at 3600 s | {right} of {len(labels)} | |"]
    for name, last, everywhere in (
        ("X, kMC less rate equations", error[:, -1], error),
        ("Mn, relative", (seen.Mn / expected.Mn - 1)[:, -1], seen.Mn / expected.Mn - 1),
        ("Mw, relative", (seen.Mw / expected.Mw - 1)[:, -1], seen.Mw / expected.Mw - 1),
    ):
        cells = (f"{x.mean():+.1e} ± {x.std():.1e}, largest {x.abs().max():.1e}" for x in (last, everywhere))
        rows.append(f"| {name} | {' | '.join(cells)} |")
    rms = [curve.pow(2).mean(-1).sqrt() for curve in (curves[:, -1], curves)]
    rows.append(
        "| rms of w, log10 M > 3.3 | " + " | ".join(f"{r.mean():.4f}, largest {r.max():.4f}" for r in rms) + " |"
    )
    S, Q = made.events.S, made.events.Q
    rows.append(f"| mean radicals | S {S.min():.2g} to {S.max():.2g}, Q {Q.min():.3g} to {Q.max():.3g} | |")
    head = f"| {len(conditions)} recipes, {chains:g} chains, seed 1 | at 3600 s | all twelve times |"
    return table(head, rows) + noise(seen, expected, conditions, times, chains)


def noise(seen: Snapshots, expected: Snapshots, conditions: Tensor, times: Tensor, chains: float) -> list[str]:
    """How far single runs scatter, as a multiple of what one chain in N contributes."""
    number = chains * expected.dead_chains / expected.dead_chains[:, -1:]
    decline, exact = (torch.log(each.residual_monomer / conditions[:, :1]) for each in (seen, expected))
    errors = {"ln(c_M / c_M0)": decline / exact - 1, "Mn": seen.Mn / expected.Mn - 1, "Mw": seen.Mw / expected.Mw - 1}
    scatter = fluctuations(conditions, times, BUTYL_ACRYLATE)
    volume = chains / expected.dead_chains[:, -1:]
    standard = [(exact - decline) / (scatter.variance / volume).sqrt(), errors["Mn"] / errors["Mn"].std(0)]
    dispersity = expected.Mw / expected.Mn
    drawn = {"ln(c_M / c_M0)": scatter.variance / volume / exact**2 * number, "Mn": dispersity - 1}
    shown = [0, 2, 5, 8, 11]

    def line(name: str, values: Tensor, law: Tensor | None) -> str:
        spread = values.std(0) / len(conditions) ** 0.5
        said = "" if law is None else " ({:.2f})"
        cells = (
            f"{values[:, i].mean():.2f} ± {spread[i]:.2f}" + said.format(0 if law is None else law[:, i].mean())
            for i in shown
        )
        return f"| {name} | {' | '.join(cells)} |"

    rows = [line(f"{name}, squared", error.square() * number, drawn.get(name)) for name, error in errors.items()]
    rows.append(line("ln(c_M0 / c_M) with Mn, correlation", standard[0] * standard[1], scatter.correlation))
    ends = " | ".join(f"{times[0, i]:g} s" for i in shown)
    return [
        "Squared relative error of a reaction, times its number of dead chains N at that time, mean over the recipes; "
        "in brackets what `sampled` draws: the linear noise approximation for ln(c_M0 / c_M) and its correlation with "
        "the error of Mn, Poisson's law for the chains.",
        "",
        *table(f"| relative error of | {ends} |", rows),
    ]


def finite_size(every: int) -> list[str]:
    conditions, times = grid(every)
    times = times[:, -1:]
    expected = solvers.simulate(conditions, times, BUTYL_ACRYLATE)
    rows = []
    for seed, (chains, replicates) in enumerate(SIZES.items(), start=10):
        made = simulate_runs(
            conditions,
            times,
            BUTYL_ACRYLATE,
            chains=chains,
            seed=seed,
            replicates=replicates,
            workers=1,
            allow_few=True,
        )
        seen = shown(made)
        many = conditions.repeat_interleave(replicates, 0)
        error = conversion(seen, many)[:, 0] - conversion(expected, conditions)[:, 0].repeat_interleave(replicates)
        error = error.reshape(-1, replicates)
        bias, spread = error.mean(1), error.std(1).square().mean().sqrt()
        Mn, Mw = (
            (getattr(seen, name).reshape(-1, replicates).mean(1) / getattr(expected, name)[:, 0] - 1).mean()
            for name in ("Mn", "Mw")
        )
        volumes = control_volumes(conditions, times, BUTYL_ACRYLATE, chains=chains)
        radicals = volumes.S + volumes.Q
        noise = spread / error.numel() ** 0.5
        rows.append(
            f"| {chains:g} | {radicals.min():.2g} to {radicals.max():.3g} | {bias.mean():+.5f} ± {noise:.5f} "
            f"| {bias[bias.abs().argmax()]:+.4f} | {spread:.4f} | {Mn:+.2%} | {Mw:+.2%} |"
        )
    columns = ("live radicals", "mean error of X(3600 s)", "worst recipe", "spread of a reaction", "Mn", "Mw")
    return table(f"| chains ({len(conditions)} recipes) | {' | '.join(columns)} |", rows)


def skip_against_plain(chains: float, replicates: int) -> list[str]:
    conditions, times = torch.tensor([SHOWN[1]], dtype=torch.float64), torch.tensor([[3600.0]], dtype=torch.float64)
    measured = []
    for engine, seed in (("skip", 3), ("plain", 4)):
        made = simulate_runs(
            conditions,
            times,
            BUTYL_ACRYLATE,
            chains=chains,
            seed=seed,
            replicates=replicates,
            workers=1,
            engine=engine,
            allow_few=True,
        )
        seen = shown(made)
        columns = (conversion(seen, conditions)[:, 0], seen.Mn[:, 0], seen.Mw[:, 0], made.events.S, made.events.Q)
        measured.append(torch.stack(columns, -1))
    means, errors = [m.mean(0) for m in measured], [m.std(0) / replicates**0.5 for m in measured]
    rows = []
    for i, name in enumerate(("X", "Mn, g/mol", "Mw, g/mol", "mean number of S", "mean number of Q")):
        deviation = (means[0][i] - means[1][i]) / (errors[0][i] ** 2 + errors[1][i] ** 2).sqrt()
        cells = (f"{mean[i]:.5g} ± {error[i]:.2g}" for mean, error in zip(means, errors, strict=True))
        rows.append(f"| {name} | {' | '.join(cells)} | {deviation:+.1f} |")
    return table(f"| {replicates} reactions of {chains:g} chains each | skip | plain | standard errors apart |", rows)


def reference_problem(chains: float) -> list[str]:
    conditions, times = (torch.tensor([part], dtype=torch.float64) for part in (P1_RECIPE[:3], P1_RECIPE[3:]))
    made = simulate_runs(conditions, times, P1, chains=chains, seed=5, replicates=4, workers=1)
    seen = shown(made, P1)
    units = P1.monomer_molar_mass
    found = {"X": conversion(seen, conditions), "DPn": seen.Mn / units, "DPw": seen.Mw / units}
    rows = [
        f"| {name} | {value.mean():.5g} ± {value.std() / 2:.1g} | {known:g} | {value.mean() / known - 1:+.2%} |"
        for (name, value), known in zip(found.items(), P1_KNOWN.values(), strict=True)
    ]
    return table(f"| P1, four reactions with {made.events.S.mean():.0f} radicals | kMC | known | difference |", rows)


def draw(path: Path, chains: float) -> None:
    conditions = torch.tensor(SHOWN, dtype=torch.float64)
    times = torch.tensor([[3600.0]], dtype=torch.float64).expand(len(SHOWN), -1)
    seen = shown(simulate_runs(conditions, times, BUTYL_ACRYLATE, chains=chains, seed=1, workers=1))
    expected = solvers.simulate(conditions, times, BUTYL_ACRYLATE)
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for run, (monomer, initiator, temp) in enumerate(SHOWN):
        label = f"{temp:g} °C, BA {monomer:g}, AIBN {initiator:g} mol/L"
        (line,) = axes.plot(LOG_M, expected.mmd[run, 0], lw=1, label=label)
        axes.plot(LOG_M, seen.mmd[run, 0], ".", ms=4, color=line.get_color())
    axes.set(xlabel="log₁₀(M / g mol⁻¹)", ylabel="w(log₁₀ M)", xlim=(2, 7), ylim=(0, None))
    axes.set_title(f"3600 s; lines: rate equations, dots: kMC, {chains:g} chains", fontsize=10)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="compare every n-th of the 432 recipes (default: all)")
    parser.add_argument("--bias-every", type=int, default=36, help="every n-th recipe for the size of the volume")
    parser.add_argument("--chains", type=float, default=1e6, help="dead chains per run (default: 1e6)")
    parser.add_argument("--plain-chains", type=float, default=1e4, help="dead chains per run of skip against plain")
    parser.add_argument("--store", help="folder to keep the finished runs of the grid in")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "explanation", help="folder to write to")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FewRadicals)  # shown in the table on the size of the volume

    page = [
        "# The simulators, checked",
        "",
        "Polymers are simulated in three ways: by rate equations, by these with noise drawn on top (`sampled`), and by "
        "kinetic Monte Carlo (kMC). **What is asked:** do they agree, and how large has a Monte Carlo volume to be?",
        "",
        "Every deviation stands below with its spread. A table says first what is compared, then by how much it "
        "differs: where the mean difference is small against its spread, and the spread is that of the noise, the two "
        "agree. ± is in the first table the standard deviation over the recipes, in all others the standard error of "
        "a mean.",
        "",
        "Written by `python scripts/validate_simulators.py`; speeds are in [a page of their own](speed.md).",
        "",
        f"{BUTYL_ACRYLATE.name}: {BUTYL_ACRYLATE.note}.",
        "",
        "## Kinetic Monte Carlo against the rate equations",
        "",
        *against_rate_equations(given.every, given.chains, given.store),
        "![Molar mass distributions by both](simulators.png)",
        "",
        "## How large the volume has to be",
        "",
        "Mean over the replicates less the rate equations. "
        f"Below {ENOUGH:g} live radicals, S and Q together, a reaction warns; below {TOO_FEW:g} it refuses. "
        "The number of S alone is no measure: S and Q turn into one another many times between birth and termination.",
        "",
        *finite_size(given.bias_every),
        "## Propagation skipped against propagation executed",
        "",
        "In a volume that is too small on purpose, where even the number of radicals has to follow the same law.",
        "",
        *skip_against_plain(given.plain_chains, 40),
        "## Reference problem P1",
        "",
        *reference_problem(3 * given.chains),
    ]
    given.docs.mkdir(exist_ok=True)
    draw(given.docs / "simulators.png", given.chains)
    (given.docs / "simulators.md").write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")
    print("\n".join(page))


if __name__ == "__main__":
    main()
