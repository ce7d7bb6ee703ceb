"""How a network is trained: the Lightning module, the loss, and one call that does it."""

import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torchmetrics import R2Score

from polyinv.data.datamodule import Batches, RecipeData
from polyinv.data.scaling import Standardize
from polyinv.errors import InputError
from polyinv.models.progress import EpochProgress
from polyinv.quantities import TARGETS
from polyinv.threads import one_thread

if TYPE_CHECKING:
    from polyinv.models.neural import NeuralModel

CHECKPOINTS = "checkpoints"
LAST_EVERY = 10
"""Epochs between the checkpoints that a killed training resumes from."""

# Importing lightning sets its level to INFO.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


class ScaledNetwork(nn.Module):
    """A network between the scaling of its observations and that of its recipes."""

    def __init__(self, network: nn.Module, width: int) -> None:
        super().__init__()
        self.network = network
        self.x_scaling, self.y_scaling = Standardize(width), Standardize(len(TARGETS))

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Recipes (B, 4) of observations (B, F), both in physical units."""
        self.eval()
        return self.y_scaling.inverse(self.network(self.x_scaling(x).float()))


class Regression(L.LightningModule):
    """Multi-output regression on standardized recipes.

    Logs ``train/loss``, ``val/loss`` and, for each target, ``val/r2/<target>`` every epoch.

    Args:
        network: From standardized observations to standardized recipes.
        loss_weights: Weight of each target.
        learning_rate: Of Adam, with the epsilon of Keras.
        seed: With the epoch, fixes batch order and dropout, so that a resumed training repeats the uninterrupted one.
    """

    def __init__(self, network: nn.Module, loss_weights: tuple[float, ...], learning_rate: float, seed: int) -> None:
        super().__init__()
        self.network, self.learning_rate, self.seed = network, learning_rate, seed
        self.register_buffer("loss_weights", torch.tensor(loss_weights))
        self.r2 = R2Score(multioutput="raw_values")
        # Logging each step through Lightning costs as much as the step.
        self.losses: list[Tensor] = []

    def loss(self, guess: Tensor, z: Tensor) -> Tensor:
        r"""Weighted mean square :math:`\sum_j w_j \overline{(\hat z_j - z_j)^2} \,/ \sum_j w_j` over targets j."""
        return ((guess - z).square().mean(0) * self.loss_weights).sum() / self.loss_weights.sum()

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(self.seed * 1_000_003 + self.current_epoch)
        if isinstance(self.trainer.train_dataloader, Batches):
            self.trainer.train_dataloader.set_epoch(self.current_epoch)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, z = batch
        loss = self.loss(self.network(x), z)
        self.losses.append(loss.detach())
        return loss

    def on_train_epoch_end(self) -> None:
        self.log("train/loss", torch.stack(self.losses).mean())
        self.losses.clear()

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        x, z = batch
        guess = self.network(x)
        self.r2.update(guess, z)
        self.log("val/loss", self.loss(guess, z), batch_size=len(x))

    def on_validation_epoch_end(self) -> None:
        loss = self.trainer.callback_metrics["val/loss"]
        if not torch.isfinite(loss):
            raise InputError(
                f"the validation loss is {loss:g} in epoch {self.current_epoch}, not finite; lower the learning rate"
            )
        r2 = self.r2.compute()
        self.log_dict({f"val/r2/{name}": value for name, value in zip(TARGETS, r2, strict=True)})
        self.log("val/r2/global", r2.mean())
        self.r2.reset()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, eps=1e-7, fused=True)


class Events(TensorBoardLogger):
    """TensorBoard events over epochs, without the ``hparams.yaml`` of Lightning: a run has its ``config.yaml``."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        metrics = dict(metrics)
        super().log_metrics(metrics, int(metrics.pop("epoch")))

    def save(self) -> None:
        self.experiment.flush()


def train(model: "NeuralModel", data: RecipeData, folder: Path | None) -> ScaledNetwork:
    """Train the network of ``model`` with early stopping and give back its best weights.

    Args:
        model: Holds architecture and options.
        data: Rows and scalings.
        folder: Keeps TensorBoard events and checkpoints; found with a checkpoint in it, training goes on from there.
            None keeps nothing.
    """
    with tempfile.TemporaryDirectory() as passing, one_thread(), torch.random.fork_rng(), warnings.catch_warnings():
        # Raised by torch 2.13 from inside Lightning.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        # A resumed training finds its own.
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        torch.manual_seed(model.seed)
        module = Regression(model.network(), model.loss_weights, model.learning_rate, model.seed)
        batches = data.batches(data.train, model.batch_size, model.seed)
        kept = (folder or Path(passing)) / CHECKPOINTS
        best = ModelCheckpoint(kept, "best", monitor="val/loss", enable_version_counter=False)
        last = ModelCheckpoint(kept, "last", every_n_epochs=LAST_EVERY, enable_version_counter=False)
        trainer = L.Trainer(
            max_epochs=model.max_epochs,
            accelerator=model.accelerator,
            devices=1,
            logger=Events(folder, name="", version="") if folder else False,
            callbacks=[best, last, EarlyStopping("val/loss", patience=model.patience), EpochProgress()],
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=len(batches),  # epochs are logged, steps are not
        )
        resumed = kept / "last.ckpt"
        try:
            trainer.fit(module, batches, data.val_dataloader(), ckpt_path=resumed if resumed.is_file() else None)
        except SystemExit as end:  # that is what Lightning makes of an interrupt
            raise KeyboardInterrupt from end
        if trainer.received_sigterm:
            raise KeyboardInterrupt
        state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    module.load_state_dict(state)
    scaled = ScaledNetwork(module.network, len(data.columns)).cpu()
    scaled.x_scaling, scaled.y_scaling = data.x_scaling, data.y_scaling
    return scaled
