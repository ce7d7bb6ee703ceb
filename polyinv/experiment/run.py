"""One experiment: data, features, split and model in; a run folder with scores, predictions, figures and the model
out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from polyinv.data.features import MISSING_INPUTS, feature_columns
from polyinv.data.source import load_table
from polyinv.data.splits import Split, split_columns, split_rows
from polyinv.errors import InputError, unknown
from polyinv.experiment.experiment import Experiment, SplitConfig
from polyinv.experiment.kept import read_scores
from polyinv.experiment.results import (
    assignment_of,
    given_inputs,
    predictions_of,
    scores_of,
    show,
    subsets_of,
)
from polyinv.experiment.run_folder import SCORES, check_same, claim_folder, resolved
from polyinv.models import MODELS, InverseModel, Posterior, check_goes_on, check_takes_gaps, load_model
from polyinv.models.card import model_of_run, read_card, system_of
from polyinv.models.options import LOGGERS, check_trainer
from polyinv.runtime.files import discard_unfinished, empty
from polyinv.runtime.shared_folders import locked
from polyinv.runtime.spreadsheets import write_csv

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.datamodule import RecipeDataModule

__all__ = ["Experiment", "SplitConfig", "check_goes_on_with", "check_inputs", "fit", "run"]
"""The first two are of `polyinv.experiment.experiment`; in 0.1.0 they were here."""


def run(experiment: Experiment, folder: Path | str, *, resume: bool = False) -> pd.DataFrame:
    """Run one experiment: fit, score, and write its run folder.

    The folder then holds ``config.yaml`` as resolved, ``system.yaml``, ``split.csv``, TensorBoard events, ``model/``,
    ``validation.csv`` (of networks), ``predictions.csv``, parity figures and, written last, ``scores.csv``: a folder
    without scores is unfinished.

    Args:
        experiment: What to run.
        folder: New, or left behind by a killed run.
        resume: Go on with an unfinished folder, which then ends as the uninterrupted run would have; a finished one
            is read.

    Returns:
        The scores, tidy: model, features, split, seed, member, subset, target, metric, value. The member is the
        number of one of several, or ``all`` for the answer of all together.

    Raises:
        InputError: Bad data or options, or a folder that holds something else.
    """
    with _begun(experiment, Path(folder), resume=resume) as begun:
        if (begun.folder / SCORES).is_file():
            return read_scores(begun.folder / SCORES)
        return _scored(begun, *_fitted(begun))


def fit(experiment: Experiment, folder: Path | str, callbacks: Sequence[Any] = ()) -> None:
    """Do the first half of `run`: fit the model in a run folder, or go on with it, and score nothing.

    Test and off-grid rows are not looked at. ``run`` with ``resume`` does the rest.

    Args:
        experiment: What to run.
        folder: New, or left behind by a killed call.
        callbacks: Lightning callbacks that watch the training.

    Raises:
        InputError: Bad data or options, or a folder that holds something else.
    """
    with _begun(experiment, Path(folder), resume=True) as begun:
        begun.model.callbacks = callbacks
        _fitted(begun)


@dataclass(frozen=True)
class _Begun:
    """Experiment whose run folder is locked: its model, which may have been fitted there, and its rows."""

    experiment: Experiment
    folder: Path
    model: InverseModel
    table: pd.DataFrame
    split: Split
    config: dict[str, Any]


@contextmanager
def _begun(experiment: Experiment, folder: Path, *, resume: bool) -> Iterator[_Begun]:
    model = _new_model(experiment)
    table = _table(experiment)
    split = split_rows(table, **asdict(experiment.split), system=experiment.data.of)
    config = resolved(experiment, model, table)
    is_new = claim_folder(folder, config, experiment.data.of, resume=resume)
    with locked(folder):
        try:
            yield _Begun(experiment, folder, model, table, split, config)
        except InputError:  # what was asked for cannot be; the folder must not stand in the way of the next try
            if is_new and not (folder / "model").exists() and not (folder / "checkpoints").exists():
                empty(folder)
            raise


def check_goes_on_with(experiment: Experiment, folder: Path | str) -> str | None:
    """Check, without running anything, that a run folder is of this very experiment.

    Returns:
        The version of polyinv that has finished it, if that is another.

    Raises:
        InputError: As `run` would, with ``resume``.
    """
    return check_same(Path(folder), resolved(experiment, _new_model(experiment), _table(experiment)))


def check_inputs(experiment: Experiment) -> None:
    """Check, without training anything, the table of an experiment and the model that it starts from.

    Raises:
        InputError: As `run` would.
    """
    _new_model(experiment)
    if experiment.data.path is not None:
        _table(experiment)


def _table(experiment: Experiment) -> pd.DataFrame:
    """Load the rows, with the columns that this experiment needs."""
    system = experiment.data.of
    columns = (*split_columns(experiment.split.name, system), *feature_columns(experiment.features, system))
    return load_table(experiment.data, tuple(dict.fromkeys(columns)))


def _fitted(begun: _Begun) -> "tuple[InverseModel, RecipeDataModule]":
    """Fit the model, or load the one that is there already."""
    experiment, folder = begun.experiment, begun.folder
    discard_unfinished(folder)
    data = _prepared(experiment, begun.table)
    write_csv(assignment_of(begun.split, len(begun.table), experiment.data.source), folder / "split.csv")
    if (folder / "model").is_dir():
        return load_model(folder / "model"), data
    begun.model.fit(data, folder)
    begun.model.save(folder / "model")
    return begun.model, data


def _scored(begun: _Begun, model: InverseModel, data: "RecipeDataModule") -> pd.DataFrame:
    # torch takes seconds to import: not before bad input has been refused.
    from polyinv.evaluation.evaluated import Evaluated

    experiment, folder = begun.experiment, begun.folder
    evaluated = [
        Evaluated(subset, given, rows.y, model.predict_members(x), numbers, _densities(model, rows.y, x))
        for subset, rows, numbers in subsets_of(experiment, data, begun.split)
        for given, x in given_inputs(experiment, data.columns, rows.x)
    ]
    scores = scores_of(experiment, evaluated)
    show(experiment, evaluated, scores, begun.config, folder)
    write_csv(predictions_of(evaluated, experiment.data.of), folder / "predictions.csv")
    write_csv(scores, folder / SCORES)
    return scores


def _densities(model: InverseModel, y: "Tensor", x: "Tensor") -> pd.DataFrame:
    """Scores of the densities of observations (N, F) of recipes (N, V); none of a model that answers with points."""
    if not isinstance(model, Posterior):
        return pd.DataFrame()
    from polyinv.evaluation.densities import score_densities

    return score_densities(y, model.posterior_of(x))


def _prepared(experiment: Experiment, table: pd.DataFrame) -> "RecipeDataModule":
    # torch and lightning take seconds to import: not before bad input has been refused.
    from polyinv.data.datamodule import RecipeDataModule

    data, split = experiment.data, experiment.split
    return RecipeDataModule(
        experiment.features,
        split.name,
        split.seed,
        source=data.source,
        path=data.path,
        normalize=data.normalize,
        share=split.share,
        simulated=data.simulated,
        grid=data.grid,
        patterns=data.patterns,
        table=table,
        system=data.system,
    )


def _new_model(experiment: Experiment) -> InverseModel:
    if experiment.model not in MODELS:
        raise unknown("model", experiment.model, MODELS)
    if experiment.features in MISSING_INPUTS:
        check_takes_gaps(experiment.model)
    elif experiment.data.patterns:
        raise InputError(
            f"data.patterns go with the features {' or '.join(MISSING_INPUTS)}, not with {experiment.features!r}"
        )
    if experiment.data.source == "simulated" and experiment.split.share != 1:
        raise InputError(
            f"split.share is {experiment.split.share:g}, but nothing is learned from the table with data.source "
            "simulated; data.simulated.rows says how many recipes there are"
        )
    model = MODELS[experiment.model](**experiment.options)
    if MODELS[experiment.model].uses_trainer:
        check_trainer(experiment.trainer, experiment.logger)
        model.trainer, model.logger = experiment.trainer, experiment.logger
    elif experiment.trainer or experiment.logger != LOGGERS[0]:
        raise InputError(f"trainer and logger are Lightning's; a {experiment.model} is trained without it")
    if experiment.init is None:
        return model
    check_goes_on(experiment.model)
    start = model_of_run(Path(experiment.init))
    card, system = read_card(start), experiment.data.of
    system.check_like(system_of(card), "data.system", experiment.init)
    if not model.goes_on_from(tuple(card["columns"]), feature_columns(experiment.features, system)):
        raise InputError(f"{experiment.init} was not trained on the features {experiment.features!r}")
    model.start_from(start)
    return model
