"""Tables on disk: the published workbook schema as .xlsx, the same columns as .csv or .npz.

A table is a DataFrame with the columns of a system, one row per snapshot of a run. The published
workbook holds it twice: sheet ``compuesta`` has all columns, sheet ``mmd_raw_data`` leaves out the scalars.
"""

import hashlib
import logging
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.arrays import cache_file, cached, read_arrays, store, write_arrays
from polyinv.data.files.extent import check_extent
from polyinv.data.stated_system import COLUMN, check_stated, stating
from polyinv.data.table_checks import check_doubled, check_physical, check_table, numbers_in, short, with_unit_area
from polyinv.errors import InputError
from polyinv.quantities import MMD
from polyinv.runtime.files import check_file, check_new, has_ending, written
from polyinv.runtime.spreadsheets import workbook

SHEETS = ("compuesta", "mmd_raw_data")
"""Sheets of the published workbook: with all columns, and without residual monomer and means."""
FORMATS = (".xlsx", ".csv", ".npz")
LARGE = 1_000_000
"""Bytes of a .csv file that is no table of people, if it has columns of a system."""
CHUNK = 2048
"""Rows of a .csv file that are read as text at once."""

log = logging.getLogger(__name__)


def sheets(system: System) -> dict[str, tuple[str, ...]]:
    """Columns of each of ``SHEETS``."""
    return dict(zip(SHEETS, (system.columns, system.targets + MMD), strict=True))


def write_table(table: pd.DataFrame, path: Path | str, system: AnySystem = DEFAULT) -> None:
    """Write a table as .xlsx (both published sheets), .csv or .npz.

    Args:
        table: With the columns of the system.
        path: New file.
        system: What is polymerized. Its name becomes a column, unless it is the default one.

    Raises:
        InputError: ``path`` exists already, or its ending names no format.
    """
    path, system = check_new_table(path), load_system(system)
    with written(path) as passing:
        if path.suffix == ".xlsx":
            _write_workbook(table, passing, system)
        elif path.suffix == ".csv":
            stating(table, system).to_csv(passing, index=False, lineterminator="\n")
        else:
            write_arrays(table, passing, system.name)


def check_new_table(path: Path | str) -> Path:
    """Check that `write_table` can write to ``path``, before a long simulation.

    Raises:
        InputError: It cannot.
    """
    path = Path(path)
    has_ending(path, FORMATS)
    _check_format(path, path.suffix)
    check_new(path)
    return path


def read_table(
    path: Path | str,
    columns: Sequence[str] | None = None,
    *,
    normalize: bool = False,
    system: AnySystem = DEFAULT,
) -> pd.DataFrame:
    """Read and validate a table; rows keep their order.

    A workbook is read from sheet ``mmd_raw_data`` when that holds all that is needed, as the published scripts did,
    and from ``compuesta`` otherwise. Its numbers are cached by the content of the file.

    Args:
        path: An .xlsx, .csv or .npz file.
        columns: What is needed, a selection of the columns of the system, or all of them; others are ignored.
        normalize: Divide each distribution by its area instead of refusing areas other than one.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.

    Returns:
        The selected columns in the order of the system, float64, rows numbered from 0.

    Raises:
        InputError: Names file, sheet, row and column, what stands there and what would be right.
    """
    path, system = Path(path), load_system(system)
    _check_format(path, path.suffix.lower())
    check_file(path)
    columns = [column for column in system.columns if columns is None or column in columns]
    sheet = _sheet(path, columns, system) if path.suffix.lower() == ".xlsx" else None
    place = f"{path}, sheet {sheet!r}" if sheet else str(path)
    cache = cache_file(path, columns, system, sheet)
    table = cached(cache, columns) if sheet else None
    if table is None:
        raw = _read_raw(path, sheet, place, system)
        check_stated(raw, system, place)
        table = numbers_in(raw, columns, place, system)
        check_table(table, place, system)
        if sheet:
            store(table, cache)
    return with_unit_area(table, place, normalize=normalize).reset_index(drop=True)


