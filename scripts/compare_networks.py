"""Every model on reactions it has never seen and off the grid: the comparison of docs/explanation/networks.md.

python scripts/compare_networks.py --output runs/reproduce     # after `make reproduce`, whose trainings it takes over

Trained on the grid: by_recipe, split seeds 42 to 46. Trained on simulated recipes: forests on 100 000 fixed rows, and
the released networks with their kept scores. Finished trainings are found again, so that a killed call goes on where it
was.
"""

import argparse
import logging
import math
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import yaml

from polyinv.chemistry.butyl_acrylate import RECIPE, TARGETS
from polyinv.evaluation import ENSEMBLE
from polyinv.experiment.configuration import read_experiment
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.run import run
from polyinv.report.tables import by_chance

ROOT = Path(__file__).parents[1]
SEEDS = range(42, 47)
ON_GRID = {
    ("forest", "composite"): ["forest.yaml"],
    ("trees", "composite"): ["trees.yaml"],
    ("polynomial", "composite"): ["polynomial.yaml"],
    ("mlp", "composite"): ["mlp_published.yaml"],
    ("mlp-table", "composite"): ["mlp.yaml", "table.yaml"],
    ("forest", "mmd"): ["forest.yaml"],
}
NAMES = {
    "forest": "forest",
    "trees": "trees",
    "polynomial": "polynomial",
    "mlp": "published network",
    "mlp-table": "MLP",
}
# Half a thousand full trees on so many rows would take 4 GB and an hour; these have leaves of five.
ON_SIMULATED = {
    "model": {"n_estimators": 100, "max_depth": None, "min_samples_leaf": 5},
    "data": {"source": "simulated", "simulated.rows": 100_000},
}


def plan() -> dict[str, tuple[tuple[str, str, str], Experiment]]:
    """Run folder, line of the table and experiment of each training."""
    every = {}
    for (name, features), files in ON_GRID.items():
        for seed in SEEDS:
            paths = [ROOT / "configs" / file for file in files]
            values = {"features": features, "split": {"name": "by_recipe", "seed": seed}, **_jobs(name)}
            experiment = read_experiment(paths, values)
            every[f"{name}-{features}-by_recipe-{seed}"] = (NAMES[name], features, "the grid"), experiment
    for name in ("forest", "trees"):
        line = NAMES[name], "composite", "100 000 simulated rows"
        experiment = read_experiment(values={"model.name": name, **ON_SIMULATED, **_jobs(name)})
        every[f"{name}-simulated"] = line, experiment
    return every


def _jobs(name: str) -> dict[str, int]:
    """Both cores are filled by processes."""
    return {"model.jobs": 1} if name in ("forest", "trees") else {}


def train(experiment: Experiment, folder: Path) -> pd.DataFrame:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return run(experiment, folder, resume=True)


def released() -> pd.DataFrame:
    """Scores of the networks in checkpoints/, five split seeds of the grid that they have not seen."""
    parts = []
    for name, network in {"mlp": "MLP", "cnn": "CNN", "mlp-mmd": "MLP"}.items():
        folder = ROOT / "checkpoints" / name
        scores = pd.read_csv(folder / "scores.csv", dtype={"member": str}).replace({"subset": {"by_recipe": "test"}})
        features = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["features"]
        parts.append(scores.assign(model=network, features=features, learned_from="recipes simulated on the fly"))
    return pd.concat(parts)


def by_the_box(scores: pd.DataFrame) -> pd.DataFrame:
    """Global R² by the variance of the box; from the MSE of the targets where released scores are older than it."""
    told = scores[(scores["metric"] == "r2_box") & (scores["target"] == "global")]
    older = scores[~scores["learned_from"].isin(told["learned_from"])]
    mse = older[(older["metric"] == "mse") & older["target"].isin(TARGETS)]
    variance = mse["target"].map({quantity.name: (quantity.high - quantity.low) ** 2 / 12 for quantity in RECIPE})
    keys = ["features", "learned_from", "model", "subset", "seed"]
    of_targets = mse.assign(value=1 - mse["value"] / variance).groupby(keys, sort=False)["value"]
    return pd.concat([told, of_targets.mean().reset_index()]).assign(target="by the box")


def table(scores: pd.DataFrame) -> str:
    """Mean over the trainings ± standard deviation by chance (`polyinv.report.tables.by_chance`), as Markdown."""
    whole = scores[scores["member"] == ENSEMBLE]
    r2 = pd.concat([whole[whole["metric"] == "r2"], by_the_box(whole)])
    lines = [
        "| features | model | learned from | R², reactions never seen | by the box | cAIBN_0 "
        "| R², off the grid | by the box | cAIBN_0 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (features, source, model), part in r2.groupby(["features", "learned_from", "model"], sort=False):
        cells = []
        for subset in ("test", "off_grid"):
            for target in ("global", "by the box", "cAIBN_0"):
                of_line = part[(part["subset"] == subset) & (part["target"] == target)]
                spread = by_chance(of_line)
                cells.append(f"{of_line['value'].mean():.3f}{'' if math.isnan(spread) else f' ± {spread:.3f}'}")
        lines.append(f"| {features} | {model} | {source} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    every, parts = plan(), {}
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(train, what, given.output / name): name for name, (_, what) in every.items()}
        for done in as_completed(pending):
            name = pending[done]
            model, features, source = every[name][0]
            parts[name] = done.result().assign(model=model, features=features, learned_from=source)
            print(f"[{len(parts)}/{len(every)}] {name}", flush=True)
    scores = pd.concat([*(parts[name] for name in every), released()])
    print(table(scores.sort_values("features", kind="stable")))


if __name__ == "__main__":
    main()
