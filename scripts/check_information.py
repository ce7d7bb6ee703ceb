"""How much do inputs tell at most, and who is right where network and local estimate disagree?

python scripts/check_information.py --output runs/check_information      # about 15 minutes of one core

For simulated observations of random recipes the R² that they allow is one less the mean variance of their exact
posterior, uniform in the box, over that of the box. It is sampled from nothing (`polyinv.posterior.exact`), with
neither network nor linearization. Posteriors that are done are found again, whatever the model.
"""

import argparse
import logging
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

import polyinv
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.data.laboratory import random_observations
from polyinv.data.observations import Observations
from polyinv.data.patterns import inputs_of
from polyinv.evaluation.information import box_variance, expected_variance, respond
from polyinv.instrument.errors import measurement_errors
from polyinv.models import InverseModel
from polyinv.posterior.exact import exact_posteriors
from polyinv.report.tables import markdown
from polyinv.runtime.files import written

ROOT = Path(__file__).parents[1]
PATTERNS = ("means", "cBA_time+means", "mmd", "mmd+temp", "mmd+temp+time", "composite", "composite+temp")
LEVELS = ("exact", "ordinary")
SAMPLES = 1000
SEED = 7
TARGETS = SYSTEM.targets


def observed(level: str, chains: float, rows: int) -> tuple[Tensor, Observations]:
    """Random recipes (N, 4), and what a laboratory writes down of their polymers."""
    return random_observations(rows, level, chains, SEED, SYSTEM)


def posteriors(pattern: str, level: str, chains: float, rows: int) -> pd.DataFrame:
    """For each observation ``mean_<value>`` and ``variance_<value>`` of its posterior, and ``local_<value>``, the
    variance that the local estimate leaves."""
    recipes, observations = observed(level, chains, rows)
    found = exact_posteriors(observations.masked(pattern), SAMPLES, SEED, observations.chains)
    parts = {
        "mean": torch.stack([each.samples.mean(0) for each in found]),
        "variance": torch.stack([each.samples.var(0) for each in found]),
        "local": expected_variance(respond(recipes), pattern, chains, measurement_errors(level)),
    }
    columns = {f"{kind}_{name}": part[:, at] for kind, part in parts.items() for at, name in enumerate(TARGETS)}
    return pd.DataFrame({name: column.numpy() for name, column in columns.items()})


def compared(found: pd.DataFrame, pattern: str, level: str, chains: float, model: InverseModel) -> pd.DataFrame:
    """R² of the local estimate, the posterior and the network on the same simulated observations, per target."""
    recipes, observations = observed(level, chains, len(found))
    predicted, lines = model.predict(observations.masked(pattern).x(model.columns)), []
    for at, name in enumerate(TARGETS):
        if name in inputs_of(pattern, SYSTEM):
            continue
        total, true = box_variance(SYSTEM)[at].item(), recipes[:, at].numpy()
        error, other = (found[f"mean_{name}"] - true) ** 2, (predicted[:, at].numpy() - true) ** 2
        lines.append(
            {
                "errors": level,
                "inputs": pattern,
                "target": name,
                "local estimate": 1 - found[f"local_{name}"].mean() / total,
                "posterior": 1 - found[f"variance_{name}"].mean() / total,
                "calibration": (error / found[f"variance_{name}"]).mean(),
                "network less posterior": (error - other).mean() / total,
                "±": (error - other).std() / len(found) ** 0.5 / total,
            }
        )
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "checkpoints" / "posterior")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--chains", type=float, default=1e6, help="dead chains of a reaction at the horizon")
    parser.add_argument("--levels", nargs="+", default=LEVELS, help="of errors")
    parser.add_argument("--patterns", nargs="+", default=PATTERNS)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model, parts = polyinv.load(given.model).model, []
    for level in given.levels:
        for pattern in given.patterns:
            file = given.output / f"posteriors-{pattern}-{level}-{given.chains:g}-{given.rows}.csv"
            if not file.is_file():
                with written(file) as passing:
                    found = posteriors(pattern, level, given.chains, given.rows)
                    found.to_csv(passing, index=False, lineterminator="\n")
            parts.append(compared(pd.read_csv(file), pattern, level, given.chains, model))
    table = pd.concat(parts)
    numbers = table.columns[3:]
    table[numbers] = table[numbers].map("{:.3f}".format)
    print(markdown(table))


if __name__ == "__main__":
    main()
