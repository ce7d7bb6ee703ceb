r"""Kinetics that are not exact: what a calibration left open, as further noise of an observation.

The coefficients of a calibrated system, and its instrument, are known with a joint covariance
(`polyinv.chemistry.laboratory`), and runs scatter about them. Both are small enough that what is observed is linear in
them: with slopes J at the closest recipe and a root L of the covariance, the noise has :math:`J L L^\top J^\top` more.
Of a system that was not calibrated the coefficients are taken as exact.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry.coordinates import Coordinates
from polyinv.chemistry.draws import joint_root
from polyinv.chemistry.laboratory import Laboratory
from polyinv.data.observations import Observations
from polyinv.instrument.errors import SUFFIX
from polyinv.instrument.expected import CURVE, MN, MW, ExpectedMeasurement
from polyinv.instrument.smooth_error import OF_MEANS, smooth_covariance
from polyinv.quantities import N_NODES
from polyinv.simulate.by_coefficients import observe_by_coefficients
from polyinv.simulate.observed import OBSERVED

STEP = 0.01
"""Of ln of the broadening, and of the offset, over which slopes are taken."""
TOLERANCE = 1e-5
"""Of the solver."""


@dataclass(frozen=True, eq=False)
class Kinetics:
    """What is open of the kinetics and the instrument of the laboratory of an observation.

    Args:
        covariance: Of the observed numbers by coefficients, instrument and what runs deviate by, (103, 103).
        scatter: Of smooth errors of the curve and its means, (103, 103).
        laboratory: None of a system that was not calibrated: both are zero.
    """

    covariance: Tensor
    scatter: Tensor
    laboratory: Laboratory | None

    @classmethod
    def of(
        cls, observation: Observations, recipe: Tensor, expected: ExpectedMeasurement, nuisances: Tensor, nodes: Tensor
    ) -> "Kinetics":
        """What is open of an observation, which is a single row.

        Args:
            observation: Of a system that was calibrated, or was not.
            recipe: That comes closest to it, (1, V).
            expected: Measures it.
            nuisances: Most probable ones, (1, K).
            nodes: At which the curve is compared, (100,).
        """
        system, none = observation.system, torch.zeros(len(OBSERVED), len(OBSERVED), dtype=torch.float64)
        if system.laboratory is None:
            return cls(none, none, None)
        values, by_recipe, by_coordinates = observe_by_coefficients(
            recipe, system.chemistry, Coordinates(system), tolerance=TOLERANCE
        )
        runs = _of_runs(observation, recipe, system.laboratory)
        slopes = torch.cat([by_coordinates, by_recipe[..., [1, 2]] * runs], -1)
        (seen,), (effects,) = expected.with_slopes(values, slopes, nuisances)
        Q = by_coordinates.shape[-1]
        shared = torch.cat([effects[:, :Q], _of_instrument(expected, values, nuisances)], 1) @ joint_root(system)
        opened = torch.cat([shared, effects[:, Q : slopes.shape[-1]]], 1)
        scatter = none.clone()
        curve = (seen[CURVE] * nodes)[None]
        sd = system.laboratory.scatter["curve"]
        scatter[CURVE, CURVE] = smooth_covariance(curve, torch.arange(N_NODES), sd)[0]
        scatter[[MN, MW], [MN, MW]] = (OF_MEANS * sd) ** 2
        return cls(opened @ opened.T, scatter, system.laboratory)

    @property
    def is_open(self) -> bool:
        """Whether anything is."""
        return self.laboratory is not None

    def conversion(self, stated: float) -> float:
        """Error of the conversion, with the scatter of the laboratory in it, from that which is stated."""
        if self.laboratory is None:
            return stated
        scatter = self.laboratory.scatter
        return math.hypot(stated * max(scatter["sampling"], 1.0), scatter["conversion"])


def _of_runs(observation: Observations, recipe: Tensor, laboratory: Laboratory) -> Tensor:
    """Standard deviations of what a run deviates by, beyond what is stated of it: initiator in mol/L, and °C, (2,)."""
    temp = observation.system.targets[2]
    stated = observation.error_columns()[temp + SUFFIX].item()
    beyond = max(laboratory.scatter["temperature"] ** 2 - stated**2, 0.0) ** 0.5
    return torch.stack([recipe[0, 1] * laboratory.scatter["initiation"], recipe.new_tensor(beyond)])


def _of_instrument(expected: ExpectedMeasurement, values: Tensor, nuisances: Tensor) -> Tensor:
    """Slopes (103, 2) of the expected numbers by ln of the broadening, and by the offset."""
    columns = []
    for name in ("broadening", "offset"):
        ahead, behind = (_moved(expected, name, by)(values, _but_offset(nuisances, name, by)) for by in (STEP, -STEP))
        columns.append((ahead - behind)[0] / (2 * STEP))
    return torch.stack(columns, -1)


def _moved(expected: ExpectedMeasurement, name: str, by: float) -> ExpectedMeasurement:
    errors = dict(expected.errors)
    if name == "broadening":
        errors[name] = errors[name] * math.exp(by)
    else:
        errors[name] = torch.full_like(errors[name], STEP)
    return ExpectedMeasurement(errors, expected.nodes)


def _but_offset(nuisances: Tensor, name: str, by: float) -> Tensor:
    """Nuisances with an offset of one standard deviation, up or down."""
    if name != "offset":
        return nuisances
    moved = nuisances.clone() if nuisances.shape[1] else nuisances.new_zeros(len(nuisances), 4)
    moved[:, 0] = math.copysign(1.0, by)
    return moved
