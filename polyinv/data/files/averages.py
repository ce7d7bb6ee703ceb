"""Averages that a file states beside its curve: Mn, Mw, Mz, Mp and the dispersity, wherever they stand."""

import itertools
import re
from collections.abc import Iterator, Sequence

from polyinv.data.files.cells import Sheet, said
from polyinv.data.files.names import average_of
from polyinv.data.files.numbers import Cell, is_missing, number
from polyinv.data.files.units import Unit, unit_of

AGREES = 0.05
"""Relative difference from which on a stated average is said to differ."""
_WRITTEN = re.compile(
    r"(?<![A-Za-z])(M[nwzp]|PDI|PD|Đ|D|Mw/Mn)\s*(?:[(\[][^)\]]*[)\]])?\s*[:=]\s*([-+\d.,eE ]*\d)\s*"
    r"(kg/mol|kDa|g/mol|Da)?"
)

Stated = dict[str, list[float]]
"""Values of each average in g/mol, in order, one for each sample where there are several."""


def stated_averages(sheet: Sheet, within: Sequence[int]) -> Stated:
    """Find the averages that a sheet states outside the rows of its curve.

    Args:
        sheet: Where the curve stands.
        within: Numbers of the rows of the curve.
    """
    inside = set(within)
    rows = {row: cells for row, cells in [*sheet.comments.items(), *sheet.rows.items()] if row not in inside}
    found: Stated = {}
    for name, value in (*_beside([*rows.values()]), *_below([*rows.values()]), *_in_text([*rows.values()])):
        if value > 0 and value not in found.setdefault(name, []):
            found[name].append(value)
    return found


def _value(cell: Cell, unit: Unit | None, after: Cell = "") -> float | None:
    text = said(cell)
    parts = text.split(" ", 1)
    behind = unit_of(parts[1]) if len(parts) > 1 else unit_of(said(after))
    value = number(text) if number(text) is not None else number(text, ",")
    if value is None and behind:
        value = number(parts[0]) if number(parts[0]) is not None else number(parts[0], ",")
    if value is None:
        return None
    taken = unit or behind
    return value * taken.factor if taken and taken.quantity == "molar mass" else value


def _beside(rows: Sequence[list[Cell]]) -> Iterator[tuple[str, float]]:
    """A name and its numbers behind it: ``Mn:  4.083E+4  g/mol``."""
    for cells in rows:
        for at, cell in enumerate(cells):
            average = average_of(cell) if isinstance(cell, str) and cell else None
            if average is None or (at and not is_missing(cells[at - 1]) and number(cells[at - 1]) is not None):
                continue
            rest = list(
                itertools.takewhile(lambda each: not (isinstance(each, str) and average_of(each)), cells[at + 1 :])
            )
            for behind, value_cell in enumerate(rest):
                value = _value(value_cell, average[1], rest[behind + 1] if behind + 1 < len(rest) else "")
                if value is not None:
                    yield average[0], value


def _below(rows: Sequence[list[Cell]]) -> Iterator[tuple[str, float]]:
    """Names side by side and numbers below them."""
    for at, cells in enumerate(rows):
        names = [average_of(cell) if isinstance(cell, str) and cell else None for cell in cells]
        if sum(name is not None for name in names) < 2:
            continue
        for below in itertools.takewhile(
            lambda row: any(number(said(cell)) is not None for cell in row), rows[at + 1 :]
        ):
            for name, cell in zip(names, below, strict=False):
                value = _value(cell, name[1]) if name else None
                if name and value is not None:
                    yield name[0], value


def _in_text(rows: Sequence[list[Cell]]) -> Iterator[tuple[str, float]]:
    """Within one cell: ``Mn=40.8;Mw=88.3``."""
    for cells in rows:
        for name, text, unit in _WRITTEN.findall("; ".join(map(said, cells))):
            average = average_of(name)
            value = number(text.strip()) if number(text.strip()) is not None else number(text.strip(), ",")
            if average and value is not None:
                found = unit_of(unit) if unit else None
                yield average[0], value * (found.factor if found else 1.0)


def compared(
    stated: Stated, by_points: dict[str, float], index: int = 0, count: int = 1
) -> tuple[list[str], list[str]]:
    """Compare stated averages with those of the points of a curve: notes, and warnings.

    Args:
        stated: As `stated_averages` finds them.
        by_points: In g/mol.
        index: Of the curve among those of the file.
        count: Of the curves of the file.
    """
    agree, differ = [], []
    for name, values in stated.items():
        if name not in by_points or len(values) not in (1, count) or (count > 1 and len(values) == 1):
            continue
        value, own = values[index if len(values) == count else 0], by_points[name]
        if name != "D" and abs(1000 * value / own - 1) < AGREES:
            value *= 1000  # stated in kg/mol without saying so
        if abs(value / own - 1) < (4 * AGREES if name == "Mp" else AGREES):
            agree.append(f"{name} {value:.4g}")
        else:
            differ.append(f"the file states {name} {value:.4g}, its points have {own:.4g}, {own / value - 1:+.0%}")
    notes = [f"stated in the file, and as by its points: {', '.join(agree)}"] if agree else []
    return notes, differ
