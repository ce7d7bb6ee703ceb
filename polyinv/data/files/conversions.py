"""Residual monomer of a table that has conversions instead, where the initial monomer of a row is known."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.doubts import conversions
from polyinv.data.files.names import is_conversion, is_in_percent, other_monomer
from polyinv.data.files.numbers import Cell, is_missing, possible_decimals
from polyinv.data.files.plus_minus import Part, part_of, parted
from polyinv.data.runs_checks import APART
from polyinv.instrument.errors import OF_CONVERSION, error_columns

LOW = 0.01
"""Conversion in a column of per cent below which all may be shares."""


def with_residual(
    raw: pd.DataFrame, system: System, decimal: str | None = None
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Add the residual monomer that conversions leave of the initial one, and the errors behind ±.

    Args:
        raw: As `polyinv.data.files.results.read_results` gives it: the columns of the system as numbers.
        system: What is polymerized.
        decimal: Decimal sign of the conversions, where it is stated.

    Returns:
        The table; notes; warnings of conversions that are not used, contradict the residual monomer beside them, or are
        all so low that they may be shares.
    """
    raw, notes, warnings = _with_own(raw, system, decimal)
    return raw, notes, [*warnings, *_of_others(raw, system)]


def _with_own(raw: pd.DataFrame, system: System, decimal: str | None) -> tuple[pd.DataFrame, list[str], list[str]]:
    names = conversion_columns(raw, system)
    monomer, residual = system.targets[0], system.residual
    measured = raw[residual] if residual in raw else pd.Series(np.nan, raw.index)
    if not names or raw[names].map(is_missing).all(axis=None):
        return raw, [], []
    if len(names) > 1:
        listed = " and ".join(map(repr, names))
        said = f"columns {listed} are not used: both hold a conversion; leave one"
        return raw, [], [said] if measured.isna().any() else []
    if monomer not in raw:
        return raw, [], conversions(names, system) if measured.isna().any() else []
    shares, errors, odd = read_shares(raw[names[0]], decimal)
    if odd is not None:
        return raw, [], [f"column {names[0]!r} is not used: {odd}"]
    warnings = _without_monomer(shares, raw[monomer], measured, names[0], monomer)
    warnings += _contradictions(measured / raw[monomer], shares, names[0], residual)
    warnings += low_shares(raw[names[0]], shares)
    if measured.notna().all():
        return raw, [], warnings
    of_conversion = measured.isna()
    found = raw.assign(**{residual: measured.where(~of_conversion, raw[monomer] * (1 - shares))})
    errors = errors.where(of_conversion)
    if errors.notna().any() and OF_CONVERSION not in raw:
        found[OF_CONVERSION] = errors
    rows = "its row" if of_conversion.all() else f"its row, where {residual} is empty"
    return found, [f"column {names[0]!r} gives {residual}, the residual monomer, by the {monomer} of {rows}"], warnings


def conversion_columns(raw: pd.DataFrame, system: System) -> list[str]:
    """Columns that mean a conversion of the system's monomer, but for those that the system or an error has."""
    own = {*system.columns, *error_columns(system.recipe, system.residual)}
    names = [str(name) for name in raw.columns if name not in own and is_conversion(str(name))]
    return [name for name in names if other_monomer(name, _symbol(system)) is None]


def _symbol(system: System) -> str:
    return system.residual.removeprefix("c").partition("_")[0]


def _of_others(raw: pd.DataFrame, system: System) -> list[str]:
    """Say which conversions are those of another monomer."""
    found = {str(name): other_monomer(str(name), _symbol(system)) for name in raw.columns if is_conversion(str(name))}
    return [
        f"column {name!r} is not used: it is of {monomer}, and the monomer is {_symbol(system)}"
        for name, monomer in found.items()
        if monomer is not None
    ]


def low_shares(cells: pd.Series, shares: pd.Series) -> list[str]:
    """Doubt a column of per cent whose values may be shares, as a spreadsheet stores what it shows in per cent.

    Args:
        cells: The column as it stands.
        shares: What it is read as.
    """
    percent = is_in_percent(str(cells.name)) or cells.astype(str).str.contains("[%％]").any()
    if not (percent and 0 < shares.max() < LOW):
        return []
    return [f"all conversions in column {cells.name!r} are below {100 * LOW:g} %; shares go into a column without %"]


def _without_monomer(shares: pd.Series, charged: pd.Series, measured: pd.Series, name: str, monomer: str) -> list[str]:
    """Say which conversions have no initial monomer beside them."""
    idle = shares.notna() & charged.isna() & measured.isna()
    rows = ", ".join(map(str, shares.index[idle][:8]))
    return [f"column {name!r} is not used in rows {rows}: there is no {monomer} in them"] if rows else []


def _contradictions(left: pd.Series, shares: pd.Series, name: str, residual: str) -> list[str]:
    """Say where a conversion is not that by the residual monomer beside it, the share ``left`` of the initial one."""
    apart = (1 - left - shares).abs() > APART
    if not apart.any():
        return []
    row = apart.idxmax()
    return [
        f"column {name!r} and {residual} contradict each other: row {row} has {shares[row]:.3g}, and "
        f"{1 - left[row]:.3g} by {residual}, which is taken ({apart.sum()} such)"
    ]


def read_shares(cells: pd.Series, decimal: str | None = None) -> tuple[pd.Series, pd.Series, str | None]:
    """Read conversions as shares.

    Args:
        cells: A column as it stands.
        decimal: Its decimal sign, where it is stated.

    Returns:
        The shares and the errors behind ±, NaN where there are none; the first row that holds something else, and what
        would be right.
    """
    readings = [_shares_by(cells, sign) for sign in _signs(cells, decimal)]
    shares, errors, odd = next((reading for reading in readings if reading[2] is None), readings[0])
    rule = "needs 0 to 1, or 0 to 100 in a column that is named in %"
    return shares, errors, None if odd is None else f"row {odd} holds {cells[odd]!r}; {rule}"


def _signs(cells: Iterable[Cell], decimal: str | None) -> tuple[str, ...]:
    """Decimal signs that the cells may have, the likelier one first."""
    if decimal not in (None, "auto"):
        return (str(decimal),)
    return possible_decimals(part for cell in cells for part in parted(cell) if part is not None)


def _shares_by(cells: pd.Series, sign: str) -> tuple[pd.Series, pd.Series, object]:
    parts = [_parts(cell, sign) for cell in cells]
    percent = is_in_percent(str(cells.name)) and not _are_shares(str(cells.name), [value for value, _ in parts])
    values = [
        np.nan if value.value is None else value.value / (100 if percent or value.percent else 1) for value, _ in parts
    ]
    errors = [
        np.nan if error.value is None else error.value / (100 if percent or error.percent else 1) for _, error in parts
    ]
    shares = pd.Series(values, cells.index, dtype=float)
    bad = ~shares.between(0, 1) & ~np.array([is_missing(cell) for cell in cells])
    mixed = [not percent and error.value is not None and value.percent != error.percent for value, error in parts]
    bad |= np.array(mixed)
    return shares, pd.Series(errors, cells.index, dtype=float), bad.idxmax() if bad.any() else None


def _are_shares(name: str, values: Iterable[Part]) -> bool:
    """Whether the sign before a name is that of a comment: no conversion is above one, and none has a sign itself."""
    return name.startswith("%") and all(part.value is None or (part.value <= 1 and not part.percent) for part in values)


def _parts(cell: Cell, sign: str) -> tuple[Part, Part]:
    value, error = parted(cell)
    return part_of(value, sign), part_of(error or "", sign)
