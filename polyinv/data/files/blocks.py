"""Blocks of a sheet: runs of rows of numbers below the names of their columns, among titles, results and footers."""

import bisect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from polyinv.data.files.cells import Rows, Sheet, said
from polyinv.data.files.comments import with_signed_rows
from polyinv.data.files.headers import aligned, is_units, names_above, names_with_number, torn_names
from polyinv.data.files.names import Name, known, read_name
from polyinv.data.files.numbers import EXCEL_ERRORS, Cell, is_missing, is_number, number, possible_decimals
from polyinv.errors import InputError

MOST_BLOCKS = 1000
"""Of a sheet."""


@dataclass(frozen=True, eq=False)
class Column:
    """Column of a block: where it stands, what it is called, its cells, one for each row of the block."""

    at: int
    name: Name
    cells: list[Cell]

    @property
    def label(self) -> str:
        """What it is called in errors: its name, or its number as a person counts."""
        return repr(self.name.text) if self.name.text else str(self.at + 1)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether half of its cells, or at least ten of them, are numbers."""
        count = sum(map(is_number, self.cells))
        return count >= 10 or 2 * count >= len(self.cells) > 0


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of numbers and the names of their columns.

    Args:
        sheet: Where they stand.
        rows: Their numbers.
        columns: With a cell for each of ``rows``.
        header: Number of the row of names, 0 if there is none.
        titles: Rows above the names, which may name samples.
        notes: What was passed over.
        problem: Why its columns cannot be trusted, if they cannot.
    """

    sheet: Sheet
    rows: list[int]
    columns: list[Column]
    header: int
    titles: Rows
    notes: tuple[str, ...] = ()
    problem: str | None = None


def blocks_of(sheet: Sheet) -> list[Block]:
    """Find the blocks of a sheet, in order.

    Raises:
        InputError: It has no rows of two numbers.
    """
    sheet = _with_signed_rows(_upright(sheet))
    runs = [*_runs(sheet)]
    if not runs:
        rows = sheet.rows.values()
        found = "is empty" if not rows else f"has {'one column' if _any_numbers(sheet.rows) else 'no row'} of numbers"
        raise InputError(f"{sheet.place} {found}; needs two columns, log10 M or M and w")
    if len(runs) > MOST_BLOCKS:
        raise InputError(
            f"{sheet.place}: its numbers stand in {len(runs)} parts, with texts between them; a report has up to "
            f"{MOST_BLOCKS}"
        )
    ends = [0, *(run[-1] for run in runs)]
    found_blocks: list[Block] = []
    for end, run in zip(ends, runs, strict=False):
        above = {row: sheet.rows[row] for row in range(end + 1, run[0]) if row in sheet.rows}
        noted = {row: sheet.comments[row] for row in range(end + 1, run[0]) if row in sheet.comments}
        found_blocks.append(_block(sheet, run, above, noted, found_blocks[-1] if found_blocks else None))
    return found_blocks


def _any_numbers(rows: Rows) -> bool:
    return any(is_number(cell) for cells in rows.values() for cell in cells)


def _upright(sheet: Sheet) -> Sheet:
    """Turn a sheet whose columns lie on their side: a name, and ten numbers and more behind it, in each row."""
    long = [cells for cells in sheet.rows.values() if len(cells) > 10 and sum(map(is_number, cells[1:])) > 9]
    named = [cells for cells in long if not is_number(cells[0]) and cells[0]]
    kinds = {read_name(said(cells[0])).kind for cells in named}
    if len(long) > 40 or not 2 <= len(named) == len(long) or not kinds & {"log_m", "m", "ln_m", "time", "volume"}:
        return sheet
    turned = itertools.zip_longest(*long, fillvalue="")
    return Sheet(sheet.place, {row: [*cells] for row, cells in enumerate(turned, 1)}, {}, sheet.name, sheet.notes)


def _with_signed_rows(sheet: Sheet) -> Sheet:
    """A sheet with its rows that begin with the sign of a comment: cells like those of the nearest row of numbers."""
    if not sheet.comments:
        return sheet
    numbers = [row for row, cells in sheet.rows.items() if _is_data(cells)]

    def is_row(row: int, cells: list[Cell]) -> bool:
        if not _is_data(cells) or not _is_text(cells[0]):
            return False
        at = bisect.bisect(numbers, row)
        near = [sheet.rows[other] for other in numbers[max(at - 1, 0) : at + 1]]
        return not numbers or any(_are_like(cells, other) for other in near)

    return with_signed_rows(sheet, is_row, alone=False)


def _are_like(cells: list[Cell], others: list[Cell]) -> bool:
    """Whether two rows have texts and numbers at the same places."""
    return [*map(_is_text, cells)] == [*map(_is_text, others)]


# Rows of numbers


def _counts(cells: list[Cell]) -> tuple[int, int]:
    """Numbers in a row, and cells that are neither number nor missing."""
    numbers = texts = 0
    for cell in cells:
        if is_number(cell) or cell in EXCEL_ERRORS:
            numbers += 1
        elif not is_missing(cell):
            texts += 1
    return numbers, texts


def _is_data(cells: list[Cell]) -> bool:
    numbers, texts = _counts(cells)
    return numbers > 1 and numbers >= texts and not names_with_number(cells)


def _is_header(cells: list[Cell]) -> bool:
    numbers, texts = _counts(cells)
    return texts > 0 and numbers == 0 and len(cells) > 1 and known([said(cell) for cell in cells]) > 1


