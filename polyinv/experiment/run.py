"""One experiment: data, features, split and model in; a run folder with scores, predictions, figures and the model
out."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from polyinv import __version__
from polyinv.chemistry import DEFAULT, System, load_system
from polyinv.data.features import MISSING_INPUTS, current_name, feature_columns
from polyinv.data.patterns import named_patterns
from polyinv.data.source import DataConfig, load_off_grid, load_table
from polyinv.data.splits import Split, split_columns, split_rows
from polyinv.data.workbook import checksum
from polyinv.errors import InputError, unknown
from polyinv.evaluation import ENSEMBLE
from polyinv.experiment.kept import read_kept, read_scores
from polyinv.models import MODELS, InverseModel, Posterior, check_goes_on, check_takes_gaps, load_model
from polyinv.models.card import model_of_run, read_card, system_of
from polyinv.models.options import LOGGERS, check_trainer
from polyinv.runtime.files import check_new, claim, discard_unfinished, empty, locked, written
from polyinv.runtime.nested import dotted, plain

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.datamodule import RecipeDataModule
    from polyinv.data.rows import Rows
    from polyinv.evaluation.evaluated import Evaluated

CONFIG, SYSTEM, SCORES = "config.yaml", "system.yaml", "scores.csv"

EARLIER = {"de479c10b25088414c7565f68cde9346d8735ab6cb0811c816c2a2f749094e5b": "0.1.0"}
"""Bundled grids of earlier versions, by their checksum."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitConfig:
    """How rows are divided.

    Args:
        name: One of random_rows (the published protocol), by_recipe (the honest one), by_temperature (a level held
            out), early, late, low_conversion, high_conversion (reactions cut in two).
        seed: Which of the possible splits; 42 with random_rows is the published one.
        share: Of the training and validation reactions that are kept (of rows, with random_rows); the test rows stay.
    """

    name: str = "by_recipe"
    seed: int = 42
    share: float = 1.0


@dataclass(frozen=True)
class Experiment:
    """Experiment: everything that decides the result in a run folder.

    Args:
        model: One of ``polyinv.models.MODELS``.
        options: Its constructor arguments; missing ones keep their defaults.
        features: One of ``polyinv.data.features.FEATURES``.
        split: How rows are divided.
        data: Where they come from.
        init: Folder of a saved model to start from instead of from nothing (networks only).
        trainer: Options passed on to Lightning's Trainer, see ``polyinv.models.options.TRAINER_OPTIONS`` (networks
            only). They do not decide the result: an experiment goes on with others.
        logger: ``tensorboard``, ``csv``, ``mlflow`` or ``wandb``, or a mapping with ``class_path`` and ``init_args`` of
            one of Lightning's loggers, or a list of such (networks only).
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    features: str = "composite"
    split: SplitConfig = field(default_factory=SplitConfig)
    data: DataConfig = field(default_factory=DataConfig)
    init: str | None = None
    trainer: Mapping[str, Any] = field(default_factory=dict)
    logger: Any = "tensorboard"

    @property
    def title(self) -> str:
        """Short title of the experiment."""
        source = "" if self.data.source == "table" else f" {self.data.source}"
        return f"{self.model} {self.features}{source} {self.split.name} seed {self.split.seed}"


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
    config = _resolved(experiment, model, table)
    is_new = _claim(folder, config, experiment.data.of, resume=resume)
    with locked(folder):
        try:
            yield _Begun(experiment, folder, model, table, split, config)
        except InputError:  # what was asked for cannot be; the folder must not stand in the way of the next try
            if is_new and not (folder / "model").exists() and not (folder / "checkpoints").exists():
                empty(folder)
            raise


def check_goes_on_with(experiment: Experiment, folder: Path | str) -> None:
    """Check, without running anything, that a run folder is of this very experiment.

    Raises:
        InputError: As `run` would, with ``resume``.
    """
    _check_same(Path(folder), _resolved(experiment, _new_model(experiment), _table(experiment)))


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
    _keep_csv(_assignment(begun.split, len(begun.table), experiment.data.source), folder / "split.csv")
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
        for subset, rows, numbers in _tests(experiment, data, begun.split)
        for given, x in _given(experiment, data.columns, rows.x)
    ]
    scores = _score(experiment, evaluated)
    _show(experiment, evaluated, scores, begun.config, folder)
    _keep_csv(_predictions(evaluated, experiment.data.of), folder / "predictions.csv")
    _keep_csv(scores, folder / SCORES)
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


def _resolved(experiment: Experiment, model: InverseModel, table: pd.DataFrame) -> dict[str, Any]:
    return {
        "model": {"name": model.name, **plain(model.options)},
        "features": experiment.features,
        "split": asdict(experiment.split),
        "data": _data(experiment.data),
        "init": experiment.init,
        **({"trainer": dict(experiment.trainer)} if experiment.trainer else {}),
        **({"logger": experiment.logger} if experiment.logger != LOGGERS[0] else {}),
        "system": _identified(experiment.data.of),
        "sha256": checksum(table),  # of the rows as they were read
        "polyinv": __version__,
    }


def _identified(system: System) -> str:
    return f"{system.name} {system.fingerprint[:16]}"


def _data(config: DataConfig) -> dict[str, Any]:
    idle = (
        {"simulated", "grid"} - {config.source} - ({"grid"} if not config.is_bundled and config.path is None else set())
    )
    idle |= set() if config.patterns else {"patterns"}
    return {key: value for key, value in plain(asdict(config)).items() if key not in idle}


def _claim(folder: Path, config: dict[str, Any], system: System, *, resume: bool) -> bool:
    """Make the run folder with its configuration, or check that an existing one may be resumed.

    Returns:
        Whether the folder is new.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        check_new(folder)  # so that two do not make it
        with written(folder) as passing:
            passing.mkdir()
            (passing / CONFIG).write_text(_yaml(config), encoding="utf-8")
            (passing / SYSTEM).write_text(_yaml(system.as_dict()), encoding="utf-8")
        return True
    claim(folder)  # so that what a killed process has left of its claim goes with it
    if not (folder / CONFIG).is_file():
        raise InputError(f"{folder} exists already and is no run folder; choose another --output")
    if not resume:
        finished = (folder / SCORES).is_file()
        state = "a finished experiment" if finished else "an unfinished experiment (--resume goes on with it)"
        raise InputError(f"{folder} exists already and holds {state}; choose another --output")
    _check_same(folder, config, reading=True)
    return False


