"""Run a study: every cell in a run folder of its own, all scores in one table, and a summary of the table.

The folder of a study holds ``study.yaml`` (the axes and cells), ``cells/`` (a run folder each), ``failed/`` (a text for
each cell that failed), ``cells.csv`` (state and seconds of each), ``table.csv`` (all scores), and the summary: see
`summarize`. Only what is unfinished is ever run, and everything but the run folders can be made from them.
"""

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from polyinv.ablation.places import Places, places
from polyinv.ablation.study import Cell, Study
from polyinv.ablation.summary import GIVEN, in_words, summary, text
from polyinv.data.features import CONDITIONAL, current_name
from polyinv.errors import InputError
from polyinv.evaluation.published import PUBLISHED, repeated_case
from polyinv.experiment.configuration import read_yaml
from polyinv.experiment.run import CONFIG, SCORES, Experiment, check_goes_on_with, run
from polyinv.report.tables import global_r2
from polyinv.runtime.files import discard_unfinished, locked, written
from polyinv.runtime.workers import Outcome, work

STUDY, TABLE, STATES, CELLS, FAILED, SECONDS = (
    "study.yaml",
    "table.csv",
    "cells.csv",
    "cells",
    "failed",
    "seconds.json",
)
DONE, BROKEN, LEFT = "done", "failed", "left"
AXIS = "axis."
"""Before the name of an axis, as a column: a score has a model and features, too."""

log = logging.getLogger(__name__)


