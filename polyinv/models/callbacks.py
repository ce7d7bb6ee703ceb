"""Lightning callbacks of a training: best weights, last checkpoint, time limit, and progress."""

import logging
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import Timer
from torch import Tensor

from polyinv.data.batches import LARGE_PRIME
from polyinv.errors import InputError
from polyinv.runtime.files import discard_unfinished, written
from polyinv.runtime.interrupts import check_interrupt
from polyinv.runtime.progress import counted

SECONDS_BETWEEN_CHECKPOINTS = 20.0
RESTORED = {"callbacks", "epoch", "global_step", "loops", "lr_schedulers", "optimizer_states", "state_dict"}
"""What a training goes on from; where a part is missing, Lightning begins with that part anew and says nothing."""

log = logging.getLogger(__name__)


class BestOfEachMember(L.Callback):
    """Early stopping per member: keep the weights of its best epoch, and stop when all have run out of patience.

    A member out of patience goes on beside the others, but its best epoch stands: the result is that of a member
    trained alone.

    Args:
        patience: Epochs without a better validation loss before a member stops.

    Attributes:
        loss: Best validation loss of each member, (R,).
        epoch: When that was, (R,).
        weights: Of the network, by name, each member as it was then; on the CPU.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.loss = self.epoch = self.stopped = torch.empty(0)
        self.weights: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: L.Trainer, module: Any) -> None:
        if not self.weights:
            members = len(module.seeds)
            self.loss = torch.full((members,), torch.inf)
            self.epoch = torch.zeros(members, dtype=torch.long)
            self.stopped = torch.zeros(members, dtype=torch.bool)
            self.weights = {name: value.cpu().clone() for name, value in module.network.state_dict().items()}

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        if trainer.sanity_checking:
            return
        loss, now = module.validation_loss.detach().cpu(), trainer.current_epoch
        better = (loss < self.loss) & ~self.stopped
        self.loss = torch.where(better, loss, self.loss)
        self.epoch = torch.where(better, now, self.epoch)
        if better.any():
            for name, value in module.network.state_dict().items():
                self.weights[name][better] = value[better.to(value.device)].cpu()
        self.stopped |= now - self.epoch >= self.patience
        if self.stopped.all():
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("loss", "epoch", "stopped", "weights")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)


class EpochSeeds(L.Callback):
    """Starts each epoch with random numbers of its own, so that a network with PyTorch's dropout can be resumed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        torch.manual_seed((self.seed * LARGE_PRIME + trainer.current_epoch) * trainer.world_size + trainer.global_rank)


class EndWhenAsked(L.Callback):
    """Ends a training between two steps when that was asked for."""

    def on_train_batch_end(self, *args: Any) -> None:
        check_interrupt()

    def on_validation_batch_end(self, *args: Any) -> None:
        check_interrupt()


class MaxTime(Timer):
    """Time limit: end a training between two epochs, in a state that can be resumed.

    Lightning's Timer counts the time of all earlier calls, too, so that a training that is gone on with ends at once.
    """

    def __init__(self, duration: str | timedelta | dict[str, int]) -> None:
        try:
            super().__init__(duration, interval="epoch")
        except (TypeError, ValueError, L.utilities.exceptions.MisconfigurationException) as error:
            raise InputError(f"trainer.max_time is {duration}; needs DD:HH:MM:SS ({error})") from None
        self.has_cut_off = False

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """See the class; a training that is done anyway is not cut off."""
        was_done = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        super().on_train_epoch_end(trainer, pl_module)
        self.has_cut_off = trainer.should_stop and not was_done

    def state_dict(self) -> dict[str, Any]:
        """Empty state: each call has the whole time."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `state_dict`."""


def was_cut_off(trainer: L.Trainer) -> bool:
    """Whether ``max_time`` has ended a training before it was done."""
    return any(isinstance(callback, MaxTime) and callback.has_cut_off for callback in trainer.callbacks)  # type: ignore[attr-defined]


class KeepLast(L.Callback):
    """Keep a checkpoint to resume from, written between two epochs and at most every few seconds."""

    def __init__(self, path: Path) -> None:
        self.path, self.saved, self.is_going = path, time.monotonic(), False

    def on_train_batch_end(self, *arguments: Any) -> None:
        self.is_going = True

    def discard_damaged(self) -> None:
        """Remove what a killed process has left half-written, and a checkpoint that cannot be resumed."""
        if self.path.parent.is_dir():
            discard_unfinished(self.path.parent)
        if not self.path.is_file():
            return
        try:
            kept = torch.load(self.path, weights_only=True)
            is_ours = "lr_scale" in kept["state_dict"]
            is_whole = {*kept} >= RESTORED
        except Exception:  # torch raises many kinds for a damaged file
            fault = "is damaged"
        else:
            fault = "was written by another version of polyinv" if not is_ours else "" if is_whole else "is damaged"
        if fault:
            log.warning("%s %s; the training starts over", self.path, fault)
            self.path.unlink()

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        if was_cut_off(trainer) or time.monotonic() - self.saved >= SECONDS_BETWEEN_CHECKPOINTS:
            self.path.parent.mkdir(exist_ok=True)
            with written(self.path, overwrite=True) as passing:
                trainer.save_checkpoint(passing)
            self.saved = time.monotonic()


class EpochProgress(L.Callback):
    """Progress of a training: epochs done, validation loss and its best value, both means over the members."""

    def __init__(self, best: BestOfEachMember) -> None:
        self.best, self.shown = best, ExitStack()

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        shown = counted("training", "epochs", trainer.max_epochs or 0, trainer.current_epoch)
        self.advance = self.shown.enter_context(shown)

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        loss, best = module.validation_loss.mean().item(), self.best.loss.mean().item()
        self.advance(1, f"validation loss {loss:.4f}, best {best:.4f}")

    def on_fit_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.shown.close()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        self.shown.close()
