"""Cost of a cell: an estimate of its processor seconds, from what it has to do and timings measured once.

The timings were measured by ``python scripts/time_cells.py`` on one core of a server (AMD EPYC), in CPU seconds.
Another machine takes `slowness` times as long.
"""

import itertools
import time
from dataclasses import asdict
from functools import lru_cache
from math import ceil, log2
from typing import Any

import numpy as np

from polyinv.chemistry import System
from polyinv.data.features import feature_columns
from polyinv.data.source import DataConfig, load_table
from polyinv.data.splits import Split, split_columns, split_rows
from polyinv.experiment.experiment import Experiment

PROBE = 0.048
"""Seconds of `probe` on that machine."""
FIXED = 1.4
"""Seconds of a cell beside its training: evaluation, figures, saving."""
BRANCH = {"forest": 1.6e-8, "trees": 4.7e-9}
"""Seconds per tree, row, log2(rows) and column."""
INSTANT = ("polynomial",)
"""Models that are fitted in less time than the rest of a cell takes."""
STEP = {"mlp": 1.3e-3, "cnn": 1.3e-3}
"""Seconds of an optimizer step for itself."""
MULTIPLICATION = {"mlp": 1.2e-10, "cnn": 3.0e-10}
"""Seconds per multiplication of a weight: members, rows of a batch and weights."""
DRAWN, SIMULATED = 2.5e-6, 8.4e-5
"""Seconds per simulated row that is served, and that is made for the bank."""


def known_cost(experiment: Experiment) -> float | None:
    """Estimate the CPU seconds of a cell on the machine of the timings; at most, for networks, which may stop earlier.

    None for models without timings and for a search, which takes any time.

    Raises:
        InputError: The rows cannot be had.
    """
    options, data = experiment.options, experiment.data
    made = SIMULATED * data.simulated.rows if data.source == "simulated" else 0.0
    if experiment.model in BRANCH and not options.get("search"):
        rows = _rows(experiment, with_validation=True)
        work = (
            options["n_estimators"]
            * rows
            * log2(max(rows, 2))
            * len(feature_columns(experiment.features, experiment.data.of))
        )
        return FIXED + made + BRANCH[experiment.model] * work
    if experiment.model in INSTANT:
        return FIXED + made
    if experiment.model not in STEP:
        return None
    training, members = options["training"], options["members"]
    is_drawn = data.source == "simulated"
    rows = data.simulated.epoch if is_drawn else _rows(experiment, with_validation=False)
    steps = ceil(rows / training["batch_size"])
    epoch = STEP[experiment.model] * steps + MULTIPLICATION[experiment.model] * members * rows * _weights(experiment)
    return FIXED + made + training["max_epochs"] * (epoch + (DRAWN * rows * members if is_drawn else 0.0))


def _weights(experiment: Experiment) -> int:
    """Multiplications of one row in a network: fully connected layers, behind convolutions that halve the curve."""
    options = experiment.options
    system = experiment.data.of
    inputs, convolutions = len(feature_columns(experiment.features, system)), 0
    if experiment.model == "cnn":
        length, before = 100, 1
        for channels in options["channels"]:
            length = ceil(length / 2)
            convolutions += length * before * channels * options["kernel"]
            before = channels
        inputs = length * before
    widths = [inputs, *options["hidden"], len(system.targets)]
    return convolutions + sum(a * b for a, b in itertools.pairwise(widths))


def _rows(experiment: Experiment, *, with_validation: bool) -> int:
    """Rows that a model is fitted on."""
    if experiment.data.source == "simulated":
        return experiment.data.simulated.rows
    data = experiment.data
    split = _split(data.path, data.of, **asdict(experiment.split))
    return len(split.train) + (len(split.val) if with_validation else 0)


@lru_cache(maxsize=256)
def _split(path: str | None, system: System, name: str, seed: int, share: float) -> Split:
    return split_rows(_table(path, system, split_columns(name, system)), name, seed, share, system)


@lru_cache(maxsize=8)
def _table(path: str | None, system: System, columns: tuple[str, ...]) -> Any:
    """Columns that decide a split; a published grid that would be simulated has the recipes of the bundled one."""
    source = "table" if path is not None or "grid" in system.bundled else "grid"
    return load_table(DataConfig(source, path, system=system.stored), tuple(dict.fromkeys(columns)))


def probe() -> float:
    """CPU seconds of a little work of the kind that cells do: sorting, and multiplying matrices elementwise."""
    numbers = np.random.default_rng(0).random(200_000)
    start = time.process_time()
    for _ in range(5):
        np.sort(numbers)
        np.exp(np.sqrt(numbers)).sum()
    return time.process_time() - start


def slowness() -> float:
    """CPU seconds of this machine for one of that of the timings, by the fastest of three probes."""
    return min(probe() for _ in range(3)) / PROBE
