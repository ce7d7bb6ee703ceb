"""Text files as cells: their encoding, their separator, their comments."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from polyinv.data.files.cells import Rows, Sheet
from polyinv.data.files.names import known
from polyinv.data.files.numbers import is_missing, is_number
from polyinv.errors import InputError

ENCODINGS = ["cp1252", "cp850", "mac_roman"]
"""Of text that is not UTF-8: Windows, DOS and old Macintosh computers of Western Europe."""
SEPARATORS = (";", "\t", "|", " ", ",")
COMMENTS = ("#", "//", "%", "!")
MOST_LINES = 100_000
"""Of a text; a curve has some thousand points."""
MOST_CHARACTERS = 100_000
"""Of a line."""
MOST_OF_A_CELL = 30
"""Lines of a cell in quotation marks."""
LOOKED_AT = 2000
"""Lines by which the separator is told."""
_BLANKS = re.compile(" *")
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\x00\x00": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def decoded(content: bytes, place: str) -> str:
    """Decode bytes to text.

    Raises:
        InputError: They are no text.
    """
    for encoding in _encodings(content):
        try:
            text = content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\0" not in text:
            return text.removeprefix("\ufeff")
    raise InputError(
        f"{place} is neither text nor a workbook; a curve or a table is read from text, .xlsx, .xls or .ods"
    )


def _encodings(content: bytes) -> Iterable[str]:
    marked = next((encoding for mark, encoding in _BOMS.items() if content.startswith(mark)), None)
    if marked:
        yield marked
        return
    yield "utf-8"
    start = content[:2000]
    if b"\0" in start:  # two bytes a character, without a mark
        yield "utf-16-le" if start[1::2].count(0) >= start[::2].count(0) else "utf-16-be"
        return
    from charset_normalizer import from_bytes

    accented = b"\n".join(line for line in content[:200_000].splitlines() if any(byte > 127 for byte in line))
    best = from_bytes(accented, cp_isolation=ENCODINGS).best()
    if best is not None and _letters_win(accented, best.encoding):
        yield best.encoding
    yield from ENCODINGS


def _letters_win(content: bytes, encoding: str) -> bool:
    """Whether an encoding makes more letters of the bytes than that of Windows does."""
    usual = set("äöüÄÖÜßáéíóúñÁÉÍÓÚÑàâçèêëîïôùûœ°µ²³·±×Đđ–−’“”„«»")
    found = [sum(char in usual for char in content.decode(each, "replace")) for each in (encoding, "cp1252")]
    return found[0] > found[1]


def text_sheet(text: str, place: str) -> Sheet:
    """Split text into cells.

    Raises:
        InputError: It cannot be, or is too long.
    """
    whole = re.split(r"\r\n|\r|\n|\f", text.replace("\N{MINUS SIGN}", "-"))
    if len(whole) > MOST_LINES:
        raise InputError(
            f"{place} has {len(whole)} lines; a curve has some thousand points, and text up to {MOST_LINES} lines is "
            "read (a table with commas and polyinv's own names of columns may be longer)"
        )
    if (longest := max(map(len, whole))) > MOST_CHARACTERS:
        raise InputError(
            f"{place} has a line of {longest} characters; a row has some dozens of cells, and lines of up to "
            f"{MOST_CHARACTERS} characters are read"
        )
    lines = {row: line.rstrip(" ") for row, line in enumerate(whole, 1) if line.strip(" \t;,|\f\x1a")}
    separator = None
    if lines and (told := re.fullmatch(r'"?sep=(.)"?', next(iter(lines.values())).strip(), re.IGNORECASE)):
        separator = told[1]
        del lines[next(iter(lines))]
    comments = {row for row, line in lines.items() if line.lstrip().startswith(COMMENTS)}
    if separator is None:
        separator = _separator([line for row, line in lines.items() if row not in comments][:LOOKED_AT])
    rows: Rows = {}
    noted: Rows = {}
    last: dict[int, int] = {}
    for numbers, line in _records(lines, separator):
        cells = cells_of(line, separator)
        if cells:
            (noted if numbers[0] in comments else rows)[numbers[0]] = [*cells]
            last |= {numbers[0]: numbers[-1]} if len(numbers) > 1 else {}
    return Sheet(place, rows, noted, separator=separator, lines=lines if separator == " " else {}, last=last)


def _separator(lines: list[str]) -> str:
    """The separator of a text: what stands in every line of numbers, else what makes most numbers of them."""
    for separator in ("\t", ";"):
        held = sum(separator in line for line in lines)
        alone = sum(_alone(line, separator) for line in lines)
        if held > 0.9 * len(lines) or alone > 0.5 * max(len(lines) - 60, 10):
            return separator
    fits = {each: _fit(lines, each) for each in SEPARATORS}
    best = max(fits, key=lambda each: fits[each])
    others = {each: fit for each, fit in fits.items() if each != " "}
    other = max(others, key=lambda each: others[each])
    # blanks stand within names and samples as well: they part columns if nothing else parts numbers as well as they do
    return other if best == " " and others[other].beyond and fits[" "].alone <= others[other].alone else best


def _alone(line: str, separator: str) -> bool:
    cells = cells_of(line, separator)
    return sum(map(is_number, cells)) > 1 and all(is_number(cell) or is_missing(cell) for cell in cells)


class _Fit(NamedTuple):
    """Score of a separator: rows of numbers alone, numbers beyond texts in a row, names that are known, cells."""

    alone: int
    beyond: int
    names: int
    cells: int


def _fit(lines: list[str], separator: str) -> _Fit:
    split = [cells_of(line, separator) for line in lines]
    numbers = [sum(map(is_number, cells)) for cells in split]
    alone = sum(
        count > 1 and all(is_number(cell) or is_missing(cell) for cell in cells)
        for count, cells in zip(numbers, split, strict=True)
    )
    widths = Counter(len(cells) for cells in split if len(cells) > 1)
    names = max((known(cells) for cells in split[:200] if separator != " "), default=0)
    beyond = sum(max(2 * n - len(cells), 0) for n, cells in zip(numbers, split, strict=True) if n > 1)
    return _Fit(alone, beyond, names, max(widths.values(), default=0))


def cells_of(line: str, separator: str) -> list[str]:
    """Split a line into cells; those at its end that are empty are left out.

    A quotation mark counts at the beginning of a cell only, and if its second one ends the cell: inches are text.

    Example:
        >>> cells_of('"1,5", "2,5",,', ","), cells_of("  3.0   0.5", " "), cells_of('70;2" column', ";")
        (['1,5', '2,5'], ['3.0', '0.5'], ['70', '2" column'])
    """
    line = " ".join(line.split()) if separator == " " else line.strip(" ")
    cells = [*_apart(line, separator)] if '"' in line else line.split(separator)
    cells = [cell.strip(" \t\u00a0'") if separator != "\t" else cell.strip(" \u00a0'") for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _apart(line: str, separator: str) -> Iterator[str]:
    """The cells of a line, those in quotation marks without them."""
    for begin, end, quoted in _cells(line, separator):
        yield line[begin + 1 : end].replace('""', '"') if quoted else line[begin:end]


def _cells(line: str, separator: str) -> Iterator[tuple[int, int, bool]]:
    """Where the cells of a line begin and end, and whether they stand in quotation marks."""
    start = 0
    while start <= len(line):
        begin = _past_blanks(line, start)
        closing = _closing(line, begin)
        behind = _past_blanks(line, closing + 1)
        if begin < closing < len(line) and line[behind : behind + 1] in (separator, ""):
            yield begin, closing, True
            start = behind + 1
        else:
            found = line.find(separator, start)
            end = found if found >= 0 else len(line)
            yield begin, end, False
            start = end + 1


def _closing(line: str, begin: int) -> int:
    """The second quotation mark of a cell: the length of the line if it has none, -1 if it has no first one."""
    if line[begin : begin + 1] != '"':
        return -1
    at = begin
    while (at := line.find('"', at + 1)) >= 0:
        if line[at + 1 : at + 2] != '"':
            return at
        at += 1  # two of them are one in the text
    return len(line)


def _past_blanks(line: str, start: int) -> int:
    return _BLANKS.match(line, start).end() if start <= len(line) else start  # type: ignore[union-attr]


def _records(lines: dict[int, str], separator: str) -> Iterator[tuple[list[int], str]]:
    """Lines and their numbers; those that a cell in quotation marks goes on in are one."""
    numbers, texts = [*lines], [*lines.values()]
    at = 0
    while at < len(texts):
        whole, count = texts[at], 1
        if separator != " " and '"' in whole and not whole.lstrip().startswith(COMMENTS):
            whole, count = _whole(texts[at : at + MOST_OF_A_CELL], separator)
        yield numbers[at : at + count], whole
        at += count


def _whole(lines: list[str], separator: str) -> tuple[str, int]:
    """The first line with those in which its last cell goes on, and how many; alone, if what is below are rows."""
    whole, count = lines[0], 1
    while (begin := _open_at(whole, separator)) is not None:
        while _closing(whole, begin) == len(whole) and count < len(lines):
            whole, count = f"{whole} {lines[count]}", count + 1
        if not any(at == begin and quoted for at, _, quoted in _cells(whole, separator)):
            return lines[0], 1
    width = max(len(cells_of(whole, separator)), 2)
    own = [len(cells_of(line, separator)) >= width for line in lines[:count]]
    return (lines[0], 1) if own[0] and any(own[1:]) else (whole, count)


def _open_at(line: str, separator: str) -> int | None:
    """Where a cell begins whose quotation mark is not closed in the line."""
    return next((begin for begin, *_ in _cells(line, separator) if _closing(line, begin) == len(line)), None)
