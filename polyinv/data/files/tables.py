"""Tables of results as people write them: which column is which of a system's, in which unit, below which title."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.blocks import by_wide_blanks
from polyinv.data.files.cells import Rows, Sheet, said
from polyinv.data.files.names import average_of, letters
from polyinv.data.files.numbers import Cell, is_missing, is_number, number, possible_decimals
from polyinv.data.files.options import Options
from polyinv.data.files.units import Unit, if_meant_otherwise, quantity_of, split_unit, unit_of
from polyinv.data.stated_system import COLUMN
from polyinv.errors import InputError
from polyinv.quantities import MMD

LOOKED_AT = 300
"""Rows in which the names of the columns are looked for."""
LEAST_MASS = 1000.0
"""Mw in g/mol of a polymer; a table that has less everywhere, and no unit, is refused."""
_TEMPERATURE = (
    r"(reaction|reaktions|bad|bath|polymeri[sz]ation(s)?|set|soll)?temp(eratur(e|a)?)?(deréaction|dereaccion|dereaction|depolymerisation|"
    r"depolimerizacion)?|tr|treaction"
)
_TIME = (
    r"(reaction|reaktions|polymeri[sz]ation(s)?)?(time|zeit|dauer|duration|duree)|tiempo(de(reaccion|polimerizacion))?|"
    r"temps(de(reaction|polymerisation))?|dureede(reaction|polymerisation)|t(rxn|reaction)"
)
_RESIDUAL = (
    r"(residual|rest|free|remaining)monomer(konzentration|concentration)?|monomero(residual|libre)|monomereresiduel"
)
_MONOMER = (
    r"(initial|anfangs)?monomer(konzentration|concentration)?|(concentracionde)?monomero|(concentrationde)?monomere"
)
_INITIATOR = (
    r"(initial|anfangs)?initiator(konzentration|concentration)?|(concentracionde)?iniciador|(concentrationd)?amorceur"
)
_SPREAD = re.compile(
    r"(mean|average|mittelwert|durchschnitt|promedio|media|moyenne|sd|std|stdev|stddev|standardabweichung|rsd|cv|desviacion(estandar)?|ecarttype|stabw|s)"
)
_CONVERSION = re.compile(r".*(conversion|umsatz|conv).*|^x$")


@dataclass(frozen=True, eq=False)
class Table:
    """Where a sheet holds a table: the row of names, and what they mean.

    Args:
        sheet: The sheet.
        header: Number of the row of names.
        names: As they stand.
        meanings: Column of the system for some of them, by position, with the unit that is stated.
    """

    sheet: Sheet
    header: int
    names: list[str]
    meanings: dict[int, tuple[str, Unit | None]]


def table_in(sheet: Sheet, system: System, *, on_its_side: bool = True) -> Table | None:
    """Find the table of a sheet: the row with most names of a system's columns; None if there is none.

    Args:
        sheet: Where to look.
        system: What is polymerized.
        on_its_side: Whether names below each other, with numbers beside them, are a table, too.
    """
    best: Table | None = None
    for row, cells in [*sheet.rows.items()][:LOOKED_AT]:
        below = next((len(other) for at, other in sheet.rows.items() if at > row), 0)
        names = [said(cell) for cell in by_wide_blanks(sheet, row, cells, below)]
        if any(isinstance(cell, float) or is_number(cell) for cell in cells if cell != "") or not any(names):
            continue
        meanings = {at: found for at, name in enumerate(names) if (found := meaning(name, system))}
        if meanings and (best is None or len(meanings) > len(best.meanings)):
            best = Table(sheet, row, names, meanings)
    if best is not None and [*_data_rows(best)]:
        return best
    return _on_its_side(sheet, system) if on_its_side else None


def _on_its_side(sheet: Sheet, system: System) -> Table | None:
    """A table whose names stand below each other, with the numbers of each sample in a column."""
    rows = [cells for cells in sheet.rows.values() if len(cells) > 1 and isinstance(cells[0], str) and cells[0]]
    named = [cells for cells in rows if meaning(said(cells[0]), system) and any(map(_is_value, cells[1:2]))]
    if len(named) < 2 or len(rows) > 200:
        return None
    units = {k: unit_of(said(cells[2])) for k, cells in enumerate(named) if len(cells) > 2}
    if len(units) == len(named) and all(units.values()):
        named = [[f"{said(cells[0])} ({said(cells[2])})", cells[1]] for cells in named]
    names = [said(cells[0]).rstrip(" :") for cells in named]
    width = max(map(len, named))
    turned: Rows = {at: [cells[at] if at < len(cells) else "" for cells in named] for at in range(1, width)}
    turned = {at: cells for at, cells in turned.items() if any(map(_is_value, cells))}
    meanings = {at: found for at, name in enumerate(names) if (found := meaning(name, system))}
    return Table(Sheet(sheet.place, {0: [*names], **turned}, name=sheet.name), 0, names, meanings)


def _is_value(cell: Cell) -> bool:
    return is_number(cell) or (isinstance(cell, str) and unit_of(cell.partition(" ")[2]) is not None)


def meaning(name: str, system: System) -> tuple[str, Unit | None] | None:
    """The column of a system that a name means, with its unit.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> [meaning(name, load_system())[0] for name in ("Mw / kDa", "T (°C)", "Zeit [min]", "[BA]0 (mol/L)", "temp")]
        ['Mw', 'temp', 'time', 'cBA_0', 'temp']
    """
    name = name.strip()
    exact = {column.lower(): column for column in system.columns}
    if name in system.columns:
        return name, None
    base, unit = split_unit(name)
    if base.lower() in exact and (base.lower() != "mw" or base in ("Mw", "MW", "mw")):
        return _with_quantity(exact[base.lower()], unit)
    average = average_of(name)
    if average and average[0] in ("Mn", "Mw"):
        return _with_quantity(average[0], average[1])
    return _with_quantity(_of_recipe(base, unit, system), unit)


def _with_quantity(column: str | None, unit: Unit | None) -> tuple[str, Unit | None] | None:
    """A column, if the unit is one of its quantity."""
    if column is None or (unit and unit.quantity not in (quantity_of(column), "number")):
        return None
    return column, unit


def _of_recipe(base: str, unit: Unit | None, system: System) -> str | None:
    name, quantity = letters(base), unit.quantity if unit else None
    if re.fullmatch(_TEMPERATURE, name) or (base == "T" and quantity in (None, "temperature")):
        return "temp"
    if re.fullmatch(_TIME, name) or (base == "t" and quantity in (None, "time")):
        return "time"
    if quantity != "concentration":
        return None
    if re.fullmatch(_RESIDUAL, name):
        return system.residual
    short = re.sub(r"[^a-z0-9]", "", base.lower())
    for column in (*system.targets[:-1], system.residual):
        substance, _, when = column.removeprefix("c").partition("_")
        key = substance.lower()
        after = {"0": ("", "0"), "time": ("t", "time", "res", "rest")}.get(when, ("",))
        if column != "temp" and short in {f"{c}{key}{end}" for c in ("", "c", "c0") for end in after}:
            return column
    for pattern, column in ((_MONOMER, system.targets[0]), (_INITIATOR, system.targets[1])):
        if re.fullmatch(pattern, name):
            return column
    return None


# The numbers


def read_results(table: Table, options: Options, system: System) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read the cells of a table: a system's columns as numbers in its units, the others as they stand.

    Returns:
        The cells, rows numbered as a person counts them; notes; warnings.

    Raises:
        InputError: A cell is no number, a column stands there twice, or a unit cannot be.
    """
    place = table.sheet.place
    columns = _columns(table, place)
    rows = [*_data_rows(table)]
    _check_width(table, rows, place)
    units = _units_below(table)
    left_out = [row for row in rows if _is_spread(table.sheet.rows[row])]
    rows = [row for row in rows if row not in left_out]
    if not rows:
        raise InputError(f"{place} has no rows below the names of the columns in row {table.header}")
    cells = {at: [_cell(table, row, at) for row in rows] for at in range(len(table.names))}
    _check_formulas(table, columns, rows, place)
    sign = _decimal(table, columns, cells, options, place)
    frame: dict[str, list] = {}
    notes, warnings = [], []
    for at, name in enumerate(table.names):
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
            for cell, row in zip(cells[at], rows, strict=True)
        ]
        frame[column] = values
        if unit is not None and (unit.factor, unit.offset) != (1.0, 0.0):
            notes.append(f"column {name!r} is {column}, converted from {unit.name}")
        elif name != column:
            notes.append(f"column {name!r} is {column}")
        if unit is None:
            warnings += suspicions(column, np.array(values), system, f"column {name!r}")
    found = pd.DataFrame(frame, index=rows)
    found, said_empty = _without_empty(found, system)
    warnings += said_empty
    _check_masses(found, columns, units, options, place)
    warnings += _conversions(frame, system)
    warnings += [
        f"column {name!r} is not used: {unit.name} is no unit of {base}"
        for at, name in enumerate(table.names)
        for base, unit in [split_unit(name)]
        if at not in columns and base in system.columns and unit is not None
    ]
    if left_out:
        notes.append(
            f"rows {', '.join(map(str, left_out))} hold means or standard deviations of the others and are left out"
        )
    if options.unit is not None and not any(c in ("Mn", "Mw") for c, u in columns.values() if u is None):
        raise InputError(
            f"{place} is a table that names the units of its Mn and Mw, or has none; --unit has no effect on it"
        )
    return found, notes, warnings


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
    empty = [(row, at) for row in rows for at in columns if _cell(table, row, at) == ""]
    held = table.sheet.formulas() if empty else {}
    for row, at in empty:
        if (row, at) in held:
            raise InputError(
                f"{place}, row {row}, column {table.names[at]!r} holds {held[row, at]}: open and save the workbook in "
                "a spreadsheet program, or write the number"
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


def _data_rows(table: Table) -> Iterator[int]:
    """Rows below the names up to a footer or another row of names."""
    below = [row for row in table.sheet.rows if row > table.header]
    first = [row for row in below if row not in _units_rows(table)][:1] if len(table.meanings) > 1 else []
    last = max((row for row in below if _numbers_in(table, row)), default=first[0] if first else 0)
    before = table.header
    for row in below:
        if row > last:
            return
        cells = table.sheet.rows[row]
        numbers = _numbers_in(table, row)
        if not numbers and row - before > 1 and before != table.header:
            return  # a note below an empty row
        if (
            numbers
            or (before != table.header and any(not is_missing(cell) for cell in cells))
            or _is_spoilt(table, row)
        ):
            before = row
            yield row
        elif not numbers and row - table.header > 3 and before == table.header:
            return


def _is_spoilt(table: Table, row: int) -> bool:
    """Whether a row right below the names has a text that is no unit where a number belongs."""
    cells = [said(_cell(table, row, at)) for at in table.meanings]
    texts = [cell for cell in cells if not is_missing(cell)]
    return row not in _units_rows(table) and bool(texts) and len(table.sheet.rows[row]) >= len(table.names) / 2


def _units_rows(table: Table) -> list[int]:
    after = [row for row in table.sheet.rows if row > table.header][:2]
    return [
        row for row in after if not any(map(is_number, table.sheet.rows[row])) and _only_units(table.sheet.rows[row])
    ]


def _only_units(cells: Sequence[Cell]) -> bool:
    texts = [said(cell) for cell in cells if not is_missing(cell)]
    return bool(texts) and all(unit_of(text) for text in texts)


def _units_below(table: Table) -> dict[int, Unit]:
    rows = _units_rows(table)
    return (
        {at: unit for at, cell in enumerate(table.sheet.rows[rows[0]]) if (unit := unit_of(said(cell)))} if rows else {}
    )


def _numbers_in(table: Table, row: int) -> int:
    return sum(_is_value(_cell(table, row, at)) for at in table.meanings)


def _cell(table: Table, row: int, at: int) -> Cell:
    cells = table.sheet.rows[row]
    return cells[at] if at < len(cells) else ""


def _is_spread(cells: Sequence[Cell]) -> bool:
    first = next((said(cell) for cell in cells if not is_missing(cell)), "")
    return _SPREAD.fullmatch(letters(first)) is not None


def _value(cell: Cell, column: str, unit: Unit | None, sign: str, where: str) -> float:
    if is_missing(cell):
        return np.nan
    value, taken = number(cell, sign), unit
    if value is None and isinstance(cell, str) and " " in cell.strip():
        text, _, written = cell.strip().rpartition(" ")
        stated = unit_of(written)
        if stated and stated.quantity == quantity_of(column) and (unit is None or unit == stated):
            value, taken = number(text, sign), stated
    if value is None or not np.isfinite(value):
        hint = "; write decimals with one sign" if isinstance(cell, str) and re.search(r"\d[.,]\d", cell) else ""
        raise InputError(f"{where} holds {said(cell)!r}; needs a number{hint}, or nothing")
    return taken.converted(value) if taken else value


def _decimal(
    table: Table,
    columns: Mapping[int, tuple[str, Unit | None]],
    cells: Mapping[int, list[Cell]],
    options: Options,
    place: str,
) -> str:
    if options.decimal not in (None, "auto"):
        return str(options.decimal)
    used = [cell for at in columns for cell in cells[at]]
    signs = possible_decimals(used)
    if len(signs) == 1:
        return signs[0]
    fits = [sign for sign in signs if all(_can_be(columns[at], cells[at], sign, options) for at in columns)]
    if len(fits) == 1 or (fits and not any(isinstance(cell, str) and "," in cell for cell in used)):
        return fits[0]
    shown = next(cell for cell in used if isinstance(cell, str) and ("," in cell or "." in cell))
    raise InputError(
        f"{place}: {shown!r} may be a number with decimals or with thousands; --decimal . or --decimal , says which"
    )


def _can_be(column: tuple[str, Unit | None], cells: Sequence[Cell], sign: str, options: Options) -> bool:
    name, unit = column
    values = [value for cell in cells if isinstance(cell, str) and (value := number(cell, sign)) is not None]
    if not values:
        return True
    if name in ("Mn", "Mw"):
        factor = unit.factor if unit else 10.0 ** (3 if options.unit == "kg/mol" else 0)
        return 500 < float(np.median(values)) * factor < 1e8
    ranges = {"temp": (-80.0, 500.0), "time": (0.0, 1e6)}
    low, high = ranges.get(name, (0.0, 50.0))
    return low <= max(values) <= high


# What looks odd


def suspicions(column: str, values: np.ndarray, system: System, called: str) -> list[str]:
    """Say which values without a unit would fit another unit better.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> print(suspicions("temp", np.array([343.15]), load_system(), "temp")[0][:60])
        temp holds 343.15 °C, outside of 60 to 80; if it is K, it is
    """
    box = {quantity.name: (quantity.low, quantity.high) for quantity in system.recipe}
    box[system.residual] = (0.0, box[system.targets[0]][1])
    given = values[~np.isnan(values)]
    if column not in box or not len(given):
        return []
    low, high = box[column]
    value = float(np.median(given))
    margin = 0.25 * (high - low)
    quantity = quantity_of(column)
    least = 60.0 if quantity == "time" else low
    if (value >= (100.0 if quantity == "time" else least - margin)) and value <= high + margin:
        return []
    unit = {"temperature": "°C", "time": "s", "concentration": "mol/L"}[quantity]
    for other, converted in if_meant_otherwise(value, unit).items():
        if low - margin <= converted <= high + margin and converted > 0:
            return [
                f"{called} holds {value:g} {unit}, outside of {low:g} to {high:g}; if it is {other}, it is "
                f"{converted:.4g} {unit}: name the column '{column} ({other})', or convert it"
            ]
    return []


def _check_masses(
    frame: pd.DataFrame,
    columns: Mapping[int, tuple[str, Unit | None]],
    units: Mapping[int, Unit],
    options: Options,
    place: str,
) -> None:
    """Refuse means without a unit that are too small to be in g/mol."""
    for at, (column, unit) in columns.items():
        if column in ("Mn", "Mw") and unit is None and at not in units and options.unit is None:
            values = frame[column].dropna()
            if len(values) and 0 < values.max() < LEAST_MASS:
                raise InputError(
                    f"{place}: column {column!r} holds {values.iloc[0]:g} g/mol, which is no polymer and looks like "
                    f"kg/mol: --unit kg/mol says so (or name the column '{column} (kg/mol)')"
                )


def _conversions(frame: Mapping[str, Sequence], system: System) -> list[str]:
    names = [str(name) for name in frame if name not in system.columns and name != COLUMN]
    found = [name for name in names if _CONVERSION.fullmatch(letters(name))]
    return [
        f"column {name!r} is not used; a conversion goes in as {system.residual}, the residual monomer in mol/L"
        for name in found[:1]
    ]
