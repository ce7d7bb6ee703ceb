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

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.features import errors_of
from polyinv.data.patterns import inputs_of, name_of
from polyinv.data.stated import stated_errors
from polyinv.data.table_checks import check_physical
from polyinv.errors import InputError, unknown
from polyinv.instrument.errors import (
    LEAST,
    LEVELS,
    OF_CONVERSION,
    OF_CURVE,
    RELATIVE,
    SUFFIX,
    TRAINED,
    MeasurementErrors,
    error_columns,
    measurement_errors,
)
from polyinv.mmd import BIN_EDGES
from polyinv.quantities import CHAINS, MMD, N_NODES

QUANTITIES = ("recipe", "residual_monomer", "Mn", "Mw", "mmd")
SAME = 1e-9
"""Relative difference up to which two statements of a value are the same."""
CHECKED = 4096
"""Rows that are checked at once."""
EXACT = 2.0
"""Times `polyinv.instrument.errors.LEAST` that an error is up to where it is none."""
MATTERING = ("broadening", "offset", "slope", "drift", "noise", "molar_mass")
"""Errors of the instrument that change a curve or its means."""
CUT = 0.005
"""Share of the peak from which on the end of an exact curve is one that was cut off."""
NOTHING = 1e-6
"""Residual monomer, in its unit, that counts as none: an error relative to less would be none."""
ENDS = ("lower_limit", "cut_low", "cut_high")
"""Errors that a curve itself tells."""
Assumed = MeasurementErrors | Mapping[str, Any] | str | None
"""Errors as `polyinv.instrument.errors.measurement_errors` takes them; None are none."""
_MISSING: Any = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Observations:
    """B observations in physical units, float64 and detached; NaN is what is missing, and so is what is not given.

    Args:
        recipe: Known values of the recipe, (B, V), in the order of `System.targets`.
        residual_monomer: In mol/L, (B,).
        Mn, Mw: Mean molar masses in g/mol, (B,) each.
        mmd: Molar mass distribution on the nodes of `polyinv.mmd`, (B, 100); NaN where a node was not measured.
        errors: What is stated of the errors, (B,) each and NaN where nothing is, by the column of
            `polyinv.instrument.errors.error_columns` that states it, without its ending: ``temp`` is the standard
            deviation of ``temp`` in its unit, ``sec_broadening`` that of the instrument.
        assumed: Errors that are taken where none are stated: one of `polyinv.instrument.errors.LEVELS`, or others. None
            takes none, as of a simulation; `polyinv.Predictor.predict` then takes those of an ordinary laboratory.
        chains: Dead chains that a simulated sample holds, (B,): its noise. NaN of a polymer that was made.
        labels: What each row is called in messages and answers; 1 to B where nothing else is said.
        system: What is polymerized; given as `polyinv.chemistry.load_system` takes it, butyl acrylate by default.

    Raises:
        InputError: Nothing is given, or shapes do not fit.

    Example:
        >>> observations = Observations(Mn=[20_000.0, 30_000.0], Mw=[40_000.0, 60_000.0])
        >>> observations.with_known({"temp": 70.0}).patterns()
        ['means+temp', 'means+temp']
    """

    recipe: Tensor = _MISSING
    residual_monomer: Tensor = _MISSING
    Mn: Tensor = _MISSING
    Mw: Tensor = _MISSING
    mmd: Tensor = _MISSING
    errors: Mapping[str, Tensor] = field(default_factory=dict)
    assumed: MeasurementErrors | None = None
    chains: Tensor = _MISSING
    labels: pd.Index = _MISSING
    system: System = _MISSING

    def __post_init__(self) -> None:
        object.__setattr__(self, "system", load_system(DEFAULT if self.system is None else self.system))
        if self.assumed is not None and not isinstance(self.assumed, MeasurementErrors):
            object.__setattr__(self, "assumed", measurement_errors(self.assumed))
        given = {name: _numbers(getattr(self, name)) for name in QUANTITIES if getattr(self, name) is not None}
        if not given:
            raise InputError(f"observations of nothing; needs one of {', '.join(QUANTITIES)}")
        like = next(iter(given.values()))
        count = len(like) if like.ndim else 0
        widths: dict[str, tuple[int, ...]] = {"recipe": (len(self.system.targets),), "mmd": (N_NODES,)}
        for name in QUANTITIES:
            width = widths.get(name, ())
            values = given.get(name, like.new_full((count, *width), torch.nan))
            _check_shape(name, values, (count, *width))
            object.__setattr__(self, name, values)
        chains = like.new_full((count,), torch.nan) if self.chains is None else _numbers(self.chains)
        _check_shape(CHAINS, chains, (count,))
        object.__setattr__(self, "chains", chains)
        object.__setattr__(self, "errors", {name: _numbers(sd) for name, sd in self.errors.items()})
        for name, sd in self.errors.items():
            if name not in (known := _error_columns(self.system)):
                raise unknown("value with an error", name, known)
            _check_shape(f"error of {name}", sd, (count,))
        labels = pd.RangeIndex(1, count + 1) if self.labels is None else pd.Index(self.labels)
        if len(labels) != count:
            raise InputError(f"{count} observations need as many labels, got {len(labels)}")
        object.__setattr__(self, "labels", labels)

    @classmethod
    def from_table(cls, table: pd.DataFrame, system: AnySystem = DEFAULT, assumed: Assumed = None) -> Self:
        """Make observations of the rows of a table, labelled by its index.

        The numbers are taken as they stand; `polyinv.data.workbook.observations_of` checks a table first.

        Args:
            table: Any of the columns of the system and of those that state errors; others are left aside.
            system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
            assumed: Errors that are taken where none are stated.

        Raises:
            InputError: An error or a number of chains is stated that is no positive number.
        """
        system = load_system(system)
        stated = stated_errors(table, error_columns(system.recipe, system.residual))
        errors = {name.removesuffix(SUFFIX): sd.to_numpy() for name, sd in stated.items()}
        values = _numbers(table.reindex(columns=list(system.columns)))
        chains = stated_errors(table, {CHAINS: CHAINS})
        told = chains[CHAINS].to_numpy() if CHAINS in chains else None
        return cls._of(values, system, labels=table.index, errors=errors, assumed=assumed, chains=told)

    @classmethod
    def from_tensor(
        cls, x: Tensor, columns: Sequence[str], system: AnySystem = DEFAULT, assumed: Assumed = None
    ) -> Self:
        """Observations (B, F) with named columns of the system, those of errors among them; the inverse of `x`.

        Raises:
            InputError: The shape does not fit the names, or one is unknown.
        """
        if x.ndim != 2 or x.shape[1] != len(columns):
            raise InputError(
                f"observations of {len(columns)} columns need the shape (B, {len(columns)}), got {(*x.shape,)}"
            )
        system, x = load_system(system), x.detach().double()
        stated = {column: name for name, column in _error_columns(system).items()}
        errors = {stated[column]: x[:, at] for at, column in enumerate(columns) if column in stated}
        chains = x[:, list(columns).index(CHAINS)] if CHAINS in columns else None
        at = [at for at, column in enumerate(columns) if column not in stated and column != CHAINS]
        values = x.new_full((len(x), len(system.columns)), torch.nan)
        values[:, _places([columns[place] for place in at], system)] = x[:, at]
        return cls._of(values, system, errors=errors, assumed=assumed, chains=chains)

    @classmethod
    def _of(cls, values: Tensor, system: System, **rest: Any) -> Self:
        """From all columns of a system, (B, C)."""
        recipe, scalars, mmd = values.split([len(system.targets), len(system.scalars), len(MMD)], dim=1)
        residual_monomer, Mn, Mw = scalars.unbind(1)
        return cls(recipe=recipe, residual_monomer=residual_monomer, Mn=Mn, Mw=Mw, mmd=mmd, system=system, **rest)

    @property
    def scalars(self) -> Tensor:
        """Residual monomer, Mn and Mw, (B, 3)."""
        return torch.stack([self.residual_monomer, self.Mn, self.Mw], dim=1)

    def _values(self) -> Tensor:
        """All columns of the system, (B, C)."""
        return torch.cat([self.recipe, self.scalars, self.mmd], dim=1)

    def _with(self, values: Tensor) -> Self:
        rest = {"errors": self.errors, "labels": self.labels, "assumed": self.assumed, "chains": self.chains}
        return self._of(values, self.system, **rest)

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
        parts = {name: function(getattr(self, name)) for name in (*QUANTITIES, CHAINS)}
        errors = {name: function(sd) for name, sd in self.errors.items()}
        return type(self)(**parts, errors=errors, labels=labels, system=self.system, assumed=self.assumed)

    def x(self, columns: Sequence[str]) -> Tensor:
        """Features (B, F) of a model that was fitted on these columns; errors that are not stated are the assumed ones.

        Raises:
            InputError: A column is unknown.
        """
        besides = [name for name in columns if name in errors_of(self.system) or name == CHAINS]
        if not besides:
            return self._values()[:, _places(columns, self.system)]
        measured = [name for name in columns if name not in besides]
        values = self._values()[:, _places(measured, self.system)]
        by_name = dict(zip(measured, values.unbind(1), strict=True)) | self.error_columns() | {CHAINS: self.chains}
        return torch.stack([by_name[name] for name in columns], dim=1)

    def error_columns(self) -> dict[str, Tensor]:
        """Errors of each row (B,) by column, in its unit: as stated, or assumed; NaN of what is missing.

        None is smaller than what is as good as exact (`polyinv.instrument.errors.LEAST`). What lies beyond the ends of
        a curve was cut off at the height that the curve has there.
        """
        stated = {column: self.errors.get(name) for name, column in _error_columns(self.system).items()}
        scalars = [*self.system.targets, *self.system.scalars]
        values = {f"{name}{SUFFIX}": each for name, each in zip(scalars, self._values().unbind(1), strict=False)}
        found = {}
        for column, error in errors_of(self.system).items():
            scale = values[column] if error in RELATIVE else torch.ones_like(self.Mn)
            seen = self._of_curve(error)
            usual = torch.full_like(scale, getattr(self._usual, error))
            usual = (usual if seen is None else seen.where(~seen.isnan(), usual)) * scale
            given = stated[column]
            # Who says how well the residual monomer is known means all of it, and likewise of the conversion.
            other = {"conversion": stated[self.system.residual + SUFFIX], "residual": stated[OF_CONVERSION]}.get(error)
            if other is not None:
                usual = usual.where(other.isnan(), 0.0)
            sd = usual if given is None else given.where(~given.isnan(), usual)
            found[column] = sd.maximum(LEAST[error] * scale.clamp(min=NOTHING))
        return found | self._as_learned(found)

    def _as_learned(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """Errors of the residual monomer larger than models learn as such, told as what of them is the conversion's."""
        residual = self.system.residual + SUFFIX
        whole, most = found[residual], TRAINED.residual * self.residual_monomer
        monomer, quantity = self.recipe[:, 0], self.system.recipe[0]
        charged = monomer.where(~monomer.isnan(), (quantity.low * quantity.high) ** 0.5)
        beyond = (whole.square() - most.square()).clamp(min=0).sqrt() / charged
        return {
            residual: whole.where(~(whole > most), most.clamp(min=NOTHING)),
            OF_CONVERSION: found[OF_CONVERSION].where(~(beyond > found[OF_CONVERSION]), beyond),
        }

    @property
    def _usual(self) -> MeasurementErrors:
        return LEVELS["exact"] if self.assumed is None else self.assumed

    def instrument_errors(self) -> dict[str, Tensor]:
        """Errors of the instrument (B,), by their names in `polyinv.instrument.errors.MeasurementErrors`."""
        columns = self.error_columns()
        found = {name: columns[column] for name, column in OF_CURVE.items()}
        usual = torch.full_like(self.Mn, max(self._usual.molar_mass, LEAST["molar_mass"]))
        of_mean = columns["Mn" + SUFFIX] / self.Mn
        return found | {"molar_mass": of_mean.where(~of_mean.isnan(), usual)}

    @property
    def has_exact_curves(self) -> bool:
        """Whether the instrument has no error in any row that is worth a word, as in a simulation."""
        errors = self.instrument_errors()
        return all(bool((errors[name] <= EXACT * LEAST[name]).all()) for name in MATTERING)

    @property
    def exact(self) -> Tensor:
        """Whether nothing that is given has an error that is worth a word, (B,)."""
        errors = self.error_columns()
        values = dict(zip(self.system.columns, self._values().unbind(1), strict=True))
        exact = torch.ones(len(self), dtype=torch.bool, device=self.recipe.device)
        for column, name in errors_of(self.system).items():
            if name not in ENDS:
                scale = values[column.removesuffix(SUFFIX)] if name in RELATIVE else torch.ones_like(self.Mn)
                exact &= ~(errors[column] > EXACT * LEAST[name] * scale)  # NaN of what is missing
        return exact

    def _of_curve(self, error: str) -> Tensor | None:
        """What a curve itself tells of its ends, (B,); NaN without one, None of another error.

        Where curves are exact, the last single chain is no cut, and the height of a real one is larger.
        """
        if error not in ENDS:
            return None
        there, usual = self.mmd > 0, getattr(self._usual, error)
        low, high = there.int().argmax(-1), self.mmd.shape[-1] - 1 - there.flip(-1).int().argmax(-1)
        end = (high if error == "cut_high" else low)[:, None]
        height = (self.mmd.gather(-1, end) / self.mmd.amax(-1, keepdim=True))[:, 0]
        edge = 10.0 ** torch.from_numpy(BIN_EDGES).to(self.mmd)[low]
        if error != "lower_limit":
            seen = height.where((height >= CUT) | (usual > 0), 0.0)
        elif usual > 0:
            seen = edge.clamp(max=usual)
        else:
            seen = edge.where(height >= CUT, 0.0)
        return seen.where(there.any(-1) & ~self.mmd.isnan().any(-1), torch.nan)

    def to_table(self) -> pd.DataFrame:
        """Convert to a table, indexed by the labels: the columns of the system, and what is stated besides."""
        named = _error_columns(self.system)
        besides = {named[name]: sd for name, sd in self.errors.items()}
        if not self.chains.isnan().all():
            besides[CHAINS] = self.chains
        values = torch.cat([self._values(), *(each[:, None] for each in besides.values())], dim=1)
        return pd.DataFrame(values.cpu().numpy(), self.labels, [*self.system.columns, *besides])

    @property
    def present(self) -> Tensor:
        """Which inputs of the system are given whole, (B, I): half a curve says nothing."""
        starts = range(0, max(1, len(self)), CHECKED)
        return torch.cat([_given_whole(self[start : start + CHECKED]) for start in starts])

    def patterns(self) -> list[str]:
        """The pattern of each row, such as ``mmd+temp``; empty where nothing is given whole."""
        return [
            name_of([name for name, given in zip(self.system.inputs, row, strict=True) if given], self.system)
            for row in self.present.tolist()
        ]

    def masked(self, pattern: str) -> Self:
        """Leave out every input that a pattern does not give.

        Raises:
            InputError: The pattern cannot be, see `polyinv.data.patterns.inputs_of`.
        """
        given = inputs_of(pattern, self.system)
        return self.forgetting([name for name in self.system.inputs if name not in given])

    def forgetting(self, inputs: Iterable[str]) -> Self:
        """Leave out some of the inputs of the system, such as values of the recipe.

        Raises:
            InputError: One is unknown.
        """
        inputs = list(inputs)
        if not inputs:
            return self
        values = self._values()
        for name in inputs:
            if name not in self.system.inputs:
                raise unknown("input", name, self.system.inputs)
            values[:, _places(self.system.inputs[name], self.system)] = torch.nan
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
            (place,) = _places([name], self.system)
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
            check_physical(filled[start : start + CHECKED].to_table(), "with what is known", self.system)
        return filled


def _error_columns(system: System) -> dict[str, str]:
    """Columns that state errors, by their names without the ending."""
    return {column.removesuffix(SUFFIX): column for column in error_columns(system.recipe, system.residual)}


def _given_whole(observations: Observations) -> Tensor:
    means = observations.Mn.isnan() | observations.Mw.isnan()
    missing = torch.stack([observations.mmd.isnan().any(-1), observations.residual_monomer.isnan(), means], dim=-1)
    return ~torch.cat([missing, observations.recipe.isnan()], dim=-1)


def _numbers(values: Any) -> Tensor:
    if not isinstance(values, Tensor):
        values = torch.from_numpy(np.array(values, dtype=float))  # a copy: pandas hands out read-only arrays
    return values.detach().double()


def _check_shape(name: str, values: Tensor, expected: tuple[int, ...]) -> None:
    if values.shape != expected:
        raise InputError(f"{name} of {expected[0]} observations needs the shape {expected}, got {(*values.shape,)}")


def _places(columns: Sequence[str], system: System) -> list[int]:
    places = {column: place for place, column in enumerate(system.columns)}
    strange = [column for column in columns if column not in places]
    if strange:
        known = ", ".join((*system.targets, *system.scalars))
        raise InputError(f"no column {strange[0]!r} in the system {system.name}; known: {known}, MMD1 … MMD100")
    return [places[column] for column in columns]
