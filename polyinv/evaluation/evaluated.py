"""Evaluated rows: observations, true recipes, and the answers of a model."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from torch import Tensor

from polyinv.models.base import mean_answer


@dataclass(frozen=True)
class Evaluated:
    """Predicted and true recipes of N rows.

    Args:
        subset: Name of the rows, such as ``test``.
        given: What the model was given of them: a feature set, or for a conditional model a pattern of inputs.
        y: True recipes, (N, V).
        predictions: Recipes that each of the R members names, (R, N, V).
        rows: Numbers of the rows in their table, (N,).
        densities: Scores of a posterior model, see `polyinv.evaluation.densities`; empty of any other.
    """

    subset: str
    given: str
    y: Tensor
    predictions: Tensor
    rows: np.ndarray
    densities: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def predicted(self) -> Tensor:
        """Predicted recipes of the model as a whole, (N, V)."""
        return mean_answer(self.predictions)
