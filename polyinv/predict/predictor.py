"""From rows of what a laboratory knows to recipes, with what each answer was made from and how far it goes."""

import difflib
import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyinv.data.features import features_of, is_conditional
from polyinv.data.measured import looks_like_curve, read_curve
from polyinv.data.patterns import INPUTS, SHOWING, name_of
from polyinv.data.workbook import check_physical, observations_of, read_observations
from polyinv.errors import InputError, unknown
from polyinv.mmd import LOG_M, OLIGOMERS, STEP, mean_molar_masses, without_oligomers
from polyinv.models import InverseModel
from polyinv.models.base import mean_answer
from polyinv.models.released import DEFAULT, model_folder
from polyinv.quantities import COLUMNS, MMD, RECIPE, SCALARS, TARGETS
from polyinv.runtime.files import check_new, written

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = (".csv", ".xlsx")
DIGITS = 7
"""Significant digits of answers; what is given stays as it is."""
FORMERLY = {
    "verdict": "applicability",
    "out": "reason",
    "elsewhere": "mmd_distance",
    "elsewhere_least": "mmd_distance_replicate",
}
"""Columns as 0.1.0 called them, which stay beside the new ones for one release."""
MOST_OLIGOMERS = 0.5
"""Share of the mass of a measured curve below 1000 g/mol from which on it is refused."""

log = logging.getLogger(__name__)


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
        if name in values:
            raise InputError(f"--known gives {name} twice")
        values[name] = checked_value(name, text)
    return values


def checked_value(name: str, value: float | str) -> float:
    """A known value of the recipe, or of residual monomer, Mn or Mw, as a number.

    Raises:
        InputError: An unknown name, no number, or one that cannot be.
    """
    if name not in (*TARGETS, *SCALARS):
        raise unknown("value to be known", name, (*TARGETS, *SCALARS))
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is said to be {value!r}, which is not a number; needs one, such as temp=70") from None
    least = {quantity.name: quantity.above for quantity in RECIPE}.get(name, 0.0)
    enough = number >= least if name == "cBA_time" else number > least
    if not enough or not np.isfinite(number):
        rule = f"{least:g} or more" if name == "cBA_time" else f"a number above {least:g}"
        raise InputError(f"{name} is said to be {value}; needs {rule}")
    return number


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
    check_physical(table, "with what is known")
    return table


