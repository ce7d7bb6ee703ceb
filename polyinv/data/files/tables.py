"""Tables of results as people write them: which column is which of a system's, in which unit, below which title."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from polyinv.chemistry import System
from polyinv.data.files.cells import Rows, Sheet, said
from polyinv.data.files.comments import with_signed_rows, without_sign
from polyinv.data.files.derived import sign_in
from polyinv.data.files.headers import by_wide_blanks
from polyinv.data.files.names import average_within, is_conversion, letters
from polyinv.data.files.numbers import Cell, is_missing, is_number
from polyinv.data.files.plus_minus import part_of, parted, without_error
from polyinv.data.files.sideways import VALUES, errors_of_samples, names_of_samples, said_errors, with_errors
from polyinv.data.files.text import COMMENTS
from polyinv.data.files.units import Unit, quantity_of, split_unit, unit_of, units_of
from polyinv.errors import InputError

LOOKED_AT = 300
"""Rows in which the names of the columns are looked for."""
_TEMPERATURE = (
    r"(reaction|reaktions|bad|bath|polymeri[sz]ation(s)?|set|soll)?temp(eratur(e|a)?)?(deréaction|dereaccion|dereaction|depolymerisation|"
    r"depolimerizacion)?|treaction"
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
_UNITS = {"unit", "units", "einheit", "einheiten", "unidad", "unidades", "unite", "unites"}
"""What a row of units is called."""
_FREE = re.compile("^(?:residual|rest|free|remaining)(.+)")
_MOLAR = re.compile(r"(.*\S)\s*(?:\(M\)|(?<=\s)\[M\]|/\s*M|\sin\s+M)")
"""A concentration in M, which is mol/L; of any other quantity it is none."""


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
    found = [_named(sheet, sheet.rows, system), _named(sheet, sheet.comments, system)]
    tables = [_with_signed_rows(table) for table in found if table is not None]
    tables = [table for table in tables if [*data_rows(table)]]
    if tables:
        return max(tables, key=lambda table: len(table.meanings))
    return _on_its_side(sheet, system) if on_its_side else None


def _named(sheet: Sheet, rows: Rows, system: System) -> Table | None:
    """The row with most names of a system's columns; it has two and more, and all below it, if it is a comment."""
    best: Table | None = None
    for row, cells in [*rows.items()][:LOOKED_AT]:
        names = _names_in(sheet, row, cells)
        if any(isinstance(cell, float) or is_number(cell) for cell in cells if cell != "") or not any(names):
            continue
        meanings = {at: found for at, name in enumerate(names) if (found := meaning(name, system))}
        if meanings and (best is None or len(meanings) > len(best.meanings)):
            best = Table(sheet, row, names, meanings)
    if best is not None and rows is sheet.comments:
        return best if len(best.meanings) > 1 and len(best.names) >= _width_below(sheet, best.header) else None
    return best


def _names_in(sheet: Sheet, row: int, cells: list[Cell]) -> list[str]:
    """Names of a row, without the sign of a comment unless it is a name: there are as many as cells below."""
    width = _width_below(sheet, row)
    names = [said(cell) for cell in by_wide_blanks(sheet, row, cells, width)]
    is_name = names[0] in COMMENTS and len(names) == width
    if row not in sheet.comments or is_name or (names[0].startswith("%") and is_conversion(names[0])):
        return names
    return [said(cell) for cell in without_sign([*names])]


def _width_below(sheet: Sheet, row: int) -> int:
    parts = (sheet.rows, sheet.comments)
    below = (next(((at, len(cells)) for at, cells in part.items() if at > row), None) for part in parts)
    return min((each for each in below if each), default=(0, 0))[1]


def _with_signed_rows(table: Table) -> Table:
    """A table with its rows that begin with the sign of a comment, as in ``#2;25000``."""
    if not table.sheet.comments:
        return table
    least = min((_numbers_in(table, row) for row in data_rows(table)), default=0)

    def is_row(row: int, cells: list[Cell]) -> bool:
        held = [cells[at] for at in table.meanings if at < len(cells) and not is_missing(cells[at])]
        enough = len(held) >= max(least, 1) and all(map(_is_value, held))
        return row > table.header and len(cells) <= len(table.names) and enough

    return replace(table, sheet=with_signed_rows(table.sheet, is_row, alone=not least))


