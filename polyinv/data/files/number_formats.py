"""Cells of a workbook that are shown in per cent: 0.45 in one of them is 45 % to who looks at it."""

import itertools
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from polyinv.data.files.cells import Rows, said
from polyinv.data.files.extent import OpenDocumentCells, Reach, SheetCells
from polyinv.data.files.numbers import Cell, is_missing, is_number
from polyinv.data.files.parts import local, parse, told_if_damaged
from polyinv.data.files.plus_minus import says_error
from polyinv.data.files.units import has_percent

PER_CENT = {"9", "10"}
"""Formats of Excel that every workbook has: ``0%`` and ``0.00%``."""
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
"""Parts of a format that are shown as they stand."""


def in_per_cent(path: Path, sheet: str) -> set[tuple[int, int]]:
    """Row and column, counted from 1 and 0, of the cells of a sheet whose format is one of per cent.

    Raises:
        InputError: The workbook is damaged.
    """
    with told_if_damaged(path):
        return _in_per_cent(path, sheet) if zipfile.is_zipfile(path) else set()


def _in_per_cent(path: Path, sheet: str) -> set[tuple[int, int]]:
    with zipfile.ZipFile(path) as archive:
        parts = {part.filename: part for part in archive.infolist()}
        if "content.xml" in parts:
            open_cells = _OpenDocumentCells(sheet)
            parse(archive, parts["content.xml"], open_cells.start, open_cells.end)
            return open_cells.found
        part = sheet_part(archive, sheet)
        styles = _styles(archive, parts["xl/styles.xml"]) if part and "xl/styles.xml" in parts else set()
        if not part or not styles:
            return set()
        cells = _SheetCells(styles)
        parse(archive, part, cells.start, cells.end)
        return cells.found


def sheet_part(archive: zipfile.ZipFile, sheet: str) -> zipfile.ZipInfo | None:
    """The part of an Excel workbook that holds a sheet."""
    parts = {part.filename: part for part in archive.infolist()}
    named: dict[str, str] = {}
    targets: dict[str, str] = {}

    def take_name(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "sheet" and attributes.get("name") == sheet:
            named.update({local(key): value for key, value in attributes.items()})

    def take_target(_: str, attributes: dict[str, str]) -> None:
        targets[attributes.get("Id", "")] = attributes.get("Target", "")

    for each, start in (("xl/workbook.xml", take_name), ("xl/_rels/workbook.xml.rels", take_target)):
        if each in parts:
            parse(archive, parts[each], start)
    target = targets.get(named.get("id", ""), "")
    return parts.get(target.lstrip("/")) or parts.get(f"xl/{target}")


def _styles(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> set[str]:
    """Numbers of the styles of cells whose format is one of per cent."""
    formats = set(PER_CENT)

    def define(within: list[str], attributes: dict[str, str]) -> None:
        if within[-1] == "numFmt" and "%" in _LITERAL.sub("", attributes.get("formatCode", "")):
            formats.add(attributes.get("numFmtId", ""))

    return styles_of_cells(archive, part, define, lambda style: style.get("numFmtId") in formats)


def styles_of_cells(
    archive: zipfile.ZipFile,
    part: zipfile.ZipInfo,
    define: Callable[[list[str], dict[str, str]], None],
    holds: Callable[[dict[str, str]], bool],
) -> set[str]:
    """Numbers of the styles of cells that hold something, as cells refer to them.

    Args:
        archive: The workbook.
        part: That of its styles.
        define: Is told every element, by the names of those that it lies in and its own, and its attributes.
        holds: Whether a style of cells is one, by its attributes; asked after what it refers to has been told.
    """
    found: set[str] = set()
    within: list[str] = []
    count = itertools.count()

    def start(name: str, attributes: dict[str, str]) -> None:
        within.append(local(name))
        if within[-2:] == ["cellXfs", "xf"]:
            number = next(count)
            if holds(attributes):
                found.add(str(number))
        else:
            define(within, attributes)

    def end(_: str) -> None:
        within.pop()

    parse(archive, part, start, end)
    return found


class _SheetCells(SheetCells):
    def __init__(self, styles: set[str]) -> None:
        super().__init__(Reach("", ""), counts=True)
        self.styles = styles
        self.found: set[tuple[int, int]] = set()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        super().start(name, attributes)
        if attributes.get("s") in self.styles and local(name) == "c":
            self.found.add((self.row, self.column - 1))


class _OpenDocumentCells(OpenDocumentCells):
    def __init__(self, sheet: str) -> None:
        super().__init__(Reach("", ""))
        self.sheet, self.here = sheet, False
        self.found: set[tuple[int, int]] = set()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        before = self.column
        super().start(name, attributes)
        plain = {local(key): value for key, value in attributes.items()}
        if local(name) == "table":
            self.here = plain.get("name") == self.sheet
        elif self.here and local(name) == "table-cell" and plain.get("value-type") == "percentage":
            self.found |= {
                (self.row + row, column) for row in range(self.times) for column in range(before, self.column)
            }


# What they hold


def with_per_cent(rows: Rows, cells: set[tuple[int, int]]) -> tuple[Rows, set[tuple[int, int]]]:
    """Rows in which cells that are shown in per cent hold what their column, by its name, is in.

    Below a name in per cent this is the number that is shown, below one of errors a text with the sign, and a share
    below any other.

    Args:
        rows: With shares in those cells, as workbooks hold them.
        cells: Row and column of those that are shown in per cent.

    Returns:
        The rows; the cells that hold shares still.
    """
    if not cells:
        return rows, set()
    found: Rows = {}
    shares: set[tuple[int, int]] = set()
    above: dict[int, str] = {}
    for row, line in rows.items():
        if not any(map(is_number, line)):
            above |= {at: said(cell) for at, cell in enumerate(line) if not is_missing(cell)}
        found[row] = [*line]
        for at, value in enumerate(line):
            if (row, at) in cells and isinstance(value, float):
                names = [above.get(at, ""), *(cell for cell in line[:1] if isinstance(cell, str))]
                found[row][at] = shown = _as_named(value, names)
                if shown is value:
                    shares.add((row, at))
    return found, shares


def _as_named(share: float, names: Sequence[str]) -> Cell:
    """A share as what may name it has it: the text above it, and the first of its row."""
    shown = f"{100 * share:.15g}"
    if any(map(has_percent, names)):
        return float(shown)
    return f"{shown}%" if any(says_error(name) is not None for name in names) else share
