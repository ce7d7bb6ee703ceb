"""Experiment: everything that decides the result in a run folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from polyinv.data.source import DataConfig


@dataclass(frozen=True)
class SplitConfig:
    """How rows are divided.

    Args:
        name: One of random_rows (the published protocol), by_recipe (the honest one), by_temperature (a level held
            out), early, late, low_conversion, high_conversion (reactions cut in two).
        seed: Which of the possible splits; 42 with random_rows is the published one.
        share: Of the training and validation reactions that are kept (of rows, with random_rows); the test rows stay.
    """

    name: str = "by_recipe"
    seed: int = 42
    share: float = 1.0


@dataclass(frozen=True)
class Experiment:
    """Experiment: everything that decides the result in a run folder.

    Args:
        model: One of ``polyinv.models.MODELS``.
        options: Its constructor arguments; missing ones keep their defaults.
        features: One of ``polyinv.data.features.FEATURES``.
        split: How rows are divided.
        data: Where they come from.
        init: Folder of a saved model to start from instead of from nothing (networks only).
        trainer: Options passed on to Lightning's Trainer, see ``polyinv.models.options.TRAINER_OPTIONS`` (networks
            only). They do not decide the result: an experiment goes on with others.
        logger: ``tensorboard``, ``csv``, ``mlflow`` or ``wandb``, or a mapping with ``class_path`` and ``init_args`` of
            one of Lightning's loggers, or a list of such (networks only).
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    features: str = "composite"
    split: SplitConfig = field(default_factory=SplitConfig)
    data: DataConfig = field(default_factory=DataConfig)
    init: str | None = None
    trainer: Mapping[str, Any] = field(default_factory=dict)
    logger: Any = "tensorboard"

    @property
    def title(self) -> str:
        """Short title of the experiment."""
        source = "" if self.data.source == "table" else f" {self.data.source}"
        return f"{self.model} {self.features}{source} {self.split.name} seed {self.split.seed}"
