"""Results of a search: table, figure, TensorBoard's hyper-parameters, and the best model as run folder and config."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from optuna.trial import FrozenTrial, TrialState

from polyinv.ablation.summary import text
from polyinv.errors import InputError, one_line
from polyinv.experiment.configuration import read_yaml
from polyinv.experiment.run_folder import CONFIG
from polyinv.report.tables import markdown
from polyinv.runtime.files import discard, written
from polyinv.runtime.spreadsheets import write_csv
from polyinv.search.spec import Search
from polyinv.search.trial import TRIALS, name_of

TABLE, FIGURE, BEST = "trials.csv", "search.png", "best"
NOT_READ = ("system", "sha256", "polyinv")
"""What a run folder keeps in its configuration that no command takes: it follows from the rest."""
SHOWN = 10
"""Trials in the table that is printed."""
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Trial with the lowest value, the first one of several; None while there is none."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return min(complete, key=lambda trial: (trial.value, trial.number), default=None)


def table_of(trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """Make a table of trials: trial, state, value (validation loss), the axes, epoch, cpu_seconds, error."""
    table = pd.DataFrame(
        [
            {
                "trial": trial.number,
                "state": STATES[trial.state],
                "value": trial.value if trial.state == TrialState.COMPLETE else None,
                **trial.params,
                **{name: trial.user_attrs.get(name) for name in ("epoch", "cpu_seconds", "error")},
            }
            for trial in trials
        ]
    )
    without = {name for trial in trials for name, value in trial.params.items() if value is None}
    # pandas makes NaN of None among numbers, which is no value of the axis any more.
    values = {name: pd.Series([trial.params[name] for trial in trials], dtype=object) for name in without}
    return table.assign(**values)


def write_result(
    search: Search, trials: Sequence[FrozenTrial], output: Path, say: Callable[[str], None]
) -> pd.DataFrame:
    """Write ``trials.csv``, ``search.png``, ``tensorboard/``, ``best/`` and ``best.yaml``; and say what was found.

    Raises:
        InputError: No trial is complete.
    """
    from polyinv.search.figure import figure
    from polyinv.search.hparams import write_hparams

    table, best = table_of(trials), best_of(trials)
    write_csv(table, output / TABLE)
    if best is None:
        raise InputError(f"none of {len(trials)} trials is complete; {output / TABLE} says why")
    with written(output / FIGURE, overwrite=True) as passing:
        figure(search, table).savefig(passing, dpi=150)
    discard(output / "tensorboard")
    write_hparams(table, list(search.axes), output / "tensorboard")
    _keep_best(output, best.number)
    say(f"\n{in_words(search, table)}\n\n{_told(search, table)}")
    say(
        f"\nIn {output}: {TABLE}, {FIGURE}, tensorboard/, {BEST}/ (trial {best.number}), {BEST}.yaml\n"
        f"polyinv train --config {output / BEST}.yaml --output FOLDER trains it again and scores it on test rows"
    )
    return table


def _keep_best(output: Path, number: int) -> None:
    """Copy the run folder of the best trial, and write its configuration as `polyinv train` takes it."""
    source, place = output / TRIALS / name_of(number), output / BEST
    if not source.is_dir():
        raise InputError(f"{source}, the run folder of the best trial, is gone; choose another --output")
    discard(place)
    with written(place) as passing:
        shutil.copytree(source, passing, ignore=shutil.ignore_patterns("checkpoints", ".lock"))
    config = {key: value for key, value in read_yaml(source / CONFIG).items() if key not in NOT_READ}
    with written(place.with_suffix(".yaml"), overwrite=True) as passing:
        passing.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")


def in_words(search: Search, table: pd.DataFrame) -> str:
    """Format the best trials as Markdown."""
    complete = table[table["state"] == "complete"].sort_values(["value", "trial"]).head(SHOWN)
    lines = [
        {"trial": str(row["trial"]), "val/loss": f"{row['value']:.5g}"}
        | {axis: short(row[axis]) for axis in search.axes}
        | {"epoch": f"{row['epoch']:.0f}", "CPU s": f"{row['cpu_seconds']:.0f}"}
        for row in complete.to_dict("records")
    ]
    return f"# {one_line(search.name)}\n\n{markdown(pd.DataFrame(lines))}"


def _told(search: Search, table: pd.DataFrame) -> str:
    """Say how many trials ended how, and what the search has gained over its base."""
    count = table["state"].value_counts()
    said = ", ".join(f"{count[state]} {state}" for state in STATES.values() if state in count)
    complete = table[table["state"] == "complete"]
    base = _of_base(search, complete)
    if base is None:
        return f"{said}; the base was not among them"
    best = float(complete["value"].min())
    gain = f"{100 * (1 - best / base):.1f} % below" if best < base else "not below"
    return f"{said}; the best is {gain} that of the base ({best:.5g}, {base:.5g})"


def _of_base(search: Search, complete: pd.DataFrame) -> float | None:
    """Value of the trial that is the base itself, if it is complete."""
    values: Mapping[str, Any] | None = search.base_values
    first = complete[complete["trial"] == 0]
    if values is None or first.empty:
        return None
    return float(first["value"].iloc[0])


def short(value: Any) -> str:
    """Format a value of an axis.

    Example:
        >>> short(0.0123456), short("256-128"), short(None)
        ('0.0123', '256-128', 'none')
    """
    return f"{value:.3g}" if isinstance(value, float) else text(value)
