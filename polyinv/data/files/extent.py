"""Extent of a workbook: how much it unpacks to and how far its sheets reach, told before a reader makes room for it.

A reader takes memory for the rectangle around all cells, so that a blank in the last row of a sheet takes gigabytes.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from polyinv.errors import InputError

MOST_BYTES = 200_000_000
"""Of a workbook when unpacked."""
MOST_CELLS = 12_000_000
"""Of the rectangle around all cells of a sheet: 100 000 rows of a table with a curve."""
CHUNK = 1 << 20
"""Bytes that are looked at together."""
LONGEST = 400
"""Bytes of the tag of a cell, which must not be missed between two chunks."""
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What an archive raises that is cut, changed, packed in an unknown way, or encrypted."""
CELL = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,7})(\d{1,10})"[^>]*?(/?)>')
REPEATED = re.compile(rb"<table:table-(row|cell)\b([^>]*)>")
TIMES = re.compile(rb'number-(?:rows|columns)-repeated="(\d+)"')


def check_extent(path: Path) -> None:
    """Refuse a workbook that is too large to read.

    Raises:
        InputError: Says how large it is; of a cell far away which one.
    """
    try:
        status = path.stat()
        _check(path, status.st_size, status.st_mtime_ns)
    except DAMAGED as error:
        raise InputError(f"{path} is not an Excel workbook: {error}") from None


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
        for part in parts:
            if part.filename == "content.xml":
                _check_repeated(path, archive, part)
            elif part.filename.endswith(".xml"):  # a sheet may lie under any name
                _check_sheet(path, archive, part)


def _check_sheet(path: Path, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    low, high = [2**62, 2**62], [0, 0]
    for chunk in _chunks(archive, part):
        for letters, digits, empty in CELL.findall(chunk):
            if empty:  # a format, and nothing in it
                continue
            at = int(digits), _number(letters)
            for axis in (0, 1):
                low[axis], high[axis] = min(low[axis], at[axis]), max(high[axis], at[axis])
        if high[0] and (high[0] - low[0] + 1) * (high[1] - low[1] + 1) > MOST_CELLS:
            raise InputError(
                f"{path} reaches to row {high[0]} and column {high[1]} of {part.filename}; workbooks are read up to "
                f"{MOST_CELLS:.3g} cells, the empty ones between included: delete what stands far away"
            )


def _check_repeated(path: Path, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """As `_check_sheet`, of an OpenDocument sheet, whose cells say how often they are repeated."""
    cells, rows = 0, 1
    for chunk in _chunks(archive, part):
        for kind, attributes in REPEATED.findall(chunk):
            times = TIMES.search(attributes)
            count = int(times[1]) if times else 1
            if kind == b"row":
                rows = count
            elif b"value" in attributes:
                cells += rows * count
        if cells > MOST_CELLS:
            raise InputError(
                f"{path} repeats its cells {cells:.3g} times; workbooks are read up to {MOST_CELLS:.3g} cells"
            )


def _chunks(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """A file of an archive in pieces that overlap by the length of a tag; more than it says it holds is refused."""
    with archive.open(part) as file:
        before = b""
        while read := file.read(CHUNK):
            yield before + read
            before = read[-LONGEST:]


def _number(letters: bytes) -> int:
    """Number of a column, from 1.

    Example:
        >>> _number(b"A"), _number(b"XFD")
        (1, 16384)
    """
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number
