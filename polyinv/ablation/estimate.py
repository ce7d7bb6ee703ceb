"""What a study will take: a table of its cells, and the time of those that are left."""

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from polyinv.ablation.ablate import BROKEN, CELLS, DONE, LEFT, spent_on, states_of
from polyinv.ablation.study import Study
from polyinv.ablation.summary import text
from polyinv.errors import InputError
from polyinv.experiment.configuration import with_value
from polyinv.experiment.run import Experiment, run
from polyinv.models import MODELS, NeuralModel
from polyinv.report.tables import markdown
from polyinv.runtime.threads import available_cores

EPOCHS, TREES = (1, 4, 24), (4, 24, 120)
"""Lengths that are tried until one takes `ENOUGH` more than the first: the time is linear in them."""
ENOUGH = 3.0
"""Seconds that cannot be chance."""


def plan(study: Study, output: Path, workers: int | None = None) -> str:
    """The cells of a study, what is done of them, and the time that the rest takes, as text.

    A combination that has finished cells takes what they took. Another one is tried, briefly, in a folder that is
    thrown away: a few epochs or trees, extrapolated to all of them. Networks that stop early take less.

    Args:
        study: The study.
        output: Its folder, which may not be there yet.
        workers: Cells at once; by default one per core.
    """
    workers = workers or available_cores()
    states, tried, lines, total = states_of(study, output), {}, [], 0.0
    combinations = {tuple(map(text, cell.values.values())): cell for cell in study.cells}
    for key, cell in combinations.items():
        names = [each.name for each in study.cells if each.values == cell.values]
        unfinished = sum(states[name] != DONE for name in names)
        spent = [spent_on(output / CELLS / name) for name in names]
        took = [each["wall_seconds"] for each in spent if each["resumed"] is False]
        each, said = (sum(took) / len(took), f"{sum(took) / len(took):.0f} s") if took else (0.0, "")
        if unfinished and not took:
            kind = _kind(cell.experiment)
            tried[kind] = tried.get(kind) or _tried(cell.experiment)
            each, said = tried[kind]
        total += unfinished * each
        count = {state: sum(states[name] == state for name in names) for state in (DONE, BROKEN, LEFT)}
        lines.append({**dict(zip(study.axes, key, strict=True)), **count, "a cell": said})
    unfinished = sum(state != DONE for state in states.values())
    minutes = total / min(workers, max(1, unfinished)) / 60
    return (
        f"{markdown(pd.DataFrame(lines))}\n\n{len(study.cells)} cells, {unfinished} of them not done: about "
        f"{minutes:.1f} minutes on {workers} processes with nothing beside them, less where networks stop early"
    )


def _tried(experiment: Experiment) -> tuple[float, str]:
    """Seconds of a cell that was not run yet, and what to say of them."""
    try:
        seconds = _try(experiment)
    except InputError as error:
        return 0.0, f"fails: {error}"
    if seconds is None:
        return 0.0, "not known"
    bound = "at most about" if issubclass(MODELS[experiment.model], NeuralModel) else "about"
    return seconds, f"{bound} {seconds:.0f} s"


def _kind(experiment: Experiment) -> str:
    """Experiments that take about as long: those that differ in the seed of their split alone."""
    return repr(with_value(experiment, "split.seed", 0))


def _try(experiment: Experiment) -> float | None:
    """Seconds that a cell takes, from short ones of it; None for a search, which takes any time."""
    if experiment.options.get("search"):
        return None
    (short, *longer), whole = _lengths(experiment)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        _seconds(experiment, short, Path(folder, "first"))  # loads what is loaded once
        base = _seconds(experiment, short, Path(folder, str(short)))
        for length in longer:
            more = _seconds(experiment, length, Path(folder, str(length))) - base
            if more > ENOUGH or length >= whole:
                break
    return base + max(0.0, more) * (whole - short) / (length - short)


def _seconds(experiment: Experiment, length: int, folder: Path) -> float:
    start = time.monotonic()
    run(_shortened(experiment, length), folder)
    return time.monotonic() - start


@contextmanager
def _quiet() -> Iterator[None]:
    """What these runs have to say, the true ones will say."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _lengths(experiment: Experiment) -> tuple[tuple[int, ...], int]:
    """What is tried, and the length of the whole."""
    model = MODELS[experiment.model](**experiment.options)
    if isinstance(model, NeuralModel):
        return EPOCHS, model.training.max_epochs
    return TREES, model.n_estimators


def _shortened(experiment: Experiment, length: int) -> Experiment:
    is_network = issubclass(MODELS[experiment.model], NeuralModel)
    return with_value(experiment, "model.training.max_epochs" if is_network else "model.n_estimators", length)
