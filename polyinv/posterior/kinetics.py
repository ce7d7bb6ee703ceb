r"""Kinetics that are not exact: what a calibration left open, as further noise of an observation.

The coefficients of a calibrated system, and its instrument, are known with a joint covariance
(`polyinv.chemistry.laboratory`), and runs scatter about them. Both are small enough that what is observed is linear in
them: with slopes J at the closest recipe and a root L of the covariance, the noise has :math:`J L L^\top J^\top` more.
Of a system that was not calibrated the coefficients are taken
as exact, unless it is asked what their uncertainty in the literature would do.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry.coordinates import Coordinates
from polyinv.chemistry.draws import covariance_root, joint_root
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
    """What is open of the kinetics and the instrument of the laboratory of B observations.

    Args:
        root: Of the covariance R Rᵀ of the observed numbers by coefficients, instrument and what runs deviate by,
            (B, 103, K).
        scatter: Of smooth errors of the curve and its means, (B, 103, 103).
        laboratory: None of a system that was not calibrated: all scatter is zero.
    """

    root: Tensor
    scatter: Tensor
    laboratory: Laboratory | None

    @property
    def covariance(self) -> Tensor:
        """Covariance of the observed numbers by coefficients, instrument and what runs deviate by, (B, 103, 103)."""
        return self.root @ self.root.mT

    @classmethod
    def of(
        cls,
        observations: Observations,
        recipes: Tensor,
        expected: ExpectedMeasurement,
        nuisances: Tensor,
        nodes: Tensor,
        *,
        literature: bool = False,
    ) -> "Kinetics":
        """What is open of observations.

        Args:
            observations: B of them, of a system that was calibrated, or was not.
            recipes: That come close to them, (B, V).
            expected: Measures them.
            nuisances: Most probable ones, (B, K).
            nodes: At which the curves are compared, (B, 100).
            literature: Whether the coefficients of a system that was not calibrated are as uncertain as it states;
                otherwise they are taken as exact.
        """
        system = observations.system
        none = torch.zeros(len(observations), len(OBSERVED), len(OBSERVED), dtype=torch.float64)
        if system.laboratory is None and not literature:
            return cls(none[..., :0], none, None)
        values, by_recipe, by_coordinates = observe_by_coefficients(
            recipes, system.chemistry, Coordinates(system), tolerance=TOLERANCE
        )
        if system.laboratory is None:
            _, effects = expected.with_slopes(values, by_coordinates @ covariance_root(system), nuisances)
            return cls(effects[..., : by_coordinates.shape[-1]], none, None)
        runs = _of_runs(observations, recipes, system.laboratory)
        slopes = torch.cat([by_coordinates, by_recipe[..., [1, 2]] * runs[:, None]], -1)
        seen, effects = expected.with_slopes(values, slopes, nuisances)
        Q = by_coordinates.shape[-1]
        shared = torch.cat([effects[..., :Q], _of_instrument(expected, values, nuisances)], -1) @ joint_root(system)
        opened = torch.cat([shared, effects[..., Q : slopes.shape[-1]]], -1)
        scatter = none.clone()
        sd = system.laboratory.scatter["curve"]
        scatter[:, CURVE, CURVE] = smooth_covariance(seen[:, CURVE] * nodes, torch.arange(N_NODES), sd)
        scatter[:, [MN, MW], [MN, MW]] = (OF_MEANS * sd) ** 2
        return cls(opened, scatter, system.laboratory)

    @property
    def is_open(self) -> bool:
        """Whether anything is open of the kinetics of a laboratory."""
        return self.laboratory is not None

    def conversion(self, stated: Tensor) -> Tensor:
        """Error of the conversion, with the scatter of the laboratory in it, from that which is stated; (*)."""
        if self.laboratory is None:
            return stated
        scatter = self.laboratory.scatter
        return torch.hypot(stated * max(scatter["sampling"], 1.0), stated.new_tensor(scatter["conversion"]))


def _of_runs(observations: Observations, recipes: Tensor, laboratory: Laboratory) -> Tensor:
    """Standard deviations (B, 2) of what a run deviates by beyond what is stated: of initiator in mol/L, in °C."""
    temp = observations.system.targets[2]
    stated = observations.error_columns()[temp + SUFFIX]
    beyond = (laboratory.scatter["temperature"] ** 2 - stated.square()).clamp(min=0).sqrt()
    return torch.stack([recipes[:, 1] * laboratory.scatter["initiation"], beyond], -1)


def _of_instrument(expected: ExpectedMeasurement, values: Tensor, nuisances: Tensor) -> Tensor:
    """Slopes (B, 103, 2) of the expected numbers by ln of the broadening, and by the offset."""
    columns = []
    for name in ("broadening", "offset"):
        ahead, behind = (_moved(expected, name, by)(values, _but_offset(nuisances, name, by)) for by in (STEP, -STEP))
        columns.append((ahead - behind) / (2 * STEP))
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
