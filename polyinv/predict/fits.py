"""All the recipes that fit: samples and intervals of the posterior of each row, sharpened by simulating them."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.errors import InputError
from polyinv.instrument.errors import error_columns
from polyinv.models import InverseModel, Posterior
from polyinv.models.coverage import SHARES
from polyinv.predict.answers import with_warnings
from polyinv.predict.kinetics import LITERATURE, has_learned
from polyinv.quantities import CHAINS
from polyinv.runtime.blocks import blocks
from polyinv.runtime.progress import counted

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.observations import Observations
    from polyinv.models.distribution import RecipePosterior
    from polyinv.posterior.exact import ExactPosterior

INTERVAL = 0.9
"""Share of the recipes that fit which an interval holds, unless another one is asked for."""
SAMPLES, PROPOSED = 1000, 2000
"""Recipes that are drawn of each row, and those that sharpening starts from."""
UNASKED = 50
"""Most rows of a table that are sharpened without being asked for, since the model has not learned them."""
AT_ONCE = 1024
"""Rows whose intervals are computed at once."""
DIGITS = 7
"""Significant digits of recipes and of what they make."""
SEED = 0
"""Of all samples: the same row always has the same."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Fits:
    """Recipes that fit B observations.

    Args:
        model: A posterior model.
        observations: With what is known of each.
        sharpen: Of which of them the samples of the model are corrected by their likelihood, simulated, half a second
            each, (B,).
        count: Sharpened samples of each, ``SAMPLES`` or more.
    """

    model: Posterior
    observations: "Observations"
    sharpen: "Tensor"
    count: int = SAMPLES

    @property
    def system(self) -> System:
        """What is polymerized."""
        return self.observations.system

    @cached_property
    def posterior(self) -> "RecipePosterior":
        """Posterior of the model alone."""
        return self.model.posterior(self.observations)

    @cached_property
    def sharpened(self) -> "list[ExactPosterior | None]":
        """Posterior of each row, corrected; None of those that are not."""
        found: list[ExactPosterior | None] = [None] * len(self.observations)
        rows = self.sharpen.nonzero()[:, 0].tolist()
        if not rows:
            return found
        with counted("sharpening", "rows", len(rows)) as advance:
            for row in rows:
                found[row] = self._sharpened(row)
                advance(1)
        return found

    def _sharpened(self, row: int) -> "ExactPosterior":
        from polyinv.posterior.sharpening import sharpen

        posterior, observation = self.posterior[row], self.observations[row]
        drawn, density = posterior.sample_with_density(PROPOSED, SEED)
        told = observation.chains.item()
        chains = None if math.isnan(told) else told
        return sharpen(observation, drawn[:, 0], density[:, 0], self.count, SEED, chains)

    def samples(self, count: int = SAMPLES) -> "Tensor":
        """Recipes (count, B, V) that fit, all of the same weight; the same at each call."""
        import torch

        drawn = torch.empty(count, *self.posterior.batch_shape, *self.posterior.event_shape, dtype=torch.float64)
        drawn[:, ~self.sharpen] = self.posterior[~self.sharpen].sample((count,), seed=SEED)
        # Any first ones are to stand for all; more than there are repeat some.
        order = torch.randperm(self.count, generator=torch.Generator().manual_seed(SEED))
        at = order[torch.arange(count) % self.count]
        for row, each in enumerate(self.sharpened):
            if each is not None:
                drawn[:, row] = each.samples[at]
        return drawn

    def intervals(self, share: float = INTERVAL) -> pd.DataFrame:
        """Ends and median of the interval of each value that holds this share of the recipes; NaN of what is known.

        Raises:
            InputError: The share cannot be.
        """
        import torch

        check_share(share)
        wanted = torch.tensor([(1 - share) / 2, 0.5, (1 + share) / 2], dtype=torch.float64)
        parts = blocks(len(self.observations), AT_ONCE, "intervals")
        ends = torch.cat([self.posterior[rows].quantiles(wanted.tolist()) for rows in parts], dim=1)
        for row, each in enumerate(self.sharpened):
            if each is not None:
                ends[:, row] = each.samples.quantile(wanted, dim=0)
        ends = ends.masked_fill(self.posterior.exactly, torch.nan)
        return _named(ends, ("low", "median", "high"), self.observations)

    def answers(self) -> pd.DataFrame:
        """Of the sharpened rows: mean of the recipes, and the errors of it that 68 % and 95 % of them stay below."""
        import torch

        given = self.observations.recipe[self.sharpen]
        samples = torch.stack([each.samples for each in self.sharpened if each is not None], dim=1)
        mean = samples.mean(0).where(given.isnan(), given)
        shares = torch.tensor(SHARES, dtype=torch.float64)
        errors = (samples - mean).abs().quantile(shares, dim=0).masked_fill(~given.isnan(), torch.nan)
        return _named(torch.cat([mean[None], errors]), ("", "rmse", "error_95"), self.observations[self.sharpen])


def fits(
    model: InverseModel, observations: "Observations", sharpen: bool | None = None, count: int = SAMPLES
) -> Fits | None:
    """All the recipes that fit observations; None of a model that answers with one recipe.

    Args:
        model: Any.
        observations: With what is known of each.
        sharpen: Whether samples are corrected by the likelihood. None does so for a single observation, and among
            several for those that the model has not learned (see `unlearned`), unless they are more than ``UNASKED``.
        count: Samples of each that are wanted.

    Raises:
        InputError: Sharpening is asked of a model that answers with one recipe.
    """
    if isinstance(model, Posterior):
        return Fits(model, observations, _to_be_sharpened(model, observations, sharpen), max(count, SAMPLES))
    if sharpen:
        raise InputError(f"--sharpen needs a posterior model; a {model.name} answers with one recipe")
    return None


