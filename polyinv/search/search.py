"""Search for hyper-parameters: any number of calls run trials of one journal, and whoever ends last writes the results.

A search never looks at test or off-grid rows: a trial fits a model, and is compared by its loss on validation rows.
"""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from polyinv.ablation.claims import Claims
from polyinv.ablation.places import places
from polyinv.errors import InputError
from polyinv.runtime.engines import LOCAL, Wanted, Work
from polyinv.runtime.extras import needed
from polyinv.runtime.files import discard_unfinished
from polyinv.runtime.workers import Job, Outcome
from polyinv.search.spec import Search
from polyinv.search.trial import TRIALS, Ended, name_of, run_trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from polyinv.search.journal import Journal


def search(
    wanted: Search,
    output: Path | str,
    *,
    workers: int | None = None,
    per_device: int = 1,
    engine: Wanted = LOCAL,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Run what is left of a search, and write its results unless others are still at work on it.

    Args:
        wanted: From `polyinv.search.spec.read_search`.
        output: Folder; new, or of another call, whose trials are kept. More trials may be wanted than before.
        workers, per_device, engine: See `polyinv.ablation.ablate.ablate`.
        say: Called with each line of progress and result.

    Returns:
        All trials so far, see `polyinv.search.result.table_of`.

    Raises:
        InputError: The folder holds something else, every trial has failed, or one was asked to end.
    """
    needed("optuna", "search", "polyinv search")
    from polyinv.search.journal import Journal

    output = Path(output)
    check_folder(output)
    (output / TRIALS).mkdir(parents=True, exist_ok=True)
    with closing(Claims(output)) as claims:
        with claims.exclusive():
            if not claims.others():
                discard_unfinished(output / TRIALS)
            journal = Journal(wanted, output)
            claims.enter()
        call = _Call(wanted, output, journal, claims, say)
        left = call.left
        at = places([wanted.base] * left, workers, per_device)
        inputs = [Path(path) for path in (wanted.base.data.path, wanted.base.init) if path]
        with (engine if left else LOCAL).start(at, [output, *inputs]) as started:
            done = sum(trial.state.is_finished() for trial in journal.trials)
            say(f"{wanted.trials} trials in {output}: {done} done, {left} to run{f'; {started.said}' if left else ''}")
            while True:
                call.run(started.work)
                with claims.exclusive():
                    if not call.left or claims.others():
                        claims.leave()
                        return _end(call)


def check_folder(output: Path) -> None:
    """Refuse a folder that holds something other than a search.

    Raises:
        InputError: It does.
    """
    from polyinv.search.journal import JOURNAL

    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; choose another --output")
    is_other = output.exists() and {path.name for path in output.glob("[!.]*")} - {TRIALS}
    if is_other and not (output / JOURNAL).is_file():
        raise InputError(f"{output} exists already and holds no search; choose another --output")


def _end(call: "_Call") -> pd.DataFrame:
    """Write the results, or leave that to others; then say what is missing."""
    from polyinv.search.result import table_of, write_result

    if call.left:
        table = table_of(call.journal.trials)
        call.say("the other trials are being run by others; whoever ends last writes the results")
    else:
        table = write_result(call.wanted, call.journal.trials, call.output, call.say)
    if call.ended:
        raise InputError(
            f"{len(call.ended)} trials: process was asked to end (SIGTERM); the same command goes on with them"
        )
    return table


class _Call:
    """Trials that one call runs, and what it says of them."""

    def __init__(
        self, wanted: Search, output: Path, journal: "Journal", claims: Claims, say: Callable[[str], None]
    ) -> None:
        self.wanted, self.output, self.journal, self.claims, self.say = wanted, output, journal, claims, say
        self.ended: set[int] = set()
        self.start = time.monotonic()

    @property
    def left(self) -> int:
        """Number of trials that have not ended, but for those of this call that were asked to."""
        trials = self.journal.trials
        unfinished = {trial.number for trial in trials if not trial.state.is_finished()} - self.ended
        return max(0, self.wanted.trials - len(trials)) + len(unfinished)

    def run(self, work: Work) -> None:
        """Run the trials that nobody else does."""
        with closing(work(run_trial, self.next_job)) as outcomes:
            for outcome in outcomes:
                self.take_in(outcome)
                self.claims.give_back(outcome.name)

    def next_job(self) -> Job | None:
        """Take over a trial that was left behind, or propose the next one."""
        with self.claims.exclusive():
            for trial in self.journal.running:
                if trial.number not in self.ended and self.claims.take(name_of(trial.number)):
                    return self._job(trial)
            if len(self.journal.trials) >= self.wanted.trials:
                return None
            trial = self.journal.ask()
            self.claims.take(name_of(trial.number))
            return self._job(trial)

    def _job(self, trial: "FrozenTrial") -> Job:
        experiment = self.wanted.experiment(trial.params)
        return name_of(trial.number), (experiment, self.output, trial.number, self.wanted.pruner)

    def take_in(self, outcome: Outcome) -> None:
        """Write down and tell what became of a trial."""
        number = int(outcome.name)
        if outcome.is_ended:
            self.ended.add(number)
            said = str(outcome.error)
        elif outcome.error is not None:
            self.journal.tell(number, "failed", error=outcome.error)
            said = f"failed: {outcome.error}"
        else:
            ended: Ended = outcome.value
            kept: dict[str, Any] = {"epoch": ended.epoch, "cpu_seconds": round(ended.cpu_seconds, 2)}
            self.journal.tell(number, ended.state, ended.value, **kept)
            said = f"pruned in epoch {ended.epoch:.0f}" if ended.value is None else f"val/loss {ended.value:.5g}"
        self.tell(number, said)

    def tell(self, number: int, said: str) -> None:
        from polyinv.search.result import best_of, short

        trials, seconds = self.journal.trials, time.monotonic() - self.start
        best = best_of(trials)
        so_far = "" if best is None else f"; best {best.value:.5g} (trial {best.number})"
        values = ", ".join(f"{axis.split('.')[-1]} {short(value)}" for axis, value in trials[number].params.items())
        done, wanted = sum(trial.state.is_finished() for trial in trials), self.wanted.trials
        self.say(f"[{done:{len(str(wanted))}d}/{wanted}] trial {number}: {said}{so_far}; {values} ({seconds:.0f} s)")