def _check_same(folder: Path, config: dict[str, Any], *, reading: bool = False) -> None:
    """Refuse a run folder of something else; a key it does not have had its default when it was made.

    A finished one of an earlier bundled data set may be read, but nothing goes on with it.
    """
    theirs, ours = _what_matters(read_kept(folder / CONFIG)), _what_matters(config)
    defaults = dict(dotted({"split": asdict(SplitConfig()), "data": plain(asdict(DataConfig()))}))
    defaults["system"] = _identified(load_system(DEFAULT))
    for key in ours:
        was = theirs.get(key, defaults.get(key))
        if was != ours[key] and key == "sha256" and was in EARLIER:
            if (folder / SCORES).is_file() and reading:
                log.info(
                    "%s is of the bundled data set of polyinv %s; it is finished, and read as it is",
                    folder,
                    EARLIER[was],
                )
                continue
            raise InputError(
                f"{folder} was made of the bundled data set of polyinv {EARLIER[was]}, which has been simulated again "
                "since; choose another --output"
            )
        if was != ours[key] and key == "sha256":
            now = config["data"].get("path") or "those asked for now"
            raise InputError(
                f"{folder} was made of other rows than {now} (sha256 {str(was)[:8]}, not {ours[key][:8]}); "
                "choose another --output"
            )
        if was != ours[key]:
            raise InputError(f"{folder} was made with {key} {was}, not {ours[key]}; choose another --output")


def _what_matters(config: dict[str, Any]) -> dict[str, Any]:
    """Entries of a configuration that decide the result: not the path of the rows, nor the device."""
    idle = ("data", "init", "trainer", "logger")
    entries = dict(dotted({key: value for key, value in config.items() if key not in idle}))
    entries["features"] = current_name(entries["features"], load_system(DEFAULT))
    for key in ("model.jobs", "model.training.accelerator", "model.training.steps_per_call"):
        entries.pop(key, None)
    source = config.get("data", {}).get("source", "table")
    simulated = {source: config.get("data", {}).get(source, {})} if source != "table" else {}
    patterns = config.get("data", {}).get("patterns")
    decisive = {"data.source": source, "data.patterns": patterns, "init": config.get("init")}
    return entries | decisive | dict(dotted(simulated, "data."))


def _yaml(config: dict[str, Any]) -> str:
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _tests(experiment: Experiment, data: "RecipeDataModule", split: Split) -> "Iterator[tuple[str, Rows, np.ndarray]]":
    """Evaluation subsets of an experiment: name, rows, and their numbers in the table they come from."""
    from polyinv.data.rows import rows_of

    yield "test", data.test, split.test
    if experiment.data.has_off_grid:
        off_grid = load_off_grid(data.system)
        yield "off_grid", rows_of(off_grid, data.columns, data.system), np.arange(len(off_grid))


