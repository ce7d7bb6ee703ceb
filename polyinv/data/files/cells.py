"""Cells of files of any format: sheets of rows, numbered as a person counts them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from polyinv.data.files.numbers import Cell

Rows = dict[int, list[Cell]]
"""Cells by the number of their row."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Cells of a sheet of a workbook, or of a text file.

    Args:
        place: What it is called in errors.
        rows: Without the empty ones.
        comments: Lines of a text that are set off by a sign, as cells.
        name: Of a sheet of a workbook.
        notes: What there is to say about how it was read.
        formulas: Cells of a workbook that hold a formula without a value; looked up only when one is empty.
        shares: Row and column of cells of a workbook that are shown in per cent and hold shares.
        separator: Of a text.
        lines: Of a text whose columns are set apart by blanks, as they stand.
        last: Of a text, the last line of each row; a cell in quotation marks may go over several.
        warnings: What may be a row, or a comment, and was taken for the other.
    """

    place: str
    rows: Rows
    comments: Rows = field(default_factory=dict)
    name: str | None = None
    notes: tuple[str, ...] = ()
    formulas: Callable[[], dict[tuple[int, int], str]] = dict
    shares: frozenset[tuple[int, int]] = frozenset()
    separator: str | None = None
    lines: dict[int, str] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def end_of(self, row: int) -> int:
        """The last line of a row."""
        return self.last.get(row, row)


@dataclass(frozen=True, eq=False)
class Book:
    """Sheets of a file that are looked at, and the names of those that are not."""

    path: Path
    sheets: list[Sheet]
    hidden: tuple[str, ...] = ()

    @property
    def is_workbook(self) -> bool:
        """Whether it has sheets with names."""
        return any(sheet.name is not None for sheet in self.sheets)

    @property
    def names(self) -> str:
        """Names of all sheets, as errors list them."""
        shown = ", ".join(repr(sheet.name) for sheet in self.sheets)
        return shown + "".join(f", {name!r} (hidden)" for name in self.hidden)


def said(cell: Cell) -> str:
    """A cell as text, numbers as short as they can be written."""
    return cell.strip() if isinstance(cell, str) else re.sub(r"\.0$", "", repr(cell))
