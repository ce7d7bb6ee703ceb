"""Calibration from tables to a system's file, with what has to be said of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from polyinv.calibrate.directions import Direction, NextRun, directions, next_runs, still_prior
from polyinv.calibrate.fit import Fit, fit
from polyinv.calibrate.left_out import deviations, left_out, outlying
from polyinv.calibrate.model import LaboratoryModel
from polyinv.calibrate.runs import Runs
from polyinv.calibrate.scatter import KINDS, NAMES
from polyinv.chemistry import System
from polyinv.chemistry.coordinates import Coordinates
from polyinv.errors import InputError
from polyinv.instrument.errors import measurement_errors

MANY_TIMES = 3.0
"""Times what is usual from which on a scatter between runs is a contradiction."""
FAR = 3.0
"""Standard deviations a priori from which on a coefficient is far from where it was."""
MISSED = 0.25
"""Root mean square of the conversions, measured less fitted, that no coefficients and no ordinary errors leave."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration of a laboratory.

    Args:
        fit: Of all runs.
        fitted: Each sample, measured against fitted, see `polyinv.calibrate.left_out.deviations`.
        left_out: Each sample, measured against what the other runs say; no lines of a single run.
        directions: Of the coefficients, the best determined first.
        next_runs: What to do next, the best first.
    """

    fit: Fit
    fitted: pd.DataFrame
    left_out: pd.DataFrame
    directions: list[Direction]
    next_runs: list[NextRun]

    @property
    def runs(self) -> Runs:
        """That it rests on."""
        return self.fit.model.runs

    @property
    def determined(self) -> list[Direction]:
        """Directions that the runs have decided."""
        return [each for each in self.directions if each.determined]

    @property
    def still_prior(self) -> list[str]:
        """Coefficients that are known no better than before."""
        return still_prior(self.fit)

    def warnings(self) -> list[str]:
        """What has to be said: contradictions, outlying runs, coefficients far from where they were."""
        found = []
        if not self.fit.converged:
            found.append("the fit has not settled: look at the runs one by one before using the system")
        for name in ("initiation", "temperature", "conversion"):
            kind = KINDS[NAMES.index(name)]
            times = (self.fit.scatter[name] / kind.usual).item()
            if times > MANY_TIMES:
                found.append(
                    f"the runs contradict each other: {kind.words} scatters by {times:.1f} times what is usual"
                )
        missed = float(np.sqrt((self.fitted["conversion"] - self.fitted["conversion_fitted"]).pow(2).mean()))
        if missed > MISSED:
            found.append(
                f"no coefficients explain the conversions, which are missed by {missed:.2g} (root mean square): are "
                "they shares where per cent are stated, or the times in another unit?"
            )
        found += [f"run {name} is outlying: the other runs do not explain it" for name in outlying(self.left_out)]
        coordinates = self.fit.model.coordinates
        far = [name for name, by in zip(coordinates.names, self.fit.theta.tolist(), strict=False) if abs(by) > FAR]
        if far:
            found.append(
                f"{', '.join(far)} moved by more than {FAR:g} of its standard deviations: the recipes, the solvent or "
                "the scheme may be others than stated"
            )
        return found


def calibrate(
    runs: Runs, system: System, errors: str = "ordinary", progress: Callable[[int], None] = lambda count: None
) -> Calibration:
    """Calibrate the kinetics and the instrument of a laboratory on its runs.

    Args:
        runs: With known recipes.
        system: Whose coefficients are the prior.
        errors: Level of what the next run would be measured with.
        progress: Called with the number of fits done, of `fits_of`.

    Raises:
        InputError: The system was calibrated already.
    """
    check_uncalibrated(system)
    runs.observations.system.check_like(system, "the runs", "the system to calibrate")
    with torch.no_grad():
        model = LaboratoryModel(runs, Coordinates(system))
    fitted = fit(model)
    progress(1)
    each_left_out = left_out(fitted, progress)
    helpful = next_runs(fitted, errors=measurement_errors(errors))
    progress(1)
    return Calibration(fitted, deviations(model, fitted.shown), each_left_out, directions(fitted), helpful)


def check_uncalibrated(system: System) -> None:
    """Refuse a system that was calibrated: its runs would count again, or be forgotten.

    Raises:
        InputError: It was.
    """
    if system.laboratory is not None:
        raise InputError(
            f"{system.name} was calibrated already, on {system.laboratory.runs} runs; calibrate the system it came "
            "from on all runs together"
        )


def fits_of(runs: Runs) -> int:
    """How many steps `calibrate` reports."""
    return 2 + (len(runs.names) if len(runs.names) > 1 else 0)
