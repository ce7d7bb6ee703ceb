"""Standardization fitted on training rows, with a guard against features that are almost empty.

The far tails of the MMD are populated by a handful of chains in a handful of rows. Standardized, such a column is
zero nearly everywhere and up to 70 standard deviations in the rows that populate it, and networks then fail
erratically.
"""

import logging
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from polyinv.chemistry import DEFAULT, AnySystem, load_system
from polyinv.data.features import input_of_error, is_conditional
from polyinv.data.masks import given_inputs
from polyinv.data.transforms import Transform
from polyinv.errors import InputError
from polyinv.instrument.errors import SUFFIX
from polyinv.quantities import MMD

NEAR_CONSTANT = 1e-3
"""A node of the curve is dropped if its standard deviation is below this share of the largest one on the curve."""
LIMIT = 6.0
"""Standardized features are clipped to ±LIMIT."""

log = logging.getLogger(__name__)


class Standardize(nn.Module):
    """Shift and scale columns to mean 0 and standard deviation 1; dropped columns become 0.

    Buffers: ``mean``, ``std``, ``kept`` (0 or 1) of shape (F,), and the scalar ``limit``.
    """

    mean: Tensor
    std: Tensor
    kept: Tensor
    limit: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("std", torch.ones(width, dtype=torch.float64))
        self.register_buffer("kept", torch.ones(width, dtype=torch.float64))
        self.register_buffer("limit", torch.tensor(torch.inf, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Physical values (*, F) to standardized ones."""
        z = (x - self.mean) / self.std * self.kept
        return z.clamp(-self.limit, self.limit)

    def inverse(self, z: Tensor) -> Tensor:
        """Standardized values (*, F) to physical ones, in float64."""
        return z.double() * self.std + self.mean


class Scaling(nn.Module):
    """Scaling from physical rows to what a network learns from, and back.

    Columns of which any may be missing (the feature set ``conditional``, which has the recipe among them) become G
    features and, behind them, one number for each of the inputs of the system: 1 where it is given, 0
    where it is missing, and with it all of its features and those of its errors.

    Args:
        columns: Names of the F columns of an observation.
        transform: One of `polyinv.data.transforms.TRANSFORMS`.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Attributes:
        transform: From columns to G features.
        x, y: `Standardize` modules of the features and of the targets.
        conditional: Whether columns may be missing.
        tells_errors: Whether errors are among them.
        width: Numbers that a network sees, G or, with I inputs, G + I.
    """

    _input: Tensor

    def __init__(self, columns: Sequence[str], transform: str = "plain", system: AnySystem = DEFAULT) -> None:
        super().__init__()
        self.system = load_system(system)
        targets, inputs = self.system.targets, self.system.inputs
        self.transform = Transform(transform, columns, self.system)
        self.x, self.y = Standardize(len(self.transform.names)), Standardize(len(targets))
        self.conditional = is_conditional(columns, self.system)
        self.tells_errors = any(column.endswith(SUFFIX) for column in columns)
        self.width = len(self.transform.names) + (len(inputs) if self.conditional else 0)
        if self.conditional:
            owner = {column: at for at, names in enumerate(inputs.values()) for column in names}
            for column in columns[len(self.system.columns) :]:  # errors go with what they are of
                of = input_of_error(column, self.system)
                owner[column] = len(inputs) if of is None else list(inputs).index(of)
            places = torch.tensor([owner[column] for column in self.transform.columns])
            self.register_buffer("_input", places, persistent=False)  # of each feature
            self._columns = list(columns)
            self._recipe = [self._columns.index(name) for name in targets]

    @classmethod
    def fit(
        cls, x: Tensor, y: Tensor, columns: Sequence[str], transform: str = "plain", system: AnySystem = DEFAULT
    ) -> Self:
        """Fit the scaling of observations x (N, F) and recipes y (N, V).

        Raises:
            InputError: No column varies.
        """
        scaling = cls(columns, transform, system)
        scaling.x = fit_features(scaling.transform(x), scaling.transform.names, scaling.transform.curve)
        scaling.y = fit_targets(y)
        return scaling

    def forward(self, x: Tensor) -> Tensor:
        """Observations (*, F) in physical units to what a network sees (*, width), float32; NaN is what is missing."""
        z = self.x(self.transform(x)).float()
        if not self.conditional:
            return z
        present = given_inputs(x, self._columns, self.system)
        return self.mask(torch.cat([z, torch.ones_like(present, dtype=z.dtype)], dim=-1), present)

    def mask(self, features: Tensor, present: Tensor) -> Tensor:
        """Mask the features of a network (*, width) by the patterns of the rows (*, I)."""
        always = torch.ones_like(present[..., :1])
        given = torch.cat([torch.cat([present, always], dim=-1)[..., self._input], present], dim=-1)
        return torch.where(given, features, 0.0)

    def given(self, x: Tensor) -> Tensor:
        """Values of the recipe (*, V) among the columns of observations (*, F), NaN where they are not given."""
        return (
            x[..., self._recipe]
            if self.conditional
            else x.new_full((*x.shape[:-1], len(self.system.targets)), torch.nan)
        )

    def targets(self, y: Tensor) -> Tensor:
        """Recipes (*, V) in physical units to standardized ones, float32."""
        return self.y(y).float()


def fit_targets(y: Tensor) -> Standardize:
    """Fit a one-to-one scaling of recipes (N, V). A value that never varies keeps its unit."""
    scaling = Standardize(y.shape[-1])
    scaling.mean = y.mean(0)
    std = y.std(0, correction=0)
    scaling.std = torch.where(std > 0, std, 1.0)
    return scaling


def fit_features(x: Tensor, names: Sequence[str], curve: Sequence[int]) -> Standardize:
    """Fit a scaling of features (N, G) that drops near-constant ones and clips, and says so in the log.

    Args:
        x: The features.
        names: What they are called.
        curve: Numbers of those that are nodes of the curve; they are compared with one another.

    Raises:
        InputError: No column varies.
    """
    scaling = Standardize(x.shape[-1])
    scaling.mean, std = x.mean(0), x.std(0, correction=0)
    floor = 1e-12 * scaling.mean.abs()
    if curve:
        nodes = list(curve)
        floor[nodes] = floor[nodes].clamp(min=NEAR_CONSTANT * std[nodes].max().item())
    kept = std > floor
    if not kept.any():
        raise InputError(f"none of the {len(names)} features varies over the {len(x)} training rows")
    scaling.kept, scaling.std = kept.double(), torch.where(kept, std, 1.0)
    clipped = ((x - scaling.mean) / scaling.std * scaling.kept).abs() > LIMIT
    scaling.limit = torch.tensor(LIMIT, dtype=torch.float64)
    log.info(
        "%d of %d features are near-constant on the training rows and dropped%s; %.3f %% of values clipped to ±%g",
        int((~kept).sum()),
        len(names),
        _named([name for name, keep in zip(names, kept.tolist(), strict=True) if not keep]),
        100 * clipped.double().mean().item(),
        LIMIT,
    )
    return scaling


def _named(names: list[str]) -> str:
    """Names in brackets, runs along the curve by their ends.

    Example:
        >>> _named(["Mn", "√MMD1", "√MMD2", "√MMD3", "√MMD90"])
        ' (Mn, √MMD1–√MMD3, √MMD90)'
    """
    runs: list[list[str]] = []
    for name in names:
        node = name.removeprefix("√")
        before = f"MMD{MMD.index(node)}" if node in MMD else None
        if runs and runs[-1][-1].removeprefix("√") == before:
            runs[-1].append(name)
        else:
            runs.append([name])
    return f" ({', '.join(run[0] if len(run) == 1 else f'{run[0]}–{run[-1]}' for run in runs)})" if runs else ""
