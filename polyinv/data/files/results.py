"""Numbers of a table of results, in polyinv's units, with their errors; what is a spread of rows is left out."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.cells import said
from polyinv.data.files.derived import sign_in
from polyinv.data.files.doubts import (
    can_be,
    check_dispersity,
    check_masses,
    computed,
    contradictions,
    is_dispersity,
    suspicions,
    thousands,
)
from polyinv.data.files.numbers import Cell, is_missing, is_number, number, possible_decimals
from polyinv.data.files.options import Options
from polyinv.data.files.plus_minus import error_in, in_units, part_of, parted, says_error, says_relative, without_error
from polyinv.data.files.statistics import name_of, statistics_among
from polyinv.data.files.tables import Table, cell_at, data_rows, meaning, rows_apart, units_below
from polyinv.data.files.units import (
    PERCENT,
    Unit,
    has_percent,
    quantity_of,
    split_unit,
    unit_of,
    units_of,
    without_power,
)
from polyinv.errors import InputError
from polyinv.instrument.errors import SUFFIX, error_columns
from polyinv.quantities import MMD

LARGEST_LOG = 8.5
"""Of molar masses."""
MOST_DOUBTS = 5
"""Rows that are asked about."""


def read_results(table: Table, options: Options, system: System) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read the cells of a table: a system's columns as numbers in its units, the others as they stand.

    Returns:
        The cells, rows numbered as a person counts them; notes; warnings.

    Raises:
        InputError: A cell is no number, a column stands there twice, or a unit cannot be.
    """
    place = table.sheet.place
    _check_powers(table, system, place)
    columns = _columns(table, place)
    rows = [*data_rows(table)]
    _check_width(table, rows, place)
    units = units_below(table)
    rows = [row for row in rows if [*map(said, table.sheet.rows[row])] != table.names]
    rows, left_out, doubts = _samples(table, rows)
    if not rows:
        raise InputError(f"{place} has no rows below the names of the columns in row {table.header}")
    cells = {at: [cell_at(table, row, at) for row in rows] for at in range(len(table.names))}
    _check_formulas(table, columns, rows, place)
    _check_shares(table, columns, rows, place)
    written = {at: _with_error(cells[at], table.names[at]) for at in columns}
    sign = _decimal(table, columns, written, options, place)
    frame: dict[str, list] = {}
    notes, warnings = [*table.sheet.notes], [*table.sheet.warnings, *doubts]
    beside = _errors_beside(table, columns, system)
    for at, of in beside.items():
        unit_said = "in per cent of it" if has_percent(table.names[at]) else "in the same unit"
        notes.append(f"column {table.names[at]!r} states the error of {table.names[of]!r}, {unit_said}")
        percent = "%" if has_percent(table.names[at]) else ""
        cells[of] = [
            value if is_missing(value) or is_missing(error) else f"{said(value)} ± {said(error)}{percent}"
            for value, error in zip(cells[of], cells[at], strict=True)
        ]
    for at, name in enumerate(table.names):
        if at in beside:
            continue
        if at not in columns:
            if any(not is_missing(cell) for cell in cells[at]):
                frame[name if name and name not in frame else f"{name or 'column'} {at + 1}"] = [
                    said(c) for c in cells[at]
                ]
            continue
        column, unit = columns[at]
        unit = unit or units.get(at)
        if unit is None and options.unit is not None and column in ("Mn", "Mw"):
            unit = unit_of(options.unit)
        values = [
            _value(cell, column, unit, sign, f"{place}, row {row}, column {name!r}")
            for cell, row in zip(_with_error(cells[at], name), rows, strict=True)
        ]
        frame[column] = [value for value, _ in values]
        if not np.isnan([error for _, error in values]).all():
            frame[column + SUFFIX] = ["" if np.isnan(error) else error for _, error in values]
        if unit is not None and (unit.factor, unit.offset) != (1.0, 0.0):
            notes.append(f"column {name!r} is {column}, converted from {unit.name}")
        elif name != column:
            notes.append(f"column {name!r} is {column}")
        warnings += thousands(column, cells[at], sign, unit, system, f"column {name!r}")
        if unit is None:
            warnings += suspicions(column, np.array(frame[column]), system, f"column {name!r}")
        else:
            warnings += contradictions(column, np.array(frame[column]), unit, system, f"column {name!r}")
    found = pd.DataFrame(frame, index=rows)
    for at in (at for at, name in enumerate(table.names) if at not in columns and is_dispersity(name)):
        stated = [part_of(parted(cell)[0], sign).value for cell in cells[at]]
        warnings += check_dispersity(found, [np.nan if v is None else v for v in stated], table.names[at], place)
    found, said_empty = _without_empty(found, system)
    warnings += said_empty
    check_masses(found, columns, units, options, place)
    idle = [name for at, name in enumerate(table.names) if at not in columns and at not in beside]
    warnings += [*_not_used(table, columns, beside, system), *computed(idle, system)]
    if apart := rows_apart(table, system):
        warnings.append(
            f"row {apart[0]} is left out ({len(apart)} such): it has numbers and stands apart from the table with the "
            f"names in row {table.header}"
        )
    if left_out:
        called = ", ".join(map(repr, dict.fromkeys(left_out.values())))
        which = f"rows {', '.join(map(str, left_out))}" if table.header else "columns"
        notes.append(f"{which} sum up the others ({called}) and are left out")
    if options.unit is not None and not any(c in ("Mn", "Mw") for c, u in columns.values() if u is None):
        raise InputError(
            f"{place} is a table that names the units of its Mn and Mw, or has none; --unit has no effect on it"
        )
    return found, notes, warnings


