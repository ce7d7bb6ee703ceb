"""Lightning callback that reports the validation loss of a trial, and ends one that falls behind."""

from typing import Any, Protocol

import lightning.pytorch as L


class Pruned(Exception):
    """The training was ended in an epoch, counted from 0, because others were better there."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"pruned in epoch {epoch}")
        self.epoch = epoch


class Watcher(Protocol):
    """Takes reports, such as `polyinv.search.journal.Reports`."""

    def prunes(self, epoch: int, loss: float) -> bool:
        """Take the loss of an epoch; whether the training is to be ended."""
        ...


class Prune(L.Callback):
    """Report ``val/loss`` after each epoch, and end the training when it is to be pruned.

    Args:
        watcher: Takes the reports.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        """See the class."""
        if trainer.sanity_checking:
            return
        if self._watcher.prunes(trainer.current_epoch, float(trainer.callback_metrics["val/loss"])):
            raise Pruned(trainer.current_epoch)