def unused_columns(path: Path | str, columns: Sequence[str], system: System) -> list[str]:
    """Names of the columns of a table, which `read_table` has read, that are none of ``columns``."""
    path = Path(path)
    if path.suffix.lower() == ".npz":
        names = list(read_arrays(path).columns)
    elif path.suffix.lower() == ".xlsx":
        names = list(_cells(path, _sheet(path, columns, system)).iloc[0])
    else:
        names = list(_first_line(path, system))
    found = [str(name).strip() for name in names if not pd.isna(name)]
    return [name for name in found if name not in (*columns, COLUMN)]


def is_own_table(path: Path | str, system: AnySystem = DEFAULT) -> bool:
    """Whether a file is a table in polyinv's own form: .npz, a published workbook, or CSV with the nodes of a curve.

    CSV of any size counts that is larger than what people write, if it has columns of the system. Such tables are read
    strictly, and in pieces; all others as people write them (`polyinv.data.files.tables`).
    """
    path, system = Path(path), load_system(system)
    if path.suffix.lower() == ".npz":
        return True
    if path.suffix.lower() == ".xlsx":
        try:
            return bool(set(SHEETS) & set(_sheets(path)[0]))
        except (InputError, OSError):
            return False
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open("rb") as file:
        line = file.readline(20_000).decode("utf-8-sig", "replace")
    names = {name.strip().strip('"') for name in line.split(",")}
    own = {*system.columns} - {"time", "Mw"}  # which a curve may have, too
    large = path.stat().st_size > LARGE and bool(names & own)
    return MMD[0] in names or large


