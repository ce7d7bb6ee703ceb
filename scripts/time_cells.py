"""Measure the timings of `polyinv.ablation.costs`, in CPU seconds of one core: ``python scripts/time_cells.py``.

Each kind of cell is trained for a short and a longer time; what the longer one takes more is divided by what it has to
do more. Takes about five minutes.
"""

import argparse
import logging
import os
import tempfile
import time
import warnings
from dataclasses import asdict
from math import log2
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from polyinv.ablation.costs import _rows, _weights, probe
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.data.features import feature_columns
from polyinv.experiment.configuration import read_experiment
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.run import run
from polyinv.runtime.resources import CONFIGS

ON_CPU = {"model.training.accelerator": "cpu"}
SIMULATED: dict[str, Any] = {"data.source": "simulated", "data.simulated.rows": 2000, "data.simulated.epoch": 32768}


def seconds(experiment: Experiment) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        run(experiment, Path(folder, "run"))
        return time.process_time() - start


def two(names: list[str], key: str, lengths: tuple[int, int], values: dict | None = None) -> tuple[float, float]:
    """Seconds of one unit of length, and of all that does not depend on it."""
    cells = [read_experiment([CONFIGS / name for name in names], {key: length} | (values or {})) for length in lengths]
    seconds(cells[0])  # loads what is loaded once
    short, long = map(seconds, cells)
    unit = (long - short) / (lengths[1] - lengths[0])
    print(names, values, f"{short:.2f} s, {long:.2f} s: {unit:.4f} s each, {short - unit * lengths[0]:.2f} s besides")
    return unit, short - unit * lengths[0]


def per_branch(names: list[str], lengths: tuple[int, int]) -> tuple[float, float]:
    experiment = read_experiment([CONFIGS / name for name in names])
    unit, fixed = two(names, "model.n_estimators", lengths, {"model.jobs": 1})
    rows = _rows(experiment, with_validation=True)
    return unit / (rows * log2(rows) * len(feature_columns(experiment.features, SYSTEM))), fixed


def work_of_epoch(names: list[str], values: dict) -> tuple[float, float]:
    """Steps of an epoch, and multiplications of it."""
    experiment = read_experiment([CONFIGS / name for name in names], values)
    rows = _rows(experiment, with_validation=False)
    if experiment.data.source == "simulated":
        rows = experiment.data.simulated.epoch
    options = experiment.options
    multiplications = options["members"] * rows * _weights(experiment)
    return rows / asdict(experiment)["options"]["training"]["batch_size"], multiplications


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    import torch

    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    print(f"probe {min(probe() for _ in range(5)):.4f}")
    epochs, on_table = "model.training.max_epochs", {**ON_CPU, "model.members": 2}
    forest, fixed = per_branch(["forest.yaml"], (2, 30))
    trees, _ = per_branch(["trees.yaml"], (10, 110))
    print(f"FIXED {fixed:.2f} BRANCH forest {forest:.3g} trees {trees:.3g}")
    published = two(["mlp_published.yaml"], epochs, (1, 11), ON_CPU)[0]
    mlp = two(["mlp.yaml", "table.yaml"], epochs, (1, 9), on_table)[0]
    cnn = two(["cnn.yaml", "table.yaml"], epochs, (1, 4), on_table)[0]
    (s1, m1), (s2, m2) = (
        work_of_epoch(["mlp_published.yaml"], ON_CPU),
        work_of_epoch(["mlp.yaml", "table.yaml"], on_table),
    )
    multiplication = (mlp - published * s2 / s1) / (m2 - m1 * s2 / s1)
    step = (published - multiplication * m1) / s1
    s3, m3 = work_of_epoch(["cnn.yaml", "table.yaml"], on_table)
    print(f"STEP mlp {step:.3g} MULTIPLICATION mlp {multiplication:.3g} cnn {(cnn - step * s3) / m3:.3g}")
    simulated = {**on_table, **SIMULATED}
    drawn = two(["mlp.yaml"], epochs, (1, 5), simulated)
    s4, m4 = work_of_epoch(["mlp.yaml"], simulated)
    served = (drawn[0] - step * s4 - multiplication * m4) / (SIMULATED["data.simulated.epoch"] * 2)
    more = two(["mlp.yaml"], epochs, (1, 2), {**simulated, "data.simulated.rows": 12_000})
    print(f"DRAWN {served:.3g} SIMULATED {(more[1] - drawn[1]) / 10_000:.3g}")


if __name__ == "__main__":
    main()
