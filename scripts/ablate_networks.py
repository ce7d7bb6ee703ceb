"""What helps a network trained on simulated recipes, and by how much: the table of docs/explanation/networks.md.

python scripts/ablate_networks.py --output runs/ablate_networks        # about 35 minutes of two cores, resumable

Every line changes one thing of configs/mlp.yaml at half its length. Choices are made by the validation column, on 8192
simulated rows of 10⁵ to 10⁷ chains that are the same for all lines; the same recipes at 1.25·10⁶ chains show who has
learned the volume of a simulation, and the off-grid test stands beside it and decides nothing.
"""

import argparse
import logging
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polyinv
from polyinv.data.source import SimulatedConfig
from polyinv.evaluation import ENSEMBLE
from polyinv.experiment.configuration import read_experiment
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.run import run

if TYPE_CHECKING:
    from polyinv.data.datamodule import RecipeDataModule

CONFIGS = Path(__file__).parents[1] / "configs"
BASE = {"model.members": 1, "model.training.max_epochs": 25}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "base": ("256-256-128 ReLU, root_log, 6 250 steps", {"model.members": 2}),
    "cnn": ("convolutions over the curve (configs/cnn.yaml)", {"config": "cnn.yaml"}),
    "plain": ("columns as they are (transform plain)", {"model.transform": "plain"}),
    "silu": ("SiLU", {"model.activation": "silu"}),
    "wide": ("512-512-256", {"model.hidden": [512, 512, 256]}),
    "narrow": ("128-128-64", {"model.hidden": [128, 128, 64]}),
    "dropout": ("dropout 0.1", {"model.dropout": [0.1]}),
    "nll": ("Gaussian likelihood", {"model.training.loss": "nll"}),
    "huber": ("Huber loss", {"model.training.loss": "huber"}),
    "constant": ("constant learning rate", {"model.training.schedule": "constant"}),
    "bank": ("bank of 12 000 recipes", {"data.simulated.rows": 12_000}),
    "fixed": ("120 000 fixed rows, noise not redrawn", {"data.simulated.redraw": False}),
    "longest": ("sixteen times the steps", {"model.training.max_epochs": 400}),
    "million": ("exactly 10⁶ chains", {"data.simulated.chains": (1e6, 1e6)}),
    "longest_million": (
        "exactly 10⁶ chains, sixteen times the steps",
        {"data.simulated.chains": (1e6, 1e6), "model.training.max_epochs": 400},
    ),
}
"""By the name of the run folder: the line of the table, and what is changed."""


def experiment(variant: dict[str, Any], features: str) -> Experiment:
    """The experiment of one line of the table."""
    changes = BASE | variant
    file = CONFIGS / changes.pop("config", "mlp.yaml")
    patience = {"model.training.patience": changes["model.training.max_epochs"]}
    return read_experiment([file], changes | patience | {"features": features})


def line(name: str, variant: dict[str, Any], features: str, folder: Path) -> dict[str, Any]:
    """Train one line, or find it trained."""
    from polyinv.evaluation.metrics import score

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    whole = experiment(variant, features)
    simulated(whole.data.simulated, features)  # so that its recipes are at hand before the clock starts
    start = time.process_time()
    scores = run(whole, folder, resume=True)
    spent = time.process_time() - start
    if not (folder / "seconds.txt").exists():
        (folder / "seconds.txt").write_text(f"{spent}\n", encoding="utf-8")
    model = polyinv.load(folder).model
    common = simulated(SimulatedConfig(rows=2), features)
    larger = simulated(SimulatedConfig(rows=2, chains=(1.25e6, 1.25e6)), features)
    members = model.predict_members(common.val.x)
    key = "global", "r2"
    each = [score(common.val.y, predicted).set_index(["target", "metric"])["value"][key] for predicted in members]
    of_all = score(common.val.y, members.mean(0)).set_index(["target", "metric"])["value"]
    off = scores[(scores["subset"] == "off_grid") & (scores["target"] == "global") & (scores["metric"] == "r2")]
    return {
        "line": name,
        "validation": of_all[key],
        "members": each,
        "cAIBN_0": of_all["cAIBN_0", "r2"],
        "larger": float(score(larger.val.y, model.predict(larger.val.x)).set_index(["target", "metric"])["value"][key]),
        "off_grid": float(off[off["member"] == ENSEMBLE]["value"].iloc[0]),
        "seconds": float((folder / "seconds.txt").read_text(encoding="utf-8")) / len(members),
    }


def simulated(config: SimulatedConfig, features: str) -> "RecipeDataModule":
    """Recipes simulated on the fly, with validation rows of their own."""
    from polyinv.data.datamodule import RecipeDataModule

    data = RecipeDataModule(features, source="simulated", simulated=config)
    data.setup()
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--features", default="composite")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, help="these lines alone")
    given = parser.parse_args()
    chosen = {name: VARIANTS[name] for name in given.only or VARIANTS}
    given.output.mkdir(parents=True, exist_ok=True)
    heads = (
        "what is changed",
        "validation R²",
        "its members",
        "cAIBN_0",
        "1.25·10⁶ chains",
        "off grid",
        "CPU s per member",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        pending = []
        for name, (title, variant) in chosen.items():
            folder = given.output / f"{given.features}-{name}"
            pending.append(pool.submit(line, title, variant, given.features, folder))
        for each in pending:
            row = each.result()
            members = ", ".join(f"{value:.4f}" for value in row["members"])
            print(
                f"| {row['line']} | {row['validation']:.4f} | {members} | {row['cAIBN_0']:.4f} | "
                f"{row['larger']:.4f} | {row['off_grid']:.4f} | {row['seconds']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
