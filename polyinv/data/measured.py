"""Measured molar mass distributions: the curves of a file, whatever its form, on the grid.

Instruments export log10 M or M against w(log10 M), w(M) or the signal of a detector, with any separator, with decimal
points or commas, with or without a header, in a report or a workbook, of one sample or of several. A file is taken at
its word; what it leaves open is decided by rules, and `MeasuredCurve.notes` says how.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from polyinv.chemistry import DEFAULT, AnySystem, load_system
from polyinv.data.files.averages import compared, stated_averages
from polyinv.data.files.calibration import read_calibration
from polyinv.data.files.cells import Book
from polyinv.data.files.chromatogram import calibrated
from polyinv.data.files.curves import Source
from polyinv.data.files.distribution import MeasuredCurve, distribution
from polyinv.data.files.options import BASELINES, SIGNALS, UNITS, Options
from polyinv.data.files.points import points_of
from polyinv.data.files.reading import MOST_BYTES, read_book, sheets_of_text
from polyinv.data.files.recognise import RUNS, Found, recognise
from polyinv.data.files.text import decoded
from polyinv.errors import InputError

__all__ = [
    "BASELINES", "SIGNALS", "UNITS", "MeasuredCurve", "Options", "curve_of", "curves_of", "is_curve",
    "looks_like_curve", "read_curve", "read_curves",
]  # fmt: skip

HEAD = 200
"""Lines by which a curve is told from a table."""


def read_curve(path: Path | str, **options: Any) -> MeasuredCurve:
    """Read the only measured distribution of a file; see `read_curves`.

    Raises:
        InputError: As there; also for several.
    """
    return _only(read_curves(path, **options), str(path))


def read_curves(path: Path | str, **options: Any) -> list[MeasuredCurve]:
    """Read the measured distributions of a text, a workbook, JCAMP-DX or RepTate's .gpc.

    Args:
        path: Of the file; its format is told by its content.
        options: See `polyinv.data.files.options.Options`.

    Raises:
        InputError: In one line: file, row and column, what stands there and what would be right.
    """
    stated = Options(**options)
    book = read_book(path, stated.sheet)
    return curves_found(book, recognise(book, stated, load_system()), stated)


def curve_of(text: str, place: str, **options: Any) -> MeasuredCurve:
    r"""Read a measured distribution from text, such as standard input; ``place`` names it in errors.

    Example:
        >>> import numpy as np
        >>> lines = [f"{x / 10};{np.exp(-((x - 45) ** 2) / 20):.5f}" for x in range(30, 61)]
        >>> print(curve_of("\n".join(["log M;RI", *lines]), "standard input").notes[0])
        31 points; column 'log M' is log10 M (g/mol), 3 to 6; column 'RI' is a signal, w(log10 M) up to a factor
    """
    return _only(curves_of(text, place, **options), place)


def curves_of(text: str, place: str, **options: Any) -> list[MeasuredCurve]:
    """Read the measured distributions of a text, see `read_curves`."""
    stated = Options(**options)
    book = Book(Path(place), sheets_of_text(text, place))
    return curves_found(book, recognise(book, stated, load_system()), stated)


def curves_found(book: Book, found: Found, options: Options) -> list[MeasuredCurve]:
    """Make distributions of what `recognise` has found.

    Raises:
        InputError: As `read_curves`.
    """
    place = str(book.path)
    if found.table is not None:
        names = ", ".join(filter(None, found.table.names))[:80]
        raise InputError(f"{found.table.sheet.place} is a table of results ({names}), no curve")
    sources = _chosen(found.sources, options, place)
    calibration = None
    if options.calibration is not None:
        idle = next((source for source in sources if source.x.name.kind not in (*RUNS, None)), None)
        if idle is not None:
            raise InputError(
                f"{place}: column {idle.x.label} is a molar mass already; --calibration has no effect on it"
            )
        calibration = read_calibration(options.calibration)
    curves = []
    for source in sources:
        points = points_of(source, options.decimal)
        curve = (
            distribution(source, points, options)
            if calibration is None
            else calibrated(source, points, calibration, options)
        )
        curves.append(replace(curve, notes=(*curve.notes, *found.notes), warnings=(*curve.warnings, *found.warnings)))
    return _against_stated(curves, sources)


def _only(curves: Sequence[MeasuredCurve], place: str) -> MeasuredCurve:
    if len(curves) > 1:
        raise InputError(f"{place} holds {len(curves)} curves: {_listed(curves)}; --sample names one")
    return curves[0]


def _listed(curves: Sequence[MeasuredCurve] | Sequence[Source]) -> str:
    names = [repr(curve.sample) for curve in curves]
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


def _chosen(sources: Sequence[Source], options: Options, place: str) -> list[Source]:
    """The sources that ``--sample`` names, by name or number."""
    if options.sample is None:
        return [*sources]
    wanted = options.sample.strip().lower()
    named = [source for source in sources if (source.sample or "").lower() == wanted]
    numbered = [source for k, source in enumerate(sources, 1) if str(k) == wanted]
    if not (named or numbered) or (len(sources) == 1 and sources[0].sample is None):
        if len(sources) == 1:
            raise InputError(
                f"{place} holds one curve{_called(sources[0])}; --sample {options.sample} has no effect on it"
            )
        raise InputError(f"{place} has no sample {options.sample!r}; it has {_listed(sources)}")
    return named or numbered


def _called(source: Source) -> str:
    return f", {source.sample!r}" if source.sample else ""


def _against_stated(curves: list[MeasuredCurve], sources: Sequence[Source]) -> list[MeasuredCurve]:
    """Compare each curve with the averages that its sheet states."""
    compared_curves = []
    for at, (curve, source) in enumerate(zip(curves, sources, strict=True)):
        rows = itertools.chain.from_iterable(
            each.block.rows for each in sources if each.block.sheet is source.block.sheet
        )
        stated = stated_averages(source.block.sheet, [*rows])
        notes, differ = compared(stated, curve.averages, at, len(curves))
        compared_curves.append(replace(curve, notes=(*curve.notes, *notes), warnings=(*curve.warnings, *differ)))
    return compared_curves


def looks_like_curve(path: Path | str, system: AnySystem = DEFAULT) -> bool:
    """Whether a file holds curves rather than a table with columns of a system.

    What cannot be read counts as a curve, so that `read_curve` says what is wrong with it.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return False
    try:
        if path.stat().st_size > MOST_BYTES:
            with path.open("rb") as file:
                return is_curve(decoded(b"".join(itertools.islice(file, HEAD)), str(path)), system)
        return recognise(read_book(path), Options(), load_system(system)).table is None
    except (InputError, OSError):
        return True


def is_curve(text: str, system: AnySystem = DEFAULT) -> bool:
    """Whether text holds curves, see `looks_like_curve`."""
    try:
        book = Book(Path("text"), sheets_of_text("\n".join(text.splitlines()[:HEAD]), "text"))
        return recognise(book, Options(), load_system(system)).table is None
    except InputError:
        return True
