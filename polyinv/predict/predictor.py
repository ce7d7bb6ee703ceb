"""Prediction of recipes from tables, files and curves, with inputs, spread, domain and closed loop of each answer."""

import difflib
import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyinv.data.features import features_of
from polyinv.data.measured import looks_like_curve, read_curve
from polyinv.data.patterns import INPUTS, SHOWING, inputs_of
from polyinv.data.workbook import observations_of, read_observations
from polyinv.errors import InputError, unknown
from polyinv.mmd import LOG_M, OLIGOMERS, STEP, mean_molar_masses, without_oligomers
from polyinv.models import InverseModel
from polyinv.models.base import mean_answer
from polyinv.models.released import DEFAULT, model_folder
from polyinv.quantities import MMD, RECIPE, SCALARS, TARGETS
from polyinv.runtime.files import check_new, written

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.observations import Observations

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
    """Parse known values from ``name=value``, several in one by commas.

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
    """Check a known value of the recipe, residual monomer, Mn or Mw, and return it as a number.

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


def read_rows(
    path: Path | str, *, normalize: bool = False, called: str | None = None, **curve: Any
) -> tuple["Observations", pd.DataFrame]:
    """Read rows with missing inputs, or one measured curve as the only row; how it was read goes to the log.

    Args:
        path: Of a table (`polyinv.data.workbook.read_observations`) or a curve (`polyinv.data.measured.read_curve`),
            whose part below 1000 g/mol is not used: no instrument separates oligomers.
        normalize: As for tables.
        called: What the file is called in notes, if not by its path.
        curve: Options of `read_curve`.

    Returns:
        What is known of the rows, labelled as a person counts them, and the other columns of the file.

    Raises:
        InputError: As those two.
    """
    if looks_like_curve(path):
        table, others = _one_curve(path, called or str(path), **curve)
    else:
        table, others = read_observations(path, normalize=normalize)
        _say_what_is_not_used(others, table)
    # torch takes a second or more to import: not before a file has been refused.
    from polyinv.data.observations import Observations

    return Observations.from_table(table), others


