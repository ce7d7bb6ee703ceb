"""Files of any format as sheets of cells; which format it is, is told by what is in them."""

from pathlib import Path

from polyinv.data.files.cells import Book, Sheet
from polyinv.data.files.jcamp import is_jcamp, jcamp_sheets
from polyinv.data.files.reptate import is_gpc, with_names
from polyinv.data.files.text import decoded, text_sheet
from polyinv.data.files.workbooks import ENDINGS, SIGNATURES, read_workbook
from polyinv.errors import InputError
from polyinv.runtime.files import check_file

MOST_BYTES = 20_000_000
"""Of a text file. A curve has some thousand points; a table with the names of polyinv may be of any size."""


def read_book(path: Path | str, sheet: str | None = None) -> Book:
    """Read the cells of a file; its format is told by what is in it, not by its ending.

    Args:
        path: Text, or a workbook.
        sheet: Of a workbook, the only one to read; it may be a hidden one.

    Raises:
        InputError: It is not there, is too large, is neither text nor a workbook, or has no such sheet.
    """
    path = Path(path)
    check_file(path)
    with path.open("rb") as file:
        start = file.read(1000)
    if _is_markup(start):
        raise InputError(
            f"{path} holds HTML or XML, no columns; open it in a spreadsheet program and save it as .xlsx or .csv"
        )
    if start.startswith(SIGNATURES) or (path.suffix.lower() in ENDINGS and not _is_text(start)):
        return read_workbook(path, sheet)
    if sheet is not None:
        raise InputError(f"{path} has no sheets; only a workbook (.xlsx, .xls, .ods) has")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise InputError(
            f"{path} has {size / 1e6:.0f} MB; a curve has some thousand points, and text up to {MOST_BYTES / 1e6:.0f} "
            "MB is read (a table with commas and polyinv's own names of columns may be larger)"
        )
    return Book(path, sheets_of_text(decoded(path.read_bytes(), str(path)), str(path)))


def _is_text(start: bytes) -> bool:
    """Whether a file that begins so is text, as what some programs call .xls."""
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    return wide or (b"\n" in start and all(byte >= 32 or byte in b"\t\n\r\f" for byte in start))


def _is_markup(start: bytes) -> bool:
    return (
        start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith((b"<html", b"<!doctype", b"<?xml", b"<table"))
    )


def sheets_of_text(text: str, place: str) -> list[Sheet]:
    """Cells of a text, by its form: JCAMP-DX, RepTate's .gpc, or columns.

    Raises:
        InputError: It cannot be read.
    """
    if is_jcamp(text):
        return jcamp_sheets(text, place)
    return [text_sheet(with_names(text) if is_gpc(text) else text, place)]
