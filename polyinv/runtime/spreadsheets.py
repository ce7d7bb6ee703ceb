"""Workbooks that are written, and text of others in them, some of which a spreadsheet takes for a formula."""

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pandas.api.types import is_object_dtype, is_string_dtype

from polyinv.runtime.files import naming_place, passing_folder

if TYPE_CHECKING:
    from openpyxl import Workbook

EXECUTED = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that spreadsheets execute [OWASP, CSV injection]."""
QUOTE = "'"
"""What makes text of it."""


@contextlib.contextmanager
def workbook(path: Path) -> Iterator["Workbook"]:
    """Workbook that takes rows one after the other, and is written at the end of the block.

    openpyxl writes each sheet to a temporary file, which a killed process leaves behind, and cannot close a .xlsx file
    on a full disk; so the one goes through a folder that is removed, the other through memory.
    """
    from openpyxl import Workbook

    with passing_folder() as folder, _temporary(folder), naming_place(folder):
        book, content = Workbook(write_only=True), io.BytesIO()
        try:
            yield book
            book.save(content)
        except BaseException:
            _close(book)
            raise
    path.write_bytes(content.getbuffer())


def _close(book: "Workbook") -> None:
    """Close the sheets of a workbook that is not saved: Python would later, and complain that their files are gone."""
    for page in book.worksheets:
        with contextlib.suppress(Exception):
            page.close()


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Let a folder be the temporary one inside the block."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def harmless(text: object) -> object:
    """Put a quote before text that a spreadsheet would execute; numbers stay, and so does what is no text.

    Example:
        >>> harmless("=1+1"), harmless("-3.5"), harmless("BA-01")
        ("'=1+1", '-3.5', 'BA-01')
    """
    if not isinstance(text, str):
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # a writer of CSV does not quote the old Mac's end of a line
    if not text.lstrip(" ").startswith(EXECUTED):
        return text
    with contextlib.suppress(ValueError):
        float(text)
        return text
    return QUOTE + text


def harmless_table(table: pd.DataFrame) -> pd.DataFrame:
    """Make all text of a table harmless, the names of its columns among it."""
    table = table.rename(columns=harmless)
    of_text = [at for at, kind in enumerate(table.dtypes) if is_object_dtype(kind) or is_string_dtype(kind)]
    if not of_text:
        return table
    table = table.copy(deep=False)
    for at in of_text:
        table.isetitem(at, table.iloc[:, at].map(harmless))
    return table