def _one_curve(path: Path | str, called: str, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the only row of a file that holds a measured curve, and its name.

    Args:
        path: Of the file.
        called: What it is called in notes.
        options: Of `read_curve`.
    """
    measured = read_curve(path, **options)
    for note in measured.notes:
        log.info("%s: %s", called, note)
    log.info("%s: Mn %.4g, Mw %.4g g/mol by its points", called, measured.Mn, measured.Mw)
    w, below = without_oligomers(measured.w), measured.w[LOG_M < OLIGOMERS].sum() * STEP
    if below > MOST_OLIGOMERS:
        raise InputError(f"{called}: {below:.0%} of the curve lies below 1000 g/mol; is the unit right?")
    if below > 0:
        log.info("%s: below 1000 g/mol, %.2g %% of the mass, it is not used", called, 100 * below)
    table = pd.DataFrame([w], index=[1], columns=list(MMD))
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


@dataclass(frozen=True)
class Predictor:
    """Saved model that answers from files and tables; `load` finds one.

    Args:
        model: What answers from tensors: ``model.predict(observations.x(model.columns))`` gives recipes (B, 4).
        folder: Where it was saved.
    """

    model: InverseModel
    folder: Path

    def predict(
        self,
        rows: "Path | str | pd.DataFrame | Observations",
        known: Mapping[str, float] | None = None,
        ask: Sequence[str] = (),
        **options: Any,
    ) -> pd.DataFrame:
        """Predict recipes of rows with missing inputs and known values; warnings go to the log.

        Args:
            rows: A table with any of the columns `polyinv.quantities.COLUMNS`, NaN where missing, or a file, see
                `read_rows`, or `polyinv.data.observations.Observations`.
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
        return self.answer(*_observed(rows, **options), known, [ask] if isinstance(ask, str) else ask)

    def answer(
        self, observations: "Observations", others: pd.DataFrame, known: Mapping[str, float], ask: Sequence[str]
    ) -> pd.DataFrame:
        """Predict recipes of what `read_rows` gives, see `predict`."""
        if not self.model.conditional:
            idle = [*(name for name in known if name not in self.model.columns), *ask]
            if idle:
                raise InputError(f"{self.folder} takes no known values of the recipe ({idle[0]}); {DEFAULT.name} does")
        _check_asked(ask, known)
        observations = observations.forgetting(ask).with_known(known)
        answers = self._answers(observations)
        replaced = [str(name) for name in others.columns if name in answers]
        if replaced:
            log.warning("columns of the file replaced by answers: %s", ", ".join(replaced))
        log.info("%s are kept one release longer, as copies of %s", *map(", ".join, (FORMERLY, FORMERLY.values())))
        answers = answers.assign(**{before: answers[name] for before, name in FORMERLY.items()})
        return others.drop(columns=replaced).join(_rounded(answers, observations))

    def _answers(self, observations: "Observations") -> pd.DataFrame:
        if self.model.conditional:
            answers = _from_what_is_known(self.model, self.folder, observations)
        else:
            observations = _with_means(observations, self.model.columns)
            answers = _from_all(self.model, self.folder, observations)
            known = [name for name, given in zip(TARGETS, (~observations.recipe.isnan()).any(0), strict=True) if given]
            if known:
                log.warning("%s takes no known values: not used are %s", self.folder, ", ".join(known))
            observations = observations.forgetting(TARGETS)  # the check may not see them either
        return answers.join(_checked(answers, observations))


def load(path: Path | str | None = None) -> Predictor:
    """Load a saved model; it answers from files and tables, and its ``model`` from tensors.

    Args:
        path: Folder of a saved model or of a run; none takes the released conditional model, for any missing inputs.

    Raises:
        InputError: There is none.

    Example:
        >>> from polyinv.data.bundled import load_bundled
        >>> polymers = load_bundled("off_grid").drop(columns=["cBA_0", "cAIBN_0", "time"]).head(2)  # temp is known
        >>> load().predict(polymers)["inputs"].tolist()
        ['composite+temp', 'composite+temp']
    """
    from polyinv.models import load_model

    folder = model_folder(path)
    return Predictor(load_model(folder), folder)


def _observed(rows: "Path | str | pd.DataFrame | Observations", **options: Any) -> tuple["Observations", pd.DataFrame]:
    """Convert rows of any kind to observations, and the other columns."""
    from polyinv.data.observations import Observations

    if isinstance(rows, Observations):
        if not rows.labels.is_unique:
            raise InputError(f"two rows are called {rows.labels[rows.labels.duplicated()][0]!r}; number them")
        return rows, pd.DataFrame(index=rows.labels)
    if not isinstance(rows, pd.DataFrame):
        return read_rows(rows, **options)
    table, others = observations_of(rows, **options)
    return Observations.from_table(table), others


def _check_asked(asked: Sequence[str], known: Mapping[str, float]) -> None:
    for name in asked:
        if name not in TARGETS:
            raise unknown("value of the recipe", name, TARGETS)
        if name in known:
            raise InputError(f"{name} is both known and asked for")


def _rounded(answers: pd.DataFrame, observations: "Observations") -> pd.DataFrame:
    """Round answers to ``DIGITS``; known values stay as they were given."""
    numbers = answers.select_dtypes("number").map(lambda value: float(f"{value:.{DIGITS}g}"))
    for name, given in zip(TARGETS, observations.recipe.T.numpy(), strict=True):
        numbers[name] = numbers[name].where(answers[name] != given, answers[name])
    return answers.assign(**dict(numbers.items()))


def _with_means(observations: "Observations", columns: Sequence[str]) -> "Observations":
    """Take Mn and Mw from the curve where a model needs them and they are missing."""
    import torch

    for name, of_curve in zip(("Mn", "Mw"), mean_molar_masses(observations.mmd.numpy()), strict=True):
        given = getattr(observations, name)
        absent = given.isnan() & ~observations.mmd[:, 0].isnan()
        if name in columns and absent.any():
            log.info("%s of %d row%s taken from the curve", name, absent.sum(), "s" if absent.sum() > 1 else "")
            filled: dict[str, Any] = {name: torch.where(absent, torch.from_numpy(of_curve), given)}
            observations = replace(observations, **filled)
    return observations


def _from_all(model: InverseModel, folder: Path, observations: "Observations") -> pd.DataFrame:
    x = observations.x(model.columns)
    absent = x.isnan().T.nonzero().tolist()
    if absent:
        column, row = absent[0]
        raise InputError(
            f"row {observations.labels[row]} has no {model.columns[column]}, which {folder} needs; "
            f"{DEFAULT.name} takes missing inputs"
        )
    return _of_members(model, observations).assign(inputs=features_of(model.columns))


def _checked(answers: pd.DataFrame, observations: "Observations") -> pd.DataFrame:
    """Assess answers by the applicability domain, with the known values of each row, and by the closed loop."""
    from polyinv.domain.assessment import assess
    from polyinv.domain.words import assessments_in_words
    from polyinv.evaluation.closed_loop import closed_loop

    assessments = assess(observations)
    for line in assessments_in_words(assessments):
        log.warning(line)
    loop = closed_loop(_recipes(answers), observations)[["distance", "floor"]]
    if loop["distance"].notna().any():
        here, least = 100 * loop.median()
        log.info("simulated, the answers have an MMD distance of %.1f %%, replicates %.1f %% (medians)", here, least)
    loop = loop.set_axis(["mmd_distance", "mmd_distance_replicate"], axis=1)
    return assessments[["applicability", "distance", "reason"]].join(loop).join(assessments.filter(like="closest_"))


def _recipes(answers: pd.DataFrame) -> "Tensor":
    import torch

    return torch.from_numpy(answers[list(TARGETS)].to_numpy(copy=True))


def _from_what_is_known(model: InverseModel, folder: Path, observations: "Observations") -> pd.DataFrame:
    from polyinv.domain.expectations import Expectations
    from polyinv.domain.words import cannot_be_told, contradictions, in_words, outside_box

    _check_answerable(observations)
    patterns, expectations, parts = np.array(observations.patterns()), Expectations(model, folder), []
    for pattern in dict.fromkeys(patterns.tolist()):
        part = observations[patterns == pattern]
        log.info("%d row%s answered from %s", len(part), "s" if len(part) > 1 else "", in_words(inputs_of(pattern)))
        for line in cannot_be_told(pattern, expectations) + contradictions(model, part, pattern, expectations):
            log.warning(line)
        parts.append(_of_pattern(model, part, pattern, expectations.of(pattern)["rmse"]))
    answers = pd.concat(parts).loc[observations.labels]
    for line in outside_box(_recipes(answers), observations):
        log.warning(line)
    return answers


def _of_pattern(model: InverseModel, observations: "Observations", pattern: str, rmse: pd.Series) -> pd.DataFrame:
    """Predict rows of one pattern of inputs; known values have neither spread nor error."""
    answers = _of_members(model, observations)
    for name in TARGETS:
        answers[f"{name}_rmse"] = rmse.get(name, np.nan)
        if name in inputs_of(pattern):
            answers[f"{name}_spread"] = np.nan
    return answers.assign(inputs=pattern)


def _check_answerable(observations: "Observations") -> None:
    """Refuse rows without MMD or means, or with the whole recipe known; log which inputs are not used."""
    names, present = list(INPUTS), observations.present
    for row, given in zip(observations.labels, present.tolist(), strict=True):
        inputs = set(itertools.compress(names, given))
        if not inputs & set(SHOWING):
            raise InputError(f"row {row} has neither the MMD nor Mn and Mw; needs one of them")
        if set(TARGETS) <= inputs:
            raise InputError(f"row {row} has the whole recipe and asks for nothing; --ask names what to leave open")
    single = (observations.Mn.isnan() != observations.Mw.isnan()).nonzero()[:, 0].tolist()
    if single:
        first = observations[single[0]]
        there, other = ("Mn", "Mw") if first.Mw.isnan() else ("Mw", "Mn")
        said = "row %s has %s without %s, which is not used (%d such rows)"
        log.warning(said, first.labels[0], there, other, len(single))


def _of_members(model: InverseModel, observations: "Observations") -> pd.DataFrame:
    members, index = model.predict_members(observations.x(model.columns)), observations.labels
    recipes = pd.DataFrame(mean_answer(members).numpy(), index, list(TARGETS))
    spread = members.std(0).numpy() if len(members) > 1 else np.full(recipes.shape, np.nan)
    return recipes.join(pd.DataFrame(spread, index, [f"{name}_spread" for name in TARGETS]))


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