def ablate(
    study: Study,
    output: Path | str,
    *,
    workers: int | None = None,
    per_device: int = 1,
    retry: bool = False,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Run what is left of a study, and summarize it.

    Args:
        study: From `polyinv.ablation.study.read_study`.
        output: Folder; new, or of an earlier call, whose finished cells are kept. Values and seeds may have been added.
        workers: Cells at once; by default ``per_device`` on each GPU, or one per core.
        per_device: Cells at once on one GPU.
        retry: Run the cells again that failed before.
        say: Called with each line of progress and result.

    Returns:
        All scores, see `gather`.

    Raises:
        InputError: The folder holds other results, another process is at work in it, or a cell failed, now or before,
            or was asked to end.
    """
    output = Path(output)
    check_same_study(study, output)
    for folder in (output / CELLS, output / FAILED):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(output):
        for folder in (output / CELLS, output / FAILED):
            discard_unfinished(folder)
        _keep_study(study, output)
        states = states_of(study, output)
        waiting = [name for name, state in states.items() if state == LEFT or (retry and state == BROKEN)]
        failed = {name for name, state in states.items() if state == BROKEN} - {*waiting}
        for name in states.keys() - {*waiting} - failed:  # killed between the end of a retry and this
            _report_of(name, output).unlink(missing_ok=True)
        for cell in study.cells if retry else ():
            if states[cell.name] == BROKEN:
                _discard_other(cell, output / CELLS / cell.name)
        ended: set[str] = set()
        if waiting:
            at = places([cell.experiment for cell in study.cells if cell.name in waiting], workers, per_device)
            say(f"{_beginning(states, failed, waiting, output)}; {at}")
            broken, ended = _run(study, output, waiting, at, say)
            failed |= broken
        else:
            say(_beginning(states, failed, waiting, output))
        table = summarize(output, say=say) if len(failed | ended) < len(states) else gather(output)
    _check_all_done(failed, ended, len(states), output)
    return table


def _check_all_done(failed: set[str], ended: set[str], count: int, output: Path) -> None:
    said = f"{len(ended)} of {count} cells: process was asked to end (SIGTERM); the same command goes on with them"
    if failed:
        also = f"; {said}" if ended else ""
        raise InputError(
            f"{len(failed)} of {count} cells failed; {output / FAILED} says why, and --retry runs them again{also}"
        )
    if ended:
        raise InputError(said)


def check_same_study(study: Study, output: Path) -> None:
    """Refuse a folder of another study, or with a cell that was made of something else.

    Raises:
        InputError: Names the cell and what differs.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; choose another --output")
    is_there = (output / STUDY).is_file()
    if not is_there and output.exists() and {path.name for path in output.glob("[!.]*")} - {CELLS, FAILED}:
        raise InputError(f"{output} exists already and holds no study; choose another --output")
    if is_there:
        theirs = list(_kept_study(output)["axes"])
        if theirs != list(study.axes):
            raise InputError(
                f"{output} holds a study of the axes {', '.join(theirs)}, not {', '.join(study.axes)}; "
                "choose another --output"
            )
    for cell in study.cells:
        if (output / CELLS / cell.name / CONFIG).is_file() and _state(cell.name, output) != BROKEN:
            check_goes_on_with(cell.experiment, output / CELLS / cell.name)


def _discard_other(cell: Cell, folder: Path) -> None:
    """Remove what a failed cell left behind if the study has been mended since: it holds no score."""
    try:
        if (folder / CONFIG).is_file():
            check_goes_on_with(cell.experiment, folder)
    except InputError:
        shutil.rmtree(folder)


def states_of(study: Study, output: Path) -> dict[str, str]:
    """State of each cell: done, failed, or left."""
    return {cell.name: _state(cell.name, output) for cell in study.cells}


def _state(name: str, output: Path) -> str:
    if (output / CELLS / name / SCORES).is_file():
        return DONE
    return BROKEN if _report_of(name, output).is_file() else LEFT


def _report_of(name: str, output: Path) -> Path:
    return output / FAILED / f"{name}.txt"


def _beginning(states: Mapping[str, str], failed: set[str], waiting: list[str], output: Path) -> str:
    done = sum(state == DONE for state in states.values())
    left_out = f", {len(failed)} failed before and left out (--retry runs them again)" if failed else ""
    others = {path.parent.name for path in (output / CELLS).glob(f"*/{SCORES}")} - {*states}
    not_named = f"; {len(others)} more that the study does not name any more are not in the tables" if others else ""
    return f"{len(states)} cells in {output}: {done} done, {len(waiting)} to run{left_out}{not_named}"


def _keep_study(study: Study, output: Path) -> None:
    cells = {cell.name: {"values": dict(cell.values), "seed": cell.seed} for cell in study.cells}
    axes = {axis: list(values) for axis, values in study.axes.items()}
    kept = {"study": study.name, "axes": axes, "seeds": list(study.seeds), "seeded": list(study.seeded), "cells": cells}
    with written(output / STUDY, overwrite=True) as passing:
        passing.write_text(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _kept_study(output: Path) -> dict[str, Any]:
    path = output / STUDY
    if not path.is_file():
        raise InputError(f"{output} holds no study: there is no {STUDY} in it")
    kept = read_yaml(path, "axes, cells")
    if not (isinstance(kept.get("axes"), dict) and isinstance(kept.get("cells"), dict)):
        raise InputError(f"{path} is not what `ablate` keeps of a study: it has no axes or no cells")
    return kept


def _run(
    study: Study, output: Path, waiting: list[str], at: Places, say: Callable[[str], None]
) -> tuple[set[str], set[str]]:
    """Run cells and return the names of those that failed, and of those that were asked to end."""
    cells = {cell.name: cell for cell in study.cells}
    jobs = {name: (cells[name].experiment, output / CELLS / name) for name in waiting}
    failed, ended, start = set(), set(), time.monotonic()
    with closing(work(run_cell, jobs, at.workers, at.devices)) as outcomes:
        for number, outcome in enumerate(outcomes, start=1):
            if outcome.error is None:
                _report_of(outcome.name, output).unlink(missing_ok=True)
            elif outcome.is_ended:
                ended.add(outcome.name)
            else:
                failed.add(outcome.name)
                _keep_failure(outcome, output, say)
            said = (
                outcome.value if outcome.error is None else f"{'' if outcome.is_ended else 'failed: '}{outcome.error}"
            )
            spent = time.monotonic() - start
            say(f"[{number:{len(str(len(jobs)))}d}/{len(jobs)}] {cells[outcome.name].title}: {said} ({spent:.0f} s)")
    return failed, ended


def _keep_failure(outcome: Outcome, output: Path, say: Callable[[str], None]) -> None:
    try:
        with written(_report_of(outcome.name, output), overwrite=True) as passing:
            passing.write_text(f"{outcome.error}\n\n{outcome.trace}", encoding="utf-8")
    except OSError as error:  # a full disk: the cell is still counted as failed, and will be left when called again
        say(f"the failure of {outcome.name} cannot be recorded: {error}")


def run_cell(experiment: Experiment, folder: Path) -> str:
    """Run one cell, or what is left of it, and keep its seconds; returns its global R² as text."""
    logging.basicConfig(level=logging.WARNING, format=f"{folder.name}: %(message)s", force=True)
    import torch

    import polyinv.models.training  # noqa: F401  seconds of importing are not the cell's

    torch.set_num_threads(1)
    is_finished, is_resumed = (folder / SCORES).is_file(), folder.exists()
    start, cpu = time.monotonic(), time.process_time()
    scores = run(experiment, folder, resume=True)
    if not is_finished:
        spent = {"wall": time.monotonic() - start, "cpu": time.process_time() - cpu, "resumed": is_resumed}
        try:
            with written(folder / SECONDS, overwrite=True) as passing:
                passing.write_text(json.dumps(spent), encoding="utf-8")
        except OSError as error:  # the scores are there, and they are what counts
            log.warning("its seconds are not kept: %s", error)
    return global_r2(scores)


def summarize(output: Path | str, *, say: Callable[[str], None] = print) -> pd.DataFrame:
    """Summarize the finished cells of a study, while it runs or afterwards.

    Written are ``table.csv`` and ``cells.csv`` (`gather`), ``summary.csv``, ``summary.md`` and ``summary.png`` (mean
    over the seeds, its interval, and paired differences), and ``tensorboard/`` with a row of hyper-parameters for
    each combination of values.

    Raises:
        InputError: The folder holds no study, or no cell of it is done.
    """
    from polyinv.ablation.dots import dots
    from polyinv.ablation.hparams import write_hparams

    output = Path(output)
    kept = _kept_study(output)
    table = gather(output)
    if table.empty:
        raise InputError(f"no cell of the study in {output} is done")
    axes = [f"{AXIS}{axis}" for axis in kept["axes"]]
    reference = _scalar(next(iter(kept["axes"].values()))[0])
    found = _with_published(summary(table, axes, reference), axes, output, kept)
    words = in_words(found, axes, reference, kept["study"], kept.get("seeded", ["split.seed"]))
    with written(output / "summary.csv", overwrite=True) as passing:
        found.to_csv(passing, index=False, lineterminator="\n")
    with written(output / "summary.md", overwrite=True) as passing:
        passing.write_text(words + "\n", encoding="utf-8")
    with written(output / "summary.png", overwrite=True) as passing:
        dots(found, axes, kept["study"]).savefig(passing, dpi=150)
    shutil.rmtree(output / "tensorboard", ignore_errors=True)
    write_hparams(found, axes, output / "tensorboard")
    say(f"\n{words}\n\nIn {output}: {TABLE}, {STATES}, summary.csv, summary.md, summary.png, tensorboard/")
    return table


def gather(output: Path | str) -> pd.DataFrame:
    """Write the scores of all finished cells to ``table.csv``, and the state of each cell to ``cells.csv``.

    Returns:
        Tidy: a column for each axis, named ``axis.NAME``, then those of a ``scores.csv``, and ``given``, the pattern of
        inputs of a conditional model; in the order of the study.

    Raises:
        InputError: The folder holds no study.
    """
    output = Path(output)
    parts, cells = [], []
    for name, cell in _kept_study(output)["cells"].items():
        at = {f"{AXIS}{axis}": _scalar(value) for axis, value in cell["values"].items()}
        state = _state(name, output)
        if state == DONE:
            scores = _with_given(_scores(output / CELLS / name / SCORES), output / CELLS / name / CONFIG)
            parts.append(pd.concat([pd.DataFrame(at, index=scores.index), scores], axis=1))
        cells.append({"cell": name, **at, "seed": cell["seed"], "state": state, **spent_on(output / CELLS / name)})
        cells[-1]["error"] = (
            _report_of(name, output).read_text(encoding="utf-8").split("\n")[0] if state == BROKEN else None
        )
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    for name, frame in {TABLE: table, STATES: pd.DataFrame(cells)}.items():
        with written(output / name, overwrite=True) as passing:
            frame.to_csv(passing, index=False, lineterminator="\n")
    return table


def _scores(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype={"member": str})
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}; remove its folder to run the cell again") from None


def _with_given(scores: pd.DataFrame, config: Path) -> pd.DataFrame:
    """Add to scores the pattern of inputs that each is of, empty unless the model is conditional."""
    is_conditional = current_name(read_yaml(config)["features"]) == CONDITIONAL
    return scores.assign(**{GIVEN: scores["features"] if is_conditional else ""})


def _scalar(value: Any) -> Any:
    """Value of an axis as a table holds it: numbers stay numbers."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text(value)


def spent_on(folder: Path) -> dict[str, Any]:
    """Seconds of a finished cell; of one that was resumed, those since it was."""
    path = folder / SECONDS
    spent = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {"cpu_seconds": spent.get("cpu"), "wall_seconds": spent.get("wall"), "resumed": spent.get("resumed")}


def _with_published(found: pd.DataFrame, axes: Sequence[str], output: Path, kept: Mapping[str, Any]) -> pd.DataFrame:
    """Add the published R² to a summary where a combination repeats a published case, evaluated on test rows."""
    cases = {}
    for name, cell in kept["cells"].items():
        path = output / CELLS / name / CONFIG
        if path.is_file():
            case = repeated_case(yaml.safe_load(path.read_text(encoding="utf-8")))
            cases[tuple(_scalar(value) for value in cell["values"].values())] = PUBLISHED[case] if case else {}
    combinations = found[list(axes)].itertuples(index=False, name=None)
    known = [
        cases[combination].get((target, "r2")) if subset == "test" else None
        for combination, subset, target in zip(combinations, found["subset"], found["target"], strict=True)
    ]
    return found.assign(published=pd.Series(known, index=found.index, dtype=float))
