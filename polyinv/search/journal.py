"""Journal of a search: Optuna's study in one file, to which any number of processes append.

A trial is written in one line, with its values, before it is run, so that a process that is killed leaves no half of
one. Who runs it is said by a claim (`polyinv.ablation.claims`): a trial that is running by the journal, and claimed by
nobody, was left behind, and is taken over.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from polyinv.errors import InputError, one_line, quoted
from polyinv.runtime.nested import is_number
from polyinv.search.spec import Search, Span

JOURNAL = "journal.log"
STUDY = "polyinv"
"""Name of the study in the journal."""
SHA256, WARM_UP = "sha256", "warm_up"
"""What is kept of the search beside its trials: its fingerprint, and the epochs in which none is pruned."""
STARTED = 5
"""Trials that are not pruned: there is too little to compare them with."""
NEVER_PRUNED = 0.1
"""Share of the epochs in which none is."""

log = logging.getLogger(__name__)
optuna.logging.set_verbosity(optuna.logging.WARNING)


class Journal:
    """Trials of one search.

    Args:
        search: What is searched.
        folder: Where the journal lies, or is made.
        is_kept: Whether nothing is written: what is, stays in memory.

    Raises:
        InputError: It is one of another search, or damaged.
    """

    def __init__(self, search: Search, folder: Path, *, is_kept: bool = False) -> None:
        self._search, self._path = search, folder / JOURNAL
        self.space = {name: _distribution(axis) for name, axis in search.axes.items()}
        self._checked: set[int] = set()
        if self._path.exists() and not is_kept:
            _mend(self._path)
        with _told_if_damaged(self._path):
            storage = JournalStorage(_Kept(self._path)) if is_kept else _storage(self._path)
            self._study = optuna.create_study(storage=storage, study_name=STUDY, load_if_exists=True)
            attributes = self._study.user_attrs
        if SHA256 not in attributes and not self._study.trials:
            self._study.set_user_attr(SHA256, search.sha256)
            self._study.set_user_attr(WARM_UP, warm_up(search))
        elif attributes.get(SHA256) != search.sha256:
            raise InputError(
                f"{self._path} is the journal of another search: of other axes, another base or other data; "
                "choose another --output"
            )

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers."""
        with _told_if_damaged(self._path):
            trials = self._study.get_trials(deepcopy=False)
            for trial in trials:
                if trial.number not in self._checked:
                    _check_trial(trial, self.space)
                if trial.state.is_finished():  # it does not change any more
                    self._checked.add(trial.number)
        return trials

    @property
    def running(self) -> list[FrozenTrial]:
        """Trials that somebody runs, or has left behind."""
        return [trial for trial in self.trials if trial.state == TrialState.RUNNING]

    def ask(self) -> FrozenTrial:
        """Propose the next trial, and write it down as running. One process at a time."""
        trials = self.trials
        values = (None if trials else self._search.base_values) or self._proposed(trials)
        self._study.add_trial(create_trial(state=TrialState.RUNNING, params=values, distributions=self.space))
        return self.trials[-1]

    def _proposed(self, trials: list[FrozenTrial]) -> dict[str, Any]:
        """Values that the sampler proposes after these trials: the same for the same ones, whoever asks."""
        memory = optuna.create_study(sampler=_sampler(self._search, len(trials)))
        memory.add_trials(trials)
        return memory.ask(self.space).params

    def tell(self, number: int, state: str, value: float | None = None, **attributes: Any) -> None:
        """Write down how a trial has ended: ``complete`` with its value, ``pruned`` or ``failed``."""
        trial = self.trials[number]
        for name, each in attributes.items():
            self._study._storage.set_trial_user_attr(trial._trial_id, name, each)
        self._study.tell(number, value, ENDS[state])


ENDS = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
"""How a trial ends, and what Optuna calls it."""