def _runs(sheet: Sheet) -> Iterator[list[int]]:
    run: list[int] = []
    held: list[int] = []
    for row, cells in sheet.rows.items():
        below_empty = run and not held and row > sheet.end_of(run[-1]) + 1
        if below_empty and len(cells) != len(sheet.rows[run[-1]]) and _is_data(cells):  # numbers of another kind
            yield run
            run = []
        if (_is_data(cells) and not (run and _is_other(cells, sheet.rows[run[0]]))) or (
            run and not held and _counts(cells)[0] and not _counts(cells)[1]
        ):
            between = (
                [sheet.rows[each] for each in held if not _goes_on(sheet.rows[each], sheet.rows[run[-1]])]
                if run
                else []
            )
            if run and not _begins_anew(sheet, run, row) and (not between or _continues(sheet, run, row, between)):
                run += [*(each for each in held if sheet.rows[each] not in between), row]
            else:
                if run:
                    yield run
                run = [row]
            held = []
        elif run:
            held.append(row)
    if run:
        yield run


def _begins_anew(sheet: Sheet, run: list[int], row: int) -> bool:
    """Whether a comment before a row names other columns than those of the run: the names of the next block."""
    between = [sheet.comments[each] for each in range(run[-1] + 1, row) if each in sheet.comments]
    heads = [cells for cells in between if _is_header(cells)]
    before = [sheet.comments.get(number) for number in range(max(run[0] - 100, 0), run[0])]
    return any(cells not in before for cells in heads)


def _is_other(cells: list[Cell], first: list[Cell]) -> bool:
    """Whether a row begins with a text and those of a run begin with a number: a footer with numbers in it."""
    return bool(cells and first) and _is_text(cells[0]) and not _is_text(first[0])


def _is_text(cell: Cell) -> bool:
    return not is_number(cell) and not is_missing(cell)


def _goes_on(cells: list[Cell], before: list[Cell]) -> bool:
    """Whether a row is one of the numbers with a cell that is none."""
    numbers, texts = _counts(cells)
    return numbers > 0 and (texts > 0 or len(before) > len(cells)) and len(cells) <= len(before) + 1


def _continues(sheet: Sheet, run: list[int], row: int, between: list[list[Cell]]) -> bool:
    """Whether the numbers go on below a page break: some column rises, or falls, as before, past the break."""
    if len(run) < 3 or any(_is_header(cells) and not _is_repeated(sheet, run, cells) for cells in between):
        return False
    last, next_ = sheet.rows[run[-1]], sheet.rows[row]
    if len(last) != len(next_):
        return False
    for at in range(min(len(last), 12)):
        cells = [sheet.rows[each][at] if at < len(sheet.rows[each]) else "" for each in (*run[-3:], row)]
        values = [number(cell, possible_decimals(cells)[0]) for cell in cells]
        if None in values:
            continue
        steps = [b - a for a, b in itertools.pairwise(values)]  # type: ignore[operator]
        if (all(step > 0 for step in steps) or all(step < 0 for step in steps)) and abs(steps[-1]) < 5 * abs(steps[-2]):
            return True
    return False


def _is_repeated(sheet: Sheet, run: list[int], cells: list[Cell]) -> bool:
    return any(sheet.rows.get(number) == cells for number in range(max(run[0] - 100, 0), run[0]))


# Names above them


def _block(sheet: Sheet, run: list[int], above: Rows, comments: Rows, before: Block | None) -> Block:
    width = max(len(sheet.rows[row]) for row in run)
    header, names = names_above(sheet, above, comments, width, [sheet.rows[row] for row in run])
    names = aligned(names, width, [sheet.rows[row] for row in run])
    problem = _too_wide(sheet, run, names, width) or torn_names(sheet, above, comments, header, width)
    if not header and before is not None and len(before.columns) == width:
        names = [column.name.text for column in before.columns]
    below = [row for row in above if row > header]
    spoilt = [*itertools.takewhile(lambda row: _is_spoilt(above[row], named=bool(header)), reversed(below))]
    run = [*reversed(spoilt), *run]
    units = [row for row in below if header and row not in spoilt and is_units(above[row])]
    under = [said(cell) for cell in above[units[0]]] if units else []
    widest = max(len(names), *(len(sheet.rows[row]) for row in run))
    columns = [_column(sheet, run, at, names, under) for at in range(widest)]
    titles = {row: cells for row, cells in above.items() if row < header or (not header and row not in spoilt)}
    taken = set(run)
    between = [row for row in range(run[0], run[-1]) if row in sheet.rows and row not in taken]
    passed = f"rows {between[0]} to {between[-1]} between the numbers are passed over: a page break" if between else ""
    return Block(sheet, run, columns, header, titles, (passed,) * bool(passed), problem)


def _is_spoilt(cells: list[Cell], *, named: bool) -> bool:
    """Whether a row right above the numbers is one of them, with a text in it, rather than a title with a number."""
    return len(cells) > 1 and _counts(cells)[0] > 0 and (named or is_number(cells[0]))


def _column(sheet: Sheet, run: list[int], at: int, names: list[str], units: list[str]) -> Column:
    name = read_name(names[at] if at < len(names) else "", units[at] if at < len(units) else "")
    return Column(at, name, [sheet.rows[row][at] if at < len(sheet.rows[row]) else "" for row in run])


def _too_wide(sheet: Sheet, run: list[int], names: list[str], width: int) -> str | None:
    """Say that rows have more numbers than names, where a comma may part columns as well as decimals."""
    named = len(names) if any(names) else width
    wide = next((row for row in run if any(map(is_number, sheet.rows[row][named:]))), None)
    if wide is None or sheet.separator not in (",", " "):
        return None
    hint = "; with decimal commas, set columns apart by semicolons" if sheet.separator == "," else ""
    return (
        f"{sheet.place}, row {wide} has {len(sheet.rows[wide])} cells below {named} names of columns "
        f"({', '.join(map(repr, names[:6]))}){hint}"
    )
