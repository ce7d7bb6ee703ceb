"""Observations: measured inputs of polymers and known values of their recipes, the one type that a file becomes.

A file has any selection of columns, with missing cells. It becomes `Observations` once, at the door; from then on a
quantity is an attribute and a missing value NaN, and only a model is handed columns again, those it was fitted on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.data.patterns import INPUTS, inputs_of, name_of
from polyinv.data.stated import stated_errors
from polyinv.data.workbook import check_physical
from polyinv.errors import InputError, unknown
from polyinv.instrument.errors import SUFFIX, error_columns
from polyinv.quantities import COLUMNS, MMD, N_NODES, RECIPE, SCALARS, TARGETS

WIDTHS: dict[str, tuple[int, ...]] = {"recipe": (len(TARGETS),), "cBA_time": (), "Mn": (), "Mw": (), "mmd": (N_NODES,)}
"""The quantities of an observation and the shape of each."""
ERRORS = error_columns(RECIPE, SCALARS[0])
"""Columns that state errors, with the name of the error in `polyinv.instrument.errors.MeasurementErrors` of each."""
_ERROR_COLUMNS = {column.removesuffix(SUFFIX): column for column in ERRORS}
SAME = 1e-9
"""Relative difference up to which two statements of a value are the same."""
CHECKED = 4096
"""Rows that are checked at once."""
_MISSING: Any = None
_PLACES = {column: place for place, column in enumerate(COLUMNS)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Observations:
    """B observations in physical units, float64 and detached; NaN is what is missing, and so is what is not given.

    Args:
        recipe: Known values of the recipe, (B, 4), in the order of `polyinv.quantities.TARGETS`.
        cBA_time: Residual monomer in mol/L, (B,).
        Mn, Mw: Mean molar masses in g/mol, (B,) each.
        mmd: Molar mass distribution on the nodes of `polyinv.mmd`, (B, 100); NaN where a node was not measured.
        errors: What is stated of the errors, (B,) each and NaN where nothing is, by the column of ``ERRORS`` that
            states it, without its ending: ``temp`` is the standard deviation of ``temp`` in its unit,
            ``sec_broadening`` that of the instrument. They are carried along; nothing uses them yet.
        labels: What each row is called in messages and answers; 1 to B where nothing else is said.

    Raises:
        InputError: Nothing is given, or shapes do not fit.

    Example:
        >>> observations = Observations(Mn=[20_000.0, 30_000.0], Mw=[40_000.0, 60_000.0])
        >>> observations.with_known({"temp": 70.0}).patterns()
        ['means+temp', 'means+temp']
    """

    recipe: Tensor = _MISSING
    cBA_time: Tensor = _MISSING
    Mn: Tensor = _MISSING
    Mw: Tensor = _MISSING
    mmd: Tensor = _MISSING
    errors: Mapping[str, Tensor] = field(default_factory=dict)
    labels: pd.Index = _MISSING

    def __post_init__(self) -> None:
        given = {name: _numbers(getattr(self, name)) for name in WIDTHS if getattr(self, name) is not None}
        if not given:
            raise InputError(f"observations of nothing; needs one of {', '.join(WIDTHS)}")
        like = next(iter(given.values()))
        count = len(like) if like.ndim else 0
        for name, width in WIDTHS.items():
            values = given.get(name, like.new_full((count, *width), torch.nan))
            _check_shape(name, values, (count, *width))
            object.__setattr__(self, name, values)
        object.__setattr__(self, "errors", {name: _numbers(sd) for name, sd in self.errors.items()})
        for name, sd in self.errors.items():
            if name not in _ERROR_COLUMNS:
                raise unknown("value with an error", name, _ERROR_COLUMNS)
            _check_shape(f"error of {name}", sd, (count,))
        labels = pd.RangeIndex(1, count + 1) if self.labels is None else pd.Index(self.labels)
        if len(labels) != count:
            raise InputError(f"{count} observations need as many labels, got {len(labels)}")
        object.__setattr__(self, "labels", labels)

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """Make observations of the rows of a table, labelled by its index.

        The numbers are taken as they stand; `polyinv.data.workbook.observations_of` checks a table first.

        Args:
            table: Any of the columns `polyinv.quantities.COLUMNS` and ``ERRORS``; others are left aside.

        Raises:
            InputError: An error is stated that is no positive number.
        """
        errors = {name.removesuffix(SUFFIX): sd.to_numpy() for name, sd in stated_errors(table, ERRORS).items()}
        return cls._of(_numbers(table.reindex(columns=list(COLUMNS))), labels=table.index, errors=errors)

    @classmethod
    def from_tensor(cls, x: Tensor, columns: Sequence[str]) -> Self:
        """Observations (B, F) with named columns, of `polyinv.quantities.COLUMNS`; the inverse of `x`.

        Raises:
            InputError: The shape does not fit the names, or one is unknown.
        """
        if x.ndim != 2 or x.shape[1] != len(columns):
            raise InputError(
                f"observations of {len(columns)} columns need the shape (B, {len(columns)}), got {(*x.shape,)}"
            )
        values = x.new_full((len(x), len(COLUMNS)), torch.nan, dtype=torch.float64)
        values[:, _places(columns)] = x.detach().double()
        return cls._of(values)

    @classmethod
    def _of(cls, values: Tensor, **rest: Any) -> Self:
        """From all columns, (B, 107)."""
        recipe, scalars, mmd = values.split([len(TARGETS), len(SCALARS), len(MMD)], dim=1)
        return cls(recipe=recipe, **dict(zip(SCALARS, scalars.unbind(1), strict=True)), mmd=mmd, **rest)

    def _values(self) -> Tensor:
        """All columns, (B, 107)."""
        scalars = torch.stack([getattr(self, name) for name in SCALARS], dim=1)
        return torch.cat([self.recipe, scalars, self.mmd], dim=1)

    def _with(self, values: Tensor) -> Self:
        return self._of(values, errors=self.errors, labels=self.labels)

    def _with_errors(self, errors: Mapping[str, float]) -> Self:
        stated = {name: self.recipe.new_full((len(self),), sd) for name, sd in errors.items()}
        return replace(self, errors={**self.errors, **stated}) if stated else self

    def __len__(self) -> int:
        return len(self.recipe)

    def __getitem__(self, rows: Tensor | np.ndarray | Sequence[int] | slice | int) -> Self:
        """Some of the rows, by number or by a mask; a single number gives a single row."""
        chosen = torch.arange(len(self))[rows].reshape(-1)
        return self._mapped(lambda tensor: tensor[chosen.to(tensor.device)], self.labels[chosen.numpy()])

    def to(self, device: torch.device | str) -> Self:
        """Copy the observations to another device."""
        return self._mapped(lambda tensor: tensor.to(device), self.labels)

    def _mapped(self, function: Callable[[Tensor], Tensor], labels: pd.Index) -> Self:
        parts = {name: function(getattr(self, name)) for name in WIDTHS}
        errors = {name: function(sd) for name, sd in self.errors.items()}
        return type(self)(**parts, errors=errors, labels=labels)

    def x(self, columns: Sequence[str]) -> Tensor:
        """Features (B, F) of a model that was fitted on these columns.

        Raises:
            InputError: A column is unknown.
        """
        return self._values()[:, _places(columns)]

    def to_table(self) -> pd.DataFrame:
        """Convert to a table, indexed by the labels: `polyinv.quantities.COLUMNS`, and what is stated of the errors."""
        values = torch.cat([self._values(), *(sd[:, None] for sd in self.errors.values())], dim=1)
        columns = [*COLUMNS, *(_ERROR_COLUMNS[name] for name in self.errors)]
        return pd.DataFrame(values.cpu().numpy(), self.labels, columns)

    @property
    def present(self) -> Tensor:
        """Which of `polyinv.data.patterns.INPUTS` are given whole, (B, 7): half a curve says nothing."""
        starts = range(0, max(1, len(self)), CHECKED)
        return torch.cat([_given_whole(self[start : start + CHECKED]._values()) for start in starts])

    def patterns(self) -> list[str]:
        """The pattern of each row, such as ``mmd+temp``; empty where nothing is given whole."""
        return [
            name_of([name for name, given in zip(INPUTS, row, strict=True) if given]) for row in self.present.tolist()
        ]

    def masked(self, pattern: str) -> Self:
        """Leave out every input that a pattern does not give.

        Raises:
            InputError: The pattern cannot be, see `polyinv.data.patterns.inputs_of`.
        """
        given = inputs_of(pattern)
        return self.forgetting([name for name in INPUTS if name not in given])

    def forgetting(self, inputs: Iterable[str]) -> Self:
        """Leave out some of `polyinv.data.patterns.INPUTS`, such as values of the recipe.

        Raises:
            InputError: One is unknown.
        """
        inputs = list(inputs)
        if not inputs:
            return self
        values = self._values()
        for name in inputs:
            if name not in INPUTS:
                raise unknown("input", name, INPUTS)
            values[:, _places(INPUTS[name])] = torch.nan
        return self._with(values)

    def with_known(self, known: Mapping[str, float], errors: Mapping[str, float] = MappingProxyType({})) -> Self:
        """Add known values that hold for every row: of the recipe, residual monomer, Mn or Mw.

        Args:
            known: The values by name.
            errors: Standard deviations that are stated of some of them; a row's own gives way.

        Raises:
            InputError: A row has another value, or no polymer could have it.
        """
        values = self._values() if known else None
        for name, value in known.items():
            assert values is not None
            (place,) = _places([name])
            other = (values[:, place] - value).abs() > SAME * abs(value)  # not where it is NaN
            if other.any():
                row = int(other.nonzero()[0])
                raise InputError(
                    f"row {self.labels[row]} has {name} {values[row, place]:g}, but --known says {value:g}; "
                    "leave out one"
                )
            values[:, place] = value
        filled = self if values is None else self._with(values)
        filled = filled._with_errors(errors)
        for start in range(0, len(filled), CHECKED):
            check_physical(filled[start : start + CHECKED].to_table(), "with what is known")
        return filled


def _given_whole(values: Tensor) -> Tensor:
    return torch.stack([~values[:, _places(columns)].isnan().any(-1) for columns in INPUTS.values()], dim=-1)


def _numbers(values: Any) -> Tensor:
    if not isinstance(values, Tensor):
        values = torch.from_numpy(np.array(values, dtype=float))  # a copy: pandas hands out read-only arrays
    return values.detach().double()


def _check_shape(name: str, values: Tensor, expected: tuple[int, ...]) -> None:
    if values.shape != expected:
        raise InputError(f"{name} of {expected[0]} observations needs the shape {expected}, got {(*values.shape,)}")


def _places(columns: Sequence[str]) -> list[int]:
    strange = [column for column in columns if column not in _PLACES]
    if strange:
        raise InputError(f"no column {strange[0]!r}; known: {', '.join((*TARGETS, *SCALARS))}, MMD1 … MMD100")
    return [_PLACES[column] for column in columns]
