"""Curves of a block: which columns are M and w, of how many samples or detectors, and what they are called."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from polyinv.data.files.blocks import Block, Column
from polyinv.data.files.cells import said
from polyinv.data.files.names import AXES, ORDINATES, OTHERS
from polyinv.data.files.numbers import is_missing, number, possible_decimals
from polyinv.data.files.statistics import statistic
from polyinv.errors import InputError

LEAST_POINTS = 10


@dataclass(frozen=True, eq=False)
class Source:
    """Two columns of a block that are a curve, or a chromatogram.

    Args:
        block: Where they stand.
        x: M or log M, or an elution time or volume.
        y: The ordinate.
        sample: What the curve is called, where the file says it.
        run: Elution time or volume beside log M.
        notes: What was decided.
    """

    block: Block
    x: Column
    y: Column
    sample: str | None = None
    run: Column | None = None
    notes: tuple[str, ...] = field(default=())


def curves_in(block: Block, *, x: str | None = None, y: str | None = None, signal: str | None = None) -> list[Source]:
    """Find the curves of a block.

    Args:
        block: Rows of numbers.
        x: Name or number of the column that is M or log M (``--x``).
        y: Likewise of the ordinate (``--y``).
        signal: Kind of the ordinate, one of ``ORDINATES``, where the user states it.

    Raises:
        InputError: It is not clear which columns they are, or a column is none.
    """
    place = block.sheet.place
    if block.problem:
        raise InputError(block.problem)
    axis, ordinate = (None if each is None else named(block, each, place) for each in (x, y))
    check_two(axis, ordinate, place)
    for column, option in ((axis, "--x"), (ordinate, "--y")):
        if column is not None and not column.is_numeric:
            raise InputError(f"{place}: {option} names the column {column.label}, which holds no numbers")
    numeric = [column for column in block.columns if column.is_numeric]
    empty = [column for column in block.columns if column.name.kind in (*AXES, *ORDINATES) and not column.is_numeric]
    groups = [numeric] if axis is not None or ordinate is not None else groups_of(numeric)
    found = [source for group in groups for source in _of_group(block, group, axis, ordinate, signal)]
    if not found:
        raise InputError(f"{place}: {why_none(block, numeric, empty)}")
    notes = tuple(
        f"column {column.label} holds {what} and is not used"
        for column in empty
        if (what := _formula_in(block, column))
    )
    taken = [source.y for source in found]
    notes += tuple(
        f"column {column.label} sums up others and is left out"
        for group in groups
        for column in summing_up(group)
        if column not in taken
    )
    found = [replace(source, notes=notes) for source in found]
    return [_with_sample(source, groups, len(found)) for source in found]


def check_two(axis: Column | None, ordinate: Column | None, place: str) -> None:
    """Refuse one column as axis and ordinate.

    Raises:
        InputError: They are one.
    """
    if axis is not None and axis is ordinate:
        raise InputError(f"{place}: --x and --y both name the column {axis.label}; needs two columns")


def named(block: Block, wanted: str, place: str) -> Column:
    """The column that a person names, by its name or its number.

    Raises:
        InputError: There is none, or there are two.
    """
    exact = [column for column in block.columns if column.name.text == wanted]
    loose = [column for column in block.columns if column.name.text.strip().lower() == wanted.strip().lower()]
    by_number = [column for column in block.columns if str(column.at + 1) == wanted.strip()]
    found = exact or loose or by_number
    if not found:
        raise InputError(
            f"{place} has no column {wanted!r}; it has {', '.join(column.label for column in block.columns)}"
        )
    if len(found) > 1:
        raise InputError(f"{place} has {len(found)} columns {wanted!r}; name one by its number, 1 for the first")
    return found[0]


def groups_of(columns: Sequence[Column]) -> list[list[Column]]:
    """Columns side by side that belong together: each further axis of a kind that was there before begins a group."""
    kinds = [column.name.kind for column in columns]
    first = next((kind for kind in kinds if kind in AXES), None)
    if first is None or kinds.count(first) < 2:
        return [[*columns]]
    starts = [at for at, kind in enumerate(kinds) if kind == first]
    if kinds[0] in ORDINATES and kinds[-1] in AXES and starts[0] > 0:  # w before M
        ends = [at + 1 for at in starts]
        return [[*columns[a:b]] for a, b in itertools.pairwise([0, *ends])]
    return [[*columns[a:b]] for a, b in itertools.pairwise([0, *starts[1:], len(columns)])]


def _of_group(
    block: Block, group: list[Column], axis: Column | None, ordinate: Column | None, signal: str | None
) -> list[Source]:
    x = axis or _axis(group, block)
    rest = [column for column in group if column not in (x, ordinate)]
    if x is None:
        x, ys = _unnamed(block, rest, ordinate)
    else:
        ys = [ordinate] if ordinate is not None else [*_ordinates(rest, signal)]
    if x is None or not ys:
        return []
    run = next(
        (column for column in block.columns if column.name.kind in ("volume", "time") and column.is_numeric), None
    )
    return [Source(block, x, y, run=run) for y in ys if y is not None]


def _axis(group: list[Column], block: Block) -> Column | None:
    """The axis of a group, log M before M; the finer one, where log M is rounded so that points coincide."""
    found = [column for kind in AXES for column in group if column.name.kind == kind]
    if not found:
        return None
    kinds = [column.name.kind for column in found]
    for column, other in itertools.pairwise(found):
        if column.name.kind == other.name.kind:
            raise InputError(
                f"{block.sheet.place}: the columns {column.label} and {other.label} mean the same; --x names one"
            )
    coarse = len({*map(said, found[0].cells)}) < len(found[0].cells)
    if len(found) > 1 and coarse and "m" in kinds and len({*map(said, found[1].cells)}) == len(found[1].cells):
        return found[1]
    return found[0]


def _ordinates(columns: list[Column], signal: str | None) -> list[Column]:
    """The ordinates beside an axis: all of the best known kind, else all without a known name."""
    kinds = ORDINATES if signal is None else (signal, None)
    for kind in (*kinds, None):
        found = [column for column in columns if column.name.kind == kind and column.is_numeric]
        if kind is None:
            found = [column for column in found if not only_rises(column)]
            found = [column for column in found if column not in summing_up(columns)] or found
        if found:
            return found
    if signal is not None:  # the user's word stands against what the name says
        return [column for column in columns if column.name.kind in ORDINATES]
    return []


def summing_up(columns: Sequence[Column]) -> list[Column]:
    """Columns that sum up the others by their names, which are those of no signal."""
    return [c for c in columns if c.is_numeric and c.name.kind is None and statistic(c.name.text) == "sure"]


def only_rises(column: Column) -> bool:
    """Whether a column only rises or only falls: a cumulative curve, an axis or a number of rows."""
    sign = possible_decimals(column.cells)[0]
    values = [number(cell, sign) for cell in column.cells]
    steps = [b - a for a, b in itertools.pairwise([value for value in values if value is not None])]
    return len(steps) > 3 and (all(step >= 0 for step in steps) or all(step <= 0 for step in steps))


def _unnamed(block: Block, columns: list[Column], ordinate: Column | None) -> tuple[Column | None, list[Column | None]]:
    """Of two columns of which the axis has no known name, that which only rises or falls is the axis."""
    unknown = [column for column in columns if column.name.kind is None]
    if any(column.name.kind not in (None, "index", *ORDINATES) for column in columns):
        return None, []  # neither names nor numbers say what the others are
    ys = [ordinate] if ordinate is not None else [c for c in columns if c.name.kind in ORDINATES]
    if len(ys) == 1 and len(unknown) == 1:
        return unknown[0], [*ys]
    if ys or len(unknown) != 2:
        return None, []
    first, second = unknown
    if only_rises(second) and not only_rises(first):
        first, second = second, first
    elif not only_rises(first):
        raise InputError(
            f"{block.sheet.place}: which of the columns {first.label} and {second.label} is log10 M or M? Neither "
            "has a known name or is sorted; --x names it"
        )
    return first, [second]


def why_none(block: Block, numeric: list[Column], empty: list[Column]) -> str:
    """Why a block is no curve, with what would be right."""
    for column in empty:
        if held := _formula_in(block, column):
            return (
                f"column {column.label} holds {held}: no program has computed it; open and save the workbook in a "
                "spreadsheet program, or export values"
            )
    axes = [column for column in numeric if column.name.kind in AXES]
    others = [column for column in numeric if column.name.kind in OTHERS or column.name.kind == "temperature"]
    ordinates = [column for column in numeric if column.name.kind in ORDINATES]
    if not axes and (run := next((c for c in others if c.name.kind in ("time", "volume")), None)):
        return (
            f"column {run.label} is an elution {run.name.kind}, no molar mass: this is a chromatogram before its "
            "calibration; give --calibration FILE (standards or a polynomial), or export w(log M) over M"
        )
    if axes and not ordinates and others:
        listed = " and ".join(f"column {column.label} is of kind {column.name.kind}" for column in others[:3])
        return f"{listed}: that is no w(log M); export the differential distribution w(log M) or a concentration signal"
    missing = ["log10 M or M"] * (not axes) + ["w or a signal"] * (not ordinates)
    there = ", ".join(column.label for column in numeric) or "none"
    rising = [c for c in numeric if c.name.kind is None and only_rises(c)]
    hint = (
        f"; column {rising[0].label} only rises or falls, as a cumulative curve or an axis does"
        if axes and rising
        else ""
    )
    hint += "".join(f"; {each.label} is neither ({each.name.kind})" for each in others)
    if not any(column.name.kind for column in numeric):
        hint += "; with decimal commas, set columns apart by semicolons"
    return (
        f"which column is {' and which '.join(missing)}? There are the columns of numbers {there}; needs just two, or "
        f"names such as 'log M' and 'w(log M)', or --x and --y{hint}"
    )


def _formula_in(block: Block, column: Column) -> str | None:
    """The first formula of a column that no program has computed."""
    formulas = block.sheet.formulas()
    return next((formulas[row, column.at] for row in block.rows if (row, column.at) in formulas), None)


def _with_sample(source: Source, groups: list[list[Column]], count: int) -> Source:
    """Name a curve: by a title above its columns, else by its ordinate where there are several."""
    group = next((group for group in groups if source.y in group), groups[0])
    lowest, highest = min(c.at for c in group), max(c.at for c in group)
    title = _title(source.block, lowest, highest) if len(groups) > 1 else None
    several_here = sum(column.name.kind == source.y.name.kind for column in group) > 1
    own = source.y.name.text if source.y.name.kind is None or several_here else ""
    if count == 1 and source.y.name.kind is None and not title:
        own = ""
    sample = " ".join(filter(None, (title, own if own and own != title else ""))) or None
    if sample is None and count > 1:
        sample = source.y.name.text if len({c.name.text for g in groups for c in g}) > len(group) else None
    return Source(source.block, source.x, source.y, sample, source.run, source.notes)


def _title(block: Block, lowest: int, highest: int) -> str | None:
    """The text above columns in the nearest row that has one."""
    for row in sorted(block.titles, reverse=True):
        cells = block.titles[row]
        here = [said(cell) for cell in cells[lowest : highest + 1] if not is_missing(cell)]
        if here and sum(not is_missing(cell) for cell in cells) > 1:
            return here[0]
    return None
