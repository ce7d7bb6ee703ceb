"""Parts of the archive that a workbook is, each streamed through a parser of XML that follows nothing outside of it."""

import copy
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.parsers import expat

from polyinv.errors import InputError, one_line

MOST_BYTES = 200_000_000
"""Of a workbook when unpacked."""
CHUNK = 1 << 20
"""Bytes that are looked at together; a tag has no more."""
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, expat.ExpatError, LookupError,
    UnicodeError,
)  # fmt: skip
"""What an archive raises that is cut, changed, packed in an unknown way, encrypted, or holds no XML."""

Start = Callable[[str, dict[str, str]], None]


def parse(
    archive: zipfile.ZipFile,
    part: zipfile.ZipInfo,
    start: Start,
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Call functions with the start and the end of each element of a part, and with its text.

    Raises:
        Exception: One of ``DAMAGED``: it is none that spreadsheet programs write; so is what declares entities.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    read = 0
    for chunk in _chunks(archive, part):
        parser.Parse(chunk)
        read += len(chunk)
        if read - parser.CurrentByteIndex > 2 * CHUNK:  # which it would begin anew with each piece
            raise expat.ExpatError(f"it has a tag of more than {CHUNK} bytes")
    parser.Parse(b"", True)


def holds(archive: zipfile.ZipFile, part: zipfile.ZipInfo, text: bytes) -> bool:
    """Whether a part has a text somewhere.

    Raises:
        Exception: One of ``DAMAGED``.
    """
    last = b""
    for chunk in _chunks(archive, part):
        if text in last + chunk:
            return True
        last = chunk[-len(text) :]
    return False


@contextmanager
def told_if_damaged(path: Path) -> Iterator[None]:
    """Refuse a workbook that cannot be read, in one line.

    Raises:
        InputError: It is one of ``DAMAGED``.
    """
    try:
        yield
    except DAMAGED as error:
        raise InputError(f"{path} is a damaged workbook: {one_line(error)}; save it anew") from None


def local(name: str) -> str:
    """Name of an element or an attribute without its prefix.

    Example:
        >>> local("x:row"), local("row")
        ('row', 'row')
    """
    return name.rpartition(":")[2]


def _refuse_doctype(*_: object) -> None:
    raise expat.ExpatError("it declares a type of document")


def _chunks(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part in pieces, all that it unpacks to, whatever it says of its size."""
    whole = copy.copy(part)
    whole.file_size = MOST_BYTES
    with archive.open(whole) as file:
        while read := file.read(CHUNK):
            yield read
        if file.tell() != part.file_size:
            raise zipfile.BadZipFile(f"{part.filename} is not of the size that it says")