def _check_trial(trial: FrozenTrial, axes: Iterable[str]) -> None:
    """Check that a trial has what `Journal.ask` and `Journal.tell` write of one.

    Raises:
        ValueError: It has something else.
    """
    value, kept = trial.value, trial.user_attrs  # raises where there are several values
    if {*trial.params} != {*axes}:
        raise ValueError(f"trial {trial.number} has other axes")
    if trial.state == TrialState.COMPLETE and not is_number(value):
        raise ValueError(f"trial {trial.number} is complete without a value")
    ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    for name in ("epoch", "cpu_seconds"):
        if ended and not is_number(kept.get(name)):
            raise ValueError(f"trial {trial.number} has the {name} {quoted(kept.get(name))}")
    if not isinstance(kept.get("error", ""), str):
        raise ValueError(f"trial {trial.number} has the error {quoted(kept['error'])}")


def warm_up(search: Search) -> int:
    """Epochs in which no trial is pruned."""
    return round(NEVER_PRUNED * search.base.options["training"]["max_epochs"])


class Reports:
    """Validation losses of one trial, as a process of its own reports them.

    Args:
        folder: Of the search.
        number: Of the trial.
        pruner: One of ``PRUNERS``.
    """

    def __init__(self, folder: Path, number: int, pruner: str) -> None:
        study = optuna.load_study(storage=_storage(folder / JOURNAL), study_name=STUDY)
        study.pruner = PRUNERS[pruner](study.user_attrs[WARM_UP])
        self._trial = optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)
        self._known = {*study.get_trials(deepcopy=False)[number].intermediate_values}

    def prunes(self, epoch: int, loss: float) -> bool:
        """Report a loss; whether the trial is to be pruned."""
        if epoch not in self._known:  # a process that was killed has reported it
            self._trial.report(loss, epoch)
        return self._trial.should_prune()


PRUNERS: dict[str, Any] = {
    "median": lambda warm_up: MedianPruner(n_startup_trials=STARTED, n_warmup_steps=warm_up),
    "none": lambda warm_up: NopPruner(),
}
"""Makes a pruner that leaves the first epochs alone."""
SAMPLERS: dict[str, Any] = {
    "tpe": lambda seed: TPESampler(seed=seed, constant_liar=True),  # trials that run are not proposed again
    "random": lambda seed: RandomSampler(seed=seed),
}


def _sampler(search: Search, number: int) -> BaseSampler:
    """Sampler of one trial: several processes that start alike propose different ones."""
    return SAMPLERS[search.sampler](int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0]))


def _distribution(axis: Any) -> BaseDistribution:
    if not isinstance(axis, Span):
        return CategoricalDistribution([*axis])
    if axis.is_whole:
        return IntDistribution(int(axis.range.low), int(axis.range.high), log=axis.range.is_log)
    return FloatDistribution(axis.range.low, axis.range.high, log=axis.range.is_log)


class _Lock:
    """Lock of the operating system for Optuna's journal: its own would be waited for when its owner is killed."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(_lock_of(path))

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _lock_of(path: Path) -> Path:
    """File that is locked: not the one by which Optuna locks, which a dashboard would take away."""
    return path.with_name(f".{path.name}.lock")


class _Kept(BaseJournalBackend):
    """Journal as it is now, which nothing is appended to."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        self._logs = [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        yield from self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._logs += logs


@lru_cache(maxsize=1)
def _storage(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path), _Lock(path)))  # type: ignore[arg-type]


def _mend(path: Path) -> None:
    """Cut off a last line that a power cut, or a full disk, has left half-written: what follows would spoil it."""
    with FileLock(_lock_of(path)), path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            log.warning("%s ends in half a line, which is cut off", path)
            file.truncate(whole)


@contextmanager
def _told_if_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # Optuna checks nothing of what it reads, and fails anywhere
        raise InputError(
            f"{path} is damaged, or no journal of a search ({one_line(error, 100)}); choose another --output"
        ) from None
