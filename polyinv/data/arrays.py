"""Tables as arrays: .npz files, and the numbers of workbooks that are kept in that form."""

import hashlib
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyinv.chemistry import DEFAULT, System
from polyinv.data.stated_system import COLUMN
from polyinv.errors import InputError
from polyinv.runtime.cache import cache_folder
from polyinv.runtime.files import written

UNPACKED, DENSEST = 10**9, 100
"""Bytes that a table of arrays unpacks to without a question; and beyond them, how many times what it has."""

log = logging.getLogger(__name__)


def write_arrays(table: pd.DataFrame, path: Path, system: str) -> None:
    """Write a table as .npz; the name of its system is stated in it, unless that is the default one."""
    columns, values = np.array(table.columns, dtype=str), table.to_numpy(dtype=float)
    stated = {} if system == DEFAULT else {COLUMN: np.array(system)}
    arrays: dict[str, Any] = {"columns": columns, "values": values, "rows": table.index.to_numpy(), **stated}
    np.savez_compressed(path, **arrays)


def _check_unpacked(path: Path) -> None:
    """Refuse a small file that unpacks to a large one: numbers of measurements and simulations do not."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > max(UNPACKED, DENSEST * path.stat().st_size):
        raise ValueError(f"it unpacks to {unpacked / 1e6:.0f} MB, {DENSEST} times what it has and more")


def read_arrays(path: Path) -> pd.DataFrame:
    """Read what `write_arrays` has written; a column names the system if the file does.

    Raises:
        InputError: The file is damaged, unpacks to far more than measurements do, or has no rows.
    """
    try:
        _check_unpacked(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if missing := sorted({"columns", "values", "rows"} - {*arrays}):
                raise ValueError(
                    f"it has no array {missing[0]!r}; needs 'columns' (names), 'values' (numbers, a row for each of "
                    "'rows', a column for each name) and 'rows' (their labels)"
                )
            table = pd.DataFrame(arrays["values"], columns=arrays["columns"], index=arrays["rows"])
            if not table.index.is_unique:
                raise ValueError("its rows have the same number twice")
            if COLUMN in arrays:
                table.insert(0, COLUMN, str(arrays[COLUMN]))
    except MemoryError:
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise InputError(f"{path} is not a table written by polyinv: {error}") from None
    if table.empty:
        raise InputError(f"{path} has no rows")
    return table


def cache_file(path: Path, columns: Sequence[str], system: System, sheet: str | None = None) -> Path:
    """File for the numbers of a workbook as one system reads it: another may have the columns, and has to refuse it."""
    read_as = ",".join([system.fingerprint, sheet or "", *columns])
    content = hashlib.sha256(path.read_bytes() + read_as.encode()).hexdigest()
    return cache_folder() / f"{content}.npz"


def cached(cache: Path, columns: Sequence[str]) -> pd.DataFrame | None:
    """The numbers of a workbook that were kept; None where there are none, or they are damaged, which is said."""
    if not cache.is_file():
        return None
    try:
        table = read_arrays(cache)
        if list(table.columns) != list(columns) or any(kind != np.float64 for kind in table.dtypes):
            raise InputError(f"{cache} has other columns")
        if not np.isfinite(table.to_numpy()).all():
            raise InputError(f"{cache} holds what is no number")
    except InputError as error:
        log.warning("the numbers that were kept of the workbook are damaged, and read again (%s)", error)
        return None
    return table


def store(table: pd.DataFrame, cache: Path) -> None:
    """Keep the numbers of a workbook; where that fails it is said, and the work goes on."""
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with written(cache, overwrite=True) as passing:
            write_arrays(table, passing, DEFAULT)
    except OSError as error:
        log.warning("the numbers are not cached: %s", error)
