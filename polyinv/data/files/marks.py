"""Marks beside standards of a calibration: which of them are used, which are left out of the fit."""

import re
import unicodedata
from collections.abc import Sequence

from polyinv.data.files.blocks import Block, Column
from polyinv.data.files.cells import said
from polyinv.data.files.names import letters
from polyinv.data.files.parameters import LineError
from polyinv.errors import quoted

_FIT = "(in|for|zur|im|dans|en|para|the|fit|calibration|kalibrierung|curve|points?|standards?)*"
_USED = re.compile(
    rf"{_FIT}(is|to)?(use|inclu[ds]e|inclui|inclus|active?|aktiv|enable|select|accept|valid|gultig|keep|fit|fitt|verwend|"
    rf"benutz|genutz|berucksichtig|usa|utiliza|utilis|retenu)(d|ed|e|t|et|en|iert|do|ado|o|r|er)?{_FIT}"
)
"""What is used, as letters: the name of a column, or a mark in it."""
_UNUSED = re.compile(
    rf"{_FIT}((do)?not?(use|in)|unused|exclu|ignor|omit|outlier|reject|discard|disabl|skip|inactiv|deactivat|mask|nicht|"
    "ausgeschl|ausreisser|verworfen|ausgelassen|descarta|rechaz|rejet|ecarte|atipic|aberrant)[a-z]*"
)
_YES = {"yes", "y", "true", "1", "x", "✓", "✔", "☑", "☒", "ok", "on", "j", "ja", "si", "s", "o", "oui", "wahr", "vrai"}
_YES |= {"verdadero", "+", "✅", "●", "■", "○", "v", "pass"}
_NO = {
    "no",
    "n",
    "false",
    "0",
    "✗",
    "✘",
    "☐",
    "off",
    "nein",
    "non",
    "falsch",
    "faux",
    "falso",
    "-",
    "--",
    "❌",
    "×",
    "fail",
}
_NO |= {"—", "–", "□"}
_OPEN = {"", "n/a", "na", "."}


def left_out(block: Block, rows: Sequence[int], others: Sequence[Column]) -> tuple[list[int], str | None]:
    """Rows of standards that a column beside them marks as not used, and the name of that column.

    Args:
        block: Where they stand.
        rows: Of the standards.
        others: Columns that are no marks: the elution and the molar mass.

    Raises:
        InputError: A mark is neither yes nor no, or it is not clear what the marks say.
    """
    for column in block.columns:
        if column in others:
            continue
        cells = {row: _folded(said(column.cells[block.rows.index(row)])) for row in rows}
        name = letters(column.name.text)
        if _UNUSED.fullmatch(name):
            return _by(block, column, cells, {"yes": False, "no": True, "open": True}), column.label
        if _USED.fullmatch(name):
            return _by(block, column, cells, {"yes": True, "no": False, "open": False}), column.label
        if marked := [row for row, cell in cells.items() if _UNUSED.fullmatch(letters(cell))]:
            return marked, column.label
        _check_unnamed(block, column, [*cells.values()])
    return [], None


def _by(block: Block, column: Column, cells: dict[int, str], used: dict[str, bool]) -> list[int]:
    found: dict[int, str] = {}
    for row, cell in cells.items():
        kind = _kind(cell, column)
        if kind is None:
            raise LineError(
                f"{block.sheet.place}, row {row}, column {column.label} holds {quoted(cell)!r}; needs yes or no, which "
                "says whether the standard is used"
            )
        found[row] = kind
    if set(found.values()) == {"open"}:
        return []
    return [row for row, kind in found.items() if not used[kind]]


def _kind(cell: str, column: Column) -> str | None:
    """Whether a cell says yes, no, or nothing; ``excluded`` says no below ``Use`` and yes below ``Excluded``."""
    if cell in _OPEN:
        return "open"
    word, below = letters(cell), letters(column.name.text)
    if cell in _YES or (word and _USED.fullmatch(word)):
        return "no" if word and _UNUSED.fullmatch(below) and _USED.fullmatch(word) else "yes"
    if word and _UNUSED.fullmatch(word):
        return "yes" if _UNUSED.fullmatch(below) else "no"
    return "no" if cell in _NO else None


def _check_unnamed(block: Block, column: Column, cells: list[str]) -> None:
    """Refuse a column of nothing but yes and no below a name that does not say what they are of."""
    there = {cell for cell in cells if cell not in _OPEN}
    if there & _YES and there & _NO and there <= _YES | _NO:
        raise LineError(
            f"{block.sheet.place}: column {column.label} holds the marks {quoted(min(there & _YES))} and "
            f"{quoted(min(there & _NO))}, which may say that a standard is not used; call it 'Use', or leave it out"
        )


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.replace("−", "-").lower())
    number = re.fullmatch(r"([01])[.,]0*", folded)
    return number[1] if number else re.sub("[\u0300-\u036f]", "", folded).strip(" .!()[]")
