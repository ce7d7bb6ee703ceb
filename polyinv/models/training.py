"""How networks are trained: the Lightning module, and one call that does it for all members of an ensemble."""

import itertools
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lightning.pytorch as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn

from polyinv.data.datamodule import Batches, RecipeDataModule
from polyinv.data.scaling import Scaling
from polyinv.data.simulated import DrawnBatches
from polyinv.errors import InputError
from polyinv.models.callbacks import BestOfEachMember, EpochProgress, KeepLast
from polyinv.models.layers import DropoutKeys
from polyinv.models.losses import LOSSES, mean, variance, weighted
from polyinv.models.options import Training
from polyinv.quantities import TARGETS
from polyinv.runtime.threads import one_thread

if TYPE_CHECKING:
    from polyinv.models.neural import NeuralModel

CHECKPOINTS = "checkpoints"
WARM_UP = 0.05
"""Share of the steps of the cosine schedule that the learning rate rises over."""
ROWS_AT_ONCE = 8192
STEPS_AT_ONCE = 32

# Importing lightning sets its level to INFO.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


class ScaledNetwork(nn.Module):
    """R networks between the scaling of their observations and that of their recipes."""

    def __init__(self, network: nn.Module, scaling: Scaling) -> None:
        super().__init__()
        self.network, self.scaling = network, scaling

    def predict(self, x: Tensor) -> Tensor:
        """Recipes (R, B, 4) that each member names for observations (B, F), in physical units; what is given stays."""
        given = self.scaling.given(x)
        return torch.where(given.isnan(), self.scaling.y.inverse(mean(self._output(x))), given)

    def variance(self, x: Tensor) -> Tensor:
        """Variance (R, B, 4) that each member predicts, in squared physical units; trained with ``nll`` only."""
        return variance(self._output(x)).double() * self.scaling.y.std**2 * self.scaling.given(x).isnan()

    @torch.no_grad()
    def _output(self, x: Tensor) -> Tensor:
        self.eval()
        return torch.cat([self.network(self.scaling(part)) for part in x.split(ROWS_AT_ONCE)], dim=1)


