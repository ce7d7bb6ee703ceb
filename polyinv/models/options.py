"""How networks are trained: the options that all of them share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from polyinv.errors import InputError, unknown

ACCELERATORS = ("auto", "cpu", "gpu")
SCHEDULES = ("constant", "cosine", "plateau")
LOSSES = ("mse", "huber", "nll")
PRECISIONS = ("32", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class Training:
    """Options of training.

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
        loss: ``mse``, ``huber`` or ``nll``, see `polyinv.models.losses`.
        loss_weights: Weight of each target.
        accelerator: Where to train: auto, cpu or gpu.
        precision: ``32``, or ``bf16-mixed`` or ``16-mixed`` for a GPU.
        deterministic: Use deterministic algorithms on a GPU, too; on a CPU all are.
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
    loss_weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    accelerator: str = "auto"
    precision: str = "32"
    deterministic: bool = False

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
        if len(self.loss_weights) != 4:
            raise InputError(f"model.training.loss_weights are {len(self.loss_weights)} numbers; needs one per target")
        for option in ("max_epochs", "patience", "plateau", "batch_size"):
            check(f"training.{option}", [getattr(self, option)], "1 or more", lambda value: value >= 1)
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
