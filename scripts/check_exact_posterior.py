"""Is the exact posterior calibrated? Simulated observations of known recipes, measured with errors of each level.

python scripts/check_exact_posterior.py --output runs/check_exact_posterior      # about a second of one core for each

Recipes are drawn uniform in the box; an interval that holds 90 % of the posterior then holds 90 % of the true values,
of each value, pattern of inputs, level of errors and number of chains. Tables that are done are found again.
"""

import argparse
import logging
import time
from pathlib import Path

import pandas as pd
import torch

from polyinv.chemistry import load_system
from polyinv.data.laboratory import observations_of
from polyinv.data.observations import Observations
from polyinv.posterior.exact import FAR, exact_posteriors
from polyinv.report.tables import markdown
from polyinv.runtime.files import written
from polyinv.simulate.recipes import random_recipes

PATTERNS = ("composite", "composite+temp", "mmd", "mmd+temp", "mmd+temp+time", "means+temp")
LEVELS = ("exact", "ordinary", "rough")
SEED = 11


def observations(level: str, chains: float, rows: int, system: str) -> tuple[torch.Tensor, Observations, torch.Tensor]:
    """True recipes (N, V), what a laboratory writes down of their polymers, and the chains that these hold, (N,).

    Args:
        level: Of the errors.
        chains: Dead chains at the horizon.
        rows: N.
        system: What is polymerized.
    """
    found = load_system(system)
    generator = torch.Generator().manual_seed(SEED)
    recipes = random_recipes(rows, generator, found)
    observed = observations_of(recipes, level, chains, SEED, found, generator)
    return recipes, observed, observed.chains


def sampled(pattern: str, level: str, chains: float, rows: int, system: str, told: bool) -> pd.DataFrame:
    """For each row and each value that is not known: the share of samples below the true value."""
    recipes, measured, held = observations(level, chains, rows, system)
    given, lines = measured.masked(pattern), []
    for row in range(rows):
        start = time.process_time()
        (found,) = exact_posteriors(given[row], chains=held[row] if told else None)
        seconds = time.process_time() - start
        for at, name in enumerate(measured.system.targets):
            values = found.samples[:, at]
            if values.min() < values.max():
                lines.append(
                    {
                        "row": row,
                        "target": name,
                        "below": (values < recipes[row, at]).double().mean().item(),
                        "misfit": found.misfit,
                        "effective": found.effective,
                        "converged": found.converged,
                        "seconds": seconds,
                    }
                )
    return pd.DataFrame(lines)


def summary(found: pd.DataFrame) -> dict[str, float | str]:
    """Coverage with its standard error, by the rows; what is rare, and the time."""
    line: dict[str, float | str] = {}
    for share in (0.5, 0.9):
        inside = (found["below"] - 0.5).abs() <= share / 2
        of_rows = inside.groupby(found["row"]).mean()
        line[f"{share:.0%}"] = f"{of_rows.mean():.3f} ± {of_rows.std() / len(of_rows) ** 0.5:.3f}"
    rows = found.groupby("row").first()
    line["mean rank"] = f"{found['below'].mean():.3f}"
    line["misfit, 99 %"] = f"{rows['misfit'].quantile(0.99):.1f}"
    line["do not fit"] = f"{(rows['misfit'] > FAR).mean():.3f}"
    line["least effective"] = f"{rows['effective'].min():.0f}"
    line["s"] = f"{rows['seconds'].median():.2f}"
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--patterns", nargs="+", default=PATTERNS)
    parser.add_argument("--levels", nargs="+", default=LEVELS)
    parser.add_argument("--chains", type=float, nargs="+", default=[1e5, 1e6, 1e7])
    parser.add_argument("--told", action="store_true", help="tell the number of chains that each sample holds")
    parser.add_argument("--system", default="butyl_acrylate")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    lines = []
    for level in given.levels:
        for chains in given.chains:
            for pattern in given.patterns:
                kind = f"{given.system}-{pattern}-{level}-{chains:g}-{given.rows}-{'told' if given.told else 'untold'}"
                file = given.output / f"{kind}.csv"
                if not file.is_file():
                    with written(file) as passing:
                        sampled(pattern, level, chains, given.rows, given.system, given.told).to_csv(
                            passing, index=False, lineterminator="\n"
                        )
                found = pd.read_csv(file)
                lines.append({"errors": level, "chains": f"{chains:.0e}", "pattern": pattern, **summary(found)})
                logging.info(lines[-1])
    print(markdown(pd.DataFrame(lines)))


if __name__ == "__main__":
    main()
