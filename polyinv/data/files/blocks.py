"""Blocks of a sheet: runs of rows of numbers below the names of their columns, among titles, results and footers."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from polyinv.data.files.cells import Rows, Sheet, said
from polyinv.data.files.names import AXES, ORDINATES, Name, average_of, known, read_name
from polyinv.data.files.numbers import EXCEL_ERRORS, Cell, is_missing, is_number, number, possible_decimals
from polyinv.data.files.text import COMMENTS
from polyinv.data.files.units import split_unit, unit_of
from polyinv.errors import InputError

_TORN = re.compile(r"^[(\[/)\]]|^[-–]\s|\s[-–]$|[)\]]\s+\w|^[^(]*\)|\([^)]*$|/$")
"""What no name begins, ends or goes on with."""
LONGEST_NAME = 6
"""Words of a name, where blanks part the columns as well."""


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

    @property
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
    sheet = _upright(sheet)
    runs = [*_runs(sheet)]
    if not runs:
        rows = sheet.rows.values()
        found = "is empty" if not rows else f"has {'one column' if _any_numbers(sheet.rows) else 'no row'} of numbers"
        raise InputError(f"{sheet.place} {found}; needs two columns, log10 M or M and w")
    ends = [0, *(run[-1] for run in runs)]
    found_blocks: list[Block] = []
    for end, run in zip(ends, runs, strict=False):
        above = {row: cells for row, cells in sheet.rows.items() if end < row < run[0]}
        noted = {row: cells for row, cells in sheet.comments.items() if end < row < run[0]}
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


# Rows of numbers


def _counts(cells: list[Cell]) -> tuple[int, int]:
    """Numbers in a row, and cells that are neither number nor missing."""
    numbers = sum(is_number(cell) or cell in EXCEL_ERRORS for cell in cells)
    texts = sum(not is_missing(cell) and not is_number(cell) and cell not in EXCEL_ERRORS for cell in cells)
    return numbers, texts


def _is_data(cells: list[Cell]) -> bool:
    numbers, texts = _counts(cells)
    return numbers > 1 and numbers >= texts and not _names_with_number(cells)


def _names_with_number(cells: list[Cell]) -> bool:
    """Whether a row with numbers is one of names, where samples are called 7 and 8."""
    first = next((cell for cell in cells if not is_missing(cell)), "")
    kind = read_name(said(first)).kind if isinstance(first, str) else None
    return kind in ("log_m", "m", "ln_m") and average_of(said(first)) is None


def _is_header(cells: list[Cell]) -> bool:
    numbers, texts = _counts(cells)
    return texts > 0 and numbers == 0 and len(cells) > 1 and known([said(cell) for cell in cells]) > 1


def _runs(sheet: Sheet) -> Iterator[list[int]]:
    run: list[int] = []
    held: list[int] = []
    for row, cells in sheet.rows.items():
        below_empty = run and not held and row > run[-1] + 1
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
    heads = [cells for number, cells in sheet.comments.items() if run[-1] < number < row and _is_header(cells)]
    before = [cells for number, cells in sheet.comments.items() if number < run[0]]
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
    return any(above == cells for number, above in sheet.rows.items() if number < run[0])


# Names above them


def _block(sheet: Sheet, run: list[int], above: Rows, comments: Rows, before: Block | None) -> Block:
    width = max(len(sheet.rows[row]) for row in run)
    header, names = _names(sheet, above, comments, width, [sheet.rows[row] for row in run])
    names = _aligned(names, width, [sheet.rows[row] for row in run])
    problem = _too_wide(sheet, run, names, width) or _torn_names(sheet, above, comments, header, width)
    if not header and before is not None and len(before.columns) == width:
        names = [column.name.text for column in before.columns]
    below = [row for row in above if row > header]
    spoilt = [*itertools.takewhile(lambda row: _is_spoilt(above[row], named=bool(header)), reversed(below))]
    run = [*reversed(spoilt), *run]
    units = [row for row in below if header and row not in spoilt and _is_units(above[row])]
    under = [said(cell) for cell in above[units[0]]] if units else []
    widest = max(len(names), *(len(sheet.rows[row]) for row in run))
    columns = [_column(sheet, run, at, names, under) for at in range(widest)]
    titles = {row: cells for row, cells in above.items() if row < header or (not header and row not in spoilt)}
    taken = set(run)
    between = [row for row in sheet.rows if run[0] < row < run[-1] and row not in taken]
    passed = f"rows {between[0]} to {between[-1]} between the numbers are passed over: a page break" if between else ""
    return Block(sheet, run, columns, header, titles, (passed,) * bool(passed), problem)


def _is_spoilt(cells: list[Cell], *, named: bool) -> bool:
    """Whether a row right above the numbers is one of them, with a text in it, rather than a title with a number."""
    return len(cells) > 1 and _counts(cells)[0] > 0 and (named or is_number(cells[0]))


def _column(sheet: Sheet, run: list[int], at: int, names: list[str], units: list[str]) -> Column:
    name = read_name(names[at] if at < len(names) else "", units[at] if at < len(units) else "")
    return Column(at, name, [sheet.rows[row][at] if at < len(sheet.rows[row]) else "" for row in run])


def _is_units(cells: list[Cell]) -> bool:
    texts = [said(cell) for cell in cells if not is_missing(cell)]
    return bool(cells) and all(unit_of(text) or split_unit(f"x {text}")[1] or len(text) < 3 for text in texts)


def _names(sheet: Sheet, above: Rows, comments: Rows, width: int, run: list[list[Cell]]) -> tuple[int, list[str]]:
    """Find the row of names: that with most known ones, else a comment of known names, else the nearest one."""
    above = {row: by_wide_blanks(sheet, row, cells, width) for row, cells in above.items()}
    comments = {row: by_wide_blanks(sheet, row, cells, width) for row, cells in comments.items()}
    found = {row: names for row, cells in above.items() if (names := _as_names(cells, width, run, sheet.separator))}
    for row, below in itertools.pairwise(above):  # names on two lines
        if row in found and below in found and len(found[row]) == len(found[below]) and not _is_units(above[below]):
            joined = [f"{a} {b}".strip() for a, b in zip(found[row], found[below], strict=True)]
            if known(joined) > max(known(found[row]), known(found[below])):
                found[below] = joined
    noted = {row: names for row, cells in comments.items() if (names := _uncommented(cells, width, run, sheet))}
    best = max(found, key=lambda row: (known(found[row]), row), default=0)
    best_noted = max(noted, key=lambda row: (known(noted[row]), row), default=0)
    if (
        best
        and known(found[best]) >= (known(noted[best_noted]) if best_noted else 1)
        and _are_names(found[best], width)
    ):
        return best, found[best]
    if best_noted:
        return best_noted, noted[best_noted]
    texts = above | {row: cells for row, cells in comments.items() if known([said(cell) for cell in cells]) > 1}
    nearest = [row for row in sorted(texts) if len(texts[row]) > 1 and not _is_units(texts[row])][-1:]
    same = [row for row in nearest if row in found and len(found[row]) == len(above[row]) == width]
    return (same[0], found[same[0]]) if same else (0, [""] * width)


def by_wide_blanks(sheet: Sheet, row: int, cells: list[Cell], width: int) -> list[Cell]:
    """Cells of a row of names that are set apart by two blanks or more, which leaves those within names alone."""
    parts = re.split(r"\s{2,}|\t", sheet.lines.get(row, "").strip().lstrip("#%! "))
    return [*parts] if len(parts) == width < len(cells) else cells


def _aligned(names: list[str], width: int, run: list[list[Cell]]) -> list[str]:
    """Names above their columns, where those or these begin with an empty cell."""
    if len(names) == width + 1 and not names[0]:
        return names[1:]
    if len(names) == width - 1 and names[0] and all(is_missing(cells[0]) for cells in run):
        return ["", *names]
    return names


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


def _are_names(names: list[str], width: int) -> bool:
    """Whether known names are those of so many columns, rather than a title with a word that is known."""
    kinds = {read_name(name).kind for name in names}
    return len([name for name in names if name]) >= width or bool(kinds & {*AXES, *ORDINATES, "time", "volume"})


def _torn_names(sheet: Sheet, above: Rows, comments: Rows, header: int, width: int) -> str | None:
    """Say that names have blanks in them and are set apart by blanks, so that it is not clear where each one ends."""
    rows = {row: cells for row, cells in {**above, **comments}.items() if len(cells) > width}
    if header or sheet.separator != " " or not rows:
        return None
    row = max(rows)
    pairs = [" ".join(map(said, rows[row][a:b])) for a in range(len(rows[row])) for b in (a + 1, a + 2)]
    if known(pairs) < 2:
        return None
    return (
        f"{sheet.place}, row {row}: it is not clear where the name of each column ends, as blanks set them apart; use "
        f"tabs or semicolons, for {width} columns"
    )


def _uncommented(cells: list[Cell], width: int, run: list[list[Cell]], sheet: Sheet) -> list[str] | None:
    """Known names in a comment; None where its sign may be the name of a column as well, and they would differ."""
    whole, bare = (
        names if names and known(names) and len(names) == width else None
        for names in (_as_names(each, width, run, sheet.separator) for each in (cells, _without_sign(cells)))
    )
    if said(cells[0]) not in COMMENTS or len(cells) == width:
        return bare if said(cells[0]) not in COMMENTS else whole
    if whole and bare and [read_name(name).kind for name in whole] != [read_name(name).kind for name in bare]:
        return None
    return bare or whole


def _without_sign(cells: list[Cell]) -> list[Cell]:
    texts = [said(cell) for cell in cells]
    texts[0] = texts[0].lstrip("#%!/ ")
    return [*(texts if texts[0] else texts[1:])]


def _as_names(cells: list[Cell], width: int, run: list[list[Cell]], separator: str | None) -> list[str] | None:
    """The names that a row holds for so many columns."""
    texts = [said(cell) for cell in cells]
    if any(map(is_number, texts)) and not _names_with_number(cells):
        return None
    filled = [text for text in texts if text]
    if separator == " " and len(filled) > width:
        return _joined(filled, width) if width < 12 and len(filled) < 40 else None
    if len(texts) == width - 1 and len(filled) == len(texts) and _counts_up(run):
        return ["", *texts]  # names shifted by one: the numbers of the rows have none
    return texts if len(filled) > 1 or width == 1 else None


def _joined(words: list[str], width: int) -> list[str] | None:
    """Join words to so many known names; None where they can be joined to names of other kinds as well."""
    ways: dict[tuple[int, int], dict[tuple, list[str]]] = {(0, 0): {(): []}}
    for end, count in itertools.product(range(1, len(words) + 1), range(1, width + 1)):
        found: dict[tuple, list[str]] = {}
        for start in range(max(0, end - LONGEST_NAME), end):
            name = " ".join(words[start:end])
            kind = None if _TORN.search(name) else read_name(name).kind
            if kind is not None:
                for kinds, names in ways.get((start, count - 1), {}).items():
                    found.setdefault((*kinds, kind), [*names, name])
        ways[end, count] = dict(itertools.islice(found.items(), 20))
    whole = ways.get((len(words), width), {})
    return next(iter(whole.values())) if len(whole) == 1 else None


def _counts_up(run: list[list[Cell]]) -> bool:
    first = [number(cells[0]) if cells else None for cells in run[:50]]
    return len(first) > 3 and all(b is not None and a is not None and b - a == 1 for a, b in itertools.pairwise(first))
