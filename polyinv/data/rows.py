"""Training rows in physical units, for models that learn from a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import DEFAULT, AnySystem, load_system
from polyinv.data.features import errors_of
from polyinv.data.observations import Observations
from polyinv.data.splits import Split
from polyinv.quantities import CHAINS


@dataclass(frozen=True)
class Rows:
    """Observations and recipes in physical units, float64.

    Args:
        x: Observations, (N, F).
        y: Recipes, (N, V).
        groups: Reaction that each row is a snapshot of, (N,), where the split keeps reactions together; otherwise None.
    """

    x: Tensor
    y: Tensor
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)


def rows_of(table: pd.DataFrame, columns: Sequence[str], system: AnySystem = DEFAULT) -> Rows:
    """Convert all rows of a table, with the given columns as observations and the recipes of the system.

    Errors that the table does not state are those of a simulation: none.
    """
    system = load_system(system)
    # pandas hands out read-only arrays
    y = torch.from_numpy(table[list(system.targets)].to_numpy(dtype=float, copy=True))
    if set(columns) & {*errors_of(system), CHAINS}:
        return Rows(Observations.from_table(table, system).x(columns), y)
    return Rows(torch.from_numpy(table[list(columns)].to_numpy(dtype=float, copy=True)), y)


def together(*parts: Rows) -> Rows:
    """Concatenate the rows of several parts."""
    grouped = all(part.groups is not None for part in parts)
    groups = np.concatenate([part.groups for part in parts]) if grouped else None
    return Rows(torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts]), groups)


def parts_of(rows: Rows, split: Split) -> list[Rows]:
    """Training, validation and test rows of a split."""
    return [
        Rows(rows.x[at], rows.y[at], None if split.groups is None else split.groups[at])
        for at in split.parts().values()
    ]
