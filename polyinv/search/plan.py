"""Plan of a search: what is tried, how much is done, and about how long the rest takes."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from polyinv.ablation.costs import known_cost, slowness
from polyinv.ablation.places import places
from polyinv.ablation.summary import text
from polyinv.report.tables import markdown
from polyinv.runtime.extras import needed
from polyinv.search.search import check_folder
from polyinv.search.spec import Search, Span

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def plan(search: Search, output: Path, workers: int | None = None, per_device: int = 1) -> str:
    """Describe a search as text: its axes with what the base has, and the time that the trials left take at most.

    The time is that of the base, by `polyinv.ablation.costs` and how fast this machine does a little work; trials that
    are pruned or stop early take less, larger networks more.

    Args:
        search: The search.
        output: Its folder, which may not be there yet.
        workers, per_device: See `polyinv.ablation.places.places`.

    Raises:
        InputError: The folder holds something else, or its journal is one of another search.
    """
    trials = kept_trials(search, output)
    base = search.base_values or {}
    lines = [
        {"axis": name, "from": _said(axis), "base": text(base[name]) if name in base else ""}
        for name, axis in search.axes.items()
    ]
    left = max(0, search.trials - sum(trial.state.is_finished() for trial in trials))
    at = places([search.base] * left, workers, per_device)
    cost = known_cost(search.base)
    minutes = "" if cost is None else f" {left * cost * slowness() / at.workers / 60:.0f} minutes"
    time = f"; about{minutes} if all were the base, less where trials are pruned" if minutes else ""
    first = "trial 0 is the base itself" if base else "the base lies outside of the axes and is not tried"
    return (
        f"{markdown(pd.DataFrame(lines))}\n\n{search.trials} trials by {search.sampler}, pruner {search.pruner}; "
        f"{first}\n{left} of them not done, in {at}{time}"
    )


def kept_trials(search: Search, output: Path) -> "list[FrozenTrial]":
    """Read the trials that a folder holds so far, and write nothing.

    Raises:
        InputError: The folder holds something else, or its journal is one of another search.
    """
    needed("optuna", "search", "polyinv search")
    from polyinv.search.journal import JOURNAL, Journal

    check_folder(output)
    return Journal(search, output, is_kept=True).trials if (output / JOURNAL).is_file() else []


def _said(axis: object) -> str:
    if isinstance(axis, Span):
        scale = " (log)" if axis.range.is_log else ""
        return f"{axis.range.low:g} to {axis.range.high:g}{scale}"
    assert isinstance(axis, dict)
    return ", ".join(map(text, axis))