def _samples(table: Table, rows: Sequence[int]) -> tuple[list[int], dict[int, str], list[str]]:
    """Rows that are samples, those that sum up the others, with their names, and a warning of what may do so."""
    names = {row: name_of(table.sheet.rows[row], table.meanings) for row in rows}
    cells = {row: [cell_at(table, row, at) for at in table.meanings] for row in rows}
    left_out, open_ = statistics_among(names, cells)
    if len(left_out) == len(rows):
        return [*rows], {}, []
    samples = [row for row in rows if row not in left_out]
    doubts = []
    if len(open_) < len(samples):
        doubts = [f"row {row} is called {name!r} and is read as a sample; is it one?" for row, name in open_.items()]
    return samples, left_out, doubts[:MOST_DOUBTS]


def _not_used(
    table: Table, columns: Mapping[int, tuple[str, Unit | None]], beside: Mapping[int, int], system: System
) -> list[str]:
    """Say which columns would mean something but for their unit, and which state an error of nothing."""
    found_columns = {column for column, _ in columns.values()}
    own = {*system.columns, *error_columns(system.recipe, system.residual)}
    warnings = []
    for at, name in enumerate(table.names):
        if at in columns or at in beside or name in own or sign_in(without_error(name)):
            continue
        bare, count = re.subn(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", name)
        found = _of_another_unit(bare, system) if count else meaning(f"{name} (mol/L)", system)
        error = says_error(bare) and _of_another_unit(says_error(bare) or "", system)
        if error:
            warnings.append(
                f"column {name!r} is not used: it states an error of {error[0]}, without a column of it in that unit"
            )
        elif found and found[0] not in found_columns and count:
            warnings.append(f"column {name!r} is not used: its unit is none of {found[0]}")
        elif (
            found
            and found[0] not in found_columns
            and any(is_number(cell_at(table, row, at)) for row in data_rows(table))
        ):
            warnings.append(f"column {name!r} is not used: it has no unit; {name + ' (mol/L)'!r} would be {found[0]}")
    return warnings


def _check_powers(table: Table, system: System, place: str) -> None:
    """Refuse a power of ten of which nobody can tell whether values are multiplied or divided by it."""
    for name in table.names:
        base, unit = split_unit(name)
        bare = without_power(name)
        found = meaning(bare or base, system) if bare or (unit and unit.quantity == "number") else None
        if found and unit and unit.factor != 1 and found[0] not in ("Mn", "Mw"):
            raise InputError(
                f"{place}: column {name!r} has a power of ten, by which its values may have been multiplied or are to "
                f"be; write plain numbers, in a column such as '{found[0]} ({units_of(quantity_of(found[0]))[0]})'"
            )


def _of_another_unit(name: str, system: System) -> tuple[str, Unit | None] | None:
    """What a name without its unit means."""
    return meaning(name, system) or meaning(f"{name} (mol/L)", system)


def _errors_beside(table: Table, columns: Mapping[int, tuple[str, Unit | None]], system: System) -> dict[int, int]:
    """Columns that state errors, and those of their values: by name, or right behind them."""
    found: dict[int, int] = {}
    for at, name in enumerate(table.names):
        rest = says_error(name)
        if rest is None or at in columns:
            continue
        base, unit = split_unit(rest)
        bare = rest if unit != PERCENT else base.strip(" _-,.")
        means = meaning(bare, system) if bare else columns.get(at - 1)
        of = next((k for k, (column, _) in columns.items() if means and column == means[0]), None)
        units = (PERCENT,) if says_relative(name) else (None, columns[of][1], PERCENT) if of is not None else ()
        if of is not None and of not in found.values() and unit in units:
            found[at] = of
    return found


def _with_error(cells: Sequence[Cell], name: str) -> list[Cell]:
    """Cells with the error that the name of their column states of all of them."""
    error = error_in(name)
    return [f"{said(c)} ± {error}" if error and not is_missing(c) and parted(c)[1] is None else c for c in cells]


def _without_empty(frame: pd.DataFrame, system: System) -> tuple[pd.DataFrame, list[str]]:
    """Leave out rows in which nothing is measured, unless it is all of them."""
    measured = frame.columns.intersection([*system.scalars, *MMD])
    empty = frame[measured].isna().all(axis=1)
    if measured.empty or empty.all() or not empty.any():
        return frame, []
    listed = ", ".join(map(str, frame.index[empty][:8]))
    return frame[~empty], [f"rows {listed} have nothing measured and are left out"]


def _check_width(table: Table, rows: Sequence[int], place: str) -> None:
    """Refuse rows with more numbers than names, as of commas that part decimals as well, or fewer throughout."""
    named = len(table.names)
    widest = max((len(table.sheet.rows[row]) for row in rows), default=named)
    if table.sheet.separator == " " and widest < named:
        raise InputError(
            f"{place}, row {table.header}: it is not clear where the name of each column ends, as blanks set them "
            f"apart; use tabs or semicolons, for {widest} columns"
        )
    wide = next((row for row in rows if any(map(is_number, table.sheet.rows[row][named:]))), None)
    if wide is not None and table.sheet.separator in (",", " "):
        raise InputError(
            f"{place}, row {wide} has {len(table.sheet.rows[wide])} cells below {named} names of columns; separate by "
            "semicolons, or write decimals with points"
        )


def _check_formulas(
    table: Table, columns: Mapping[int, tuple[str, Unit | None]], rows: Sequence[int], place: str
) -> None:
    """Refuse cells that are empty because no program has computed their formula."""
    empty = [(row, at) for row in rows for at in columns if cell_at(table, row, at) == ""]
    held = table.sheet.formulas() if empty else {}
    for row, at in empty:
        if (row, at) in held:
            raise InputError(
                f"{place}, row {row}, column {table.names[at]!r} holds {held[row, at]}: open and save the workbook in "
                "a spreadsheet program, or write the number"
            )


def _check_shares(
    table: Table, columns: Mapping[int, tuple[str, Unit | None]], rows: Sequence[int], place: str
) -> None:
    """Refuse cells that are shown in per cent where no share belongs."""
    for row, at in itertools.product(rows, columns):
        if (row, at) in table.sheet.shares:
            held = cell_at(table, row, at)
            assert isinstance(held, float)
            raise InputError(
                f"{place}, row {row}, column {table.names[at]!r} holds {held:g}, which the workbook shows as "
                f"{100 * held:.6g}%; give the cell the format of a number"
            )


def _columns(table: Table, place: str) -> dict[int, tuple[str, Unit | None]]:
    """The meanings, each column once: a name that is the column's own counts more than one that means it."""
    chosen: dict[str, int] = {}
    for at, (column, _) in table.meanings.items():
        before = chosen.get(column)
        if before is None or (table.names[before] != column and table.names[at] == column):
            chosen[column] = at
        elif table.names[before] == table.names[at] or table.names[before] != column:
            raise InputError(
                f"{place}: column {column!r} stands there 2 times"
                if table.names[before] == table.names[at] == column
                else f"{place}: the columns {table.names[before]!r} and {table.names[at]!r} both mean {column}"
            )
    return {at: table.meanings[at] for at in sorted(chosen.values())}


def _value(cell: Cell, column: str, unit: Unit | None, sign: str, where: str) -> tuple[float, float]:
    """A value and its error, NaN where there is none, in polyinv's unit of the column."""
    if is_missing(cell):
        return np.nan, np.nan
    text, behind = parted(cell)
    value, error = part_of(text, sign), part_of(behind or "", sign)
    torn = value.value is None or not np.isfinite(value.value) or (behind is not None and error.value is None)
    found = None if torn else in_units(value, error, column, unit)
    if found is None:
        hint = "; write decimals with one sign" if isinstance(cell, str) and re.search(r"\d[.,]\d", cell) else ""
        raise InputError(f"{where} holds {said(cell)!r}; needs a number{hint}, or nothing")
    if value.percent:
        raise InputError(f"{where} holds {said(cell)!r}; a per cent sign belongs to conversions and errors only")
    if error.percent and column == "temp":
        raise InputError(f"{where} {behind!r}: the error of a temperature; needs it in °C, not in per cent")
    return found


def _decimal(
    table: Table,
    columns: Mapping[int, tuple[str, Unit | None]],
    cells: Mapping[int, list[Cell]],
    options: Options,
    place: str,
) -> str:
    if options.decimal not in (None, "auto"):
        return str(options.decimal)
    cells = {
        at: [re.sub(r"\s*[^\d.,\s]+$", "", t) if isinstance(t, str) else t for t in _texts(cells[at])] for at in columns
    }
    used = [cell for at in columns for cell in cells[at]]
    signs = possible_decimals(used)
    if len(signs) == 1:
        return signs[0]
    fits = [sign for sign in signs if all(_can_be(columns[at], cells[at], sign, options) for at in columns)]
    if fits == [","] and (odd := _like_logarithms(columns, cells)):
        raise InputError(
            f"{place}: {odd!r} may be a molar mass with a point for thousands, one in kg/mol, or log10 M; --decimal , "
            "says that it has thousands, --unit kg/mol that it has decimals"
        )
    if len(fits) == 1 or (fits and not any(isinstance(cell, str) and "," in cell for cell in used)):
        return fits[0]
    shown = next(cell for cell in used if isinstance(cell, str) and ("," in cell or "." in cell))
    raise InputError(
        f"{place}: {shown!r} may be a number with decimals or with thousands; --decimal . or --decimal , says which"
    )


def _like_logarithms(columns: Mapping[int, tuple[str, Unit | None]], cells: Mapping[int, Sequence[Cell]]) -> str | None:
    """The first of molar masses that would all be log10 M with a decimal point, None if they are not."""
    masses = [c for at in columns if columns[at][0] in ("Mn", "Mw") for c in cells[at] if c != ""]
    values = [number(cell) if isinstance(cell, str) else None for cell in masses]
    return str(masses[0]) if masses and all(v is not None and v < LARGEST_LOG for v in values) else None


def _texts(cells: Sequence[Cell]) -> Iterator[Cell]:
    """Values and errors of cells, without their units."""
    for cell in cells:
        value, error = parted(cell)
        for part in (value, error or ""):
            yield re.sub(r"\s*[^\d.,\s]+$", "", part) if isinstance(part, str) else part


def _can_be(column: tuple[str, Unit | None], cells: Sequence[Cell], sign: str, options: Options) -> bool:
    name, unit = column
    values = [value for cell in cells if isinstance(cell, str) and (value := number(cell, sign)) is not None]
    factor = unit.factor if unit else 10.0 ** (3 if options.unit == "kg/mol" else 0)
    return can_be(name, values, factor)
