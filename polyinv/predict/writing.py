"""Answers on disk: a table, and a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from polyinv.errors import InputError
from polyinv.runtime.files import check_new, written

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

FORMATS = (".csv", ".xlsx")


def check_new_answers(path: Path | str | None, plot: Path | str | None = None) -> None:
    """Check that answers and a picture can be written there, before they are made.

    Raises:
        InputError: One cannot.
    """
    for place, endings in ((path, FORMATS), (plot, (".png",))):
        if place is None:
            continue
        place = Path(place)
        if place.suffix not in endings:
            raise InputError(f"{place}: this is written as {' or '.join(endings)}")
        check_new(place)


def write_answers(answers: pd.DataFrame, path: Path | str | None) -> None:
    """Write answers as .csv or .xlsx; without a path, as CSV to standard output.

    Raises:
        InputError: As `check_new_answers`.
    """
    if path is None:
        print(answers.to_csv(index=False, lineterminator="\n"), end="")
        return
    check_new_answers(path)
    with written(path) as passing:
        if Path(path).suffix == ".csv":
            answers.to_csv(passing, index=False, lineterminator="\n")
        else:
            answers.to_excel(passing, index=False, engine="openpyxl")


def plot_answers(observations: "Observations", answers: pd.DataFrame, path: Path | str) -> None:
    """Write a picture of observed curves and those that the answered recipes make.

    Args:
        observations: The rows.
        answers: Of `Predictor.answer`, of the same rows.
        path: A new .png.
    """
    from polyinv.report.curves import compared

    with written(path) as passing:
        compared(observations.to_table(), answers).savefig(passing, dpi=150)
