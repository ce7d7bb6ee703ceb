"""Rows of a workbook that a person does not see, or has struck through: hidden ones, by a filter or by hand."""

import itertools
import zipfile
from collections.abc import Iterable
from pathlib import Path

from polyinv.data.files.cells import Rows
from polyinv.data.files.extent import OpenDocumentCells, Reach, SheetCells
from polyinv.data.files.number_formats import sheet_part, styles_of_cells
from polyinv.data.files.numbers import is_number
from polyinv.data.files.parts import holds, local, parse, told_if_damaged

FALSE = ("0", "false", "none", None)
"""What says that an attribute does not hold."""
MOST_REPEATED = 100_000
"""Rows that are told together; the empty ones at the end of a sheet are a million."""
LISTED = 8
"""Rows that are named."""


def set_aside(path: Path, sheet: str, rows: Rows) -> tuple[str, ...]:
    """Say which rows with numbers are hidden or struck through; they are read all the same.

    Raises:
        InputError: The workbook is damaged.
    """
    if not zipfile.is_zipfile(path):
        return ()
    with told_if_damaged(path), zipfile.ZipFile(path) as archive:
        hidden, struck = _of_archive(archive, sheet)
    return tuple(
        f"{_listed(found)} {what}, and read all the same; delete what is not to be read"
        for found, what in ((_with_numbers(hidden, rows), "hidden"), (_with_numbers(struck, rows), "struck through"))
        if found
    )


def _with_numbers(found: Iterable[int], rows: Rows) -> list[int]:
    return sorted(row for row in found if any(map(is_number, rows.get(row, []))))


def _listed(rows: list[int]) -> str:
    named = ", ".join(map(str, rows[:LISTED])) + (", …" if rows[LISTED:] else "")
    return f"rows {named} are" if rows[1:] else f"row {named} is"


def _of_archive(archive: zipfile.ZipFile, sheet: str) -> tuple[set[int], set[int]]:
    """Numbers of the rows of a sheet that are hidden, and of those with cells that are struck through."""
    parts = {part.filename: part for part in archive.infolist()}
    if "content.xml" in parts:
        open_rows = _OpenDocumentRows(sheet)
        parse(archive, parts["content.xml"], open_rows.start, open_rows.end)
        return open_rows.hidden, open_rows.struck
    part = sheet_part(archive, sheet)
    if part is None:
        return set(), set()
    styles = _struck_styles(archive, parts["xl/styles.xml"]) if "xl/styles.xml" in parts else set()
    if not styles and not holds(archive, part, b"hidden"):
        return set(), set()
    found = _SheetRows(styles)
    parse(archive, part, found.start, found.end)
    return found.hidden, found.struck


def _struck_styles(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> set[str]:
    """Numbers of the styles of cells whose font is struck through."""
    struck: set[str] = set()
    count, current = itertools.count(), [""]

    def define(within: list[str], attributes: dict[str, str]) -> None:
        if within[-2:] == ["fonts", "font"]:
            current[0] = str(next(count))
        elif within[-3:] == ["fonts", "font", "strike"] and attributes.get("val", "1") not in FALSE:
            struck.add(current[0])

    return styles_of_cells(archive, part, define, lambda style: style.get("fontId") in struck)


class _SheetRows(SheetCells):
    def __init__(self, styles: set[str]) -> None:
        super().__init__(Reach("", ""), counts=True)
        self.styles = styles
        self.hidden: set[int] = set()
        self.struck: set[int] = set()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        super().start(name, attributes)
        if attributes.get("s") in self.styles and local(name) == "c":
            self.struck.add(self.row)
        elif attributes.get("hidden") not in FALSE and local(name) == "row":
            self.hidden.add(self.row)


class _OpenDocumentRows(OpenDocumentCells):
    def __init__(self, sheet: str) -> None:
        super().__init__(Reach("", ""))
        self.sheet, self.here, self.style = sheet, False, ""
        self.styles: set[str] = set()
        self.hidden: set[int] = set()
        self.struck: set[int] = set()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        super().start(name, attributes)
        name, plain = local(name), {local(key): value for key, value in attributes.items()}
        if name == "table":
            self.here = plain.get("name") == self.sheet
        elif name == "style":
            self.style = plain.get("name", "")
        elif name == "text-properties" and plain.get("text-line-through-style") not in FALSE:
            self.styles.add(self.style)
        elif self.here and name == "table-row" and plain.get("visibility", "visible") != "visible":
            self.hidden |= self._rows()
        elif self.here and name == "table-cell" and plain.get("style-name") in self.styles:
            self.struck |= self._rows()

    def _rows(self) -> set[int]:
        return {*range(self.row, self.row + min(self.times, MOST_REPEATED))}
