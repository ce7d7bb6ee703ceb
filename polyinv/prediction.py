"""From rows of what a laboratory knows to recipes, with what each answer was made from and how far it goes."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polyinv.data.features import FEATURES, feature_columns, may_miss
from polyinv.data.patterns import INPUTS, SHOWING, name_of
from polyinv.errors import InputError, unknown
from polyinv.files import refuse_existing, written
from polyinv.models import InverseModel
from polyinv.models.base import CARD
from polyinv.quantities import RECIPE, SCALARS, TARGETS

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = (".csv", ".xlsx")
DIGITS = "%.7g"
DEFAULT = Path(__file__).parents[1] / "checkpoints" / "masked"
"""The released model that takes whatever is known."""

log = logging.getLogger(__name__)


def model_folder(path: Path | str | None) -> Path:
    """The folder of a saved model: a checkpoint, the model of a run folder, or the released one that takes gaps.

    Raises:
        InputError: There is none.
    """
    if path is None:
        if not (DEFAULT / CARD).is_file():
            raise InputError(f"there is no released model in {DEFAULT}; name a checkpoint: polyinv predict MODEL FILE")
        return DEFAULT
    inner = Path(path, "model")
    return inner if (inner / CARD).is_file() else Path(path)


def known_values(given: Sequence[str]) -> dict[str, float]:
    """Values from ``name=value``, several in one by commas.

    Raises:
        InputError: Not of that form, an unknown name, a name twice, or a value that cannot be.

    Example:
        >>> known_values(["temp=70,time=3600"])
        {'temp': 70.0, 'time': 3600.0}
    """
    values: dict[str, float] = {}
    for each in (part for whole in given for part in whole.split(",")):
        name, sign, text = (part.strip() for part in each.partition("="))
        if not sign:
            raise InputError(f"--known {each}: needs name=value, such as temp=70")
        if name not in (*TARGETS, *SCALARS):
            raise unknown("value to be known", name, (*TARGETS, *SCALARS))
        if name in values:
            raise InputError(f"--known gives {name} twice")
        try:
            values[name] = float(text)
        except ValueError:
            raise InputError(f"--known {each}: {text!r} is not a number; needs name=value, such as temp=70") from None
        least = {quantity.name: quantity.above for quantity in RECIPE}.get(name, 0.0)
        if not np.isfinite(values[name]) or values[name] < least or (values[name] == least and name != "cBA_time"):
            raise InputError(f"--known {each}: {name} has to be more than {least:g}")
    return values


def with_known(table: pd.DataFrame, known: Mapping[str, float], asked: Sequence[str] = ()) -> pd.DataFrame:
    """Rows with known values filled in, and what is asked for left empty.

    Args:
        table: N rows with the columns `polyinv.quantities.COLUMNS`, NaN for what is missing.
        known: Values that hold for every row.
        asked: Values of the recipe to answer even where the table has them.

    Raises:
        InputError: A value is known twice and not the same, or known and asked for.
    """
    table = table.copy()
    for name in asked:
        if name not in TARGETS:
            raise unknown("value of the recipe", name, TARGETS)
        if name in known:
            raise InputError(f"{name} is both known and asked for")
        table[name] = np.nan
    for name, value in known.items():
        other = table[name].notna() & ~np.isclose(table[name], value, rtol=1e-9, atol=0)
        if other.any():
            row = other.idxmax()
            raise InputError(f"row {row} has {name} {table[name][row]:g}, but --known says {value:g}; leave out one")
        table[name] = value
    return table


def predict(model: InverseModel, folder: Path | str, table: pd.DataFrame) -> pd.DataFrame:
    """Recipes of rows, each from what is known of it; what speaks against an answer goes to the log.

    Args:
        model: Any; one fitted on the feature set ``partial`` takes gaps.
        folder: Where it was saved.
        table: N rows with the columns `polyinv.quantities.COLUMNS`, NaN for what is missing.

    Returns:
        For each row: the recipe, known values as given; ``<value>_spread``, the standard deviation between the members
        of an ensemble; of a model that takes gaps also ``<value>_rmse``, the typical error off the grid of what is
        answered from these inputs; ``inputs``, what it was answered from. Empty where there is no such number.

    Raises:
        InputError: A row lacks what the model needs, or asks for nothing.
    """
    from polyinv.data.datamodule import rows_of

    if may_miss(model.columns):
        return _from_what_is_known(model, folder, table)
    absent = table[list(model.columns)].isna().any()
    if absent.any():
        column = absent.idxmax()
        row = table[column].isna().idxmax()
        raise InputError(
            f"row {row} has no {column}, which {folder} needs; {DEFAULT.name} is the model that takes gaps"
        )
    answered = _answers(model, rows_of(table, model.columns).x, table.index)
    return answered.assign(inputs=next(name for name in FEATURES if feature_columns(name) == model.columns))


def _from_what_is_known(model: InverseModel, folder: Path | str, table: pd.DataFrame) -> pd.DataFrame:
    import torch

    from polyinv.data.datamodule import rows_of
    from polyinv.data.masks import given_inputs
    from polyinv.evaluation.domain import cannot_be_told, contradictions, in_words, outside_box
    from polyinv.evaluation.expectations import Expectations

    x = rows_of(table, model.columns).x
    present = given_inputs(x, model.columns)
    given = [tuple(itertools.compress(INPUTS, row)) for row in present.tolist()]
    _check_answerable(table, given)
    names = [str(row) for row in table.index]
    expectations, parts = Expectations(model, folder), []
    for inputs in dict.fromkeys(given):
        at = [row for row, each in enumerate(given) if each == inputs]
        pattern, rows = name_of(inputs), [names[row] for row in at]
        log.info("%d row%s answered from %s", len(at), "s" if len(at) > 1 else "", in_words(inputs))
        for line in cannot_be_told(pattern, expectations) + contradictions(model, x[at], pattern, expectations, rows):
            log.warning(line)
        part, rmse = _answers(model, x[at], table.index[at]), expectations.of(pattern)["rmse"]
        for name in TARGETS:
            part[f"{name}_rmse"] = rmse.get(name, np.nan)
            if name in inputs:
                part[f"{name}_spread"] = np.nan
        parts.append(part.assign(inputs=pattern))
    answers = pd.concat(parts).loc[table.index]
    recipes = torch.from_numpy(answers[list(TARGETS)].to_numpy(copy=True))
    for line in outside_box(recipes, present[:, -len(TARGETS) :], names):
        log.warning(line)
    return answers


def _check_answerable(table: pd.DataFrame, given: Sequence[Sequence[str]]) -> None:
    """Refuse rows that show no polymer or ask for nothing; say what of a row is not used."""
    for row, inputs in zip(table.index, given, strict=True):
        if not set(inputs) & set(SHOWING):
            raise InputError(f"row {row} has neither the MMD nor Mn and Mw; needs one of them")
        if set(TARGETS) <= set(inputs):
            raise InputError(f"row {row} has the whole recipe and asks for nothing; --ask names what to leave open")
    single = table["Mn"].isna() != table["Mw"].isna()
    if single.any():
        row = single.idxmax()
        there, other = ("Mn", "Mw") if pd.isna(table["Mw"][row]) else ("Mw", "Mn")
        log.warning("row %s has %s without %s, which is not used (%d such rows)", row, there, other, single.sum())


def _answers(model: InverseModel, x: "Tensor", index: pd.Index) -> pd.DataFrame:
    members = model.predict_members(x).numpy()
    recipes = pd.DataFrame(members.mean(0), index, list(TARGETS))
    spread = members.std(0, ddof=1) if len(members) > 1 else np.full(members.shape[1:], np.nan)
    return recipes.join(pd.DataFrame(spread, index, [f"{name}_spread" for name in TARGETS]))


def check_new_answers(path: Path | str | None) -> None:
    """Whether `write_answers` can write there; worth asking before the answers are made.

    Raises:
        InputError: It cannot.
    """
    if path is None:
        return
    path = Path(path)
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: answers are written as {' or '.join(FORMATS)}")
    refuse_existing(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")


def write_answers(answers: pd.DataFrame, path: Path | str | None) -> None:
    """Write answers as .csv or .xlsx; without a path, as CSV to standard output.

    Raises:
        InputError: As `check_new_answers`.
    """
    if path is None:
        print(answers.to_csv(index=False, float_format=DIGITS), end="")
        return
    check_new_answers(path)
    with written(path) as passing:
        if Path(path).suffix == ".csv":
            answers.to_csv(passing, index=False, float_format=DIGITS)
        else:
            answers.to_excel(passing, index=False, engine="openpyxl")
