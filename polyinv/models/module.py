"""LightningModule: multi-output regression from standardized observations to standardized recipes."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor, nn

from polyinv.chemistry import DEFAULT, AnySystem, load_system
from polyinv.data.batches import Batch, Blocks
from polyinv.data.features import current_name, feature_columns
from polyinv.data.scaling import Scaling
from polyinv.errors import InputError
from polyinv.models.density_metrics import DensityMetrics
from polyinv.models.layers import DropoutKeys
from polyinv.models.losses import LOSSES, Loss, mean, validating
from polyinv.models.networks import built, check_network, replicas_of
from polyinv.models.optimizer import adamw, clip_members, cosine
from polyinv.models.options import DENSITY, Training
from polyinv.runtime.nested import plain

SLOWER = 0.5
"""What the learning rate is multiplied by on a plateau."""

log = logging.getLogger(__name__)

# Importing lightning sets its level to INFO.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


class RecipeModule(L.LightningModule):
    """Train a network, or R of them at once, to predict the recipe of an observation.

    An ordinary LightningModule: it works under any Trainer with any callback, logger or checkpoint, on the batches of
    `polyinv.data.datamodule.RecipeDataModule` or on others of their shape. Each epoch it logs ``train/loss``,
    ``val/loss`` and, for each target and their mean ``global``, ``train/r2/<target>`` and ``val/r2/<target>``; with
    ``trainer.test`` the same of ``test``. Of several members these are means, with ``.../low`` and ``.../high`` a
    standard deviation to either side. Networks that answer with densities log ``val/nll/<target>`` and
    ``val/coverage_90/<target>`` besides, and the mean of both over the targets by the inputs and errors of the rows:
    ``val/nll_given/<pattern>``, ``val/coverage_90_given/exact``.

    Args:
        network: Name of one of ``polyinv.models.networks.NETWORKS``, or any module from (B, G) to (B, V). A module of
            your own has to be given again to `load_from_checkpoint`.
        features: One of ``polyinv.data.features.FEATURES``, that of the data.
        transform: One of ``polyinv.data.transforms.TRANSFORMS``, that of the data.
        members: Networks trained at once, R, which differ in initialization, batches and dropout; None trains one,
            without an extra dimension.
        seed: Of the first member; the next ones count up.
        network_options: Options of the network of that name.
        training: Options of `polyinv.models.options.Training`; its epochs, accelerator and precision are the Trainer's
            business here.
        steps_per_call: Optimizer steps that each call of ``training_step`` takes, on a list of as many batches. What
            Lightning does around a call costs more than a step of a small network on a small batch. More than one
            needs a data module with the same option.
        system: What is polymerized, that of the data: a name, a file, or a `polyinv.System`.

    Raises:
        InputError: An unknown name, an option that cannot be, or a network that does not fit the data.
    """

    loss_shares: Tensor
    lr_scale: Tensor
    plateau_loss: Tensor
    plateau_epoch: Tensor
    trainer: Any  # Lightning's own type does not know its datamodule

    def __init__(
        self,
        network: nn.Module | str = "mlp",
        features: str = "composite",
        transform: str = "plain",
        members: int | None = None,
        seed: int = 42,
        network_options: Mapping[str, Any] | None = None,
        training: Training | Mapping[str, Any] | None = None,
        steps_per_call: int = 1,
        system: AnySystem = DEFAULT,
    ) -> None:
        super().__init__()
        self.training_options = training if isinstance(training, Training) else Training(**plain(training or {}))
        self.criterion = LOSSES[self.training_options.loss]
        self.validated_by = validating(self.training_options.loss)
        seed = int(seed)  # not one of NumPy, which a checkpoint cannot keep
        system = load_system(system)
        columns, self.targets = feature_columns(features, system), system.targets
        self.scaling, self.members, self.seed = Scaling(columns, transform, system), members, seed
        self.steps_per_call, self.automatic_optimization = steps_per_call, steps_per_call == 1
        outputs = len(self.targets) * self.criterion.outputs
        if isinstance(network, nn.Module):
            self.network = network
        else:
            self.network = built(network, self.scaling, outputs, self.seeds, **(network_options or {}))
        check_network(self.network, self.scaling.width, outputs, members)
        self.dropout = DropoutKeys(self.network, self.seeds)
        self.register_buffer("loss_shares", torch.tensor(self.training_options.weights_of(self.targets)))
        of_members = {"lr_scale": 1.0, "plateau_loss": torch.inf, "plateau_epoch": 0.0}
        for name, value in of_members.items():
            self.register_buffer(name, torch.full((len(self.seeds),), value))
        self.validation_loss = torch.full((len(self.seeds),), torch.nan)
        # Of an epoch, of networks that answer with densities.
        is_density = self.training_options.loss == DENSITY
        self._densities = DensityMetrics(self.scaling) if is_density else None
        # Predictions, recipes and losses of an epoch: logging each step through Lightning costs as much as the step.
        self._epoch: dict[str, list[tuple[Tensor, Tensor, Tensor]]] = {"train": [], "val": [], "test": []}
        features, system = current_name(features, system), system.stored
        training = plain(asdict(self.training_options))
        network_options = plain(network_options or {})
        # As they stand here, plain types: a checkpoint is read without pickle.
        self.save_hyperparameters(ignore=["network"] if isinstance(network, nn.Module) else [])

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seed of each member."""
        return tuple(range(self.seed, self.seed + (self.members or 1)))

    @property
    def replicated(self) -> bool:
        """Whether the parameters of the network have a leading dimension of members."""
        return replicas_of(self.network) is not None

    def forward(self, x: Tensor) -> Tensor:
        """Standardized observations (B, G) to standardized recipes (B, V); with members (R, B, V)."""
        predicted = self._mean(self._of_members(x))
        return predicted[0] if self.members is None else predicted

    def _mean(self, output: Tensor) -> Tensor:
        return mean(output, len(self.targets))

    def _of_members(self, x: Tensor) -> Tensor:
        """Outputs of the network, with a dimension of members, (R, B, outputs)."""
        output = self.network(x).float()
        return output if output.ndim == 3 else output[None]

    def setup(self, stage: str) -> None:
        """Take the scaling of the data, which predictions need."""
        members = getattr(self.trainer.datamodule, "members", None)
        if stage == "fit" and isinstance(members, int) and members != len(self.seeds):
            raise InputError(f"the data are served for members={members}, the module has members={self.members}")
        scaling = getattr(self.trainer.datamodule, "scaling", None)
        if stage == "fit" and isinstance(scaling, Scaling):
            scaling.system.check_like(self.scaling.system, "the data", "the module")
            if scaling.x.mean.shape != self.scaling.x.mean.shape:
                raise InputError(
                    f"the data serve {scaling.width} features, the module takes {self.scaling.width}; "
                    "give both the same features and transform"
                )
            self.scaling.load_state_dict(scaling.state_dict())

    def on_fit_start(self) -> None:
        """Refuse data that are served otherwise than this module takes them."""
        if self.scaling.y.mean.dtype != torch.float64:
            raise InputError(
                "in half precision (16-true, bf16-true) the scaling is rounded; take 16-mixed or bf16-mixed"
            )
        self.trainer.fit_loop.setup_data()
        is_blocks = isinstance(self.trainer.train_dataloader, Blocks)
        if is_blocks == self.automatic_optimization:
            raise InputError(
                f"steps_per_call of the module is {self.steps_per_call}; the data module needs the same option"
            )

    def on_predict_start(self) -> None:
        """Warn of answers that are not in physical units: the module was trained without polyinv's data module."""
        if (self.scaling.y.std == 1).all() and (self.scaling.y.mean == 0).all():
            log.warning("the module knows no scaling; it predicts standardized recipes, not physical ones")

    @property
    def learning_rate(self) -> float:
        """Highest learning rate of the schedule, under the name that Lightning's `LearningRateFinder` looks for."""
        return self.training_options.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.training_options = replace(self.training_options, learning_rate=float(value))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """The loss of a batch, summed over the members: the gradient of a member is that of its own loss.

        Args:
            batch: Observations and recipes; with ``steps_per_call`` a list of such.
            batch_idx: Its number in the epoch.
        """
        if self.automatic_optimization:
            every = self.trainer.accumulate_grad_batches
            return self._loss(batch, self.global_step * every + batch_idx % every)
        self._steps(batch)
        return None

    def _loss(self, batch: Batch, step: int) -> Tensor:
        x, z = batch
        self.dropout(step)
        output = self._of_members(x)
        losses = self._losses(output, z, self.criterion)
        self._epoch["train"].append((self._mean(output).detach(), z, losses.detach()))
        return losses.sum()

    def _losses(self, output: Tensor, z: Tensor, by: Loss) -> Tensor:
        """Loss of each member, (R,)."""
        return by.of_targets(output, z, complete=not self.scaling.conditional) @ self.loss_shares

    def _steps(self, block: list[Batch]) -> None:
        """Take optimizer steps on a list of batches, each of them counted by the Trainer."""
        optimizer: Any = self.optimizers()
        scheduler: Any = self.lr_schedulers()
        # Only the scaler of 16-mixed needs Lightning's wrapper around a step.
        wrapped = self.training_options.precision == "16-mixed"
        for step, batch in enumerate(block, start=self.global_step):
            loss = self._loss(batch, step)
            optimizer.zero_grad()
            self.manual_backward(loss)
            if self.training_options.clip is not None:
                self._clip(self.training_options.clip)
            if wrapped:
                optimizer.step()
            else:
                optimizer._on_before_step()
                optimizer.optimizer.step()
                optimizer._on_after_step()
            if scheduler is not None:
                scheduler.step()

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradient of each member by its own norm; ``training.clip`` holds where the Trainer says nothing."""
        largest = gradient_clip_val or self.training_options.clip
        if gradient_clip_algorithm == "value":
            self.clip_gradients(optimizer, largest, gradient_clip_algorithm)
        elif largest:
            self._clip(largest)

    def _clip(self, largest: float) -> None:
        if self.replicated:
            clip_members(self.network.parameters(), largest)
        else:
            nn.utils.clip_grad_norm_(self.network.parameters(), largest)

    def on_train_epoch_end(self) -> None:
        """Log the loss and R² of the training batches, as they were when they were trained on."""
        self._log_epoch("train", self._epoch["train"])
        optimizer: Any = self.optimizers()
        self.log("learning_rate", optimizer.param_groups[0]["lr"] * self.lr_scale.mean())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions of the validation rows."""
        self._collect("val", batch)

    def on_validation_epoch_end(self) -> None:
        """Log the loss and R² of the validation rows, and slow down members on a plateau."""
        collected = self._epoch["val"]
        self.validation_loss = _mean_loss(collected)
        self._check_finite()
        self._log_epoch("val", collected)
        if self._densities is not None:
            self.log_dict({f"val/{tag}": value for tag, value in self._densities.tags()})
        if self.training_options.schedule == "plateau" and not self.trainer.sanity_checking:
            self._slow_down()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions of the test rows."""
        self._collect("test", batch)

    def on_test_epoch_end(self) -> None:
        """Log the loss and R² of the test rows."""
        self._log_epoch("test", self._epoch["test"])

    def predict_step(self, batch: Tensor | Batch, batch_idx: int) -> Tensor:
        """Predict recipes (B, V) of standardized observations, in physical units, float64; with members (R, B, V)."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        return self.scaling.y.inverse(self(x))

    def configure_optimizers(self) -> Any:
        """AdamW, with the schedule of the training options."""
        optimizer = adamw(self.network, self.training_options, self.lr_scale)
        if self.training_options.schedule != "cosine":
            return {"optimizer": optimizer}
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, cosine(self._steps_of_training()))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _steps_of_training(self) -> int:
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise InputError("the cosine schedule needs to know how long the training is; give max_epochs or max_steps")
        loader = self.trainer.train_dataloader
        if not isinstance(loader, Blocks):
            return int(steps)
        calls = int(self.trainer.num_training_batches)  # in an epoch
        of_epochs = self.trainer.max_epochs * min(calls * loader.steps, len(loader.batches))
        limits = [limit for limit in (of_epochs, self.trainer.max_steps) if limit >= 0]
        return min(limits)

    def _collect(self, part: str, batch: Batch) -> None:
        x, z = batch
        output = self._of_members(x)
        losses = self._losses(output, z, self.validated_by)
        if self._densities is not None and part == "val":
            self._densities.add(x, output, z)
        self._epoch[part].append((self._mean(output), z, losses))

    def _log_epoch(self, part: str, collected: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        if not collected:  # resumed where an epoch was at its end
            return
        predicted, z, _ = zip(*collected, strict=True)
        loss = _mean_loss(collected)
        collected.clear()
        metrics = {f"{part}/loss": loss.mean()}
        metrics |= dict(_summary(f"{part}/r2", self.targets, _r2(torch.cat(predicted, -2), torch.cat(z, -2))))
        # Each process has rows of its own in training, and all of them otherwise.
        self.log_dict(metrics, sync_dist=part == "train" and self.trainer.world_size > 1)

    def _check_finite(self) -> None:
        bad = ~self.validation_loss.isfinite()
        if bad.any():
            member = int(bad.nonzero()[0])
            raise InputError(
                f"the validation loss of member {member} is {self.validation_loss[member]:g} in epoch "
                f"{self.current_epoch}, not finite; lower model.training.learning_rate or set model.training.clip"
            )

    def _slow_down(self) -> None:
        """Halve the learning rate of each member that has not become better for a while."""
        epoch = float(self.current_epoch)
        better = self.validation_loss < self.plateau_loss
        self.plateau_loss.copy_(torch.where(better, self.validation_loss, self.plateau_loss))
        self.plateau_epoch[better] = epoch
        waited = epoch - self.plateau_epoch >= self.training_options.plateau
        self.plateau_epoch[waited] = epoch
        self.lr_scale[waited] *= SLOWER


def _mean_loss(collected: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Loss of each member, (R,), over the rows of several batches."""
    rows = torch.tensor([z.shape[-2] for _, z, _ in collected], dtype=torch.float32)
    losses = torch.stack([losses for _, _, losses in collected])
    return losses[0] if len(losses) == 1 else (losses * rows.to(losses)[:, None]).sum(0) / rows.sum().item()


def _r2(predicted: Tensor, z: Tensor) -> Tensor:
    """R² of each member and target (R, V) over the recipe values asked for, those not NaN.

    Args:
        predicted: Of each member, (R, N, V).
        z: Standardized recipes (N, V) or (R, N, V).
    """
    asked = ~z.isnan()
    true = z.where(asked, 0.0)
    centre = true.sum(-2, keepdim=True) / asked.sum(-2, keepdim=True)
    left, total = (((other - true) * asked).square().sum(-2) for other in (predicted, centre))
    return 1 - left / total


def _summary(tag: str, targets: Sequence[str], values: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Mean and band over the members of values (R, V), by target and for the mean of all targets."""
    for name, of_members in zip((*targets, "global"), [*values.T, values.nanmean(1)], strict=True):
        centre = of_members.mean()
        yield f"{tag}/{name}", centre
        if len(of_members) > 1:
            spread = of_members.std()
            yield from ((f"{tag}/{name}/low", centre - spread), (f"{tag}/{name}/high", centre + spread))
