"""Train the members of an ensemble with early stopping per member, in a folder that a killed training goes on in."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as L
import pandas as pd
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.environments import ClusterEnvironment, LightningEnvironment, SLURMEnvironment

from polyinv.data.datamodule import RecipeDataModule
from polyinv.errors import InputError, one_line
from polyinv.models.callbacks import (
    BestOfEachMember,
    EndWhenAsked,
    EpochProgress,
    EpochSeeds,
    KeepLast,
    MaxTime,
    was_cut_off,
)
from polyinv.models.loggers import Events, logger_of
from polyinv.models.module import RecipeModule
from polyinv.models.options import VALIDATION, Training, is_single
from polyinv.models.scaled import ScaledNetwork
from polyinv.runtime.files import passing_folder
from polyinv.runtime.interrupts import between_steps
from polyinv.runtime.spreadsheets import write_csv
from polyinv.runtime.threads import one_thread

if TYPE_CHECKING:
    from polyinv.models.neural import NeuralModel

CHECKPOINTS = "checkpoints"


def train(
    model: "NeuralModel", data: RecipeDataModule, folder: Path | None, start: ScaledNetwork | None = None
) -> ScaledNetwork:
    """Train the members of ``model`` and return the best weights of each.

    Args:
        model: Holds the options.
        data: Rows to learn from and to choose on.
        folder: Keeps the logger's files, the last checkpoint, from which a training goes on that finds one, and at the
            end ``validation.csv``: the best validation loss of each member, and its epoch. None keeps nothing.
        start: Networks and scaling to go on from; None starts from nothing.

    Raises:
        InputError: Data or options that cannot be used, or a loss that is not finite.
    """
    options = model.training
    check_device(options)
    if len(data.val) < 2:
        raise InputError("a single validation row has no R²; needs two or more")
    module = _module(model, data, start)
    data = data.serving(
        deepcopy(module.scaling),  # that of the module goes where the trainer computes; rows are scaled here
        transform=model.transform,
        batch_size=options.batch_size,
        members=model.members,
        batch_seed=model.seed,
        steps_per_call=options.steps_per_call,
    )
    with passing_folder() as passing, _alone(options), _quiet():
        best = BestOfEachMember(options.patience)
        last = KeepLast((folder or passing) / CHECKPOINTS / "last.ckpt")
        last.discard_damaged()
        resumed = last.path if last.path.is_file() else None
        loggers = _loggers(model, folder, is_new=resumed is None)
        callbacks = [EndWhenAsked(), EpochSeeds(model.seed), best, last, EpochProgress(best), *model.callbacks]
        trainer = _trainer(model, callbacks, loggers, passing)
        with _fitting(resumed, last):
            _fit(trainer, module, data, resumed)
        if not best.loss.isfinite().all():
            raise InputError(
                "no epoch was validated, so that none is the best; see trainer.limit_val_batches, "
                "trainer.limit_train_batches and trainer.check_val_every_n_epoch"
            )
    if folder is not None:
        _keep_validation(best, folder / VALIDATION)
    module.network.load_state_dict(best.weights)
    return ScaledNetwork(module.network, module.scaling).cpu()


def _module(model: "NeuralModel", data: RecipeDataModule, start: ScaledNetwork | None) -> RecipeModule:
    module = RecipeModule(
        model.network_name,
        data.features,
        model.transform,
        model.members,
        model.seed,
        model.network_options,
        model.training,
        model.training.steps_per_call,
        data.system,
    )
    if start is None or start.scaling.transform.names != module.scaling.transform.names:
        module.scaling.load_state_dict(data.fit_scaling(model.transform).state_dict())
    if start is not None:
        model.take_over(module.network, module.scaling, start)
    return module


@contextmanager
def _fitting(resumed: Path | None, last: KeepLast) -> Iterator[None]:
    """Refuse a checkpoint that a training cannot go on from: whatever is raised before its first batch.

    It is not removed: the network may be one's own, and be at fault.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if resumed is None or last.is_going:
            raise
        said = one_line(f"{type(error).__name__}: {error}")
        raise InputError(f"{resumed} cannot be gone on from ({said}); remove it to start over") from error


