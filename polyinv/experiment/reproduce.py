"""Reproduce the published study, on its own split and on an honest one (``make reproduce``)."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from polyinv.chemistry import DEFAULT
from polyinv.data.source import DataConfig
from polyinv.errors import InputError
from polyinv.evaluation import ENSEMBLE
from polyinv.evaluation.published import PUBLISHED
from polyinv.experiment.configuration import read_experiment
from polyinv.experiment.experiment import Experiment, SplitConfig
from polyinv.experiment.run import run
from polyinv.report.tables import global_r2, markdown, reproduction_table
from polyinv.runtime.devices import NONE
from polyinv.runtime.files import written
from polyinv.runtime.resources import CONFIGS
from polyinv.runtime.spreadsheets import write_csv
from polyinv.runtime.threads import available_cores
from polyinv.runtime.workers import work

CONFIG_OF = {"forest": "forest.yaml", "mlp": "mlp_published.yaml", "polynomial": "polynomial.yaml"}
BASELINES = (("polynomial", "mmd"), ("polynomial", "composite"))
"""Models and features that the study has not, and that stand beside its own."""
PUBLISHED_SEED = 42
ALONE = {"model.jobs": 1}
"""Of a forest: the processes fill the cores."""
CHANCE = (
    "± is one standard deviation by chance: of several trainings (by_recipe each on another split, random_rows all on "
    "the published one), and by the choice of the test reactions (bootstrap) where they are the same ones"
)
TABLES = {
    "r2": "R² and global MSE on the test rows",
    "r2_box": "R² by the variance of recipes uniform in the box, one for all rows: R² itself is the larger the more "
    "the true values of its rows vary, and those of the grid vary more than those between",
    "rmse": "RMSE; the study gives none",
    "mae": "MAE",
    "relative_mae": "Relative MAE (MAE over 2.5 mol/L, 0.0175 mol/L, 20 °C, 3600 s)",
}
"""Metrics of the tables, and what stands above each."""
DIFFERENCE = {
    True: "What differs in the data: ours ({data}) are kinetic Monte Carlo reactions of 1e6 chains with effective "
    "coefficients; the study's are those of Fiosina et al. (2023), of a number of chains that we do not know.",
    False: "Ours are trained and evaluated on {data}.",
}
"""By whether the rows are those of the bundled data set."""


def reproduce(
    output: Path | str,
    *,
    data: DataConfig,
    seeds: int = 5,
    workers: int | None = None,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Train the published models and the baseline on both splits and write tables and figures.

    A finished training is kept in a run folder of its own and not repeated, so that a killed call goes on where it
    was.

    Args:
        output: Folder; new, or of an earlier call with the same data.
        data: Rows to train on.
        seeds: Number of by_recipe splits, counted from the published seed 42, and of trainings on the random_rows split
            of that seed, by seeds of the model that are counted likewise.
        workers: Trainings at once; by default one per core.
        say: Called with each line of progress and result.

    Returns:
        The scores of all trainings, tidy; ``seed`` is that of the split, ``training`` that of the model.

    Raises:
        InputError: The data cannot be used, or the folder holds results from other data.
    """
    if data.system != DEFAULT:
        raise InputError(
            f"the published study is of {DEFAULT}, not of {data.of.name}; train and ablate take any system"
        )
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    plan = dict(_plan(data, seeds))
    workers = min(workers or available_cores(), len(plan))
    say(f"{len(plan)} trainings on {workers} processes; a finished one is kept in {output} and not repeated")
    start = time.monotonic()
    scores = []
    jobs = {name: (experiment, output / name) for name, experiment in plan.items()}
    with closing(work(_train, jobs, workers, [NONE])) as outcomes:  # after an error the others need not end first
        for done in outcomes:
            if done.error is not None:
                raise InputError(done.error) if done.refused else RuntimeError(f"{done.error}\n{done.trace}")
            experiment = plan[done.name]
            training, spent = experiment.options.get("seed"), time.monotonic() - start
            scores.append(done.value.assign(training=training))
            title = experiment.title if training is None else f"{experiment.title}, training {training}"
            say(f"[{len(scores):2d}/{len(plan)}] {title}: {global_r2(scores[-1])} ({spent:.0f} s)")
    table = pd.concat(scores).sort_values(["model", "features", "split", "seed", "training"], kind="stable")
    _report(table[table["member"] == ENSEMBLE], output, data, say)
    return table


def _plan(data: DataConfig, seeds: int) -> Iterator[tuple[str, Experiment]]:
    """Run folders and experiments, the longest first."""
    for model, features in (*reversed(PUBLISHED), *BASELINES):
        options = _options(model)
        for seed in range(PUBLISHED_SEED, PUBLISHED_SEED + seeds):
            by_recipe = SplitConfig("by_recipe", seed)
            yield f"{model}-{features}-by_recipe-{seed}", Experiment(model, options, features, by_recipe, data)
        for seed in range(PUBLISHED_SEED, PUBLISHED_SEED + (seeds if "seed" in options else 1)):
            name = f"{model}-{features}-random_rows-{PUBLISHED_SEED}"
            if seed != PUBLISHED_SEED:
                name, options = f"{name}-training-{seed}", {**options, "seed": seed}
            yield name, Experiment(model, options, features, SplitConfig("random_rows", PUBLISHED_SEED), data)


def _options(model: str) -> Mapping[str, Any]:
    path = CONFIGS / CONFIG_OF[model]
    if not path.is_file():
        raise InputError(f"{path}: no such file, though it comes with polyinv; install it again")
    return read_experiment([path], ALONE if model == "forest" else {}).options


def _train(experiment: Experiment, folder: Path) -> pd.DataFrame:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return run(experiment, folder, resume=True)


def _table(scores: pd.DataFrame, metric: str) -> str:
    return markdown(reproduction_table(scores, PUBLISHED, metric, BASELINES))


def _report(scores: pd.DataFrame, output: Path, data: DataConfig, say: Callable[[str], None]) -> None:
    from polyinv.report.figures import honest_scores

    parts = (text for metric, title in TABLES.items() for text in (title, _table(scores, metric)))
    text = "\n\n".join([CHANCE, *parts, DIFFERENCE[data.is_bundled].format(data=data)])
    with written(output / "table.md", overwrite=True) as passing:
        passing.write_text(text + "\n", encoding="utf-8")
    write_csv(scores, output / "scores.csv")
    with written(output / "summary.png", overwrite=True) as passing:
        honest_scores(scores, PUBLISHED).savefig(passing, dpi=120)
    say(f"\n{text}\n\nIn {output}: table.md, scores.csv, summary.png; a run folder for each training")
