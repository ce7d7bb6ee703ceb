"""The DataModule: one table, one feature set, one split, served as physical rows and as scaled batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import lightning.pytorch as L
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.data.features import feature_columns
from polyinv.data.scaling import fit_features, fit_targets
from polyinv.data.splits import Split
from polyinv.errors import InputError
from polyinv.quantities import TARGETS


@dataclass(frozen=True)
class Rows:
    """Rows in physical units, float64.

    Args:
        x: Observations, (N, F).
        y: Recipes, (N, 4).
        groups: Run of each row, (N,), where the split keeps runs together; otherwise None.
    """

    x: Tensor
    y: Tensor
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)


def rows_of(table: pd.DataFrame, columns: Sequence[str]) -> Rows:
    """All rows of a table, with the given columns as observations."""
    # pandas hands out read-only arrays
    x, y = (torch.from_numpy(table[list(names)].to_numpy(dtype=float, copy=True)) for names in (columns, TARGETS))
    return Rows(x, y)


class Batches:
    """Standardized batches of in-memory rows; every pass is a new permutation, fixed by seed and epoch.

    The whole table is a few MB: a batch is an index into it, without workers or collation.

    Args:
        x: Standardized observations, (N, F).
        z: Standardized recipes, (N, 4).
        size: Rows in a batch; the last one may be smaller.
        seed: Of the permutations; None keeps the order.
    """

    def __init__(self, x: Tensor, z: Tensor, size: int, seed: int | None = None) -> None:
        self.x, self.z, self.size, self.seed, self.epoch = x, z, size, seed, 0

    def __len__(self) -> int:
        return -(-len(self.x) // self.size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of the next pass, so that a resumed training goes on with the right one."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.seed is None:
            order = torch.arange(len(self.x))
        else:
            random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = torch.randperm(len(self.x), generator=random)
        for rows in order.split(self.size):
            yield self.x[rows], self.z[rows]


class RecipeData(L.LightningDataModule):
    """A table prepared for learning.

    Args:
        table: Rows with the targets and the columns of the feature set.
        features: One of ``polyinv.data.features.FEATURES``.
        split: Row numbers of the three parts.
        batch_size: Rows in a batch of `train_dataloader`.
        seed: Of its permutations.

    Attributes:
        columns: Names of the F features, in the order of ``x``.
        train, val, test: `Rows` in physical units.
        x_scaling, y_scaling: `Standardize` modules fitted on the training rows alone.
    """

    def __init__(
        self, table: pd.DataFrame, features: str, split: Split, *, batch_size: int = 32, seed: int = 0
    ) -> None:
        super().__init__()
        self.batch_size, self.seed = batch_size, seed
        self.features, self.columns, self.split = features, feature_columns(features), split
        for name, rows in split.parts().items():
            if len(rows) == 0:
                raise InputError(f"the {name} part of the split has no rows")
        every = rows_of(table, self.columns)

        def part(rows: np.ndarray) -> Rows:
            return Rows(every.x[rows], every.y[rows], None if split.groups is None else split.groups[rows])

        self.train, self.val, self.test = part(split.train), part(split.val), part(split.test)
        self.x_scaling = fit_features(self.train.x, self.columns)
        self.y_scaling = fit_targets(self.train.y)

    def training_and_validation(self) -> Rows:
        """Training and validation rows together, for models that choose nothing on the latter."""
        both = (self.train, self.val)
        groups = None if self.train.groups is None else np.concatenate([rows.groups for rows in both])
        return Rows(torch.cat([rows.x for rows in both]), torch.cat([rows.y for rows in both]), groups)

    def scaled(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Standardized observations (N, F) and recipes (N, 4), float32."""
        return self.x_scaling(rows.x).float(), self.y_scaling(rows.y).float()

    def batches(self, rows: Rows, size: int | None = None, seed: int | None = None) -> Batches:
        """Standardized batches of rows; without a size one batch, without a seed in their order."""
        return Batches(*self.scaled(rows), size or len(rows), seed)

    def train_dataloader(self) -> Batches:
        """Shuffled batches of the training rows."""
        return self.batches(self.train, self.batch_size, self.seed)

    def val_dataloader(self) -> Batches:
        """The validation rows as one batch."""
        return self.batches(self.val)

    def test_dataloader(self) -> Batches:
        """The test rows as one batch."""
        return self.batches(self.test)
