"""Observations of a calibrated laboratory: what is known of its instrument is taken off, and stated."""

import math
from dataclasses import replace

import torch

from polyinv.data.observations import Observations
from polyinv.instrument.curve import miscalibrate
from polyinv.instrument.errors import LEAST, OF_CURVE
from polyinv.mmd import LOG_M, OLIGOMERS, STEP

ENDED = 0.5
"""Share of the lowest node of a curve below which a corrected node lies beyond its end."""


def of_instrument(observations: Observations) -> Observations:
    """Correct molar masses by the offset of a laboratory's calibration, and state its broadening.

    What is left open of both is in the covariance of the system (`polyinv.posterior.kinetics`), so that no offset is
    stated. Observations of a system that was not calibrated come back as they are.
    """
    laboratory = observations.system.laboratory
    if laboratory is None:
        return observations
    w = observations.mmd
    moved = miscalibrate(w, -math.log10(1 + laboratory.offset)).clamp(min=0)
    there = torch.where(w > 0, w, torch.inf).amin(-1, keepdim=True)
    moved = torch.where(moved > ENDED * there.nan_to_num(0.0), moved, 0.0)
    moved = torch.where(torch.from_numpy(LOG_M) < OLIGOMERS, w.clamp(max=0), moved)
    moved = torch.where(w.isnan().any(-1, keepdim=True), w, moved / (moved.sum(-1, keepdim=True) * STEP))
    scale, like = 1 + laboratory.offset, torch.ones_like(observations.Mn)
    stated = {
        OF_CURVE["broadening"]: like * laboratory.broadening,
        OF_CURVE["offset"]: like * LEAST["offset"],
    }
    errors = {name: sd for name, sd in observations.errors.items() if name not in stated}
    return replace(
        observations, mmd=moved, Mn=observations.Mn / scale, Mw=observations.Mw / scale, errors={**errors, **stated}
    )
