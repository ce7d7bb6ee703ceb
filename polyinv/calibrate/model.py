r"""Model of a laboratory: what samples should show, given coefficients, instrument and what each run was like.

The parameters :math:`\theta` are standard normal a priori: Q coordinates of the coefficients in their standard
deviations, three of the instrument (broadening, offset and slope of the calibration), and for each run what it
deviates by from its recipe.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from polyinv.calibrate.runs import Runs
from polyinv.calibrate.scatter import Scatter
from polyinv.chemistry.coordinates import Coordinates
from polyinv.chemistry.kinetics import Chemistry
from polyinv.domain.least_squares import where_measured
from polyinv.instrument.errors import OF_CONVERSION, SUFFIX
from polyinv.instrument.expected import CURVE, MN, MW, ExpectedMeasurement
from polyinv.instrument.exports import span
from polyinv.instrument.smooth_error import FOOT, OF_MEANS, smooth_covariance
from polyinv.mmd import LOG_M, STEP
from polyinv.quantities import MEANS
from polyinv.simulate.by_coefficients import observe_by_coefficients

INSTRUMENT = ("broadening", "offset", "slope")
"""Parameters of the instrument, shared by all runs."""
OF_RUN = ("initiation", "temperature", "monomer", "conversion")
"""What a run deviates by: ln of the initiation, °C, ln of the monomer charged, and the conversion."""
BROADENING = 0.4
"""Standard deviation of the logarithm of the broadening that is stated."""
TOLERANCE = 1e-5
"""Of the solver."""
CURVES = 0.5
"""Power of their number by which the curves of one run count less each: 1 as one curve, 0 as independent ones."""
POPULATED = 0.01
"""Of the peak, below which the feet of a curve are a matter of its baseline."""
FARTHEST = 6.0
"""Standard deviations of a parameter that are tried, at most."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What B samples show, or should: D numbers each, the curve over its peak, then X, ln Mn and ln Mw.

    Args:
        values: (B, D).
        slopes: By the parameters, (B, D, P); by those of runs per unit, of others per standard deviation.
        besides: By what is unknown of each sample, per standard deviation: time and the baseline's ends, (B, D, 3).
    """

    values: Tensor
    slopes: Tensor
    besides: Tensor


@dataclass(frozen=True, eq=False)
class LaboratoryModel:
    """Model of the laboratory that made some runs.

    Args:
        runs: R runs, B samples.
        coordinates: Of the coefficients; the system is the prior.
    """

    runs: Runs
    coordinates: Coordinates

    @cached_property
    def shared(self) -> int:
        """Parameters that all runs share."""
        return len(self.coordinates.names) + len(INSTRUMENT)

    @property
    def parameters(self) -> int:
        """P, the number of all parameters."""
        return self.shared + len(OF_RUN) * len(self.runs.names)

    @cached_property
    def sd(self) -> Tensor:
        """Standard deviations of the coordinates, (Q,)."""
        return torch.tensor(self.coordinates.sd, dtype=torch.float64)

    @cached_property
    def measured(self) -> Tensor:
        """Nodes at which each curve is compared, (B, 100)."""
        w = self.runs.observations.mmd
        populated = w >= POPULATED * w.amax(-1, keepdim=True)
        return span(populated, populated) & where_measured(w) & self.runs.has_curve[:, None]

    @property
    def has_curves(self) -> Tensor:
        """Whether a curve of each sample is compared, (B,)."""
        return self.runs.has_curve

    @cached_property
    def nodes(self) -> Tensor:
        """Numbers of the nodes at which any curve is compared, (N,)."""
        return self.measured.any(0).nonzero()[:, 0]

    @cached_property
    def curves(self) -> Tensor:
        """Measured curves of unit area where they are compared, (B, 100); 0 elsewhere."""
        w = self.runs.observations.mmd.nan_to_num(0.0) * self.measured
        return w / (w.sum(-1, keepdim=True) * STEP).clamp(min=1e-7)

    @cached_property
    def peak(self) -> Tensor:
        """Height of the measured curves, (B, 1); 1 without one."""
        peak = self.curves.amax(-1, keepdim=True)
        return torch.where(peak > 0, peak, 1.0)

    @cached_property
    def given(self) -> Tensor:
        """Which of the D numbers each sample shows, (B, D): Mn and Mw only where there is no curve."""
        runs = self.runs
        means = runs.has_means & ~runs.has_curve[:, None]
        return torch.cat([self.measured[:, self.nodes], runs.has_residual[:, None], means], 1)

    @cached_property
    def observed(self) -> Tensor:
        """What each sample shows, (B, D); 0 where it does not."""
        observations = self.runs.observations
        conversion = 1 - observations.residual_monomer / observations.recipe[:, 0]
        means = [getattr(observations, name).log() for name in MEANS]
        found = torch.cat([self.curves[:, self.nodes] / self.peak, torch.stack([conversion, *means], 1)], 1)
        return torch.where(self.given, found, 0.0)

    @cached_property
    def errors(self) -> dict[str, Tensor]:
        """Stated errors of each sample, (B,) by the column that states it."""
        return {name: sd.nan_to_num(0.0) for name, sd in self.runs.observations.error_columns().items()}

    @cached_property
    def weight(self) -> Tensor:
        """Share of its own that each of the D numbers of a sample counts with, (B, D).

        What is wrong with a curve is wrong with all curves of its run: they count together as ``CURVES`` has it.
        """
        samples = torch.bincount(self.runs.run[self.runs.has_curve], minlength=len(self.runs.names))[self.runs.run]
        share = samples.clamp(min=1).double() ** -CURVES
        every = torch.ones_like(self.observed)
        every[:, : len(self.nodes)] = share[:, None]
        return every

    def chemistry(self, theta: Tensor) -> Chemistry:
        """Coefficients at parameters (P,)."""
        return self.coordinates.chemistry((theta[: len(self.sd)] * self.sd).tolist())

    def instrument(self, theta: Tensor) -> Tensor:
        """Parameters of the instrument among all, (3,)."""
        return theta[len(self.sd) : self.shared]

    def of_runs(self, theta: Tensor) -> Tensor:
        """What the runs deviate by, in units, among all parameters (P,), (R, 4)."""
        return theta[self.shared :].view(-1, len(OF_RUN))

    def as_stated(self, theta: Tensor) -> Tensor:
        """Parameters (P,) with those that runs share taken from others, and runs that were as their recipes say."""
        found = theta.new_zeros(self.parameters)
        found[: self.shared] = theta[: self.shared]
        return found

    def whitened(self, root: Tensor, part: Tensor) -> Tensor:
        """What samples show (B, D, K), in independent numbers of unit variance, each with its weight, (B * D, K).

        Args:
            root: Cholesky factor of their covariance, (B, D, D), lower.
            part: What is shown, or slopes of it.
        """
        return (torch.linalg.solve_triangular(root, part, upper=False) * self.weight.sqrt()[..., None]).flatten(0, 1)

    def precision(self, scatter: Scatter) -> Tensor:
        """Precision of the parameters a priori, (P,), given the scatter."""
        first = [int((self.runs.run == number).nonzero()[0]) for number in range(len(self.runs.names))]
        recipe, errors = self.runs.observations.recipe[first], self.errors
        names = self.coordinates.system.targets
        of = {name: errors[name + SUFFIX][first] for name in names[:3]}
        initiation = scatter["initiation"].square() + (of[names[1]] / recipe[:, 1]).square()
        temperature = (scatter["temperature"] * of[names[2]]).square()
        monomer = (of[names[0]] / recipe[:, 0]).square()
        conversion = scatter["conversion"].square().expand(len(first))
        variance = torch.stack([initiation, temperature, monomer, conversion], 1).clamp(min=1e-12)
        return torch.cat([torch.ones(self.shared, dtype=variance.dtype), (1 / variance).flatten()])

    def __call__(self, theta: Tensor) -> Shown:
        """What the samples should show at parameters (P,), with slopes."""
        observations, of_run = self.runs.observations, self.of_runs(theta)[self.runs.run]
        recipe = observations.recipe.clone()
        recipe[:, 0] *= of_run[:, 2].exp()
        recipe[:, 1] *= of_run[:, 0].exp()
        recipe[:, 2] += of_run[:, 1]
        values, by_recipe, by_coordinates = observe_by_coefficients(
            recipe, self.chemistry(theta), self.coordinates, tolerance=TOLERANCE
        )
        by_coordinates = by_coordinates * self.sd
        by_run = by_recipe[..., [1, 2, 0]] * torch.stack(
            [recipe[:, 1], torch.ones_like(recipe[:, 1]), recipe[:, 0]], 1
        ).unsqueeze(1)
        by_time = by_recipe[..., -1:] * self.errors["time" + SUFFIX][:, None, None]
        slopes = torch.cat([by_coordinates, by_run, by_time], -1)
        return self._collected(*self._measured(values, slopes, self.instrument(theta)), values, of_run)

    def _measured(self, values: Tensor, slopes: Tensor, instrument: Tensor) -> tuple[Tensor, Tensor]:
        """Expected numbers (B, 103), and slopes (B, 103, Q + 4 + 5): what is given, the instrument, the baseline."""
        expected, nuisances = self._expected(instrument[0]), self._nuisances(instrument)
        seen, found = expected.with_slopes(values, slopes, nuisances)
        step = 0.05
        ahead, behind = (self._expected(instrument[0] + by)(values, nuisances) for by in (step, -step))
        broader = ((ahead - behind) / (2 * step))[..., None]
        at = slopes.shape[-1]
        return seen, torch.cat([found[..., :at], broader, found[..., at:]], -1)

    def _expected(self, broadening: Tensor) -> ExpectedMeasurement:
        errors = self.runs.observations.instrument_errors()
        broader = errors["broadening"] * (BROADENING * broadening).exp()
        nodes = torch.where(self.runs.has_curve[:, None], self.measured, torch.ones_like(self.measured))
        return ExpectedMeasurement(errors | {"broadening": broader}, nodes)

    def _nuisances(self, instrument: Tensor) -> Tensor:
        """Offset and slope of the calibration, and a baseline that did not drift, of each sample (B, 4)."""
        return torch.cat([instrument[1:], torch.zeros(2, dtype=instrument.dtype)]).expand(len(self.runs), -1)

    def _collected(self, seen: Tensor, slopes: Tensor, values: Tensor, of_run: Tensor) -> Shown:
        Q, R = len(self.sd), len(self.runs.names)
        charged = self.runs.observations.recipe[:, 0]
        left = values[:, 0].exp() / charged
        conversion = 1 - left + of_run[:, 3]

        def chosen(part: Tensor) -> Tensor:  # (B, 103, K) to (B, D, K)
            curve = part[:, CURVE][:, self.nodes] / self.peak[..., None]
            return torch.cat([curve, -left[:, None, None] * part[:, :1], part[:, [MN, MW]]], 1)

        numbers = torch.cat([seen[:, CURVE][:, self.nodes] / self.peak, conversion[:, None], seen[:, [MN, MW]]], 1)
        by = chosen(slopes) * self.given[..., None]
        by_coordinates, by_run, by_time, by_instrument, by_baseline = by.split([Q, 3, 1, len(INSTRUMENT), 2], -1)
        by_conversion = torch.zeros_like(by_time)
        by_conversion[:, len(self.nodes)] = 1.0
        of_runs = torch.cat([by_run, by_conversion * self.given[..., None]], -1)
        spread = of_runs.new_zeros(*of_runs.shape[:2], R, len(OF_RUN))
        spread[torch.arange(len(self.runs)), :, self.runs.run] = of_runs
        every = torch.cat([by_coordinates, by_instrument, spread.flatten(2)], -1)
        numbers = torch.where(self.given, numbers, 0.0)
        return Shown(numbers, every, torch.cat([by_time, by_baseline], -1))

    def covariance(self, scatter: Scatter, besides: Tensor) -> Tensor:
        """Covariance of what is shown about what should be, (B, D, D); one on the diagonal of what is not given.

        Args:
            scatter: Of the laboratory.
            besides: See `Shown`.
        """
        N, given = len(self.nodes), self.given.double()
        w = self.curves[:, self.nodes] / self.peak
        diagonal = torch.cat([self._rough(scatter, w), self._of_scalars(scatter)], 1)
        hanging = torch.nn.functional.pad(smooth_covariance(w, self.nodes, scatter["curve"]), (0, 3, 0, 3))
        whole = hanging + torch.diag_embed(diagonal) + besides @ besides.mT
        whole[:, N:, :N] = whole[:, :N, N:] = 0.0
        pairs = given[:, :, None] * given[:, None, :]
        return whole * pairs + torch.diag_embed(1 - given)

    def _rough(self, scatter: Scatter, w: Tensor) -> Tensor:
        """Variance of the nodes of curves (B, N) from one to the next: of the detector, and of chains."""
        detector = self.errors["sec_noise"][:, None].clamp(min=1e-4).square() + scatter["kinks"].square()
        molar_mass = 10 ** torch.from_numpy(LOG_M)
        Mn = self.curves.sum(-1, keepdim=True) / (self.curves / molar_mass).sum(-1, keepdim=True).clamp(min=1e-12)
        chain = (w + FOOT) * (molar_mass[self.nodes] / Mn.clamp(min=1.0)) / (STEP * self.peak)
        return detector + scatter["chains"].square() * chain

    def _of_scalars(self, scatter: Scatter) -> Tensor:
        """Variances of X, ln Mn and ln Mw, (B, 3)."""
        observations, errors = self.runs.observations, self.errors
        residual = errors[self.coordinates.system.residual + SUFFIX] / observations.recipe[:, 0]
        stated = (errors[OF_CONVERSION].square() + residual.square()).clamp(min=1e-6)
        of_means = [(errors[name + SUFFIX] / getattr(observations, name)).nan_to_num(0.0).square() for name in MEANS]
        more = (OF_MEANS * scatter["curve"]).square() + 1e-8
        return torch.stack([scatter["sampling"].square() * stated, *(each + more for each in of_means)], 1)

    def of(self, runs: Runs) -> "LaboratoryModel":
        """The same laboratory with other runs."""
        return replace(self, runs=runs)
