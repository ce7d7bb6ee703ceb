"""Is a posterior model right? The tables of docs/explanation/posterior.md.

python scripts/check_posterior.py --output runs/check_posterior          # about half an hour of one core

Three parts. ``calibration``: random recipes, simulated and measured with each level of errors and number of chains, and
the off-grid kinetic Monte Carlo set: share of the truths in 90 % intervals of each value and in the 50 % region of
highest density of all together, and the negative logarithm of the density of the truth in the unit box. ``exact``: the
same rows by the sampler from nothing (`polyinv.posterior.exact`), and what sharpening makes of the model's samples.
``loop``: samples, simulated, against replicates of the observed polymer. Then R² of the mean against the conditional
model, and what sampling costs. What is done is found again.
"""

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import polyinv
from polyinv.data.laboratory import random_observations, with_chains
from polyinv.data.observations import Observations
from polyinv.data.source import load_off_grid
from polyinv.domain.expectations import FILE
from polyinv.evaluation.closed_loop import closed_loop
from polyinv.models import Posterior
from polyinv.models.released import RELEASED
from polyinv.posterior.checks import CHAINS, LEVELS, diagnosed
from polyinv.posterior.comparison import c2st, width_ratios
from polyinv.posterior.exact import exact_posteriors
from polyinv.posterior.sharpening import sharpen
from polyinv.report.tables import markdown
from polyinv.runtime.files import written
from polyinv.runtime.threads import one_thread
from polyinv.simulate.recipes import box

PATTERNS = (
    "composite",
    "mmd",
    "composite+temp",
    "mmd+temp",
    "mmd+temp+time",
    "mmd+time",
    "means+temp",
    "means+temp+time",
    "mmd+residual+temp",
    "composite+temp+time",
)
COMPARED = ("composite", "mmd", "composite+temp", "mmd+temp+time")
"""Patterns of the comparison with the exact sampler, and of the closed loop."""
OFF_GRID = 1e6
"""Chains of the off-grid set."""
REGION = "region, 50 %"
BANDS = (0.87, 0.93), (0.46, 0.54)
"""That are asked for: of 90 % intervals, and of the 50 % region."""
PROPOSED, DRAWN, SEED = 2000, 1000, 20


def calibration(model: Posterior, folder: Path, rows: int, samples: int) -> pd.DataFrame:
    """A line for each level, number of chains and pattern."""
    lines = []
    for level, chains in [("off grid", OFF_GRID), *((level, chains) for level in LEVELS for chains in CHAINS)]:
        for pattern in PATTERNS:
            file = folder / f"calibration-{level}-{chains:g}-{pattern}.csv".replace(" ", "_")
            found = _kept(file, partial(_checked, model, level, chains, pattern, rows, samples))
            marginal = found[found["check"] == "marginal"].set_index("target")["coverage_90"]
            joint = found[found["check"] == "highest density"]
            lines.append(
                {"errors": level, "chains": f"{chains:.0e}", "inputs": pattern}
                | {name: f"{marginal[name]:.3f}" if name in marginal else "" for name in model.system.targets}
                | {REGION: f"{joint['coverage_50'].item():.3f}", "nll": f"{joint['nll'].item():.2f}"}
            )
    return pd.DataFrame(lines)


def _checked(model: Posterior, level: str, chains: float, pattern: str, rows: int, samples: int) -> pd.DataFrame:
    recipes, observations = _observed(model, level, chains, rows)
    return diagnosed(model, observations.masked(pattern), recipes, samples)


def condensed(table: pd.DataFrame, targets: tuple[str, ...]) -> pd.DataFrame:
    """Range over the patterns, a line for each level and number of chains."""
    lines = []
    for (errors, chains), part in table.groupby(["errors", "chains"], sort=False):
        line: dict[str, Any] = {"errors": errors, "chains": chains}
        for name in (*targets, REGION):
            held = pd.to_numeric(part[name]).dropna()
            line[name] = f"{held.min():.2f} to {held.max():.2f}" if len(held) else ""
        lines.append(line)
    return pd.DataFrame(lines)