def _given(experiment: Experiment, columns: Sequence[str], x: "Tensor") -> "Iterator[tuple[str, Tensor]]":
    """Inputs given of observations (N, F): all, or with ``conditional`` those of each pattern that is named."""
    if experiment.features not in MISSING_INPUTS:
        yield experiment.features, x
        return
    from polyinv.data.masks import masked_inputs

    system = experiment.data.of
    for pattern in named_patterns(experiment.data.patterns, system):
        yield pattern, masked_inputs(x, columns, pattern, system)


def _score(experiment: Experiment, evaluated: list["Evaluated"]) -> pd.DataFrame:
    from polyinv.evaluation.metrics import SPREAD, score_members

    parts = [
        pd.concat([score_members(each.y, each.predictions, experiment.data.of), each.densities]).assign(
            features=each.given, subset=each.subset
        )
        for each in evaluated
    ]
    names = {"model": experiment.model, "split": experiment.split.name, "seed": experiment.split.seed}
    columns = ["model", "features", "split", "seed", "member", "subset", "target", "metric", "value", *SPREAD]
    return pd.concat(parts).assign(**names)[columns].reset_index(drop=True)


def _show(
    experiment: Experiment, evaluated: list["Evaluated"], scores: pd.DataFrame, config: dict[str, Any], folder: Path
) -> None:
    """Write scores, configuration and parity figures as TensorBoard events; the figures as files, too."""
    from matplotlib.image import imread
    from torch.utils.tensorboard import SummaryWriter

    from polyinv.report.panels import parity

    whole = scores[scores["member"] == ENSEMBLE]
    r2: dict[str, float] = {}
    with SummaryWriter(folder) as writer:
        for each in evaluated:
            scored = whole[(whole["subset"] == each.subset) & (whole["features"] == each.given)]
            # A pattern of a conditional model is a level of the tag: the others are to be compared with its composite.
            apart = "" if each.given in (experiment.features, "composite") else f"{each.given}/"
            tags = {f"{each.subset}/{apart}{row.metric}/{row.target}": row.value for row in scored.itertuples()}
            for tag, value in tags.items():
                writer.add_scalar(tag, value)
            if each.subset == "test":  # not off the grid: nothing may be chosen there
                r2 |= {tag: value for tag, value in tags.items() if "/r2/" in tag}
            pattern = "" if each.given == experiment.features else f" from {each.given}"
            title = f"{experiment.title}{pattern}: {len(each.predicted)} {each.subset} rows of {experiment.data}"
            figure = parity(each.y, each.predictions, title, system=experiment.data.of)
            file = folder / (f"parity_{each.subset}" + (f"_{each.given}" if pattern else "") + ".png")
            with written(file, overwrite=True) as passing:
                figure.savefig(passing, dpi=120)
            # As it was drawn: to draw a figure takes half a second.
            writer.add_image(f"{each.subset}/{apart}parity", imread(file)[..., :3], dataformats="HWC")
        writer.add_text("config", f"```yaml\n{_yaml(config)}```")
        hparams: dict[str, Any] = {
            "model": experiment.model,
            "features": experiment.features,
            "split": experiment.split.name,
        }
        options = dict(dotted({"model": config["model"], "data": {"source": experiment.data.source}}))
        hparams |= {
            key: value if isinstance(value, int | float | str) else str(value)
            for key, value in options.items()
            if key != "model.name"
        }
        writer.add_hparams(hparams | {"split.seed": experiment.split.seed}, r2, run_name=".")


def _assignment(split: Split, rows: int, source: str) -> pd.DataFrame:
    """Part of the split of each row; a model that learns from simulated rows takes the test rows only."""
    part = np.full(rows, "unused", dtype=object)
    for name, at in split.parts().items():
        if name == "test" or source != "simulated":
            part[at] = name
    return pd.DataFrame({"row": np.arange(rows), "part": part})


def _predictions(evaluated: list["Evaluated"], system: System) -> pd.DataFrame:
    parts = []
    for each in evaluated:
        named = {"subset": each.subset, "features": each.given, "row": each.rows}
        true = pd.DataFrame(each.y.numpy(), columns=list(system.targets))
        predicted = pd.DataFrame(each.predicted.numpy(), columns=[f"{name}_predicted" for name in system.targets])
        parts.append(pd.concat([pd.DataFrame(named), true, predicted], axis=1))
    return pd.concat(parts)


def _keep_csv(table: pd.DataFrame, path: Path) -> None:
    with written(path, overwrite=True) as passing:
        table.to_csv(passing, index=False, lineterminator="\n")
