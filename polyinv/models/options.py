"""Training options that all networks share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyinv.errors import InputError, unknown

ACCELERATORS = ("auto", "cpu", "gpu")
SCHEDULES = ("constant", "cosine", "plateau")
DENSITY = "density"
"""Loss of networks that answer with densities."""
LOSSES = ("mse", "huber", "nll", "beta_nll", DENSITY)
SPREADING = ("nll", "beta_nll", DENSITY)
"""Losses whose networks predict how far they err as well."""
PRECISIONS = ("32", "bf16-mixed", "16-mixed")
LOGGERS = ("tensorboard", "csv", "mlflow", "wandb")
VALIDATION = "validation.csv"
"""File in the run folder of networks: the best validation loss of each member, and its epoch."""
TRAINER_OPTIONS = (
    "accumulate_grad_batches",
    "benchmark",
    "check_val_every_n_epoch",
    "detect_anomaly",
    "devices",
    "fast_dev_run",
    "inference_mode",
    "limit_test_batches",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "max_steps",
    "max_time",
    "min_epochs",
    "min_steps",
    "num_nodes",
    "num_sanity_val_steps",
    "overfit_batches",
    "plugins",
    "profiler",
    "strategy",
    "sync_batchnorm",
    "use_distributed_sampler",
    "val_check_interval",
)
"""Of Lightning's Trainer, those that a configuration may give as they are."""
MOST_MEMBERS, MOST_UNITS, MOST_TREES, MOST_EPOCHS = 1000, 100_000, 100_000, 10_000_000
"""Limits of what no machine trains: of networks in an ensemble, units of a layer, trees, and epochs or rows a step."""
SAID_ELSEWHERE = {
    "accelerator": "model.training.accelerator",
    "callbacks": "model.training (patience, schedule)",
    "default_root_dir": "--output",
    "deterministic": "model.training.deterministic",
    "enable_checkpointing": "nothing: a run folder keeps its last checkpoint",
    "gradient_clip_val": "model.training.clip",
    "logger": "logger",
    "max_epochs": "model.training.max_epochs",
    "precision": "model.training.precision",
}
"""Others, and the key that says them."""


@dataclass(frozen=True)
class Training:
    """Training options of a network.

    Args:
        learning_rate: Of AdamW; the highest one of the schedule.
        schedule: ``constant``; ``cosine``, a warm-up over the first twentieth of all steps and half a cosine down to
            0 at ``max_epochs``; ``plateau``, halved for each member after ``plateau`` epochs without a better
            validation loss.
        plateau: Epochs of that schedule.
        weight_decay: Decoupled decay of the weights, per step as a share of the learning rate; biases do not decay.
        clip: Largest norm of a member's gradient; a longer one is shortened. None clips nothing.
        batch_size: Rows per step.
        max_epochs: Passes over the training rows at most.
        patience: Epochs without a better validation loss before a member stops; its best weights are kept.
        loss: ``mse``, ``huber``, ``nll`` or ``beta_nll``, see `polyinv.models.losses`; of the model ``posterior`` it is
            ``density``.
        loss_weights: Weight of each target, as many as there are; alike ones hold for any number.
        accelerator: Where to train: auto, cpu or gpu.
        precision: ``32``, or ``bf16-mixed`` or ``16-mixed`` for a GPU.
        deterministic: Use deterministic algorithms on a GPU, too; on a CPU all are.
        steps_per_call: Optimizer steps that Lightning's loop takes at once. More than one changes no result; it pays
            for small networks on batches of a few dozen rows, where what Lightning does around a step costs as much.
    """

    learning_rate: float = 1e-3
    schedule: str = "constant"
    plateau: int = 10
    weight_decay: float = 0.0
    clip: float | None = None
    batch_size: int = 32
    max_epochs: int = 1000
    patience: int = 50
    loss: str = "mse"
    loss_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    accelerator: str = "auto"
    precision: str = "32"
    deterministic: bool = False
    steps_per_call: int = 1

    @property
    def predicts_spread(self) -> bool:
        """Whether networks predict how far they err as well."""
        return self.loss in SPREADING

    def weights_of(self, targets: Sequence[str]) -> list[float]:
        """Weights of the targets of a system, summing to one.

        Raises:
            InputError: There are not as many.
        """
        weights = self.loss_weights if len(set(self.loss_weights)) > 1 else [1.0] * len(targets)
        if len(weights) != len(targets):
            raise InputError(
                f"model.training.loss_weights are {len(weights)} numbers; needs one for each of {', '.join(targets)}"
            )
        return [weight / sum(weights) for weight in weights]

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss_weights", tuple(self.loss_weights))
        for option, known in {
            "accelerator": ACCELERATORS,
            "schedule": SCHEDULES,
            "loss": LOSSES,
            "precision": PRECISIONS,
        }.items():
            if getattr(self, option) not in known:
                raise unknown(option, getattr(self, option), known)
        for option in ("max_epochs", "patience", "plateau", "batch_size", "steps_per_call"):
            rule = f"1 to {MOST_EPOCHS}"
            check(f"training.{option}", [getattr(self, option)], rule, lambda value: 1 <= value <= MOST_EPOCHS)
        for option in ("learning_rate", *(["clip"] if self.clip is not None else [])):
            check(f"training.{option}", [getattr(self, option)], "more than 0", lambda value: 0 < value < float("inf"))
        check("training.weight_decay", [self.weight_decay], "0 or more", lambda value: 0 <= value < float("inf"))
        check("training.loss_weights", self.loss_weights, "0 or more", lambda value: 0 <= value < float("inf"))
        if not any(self.loss_weights):
            raise InputError("model.training.loss_weights are all zero; at least one target has to count")


def check(option: str, values: Iterable[Any], rule: str, holds: Callable[[Any], bool]) -> None:
    """Refuse an option of a model one of whose values breaks a rule.

    Raises:
        InputError: Names the option, the value and the rule.
    """
    for value in values:
        if not holds(value):
            raise InputError(f"model.{option} is {value}; needs {rule}")


def is_single(devices: Any) -> bool:
    """Whether an option ``devices`` of Lightning's Trainer means one device.

    Example:
        >>> [is_single(devices) for devices in (1, "1", [3], 2, "auto")]
        [True, True, True, False, False]
    """
    return devices in (1, "1") or (isinstance(devices, list | tuple) and len(devices) == 1)


def check_trainer(options: Mapping[str, Any], logger: Any) -> None:
    """Refuse options that cannot be passed on to Lightning's Trainer, before it is imported.

    Args:
        options: The section ``trainer`` of a configuration.
        logger: One of ``LOGGERS``, or a mapping with ``class_path``, or several of them.

    Raises:
        InputError: Names the option and the choices.
    """
    for name in options:
        if name in SAID_ELSEWHERE:
            raise InputError(f"trainer.{name} is said by {SAID_ELSEWHERE[name]}")
        if name not in TRAINER_OPTIONS:
            raise unknown("option of the trainer", name, TRAINER_OPTIONS)
    devices = options.get("devices", 1)
    if not is_single(devices):
        raise InputError(
            f"trainer.devices is {devices}; a training of polyinv takes one, which 1 or [number] says. Several take a "
            "polyinv.RecipeModule under a Trainer of your own, as in examples/own_trainer.py"
        )
    for each in logger if isinstance(logger, list | tuple) else [logger]:
        wanted = each.get("class_path") if isinstance(each, Mapping) else each
        if wanted not in LOGGERS and not str(wanted).startswith("lightning.pytorch.loggers."):
            raise unknown("logger", wanted, (*LOGGERS, "lightning.pytorch.loggers.…"))