def misses(table: pd.DataFrame, targets: tuple[str, ...]) -> pd.DataFrame:
    """What lies outside the bands that are asked for, by name."""
    lines = []
    for line in table.to_dict("records"):
        said = []
        for name in (*targets, REGION):
            low, high = BANDS[name == REGION]
            if line[name] and not low <= float(line[name]) <= high:
                said.append(f"{name} {line[name]}")
        if said:
            where = {key: line[key] for key in ("errors", "chains", "inputs")}
            lines.append({**where, "outside": ", ".join(said)})
    return pd.DataFrame(lines)


def beside_exact(model: Posterior, folder: Path, rows: int) -> pd.DataFrame:
    """A line for each level and pattern: widths and classifier against the exact sampler, before and after."""
    lines = []
    for level in ("exact", "ordinary"):
        for pattern in COMPARED:
            make = partial(_beside, model, level, pattern, rows)
            numbers = _kept(folder / f"exact-{level}-{pattern}.csv", make)
            median = numbers.median()
            lines.append(
                {
                    "errors": level,
                    "inputs": pattern,
                    "effective of 2000": f"{median['effective']:.0f}",
                    "below 20": f"{(numbers['effective'] < 20).mean():.0%}",
                    "from nothing": f"{numbers['from_nothing'].mean():.0%}",
                    "sd, model": f"{median['sd_model']:.2f}",
                    "sd, sharpened": f"{median['sd_sharpened']:.2f}",
                    "c2st, model": f"{median['c2st_model']:.2f}",
                    "c2st, sharpened": f"{median['c2st_sharpened']:.2f}",
                    "CPU s, sharpened": f"{median['seconds']:.2f}",
                    "CPU s, exact": f"{median['seconds_exact']:.2f}",
                }
            )
    return pd.DataFrame(lines)


def _beside(model: Posterior, level: str, pattern: str, rows: int) -> pd.DataFrame:
    return pd.DataFrame(_compared(model, level, pattern, rows))


def _compared(model: Posterior, level: str, pattern: str, rows: int) -> Iterator[dict[str, Any]]:
    _, observations = _observed(model, level, OFF_GRID, rows)
    given = observations.masked(pattern)
    low, high = box(model.system)
    for row in range(rows):
        observation, chains = given[row], observations.chains[row].item()
        start = time.process_time()
        posterior = model.posterior(observation)
        proposed, density = posterior.sample_with_density(PROPOSED, SEED)
        sharp = sharpen(observation, proposed[:, 0], density[:, 0], DRAWN, SEED, chains)
        middle = time.process_time()
        (exact,) = exact_posteriors(observation, DRAWN, SEED + 1, chains)
        end = time.process_time()
        shares = [
            ((each - low) / (high - low))[:, None] for each in (proposed[:DRAWN, 0], sharp.samples, exact.samples)
        ]
        of_model, of_sharp, truth = shares
        yield {
            "effective": sharp.proposals_effective,
            "from_nothing": sharp.from_nothing,
            "sd_model": width_ratios(of_model, truth).nanmedian().item(),
            "sd_sharpened": width_ratios(of_sharp, truth).nanmedian().item(),
            "c2st_model": c2st(of_model, truth).item(),
            "c2st_sharpened": c2st(of_sharp, truth).item(),
            "seconds": middle - start,
            "seconds_exact": end - middle,
        }


def loop(model: Posterior, folder: Path, rows: int) -> pd.DataFrame:
    """A line for each pattern: median ratio of the closed loop to replicates, of means and of samples, off the grid."""
    lines = []
    for pattern in COMPARED:
        table = _kept(folder / f"loop-{pattern}.csv", partial(_looped, model, pattern, rows))
        lines.append({"inputs": pattern} | {name: f"{value:.2f}" for name, value in table.median().items()})
    return pd.DataFrame(lines)


