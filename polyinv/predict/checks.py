"""Checks of answers: the applicability domain of the observation, and the closed loop of the recipe."""

import logging
from typing import TYPE_CHECKING

import pandas as pd

from polyinv.chemistry import DEFAULT, load_system
from polyinv.predict.answers import recipes_of
from polyinv.runtime.collection import uncollected

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

log = logging.getLogger(__name__)


def checked(answers: pd.DataFrame, observations: "Observations") -> pd.DataFrame:
    """Assess answers by the applicability domain, with the known values of each row, and by the closed loop."""
    with uncollected():
        from polyinv.domain.assessment import assess
        from polyinv.domain.words import assessments_in_words
        from polyinv.evaluation.closed_loop import closed_loop

    assessments = assess(observations)
    if assessments["false_alarms"].isna().all():
        log.warning(
            "the applicability check goes by the limits of %s: its share of false alarms is not known for %s",
            DEFAULT,
            observations.system,
        )
    for line in assessments_in_words(assessments):
        log.warning(line)
    loop = closed_loop(recipes_of(answers, load_system(observations.system)), observations)[["distance", "floor"]]
    if loop["distance"].notna().any():
        here, least = 100 * loop.median()
        log.info("simulated, the answers have an MMD distance of %.1f %%, replicates %.1f %% (medians)", here, least)
    loop = loop.set_axis(["mmd_distance", "mmd_distance_replicate"], axis=1)
    return assessments[["applicability", "distance", "reason"]].join(loop).join(assessments.filter(like="closest_"))
