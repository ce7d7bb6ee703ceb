"""Checks of answers: the applicability domain of the observation, and the closed loop of the recipe."""

import logging
from typing import TYPE_CHECKING

import pandas as pd

from polyinv.chemistry import DEFAULT
from polyinv.predict.answers import recipes_of, with_warnings
from polyinv.runtime.collection import uncollected

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

FAR = 3.0
"""Distances of replicates from which on a curve is called another one."""
LEAST_ROWS, MOST = 5, 0.5
"""Rows, and share of them outside, from which on they are said to deviate alike."""

log = logging.getLogger(__name__)


def checked(answers: pd.DataFrame, observations: "Observations") -> pd.DataFrame:
    """Add to answers the applicability domain, with the known values of each row, and the closed loop.

    What follows from a value in another unit is not said of the rows in which one is guessed.
    """
    with uncollected():
        from polyinv.domain.assessment import assess
        from polyinv.domain.words import assessments_in_words
        from polyinv.evaluation.closed_loop import closed_loop
        from polyinv.evaluation.simulated import physical

    system = observations.system
    assessments = assess(observations)
    if assessments["false_alarms"].isna().all():
        log.warning(
            "the applicability check goes by the limits of %s: its share of false alarms is not known for %s",
            DEFAULT,
            system,
        )
    for line in assessments_in_words(assessments):
        log.warning(line)
    meant_otherwise, recipes = assessments["guess"].to_numpy(copy=True), recipes_of(answers, system)
    recipes[meant_otherwise] = physical(recipes[meant_otherwise], system)[0]
    loop = closed_loop(recipes, observations)[["distance", "floor"]]
    loop = loop.set_axis(["mmd_distance", "mmd_distance_replicate"], axis=1)
    answers = with_warnings(answers, _deviating_alike(assessments))
    answers = with_warnings(answers, _not_made_again(loop.apply(lambda each: each.mask(meant_otherwise))))
    return (
        answers.join(assessments[["applicability", "distance", "reason"]])
        .join(loop)
        .join(assessments.filter(like="closest_"))
    )


def _not_made_again(loop: pd.DataFrame) -> list[str]:
    """Say of each row whether its answer, simulated, misses the observed curve; and of all in the log."""
    here, least = loop["mmd_distance"], loop["mmd_distance_replicate"]
    if here.notna().any():
        medians = 100 * here.median(), 100 * least.median()
        log.info("simulated, the answers have an MMD distance of %.1f %%, replicates %.1f %% (medians)", *medians)
    far = here > FAR * least
    if far.any():
        log.warning(
            "%d of %d answers, simulated, make another curve: more than %g times as far from the observed one as a "
            "replicate is; closest_… is a recipe that comes nearer",
            far.sum(),
            here.notna().sum(),
            FAR,
        )
    ratio = here / least
    return [
        f"the answer makes another curve, {ratio[row]:.1f} replicates away" if far[row] else "" for row in far.index
    ]


def _deviating_alike(assessments: pd.DataFrame) -> list[str]:
    """Say whether most rows lie outside what models have learned, as those of another laboratory do."""
    deviating = (assessments["applicability"] != "inside") & ~assessments["guess"]
    explained = assessments["guess"].sum()
    if len(deviating) - explained < LEAST_ROWS or deviating.sum() < MOST * (len(deviating) - explained):
        return [""] * len(deviating)
    log.warning(
        "%d of %d rows are not inside: kinetics or instrument differ from those that the model has learned; polyinv "
        "compare puts reactions whose recipes you know beside what the system says, polyinv calibrate fits it to them",
        deviating.sum(),
        len(deviating) - explained,
    )
    return ["most rows of the file deviate: kinetics or instrument differ" if each else "" for each in deviating]