class RecipeModule(L.LightningModule):
    """Multi-output regression on standardized recipes by R members at once.

    Logs, once an epoch, ``train/loss``, ``val/loss``, ``learning_rate`` and for each target ``train/r2/<target>`` and
    ``val/r2/<target>``: the mean over the members and, of several, ``.../low`` and ``.../high``, a standard deviation
    to either side.

    Args:
        network: R members, see `polyinv.models.networks`.
        seeds: One for each member; with epoch and step they fix batches and dropout.
        training: The options.
        steps_per_epoch: Batches of an epoch.
    """

    automatic_optimization = False

    def __init__(self, network: nn.Module, seeds: Sequence[int], training: Training, steps_per_epoch: int) -> None:
        super().__init__()
        self.network, self.seeds, self.options, self.steps_per_epoch = network, tuple(seeds), training, steps_per_epoch
        self.dropout = DropoutKeys(network, seeds)
        self.criterion = LOSSES[training.loss]
        self.register_buffer("loss_weights", torch.tensor(training.loss_weights))
        self.register_buffer("lr_scale", torch.ones(len(seeds)))  # what each member multiplies the learning rate by
        self.validation_loss = torch.full((len(seeds),), torch.nan)
        # Logging each step through Lightning costs as much as the step.
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []
        self.r2_of_validation = torch.empty(0)

    def on_train_epoch_start(self) -> None:
        self.trainer.train_dataloader.set_epoch(self.current_epoch)

    def training_step(self, block: list[tuple[Tensor, Tensor]], at: int) -> None:
        """Steps on a block of batches: what Lightning does around a step costs more than a step of a small network."""
        optimizer = self.optimizers()
        first = self.current_epoch * self.steps_per_epoch + at * STEPS_AT_ONCE
        for step, (x, z) in enumerate(block, start=first):
            for group in optimizer.param_groups:
                group["lr"] = self.options.learning_rate * self.rate(step)
            self.dropout(step)
            output = self.network(x).float()
            losses = weighted(self.criterion.of_targets(output, z), self.loss_weights)
            self.seen.append((mean(output).detach(), z, losses.detach()))
            optimizer.zero_grad()
            self.manual_backward(losses.sum())  # a member's gradient is that of its own loss
            if self.options.clip is not None:
                self.clip_members()
            self._step(optimizer)

    def _step(self, optimizer: LightningOptimizer) -> None:
        """A step at the pace of each member: AdamW's is proportional to the learning rate."""
        # Only the scaler of 16-mixed needs Lightning's wrapper around it.
        step = optimizer.step if self.options.precision == "16-mixed" else optimizer.optimizer.step
        if self.options.schedule != "plateau" or (self.lr_scale == 1).all():
            step()
            return
        before = [parameter.detach().clone() for parameter in self.parameters()]
        step()
        with torch.no_grad():
            for old, parameter in zip(before, self.parameters(), strict=True):
                parameter.copy_(old.lerp(parameter, _beside(self.lr_scale, parameter)))

    def clip_members(self) -> None:
        """Shorten the gradient of each member that is longer than ``clip``, and of no other."""
        gradients = [parameter.grad for parameter in self.parameters()]
        norm = sum(gradient.flatten(1).square().sum(1) for gradient in gradients).sqrt()
        shortened = (self.options.clip / norm.clamp(min=1e-12)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(_beside(shortened, gradient))

    def rate(self, step: int) -> float:
        """Learning rate of a step, as a share of the highest one."""
        if self.options.schedule != "cosine":
            return 1.0
        steps = self.options.max_epochs * self.steps_per_epoch
        rising = max(1, int(WARM_UP * steps))
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * min((step - rising) / max(1, steps - rising), 1.0)))

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        x, z = batch
        output = self.network(x).float()
        self.validation_loss = weighted(self.criterion.of_targets(output, z), self.loss_weights)
        bad = ~self.validation_loss.isfinite()
        if bad.any():
            member = int(bad.nonzero()[0])
            raise InputError(
                f"the validation loss of member {member} is {self.validation_loss[member]:g} in epoch "
                f"{self.current_epoch}, not finite; lower model.training.learning_rate or set model.training.clip"
            )
        self.r2_of_validation = _r2(mean(output), z)

    def on_train_epoch_end(self) -> None:
        predicted, z, losses = zip(*self.seen, strict=True)
        self.seen.clear()
        rate = self.optimizers().param_groups[0]["lr"] * self.lr_scale.mean().item()
        metrics = {
            "train/loss": torch.stack(losses).mean().item(),
            "val/loss": self.validation_loss.mean().item(),
            "learning_rate": rate,
        }
        r2 = {"train": _r2(torch.cat(predicted, 1), torch.cat(z, 1)), "val": self.r2_of_validation}
        for part, values in r2.items():
            metrics |= dict(_summary(f"{part}/r2", values))
        if self.logger:
            self.logger.log_metrics(metrics, self.current_epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        options = self.options
        decaying = {True: [], False: []}
        for name, parameter in self.named_parameters():
            decaying[name.endswith("weight")].append(parameter)
        groups = [
            {"params": decaying[True], "weight_decay": options.weight_decay},
            {"params": decaying[False], "weight_decay": 0.0},
        ]
        # Without decay this is Adam, with the epsilon of Keras. A fused step would be clipped before it is unscaled.
        fused = options.precision != "16-mixed"
        return torch.optim.AdamW(groups, lr=options.learning_rate, eps=1e-7, fused=fused)


def _beside(values: Tensor, parameter: Tensor) -> Tensor:
    """One value for each member (R,), shaped to multiply a parameter (R, ...)."""
    return values.view(-1, *[1] * (parameter.ndim - 1))


def _r2(predicted: Tensor, z: Tensor) -> Tensor:
    """R² of each member and target (R, 4) over the recipe values asked for, those not NaN.

    Args:
        predicted: Of each member, (R, N, 4).
        z: Standardized recipes (N, 4) or (R, N, 4).
    """
    asked = ~z.isnan()
    true = z.where(asked, 0.0)
    centre = true.sum(-2, keepdim=True) / asked.sum(-2, keepdim=True)
    left, total = (((other - true) * asked).square().sum(-2) for other in (predicted, centre))
    return 1 - left / total


def _summary(tag: str, values: Tensor) -> Iterator[tuple[str, float]]:
    """Mean and band over the members of values (R, 4), by target and for the mean of all targets."""
    for name, of_members in zip((*TARGETS, "global"), [*values.T, values.nanmean(1)], strict=True):
        centre = of_members.mean().item()
        yield f"{tag}/{name}", centre
        if len(of_members) > 1:
            spread = of_members.std().item()
            yield from ((f"{tag}/{name}/low", centre - spread), (f"{tag}/{name}/high", centre + spread))


class Blocks:
    """Batches by the block: lists of up to ``STEPS_AT_ONCE``."""

    def __init__(self, batches: Batches | DrawnBatches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return -(-len(self.batches) // STEPS_AT_ONCE)

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of the next pass."""
        self.batches.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[tuple[Tensor, Tensor]]]:
        batches = iter(self.batches)
        while block := list(itertools.islice(batches, STEPS_AT_ONCE)):
            yield block


class Events(TensorBoardLogger):
    """TensorBoard events over epochs, without the ``hparams.yaml`` of Lightning: a run has its ``config.yaml``."""

    def save(self) -> None:
        self.experiment.flush()

    def lay_out(self, members: int) -> None:
        """Show R² as a band over the members on the page of custom scalars."""
        tags = {part: [f"{part}/r2/{name}" for name in (*TARGETS, "global")] for part in ("train", "val")}
        layout = {"losses": {"train and validation": ["Multiline", ["train/loss", "val/loss"]]}}
        for part, of_part in tags.items():
            layout[f"R², {part}"] = {
                tag: ["Margin", [tag, f"{tag}/low", f"{tag}/high"]] if members > 1 else ["Multiline", [tag]]
                for tag in of_part
            }
        self.experiment.add_custom_scalars(layout)


def device_for(accelerator: str) -> torch.device:
    """Where a training runs.

    Raises:
        InputError: A GPU is asked for and there is none.
    """
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise InputError("model.training.accelerator is gpu, but torch finds no CUDA device; take auto or cpu")
    return torch.device("cpu" if accelerator == "cpu" or not torch.cuda.is_available() else "cuda")


def train(model: "NeuralModel", start: ScaledNetwork, data: RecipeDataModule, folder: Path | None) -> ScaledNetwork:
    """Train the members of ``model`` with early stopping and give back the best weights of each.

    Args:
        model: Holds the options.
        start: Its networks and their scaling, to start from.
        data: Rows to learn from and to choose on.
        folder: Keeps TensorBoard events and the last checkpoint; found with one in it, training goes on from there.
            None keeps nothing.
    """
    options = model.training
    device = device_for(options.accelerator)
    if options.precision == "16-mixed" and device.type == "cpu":
        raise InputError("model.training.precision 16-mixed needs a GPU; take 32 or bf16-mixed")
    if len(data.val) < 2:
        raise InputError("a single validation row has no R²; needs two or more")
    data.serve(scaling=start.scaling, batch_size=options.batch_size, seeds=model.seeds, device=device)
    batches = data.train_dataloader()
    with tempfile.TemporaryDirectory() as passing, _alone(device), _quiet():
        module = RecipeModule(start.network, model.seeds, options, len(batches))
        best = BestOfEachMember(options.patience, options.plateau if options.schedule == "plateau" else None)
        last = KeepLast((folder or Path(passing)) / CHECKPOINTS / "last.ckpt")
        last.discard_damaged()
        events = Events(folder, name="", version="") if folder else False
        if events and not last.path.is_file():
            events.lay_out(len(model.seeds))
        trainer = L.Trainer(
            max_epochs=options.max_epochs,
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            precision=options.precision,
            deterministic=options.deterministic,
            logger=events,
            callbacks=[best, last, EpochProgress(best)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
        )
        try:
            resumed = last.path if last.path.is_file() else None
            trainer.fit(module, Blocks(batches), data.val_dataloader(), ckpt_path=resumed)
        except SystemExit as end:  # that is what Lightning makes of an interrupt
            raise KeyboardInterrupt from end
        if trainer.received_sigterm:
            raise KeyboardInterrupt
    module.network.load_state_dict(best.weights)
    return ScaledNetwork(module.network, start.scaling).cpu()


@contextmanager
def _alone(device: torch.device) -> Iterator[None]:
    """One thread, and the settings and random numbers of torch as they were."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    with one_thread(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # Raised by torch 2.13 from inside Lightning.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        yield
