"""Workbooks as cells: .xlsx, .xlsm, .xls and .ods, with what is hidden, what is a formula, what is an error."""

import datetime
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

from polyinv.data.files.cells import Book, Rows, Sheet
from polyinv.data.files.extent import Reach, SheetCells, check_extent
from polyinv.data.files.merged import with_merged
from polyinv.data.files.number_formats import in_per_cent, sheet_part, with_per_cent
from polyinv.data.files.numbers import Cell
from polyinv.data.files.parts import local, parse, told_if_damaged
from polyinv.data.files.set_aside import set_aside
from polyinv.errors import InputError

SIGNATURES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx, .xlsm and .ods begin, and .xls."""
ENDINGS = (".xlsx", ".xlsm", ".xls", ".ods")


def read_workbook(path: Path, sheet: str | None = None) -> Book:
    """Read the sheets of a workbook that are shown, or one of any kind by its name.

    Raises:
        InputError: It is none, is too large, or has no such sheet.
    """
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    try:
        check_extent(path)
        with CalamineWorkbook.from_path(str(path)) as book:
            meta = [each for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
            names = [each.name for each in meta]
            hidden = [each.name for each in meta if each.visible != SheetVisibleEnum.Visible]
            if sheet is not None and sheet not in names:
                shown = ", ".join(f"{name!r} (hidden)" if name in hidden else repr(name) for name in names)
                raise InputError(f"{path} has no sheet {sheet!r}; it has {shown}")
            wanted = [sheet] if sheet is not None else [name for name in names if name not in hidden]
            sheets = [_sheet(path, book, name) for name in wanted]
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not an Excel workbook: {error}") from None
    if not sheets:
        raise InputError(
            f"{path} has no visible sheet; it has {', '.join(map(repr, names))}; --sheet takes one of them"
        )
    return Book(path, sheets, tuple(name for name in hidden if name != sheet))


def _sheet(path: Path, book: Any, name: str) -> Sheet:
    rows: Rows = {}
    page = book.get_sheet_by_name(name)
    for number, cells in enumerate(page.to_python(skip_empty_area=False), 1):
        read = [_cell(cell) for cell in cells]
        while read and read[-1] == "":
            read.pop()
        if read:
            rows[number] = read
    rows, shares = with_per_cent(rows, in_per_cent(path, name))
    place, formulas = f"{path}, sheet {name!r}", partial(_without_value, path, name)
    warnings = set_aside(path, name, rows)
    rows = with_merged(rows, getattr(page, "merged_cell_ranges", None) or [], place)
    return Sheet(place, rows, name=name, formulas=formulas, shares=frozenset(shares), warnings=warnings)


def _cell(cell: Any) -> Cell:
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, (int, float)):
        return float(cell)
    if isinstance(cell, (datetime.date, datetime.time, datetime.timedelta)):
        return str(cell)
    return " ".join(str(cell).split())


def _without_value(path: Path, name: str) -> dict[tuple[int, int], str]:
    """Cells of a sheet that hold a formula, or an error, and no value: what stands there by row and column.

    Raises:
        InputError: The workbook is damaged where its values do not tell.
    """
    if not zipfile.is_zipfile(path):
        return {}
    with told_if_damaged(path), zipfile.ZipFile(path) as archive:
        part, cells = sheet_part(archive, name), _WithoutValue()
        if part is not None:
            parse(archive, part, cells.start, cells.end, cells.text)
    return cells.found


class _WithoutValue(SheetCells):
    def __init__(self) -> None:
        super().__init__(Reach("", ""), counts=True)
        self.found: dict[tuple[int, int], str] = {}
        self.kind = self.within = ""
        self.texts: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        super().start(name, attributes)
        self.within = local(name)
        if self.within == "c":
            self.kind, self.texts = attributes.get("t", ""), {}
        elif self.within in ("f", "v"):
            self.texts[self.within] = ""

    def text(self, text: str) -> None:
        if self.within in self.texts:
            self.texts[self.within] += text

    def end(self, name: str) -> None:
        self.within = ""
        if local(name) == "c":
            at, value = (self.row, self.column - 1), self.texts.get("v", "")
            if "f" in self.texts and not value:
                formula = self.texts["f"]  # empty where it is that of another cell
                self.found[at] = f"the formula ={formula} without a value" if formula else "a formula without a value"
            elif self.kind == "e":
                self.found[at] = f"the error {value}"
        super().end(name)
