"""Tables and summary of a study, made from the run folders of its cells."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from polyinv.ablation.claims import Claims
from polyinv.ablation.folder import BROKEN, CELLS, DONE, kept_study, reason_of, spent_on, state_of
from polyinv.ablation.summary import GIVEN, in_words, summary, text
from polyinv.chemistry import load_system
from polyinv.data.features import MISSING_INPUTS, current_name
from polyinv.errors import InputError
from polyinv.evaluation import COVERAGE, NLL
from polyinv.evaluation.published import PUBLISHED, repeated_case
from polyinv.experiment.kept import read_kept, read_scores
from polyinv.experiment.run_folder import CONFIG, SCORES
from polyinv.runtime.files import discard, written
from polyinv.runtime.spreadsheets import write_csv

TABLE, STATES = "table.csv", "cells.csv"
DENSITIES = {
    NLL: "Negative logarithm of the density of the true recipe, in nats and the unit box",
    COVERAGE: "Share of the true values in the 90 % intervals",
}
"""What else is summarized of posterior models, by its metric."""
AXIS = "axis."
"""Before the name of an axis, as a column: a score has a model and features, too."""


def summarize(output: Path | str, *, say: Callable[[str], None] = print) -> pd.DataFrame:
    """Summarize the finished cells of a study, while it runs or afterwards.

    Written are ``table.csv`` and ``cells.csv`` (`gather`), ``summary.csv``, ``summary.md`` and ``summary.png`` (mean
    over the seeds, its interval, and paired differences), and ``tensorboard/`` with a row of hyper-parameters for
    each combination of values.

    Raises:
        InputError: The folder holds no study, or no cell of it is done.
    """
    output = Path(output)
    kept_study(output)
    with Claims(output).exclusive():
        return write_summary(output, say=say)


def write_summary(output: Path, *, say: Callable[[str], None] = print) -> pd.DataFrame:
    """Call `summarize` where no other process can be at it."""
    from polyinv.ablation.dots import dots
    from polyinv.ablation.hparams import write_hparams

    kept = kept_study(output)
    table = gather(output)
    if table.empty:
        raise InputError(f"no cell of the study in {output} is done")
    axes = [f"{AXIS}{axis}" for axis in kept["axes"]]
    reference = _scalar(next(iter(kept["axes"].values()))[0])
    found = _with_published(summary(table, axes, reference), axes, output, kept)
    densities = {
        title: summary(table, axes, reference, metric)
        for metric, title in DENSITIES.items()
        if (table["metric"] == metric).any()
    }
    words = in_words(found, axes, reference, kept["study"], kept.get("seeded", ["split.seed"]), densities)
    write_csv(found, output / "summary.csv")
    with written(output / "summary.md", overwrite=True) as passing:
        passing.write_text(words + "\n", encoding="utf-8")
    with written(output / "summary.png", overwrite=True) as passing:
        dots(found, axes, kept["study"]).savefig(passing, dpi=150)
    discard(output / "tensorboard")
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
    for name, cell in kept_study(output)["cells"].items():
        at = {f"{AXIS}{axis}": _scalar(value) for axis, value in cell["values"].items()}
        state = state_of(name, output)
        if state == DONE:
            scores = _with_given(read_scores(output / CELLS / name / SCORES), output / CELLS / name / CONFIG)
            parts.append(pd.concat([pd.DataFrame(at, index=scores.index), scores], axis=1))
        cells.append({"cell": name, **at, "seed": cell["seed"], "state": state, **spent_on(output / CELLS / name)})
        cells[-1]["error"] = reason_of(name, output) if state == BROKEN else None
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    for name, frame in {TABLE: table, STATES: pd.DataFrame(cells)}.items():
        write_csv(frame, output / name)
    return table


def _with_given(scores: pd.DataFrame, config: Path) -> pd.DataFrame:
    """Add to scores the pattern of inputs that each is of, empty unless the model is conditional."""
    is_conditional = current_name(read_kept(config)["features"], load_system()) in MISSING_INPUTS
    return scores.assign(**{GIVEN: scores["features"] if is_conditional else ""})


def _scalar(value: Any) -> Any:
    """Value of an axis as a table holds it: numbers stay numbers."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text(value)


def _with_published(found: pd.DataFrame, axes: Sequence[str], output: Path, kept: Mapping[str, Any]) -> pd.DataFrame:
    """Add the published R² to a summary where a combination repeats a published case, evaluated on test rows."""
    cases = {}
    for name, cell in kept["cells"].items():
        path = output / CELLS / name / CONFIG
        if path.is_file():
            case = repeated_case(read_kept(path))
            cases[tuple(_scalar(value) for value in cell["values"].values())] = PUBLISHED[case] if case else {}
    combinations = found[list(axes)].itertuples(index=False, name=None)
    known = [
        cases[combination].get((target, "r2")) if subset == "test" else None
        for combination, subset, target in zip(combinations, found["subset"], found["target"], strict=True)
    ]
    return found.assign(published=pd.Series(known, index=found.index, dtype=float))
