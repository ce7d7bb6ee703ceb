"""Cells of files of any format: sheets of rows, numbered as a person counts them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from polyinv.data.files.numbers import Cell
from polyinv.errors import InputError

MOST_BYTES = 20_000_000
"""Of a text file. A curve has some thousand points; a table with the names of polyinv may be of any size."""
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx, .xlsm and .ods begin, and .xls."""
TEXTS = ".csv .txt .tsv .dat .asc .prn .arw .gpc .jdx .dx .jcamp"
FORMATS = f"{TEXTS} .xlsx .xlsm .xls .ods"

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
        separator: Of a text.
        lines: Of a text whose columns are set apart by blanks, as they stand.
    """

    place: str
    rows: Rows
    comments: Rows = field(default_factory=dict)
    name: str | None = None
    notes: tuple[str, ...] = ()
    formulas: Callable[[], dict[tuple[int, int], str]] = dict
    separator: str | None = None
    lines: dict[int, str] = field(default_factory=dict)


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


def read_book(path: Path | str, sheet: str | None = None) -> Book:
    """Read the cells of a file; its format is told by what is in it, not by its ending.

    Args:
        path: Text, or a workbook.
        sheet: Of a workbook, the only one to read; it may be a hidden one.

    Raises:
        InputError: It is not there, is too large, is neither text nor a workbook, or has no such sheet.
    """
    path = Path(path)
    if path.is_dir() or not path.exists():
        raise InputError(f"{path}: no such file" if not path.exists() else f"{path} is a folder; needs a file")
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(WORKBOOKS) or path.suffix.lower() in (".xlsx", ".xlsm", ".xls", ".ods"):
        from polyinv.data.files.workbooks import read_workbook

        return read_workbook(path, sheet)
    if sheet is not None:
        raise InputError(f"{path} has no sheets; only a workbook (.xlsx, .xls, .ods) has")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise InputError(
            f"{path} has {size / 1e6:.0f} MB; a curve has some thousand points, and text up to {MOST_BYTES / 1e6:.0f} "
            "MB is read (a table with commas and polyinv's own names of columns may be larger)"
        )
    from polyinv.data.files.recognise import sheet_of_text
    from polyinv.data.files.text import decoded

    return Book(path, sheet_of_text(decoded(path.read_bytes(), str(path)), str(path)))


def width_of(rows: Rows) -> int:
    """Cells of the longest row."""
    return max(map(len, rows.values()), default=0)


def said(cell: Cell) -> str:
    """A cell as text, numbers as short as they can be written."""
    return cell.strip() if isinstance(cell, str) else re.sub(r"\.0$", "", repr(cell))
