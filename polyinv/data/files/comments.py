"""Lines that begin with the sign of a comment, and may be rows all the same: ``#2;25000``, ``//server/a``."""

from collections.abc import Callable
from dataclasses import replace

from polyinv.data.files.cells import Rows, Sheet, said
from polyinv.data.files.numbers import Cell
from polyinv.data.files.text import COMMENTS

_SIGNS = "".join(sorted({*"".join(COMMENTS)}))


def without_sign(cells: list[Cell]) -> list[Cell]:
    """Cells of a comment without its sign.

    Example:
        >>> without_sign(["# temp", "Mn"]), without_sign(["#", "temp", "Mn"])
        (['temp', 'Mn'], ['temp', 'Mn'])
    """
    texts = [said(cell) for cell in cells]
    texts[0] = texts[0].lstrip(_SIGNS + " ")
    return [*(texts if texts[0] else texts[1:])]


def with_signed_rows(sheet: Sheet, is_row: Callable[[int, list[Cell]], bool], *, alone: bool) -> Sheet:
    """A sheet with comments as rows that are rows but for their sign: one that has no blank behind it.

    Both these rows and those that are left out become warnings: the sign alone does not say which is meant.

    Args:
        sheet: With comments.
        is_row: Whether cells, with the sign or without, are those of a row.
        alone: Whether there are no other rows; a blank behind the sign then counts for nothing.
    """
    whole = {row: cells for row, cells in sheet.comments.items() if is_row(row, cells)}
    bare = [row for row, cells in sheet.comments.items() if row not in whole and is_row(row, without_sign(cells))]
    taken = {row: cells for row, cells in whole.items() if alone or _is_name(said(cells[0]))}
    left = sorted({*whole, *bare} - {*taken})
    if not taken and not left:
        return sheet
    comments = {row: cells for row, cells in sheet.comments.items() if row not in taken}
    rows = dict(sorted((sheet.rows | taken).items()))
    return replace(sheet, rows=rows, comments=comments, warnings=(*sheet.warnings, *_said(taken, left, sheet)))


def _is_name(text: str) -> bool:
    """Whether a text begins with the sign of a comment as names do: with no blank behind it."""
    rest = text.lstrip(_SIGNS)
    return text in COMMENTS or (bool(rest) and not rest[0].isspace())


def _said(taken: Rows, left: list[int], sheet: Sheet) -> list[str]:
    warnings = []
    if taken:
        first = min(taken)
        warnings.append(
            f"row {first} begins with {said(taken[first][0])!r} and is read as a row ({len(taken)} such), as it has "
            "numbers where the others have them; delete it, or write a blank behind the sign, if it is a comment"
        )
    if left:
        warnings.append(
            f"row {left[0]} begins with {said(sheet.comments[left[0]][0])!r} and is left out as a comment ({len(left)} "
            "such), though it has numbers where the others have them; write its first cell without the sign if not"
        )
    return warnings
