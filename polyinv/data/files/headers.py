"""Names of columns above their numbers: in a row, on two lines, in a comment, or set apart by blanks."""

import itertools
import re

from polyinv.data.files.cells import Rows, Sheet, said
from polyinv.data.files.comments import without_sign
from polyinv.data.files.names import AXES, ORDINATES, average_of, known, read_name
from polyinv.data.files.numbers import Cell, is_missing, is_number, number
from polyinv.data.files.text import COMMENTS
from polyinv.data.files.units import split_unit, unit_of

_TORN = re.compile(r"^[(\[/)\]]|^[-–]\s|\s[-–]$|[)\]]\s+\w|^[^(]*\)|\([^)]*$|/$")
"""What no name begins, ends or goes on with."""
LONGEST_NAME = 6
"""Words of a name, where blanks part the columns as well."""


def names_above(sheet: Sheet, above: Rows, comments: Rows, width: int, run: list[list[Cell]]) -> tuple[int, list[str]]:
    """Find the row of names: that with most known ones, else a comment of known names, else the nearest one."""
    above = {row: by_wide_blanks(sheet, row, cells, width) for row, cells in above.items()}
    comments = {row: by_wide_blanks(sheet, row, cells, width) for row, cells in comments.items()}
    found = {row: names for row, cells in above.items() if (names := _as_names(cells, width, run, sheet.separator))}
    for row, below in itertools.pairwise(above):  # names on two lines
        if row in found and below in found and len(found[row]) == len(found[below]) and not is_units(above[below]):
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
    nearest = [row for row in sorted(texts) if len(texts[row]) > 1 and not is_units(texts[row])][-1:]
    same = [row for row in nearest if row in found and len(found[row]) == len(above[row]) == width]
    return (same[0], found[same[0]]) if same else (0, [""] * width)


def by_wide_blanks(sheet: Sheet, row: int, cells: list[Cell], width: int) -> list[Cell]:
    """Cells of a row of names that are set apart by two blanks or more, which leaves those within names alone."""
    parts = re.split(r"\s{2,}|\t", sheet.lines.get(row, "").strip().lstrip("#%! "))
    return [*parts] if len(parts) == width < len(cells) else cells


def aligned(names: list[str], width: int, run: list[list[Cell]]) -> list[str]:
    """Names above their columns, where those or these begin with an empty cell."""
    if len(names) == width + 1 and not names[0]:
        return names[1:]
    if len(names) == width - 1 and names[0] and all(is_missing(cells[0]) for cells in run):
        return ["", *names]
    return names


def _are_names(names: list[str], width: int) -> bool:
    """Whether known names are those of so many columns, rather than a title with a word that is known."""
    kinds = {read_name(name).kind for name in names}
    return len([name for name in names if name]) >= width or bool(kinds & {*AXES, *ORDINATES, "time", "volume"})


def torn_names(sheet: Sheet, above: Rows, comments: Rows, header: int, width: int) -> str | None:
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
        for names in (_as_names(each, width, run, sheet.separator) for each in (cells, without_sign(cells)))
    )
    if said(cells[0]) not in COMMENTS or len(cells) == width:
        return bare if said(cells[0]) not in COMMENTS else whole
    if whole and bare and [read_name(name).kind for name in whole] != [read_name(name).kind for name in bare]:
        return None
    return bare or whole


def _as_names(cells: list[Cell], width: int, run: list[list[Cell]], separator: str | None) -> list[str] | None:
    """The names that a row holds for so many columns."""
    texts = [said(cell) for cell in cells]
    if any(map(is_number, texts)) and not names_with_number(cells):
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


def is_units(cells: list[Cell]) -> bool:
    texts = [said(cell) for cell in cells if not is_missing(cell)]
    return bool(cells) and all(unit_of(text) or split_unit(f"x {text}")[1] or len(text) < 3 for text in texts)


def names_with_number(cells: list[Cell]) -> bool:
    """Whether a row with numbers is one of names, where samples are called 7 and 8."""
    first = next((cell for cell in cells if not is_missing(cell)), "")
    kind = read_name(first.strip()).kind if isinstance(first, str) and not is_number(first) else None
    return kind in ("log_m", "m", "ln_m") and average_of(said(first)) is None
