"""Extent of a workbook: how much it unpacks to and how far its sheets reach, told before a reader makes room for it.

A reader takes memory for the rectangle around all cells, so that a blank in the last row of a sheet takes gigabytes.
"""

import zipfile
from functools import lru_cache
from pathlib import Path, PurePosixPath

from polyinv.data.files.parts import DAMAGED, MOST_BYTES, local, parse
from polyinv.errors import InputError, one_line

MOST_CELLS = 12_000_000
"""Of the rectangle from the first cell of a sheet to the last that holds something: 100 000 rows with a curve."""
MOST_SHEETS = 4
"""Times as many cells all sheets together may reach over."""
OPEN_DOCUMENT = "content.xml"
"""Where an OpenDocument has all its sheets."""
HOLDING = ("value", "value-type", "string-value", "date-value", "time-value", "boolean-value", "formula")
"""Attributes of an OpenDocument cell that is not empty."""


def check_extent(path: Path) -> None:
    """Refuse a workbook that is too large to read.

    Raises:
        InputError: Says how large it is; of a cell far away which one.
    """
    try:
        status = path.stat()
        _check(path, status.st_size, status.st_mtime_ns)
    except DAMAGED as error:
        raise InputError(f"{path} is not an Excel workbook: {one_line(error)}") from None


@lru_cache(maxsize=16)
def _check(path: Path, size: int, changed: int) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        unpacked = sum(each.file_size for each in parts)
        if unpacked > MOST_BYTES:
            raise InputError(
                f"{path} unpacks to {unpacked / 1e6:.0f} MB; workbooks are read up to {MOST_BYTES / 1e6:.0f} MB"
            )
        names = _names_of_sheets(archive)
        cells = 0
        for part in parts:  # a sheet may lie under any name
            try:
                cells += _cells(path, archive, part)
            except DAMAGED as error:
                if PurePosixPath(part.filename).name.lower() in names:
                    raise InputError(
                        f"{path} is a damaged workbook: {part.filename}: {one_line(error)}; save it anew"
                    ) from None
    if cells > MOST_SHEETS * MOST_CELLS:
        raise InputError(
            f"{path} has sheets that reach over {cells:.3g} cells, the empty ones between included; workbooks are read "
            f"up to {MOST_SHEETS * MOST_CELLS:.3g}: delete what stands far away"
        )


def _names_of_sheets(archive: zipfile.ZipFile) -> set[str]:
    """Names, without folders, of all that may be a sheet."""
    names = {OPEN_DOCUMENT}

    def start(_: str, attributes: dict[str, str]) -> None:
        names.add(PurePosixPath(attributes.get("Target", "").lower()).name)

    for part in archive.infolist():
        if part.filename.lower().endswith("workbook.xml.rels"):
            parse(archive, part, start)
    return names


def _cells(path: Path, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> int:
    """Cells of the rectangle that a part reaches over, if it is a sheet."""
    reach = Reach(str(path), part.filename)
    if part.filename == OPEN_DOCUMENT:
        reader = OpenDocumentCells(reach)
        parse(archive, part, reader.start, reader.end)
    sheet = SheetCells(reach)
    parse(archive, part, sheet.start)
    if sheet.unplaced:
        sheet = SheetCells(reach, counts=True)
        parse(archive, part, sheet.start, sheet.end)
    return reach.cells


class Reach:
    """How far the cells of a part reach that hold something."""

    def __init__(self, place: str, part: str) -> None:
        self.place, self.part = place, part
        self.rows = self.columns = self.cells = 0

    def take(self, row: int, column: int) -> None:
        """Take a cell that holds something, by its numbers.

        Raises:
            InputError: It is too far away.
        """
        self.rows, self.columns = max(self.rows, row), max(self.columns, column)
        self.cells = self.rows * self.columns
        if self.cells > MOST_CELLS:
            raise InputError(
                f"{self.place} reaches to row {self.rows} and column {self.columns} of {self.part}; workbooks are read "
                f"up to {MOST_CELLS:.3g} cells, the empty ones between included: delete what stands far away"
            )


class SheetCells:
    """Cells of an Excel sheet.

    Args:
        reach: Takes those that hold something.
        counts: Whether cells that do not say where they stand are counted, which takes the ends of rows, too.
    """

    def __init__(self, reach: Reach, *, counts: bool = False) -> None:
        self.reach, self.counts, self.unplaced = reach, counts, False
        self.row, self.column = 1, 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the start of an element."""
        if ":" in name:
            name = local(name)
        if name in ("v", "is"):
            if self.row > self.reach.rows or self.column > self.reach.columns:
                self.reach.take(self.row, self.column)
        elif name == "c":
            if "r" in attributes:
                letters = attributes["r"].rstrip("0123456789")
                self.row, self.column = _count(attributes["r"][len(letters) :], self.row), _number(letters)
            elif self.counts:
                self.column += 1
            else:
                self.unplaced, self.row, self.column = True, 0, 0
        elif name == "row":
            self.row = _count(attributes.get("r"), self.row)

    def end(self, name: str) -> None:
        """Take the end of an element."""
        if local(name) == "row":
            self.row, self.column = self.row + 1, 0


class OpenDocumentCells:
    """Cells of the sheets of an OpenDocument, which say how often they are repeated."""

    def __init__(self, reach: Reach) -> None:
        self.reach, self.depth = reach, 0
        self.row, self.times, self.column = 0, 1, 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the start of an element."""
        name = local(name)
        if name == "table":
            self.depth += 1
        elif name == "table-row":
            self.row, self.column = self.row + self.times, 0
            self.times = self._repeated("rows", attributes)
        elif name in ("table-cell", "covered-table-cell"):
            self.column += self._repeated("columns", attributes)
            if any(local(key) in HOLDING for key in attributes):
                self.reach.take(self.row + self.times - 1, self.column)

    def end(self, name: str) -> None:
        """Take the end of an element."""
        if local(name) == "table":
            self.depth -= 1
            if not self.depth:
                self.row, self.times, self.column = 0, 1, 0

    def _repeated(self, what: str, attributes: dict[str, str]) -> int:
        stated = (value for key, value in attributes.items() if local(key) == f"number-{what}-repeated")
        return _count(next(stated, None), 1)


def _count(text: str | None, otherwise: int) -> int:
    """A count that an attribute states; what it is otherwise, if it states none."""
    try:
        return int(text) if text else otherwise
    except ValueError:
        return otherwise


@lru_cache(maxsize=1 << 15)
def _number(letters: str) -> int:
    """Number of a column, from 1; 0 of what is none.

    Example:
        >>> _number("A"), _number("xfd"), _number("§")
        (1, 16384, 0)
    """
    number = 0
    for letter in letters[:8].upper() if letters.isascii() and letters.isalpha() else "":
        number = 26 * number + ord(letter) - 64
    return number
