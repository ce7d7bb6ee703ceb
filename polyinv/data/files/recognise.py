"""What the cells of a file are: curves, a chromatogram, or a table of results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from polyinv.chemistry import System
from polyinv.data.files.blocks import Block, Column, blocks_of
from polyinv.data.files.cells import Book, said
from polyinv.data.files.curves import LEAST_POINTS, Source, check_two, curves_in, named, only_rises, why_none
from polyinv.data.files.names import AXES, ORDINATES, average_of, letters
from polyinv.data.files.numbers import is_missing, is_number
from polyinv.data.files.options import Options
from polyinv.data.files.tables import Table, meaning, table_in
from polyinv.errors import InputError

RUNS = ("time", "volume")
"""Abscissae of a chromatogram."""
SAMPLES = (
    *("sample", "samplename", "sampleid", "probe", "probenname", "probennummer", "muestra", "echantillon"),
    *("name", "experiment", "run"),
)
"""What says the name of a sample."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds: curves of one sheet, or a table.

    Args:
        sources: Curves, or chromatograms.
        table: A table of results instead.
        notes: Which sheet and which block were taken.
        warnings: What else there is.
    """

    sources: tuple[Source, ...] = ()
    table: Table | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def recognise(book: Book, options: Options, system: System) -> Found:
    """Find out what a file holds: the first sheet with a curve, else with a table, else with a chromatogram.

    Raises:
        InputError: It holds none of them; a line that says why.
    """
    problems: list[InputError] = []
    blocks: dict[int, list[Block]] = {}
    for at, sheet in enumerate(book.sheets):
        try:
            blocks[at] = blocks_of(sheet)
        except InputError as error:
            problems.append(error)
    if not book.is_workbook and len(blocks) > 1:  # the blocks of a JCAMP-DX file
        blocks = {0: [block for found_blocks in blocks.values() for block in found_blocks]}
    with_curves = [
        at
        for at, each in blocks.items()
        if any(is_curve_block(b, options, system) and not (options.calibration and _is_bare(b)) for b in each)
    ]
    if with_curves:
        return _of_all_sheets(book, {at: _curves(blocks[at], options, system) for at in with_curves})
    for at, sheet in enumerate(book.sheets):
        long = any(len(block.rows) >= LEAST_POINTS for block in blocks.get(at, []))
        table = table_in(sheet, system, on_its_side=not long)
        if options.x is None and options.y is None and table and not _is_run(table, blocks.get(at, [])):
            return Found((), table, tuple(_of_sheets(book, at, "a table")))
    for at, found_blocks in blocks.items():
        runs = [block for block in found_blocks if _is_chromatogram(block) or _is_bare(block)]
        if runs and options.calibration is not None:
            sources, notes = _chromatograms(runs, options)
            notes = [*_of_sheets(book, at, "a chromatogram"), *notes]
            return Found(tuple(sources), None, tuple(notes), _of_comments(sources))
    for at, found_blocks in blocks.items():
        try:
            longest = max(found_blocks, key=lambda block: len(block.rows))
            _check_points(longest)
            sources = curves_in(longest, x=options.x, y=options.y, signal=options.stated_signal)
            return Found(tuple(sources), None, tuple(_of_sheets(book, at, "numbers")), _of_comments(sources))
        except InputError as error:
            problems.insert(0, error)
    if len(book.sheets) == 1 or len(problems) == 1:
        raise _with_hidden(problems[0], book)
    raise InputError(f"{problems[0]} (its sheets are {book.names}; --sheet names one)")


def _of_all_sheets(book: Book, found: dict[int, tuple[list[Source], list[str]]]) -> Found:
    """The curves of the first sheet that has any, and of all others with the same columns, named by their sheets."""
    (first, (sources, notes)), *_ = found.items()
    like = [at for at, (each, _) in found.items() if _columns_of(each) == _columns_of(sources)]
    others = [repr(book.sheets[at].name) for at in found if at not in like]
    warnings = [f"curves with other columns stand in {', '.join(others)}; --sheet names one"] if others else []
    if len(like) == 1:
        warnings += _of_comments(sources)
        return Found(tuple(sources), None, (*_of_sheets(book, first, "a curve"), *notes), tuple(warnings))
    sources = [
        replace(each, sample=" ".join(filter(None, (book.sheets[at].name, each.sample))))
        for at in like
        for each in found[at][0]
    ]
    said_sheets = f"the sheets {', '.join(repr(book.sheets[at].name) for at in like)} are read; --sheet names one"
    return Found(tuple(_named_once(sources)), None, (said_sheets, *notes), tuple(warnings))


def _of_comments(sources: Sequence[Source]) -> tuple[str, ...]:
    """What the sheets of curves say of lines that may be comments."""
    return tuple(dict.fromkeys(each for source in sources for each in source.block.sheet.warnings))


def _columns_of(sources: Sequence[Source]) -> list[tuple[str, str]]:
    return [(each.x.name.kind or each.x.name.text, each.y.name.kind or "") for each in sources]


def _is_run(table: Table, blocks: Sequence[Block]) -> bool:
    """Whether the time or temperature of a table is the abscissa of an instrument: nothing else in it is known."""
    known = {column for column, _ in table.meanings.values()}
    return known in ({"time"}, {"temp"}) and any(len(block.rows) >= LEAST_POINTS for block in blocks)


def _check_points(block: Block) -> None:
    if len(block.rows) < LEAST_POINTS:
        unknown = [column.label for column in block.columns if column.name.text and column.is_numeric]
        there = f", but has {', '.join(unknown[:4])}" if unknown else ""
        raise InputError(
            f"{block.sheet.place} has {len(block.rows)} points; a curve needs {LEAST_POINTS} or more, and a table "
            f"columns such as Mn, Mw, temp, time{there}"
        )


def _with_hidden(problem: InputError, book: Book) -> InputError:
    return (
        InputError(
            f"{problem} (there are also the sheets {', '.join(map(repr, book.hidden))}, hidden; --sheet names one)"
        )
        if book.hidden
        else problem
    )


def _of_sheets(book: Book, taken: int, what: str) -> list[str]:
    name = book.sheets[taken].name
    if name is None or len(book.sheets) + len(book.hidden) == 1:
        return []
    which = "the first of" if taken == 0 else f"the first with {what} of"
    return [
        f"sheet {name!r} is read, {which} {book.names}" + ("; --sheet names another" if taken or book.hidden else "")
    ]


# Curves


def is_curve_block(block: Block, options: Options, system: System) -> bool:
    """Whether a block has columns for M and w, by their names, or has no names at all."""
    if options.x is not None or options.y is not None:
        return len(block.rows) >= LEAST_POINTS and _has_named(block, options)
    numeric = [column for column in block.columns if column.is_numeric]
    kinds = [column.name.kind for column in numeric]
    axes = [kind for kind in kinds if kind in AXES]
    known = {column.name.text for column in numeric if meaning(column.name.text, system)}
    if axes and any(kind in ORDINATES for kind in kinds):
        return len(block.rows) >= LEAST_POINTS or not known - {"time", "Mw"} or "log_m" in axes
    of_table = known | {c.name.text for c in numeric if average_of(c.name.text) and c.name.kind != "log_m"}
    if not any(column.name.text for column in block.columns):
        return len(numeric) == 2 and len(block.rows) >= LEAST_POINTS
    unknown = [column for column in numeric if column.name.kind is None and column.name.text not in of_table]
    if "log_m" in axes or (axes and not known):
        return bool(unknown) and len(block.rows) >= LEAST_POINTS
    if axes and len(block.rows) >= LEAST_POINTS and {_column_of(name, system) for name in of_table} <= {"Mw", "time"}:
        return any(not only_rises(column) for column in unknown) and any(
            only_rises(column) for column in numeric if column.name.kind in AXES
        )
    return False


def _column_of(name: str, system: System) -> str:
    """The column of a system that a name means; itself if it means none, such as that of another average."""
    found = meaning(name, system)
    return found[0] if found else name


def _has_named(block: Block, options: Options) -> bool:
    try:
        for wanted in (options.x, options.y):
            if wanted is not None:
                named(block, wanted, block.sheet.place)
    except InputError:
        return False
    return True


def _rank(block: Block) -> tuple[int, int, int]:
    """The lower, the better: w(log M) before w(M) before a signal; a signal over M before one over time and M."""
    kinds = {column.name.kind for column in block.columns if column.is_numeric}
    best = next((at for at, kind in enumerate(ORDINATES) if kind in kinds), len(ORDINATES))
    over_time = best >= ORDINATES.index("sec") and bool(kinds & set(RUNS))
    return int(len(block.rows) < LEAST_POINTS), best + 10 * over_time, 0


def _curves(blocks: Sequence[Block], options: Options, system: System) -> tuple[list[Source], list[str]]:
    fit = [block for block in blocks if is_curve_block(block, options, system)]
    best = min(map(_rank, fit))
    taken = [block for block in fit if _rank(block) == best]
    if len(taken) > 1 and any(_kinds(block) != _kinds(taken[0]) for block in taken):
        taken = [max(taken, key=lambda block: len(block.rows))]

    def read(block: Block) -> list[Source]:
        return curves_in(block, x=options.x, y=options.y, signal=options.stated_signal)

    return _sources(taken, read), _passed_over(blocks, taken)


def _chromatograms(runs: Sequence[Block], options: Options) -> tuple[list[Source], list[str]]:
    """The longest chromatogram, and those with the same columns below or above it."""
    longest = max(runs, key=lambda block: len(block.rows))
    like = [block for block in runs if len(block.rows) >= LEAST_POINTS and _kinds(block) == _kinds(longest)]
    taken = like or [longest]
    return _sources(taken, lambda block: chromatograms_in(block, options)), _passed_over(runs, taken)


def _kinds(block: Block) -> list[str]:
    return [column.name.kind or column.name.text for column in block.columns]


def _sources(taken: Sequence[Block], read: Callable[[Block], list[Source]]) -> list[Source]:
    """The curves of blocks, each with a name of its own."""
    sources: list[Source] = []
    for number, block in enumerate(taken, 1):
        here = [source for part in _by_label(block) for source in read(part)]
        if len(taken) > 1:
            title = _title_of(block) or f"curve {number}"
            here = [replace(each, sample=f"{title} {each.sample or ''}".strip()) for each in here]
        sources += here
    return _named_once(sources)


def _passed_over(blocks: Sequence[Block], taken: Sequence[Block]) -> list[str]:
    others = [block for block in blocks if block not in taken and len(block.rows) >= LEAST_POINTS]
    if not others:
        return []
    rows = " and ".join(f"{block.rows[0]} to {block.rows[-1]}" for block in taken[:3])
    left = " and ".join(f"{block.rows[0]} to {block.rows[-1]}" for block in others[:3])
    return [f"the curve is read from rows {rows}; other numbers stand in rows {left}"]


def _by_label(block: Block) -> list[Block]:
    """Parts of a block in which samples stand below each other, named in a column of their own."""
    for column in block.columns:
        of_samples = letters(column.name.text) in SAMPLES
        if any(is_missing(cell) or (is_number(cell) and not of_samples) for cell in column.cells):
            continue
        labels = [*dict.fromkeys(map(said, column.cells))]
        parts = {label: [k for k, cell in enumerate(column.cells) if said(cell) == label] for label in labels}
        if column.name.kind == "remark" and any(part[-1] - part[0] >= len(part) for part in parts.values()):
            continue  # remarks on points of one curve
        if len(labels) > 1 and all(len(part) >= LEAST_POINTS for part in parts.values()):
            return [_part(block, part, column, label) for label, part in parts.items()]
    return [block]


def _part(block: Block, at: list[int], column: Column, label: str) -> Block:
    columns = [replace(each, cells=[each.cells[k] for k in at]) for each in block.columns]
    return replace(block, rows=[block.rows[k] for k in at], columns=columns, titles={block.header: ["sample", label]})


def _title_of(block: Block) -> str | None:
    """The name of the sample in the rows above a block."""
    for row in sorted(block.titles, reverse=True):
        cells = [said(cell) for cell in block.titles[row] if not is_missing(cell)]
        called, _, name = cells[0].partition(":") if cells else ("", "", "")
        if cells and letters(called) in SAMPLES:
            return " ".join([name, *cells[1:]]).strip() or None
    texts = [[said(cell) for cell in cells if not is_missing(cell)] for _, cells in sorted(block.titles.items())]
    short = [cells[0] for cells in texts if len(cells) == 1 and len(cells[0]) < 60 and not is_number(cells[0])]
    return short[-1] if short else None


def _named_once(sources: list[Source]) -> list[Source]:
    """Several curves, each with a name of its own."""
    if len(sources) < 2:
        return sources
    names = [source.sample or (_title_of(source.block) if source.block.titles else None) for source in sources]
    if len({*names}) < len(names) or None in names:
        names = [
            f"{name} ({k})" if name and names.count(name) > 1 else name or f"curve {k}"
            for k, name in enumerate(names, 1)
        ]
    return [replace(source, sample=name) for source, name in zip(sources, names, strict=True)]


# Chromatograms


def _is_chromatogram(block: Block) -> bool:
    kinds = {column.name.kind for column in block.columns if column.is_numeric}
    return bool(kinds & set(RUNS)) and len(block.rows) >= LEAST_POINTS


def _is_bare(block: Block) -> bool:
    """Whether a block has two columns without names, which a calibration makes a chromatogram."""
    named_columns = any(column.name.text for column in block.columns)
    return not named_columns and len(block.columns) == 2 and len(block.rows) >= LEAST_POINTS


def chromatograms_in(block: Block, options: Options) -> list[Source]:
    """Signals of a block over its elution time or volume.

    Raises:
        InputError: It has no concentration signal.
    """
    place = block.sheet.place
    numeric = [column for column in block.columns if column.is_numeric]
    runs = [column for kind in reversed(RUNS) for column in numeric if column.name.kind == kind]
    runs = runs or [column for column in numeric if only_rises(column)] or numeric
    x = named(block, options.x, place) if options.x else runs[0]
    if options.x and options.y:
        check_two(x, named(block, options.y, place), place)
    ys = [named(block, options.y, place)] if options.y else [c for c in numeric if c.name.kind == "sec"]
    ys = ys or [column for column in numeric if column.name.kind is None and column is not x]
    if not ys:
        raise InputError(f"{place}: {why_none(block, [c for c in numeric if c not in runs], [])}")
    sources = [Source(block, x, y, y.name.text if len(ys) > 1 else None) for y in ys]
    return _named_once(sources)