def _looped(model: Posterior, pattern: str, rows: int) -> pd.DataFrame:
    true, observations = _observed(model, "off grid", OFF_GRID, rows)
    given, posterior = observations.masked(pattern), model.posterior(observations.masked(pattern))
    drawn, density = posterior.sample_with_density(PROPOSED, SEED)
    sharp = []
    for row in range(rows):
        chains = observations.chains[row].item()
        sharp.append(sharpen(given[row], drawn[:, row], density[:, row], DRAWN, SEED, chains).samples[DRAWN // 2])
    recipes = {"mean of the model": posterior.mean, "sample": drawn[0], "sharpened sample": torch.stack(sharp)}
    return pd.DataFrame({name: closed_loop(each, observations, true)["ratio"] for name, each in recipes.items()})


def as_point(folder: Path) -> pd.DataFrame:
    """R² of the mean less that of the conditional model, over the patterns, levels and values that both tell of."""
    name = folder.name.replace("posterior", "conditional")
    ours, theirs = (
        pd.read_csv(each / FILE).set_index(["level", "pattern", "target"])["r2"]
        for each in (folder, folder.with_name(name))
    )
    apart = (ours - theirs).dropna()
    lines = {"cases": len(apart), "mean": apart.mean(), "lowest": apart.min(), "below −0.003": (apart < -0.003).mean()}
    return pd.DataFrame([{key: f"{value:.3g}" for key, value in lines.items()}])


def costs(model: Posterior) -> pd.DataFrame:
    """CPU seconds of one thread, the second time of each."""
    given = _observed(model, "off grid", OFF_GRID, 1000)[1].masked("composite")
    ends = torch.tensor([[0.05], [0.5], [0.95]], dtype=torch.float64)

    def marginals() -> None:
        posterior = model.posterior(given)
        for name in posterior.names:
            posterior.marginal(name).icdf(ends)

    calls = {"1000 samples of a row": lambda: model.posterior(given[0]).sample((DRAWN,), seed=SEED)}
    seconds = {}
    with one_thread():
        for name, call in {**calls, "quantiles of all values of 1000 rows": marginals}.items():
            call()
            start = time.process_time()
            call()
            seconds[name] = f"{time.process_time() - start:.2f}"
    return pd.DataFrame([seconds])


def _observed(model: Posterior, level: str, chains: float, rows: int) -> tuple[torch.Tensor, Observations]:
    if level != "off grid":
        return random_observations(rows, level, chains, SEED, model.system)
    observations = Observations.from_table(load_off_grid(model.system).head(rows), model.system)
    return observations.recipe, with_chains(observations, chains)


def _kept(file: Path, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    if not file.is_file():
        with one_thread():
            table = make()
        with written(file) as passing:
            table.to_csv(passing, index=False, lineterminator="\n")
        logging.info("%s", file)
    return pd.read_csv(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=RELEASED)
    parser.add_argument("--rows", type=int, default=2000, help="of each level and number of chains")
    parser.add_argument("--samples", type=int, default=50, help="of each row")
    parser.add_argument("--compared", type=int, default=20, help="rows that are sampled exactly")
    parser.add_argument("--looped", type=int, default=100, help="rows of the closed loop")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given.output.mkdir(parents=True, exist_ok=True)
    model = polyinv.load(given.model).model
    if not isinstance(model, Posterior):
        raise SystemExit(f"{given.model} holds no posterior model")
    table = calibration(model, given.output, given.rows, given.samples)
    targets = model.system.targets
    for each in (table, condensed(table, targets), misses(table, targets)):
        print(markdown(each), end="\n\n")
    print(markdown(beside_exact(model, given.output, given.compared)), end="\n\n")
    print(markdown(loop(model, given.output, given.looped)), end="\n\n")
    if Path(given.model, FILE).is_file():
        print(markdown(as_point(Path(given.model))), end="\n\n")
    print(markdown(costs(model)))


if __name__ == "__main__":
    main()
