"""Prediction of recipes from tables, files and curves, with inputs, spread, domain and closed loop of each answer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from polyinv.chemistry import AnySystem, System, load_system
from polyinv.data.calibrated import of_instrument
from polyinv.errors import InputError
from polyinv.instrument.errors import ORDINARY, measurement_errors
from polyinv.models import InverseModel
from polyinv.models.released import model_folder
from polyinv.predict.answers import (
    WARNINGS,
    from_all,
    from_what_is_known,
    warn_of_shares,
    with_means,
    without_impossible,
    without_useless,
)
from polyinv.predict.assumed import say_errors, say_laboratory
from polyinv.predict.checks import checked
from polyinv.predict.conversion import CONVERSION, with_conversion
from polyinv.predict.fits import DIGITS, INTERVAL, Fits, fits, only_inside, significant, with_intervals
from polyinv.predict.kinetics import with_kinetics
from polyinv.predict.known import check_asked, errors_of, stated, values_of
from polyinv.predict.rows import observed
from polyinv.runtime.collection import uncollected
from polyinv.runtime.resources import RELEASED
from polyinv.runtime.threads import one_thread

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

FORMERLY = {
    "verdict": "applicability",
    "out": "reason",
    "elsewhere": "mmd_distance",
    "elsewhere_least": "mmd_distance_replicate",
}
"""Columns as 0.1.0 called them, which stay beside the new ones for one release."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Predictor:
    """Saved model that answers from files and tables; `load` finds one.

    Args:
        model: What answers from tensors: ``model.predict(observations.x(model.columns))`` gives recipes (B, V).
        folder: Where it was saved.
        of: What is polymerized, if another system than the model's, which it is like: that of a laboratory.
    """

    model: InverseModel
    folder: Path
    of: System | None = None

    @property
    def system(self) -> System:
        """What is polymerized."""
        return self.model.system if self.of is None else self.of

    def predict(
        self,
        rows: "Path | str | pd.DataFrame | Observations",
        known: Mapping[str, float | str] | None = None,
        ask: Sequence[str] = (),
        errors: str | Mapping[str, Any] = ORDINARY,
        *,
        interval: float = INTERVAL,
        sharpen: bool | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Predict recipes of rows with missing inputs and known values; warnings go to the log.

        Args:
            rows: A table with any of the columns of the model's system, NaN where missing, or a file, see
                `read_rows`, or `polyinv.data.observations.Observations`.
            known: Values that hold for every row, ``conversion`` and errors such as ``sec_broadening`` among them; text
                may state an error, such as ``"70±0.5"``.
            ask: Values of the recipe to answer even where the rows have them.
            errors: How well all is known of which nothing is stated: one of `polyinv.instrument.errors.LEVELS`, or
                values by the names of `polyinv.instrument.errors.MeasurementErrors`; ``exact`` for simulated rows.
                Observations that say themselves keep to it.
            interval: Of a posterior model: share of the recipes that fit which an interval holds.
            sharpen: Of a posterior model: correct these recipes by simulating them, half a second a row; None does so
                for a single row, and in a table for a few that the model has not learned (`polyinv.predict.fits`).
            options: Of `read_rows`, or ``normalize`` for a DataFrame.

        Returns:
            For each row what the file has besides, then

            - the recipe, known values as given, and ``inputs``, what it was answered from;
            - ``<value>_spread``, the standard deviation between the members of an ensemble; of a conditional model
              also ``<value>_rmse``, the typical error of what is answered from these inputs with their errors, which
              68 % of answers stay below, ``<value>_rmse_literature``, the same with coefficients as uncertain as in the
              literature, and ``<value>_error_95``, which 95 % do;
            - ``kinetics``, those that the answer rests on: of the literature, or calibrated;
            - ``applicability``, ``distance`` and ``reason``, see `polyinv.domain.assessment.assess`;
            - ``mmd_distance``, the total variation distance between the observed curve and that of the answered recipe,
              simulated, and ``mmd_distance_replicate``, that of a replicate of this recipe at 1e6 chains;
            - ``closest_<value>``, a recipe of the box that is fitted to the observation: it makes this polymer where
              any does, but need not be the one that was used;
            - of a posterior model ``<value>_low``, ``<value>_median`` and ``<value>_high``: the interval that holds
              90 % of the recipes that fit. Those of a single row are sharpened by simulating them: the answer is then
              their mean, and ``effective`` says how many independent ones they are worth;
            - ``warnings``, what the log says of the row, in short.

            Empty where there is no such number.

        Raises:
            InputError: A row lacks what the model needs, or asks for nothing.
        """
        system = self.system
        given = {name: stated(name, value, system) for name, value in (known or {}).items()}
        asked = [ask] if isinstance(ask, str) else ask
        observations, others = observed(rows, system, **options)
        prepared = self.prepared(observations, values_of(given), asked, errors_of(given), errors)
        return self.answers(prepared, others, fits(self.model, prepared, sharpen), interval)

    def prepared(
        self,
        observations: "Observations",
        known: Mapping[str, float],
        ask: Sequence[str],
        errors: Mapping[str, float] = MappingProxyType({}),
        assumed: str | Mapping[str, Any] = ORDINARY,
    ) -> "Observations":
        """Observations with all that is known of them and how well, as they are answered.

        Args:
            observations: As `polyinv.predict.rows.read_rows` gives them.
            known: Values that hold for every row.
            ask: Values of the recipe to answer even where the rows have them.
            errors: Of known values.
            assumed: How well all is known of which nothing is stated.

        Raises:
            InputError: As `predict`.
        """
        if observations.assumed is None:
            observations = replace(observations, assumed=measurement_errors(assumed))
        if observations.system.laboratory is not None:
            observations = of_instrument(observations)
            say_laboratory(observations.system)
        observations.system.check_like(self.model.system, "what is to be answered", str(self.folder))
        if not self.model.conditional:
            idle = [*(name for name in known if name not in self.model.columns), *ask]
            if idle:
                raise InputError(f"{self.folder} takes no known values of the recipe ({idle[0]}); {RELEASED.name} does")
        check_asked(ask, known, self.model.system)
        others_known = {name: value for name, value in known.items() if name != CONVERSION}
        observations = observations.forgetting(ask).with_known(others_known, errors)
        if CONVERSION in known:
            observations = with_conversion(observations, known[CONVERSION])
        warn_of_shares(observations)
        return without_useless(observations)

    @one_thread()
    def answers(
        self, observations: "Observations", others: pd.DataFrame, found: Fits | None, interval: float = INTERVAL
    ) -> pd.DataFrame:
        """Predict recipes of what `prepared` gives, beside other columns of the file.

        Args:
            observations: The rows.
            others: What the file has besides.
            found: All the recipes that fit them, of `polyinv.predict.fits.fits`.
            interval: Share of these that an interval holds.
        """
        answers = self._answers(observations, found, interval)
        replaced = [str(name) for name in others.columns if name in answers]
        if replaced:
            log.warning("columns of the file replaced by answers: %s", ", ".join(replaced))
        log.info("%s are kept one release longer, as copies of %s", *map(", ".join, (FORMERLY, FORMERLY.values())))
        answers = answers.assign(**{before: answers[name] for before, name in FORMERLY.items()})
        return others.drop(columns=replaced).join(_rounded(answers, observations))

    def _answers(self, observations: "Observations", found: Fits | None, interval: float) -> pd.DataFrame:
        if self.model.conditional:
            sharpened = None if found is None else found.sharpen
            answers = from_what_is_known(self.model, self.folder, observations, sharpened)
            if found is not None:
                answers = with_intervals(answers, found, interval)
            answers = with_kinetics(answers, observations, self.model, self.folder, found, interval)
            say_errors(observations, self.model, self.folder)
        else:
            observations = with_means(observations, self.model.columns)
            answers = from_all(self.model, self.folder, observations)
            answers = with_kinetics(answers, observations, self.model, self.folder, None, interval)
            targets = self.model.system.targets
            known = [name for name, given in zip(targets, (~observations.recipe.isnan()).any(0), strict=True) if given]
            if known:
                log.warning("%s takes no known values: not used are %s", self.folder, ", ".join(known))
            observations = observations.forgetting(targets)  # the check may not see them either
        answers = checked(without_impossible(answers, observations), observations)
        if found is not None:
            answers = only_inside(answers, found)
        return answers[[*answers.columns.drop(WARNINGS), WARNINGS]]


def load(path: Path | str | None = None, system: AnySystem | None = None) -> Predictor:
    """Load a saved model; it answers from files and tables, and its ``model`` from tensors.

    Args:
        path: Folder of a saved model or of a run; none takes the released posterior model of the system, which takes
            any missing inputs.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it; by default that of the model.

    Raises:
        InputError: There is none, or it is of another system.

    Example:
        >>> from polyinv.data.bundled import load_bundled
        >>> polymers = load_bundled("off_grid").drop(columns=["cBA_0", "cAIBN_0", "time"]).head(2)  # temp is known
        >>> load().predict(polymers)["inputs"].tolist()
        ['composite+temp', 'composite+temp']
    """
    from polyinv.models import load_model

    folder = model_folder(path, system)
    with uncollected():
        return Predictor(load_model(folder), folder, None if system is None else load_system(system))


def _rounded(answers: pd.DataFrame, observations: "Observations") -> pd.DataFrame:
    """Round answers; known values stay as they were given."""
    numbers = significant(answers.select_dtypes("number"), DIGITS)
    targets = observations.system.targets
    for name, given in zip(targets, observations.recipe.T.numpy(), strict=True):
        numbers[name] = numbers[name].where(answers[name] != given, answers[name])
    return answers.assign(**dict(numbers.items()))
