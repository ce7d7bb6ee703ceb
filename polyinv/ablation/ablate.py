"""Run a study: every cell in a run folder of its own, all scores in one table, and a summary of the table.

Any number of calls work on one study at the same time, on one machine or several: each claims its cells one by one, and
whoever ends last writes the tables. Only what is unfinished is ever run.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path

import pandas as pd

from polyinv.ablation.claims import Claims
from polyinv.ablation.folder import (
    BROKEN,
    CELLS,
    DONE,
    FAILED,
    LEFT,
    SECONDS,
    check_folder,
    check_same_as_others,
    check_same_study,
    current_state,
    keep_study,
    report_of,
    state_of,
    states_of,
    take_for_unfinished,
)
from polyinv.ablation.places import places
from polyinv.ablation.study import Cell, Study
from polyinv.ablation.tables import gather, write_summary
from polyinv.errors import InputError
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.kept import read_scores
from polyinv.experiment.run import run
from polyinv.experiment.run_folder import SCORES
from polyinv.report.tables import global_r2
from polyinv.runtime.engines import LOCAL, Wanted, Work
from polyinv.runtime.files import discard_unfinished, written
from polyinv.runtime.shared_folders import locked
from polyinv.runtime.workers import Job, Outcome

ORPHAN = 60.0
"""Longest time in s that a process goes on without the one that has started it."""

log = logging.getLogger(__name__)


def ablate(
    study: Study,
    output: Path | str,
    *,
    workers: int | None = None,
    per_device: int = 1,
    engine: Wanted = LOCAL,
    retry: bool = False,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Run what is left of a study, and summarize it unless others are still at work on it.

    Args:
        study: From `polyinv.ablation.study.read_study`.
        output: Folder; new, or of another call, whose cells are kept. Values and seeds may be added between calls.
        workers: Cells at once; by default ``per_device`` on each GPU, or one per core.
        per_device: Cells at once on one GPU.
        engine: What runs them; of another one than the local, ``workers`` are those of a cluster that is started here.
        retry: Run the cells again that failed before.
        say: Called with each line of progress and result.

    Returns:
        All scores so far, see `polyinv.ablation.tables.gather`.

    Raises:
        InputError: The folder holds other results, another call works on another study in it, or a cell failed, now or
            before, or was asked to end.
    """
    output = Path(output)
    check_folder(output)
    for folder in (output / CELLS, output / FAILED):
        folder.mkdir(parents=True, exist_ok=True)
    with closing(Claims(output)) as claims:
        with claims.exclusive():
            _begin(study, output, claims, retry=retry)
        call = _Call(study, output, claims, say)
        at = places([cell.experiment for cell in call.waiting.values()], workers, per_device)
        inputs = {path for cell in study.cells for path in (cell.experiment.data.path, cell.experiment.init) if path}
        with (engine if call.waiting else LOCAL).start(at, [output, *map(Path, sorted(inputs))]) as started:
            say(f"{_beginning(study, output)}{f'; {started.said}' if call.waiting else ''}")
            while True:
                call.run(started.work)
                with claims.exclusive():
                    states = {cell.name: current_state(cell.name, output) for cell in study.cells}
                    if not call.wait_for(states) or claims.others():
                        claims.leave()
                        return _end(states, call, say)


def _begin(study: Study, output: Path, claims: Claims, *, retry: bool) -> None:
    if claims.others():
        check_same_as_others(study, output)
    else:
        for folder in (output / CELLS, output / FAILED):
            discard_unfinished(folder)
    check_same_study(study, output)
    keep_study(study, output)
    claims.enter()
    for cell in study.cells:
        state = state_of(cell.name, output)
        if state == DONE:  # killed between the end of a cell that had failed before and this
            report_of(cell.name, output).unlink(missing_ok=True)
        elif state == BROKEN and retry and claims.take(cell.name):
            take_for_unfinished(cell, output)
            claims.give_back(cell.name)


def _beginning(study: Study, output: Path) -> str:
    states = [*states_of(study, output).values()]
    count = {state: states.count(state) for state in (DONE, BROKEN, LEFT)}
    failed = f", {count[BROKEN]} failed before and left out (--retry runs them again)" if count[BROKEN] else ""
    others = {path.parent.name for path in (output / CELLS).glob(f"*/{SCORES}")} - {cell.name for cell in study.cells}
    not_named = f"; {len(others)} more that the study does not name any more are not in the tables" if others else ""
    return f"{len(states)} cells in {output}: {count[DONE]} done, {count[LEFT]} to run{failed}{not_named}"


