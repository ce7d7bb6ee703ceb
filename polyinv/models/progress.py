"""One line that shows how far a training is."""

import lightning.pytorch as L
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class EpochProgress(L.Callback):
    """Epochs done, the validation loss and its best value; silent where nobody watches (no terminal)."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn())
        text = TextColumn("{task.description}")
        self.bar = Progress(*columns, text, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task("")
        self.best = float("inf")

    def on_fit_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.bar.update(self.task, total=trainer.max_epochs)
        self.bar.start()

    def on_validation_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        loss = float(trainer.callback_metrics.get("val/loss", float("nan")))
        self.best = min(self.best, loss)
        text = f"validation loss {loss:.4f}, best {self.best:.4f}"
        self.bar.update(self.task, completed=trainer.current_epoch + 1, description=text)

    def on_fit_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.bar.stop()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        self.bar.stop()
