"""Plan of a study: a table of its cells, and an estimate of the time of those that are left."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pandas as pd

from polyinv.ablation.costs import known_cost, slowness
from polyinv.ablation.folder import BROKEN, CELLS, DONE, LEFT, spent_on, states_of
from polyinv.ablation.places import places
from polyinv.ablation.study import Cell, Study
from polyinv.ablation.summary import text
from polyinv.errors import InputError
from polyinv.experiment.configuration import value_of, with_value
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.run import run
from polyinv.models import MODELS
from polyinv.report.tables import markdown
from polyinv.runtime.devices import NONE, VISIBLE, environment
from polyinv.runtime.files import passing_folder

SHORT, *LONGER = (1, 4, 24, 120)
"""Lengths (epochs, trees) that are tried until one takes `ENOUGH` more than the first: the time is linear in them."""
ENOUGH = 3.0
"""Seconds that cannot be chance."""
HOW = {
    "finished": "from what finished cells of the same values took",
    "scaled": "from stored timings, scaled by what finished cells of the same model took",
    "probed": "from stored timings, scaled by a short probe of this machine (wrong by up to a factor of two)",
    "tried": "by a short training of models that have no stored timings",
}
"""Ways of an estimate."""


def plan(study: Study, output: Path, workers: int | None = None, per_device: int = 1) -> str:
    """Describe the cells of a study, which are done, and the time that the rest takes, as text.

    A combination that has finished cells takes what they took. Another one takes what `polyinv.ablation.costs` knows of
    its model, scaled by the finished cells of that model, or by how fast this machine does a little work. A model that
    is not known there is tried, briefly, in a folder that is thrown away: a few epochs or trees, on the CPU,
    extrapolated to all of them. Networks that stop early take less, as do those that a GPU will train.

    Args:
        study: The study.
        output: Its folder, which may not be there yet.
        workers, per_device: See `polyinv.ablation.places.places`.
    """
    states, lines, total = states_of(study, output), [], 0.0
    estimates = _Estimates(study, output)
    combinations = {tuple(map(text, cell.values.values())): cell for cell in study.cells}
    for key, cell in combinations.items():
        names = [each.name for each in study.cells if each.values == cell.values]
        missing = sum(states[name] != DONE for name in names)
        each, said = estimates.of(cell, names, is_missing=missing > 0)
        total += missing * each
        count = {state: sum(states[name] == state for name in names) for state in (DONE, BROKEN, LEFT)}
        lines.append({**dict(zip(study.axes, key, strict=True)), **count, "a cell": said})
    unfinished = [cell.experiment for cell in study.cells if states[cell.name] != DONE]
    at = places(unfinished, workers, per_device)
    is_guessed = bool(estimates.made & {*HOW} - {"finished"})
    faster = " or train on a GPU: the estimate is of the CPU" if is_guessed and at.devices else ""
    how = "; ".join(HOW[way] for way in HOW if way in estimates.made)
    return (
        f"{markdown(pd.DataFrame(lines))}\n\n{len(study.cells)} cells, {len(unfinished)} of them not done: "
        f"about {total / at.workers / 60:.1f} minutes in {at} with nothing beside them, "
        f"less where networks stop early{faster}" + (f"\nestimated {how}" if how else "")
    )


class _Estimates:
    """Seconds of the cells of a study, and how they were estimated."""

    def __init__(self, study: Study, output: Path) -> None:
        self.made: set[str] = set()
        self._tried: dict[str, tuple[float, str]] = {}
        self._output = output
        self._took = {cell.name: took for cell in study.cells if (took := _took(output / CELLS / cell.name))}
        self._finished = {
            model: self._pace([cell for cell in study.cells if cell.experiment.model == model])
            for model in {cell.experiment.model for cell in study.cells}
        }

    def of(self, cell: Cell, names: list[str], *, is_missing: bool) -> tuple[float, str]:
        """Seconds of a cell, and a note on them.

        Args:
            cell: One of a combination.
            names: All cells of that combination.
            is_missing: Whether one of them has still to be run.
        """
        took = [self._took[name] for name in names if name in self._took]
        if took:
            self.made |= {"finished"} if is_missing else set()
            return sum(took) / len(took), f"{sum(took) / len(took):.0f} s"
        return self._guessed(cell.experiment) if is_missing else (0.0, "")

    def _guessed(self, experiment: Experiment) -> tuple[float, str]:
        try:
            known = known_cost(experiment)
        except InputError as error:
            return 0.0, f"fails: {error}"
        if known is None:
            self.made.add("tried")
            kind = _kind(experiment)
            self._tried[kind] = self._tried.get(kind) or _tried(experiment)
            return self._tried[kind]
        pace = self._finished[experiment.model]
        self.made.add("probed" if pace is None else "scaled")
        return _noted(experiment, known * (_slowness() if pace is None else pace))

    def _pace(self, cells: list[Cell]) -> float | None:
        """Seconds that finished cells took for each one that was expected."""
        done = [cell for cell in cells if cell.name in self._took]
        expected = sum(known_cost(cell.experiment) or 0.0 for cell in done)
        return sum(self._took[cell.name] for cell in done) / expected if expected else None


_slowness = cache(slowness)


def _took(folder: Path) -> float | None:
    """Seconds of a cell that has been run in one go."""
    spent = spent_on(folder)
    return spent["wall_seconds"] if spent["resumed"] is False else None


def _tried(experiment: Experiment) -> tuple[float, str]:
    """Estimated seconds of a cell that has not been run yet, and a note on them."""
    try:
        seconds = _try(experiment)
    except InputError as error:
        return 0.0, f"fails: {error}"
    if seconds is None:
        return 0.0, "not known"
    return _noted(experiment, seconds)


def _noted(experiment: Experiment, seconds: float) -> tuple[float, str]:
    bound = "at most about" if ".max_" in _length(experiment) else "about"  # it may stop earlier
    return seconds, f"{bound} {seconds:.0f} s"


def _kind(experiment: Experiment) -> str:
    """Key of experiments that take about equally long: those that differ in the seed of their split alone."""
    return repr(with_value(experiment, "split.seed", 0))


def _try(experiment: Experiment) -> float | None:
    """Estimate the seconds of a cell from shortened ones; None for a search and others that take any time."""
    key = _length(experiment)
    if not key or experiment.options.get("search"):
        return None
    whole = value_of(experiment, key)
    with passing_folder() as folder, _quiet():
        _seconds(with_value(experiment, key, SHORT), folder / "first")  # loads what is loaded once
        base = _seconds(with_value(experiment, key, SHORT), folder / str(SHORT))
        for length in LONGER:
            more = _seconds(with_value(experiment, key, length), folder / str(length)) - base
            if more > ENOUGH or length >= whole:
                break
    return base + max(0.0, more) * (whole - SHORT) / (length - SHORT)


def _length(experiment: Experiment) -> str:
    """Option that the time of an experiment is linear in, empty if there is none."""
    option = MODELS[experiment.model].length_option
    return f"model.{option}" if option else ""


def _seconds(experiment: Experiment, folder: Path) -> float:
    start = time.monotonic()
    with environment({VISIBLE: NONE}):
        run(_on_cpu(experiment), folder)
    return time.monotonic() - start


def _on_cpu(experiment: Experiment) -> Experiment:
    """The same experiment on the CPU: the planning machine may have no GPU, or others may be at work on it."""
    is_told = "accelerator" in experiment.options.get("training", {})
    return with_value(experiment, "model.training.accelerator", "cpu") if is_told else experiment


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the log of trial experiments: the true ones will log the same."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
