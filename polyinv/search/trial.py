"""One trial of a search, in a process of its own: a training that is watched, and ended when it falls behind."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from polyinv.ablation.ablate import wait_for_orphan
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.kept import read_validation
from polyinv.experiment.run import fit
from polyinv.models.options import VALIDATION
from polyinv.runtime.files import discard

TRIALS = "trials"


@dataclass(frozen=True)
class Ended:
    """How a trial has ended.

    Args:
        state: ``complete`` or ``pruned``.
        value: Mean over the members of their best validation loss; None of a pruned one.
        epoch: Mean over the members of when that was, or the epoch in which it was pruned.
        cpu_seconds: What it took, since it was resumed if it was.
    """

    state: str
    value: float | None
    epoch: float
    cpu_seconds: float


def name_of(number: int) -> str:
    """Name of a trial's folder and claim.

    Example:
        >>> name_of(7)
        '0007'
    """
    return f"{number:04d}"


def run_trial(experiment: Experiment, search_folder: Path, number: int, pruner: str) -> Ended:
    """Run one trial, or what is left of it, in its run folder; test and off-grid rows are not looked at."""
    folder = search_folder / TRIALS / name_of(number)
    logging.basicConfig(level=logging.WARNING, format=f"trial {folder.name}: %(message)s", force=True)
    import torch

    from polyinv.search.journal import Reports
    from polyinv.search.pruning import Prune, Pruned

    torch.set_num_threads(1)
    wait_for_orphan(folder)
    start = time.process_time()
    try:
        fit(experiment, folder, [Prune(Reports(search_folder, number, pruner))])
    except Pruned as pruned:
        discard(folder / "checkpoints")
        return Ended("pruned", None, pruned.epoch, time.process_time() - start)
    best = read_validation(folder / VALIDATION)
    return Ended("complete", float(best["loss"].mean()), float(best["epoch"].mean()), time.process_time() - start)
