"""What a user asks of all the recipes that fit: samples, alternatives, a picture, what to measure next."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from polyinv.errors import InputError
from polyinv.models import InverseModel, Posterior
from polyinv.predict.alternatives import alternatives, check_alternatives
from polyinv.predict.fits import INTERVAL, SAMPLES, Fits, fits, fitting_nothing, samples_table, share_of, with_names
from polyinv.predict.writing import LONGEST_SHEET, check_new_files, write_answers
from polyinv.runtime.files import check_apart, written
from polyinv.runtime.threads import one_thread

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

MOST_SAMPLES, MOST_IN_ALL = 100_000, 5_000_000
"""Of a row, and of all rows, which take minutes."""
TELLING = 1.1
"""Narrowing from which on a line names it."""
SHOWN = 1000
"""Recipes in a picture."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What is asked for, by the options of ``polyinv predict``.

    Args:
        interval: Share of the recipes that an interval holds.
        sharpen: Whether they are corrected by simulating them; None does so for a single row.
        samples: Recipes of each row.
        out_samples: Where they are written.
        alternatives: Distinct recipes of each row, instead of the answers.
        advise: What to measure next, instead of the answers.
        ridge: Where a picture is written.
    """

    interval: float = INTERVAL
    sharpen: bool | None = None
    samples: int | None = None
    out_samples: str | None = None
    alternatives: int | None = None
    advise: bool = False
    ridge: str | None = None

    @property
    def more(self) -> list[str]:
        """What is asked for besides intervals, by name."""
        names = ("samples", "out_samples", "alternatives", "advise", "ridge")
        return [name for name in names if getattr(self, name) not in (None, False)]


def check_wanted(options: Mapping[str, Any], model: str) -> Wanted:
    """Check options before any file is read.

    Args:
        options: By name.
        model: Kind of the model.

    Raises:
        InputError: One cannot be, or goes with a posterior model only.
    """
    if options["sharpen"] and options["no_sharpen"]:
        raise InputError("--sharpen and --no-sharpen: give one of them")
    sharpen = True if options["sharpen"] else False if options["no_sharpen"] else None
    names = ("samples", "out_samples", "alternatives", "advise", "ridge")
    wanted = Wanted(share_of(options["interval"]), sharpen, **{name: options[name] for name in names})
    asked = [*wanted.more, *(["sharpen"] if sharpen else [])]
    if model != Posterior.name and asked:
        raise InputError(f"--{asked[0].replace('_', '-')} needs a posterior model, not a {model}")
    if (wanted.samples is None) != (wanted.out_samples is None):
        raise InputError("--samples N and --out-samples FILE go together")
    if wanted.samples is not None and not 1 <= wanted.samples <= MOST_SAMPLES:
        raise InputError(f"--samples is {wanted.samples}; needs 1 to {MOST_SAMPLES}")
    if wanted.alternatives is not None:
        check_alternatives(wanted.alternatives)
        if wanted.advise:
            raise InputError("--alternatives and --advise both print something instead of the answers; give one")
    places = [options.get(name) for name in ("out", "plot", "out_samples", "ridge")]
    check_apart(*(place for place in places if place != "-"))
    check_new_files(wanted.out_samples, wanted.ridge)
    return wanted


def check_rows(wanted: Wanted, rows: int) -> None:
    """Check what is wanted against the number of rows, before a model is loaded.

    Raises:
        InputError: It is for one polymer, and there are several; or more recipes are to be drawn than can be.
    """
    for name in ("advise", "ridge"):
        if getattr(wanted, name) and rows > 1:
            raise InputError(f"--{name} is for one polymer, and there are {rows}; --sample takes one")
    for name, drawn in {"samples": wanted.samples, "alternatives": wanted.alternatives and SAMPLES}.items():
        if rows * (drawn or 0) > MOST_IN_ALL:
            raise InputError(
                f"--{name} draws {drawn} recipes of each of {rows} rows; needs {MOST_IN_ALL} in all at most"
            )
    sheet = LONGEST_SHEET - 1
    if str(wanted.out_samples).endswith(".xlsx") and rows * (wanted.samples or 0) > sheet:
        raise InputError(
            f"--samples {wanted.samples} of {rows} rows are more than a sheet of a workbook holds, {sheet}; needs .csv"
        )


def found_of(model: InverseModel, observations: "Observations", wanted: Wanted) -> Fits | None:
    """All the recipes that fit; None of a model that answers with one."""
    return fits(model, observations, wanted.sharpen, wanted.samples or 1)


@one_thread()
def show(found: Fits, answers: pd.DataFrame, wanted: Wanted, others: pd.DataFrame) -> pd.DataFrame:
    """Write samples and picture, say what is left open, and return the table to print: the answers, unless another.

    Args:
        found: All the recipes that fit.
        answers: Of the same rows, of `polyinv.predict.predictor.Predictor.answers`.
        wanted: What is asked for.
        others: What the file has besides.
    """
    from polyinv.predict.advice import advice, left_open

    outside = fitting_nothing(answers, found)
    if len(answers) == 1 and not outside.any() and (said := left_open(found, wanted.interval)):
        log.info("%s", said)
    if wanted.more and outside.any():
        _say_what_fits_nothing(wanted, outside)
    if wanted.samples is not None:
        table = with_names(samples_table(found, wanted.samples), others, found.system)
        write_answers(table, wanted.out_samples)
    if wanted.ridge is not None and not outside.any():
        _picture(found, answers, wanted)
    if wanted.alternatives is not None:
        table = alternatives(found, wanted.alternatives)
        fitting = ~table["row"].isin(outside.index[outside])
        return with_names(table[fitting], others, found.system)
    if wanted.advise:
        table = advice(found, wanted.interval)
        for line in table.to_dict("records"):
            helped = ", ".join(f"{name} {line[name]:.2g}" for name in table.columns[1:] if line[name] >= TELLING)
            log.info("with %s, so many times narrower: %s", line["measure"], helped or "none")
        return table
    return answers


def _say_what_fits_nothing(wanted: Wanted, outside: pd.Series) -> None:
    """Say what is left out of rows that no recipe of the box makes, and what is not."""
    left_out = {"picture": wanted.ridge is not None, "alternatives": wanted.alternatives is not None}
    named = " and no ".join(name for name, asked in left_out.items() if asked)
    drawn = "what is drawn of them comes nearest" if wanted.samples is not None or wanted.advise else ""
    said = "; ".join(filter(None, [f"no {named} of them" if named else "", drawn]))
    log.warning("%d of %d rows fit no recipe of the box: %s", outside.sum(), len(outside), said)


def _picture(found: Fits, answers: pd.DataFrame, wanted: Wanted) -> None:
    from polyinv.report.ridge import ridge

    assert wanted.ridge is not None
    ends = found.intervals(wanted.interval).iloc[0]
    intervals = {
        name: (float(ends[f"{name}_low"]), float(ends[f"{name}_median"]), float(ends[f"{name}_high"]))
        for name in found.system.targets
    }
    inputs, label = answers["inputs"].iloc[0], answers.index[0]
    title = f"recipes that fit {inputs} of row {label}; shaded: {wanted.interval:.0%} of them"
    figure = ridge(found.samples(SHOWN)[:, 0], found.observations.recipe[0], intervals, found.system, title)
    with written(Path(wanted.ridge)) as passing:
        figure.savefig(passing, dpi=130)
