"""Answers on disk: a table, and a picture."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from polyinv.errors import InputError
from polyinv.runtime.files import check_new, has_ending, written
from polyinv.runtime.spreadsheets import harmless_table, workbook

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

FORMATS = (".csv", ".xlsx")
LONGEST_SHEET = 1_048_576
"""Rows of a sheet of a workbook, with that of the names."""
WRITTEN = 4096
"""Rows that become cells of a workbook at once."""


def check_new_answers(path: Path | str | None, plot: Path | str | None = None) -> None:
    """Check that answers and a picture can be written there, before they are made; no path is standard output.

    Raises:
        InputError: One cannot.
    """
    if path is None and sys.stdout is None:
        raise InputError("standard output is closed; needs --out with the name of a new file")
    check_new_files(path, plot)


def check_new_files(path: Path | str | None, plot: Path | str | None) -> None:
    """Check that a table and a picture can be written, where there is to be one.

    Raises:
        InputError: One cannot.
    """
    for place, endings in ((path, FORMATS), (plot, (".png",))):
        if place is None:
            continue
        if not has_ending(place, endings):
            raise InputError(f"{place}: this is written as {' or '.join(endings)}")
        check_new(place)


def write_answers(answers: pd.DataFrame, path: Path | str | None) -> None:
    """Write answers as .csv or .xlsx; without a path, as CSV to standard output. No text in them becomes a formula.

    Raises:
        InputError: As `check_new_answers`.
    """
    answers = harmless_table(answers)
    if path is None:
        answers.to_csv(sys.stdout, index=False, lineterminator="\n")
        return
    check_new_answers(path)
    with written(path) as passing:
        if Path(path).suffix == ".csv":
            answers.to_csv(passing, index=False, lineterminator="\n")
        else:
            _write_workbook(answers, passing)


def _write_workbook(answers: pd.DataFrame, path: Path) -> None:
    """Write rows one after the other: the cells of a workbook in memory take half a kilobyte each."""
    if len(answers) >= LONGEST_SHEET:
        raise InputError(f"{len(answers)} rows are more than a sheet of a workbook holds; needs .csv")
    with workbook(path) as book:
        page = book.create_sheet("Sheet1")
        page.append([str(name) for name in answers.columns])
        for start in range(0, len(answers), WRITTEN):
            cells = answers.iloc[start : start + WRITTEN].astype(object)
            for row in cells.where(cells.notna(), None).itertuples(index=False, name=None):
                page.append(row)


def plot_answers(observations: "Observations", answers: pd.DataFrame, path: Path | str) -> None:
    """Write a picture of observed curves and those that the answered recipes make.

    Args:
        observations: The rows.
        answers: Of `Predictor.answers`, of the same rows.
        path: A new .png.
    """
    from polyinv.report.curves import compared

    with written(path) as passing:
        compared(observations.to_table(), answers, observations.system).savefig(passing, dpi=150)
