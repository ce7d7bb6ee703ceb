"""Kinetics that answers rest on: which they are, and what their uncertainty adds to the errors that are stated."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from polyinv.chemistry import System
from polyinv.models import InverseModel
from polyinv.models.coverage import SHARES
from polyinv.predict.answers import recipes_of, with_warnings

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.observations import Observations
    from polyinv.predict.fits import Fits

KINETICS = "kinetics"
"""Column that says which ones."""
LITERATURE = "rmse_literature"
"""Ends the columns of errors with coefficients as uncertain as in the literature."""

log = logging.getLogger(__name__)


def has_learned(model: InverseModel, system: System) -> bool:
    """Whether a model was trained with the coefficients of a system."""
    return model.system.chemistry == system.chemistry


def with_kinetics(
    answers: pd.DataFrame,
    observations: "Observations",
    model: InverseModel,
    folder: Path,
    found: "Fits | None",
    share: float,
) -> pd.DataFrame:
    """Add to answers which kinetics they rest on, and what these leave open.

    Of a system that was not calibrated typical errors are stated as if the coefficients were exact, and beside them
    those with coefficients as uncertain as its file says. Of a calibrated one what its runs left open is in the errors
    and intervals themselves.

    Args:
        answers: With intervals, if there are any.
        observations: B of them.
        model: That answered.
        folder: Of the model.
        found: All the recipes that fit, of a posterior model.
        share: Of these that an interval holds.
    """
    import torch

    system = observations.system
    alone = torch.ones(len(observations), dtype=torch.bool) if found is None else ~found.sharpen
    answers = _with_other_coefficients(answers, alone, model, folder, system)
    laboratory = system.laboratory
    used = "literature" if laboratory is None else f"calibrated on {laboratory.runs} run{'s'[: laboratory.runs - 1]}"
    answers = answers.assign(**{KINETICS: used})
    if f"{system.targets[0]}_rmse" not in answers:
        return answers
    if laboratory is None:
        return _with_literature(answers, observations)
    return _widened(answers, observations, alone, share) if alone.any() else answers


def _with_other_coefficients(
    answers: pd.DataFrame, alone: "Tensor", model: InverseModel, folder: Path, system: System
) -> pd.DataFrame:
    """Warn of rows (B,) that a network answered alone which has learned other coefficients than the system has."""
    if has_learned(model, system):
        return answers
    if not alone.any():
        log.info(
            "%s has learned other coefficients than those of %s: the answers are sharpened, which corrects that",
            folder,
            system.name,
        )
        return answers
    then = "; --sharpen corrects them" if hasattr(model, "posterior") else ""
    log.warning(
        "%d of %d rows are answered by the coefficients that %s has learned, not by those of %s%s; polyinv train "
        "--init %s --system FILE makes a network of its own",
        alone.sum(),
        len(alone),
        folder,
        system.name,
        then,
        folder,
    )
    said = "answered by other coefficients than those of the system"
    return with_warnings(answers, [said if each else "" for each in alone.tolist()])


def _with_literature(answers: pd.DataFrame, observations: "Observations") -> pd.DataFrame:
    import torch

    from polyinv.posterior.propagation import added_by_kinetics, widened

    system = observations.system
    rmse = torch.from_numpy(answers[[f"{name}_rmse" for name in system.targets]].to_numpy(dtype=float, copy=True))
    larger = widened(rmse, added_by_kinetics(observations, recipes_of(answers, system)), SHARES[0], system)
    order = list(answers.columns)
    for at, name in enumerate(system.targets):
        order.insert(order.index(f"{name}_rmse") + 1, f"{name}_{LITERATURE}")
        answers = answers.assign(**{f"{name}_{LITERATURE}": larger[:, at].numpy()})
    both = torch.stack([rmse, larger]).masked_fill(larger.isnan(), torch.nan).nanmedian(1).values.T.tolist()
    said = [
        f"{name} {exact:.2g} → {open_:.2g} {quantity.unit}"
        for name, (exact, open_), quantity in zip(system.targets, both, system.recipe, strict=True)
        if exact == exact
    ]
    if said:
        log.info(
            "kinetics of %s are taken as exact; coefficients being as uncertain as in the literature, typical errors "
            "grow (medians): %s; polyinv calibrate finds those of your reactor by a few runs of your own",
            system.name,
            ", ".join(said),
        )
    return answers[order]


def _widened(answers: pd.DataFrame, observations: "Observations", alone: "Tensor", share: float) -> pd.DataFrame:
    """Widen errors and intervals of rows (B,) that were not sharpened by what the runs of a laboratory left open."""
    import torch

    from polyinv.posterior.propagation import added_by_kinetics, widened
    from polyinv.simulate.recipes import box

    system, rows = observations.system, observations.labels[alone.numpy()]
    added = added_by_kinetics(observations[alone], recipes_of(answers.loc[rows], system))
    answers = answers.copy()

    def columns(end: str) -> list[str]:
        return [f"{name}_{end}" for name in system.targets]

    def of(end: str) -> "Tensor":
        return torch.from_numpy(answers.loc[rows, columns(end)].to_numpy(dtype=float, copy=True))

    for end, of_answers in zip(("rmse", "error_95"), SHARES, strict=True):
        answers.loc[rows, columns(end)] = widened(of(end), added, of_answers, system).numpy()
    if columns("median")[0] in answers:
        median, low, high = of("median"), of("low"), of("high")
        least, most = box(system)
        below = (median - widened(median - low, added, share, system)).maximum(least.minimum(low))
        above = (median + widened(high - median, added, share, system)).minimum(most.maximum(high))
        answers.loc[rows, columns("low")], answers.loc[rows, columns("high")] = below.numpy(), above.numpy()
    return answers
