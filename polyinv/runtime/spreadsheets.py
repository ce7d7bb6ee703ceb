"""Workbooks that are written, and text of others in them, some of which a spreadsheet takes for a formula."""

import contextlib
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pandas.api.types import is_object_dtype, is_string_dtype

from polyinv.runtime.files import naming_place, passing_folder, written

if TYPE_CHECKING:
    from openpyxl import Workbook

EXECUTED = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that spreadsheets execute [OWASP, CSV injection]."""
QUOTE = "'"
"""What makes text of it."""
UNWRITTEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""What no workbook holds, no UTF-8 has, or a terminal obeys."""
LONGEST = 32_000
"""Characters of a cell; workbooks take 32 767."""


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
    """Put a quote before text that a spreadsheet would execute, and ? for what it cannot hold; what is no text stays.

    Example:
        >>> harmless("=1+1"), harmless("-3.5"), harmless("BA-01")
        ("'=1+1", '-3.5', 'BA-01')
    """
    if not isinstance(text, str):
        return text
    text = UNWRITTEN.sub("?", text[:LONGEST])
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
        column = table.iloc[:, at]
        changed = {text: safe for text in column.unique() if (safe := harmless(text)) is not text and safe != text}
        if changed:
            table.isetitem(at, column.map(lambda text, changed=changed: changed.get(text, text)))
    return table


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table whose text is harmless in the place of an older one."""
    with written(path, overwrite=True) as passing:
        harmless_table(table).to_csv(passing, index=False, lineterminator="\n")