def _on_its_side(sheet: Sheet, system: System) -> Table | None:
    """A table whose names stand below each other, with the numbers of each sample in a column."""
    rows = {row: _unit_to_name(cells) for row, cells in sheet.rows.items() if len(cells) > 1 and said(cells[0])}
    of = {row: cells for row, cells in rows.items() if isinstance(cells[0], str) and any(map(_is_value, cells[1:2]))}
    of = {row: cells for row, cells in of.items() if meaning(said(cells[0]), system)}
    if len(of) < 2 or len(rows) > 200:
        return None
    first, named = min(of), [*of.values()]
    units = {k: unit_of(said(cells[2])) for k, cells in enumerate(named) if len(cells) > 2}
    if len(units) == len(named) and all(units.values()):
        named = [[f"{said(cells[0])} ({said(cells[2])})", cells[1]] for cells in named]
    names = [said(cells[0]).rstrip(" :") for cells in named]
    width = max(map(len, named))
    turned: Rows = {at: [cells[at] if at < len(cells) else "" for cells in named] for at in range(1, width)}
    turned = {at: cells for at, cells in turned.items() if any(map(_is_value, cells))}
    called = names_of_samples(sheet.rows, first, int(len(of[first]) < len(sheet.rows[first])))
    called = {at: called.get(at, "") for at in turned} if called else {}
    errors = errors_of_samples(called)
    turned = with_errors(turned, called, errors)
    if len(turned) > 1 or any(letters(called.get(at, "")) not in ("", *VALUES) for at in turned):
        names = ["sample", *names]
        turned = {at: [called.get(at, ""), *cells] for at, cells in turned.items()}
    meanings = {at: found for at, name in enumerate(names) if (found := meaning(name, system))}
    notes = tuple(said_errors(called, errors))
    upright = Sheet(sheet.place, {0: [*names], **turned}, name=sheet.name, notes=notes, warnings=sheet.warnings)
    return Table(upright, 0, names, meanings)


def _unit_to_name(cells: list[Cell]) -> list[Cell]:
    """A row with a unit between its name and its numbers, the unit in the name."""
    between = len(cells) > 2 and not is_number(cells[1]) and unit_of(said(cells[1]))
    return [f"{said(cells[0])} ({said(cells[1])})", *cells[2:]] if between else cells


def _is_value(cell: Cell) -> bool:
    value, _ = parted(cell)
    return any(part_of(value, sign).value is not None for sign in (".", ","))


def meaning(name: str, system: System) -> tuple[str, Unit | None] | None:
    """The column of a system that a name means, with its unit.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> [meaning(name, load_system())[0] for name in ("Mw / kDa", "T (°C)", "Zeit [min]", "[BA]0 (mol/L)", "temp")]
        ['Mw', 'temp', 'time', 'cBA_0', 'temp']
    """
    return meaning_within(name, system) if name in system.columns or sign_in(without_error(name)) is None else None


def meaning_within(name: str, system: System) -> tuple[str, Unit | None] | None:
    """The column of a system in a name, whatever is computed from it."""
    name = without_error(name.strip())
    exact = {column.lower(): column for column in system.columns}
    if name in system.columns:
        return name, None
    if (molar := _MOLAR.fullmatch(name)) and (found := meaning_within(f"{molar[1]} (mol/L)", system)):
        return found
    base, unit = split_unit(name)
    if base.lower() in exact and (base.lower() != "mw" or base in ("Mw", "MW", "mw")):
        return _with_quantity(exact[base.lower()], unit)
    average = average_within(name)
    if average and average[0] in ("Mn", "Mw"):
        return _with_quantity(average[0], average[1])
    return _with_quantity(_of_recipe(base, unit, system), unit)


def _with_quantity(column: str | None, unit: Unit | None) -> tuple[str, Unit | None] | None:
    """A column, if the unit is one of its quantity."""
    if column is None or (unit and unit.quantity not in (quantity_of(column), "number")):
        return None
    if unit and unit.quantity == "number" and unit.factor != 1 and column not in ("Mn", "Mw"):
        return None  # a power of ten that may stand on either side
    return column, unit


