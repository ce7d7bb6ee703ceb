"""LightningDataModule: standardized batches of observations and recipes, by options."""

from collections.abc import Mapping
from copy import copy, deepcopy
from dataclasses import asdict, fields, replace
from numbers import Integral
from typing import Any, Self

import lightning.pytorch as L
import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import DEFAULT, AnySystem, load_system
from polyinv.data.batches import Batches, Blocks, InputMask, Observed, Shard, SimulatedBatches, TableBatches
from polyinv.data.features import MISSING_INPUTS, WITH_CHAINS, current_name, feature_columns
from polyinv.data.masks import InputPatterns
from polyinv.data.rows import Rows, parts_of, rows_of, together
from polyinv.data.scaling import Scaling
from polyinv.data.simulated import Source, simulated_rows, sources
from polyinv.data.source import DataConfig, GridConfig, SimulatedConfig, load_table
from polyinv.data.splits import Split, check_split, split_columns, split_rows
from polyinv.data.transforms import TRANSFORMS
from polyinv.errors import InputError, unknown
from polyinv.runtime.nested import plain

ROWS_AT_ONCE = 8192
"""Largest batch of validation, test and prediction rows."""


class RecipeDataModule(L.LightningDataModule):
    """Observations of polymers and the recipes behind them, as batches for any LightningModule.

    Training batches are shuffled pairs (x, z) of standardized observations (B, G) and standardized recipes (B, V), both
    float32, V being 4 or as many values as a recipe of the system has; every epoch brings another permutation, or with
    ``source="simulated"`` other recipes and noise, from seed and epoch alone. Validation, test and prediction batches
    come in the order of their rows. `scaling` brings predicted recipes back to physical units:
    ``datamodule.scaling.y.inverse(z)``.

    Args:
        features: One of ``polyinv.data.features.FEATURES``: what is observed.
        split: One of ``polyinv.data.splits.SPLITS``: how the rows of the table are divided.
        seed: Of the split and, unless ``batch_seed`` is given, of the batches.
        batch_size: Rows in a training batch.
        source: ``table`` (the bundled grid, or ``path``), ``grid`` (the published grid, simulated on the spot) or
            ``simulated`` (recipes simulated on the fly; the table then only gives the test rows).
        members: Serve R members of an ensemble at once, each with a shuffling of its own: batches (R, B, G) and
            (R, B, V). None adds no dimension.
        path: Workbook or table of your own; None takes the bundled data set.
        normalize: Divide each distribution of the file by its area instead of refusing areas other than one.
        share: Of the training and validation reactions that are kept.
        transform: One of ``polyinv.data.transforms.TRANSFORMS``: what a network is given of the columns.
        simulated: Options of `polyinv.data.source.SimulatedConfig`, with the source of that name.
        grid: Options of `polyinv.data.source.GridConfig`, with the source of that name.
        patterns: With the features ``conditional``: how often each pattern of inputs is trained on, see
            `polyinv.data.patterns.check_patterns`.
        batch_seed: Of the batches; with members, of the first one, and the next ones count up.
        steps_per_call: Serve lists of that many training batches, for a module that takes as many optimizer steps at
            each call (`polyinv.models.module.RecipeModule`).
        table: Rows that are in memory already, instead of ``path``.
        system: What is polymerized: a name, a file, or a `polyinv.System`.

    Attributes:
        columns: Names of the F columns of an observation.
        train, val, test: `polyinv.data.rows.Rows` in physical units, after `setup`.
        scaling: Standardization fitted on the training rows alone.

    Raises:
        InputError: An unknown name or an option that cannot be; at `setup`, data that cannot be used.

    Example:
        >>> data = RecipeDataModule("composite", batch_size=64)
        >>> data.setup("fit")
        >>> x, z = next(iter(data.train_dataloader()))
        >>> x.shape, z.shape
        (torch.Size([64, 103]), torch.Size([64, 4]))
    """

    def __init__(
        self,
        features: str = "composite",
        split: str = "by_recipe",
        seed: int = 42,
        batch_size: int = 32,
        source: str = "table",
        members: int | None = None,
        *,
        path: str | None = None,
        normalize: bool = False,
        share: float = 1.0,
        transform: str = "plain",
        simulated: Mapping[str, Any] | SimulatedConfig | None = None,
        grid: Mapping[str, Any] | GridConfig | None = None,
        patterns: Mapping[str, float] | None = None,
        batch_seed: int | None = None,
        steps_per_call: int = 1,
        table: pd.DataFrame | None = None,
        system: AnySystem = DEFAULT,
    ) -> None:
        super().__init__()
        self.system = load_system(system)
        sections = _config(SimulatedConfig, simulated), _config(GridConfig, grid)
        path = None if path is None else str(path)  # a checkpoint keeps plain types
        self.features = current_name(features, self.system)
        self.columns = feature_columns(self.features, self.system)
        system = self.system.stored
        self.config = DataConfig(source, path, normalize, *sections, dict(patterns or {}), system)
        check_split(split, share)
        if transform not in TRANSFORMS:
            raise unknown("transform", transform, TRANSFORMS)
        if patterns and self.features not in MISSING_INPUTS:
            raise InputError(f"patterns go with the features {' or '.join(MISSING_INPUTS)}, not with {features!r}")
        counts = {"batch_size": batch_size, "members": members, "steps_per_call": steps_per_call}
        for name, value in counts.items():
            if value is None and name == "members":  # of each model, as it was made
                continue
            if not isinstance(value, Integral) or value < 1:
                raise InputError(f"{name} is {value}; needs 1 or more")
        if not hasattr(seed, "__index__"):
            raise InputError(f"the seed of the split is {seed}; needs a whole number")
        # Not numbers of NumPy, which a checkpoint cannot keep.
        seed, batch_size, steps_per_call = int(seed), int(batch_size), int(steps_per_call)
        members, batch_seed = (value if value is None else int(value) for value in (members, batch_seed))
        self.split, self.seed, self.share, self.transform = split, seed, share, transform
        self.batch_size, self.members, self.steps_per_call = batch_size, members, steps_per_call
        self.batch_seed = seed if batch_seed is None else batch_seed
        self._table = table
        self._parts: tuple[Rows, ...] | None = None
        self.source: Source | None = None
        self._scaling: Scaling | None = None
        features, patterns = self.features, dict(patterns or {})
        simulated, grid = (plain(asdict(section)) for section in sections)
        # Plain types. Not for the logger: Lightning refuses names that a module has with another value.
        self.save_hyperparameters(ignore=["table"], logger=False)

    @classmethod
    def from_table(cls, table: pd.DataFrame, features: str, split: Split, **options: Any) -> Self:
        """Serve the rows of a table that were divided before.

        Args:
            table: N rows with the recipes and the columns of the feature set.
            features: One of ``polyinv.data.features.FEATURES``.
            split: Row numbers of the three parts.
            options: Others of the class.
        """
        return cls.from_rows(
            features, *parts_of(_rows(table, features, options.get("system", DEFAULT)), split), **options
        )

    @classmethod
    def from_rows(cls, features: str, train: Rows, val: Rows, test: Rows, **options: Any) -> Self:
        """Serve rows that are in memory, with the columns of the feature set."""
        data = cls(features, **options)
        data._keep(train, val, test)
        return data

    def prepare_data(self) -> None:
        """Read the table once, and simulate the bank of curves into the cache; Lightning calls this on one process."""
        if self._parts is None:
            if self.config.source == "simulated":
                sources(self.config.simulated, self.columns, self.system)
            self._read_table()

    def setup(self, stage: str | None = None) -> None:
        """Read or simulate the rows and divide them, once for all stages.

        Raises:
            InputError: The data cannot be used, or a part has no rows.
        """
        if self._parts is not None:
            return
        table = self._read_table()
        split = split_rows(table, self.split, self.seed, self.share, self.system)
        if self.config.source != "simulated":
            self._keep(*parts_of(rows_of(table, self.columns, self.system), split))
            return
        training, validation = sources(self.config.simulated, self.columns, self.system)
        rows = simulated_rows(self.config.simulated, training, validation)
        self.source = training
        self._keep(*rows, rows_of(table.iloc[split.test], self.columns, self.system))

    def _read_table(self) -> pd.DataFrame:
        needed = (*split_columns(self.split, self.system), *self.columns)
        columns = tuple(name for name in dict.fromkeys(needed) if name in self.system.columns)
        if self._table is None:
            self._table = load_table(self.config, columns)
        if missing := [column for column in (*columns, *self.system.targets) if column not in self._table]:
            raise InputError(f"the table has no column {missing[0]!r} ({len(missing)} missing)")
        return self._table

    def _keep(self, *parts: Rows) -> None:
        for name, rows in zip(("train", "val", "test"), parts, strict=True):
            if len(rows) == 0:
                raise InputError(f"the {name} part of the split has no rows")
        self._parts = parts

    @property
    def train(self) -> Rows:
        """Training rows; of ``source="simulated"`` each recipe of the bank once, with one draw of its noise."""
        return self._part(0)

    @property
    def val(self) -> Rows:
        """Validation rows."""
        return self._part(1)

    @property
    def test(self) -> Rows:
        """Test rows."""
        return self._part(2)

    def _part(self, number: int) -> Rows:
        self.setup()
        assert self._parts is not None
        return self._parts[number]

    @property
    def seeds(self) -> tuple[int, ...] | None:
        """Seeds of the batches, one for each member; None without members."""
        return None if self.members is None else tuple(range(self.batch_seed, self.batch_seed + self.members))

    @property
    def width(self) -> int:
        """Number of features G of a standardized observation."""
        return Scaling(self.columns, self.transform, self.system).width

    @property
    def scaling(self) -> Scaling:
        """Scaling of the rows that the dataloaders serve."""
        if self._scaling is None:
            self._scaling = self.fit_scaling(self.transform)
        return self._scaling

    def fit_scaling(self, transform: str = "plain") -> Scaling:
        """Fit a scaling on the training rows alone."""
        return Scaling.fit(self.train.x, self.train.y, self.columns, transform, self.system)

    def serving(self, scaling: Scaling | None = None, **options: Any) -> Self:
        """Copy the data module with the same rows and other options of batches.

        Args:
            scaling: Standardizes them; None fits one on the training rows.
            options: ``transform``, ``batch_size``, ``members``, ``batch_seed``, ``steps_per_call`` of the class.

        Raises:
            InputError: A batch is larger than the data.
        """
        self.setup()
        other = copy(self)
        vars(other).update(options)
        other._scaling = scaling
        other.trainer = None
        other._check_batch_size()
        return other

    @property
    def rows_per_epoch(self) -> int:
        """Number of training rows between two validations."""
        return self.config.simulated.epoch if self._redraws else len(self.train)

    @property
    def _redraws(self) -> bool:
        self.setup()
        return self.source is not None and self.config.simulated.redraw

    def training_and_validation(self) -> Rows:
        """Training and validation rows together, for models that choose nothing on the latter."""
        return together(self.train, self.val)

    def scaled(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Standardized observations (N, G) and recipes (N, V), float32, where the trainer computes."""
        device = self._device
        return self.scaling(rows.x).to(device), self.scaling.targets(rows.y).to(device)

    def train_dataloader(self) -> Batches | Blocks:
        """Shuffled batches of the training rows, or of random recipes with noise of their own."""
        self._check_batch_size()
        common: dict[str, Any] = {"seed": self.batch_seed, "repeat": self._overfits, "shard": self._shard}
        if self._redraws:
            assert self.source is not None
            count, device = self.rows_per_epoch // self.batch_size, self._device
            draws = self.source.to(device), self.scaling, self.batch_size, count, self.seeds, self.input_mask()
            batches: Batches = SimulatedBatches(*draws, device=device, **common)
        else:
            rows = self.scaled(self.train)
            batches = TableBatches(*rows, self.batch_size, self.seeds, self.input_mask(), **common)
        return Blocks(batches, self.steps_per_call) if self.steps_per_call > 1 else batches

    def val_dataloader(self) -> Batches:
        """The validation rows in their order; what is left out of each is the same every time."""
        return self._in_order(self.val)

    def test_dataloader(self) -> Batches:
        """The test rows in their order."""
        return self._in_order(self.test)

    def predict_dataloader(self) -> Observed:
        """The observations of the test rows in their order, (B, G)."""
        return Observed(self._in_order(self.test))

    def _in_order(self, rows: Rows) -> Batches:
        return TableBatches(*self.scaled(rows), ROWS_AT_ONCE, mask=self.input_mask(), shuffle=False)

    def input_mask(self) -> InputMask | None:
        """Mask that leaves inputs out of the batches; None unless they may be missing."""
        if self.features not in MISSING_INPUTS:
            return None
        patterns, scaling = InputPatterns.of(self.config.patterns, self.system), deepcopy(self.scaling).to(self._device)
        return InputMask(patterns, scaling, asks_stated=self.features == WITH_CHAINS)

    def _check_batch_size(self) -> None:
        if self.batch_size > self.rows_per_epoch:
            raise InputError(
                f"a batch of {self.batch_size} rows is larger than the {self.rows_per_epoch} training rows; "
                "lower batch_size"
            )

    @property
    def _device(self) -> torch.device:
        """Device on which batches are made: that of the trainer, so that none has to be copied there."""
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    @property
    def _shard(self) -> Shard:
        return Shard(self.trainer.global_rank, self.trainer.world_size) if self.trainer else Shard()

    @property
    def _overfits(self) -> bool:
        return bool(getattr(self.trainer, "overfit_batches", 0))


def _rows(table: pd.DataFrame, features: str, system: AnySystem) -> Rows:
    system = load_system(system)
    return rows_of(table, feature_columns(features, system), system)


def _config(kind: type, given: Any) -> Any:
    """A section of `DataConfig` from its options.

    Raises:
        InputError: An option that it does not have.
    """
    if isinstance(given, kind):
        return given
    known = [field.name for field in fields(kind)]
    for name in given or {}:
        if name not in known:
            raise InputError(f"{kind.__name__} has no option {name!r}; known: {', '.join(known)}")
    return replace(kind(), **(given or {}))