def _fit(trainer: L.Trainer, module: RecipeModule, data: RecipeDataModule, resumed: Path | None) -> None:
    try:
        with between_steps():
            trainer.fit(module, datamodule=data, ckpt_path=resumed)
    except (L.utilities.exceptions.MisconfigurationException, ValueError) as error:
        if isinstance(error, ValueError) and "`val_check_interval`" not in str(error):
            raise
        raise InputError(f"Lightning refuses the options of trainer: {one_line(error, 300)}") from None
    except SystemExit as end:  # that is what Lightning makes of an interrupt
        raise KeyboardInterrupt from end
    if trainer.received_sigterm:
        raise KeyboardInterrupt
    if was_cut_off(trainer):
        raise InputError(
            f"trainer.max_time is over after {trainer.current_epoch} of {trainer.max_epochs} epochs; "
            "the same command with --resume goes on from there"
        )


def _keep_validation(best: BestOfEachMember, path: Path) -> None:
    """Write the best validation loss of each member, and when that was."""
    values = {"member": range(len(best.loss)), "epoch": best.epoch.tolist(), "loss": best.loss.double().tolist()}
    write_csv(pd.DataFrame(values), path)


def check_device(options: Training) -> None:
    """Refuse a device that is missing, or a precision that it does not have.

    Raises:
        InputError: Says what would be right.
    """
    if options.accelerator == "gpu" and not torch.cuda.is_available():
        raise InputError("model.training.accelerator is gpu, but torch finds no CUDA device; take auto or cpu")
    if options.precision == "16-mixed" and not _on_gpu(options):
        raise InputError("model.training.precision 16-mixed needs a GPU; take 32 or bf16-mixed")


def _on_gpu(options: Training) -> bool:
    return options.accelerator != "cpu" and torch.cuda.is_available()


def _loggers(model: "NeuralModel", folder: Path | None, *, is_new: bool) -> Sequence[Logger] | bool:
    if folder is None:
        return False
    wanted: Sequence[Any] = model.logger if isinstance(model.logger, list | tuple) else [model.logger]
    loggers = [logger_of(each, folder) for each in wanted]
    for logger in loggers:
        if isinstance(logger, Events) and is_new:
            logger.lay_out(model.members, model.system.targets)
    return loggers


def _trainer(
    model: "NeuralModel", callbacks: list[L.Callback], loggers: Sequence[Logger] | bool, passing: Path
) -> L.Trainer:
    training, options = model.training, dict(model.trainer)
    if options.get("max_time") is not None:
        callbacks = [MaxTime(options["max_time"]), *callbacks]
    options.pop("max_time", None)
    options.setdefault("plugins", _environment(options))
    known: dict[str, Any] = {
        "max_epochs": training.max_epochs,
        "accelerator": "gpu" if _on_gpu(training) else "cpu",
        "devices": 1,
        "precision": training.precision,
        "deterministic": training.deterministic,
        "logger": loggers,
        "callbacks": callbacks,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
        "default_root_dir": passing,
    }
    try:
        return L.Trainer(**known | options)
    except (TypeError, ValueError, RuntimeError, L.utilities.exceptions.MisconfigurationException) as error:
        raise InputError(f"Lightning refuses the options of trainer: {one_line(error, 300)}") from None


def _environment(options: Mapping[str, Any]) -> list[ClusterEnvironment] | None:
    """Cluster environment of a training: inside SLURM, too, one device is trained on by one process.

    A requeued job calls the same command again, which goes on from the last checkpoint between two epochs.
    """
    if not SLURMEnvironment.detect():
        return None
    is_alone = is_single(options.get("devices", 1)) and options.get("num_nodes", 1) == 1
    return [LightningEnvironment() if is_alone else SLURMEnvironment(auto_requeue=False)]


@contextmanager
def _alone(options: Training) -> Iterator[None]:
    """Use one thread inside the block, and restore the settings and random numbers of torch."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    with one_thread(), torch.random.fork_rng(["cuda"] if _on_gpu(options) else []):
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # Raised by torch 2.13 from inside Lightning.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        # A training is one process, which needs no srun; Lightning advises it wherever SLURM is installed.
        warnings.filterwarnings("ignore", ".*`srun` command is available")
        # The device is stated; Lightning advises another one.
        warnings.filterwarnings("ignore", ".*GPU available but not used.*")
        yield