def read_rows(
    path: Path | str, *, normalize: bool = False, called: str | None = None, **curve: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of a table with gaps, or one measured curve as the only row; what was taken for what goes to the log.

    Args:
        path: Of a table (`polyinv.data.workbook.read_observations`) or a curve (`polyinv.data.measured.read_curve`),
            whose part below 1000 g/mol is not used: no instrument separates oligomers.
        normalize: As for tables.
        called: What the file is called in notes, if not by its path.
        curve: Options of `read_curve`.

    Returns:
        The columns `polyinv.quantities.COLUMNS`, NaN for what is missing, and the other columns of the file.

    Raises:
        InputError: As those two.
    """
    if not looks_like_curve(path):
        table, others = read_observations(path, normalize=normalize)
        _say_what_is_not_used(others, table)
        return table, others
    measured, called = read_curve(path, **curve), called or str(path)
    for note in measured.notes:
        log.info("%s: %s", called, note)
    log.info("%s: Mn %.4g, Mw %.4g g/mol by its points", called, measured.Mn, measured.Mw)
    w, below = without_oligomers(measured.w), measured.w[LOG_M < OLIGOMERS].sum() * STEP
    if below > MOST_OLIGOMERS:
        raise InputError(f"{called}: {below:.0%} of the curve lies below 1000 g/mol; is the unit right?")
    if below > 0:
        log.info("%s: below 1000 g/mol, %.2g %% of the mass, it is not used", called, 100 * below)
    table = pd.DataFrame([w], index=[1], columns=list(MMD)).reindex(columns=list(COLUMNS))
    return table, pd.DataFrame({"curve": [Path(called).name]}, index=[1])


def _say_what_is_not_used(others: pd.DataFrame, table: pd.DataFrame) -> None:
    """Say which columns are passed through; warn if one is nearly the name of a column that is missing."""
    names = [" ".join(str(name).split()) for name in others.columns]
    if names:
        log.info("columns passed through and not used: %s", ", ".join(names))
    empty = {name.lower(): name for name in (*TARGETS, *SCALARS) if table[name].isna().all()}
    for name in names:
        close = difflib.get_close_matches(name.lower(), empty, n=1, cutoff=0.75)
        if close:
            log.warning("column %r is not used; is it meant for %r?", name, empty[close[0]])


class Predictor:
    """A saved model that answers from files and tables.

    Args:
        path: Folder of a saved model or of a run; none takes the released conditional model, for any missing inputs.

    Raises:
        InputError: There is none.

    Example:
        >>> from polyinv.data.bundled import load_bundled
        >>> polymers = load_bundled("off_grid").drop(columns=["cBA_0", "cAIBN_0", "time"]).head(2)  # temp is known
        >>> Predictor().predict(polymers)["inputs"].tolist()
        ['composite+temp', 'composite+temp']
    """

    def __init__(self, path: Path | str | None = None) -> None:
        from polyinv.models import load

        self.folder = model_folder(path)
        self.model = load(self.folder)

    def predict(
        self,
        rows: Path | str | pd.DataFrame,
        known: Mapping[str, float] | None = None,
        ask: Sequence[str] = (),
        **options: Any,
    ) -> pd.DataFrame:
        """Recipes of rows, each from what is known of it; what speaks against an answer goes to the log.

        Args:
            rows: A table with any of the columns `polyinv.quantities.COLUMNS`, gaps as NaN, or a file, see `read_rows`.
            known: Values that hold for every row.
            ask: Values of the recipe to answer even where the rows have them.
            options: Of `read_rows`, or ``normalize`` for a DataFrame.

        Returns:
            For each row what the file has besides, then

            - the recipe, known values as given, and ``inputs``, what it was answered from;
            - ``<value>_spread``, the standard deviation between the members of an ensemble; of a conditional model
              also ``<value>_rmse``, the typical error off the grid of what is answered from these inputs;
            - ``applicability``, ``distance`` and ``reason``, see `polyinv.domain.assessment.assess`;
            - ``mmd_distance``, the total variation distance between the observed curve and that of the answered recipe,
              simulated, and ``mmd_distance_replicate``, that of a replicate of this recipe at 1e6 chains;
            - ``closest_<value>``, a recipe of the box that is fitted to the observation: it makes this polymer where
              any does, but need not be the one that was used.

            Empty where there is no such number.

        Raises:
            InputError: A row lacks what the model needs, or asks for nothing.
        """
        known = {name: checked_value(name, value) for name, value in (known or {}).items()}
        ask = [ask] if isinstance(ask, str) else ask
        if isinstance(rows, pd.DataFrame):
            return self.answer(*observations_of(rows, **options), known, ask)
        return self.answer(*read_rows(rows, **options), known, ask)

    def answer(
        self, table: pd.DataFrame, others: pd.DataFrame, known: Mapping[str, float], ask: Sequence[str]
    ) -> pd.DataFrame:
        """As `predict`, from the two tables that `read_rows` gives."""
        if not is_conditional(self.model.columns):
            idle = [*(name for name in known if name not in self.model.columns), *ask]
            if idle:
                raise InputError(f"{self.folder} takes no known values of the recipe ({idle[0]}); {DEFAULT.name} does")
        table = with_known(table, known, ask)
        answers = self._answers(table)
        replaced = [str(name) for name in others.columns if name in answers]
        if replaced:
            log.warning("columns of the file replaced by answers: %s", ", ".join(replaced))
        log.info("%s are kept one release longer, as copies of %s", *map(", ".join, (FORMERLY, FORMERLY.values())))
        answers = answers.assign(**{before: answers[name] for before, name in FORMERLY.items()})
        return others.drop(columns=replaced).join(_rounded(answers, table))

    def _answers(self, table: pd.DataFrame) -> pd.DataFrame:
        if is_conditional(self.model.columns):
            answers = _from_what_is_known(self.model, self.folder, table)
        else:
            table = _with_means(table, self.model.columns)
            answers = _from_all(self.model, self.folder, table)
            known = [name for name in TARGETS if table[name].notna().any()]
            if known:
                log.warning("%s takes no known values: not used are %s", self.folder, ", ".join(known))
            table = table.assign(**dict.fromkeys(TARGETS, np.nan))  # the check may not see them either
        return answers.join(_checked(answers, table))


def _rounded(answers: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Answers with as many digits as mean anything; known values as they were given."""
    numbers = answers.select_dtypes("number").map(lambda value: float(f"{value:.{DIGITS}g}"))
    for name in TARGETS:
        numbers[name] = numbers[name].where(answers[name] != table[name], answers[name])
    return answers.assign(**dict(numbers.items()))


def _with_means(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows with Mn and Mw taken from the curve where a model needs them and they are missing."""
    means = dict(zip(("Mn", "Mw"), mean_molar_masses(table[list(MMD)].to_numpy()), strict=True))
    for name, of_curve in means.items():
        absent = table[name].isna() & table[MMD[0]].notna()
        if name in columns and absent.any():
            log.info("%s of %d row%s taken from the curve", name, absent.sum(), "s" if absent.sum() > 1 else "")
            table = table.assign(**{name: table[name].where(~absent, of_curve)})
    return table


def _from_all(model: InverseModel, folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    from polyinv.data.rows import rows_of

    absent = table[list(model.columns)].isna().any()
    if absent.any():
        column = absent.idxmax()
        row = table[column].isna().idxmax()
        raise InputError(f"row {row} has no {column}, which {folder} needs; {DEFAULT.name} takes missing inputs")
    answered = _of_members(model, rows_of(table, model.columns).x, table.index)
    return answered.assign(inputs=features_of(model.columns))


def _checked(answers: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """May the answers be believed? The applicability domain with the known values of each row, and the closed loop."""
    import torch

    from polyinv.data.rows import rows_of
    from polyinv.domain.assessment import assess
    from polyinv.domain.words import assessments_in_words
    from polyinv.evaluation.closed_loop import closed_loop

    x = rows_of(table, COLUMNS).x
    assessments = assess(x, COLUMNS).set_index(answers.index)
    for line in assessments_in_words(assessments):
        log.warning(line)
    recipes = torch.from_numpy(answers[list(TARGETS)].to_numpy(copy=True))
    loop = closed_loop(recipes, x, COLUMNS).set_index(answers.index)[["distance", "floor"]]
    if loop["distance"].notna().any():
        here, least = 100 * loop.median()
        log.info("simulated, the answers have an MMD distance of %.1f %%, replicates %.1f %% (medians)", here, least)
    loop = loop.set_axis(["mmd_distance", "mmd_distance_replicate"], axis=1)
    return assessments[["applicability", "distance", "reason"]].join(loop).join(assessments.filter(like="closest_"))


def _from_what_is_known(model: InverseModel, folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    import torch

    from polyinv.data.masks import given_inputs
    from polyinv.data.rows import rows_of
    from polyinv.domain.expectations import Expectations
    from polyinv.domain.words import cannot_be_told, contradictions, in_words, outside_box

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
        part, rmse = _of_members(model, x[at], table.index[at]), expectations.of(pattern)["rmse"]
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


def _of_members(model: InverseModel, x: "Tensor", index: pd.Index) -> pd.DataFrame:
    members = model.predict_members(x)
    recipes = pd.DataFrame(mean_answer(members).numpy(), index, list(TARGETS))
    spread = members.std(0).numpy() if len(members) > 1 else np.full(recipes.shape, np.nan)
    return recipes.join(pd.DataFrame(spread, index, [f"{name}_spread" for name in TARGETS]))


def check_new_answers(path: Path | str | None, plot: Path | str | None = None) -> None:
    """Whether answers and a picture can be written there; worth asking before they are made.

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


def plot_answers(table: pd.DataFrame, answers: pd.DataFrame, path: Path | str) -> None:
    """Write a picture of observed curves and those that the answered recipes make.

    Args:
        table: The rows, with the columns of the MMD.
        answers: Of `Predictor.answer`, of the same rows.
        path: A new .png.
    """
    from polyinv.report.curves import compared

    with written(path) as passing:
        compared(table, answers).savefig(passing, dpi=150)
