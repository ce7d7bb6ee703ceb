"""Results of an experiment: scores, predictions, figures and TensorBoard events of its run folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.features import MISSING_INPUTS
from polyinv.data.patterns import named_patterns
from polyinv.data.source import load_off_grid
from polyinv.data.splits import Split
from polyinv.evaluation import ENSEMBLE
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.run_folder import as_yaml
from polyinv.runtime.files import written
from polyinv.runtime.nested import dotted

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.datamodule import RecipeDataModule
    from polyinv.data.rows import Rows
    from polyinv.evaluation.evaluated import Evaluated


def subsets_of(
    experiment: Experiment, data: "RecipeDataModule", split: Split
) -> "Iterator[tuple[str, Rows, np.ndarray]]":
    """Evaluation subsets of an experiment: name, rows, and their numbers in the table they come from."""
    from polyinv.data.rows import rows_of

    yield "test", data.test, split.test
    if experiment.data.has_off_grid:
        off_grid = load_off_grid(data.system)
        yield "off_grid", rows_of(off_grid, data.columns, data.system), np.arange(len(off_grid))


def given_inputs(experiment: Experiment, columns: Sequence[str], x: "Tensor") -> "Iterator[tuple[str, Tensor]]":
    """Inputs given of observations (N, F): all, or with ``conditional`` those of each pattern that is named."""
    if experiment.features not in MISSING_INPUTS:
        yield experiment.features, x
        return
    from polyinv.data.masks import masked_inputs

    system = experiment.data.of
    for pattern in named_patterns(experiment.data.patterns, system):
        yield pattern, masked_inputs(x, columns, pattern, system)


def scores_of(experiment: Experiment, evaluated: list["Evaluated"]) -> pd.DataFrame:
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


def show(
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
        writer.add_text("config", f"```yaml\n{as_yaml(config)}```")
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


def assignment_of(split: Split, rows: int, source: str) -> pd.DataFrame:
    """Part of the split of each row; a model that learns from simulated rows takes the test rows only."""
    part = np.full(rows, "unused", dtype=object)
    for name, at in split.parts().items():
        if name == "test" or source != "simulated":
            part[at] = name
    return pd.DataFrame({"row": np.arange(rows), "part": part})


def predictions_of(evaluated: list["Evaluated"], system: System) -> pd.DataFrame:
    parts = []
    for each in evaluated:
        named = {"subset": each.subset, "features": each.given, "row": each.rows}
        true = pd.DataFrame(each.y.numpy(), columns=list(system.targets))
        predicted = pd.DataFrame(each.predicted.numpy(), columns=[f"{name}_predicted" for name in system.targets])
        parts.append(pd.concat([pd.DataFrame(named), true, predicted], axis=1))
    return pd.concat(parts)