def _end(states: Mapping[str, str], call: "_Call", say: Callable[[str], None]) -> pd.DataFrame:
    """Write the tables, or leave that to others; then say what is missing."""
    count, output = len(states), call.output
    if call.waiting and call.claims.others():
        say(f"{len(call.waiting)} of {count} cells are being run by others; whoever ends last writes the tables")
        table = gather(output)
    else:
        table = write_summary(output, say=say) if DONE in states.values() else gather(output)
    failed = sum(state == BROKEN or (state == LEFT and name in call.unrecorded) for name, state in states.items())
    ended = sum(states[name] == LEFT for name in call.ended)
    also = f"{ended} of {count} cells: process was asked to end (SIGTERM); the same command goes on with them"
    if failed:
        raise InputError(
            f"{failed} of {count} cells failed; {output / FAILED} says why, and --retry runs them again"
            f"{f'; {also}' if ended else ''}"
        )
    if ended:
        raise InputError(also)
    return table


class _Call:
    """Cells that one call has still to see done, by itself or by others, and what it says of them."""

    def __init__(self, study: Study, output: Path, claims: Claims, say: Callable[[str], None]) -> None:
        self.output, self.claims, self.say = output, claims, say
        self.cells = {cell.name: cell for cell in study.cells}
        self.waiting = {cell.name: cell for cell in study.cells if state_of(cell.name, output) == LEFT}
        self.ended: set[str] = set()
        self.unrecorded: set[str] = set()
        self.count, self.finished, self.start = len(self.waiting), 0, time.monotonic()

    def run(self, work: Work) -> None:
        """Run the cells that nobody else does."""
        with closing(work(run_cell, self.next_job)) as outcomes:
            for outcome in outcomes:
                self.take_in(outcome)
                self.claims.give_back(outcome.name)

    def next_job(self) -> Job | None:
        """Claim the next cell; those that others have finished are told."""
        for name, cell in [*self.waiting.items()]:
            if state_of(name, self.output) == LEFT:
                if not self.claims.take(name):
                    continue
                if current_state(name, self.output) == LEFT:
                    del self.waiting[name]
                    return name, (cell.experiment, self.output / CELLS / name)
                self.claims.give_back(name)
            del self.waiting[name]
            self.tell(cell, f"{_result(name, self.output)}, by another process")
        return None

    def take_in(self, outcome: Outcome) -> None:
        """Keep and tell what became of a cell."""
        said = outcome.value if outcome.error is None else f"{'' if outcome.is_ended else 'failed: '}{outcome.error}"
        if outcome.is_ended:
            self.ended.add(outcome.name)
        elif outcome.error is not None:
            self.keep_failure(outcome)
        self.tell(self.cells[outcome.name], said)

    def keep_failure(self, outcome: Outcome) -> None:
        try:
            with written(report_of(outcome.name, self.output), overwrite=True) as passing:
                passing.write_text(f"{outcome.error}\n\n{outcome.trace}", encoding="utf-8")
        except OSError as error:  # a full disk: it will be left when called again
            self.unrecorded.add(outcome.name)
            self.say(f"the failure of {outcome.name} cannot be recorded: {error}")

    def wait_for(self, states: Mapping[str, str]) -> bool:
        """Whether cells are left, but for those that this call has tried."""
        left = [name for name, state in states.items() if state == LEFT]
        self.waiting = {name: self.cells[name] for name in left if name not in self.ended | self.unrecorded}
        return bool(self.waiting)

    def tell(self, cell: Cell, said: str) -> None:
        self.finished += 1
        number = f"{self.finished:{len(str(self.count))}d}/{self.count}"
        self.say(f"[{number}] {cell.title}: {said} ({time.monotonic() - self.start:.0f} s)")


def _result(name: str, output: Path) -> str:
    scores = output / CELLS / name / SCORES
    return global_r2(read_scores(scores)) if scores.is_file() else "failed"


def wait_for_orphan(folder: Path) -> None:
    """Wait for the process of a killed call that may be about to end in a folder, where there is one."""
    if folder.is_dir():
        with suppress(FileNotFoundError), locked(folder, ORPHAN):
            pass


def run_cell(experiment: Experiment, folder: Path) -> str:
    """Run one cell, or what is left of it, and keep its seconds; returns its global R² as text."""
    logging.basicConfig(level=logging.WARNING, format=f"{folder.name}: %(message)s", force=True)
    import torch

    import polyinv.models.training  # noqa: F401  seconds of importing are not the cell's

    torch.set_num_threads(1)
    wait_for_orphan(folder)
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