def _of_recipe(base: str, unit: Unit | None, system: System) -> str | None:
    name, quantity = letters(base), unit.quantity if unit else None
    is_symbol = re.fullmatch("T([ _]?[rR])?", base) is not None  # tR is a retention time
    if (
        re.fullmatch(_TEMPERATURE, name)
        or (is_symbol and quantity in (None, "temperature"))
        or (name == "tr" and quantity == "temperature")
    ):
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
        said_free = _FREE.sub(r"\1res", short) if column == system.residual else short
        if column != "temp" and said_free in {f"{c}{key}{end}" for c in ("", "c", "c0") for end in after}:
            return column
    for pattern, column in ((_MONOMER, system.targets[0]), (_INITIATOR, system.targets[1])):
        if re.fullmatch(pattern, name):
            return column
    return None


# Its rows


def data_rows(table: Table) -> Iterator[int]:
    """Rows below the names up to a footer or another row of names."""
    below = [row for row in table.sheet.rows if row > table.header]
    units = units_rows(table)
    first = [row for row in below[:3] if row not in units][:1] if len(table.meanings) > 1 else []
    last = max((row for row in below if _numbers_in(table, row)), default=first[0] if first else 0)
    before = table.header
    for row in below:
        if row > last:
            return
        cells = table.sheet.rows[row]
        numbers = _numbers_in(table, row)
        if not numbers and row - table.sheet.end_of(before) > 1 and before != table.header:
            return  # a note below an empty row
        if (
            numbers
            or (before != table.header and any(not is_missing(cell) for cell in cells))
            or (row not in units and _is_spoilt(table, row))
        ):
            before = row
            yield row
        elif not numbers and row - table.header > 3 and before == table.header:
            return


def rows_apart(table: Table, system: System) -> list[int]:
    """Rows with numbers that are not read: below the table behind a note, or of another table above it."""
    read = {*data_rows(table), *units_rows(table)}
    least = min((_numbers_in(table, row) for row in read if _numbers_in(table, row)), default=1)
    below = [
        row
        for row, cells in table.sheet.rows.items()
        if row > max(table.header, 0) and row not in read
        if _numbers_in(table, row) >= least or sum(map(is_number, cells)) > 1
    ]
    above = Sheet(table.sheet.place, {row: cells for row, cells in table.sheet.rows.items() if row < table.header})
    other = _named(above, above.rows, system)
    return [*(data_rows(other) if other and len(other.names) > 1 else ()), *below]


def _is_spoilt(table: Table, row: int) -> bool:
    """Whether a row right below the names has a text that is no unit where a number belongs."""
    cells = [said(cell_at(table, row, at)) for at in table.meanings]
    texts = [cell for cell in cells if not is_missing(cell)]
    return bool(texts) and len(table.sheet.rows[row]) >= len(table.names) / 2


def units_rows(table: Table) -> list[int]:
    """Rows right below the names that hold nothing but units."""
    after = [row for row in table.sheet.rows if row > table.header][:2]
    return [
        row for row in after if not any(map(is_number, table.sheet.rows[row])) and _only_units(table.sheet.rows[row])
    ]


def _only_units(cells: Sequence[Cell]) -> bool:
    texts = [said(cell) for cell in cells if not is_missing(cell)]
    texts = texts[1:] if len(texts) > 1 and letters(texts[0]) in _UNITS else texts
    return bool(texts) and all(unit_of(text) for text in texts)


def units_below(table: Table) -> dict[int, Unit]:
    """Units in a row of their own below the names, by the position of their column.

    Raises:
        InputError: One is none of the quantity of its column, or another than that in its name.
    """
    rows = units_rows(table)
    cells = table.sheet.rows[rows[0]] if rows else []
    found = {at: unit for at, cell in enumerate(cells) if (unit := unit_of(said(cell)))}
    for at, unit in found.items():
        column, named = table.meanings.get(at, ("", None))
        if not column:
            continue
        place = f"{table.sheet.place}, row {rows[0]}: the unit {unit.name} below {table.names[at]!r}"
        if _with_quantity(column, unit) is None:
            raise InputError(
                f"{place} is none of {column}; its units are {', '.join(units_of(quantity_of(column)))}; does each "
                "unit stand below its name?"
            )
        if named not in (None, unit):
            raise InputError(f"{place} is another than that in the name; needs one of them")
    return found


def _numbers_in(table: Table, row: int) -> int:
    return sum(_is_value(cell_at(table, row, at)) for at in table.meanings)


def cell_at(table: Table, row: int, at: int) -> Cell:
    """A cell of a table, empty behind the end of its row."""
    cells = table.sheet.rows[row]
    return cells[at] if at < len(cells) else ""
