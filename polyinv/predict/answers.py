"""Answers of a model to observations: the recipe, the spread of the members, the typical error."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.features import features_of
from polyinv.data.patterns import SHOWING, inputs_of
from polyinv.errors import InputError
from polyinv.instrument.errors import LEAST, SUFFIX
from polyinv.mmd import mean_molar_masses
from polyinv.models import InverseModel
from polyinv.models.base import mean_answer
from polyinv.quantities import MEANS
from polyinv.runtime.blocks import blocks
from polyinv.runtime.resources import RELEASED

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.observations import Observations
    from polyinv.domain.typical_errors import TypicalErrors
    from polyinv.domain.words import Finding

WARNINGS = "warnings"
"""Column with what the log says of a row."""
AT_ONCE = 1024
"""Rows that a model answers at once."""

log = logging.getLogger(__name__)


def from_all(model: InverseModel, folder: Path, observations: "Observations") -> pd.DataFrame:
    for rows in blocks(len(observations), AT_ONCE, "checking"):
        _check_complete(model, folder, observations[rows])
    return _of_members(model, observations).assign(inputs=features_of(model.columns, model.system))


def _check_complete(model: InverseModel, folder: Path, observations: "Observations") -> None:
    absent = observations.x(model.columns).isnan().T.nonzero().tolist()
    if absent:
        column, row = absent[0]
        raise InputError(
            f"row {observations.labels[row]} has no {model.columns[column]}, which {folder} needs; "
            f"{RELEASED.name} takes missing inputs"
        )


def with_means(observations: "Observations", columns: Sequence[str]) -> "Observations":
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


def from_what_is_known(
    model: InverseModel, folder: Path, observations: "Observations", sharpened: "Tensor | None" = None
) -> pd.DataFrame:
    """Answer rows with missing inputs, pattern by pattern, and warn of what these cannot tell.

    Args:
        model: A conditional one.
        folder: Of the model.
        observations: B of them.
        sharpened: Which of them a posterior model corrects, (B,); None of another one, which states no distribution
            and has nothing to say where the whole recipe is known.
    """
    import torch

    from polyinv.domain.expectations import Expectations
    from polyinv.domain.typical_errors import typical_errors
    from polyinv.domain.words import beyond_training, by_row, cannot_be_told, contradictions, in_words

    _check_answerable(observations, known_exactly(observations) if sharpened is not None else None)
    system = model.system
    patterns, expectations, parts = np.array(observations.patterns()), Expectations(model, folder), []
    for pattern in dict.fromkeys(patterns.tolist()):
        rows = patterns == pattern
        part = observations[rows]
        corrected = None if sharpened is None else sharpened[torch.from_numpy(rows)]
        if not part.recipe.isnan().any():
            parts.append(_of_whole_recipe(model, part, pattern, corrected))
            continue
        log.info(
            "%d row%s answered from %s",
            len(part),
            "s" if len(part) > 1 else "",
            in_words(inputs_of(pattern, system), system),
        )
        errors = typical_errors(model, part, pattern, expectations)
        findings = cannot_be_told(pattern, expectations, part, errors)
        findings += contradictions(model, part, pattern, expectations)
        findings += beyond_training(model, part, corrected)
        _warn(findings)
        answers = _of_pattern(model, part, pattern, errors)
        parts.append(answers.assign(**{WARNINGS: by_row(findings, len(part))}))
    return pd.concat(parts).loc[observations.labels]


def warn_of_shares(observations: "Observations") -> None:
    """Warn of stated errors of Mn and Mw that no instrument has: as a rule they are shares."""
    for name in MEANS:
        error = observations.errors.get(name)
        if error is None:
            continue
        small = (error > 0) & (error < LEAST["molar_mass"] * getattr(observations, name))
        if small.any():
            log.warning(
                "%s%s is %.3g g/mol in %d of %d rows, less than a thousandth of %s; is it a share?",
                name, SUFFIX, error[small].max(), small.sum(), len(error), name,
            )  # fmt: skip


def without_useless(observations: "Observations") -> "Observations":
    """Leave known values out that are known no better than the box says, as if they were not given; says so."""
    import torch

    system, recipe, errors = observations.system, observations.recipe.clone(), dict(observations.errors)
    for at, quantity in enumerate(system.recipe):
        error = observations.errors.get(quantity.name)
        if error is None:
            continue
        useless = ~recipe[:, at].isnan() & (error > (quantity.high - quantity.low) / 2)
        if useless.any():
            log.warning(
                "%s of %d rows is known no better than by the range %g to %g %s: taken as not known",
                quantity.name,
                useless.sum(),
                quantity.low,
                quantity.high,
                quantity.unit,
            )
            recipe[:, at] = recipe[:, at].where(~useless, torch.nan)
            errors[quantity.name] = error.where(~useless, torch.nan)
    return replace(observations, recipe=recipe, errors=errors)


def without_impossible(answers: pd.DataFrame, observations: "Observations") -> pd.DataFrame:
    """Leave out answers that no reactor can have, and warn of those outside the box."""
    from polyinv.domain.words import by_row, impossible, outside_box

    system = observations.system
    recipes = recipes_of(answers, system)
    findings = outside_box(recipes, observations) + impossible(recipes, observations)
    _warn(findings)
    answers = with_warnings(answers, by_row(findings, len(answers)))
    for quantity in system.recipe:
        possible = answers[quantity.name] > quantity.above
        for column in (quantity.name, f"{quantity.name}_rmse", f"{quantity.name}_error_95"):
            if column in answers:
                answers[column] = answers[column].where(possible)
    return answers.replace(np.inf, np.nan)


def with_warnings(answers: pd.DataFrame, said: Sequence[str]) -> pd.DataFrame:
    """Add warnings to those that each row has already."""
    before = answers[WARNINGS] if WARNINGS in answers else [""] * len(answers)
    joined = ["; ".join(filter(None, each)) for each in zip(before, said, strict=True)]
    return answers.assign(**{WARNINGS: joined})


def _warn(findings: "Sequence[Finding]") -> None:
    for finding in findings:
        if finding.line:
            log.warning(finding.line)


def _of_pattern(
    model: InverseModel, observations: "Observations", pattern: str, errors: "TypicalErrors"
) -> pd.DataFrame:
    """Predict rows of one pattern of inputs; known values have neither spread nor error."""
    answers = _of_members(model, observations)
    for at, name in enumerate(model.system.targets):
        answers[f"{name}_rmse"] = errors.rmse[:, at].numpy()
        answers[f"{name}_error_95"] = errors.error_95[:, at].numpy()
        if name in inputs_of(pattern, model.system):
            answers[f"{name}_spread"] = np.nan
    return answers.assign(inputs=pattern)


def _of_whole_recipe(
    model: InverseModel, observations: "Observations", pattern: str, sharpened: "Tensor | None"
) -> pd.DataFrame:
    """Rows whose whole recipe is stated: they are answered by it, and only the intervals of a posterior say more."""
    from polyinv.domain.words import beyond_training, by_row

    log.info("%d rows with the whole recipe: only their intervals are answered", len(observations))
    findings = beyond_training(model, observations, sharpened)
    _warn(findings)
    targets = model.system.targets
    empty = [f"{name}_{end}" for end in ("spread", "rmse", "error_95") for name in targets]
    answers = pd.DataFrame(observations.recipe.numpy(), observations.labels, list(targets))
    answers = answers.reindex(columns=[*targets, *empty])
    return answers.assign(**{"inputs": pattern, WARNINGS: by_row(findings, len(observations))})


def known_exactly(observations: "Observations") -> "Tensor":
    """Which values of the recipe are known exactly, or as good as that, (B, V)."""
    import torch

    from polyinv.data.observations import EXACT
    from polyinv.data.recipe_stated import least_errors

    columns, (least, relative) = observations.error_columns(), least_errors(observations.system)
    errors = torch.stack([columns[name + SUFFIX] for name in observations.system.targets], dim=1)
    scale = torch.where(relative, observations.recipe, torch.ones_like(errors))
    return errors <= EXACT * least * scale  # not of what is missing


def _check_answerable(observations: "Observations", exactly: "Tensor | None") -> None:
    """Refuse rows without MMD or means, or that ask for nothing; log which inputs are not used.

    Args:
        observations: B of them.
        exactly: What is known exactly, (B, V), where what is stated with an error is asked for; None where it is not.
    """
    system = observations.system
    names, present = list(system.inputs), observations.present
    known = (~observations.recipe.isnan() if exactly is None else exactly).all(-1)
    for row, given, nothing in zip(observations.labels, present.tolist(), known.tolist(), strict=True):
        inputs = set(itertools.compress(names, given))
        if not inputs & set(SHOWING):
            raise InputError(f"row {row} has neither the MMD nor Mn and Mw; needs one of them")
        if nothing:
            how = "" if exactly is None else " exactly"
            raise InputError(
                f"row {row} has the whole recipe{how} and asks for nothing; --ask names what to leave open"
            )
    single = (observations.Mn.isnan() != observations.Mw.isnan()).nonzero()[:, 0].tolist()
    if single:
        first = observations[single[0]]
        there, other = ("Mn", "Mw") if first.Mw.isnan() else ("Mw", "Mn")
        said = "row %s has %s without %s, which is not used (%d such rows)"
        log.warning(said, first.labels[0], there, other, len(single))


def _of_members(model: InverseModel, observations: "Observations") -> pd.DataFrame:
    import torch

    parts = blocks(len(observations), AT_ONCE, "answering")
    members = torch.cat([model.predict_members(observations[rows].x(model.columns)) for rows in parts], dim=1)
    index, targets = observations.labels, list(model.system.targets)
    recipes = pd.DataFrame(mean_answer(members).numpy(), index, targets)
    spread = members.std(0).numpy() if len(members) > 1 else np.full(recipes.shape, np.nan)
    return recipes.join(pd.DataFrame(spread, index, [f"{name}_spread" for name in targets]))


def recipes_of(answers: pd.DataFrame, system: System) -> "Tensor":
    import torch

    return torch.from_numpy(answers[list(system.targets)].to_numpy(copy=True))
