"""One experiment: data, features, split and model in; a run folder with scores, predictions, figures and the model
out."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from polyinv import __version__
from polyinv.data.features import feature_columns
from polyinv.data.source import DataConfig, load_table
from polyinv.data.splits import Split, split_rows
from polyinv.data.workbook import checksum
from polyinv.errors import InputError, unknown
from polyinv.files import written
from polyinv.models import MODELS, InverseModel, load
from polyinv.quantities import TARGETS

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.datamodule import RecipeData

CONFIG, SCORES = "config.yaml", "scores.csv"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitConfig:
    """How rows are divided.

    Args:
        name: One of random_rows (the published protocol), by_recipe (the honest one), by_temperature (extrapolation).
        seed: Which of the possible splits; 42 with random_rows is the published one.
    """

    name: str = "by_recipe"
    seed: int = 42


@dataclass(frozen=True)
class Experiment:
    """What one run folder is the result of.

    Args:
        model: One of ``polyinv.models.MODELS``.
        options: Its constructor arguments; missing ones keep their defaults.
        features: One of ``polyinv.data.features.FEATURES``.
        split: How rows are divided.
        data: Where they come from.
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    features: str = "composite"
    split: SplitConfig = field(default_factory=SplitConfig)
    data: DataConfig = field(default_factory=DataConfig)

    @property
    def title(self) -> str:
        """The experiment in a few words."""
        return f"{self.model} {self.features} {self.split.name} seed {self.split.seed}"


def run(experiment: Experiment, folder: Path | str, *, resume: bool = False) -> pd.DataFrame:
    """Fit, score and keep one experiment.

    The folder then holds ``config.yaml`` as resolved, ``split.csv``, TensorBoard events, ``model/``,
    ``predictions.csv``, ``parity.png`` and, written last, ``scores.csv``: a folder without scores is unfinished.

    Args:
        experiment: What to run.
        folder: New, or left behind by a killed run.
        resume: Go on with an unfinished folder, which then ends as the uninterrupted run would have; a finished one
            is read.

    Returns:
        The scores, tidy: model, features, split, seed, member, subset, target, metric, value.

    Raises:
        InputError: Bad data or options, or a folder that holds something else.
    """
    folder = Path(folder)
    model = _new_model(experiment)
    table = load_table(experiment.data, (*TARGETS, *feature_columns(experiment.features)))
    split = split_rows(table, experiment.split.name, experiment.split.seed)
    config = _resolved(experiment, model, table)
    _claim(folder, config, resume=resume)
    if (folder / SCORES).is_file():
        return pd.read_csv(folder / SCORES)

    # torch and lightning take seconds to import: not before bad input has been refused.
    from polyinv.data.datamodule import RecipeData

    data = RecipeData(table, experiment.features, split)
    _keep_csv(_assignment(split), folder / "split.csv")
    if (folder / "model").is_dir():
        model = load(folder / "model")
    else:
        model.fit(data, folder)
        model.save(folder / "model")
    guess = model.predict(data.test.x)
    scores = _score(experiment, data, guess)
    _show(experiment, data, guess, scores, config, folder)
    _keep_csv(_predictions(data, guess), folder / "predictions.csv")
    _keep_csv(scores, folder / SCORES)
    return scores


def _new_model(experiment: Experiment) -> InverseModel:
    if experiment.model not in MODELS:
        raise unknown("model", experiment.model, MODELS)
    return MODELS[experiment.model](**experiment.options)


def _resolved(experiment: Experiment, model: InverseModel, table: pd.DataFrame) -> dict[str, Any]:
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in model.options.items()}
    return {
        "model": {"name": model.name, **plain},
        "features": experiment.features,
        "split": asdict(experiment.split),
        "data": asdict(experiment.data),
        "sha256": checksum(table),  # of the rows, whatever file they came in
        "polyinv": __version__,
    }


def _claim(folder: Path, config: dict[str, Any], *, resume: bool) -> None:
    kept = folder / CONFIG
    if folder.exists():
        if not kept.is_file():
            raise InputError(f"{folder} exists already and is no run folder; choose another --output")
        if not resume:
            finished = (folder / SCORES).is_file()
            state = "a finished run" if finished else "an unfinished run (--resume true goes on with it)"
            raise InputError(f"{folder} exists already and holds {state}; choose another --output")
        theirs = yaml.safe_load(kept.read_text())
        differing = [key for key in config if theirs.get(key) != config[key]]
        if differing:
            key = differing[0]
            raise InputError(f"{folder} was made with {key} {theirs.get(key)}, not {config[key]}; choose another")
        return
    folder.mkdir(parents=True)
    with written(kept) as passing:
        passing.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def _score(experiment: Experiment, data: "RecipeData", guess: "Tensor") -> pd.DataFrame:
    from polyinv.evaluation.metrics import score

    names = {
        "model": experiment.model,
        "features": experiment.features,
        "split": experiment.split.name,
        "seed": experiment.split.seed,
        "member": 0,
        "subset": "test",
    }
    scores = score(data.test.y, guess)
    for at, (name, value) in enumerate(names.items()):
        scores.insert(at, name, value)
    return scores


def _show(
    experiment: Experiment,
    data: "RecipeData",
    guess: "Tensor",
    scores: pd.DataFrame,
    config: dict[str, Any],
    folder: Path,
) -> None:
    """Scores, configuration and parity figure as TensorBoard events; the figure as a file, too."""
    from torch.utils.tensorboard import SummaryWriter

    from polyinv.evaluation.figures import parity

    figure = parity(
        data.test.y.numpy(), guess.numpy(), f"{experiment.title}: {len(guess)} test rows of {experiment.data}"
    )
    with written(folder / "parity.png", overwrite=True) as passing:
        figure.savefig(passing, dpi=120)
    tags = {f"test/{row.metric}/{row.target}": row.value for row in scores.itertuples()}
    with SummaryWriter(folder) as writer:
        for tag, value in tags.items():
            writer.add_scalar(tag, value)
        writer.add_text("config", f"```yaml\n{yaml.safe_dump(config, sort_keys=False, allow_unicode=True)}```")
        writer.add_figure("test/parity", figure)
        hparams = {"model": experiment.model, "features": experiment.features, "split": experiment.split.name}
        options = {key: value for key, value in config["model"].items() if isinstance(value, int | float | str)}
        hparams |= {f"model.{key}": value for key, value in options.items() if key != "name"}
        r2 = {tag: value for tag, value in tags.items() if tag.startswith("test/r2/")}
        writer.add_hparams(hparams | {"split.seed": experiment.split.seed}, r2, run_name=".")


def _assignment(split: Split) -> pd.DataFrame:
    parts = [pd.DataFrame({"row": rows, "part": name}) for name, rows in split.parts().items()]
    return pd.concat(parts).sort_values("row")


def _predictions(data: "RecipeData", guess: "Tensor") -> pd.DataFrame:
    true = pd.DataFrame(data.test.y.numpy(), columns=list(TARGETS))
    predicted = pd.DataFrame(guess.numpy(), columns=[f"{name}_predicted" for name in TARGETS])
    return pd.concat([pd.DataFrame({"row": data.split.test}), true, predicted], axis=1)


def _keep_csv(table: pd.DataFrame, path: Path) -> None:
    with written(path, overwrite=True) as passing:
        table.to_csv(passing, index=False)
