"""Merged cells: what a person sees over several rows holds for each of them, and the file has it in the first alone."""

import logging
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from polyinv.data.files.cells import Rows, said
from polyinv.data.files.numbers import is_missing, is_number

Range = tuple[tuple[int, int], tuple[int, int]]
"""Row and column, counted from 0, of the first and the last cell."""

log = logging.getLogger(__name__)


def with_merged(rows: Rows, ranges: Sequence[Range], place: str) -> Rows:
    """Rows in which cells that are merged over several rows of numbers, below a name, stand in each of them.

    Merged names and titles are left as they are, and so are rows without a number of their own. A number that is merged
    over several columns is read in the first, which is said.

    Args:
        rows: As the file has them.
        ranges: Those that are merged.
        place: Of the sheet, for what is said.
    """
    if not ranges:
        return rows
    numbers = [row for row, line in rows.items() if any(map(is_number, line))]
    names = _first_names(rows, set(numbers))
    wanted = [each for each in ranges if _holds(rows, each, numbers) and names.get(each[0][1], math.inf) <= each[0][0]]
    found = {row: [*line] for row, line in rows.items()}
    for (top, left), (bottom, right) in wanted:
        value = rows[top + 1][left]
        below = numbers[bisect_right(numbers, top + 1) : bisect_right(numbers, bottom + 1)]
        for row in below:
            found[row] += [""] * (left + 1 - len(found[row]))
            found[row][left] = value
        cells = f"{_letters(left)}{top + 1}:{_letters(right)}{bottom + 1}"
        if right > left and is_number(value):
            column = _letters(left)
            log.warning("%s: the merged cells %s are read as %s in column %s alone", place, cells, said(value), column)
        elif below:
            log.info("%s: the merged cells %s hold for each of their rows", place, cells)
    return found


def _first_names(rows: Rows, numbers: set[int]) -> dict[int, int]:
    """The first row that has a text in a column, among those without numbers."""
    found: dict[int, int] = {}
    for row in (row for row in rows if row not in numbers):
        for at, cell in enumerate(rows[row]):
            if not is_missing(cell):
                found.setdefault(at, row)
    return found


def _holds(rows: Rows, merged: Range, numbers: Sequence[int]) -> bool:
    """Whether merged cells hold something, in a row of numbers."""
    (top, left), _ = merged
    at = bisect_left(numbers, top + 1)
    first = rows[top + 1] if numbers[at : at + 1] == [top + 1] else []
    return left < len(first) and not is_missing(first[left])


def _letters(column: int) -> str:
    """Letters of a column that is counted from 0.

    Example:
        >>> _letters(0), _letters(27)
        ('A', 'AB')
    """
    return (_letters(column // 26 - 1) if column > 25 else "") + chr(65 + column % 26)