def read_observations(
    path: Path | str, *, normalize: bool = False, system: AnySystem = DEFAULT
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read rows with missing inputs; rows keep their order.

    Args:
        path: An .xlsx, .csv or .npz file with any columns of the system; of a workbook without the published sheets,
            the only sheet.
        normalize: As in `read_table`.
        system: As in `read_table`.

    Returns:
        All columns of the system, NaN where a column is absent or a cell empty; and the other columns of the file as
        they stand, such as the name of a sample. The rows of both are numbered as a person counts them.

    Raises:
        InputError: As `read_table`; also where only some nodes of a curve are given.
    """
    path, system = Path(path), load_system(system)
    check_file(path)
    if path.suffix.lower() == ".csv":
        return _observations_in(csv_chunks(path, system), str(path), system, normalize=normalize)
    sheet = _only_sheet(path) if path.suffix.lower() == ".xlsx" else None
    place = f"{path}, sheet {sheet!r}" if sheet else str(path)
    return observations_of(_read_raw(path, sheet, place, system), place, normalize=normalize, system=system)


def observations_of(
    raw: pd.DataFrame, place: str = "the table", *, normalize: bool = False, system: AnySystem = DEFAULT
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Validate rows with missing inputs that have been read; ``place`` names them in errors.

    Raises:
        InputError: As `read_observations`; also no rows, or two rows of one name in the index.
    """
    if not raw.index.is_unique:
        raise InputError(f"{place} has two rows {raw.index[raw.index.duplicated()][0]!r}; number them")
    return _observations_in([raw], place, load_system(system), normalize=normalize)


def _observations_in(
    chunks: Iterable[pd.DataFrame], place: str, system: System, *, normalize: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Validate rows chunk by chunk: as text they take twenty times the memory that they take as numbers."""
    tables, others = zip(*(_numbers_and_others(raw, place, system) for raw in chunks), strict=True)
    # Only the numbers of a large file are large: they are moved once, into one array.
    numbers = np.concatenate([table.to_numpy() for table in tables])
    index = tables[0].index.append([table.index for table in tables[1:]])
    del tables
    table = pd.DataFrame(numbers, index, list(system.columns), copy=False)
    table = with_unit_area(table, place, normalize=normalize, option="--normalize")
    return table, pd.concat(others)


def _numbers_and_others(raw: pd.DataFrame, place: str, system: System) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns of the system, NaN where missing, and the other columns as they stand."""
    raw = raw.rename(columns=lambda name: str(name).strip())
    if raw.empty:
        raise InputError(f"{place} has no rows")
    check_stated(raw, system, place)
    names = list(raw.columns)
    there = [column for column in system.columns if column in names]
    if not there:
        hint = "; separate columns by commas" if ";" in "".join(names) else f"; it has {', '.join(names[:8])}"
        raise InputError(f"{place} has none of the columns {short(system.columns)}{hint}")
    if 0 < len(set(there) & set(MMD)) < len(MMD):
        absent = next(column for column in MMD if column not in there)
        raise InputError(f"{place}: column {absent!r} is missing, and a curve needs all of MMD1 … MMD100")
    table = numbers_in(raw, there, place, system, gaps=True).reindex(columns=list(system.columns))
    curve = table[list(MMD)].notna()
    torn = curve.any(axis=1) & ~curve.all(axis=1)
    if torn.any():
        node = next(column for column in MMD if not curve.loc[torn.idxmax(), column])
        raise InputError(
            f"{place}, row {torn.idxmax()}: column {node!r} is empty; a curve is given whole or not at all"
        )
    check_physical(table, place, system)
    return table, raw.drop(columns=[*there, *raw.columns.intersection([COLUMN])])


def checksum(table: pd.DataFrame) -> str:
    """SHA-256 of the columns and numbers of a table, to identify the data of an experiment."""
    content = ",".join(table.columns).encode() + np.ascontiguousarray(table.to_numpy(dtype="<f8")).tobytes()
    return hashlib.sha256(content).hexdigest()


def _check_format(path: Path, ending: str) -> None:
    if ending not in FORMATS:
        raise InputError(f"{path}: no table format {path.suffix!r}; known: {', '.join(FORMATS)}")


_OTHER_SEPARATORS = re.compile(r"\s*[\t;|]\s*|\s+")
_AS_THEY_STAND = {"keep_default_na": False, "na_values": [""]}


def _headed(cells: pd.DataFrame, place: str, system: System) -> pd.DataFrame:
    """Take the first line of cells as the names of the columns below it."""
    if cells.empty:
        raise InputError(f"{place} has no rows")
    _refuse_doubled(cells.iloc[0], place, system)
    names = [f"Unnamed: {at}" if pd.isna(name) else name for at, name in enumerate(cells.iloc[0])]
    return cells.iloc[1:].set_axis(names, axis=1).reset_index(drop=True)


def _refuse_doubled(names: pd.Series, place: str, system: System) -> None:
    """Refuse a column that stands there twice: pandas would rename the second."""
    found = [str(name).strip() for name in names]
    check_doubled(found, [column for column in system.columns if column in found], place)


def _read_raw(path: Path, sheet: str | None, place: str, system: System) -> pd.DataFrame:
    """The cells as they stand, rows indexed as a person counts them."""
    if path.suffix.lower() == ".npz":
        return read_arrays(path)
    if sheet:
        cells = _cells(path, sheet)
        return _as_counted(_headed(cells, place, system), place)
    return pd.concat(list(csv_chunks(path, system)))


def _cells(path: Path, sheet: str) -> pd.DataFrame:
    from python_calamine import CalamineError

    try:
        return pd.read_excel(path, sheet_name=sheet, engine="calamine", header=None, dtype=object, **_AS_THEY_STAND)
    except (CalamineError, zipfile.BadZipFile, ValueError) as error:
        raise InputError(f"{path}, sheet {sheet!r} cannot be read: {error}") from None


def csv_chunks(path: Path, system: System) -> Iterator[pd.DataFrame]:
    """Read the cells of a .csv file as they stand, some thousand rows at a time, indexed as a person counts them."""
    try:
        _refuse_doubled(_first_line(path, system), str(path), system)
        found = False
        with pd.read_csv(path, dtype=object, skip_blank_lines=False, chunksize=CHUNK, **_AS_THEY_STAND) as chunks:
            for frame in chunks:
                if not isinstance(frame.index, pd.RangeIndex):
                    raise InputError(
                        f"{path}: rows have more cells than the line of names; separate by commas, decimals by points"
                    )
                frame = _counted(frame)
                _check_quotes(frame, path, system)
                if not frame.empty:
                    found = True
                    yield frame
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path} is not a table with one line of column names: {error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8; save it as CSV in UTF-8") from None
    if not found:
        raise InputError(f"{path} has no rows")


def _first_line(path: Path, system: System) -> pd.Series:
    """Names of the columns of a .csv file, which commas part."""
    names = pd.read_csv(path, dtype=object, header=None, nrows=1, **_AS_THEY_STAND).iloc[0]
    parts = [part.strip('"') for part in _OTHER_SEPARATORS.split(str(names.iloc[0]).strip())]
    if len(names) == 1 and len(parts) > 1 and {*parts} & {*system.columns}:
        raise InputError(f"{path}: its columns are parted by no commas; separate by commas, decimals by points")
    return names


def _check_quotes(frame: pd.DataFrame, path: Path, system: System) -> None:
    """Refuse a cell that holds rows: its quotation mark is not closed."""
    for name in frame.columns.difference([*system.columns], sort=False):
        for row, cell in frame[name].items():
            if isinstance(cell, str) and "\n" in cell and cell.count(",") >= len(frame.columns) - 1:
                raise InputError(f"{path}, row {row}, column {name!r}: a quotation mark is not closed")


def _sheets(path: Path) -> tuple[list[str], list[str]]:
    """Names of the sheets that are shown, and of those that are hidden."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    check_extent(path)
    try:
        sheets = CalamineWorkbook.from_path(path).sheets_metadata
        shown = [each.name for each in sheets if each.visible == SheetVisibleEnum.Visible]
        return shown, [each.name for each in sheets if each.name not in shown]
    except (CalamineError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not an Excel workbook: {error}") from None


def _only_sheet(path: Path) -> str:
    """The published sheet with most columns, or the only one, among those that are shown."""
    shown, hidden = _sheets(path)
    published = [sheet for sheet in SHEETS if sheet in shown]
    if not published and len(shown or hidden) > 1:
        raise InputError(f"{path} has the sheets {_listed(shown, hidden)}; name one of them {SHEETS[0]!r}")
    return (published or shown or hidden)[0]


def _sheet(path: Path, columns: Sequence[str], system: System) -> str:
    """The published sheet that has the columns; a hidden one only where no other has them."""
    shown, hidden = _sheets(path)
    wanted = [sheet for sheet, held in reversed(sheets(system).items()) if set(columns) <= set(held)]
    for sheet in wanted:
        if sheet in shown:
            return sheet
    for sheet in wanted:
        if sheet in hidden:
            log.warning("%s: sheet %r is read, which is hidden", path, sheet)
            return sheet
    close = [sheet for sheet in shown if sheet.strip().lower() in wanted]
    hint = f"; is {close[0]!r} meant for it?" if close else ""
    raise InputError(f"{path}: sheet {wanted[-1]!r} is missing; the workbook has {_listed(shown, hidden)}{hint}")


def _listed(shown: Sequence[str], hidden: Sequence[str]) -> str:
    return ", ".join([*map(repr, shown), *(f"{name!r} (hidden)" for name in hidden)])


def _as_counted(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    frame = _counted(frame)
    if frame.empty:
        raise InputError(f"{place} has no rows")
    return frame


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    frame.index = frame.index + 2  # the line of names is row 1
    return frame.dropna(how="all")  # the empty lines that spreadsheets leave at the end


def _write_workbook(table: pd.DataFrame, path: Path, system: System) -> None:
    with workbook(path) as book:
        for sheet, columns in sheets(system).items():
            page, part = book.create_sheet(sheet), stating(table[list(columns)], system)
            page.append(list(part.columns))
            for row in part.to_numpy(dtype=object).tolist():
                page.append(row)
