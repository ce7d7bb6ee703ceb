"""Loggers of a training: TensorBoard by default, or any logger of Lightning."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger

from polyinv.errors import InputError, unknown
from polyinv.models.options import LOGGERS

CLASSES = {
    "csv": "lightning.pytorch.loggers.CSVLogger",
    "mlflow": "lightning.pytorch.loggers.MLFlowLogger",
    "wandb": "lightning.pytorch.loggers.WandbLogger",
}
"""By their short names."""


class Events(TensorBoardLogger):
    """TensorBoard events over epochs, without the ``hparams.yaml`` of Lightning: a run folder has its ``config.yaml``,
    and hyper-parameters are logged once, at the end, with the scores."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log the numbers of an epoch, by its number: trainings with other batch sizes lie side by side."""
        epoch = metrics.get("epoch")
        rest = {name: value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(rest, step if epoch is None else int(epoch))

    def save(self) -> None:
        self.experiment.flush()

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """See the class."""

    def lay_out(self, members: int, targets: Sequence[str]) -> None:
        """Show R² as a band over the members on the page of custom scalars."""
        tags = {part: [f"{part}/r2/{name}" for name in (*targets, "global")] for part in ("train", "val")}
        layout = {"losses": {"train and validation": ["Multiline", ["train/loss", "val/loss"]]}}
        for part, of_part in tags.items():
            layout[f"R², {part}"] = {
                tag: ["Margin", [tag, f"{tag}/low", f"{tag}/high"]] if members > 1 else ["Multiline", [tag]]
                for tag in of_part
            }
        self.experiment.add_custom_scalars(layout)


def _events(folder: Path, options: Mapping[str, Any]) -> Events:
    usual: dict[str, Any] = {"name": "", "version": "", "default_hp_metric": False}
    try:
        events = Events(folder, **usual | dict(options))
        _ = events.experiment  # made now: what is not the logger's goes to its writer
    except (TypeError, ValueError) as error:
        raise InputError(f"the logger tensorboard refuses its arguments: {error}") from None
    return events


def logger_of(wanted: str | Mapping[str, Any], folder: Path) -> Logger:
    """Make the logger of a configuration.

    Args:
        wanted: One of ``polyinv.models.options.LOGGERS``, or ``class_path`` and ``init_args`` of one of Lightning's.
        folder: Of the run.

    Raises:
        InputError: It is unknown, not installed, or refuses its arguments.
    """
    given: dict[str, Any] = {"class_path": wanted} if isinstance(wanted, str) else dict(wanted)
    name, options = given.get("class_path"), given.get("init_args") or {}
    if not isinstance(options, Mapping):
        raise InputError(f"init_args of the logger {name} are {options}; needs names with values")
    if name == "tensorboard":
        return _events(folder, options)
    path = CLASSES.get(str(name), str(name))
    module, _, kind = path.rpartition(".")
    if not module.startswith("lightning.pytorch.loggers"):
        raise unknown("logger", name, (*LOGGERS, "lightning.pytorch.loggers.…"))
    defaults = {"csv": {"name": "", "version": ""}, "wandb": {"project": "polyinv", "name": folder.name}}
    try:
        found = getattr(importlib.import_module(module), kind)
        if not (isinstance(found, type) and issubclass(found, Logger)):
            raise unknown("logger", name, (*LOGGERS, "lightning.pytorch.loggers.…"))
        return found(**{"save_dir": str(folder), **defaults.get(str(name), {}), **options})
    except InputError:
        raise
    except (ImportError, AttributeError) as error:
        missing = getattr(error, "name", None) or str(error).split("\n")[0]
        raise InputError(f"the logger {name} cannot be used: {missing}; install what it needs, or take csv") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"the logger {name} refuses its arguments: {error}") from None