def _to_be_sharpened(model: Posterior, observations: "Observations", sharpen: bool | None) -> "Tensor":
    """Which of B observations are sharpened, (B,), as they are asked to be."""
    import torch

    rows = len(observations)
    if sharpen is not None or rows == 1:
        return torch.full((rows,), sharpen is not False)
    strange = unlearned(model, observations)
    return strange if strange.sum() <= UNASKED else torch.zeros_like(strange)


def unlearned(model: InverseModel, observations: "Observations") -> "Tensor":
    """Which of B observations a posterior model has not learned, (B,).

    Their errors are larger or their chains fewer than any that it was trained on, the whole recipe is stated, or their
    system has other coefficients.
    """
    import torch

    from polyinv.domain.words import beyond_training

    if not has_learned(model, observations.system):
        return torch.ones(len(observations), dtype=torch.bool)
    strange = (~observations.recipe.isnan()).all(-1)
    return torch.stack([strange, *(each.rows for each in beyond_training(model, observations))]).any(0)


def check_share(share: float, stated: str | None = None) -> None:
    """Refuse what is no share of an interval, as it was stated.

    Raises:
        InputError: It is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise InputError(f"--interval is {stated or share}; needs a share between 0 and 1, 0.90 or 90 %")


def share_of(stated: str | float) -> float:
    """Share that an interval holds, as a user states it: a number or per cent.

    Raises:
        InputError: It is neither, or not between 0 and 1.

    Example:
        >>> share_of("0.9"), share_of("90 %")
        (0.9, 0.9)
    """
    text = str(stated).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    check_share(share, text)
    return share


def with_intervals(answers: pd.DataFrame, found: Fits, share: float = INTERVAL) -> pd.DataFrame:
    """Add to answers the intervals of the recipes that fit; sharpened ones are answered by their mean instead."""
    if found.sharpen.any():
        sharp = found.answers()
        answers = answers.copy()
        for name in sharp.columns.intersection(answers.columns):
            answers.loc[sharp.index, name] = sharp[name]
        counting = [math.nan if each is None else each.proposals_effective for each in found.sharpened]
        answers = answers.assign(effective=np.array(counting, dtype=float))
        lost = [
            "" if each is None or each.converged else "not all the recipes that fit may have been found"
            for each in found.sharpened
        ]
        if any(lost):
            log.warning("%d of %d rows: %s", sum(map(bool, lost)), len(lost), max(lost))
            answers = with_warnings(answers, lost)
    return answers.join(found.intervals(share))


def only_inside(answers: pd.DataFrame, found: Fits) -> pd.DataFrame:
    """Leave the intervals of polymers empty that no recipe of the box makes, and say so."""
    from polyinv.domain.recipe_box import leaving_box

    outside = fitting_nothing(answers, found)
    if not outside.any():
        return answers
    known = leaving_box(found.observations.recipe, found.observations).any(-1).numpy()  # of which more is said
    strange = outside & ~known
    if strange.any():
        said = "%d of %d rows: no recipe of the box fits all that is given; no interval and no error is stated"
        log.warning(said, strange.sum(), len(strange))
    names = ("low", "median", "high", "rmse", LITERATURE, "error_95")
    ends = [f"{name}_{end}" for name in found.system.targets for end in names]
    ends = [name for name in ends if name in answers]
    answers = answers.assign(**{name: answers[name].where(~outside) for name in ends})
    return with_warnings(answers, ["no recipe of the box fits all that is given" if each else "" for each in strange])


def fitting_nothing(answers: pd.DataFrame, found: Fits) -> pd.Series:
    """Which rows, by their applicability and their misfit, no recipe of the box makes."""
    misfits = np.array([each is not None and not each.fits for each in found.sharpened])
    return (answers["applicability"] == "outside") | misfits


def samples_table(found: Fits, count: int) -> pd.DataFrame:
    """Samples as a table, row by row: what the row is called, then the recipe."""
    drawn = found.samples(count)
    labels = np.repeat(found.observations.labels.to_numpy(), count)
    recipes = drawn.transpose(0, 1).reshape(-1, drawn.shape[-1]).numpy()
    table = significant(pd.DataFrame(recipes, columns=list(found.system.targets)), DIGITS)
    return table.assign(row=labels)[["row", *found.system.targets]]


def with_names(table: pd.DataFrame, others: pd.DataFrame, system: System) -> pd.DataFrame:
    """Put what a file has besides of each row, such as the name of its sample, behind the column ``row`` of a table.

    Args:
        table: Lines of rows, each by its label.
        others: Other columns of the file, by label; what they state of errors and chains is left out.
        system: What is polymerized.
    """
    stated = {*error_columns(system.recipe, system.residual), CHAINS, *table.columns}
    names = [name for name in others.columns if name not in stated]
    first, *rest = table.columns
    return table.join(others[names], on="row")[[first, *names, *rest]]


def significant(table: pd.DataFrame, digits: int) -> pd.DataFrame:
    """Round the numbers of a table to so many significant digits.

    Example:
        >>> significant(pd.DataFrame({"time": [1234.567, float("nan")]}), 3)["time"].tolist()
        [1230.0, nan]
    """
    return table.map(lambda value: float(f"{value:.{digits}g}"))


def _named(parts: "Tensor", names: Sequence[str], observations: "Observations") -> pd.DataFrame:
    """Numbers (K, B, V) as columns, target by target."""
    columns = {
        f"{target}_{name}".rstrip("_"): parts[at, :, number].numpy()
        for number, target in enumerate(observations.system.targets)
        for at, name in enumerate(names)
    }
    return pd.DataFrame(columns, index=observations.labels)
