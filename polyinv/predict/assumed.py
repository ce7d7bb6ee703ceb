"""What is assumed of the errors of rows, in words."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from polyinv.chemistry import System
from polyinv.instrument.errors import LEVELS
from polyinv.models import InverseModel

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

log = logging.getLogger(__name__)


def say_laboratory(system: System) -> None:
    """Say on which runs the kinetics rest, and what becomes of what these left open."""
    laboratory = system.laboratory
    assert laboratory is not None
    log.info(
        "kinetics of %s, calibrated on %d runs: molar masses are corrected by %+.1f %%, broadening is %.3f decades; "
        "what the runs left open is in errors and intervals",
        system.name,
        laboratory.runs,
        -100 * laboratory.offset,
        laboratory.broadening,
    )


def say_errors(observations: "Observations", model: InverseModel, folder: Path) -> None:
    """Say which errors are assumed where none are stated, and whether the model makes use of them."""
    stated = [name for name, sd in observations.errors.items() if not sd.isnan().all()]
    if not model.takes_errors:
        if stated:
            log.warning(
                "%s has learned from exact inputs: the errors that are stated (%s) change how answers are checked, not "
                "the answers",
                folder,
                ", ".join(stated),
            )
        return
    assumed = observations.assumed
    if assumed is None or assumed == LEVELS["exact"]:
        log.info("inputs are taken as exact unless their errors are stated")
        return
    level = next((f" of the level {name}" for name, errors in LEVELS.items() if errors == assumed), "")
    of = asdict(assumed)
    log.info(
        "errors%s where none are stated: temperature ± %g °C, time ± %g s, concentrations ± %g %%, conversion ± %g %%, "
        "Mn and Mw ± %g %%, SEC broadening %g decades, calibration ± %g %%; --errors takes another level, "
        "--known temp=70±0.1 or a column temp_error states one",
        level,
        of["temperature"],
        of["time"],
        100 * of["concentration"],
        100 * of["conversion"],
        100 * of["molar_mass"],
        of["broadening"],
        100 * of["offset"],
    )
