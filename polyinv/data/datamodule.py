"""The DataModule: rows in physical units, and the same served as scaled batches."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import lightning.pytorch as L
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.data.features import CONDITIONAL, feature_columns
from polyinv.data.masks import InputPatterns
from polyinv.data.scaling import Scaling
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


def member_generators(seeds: Sequence[int], epoch: int, device: torch.device | str = "cpu") -> list[torch.Generator]:
    """The random numbers of one epoch, a stream for each member of an ensemble.

    They depend on the member's own seed and the epoch only: a member trains as it would alone, and a resumed training
    goes on with the right numbers.
    """
    return [torch.Generator(device=device).manual_seed(seed * 1_000_003 + epoch) for seed in seeds]


class Batches:
    """Standardized batches of in-memory rows; every pass is a new permutation, one for each member of an ensemble.

    The whole table is a few MB: a batch is an index into it, without workers or collation.

    Args:
        x: Standardized observations, (N, G).
        z: Standardized recipes, (N, 4).
        size: Rows in a batch; the last one may be smaller.
        seeds: One for each of R members, whose batches are then (R, size, G) and (R, size, 4); None serves the rows
            in their order as (size, G) and (size, 4).
        mask: Leaves inputs out of each batch; None serves all.
    """

    def __init__(
        self, x: Tensor, z: Tensor, size: int, seeds: Sequence[int] | None = None, mask: "InputMask | None" = None
    ) -> None:
        self.x, self.z, self.size, self.seeds, self.mask, self.epoch = x, z, size, seeds, mask, 0

    def __len__(self) -> int:
        return -(-len(self.x) // self.size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutations of the next pass."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = member_generators((0,) if self.seeds is None else self.seeds, self.epoch)
        if self.seeds is None:
            order = torch.arange(len(self.x))
        else:
            order = torch.stack([torch.randperm(len(self.x), generator=each) for each in generator])
        for rows in order.to(self.x.device).split(self.size, dim=-1):
            batch = self.x[rows], self.z[rows]
            yield batch if self.mask is None else self.mask(*batch, generator)


@dataclass(frozen=True)
class InputMask:
    """Leaves inputs out of batches, by patterns drawn for each row.

    Args:
        masks: The patterns.
        scaling: That of the rows.
    """

    masks: InputPatterns
    scaling: Scaling

    def __call__(self, features: Tensor, z: Tensor, generator: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        """The same batch with inputs missing.

        Args:
            features: What a network sees, (B, width), or (R, B, width) with a stream of random numbers for each member.
            z: Standardized recipes, (B, 4) or (R, B, 4); NaN afterwards where a value is given and not asked for.
            generator: One stream for each of R members, or a single one.
        """
        drawn = [self.masks.draw(z.shape[-2], each) for each in generator]
        present = (drawn[0] if z.ndim == 2 else torch.stack(drawn)).to(z.device)
        known = present[..., -z.shape[-1] :]
        return self.scaling.mask(features, present), z.masked_fill(known, torch.nan)


class RecipeDataModule(L.LightningDataModule):
    """Rows prepared for learning; `from_table` makes them of a table and a split.

    Args:
        features: One of ``polyinv.data.features.FEATURES``.
        train, val, test: `Rows` with the columns of the feature set.
        scaling: Standardizes what the dataloaders serve; by default plain, fitted on the training rows alone.
        batch_size: Rows in a batch of `train_dataloader`.
        seeds: Of its permutations, one for each member of an ensemble, see `Batches`.
        device: Where the rows of the dataloaders lie.
        patterns: Which inputs the dataloaders leave out how often, of the feature set ``conditional``; see
            `polyinv.data.patterns.check_patterns`.

    Attributes:
        columns: Names of the F features, in the order of ``x``.

    Raises:
        InputError: A part has no rows.
    """

    def __init__(
        self,
        features: str,
        train: Rows,
        val: Rows,
        test: Rows,
        *,
        scaling: Scaling | None = None,
        batch_size: int = 32,
        seeds: Sequence[int] | None = (0,),
        device: torch.device | str = "cpu",
        patterns: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        for name, rows in {"train": train, "val": val, "test": test}.items():
            if len(rows) == 0:
                raise InputError(f"the {name} part of the split has no rows")
        self.features, self.columns = features, feature_columns(features)
        self.train, self.val, self.test = train, val, test
        self._scaling = scaling
        self.batch_size, self.seeds, self.device = batch_size, seeds, device
        self.masks = InputPatterns.of(patterns or {}) if features == CONDITIONAL else None

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, features: str, split: Split, patterns: Mapping[str, float] | None = None
    ) -> "RecipeDataModule":
        """The rows of a table with the targets and the columns of the feature set.

        Args:
            table: N rows.
            features: One of ``polyinv.data.features.FEATURES``.
            split: Row numbers of the three parts.
            patterns: See the class.
        """
        return cls(features, *parts(rows_of(table, feature_columns(features)), split), patterns=patterns)

    @property
    def scaling(self) -> Scaling:
        """What standardizes the rows that the dataloaders serve."""
        if self._scaling is None:
            self._scaling = self.fit_scaling()
        return self._scaling

    def fit_scaling(self, transform: str = "plain") -> Scaling:
        """A scaling fitted on the training rows alone."""
        return Scaling.fit(self.train.x, self.train.y, self.columns, transform)

    def serve(
        self, *, scaling: Scaling, batch_size: int, seeds: Sequence[int] | None, device: torch.device | str = "cpu"
    ) -> None:
        """Choose how the dataloaders serve the rows; the arguments are those of the class.

        Raises:
            InputError: A batch is larger than the data.
        """
        if batch_size > self.rows_per_epoch:
            raise InputError(
                f"a batch of {batch_size} rows is larger than the {self.rows_per_epoch} training rows; "
                f"lower model.training.batch_size"
            )
        self._scaling, self.batch_size, self.seeds, self.device = scaling, batch_size, seeds, device

    @property
    def rows_per_epoch(self) -> int:
        """Training rows between two looks at the validation rows."""
        return len(self.train)

    def training_and_validation(self) -> Rows:
        """Training and validation rows together, for models that choose nothing on the latter."""
        both = (self.train, self.val)
        groups = None if self.train.groups is None else np.concatenate([rows.groups for rows in both])
        return Rows(torch.cat([rows.x for rows in both]), torch.cat([rows.y for rows in both]), groups)

    def scaled(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Standardized observations (N, G) and recipes (N, 4), float32."""
        return self.scaling(rows.x).to(self.device), self.scaling.targets(rows.y).to(self.device)

    def train_dataloader(self) -> Batches:
        """Shuffled batches of the training rows."""
        return Batches(*self.scaled(self.train), self.batch_size, self.seeds, self.input_mask())

    def val_dataloader(self) -> Batches:
        """The validation rows as one batch; what is left out of each is the same every time."""
        return Batches(*self.scaled(self.val), len(self.val), mask=self.input_mask())

    def test_dataloader(self) -> Batches:
        """The test rows as one batch."""
        return Batches(*self.scaled(self.test), len(self.test), mask=self.input_mask())

    def input_mask(self) -> InputMask | None:
        """What leaves inputs out of the batches; None with a feature set that is always whole."""
        return None if self.masks is None else InputMask(self.masks, deepcopy(self.scaling).to(self.device))


def parts(rows: Rows, split: Split) -> list[Rows]:
    """Training, validation and test rows of a split."""
    return [
        Rows(rows.x[at], rows.y[at], None if split.groups is None else split.groups[at])
        for at in split.parts().values()
    ]
