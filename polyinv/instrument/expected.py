r"""Expected measurement: what a laboratory with stated errors would write down of a polymer, and its slopes.

Broadening, the lower limit and the cut ends are known, and change every curve alike. Others are drawn once for each
observation and unknown: the offset and the slope of the calibration, and the two ends of the baseline. They are four
**nuisances** :math:`\nu`, counted in their standard deviations, so that each of them is standard normal a priori.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from polyinv.instrument.curve import add_baseline, broaden, cut_ends, ends_at, miscalibrate
from polyinv.instrument.errors import LEAST
from polyinv.mmd import LOG_M, STEP
from polyinv.simulate.observed import OBSERVED, SCALARS

CURVE = slice(len(SCALARS), len(OBSERVED))
MN, MW = (OBSERVED.index(name) for name in ("Mn", "Mw"))
NUISANCES = ("calibration", "slope of the calibration", "baseline", "baseline")
"""What the four are of, in words."""
OF_NUISANCE = ("offset", "slope", "drift", "drift")
"""The error that each of them is of."""
WIDEST = 8.0
"""Standard deviations that a nuisance is tried at, at most."""
STEP_OF_NUISANCE = 0.02
"""Of the differences that their slopes are taken by, in standard deviations."""
SMALLEST = 1e-12
AT_ONCE = 256
"""Curves that stay in a processor's cache."""


@dataclass(frozen=True, eq=False)
class Eluted:
    """Polymers behind the columns of an instrument, before any nuisance tells on them.

    Args:
        values: True numbers, (B, 103).
        curve: Broadened, (B, 100).
        means: ln Mn and ln Mw of the polymers less those of their true curves, (B, 2).
    """

    values: Tensor
    curve: Tensor
    means: Tensor

    def __getitem__(self, rows: Tensor) -> "Eluted":
        return Eluted(self.values[rows], self.curve[rows], self.means[rows])


@dataclass(frozen=True, eq=False)
class ExpectedMeasurement:
    """What a laboratory is expected to measure of B polymers.

    Args:
        errors: Of each row, (B,), by the names of `polyinv.instrument.errors.MeasurementErrors`; (1,) if they have the
            same.
        nodes: At which each curve is compared, (B, 100) or (1, 100); the area of both is one there.
    """

    errors: Mapping[str, Tensor]
    nodes: Tensor

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, rows: Tensor) -> "ExpectedMeasurement":
        return ExpectedMeasurement({name: sd[rows] for name, sd in self.errors.items()}, self.nodes[rows])

    def repeated(self, times: int) -> "ExpectedMeasurement":
        """Each row several times, one after the other."""
        return self[torch.arange(len(self)).repeat_interleave(times)]

    @property
    def is_exact(self) -> bool:
        """Whether no row has an error of its instrument that is worth a nuisance."""
        return all(bool((self.errors[name] <= 2 * LEAST[name]).all()) for name in OF_NUISANCE)

    def __call__(self, values: Tensor, nuisances: Tensor) -> Tensor:
        """Expected numbers (B, 103): the scalars as logarithms, and the curve with unit area on its nodes.

        Args:
            values: True ones of the polymers, (B, 103), see `polyinv.simulate.observed.observe`.
            nuisances: In standard deviations, (B, 4), or (B, 0) where there are none.
        """
        return self.seen(self.eluted(values), nuisances)

    def eluted(self, values: Tensor) -> Eluted:
        """Polymers (B, 103) behind the columns: the part of a measurement that is the same for all nuisances."""
        true = values[:, CURVE]
        return Eluted(values, self._broadened(true), values[:, [MN, MW]] - _log_means(true))

    def seen(self, polymers: Eluted, nuisances: Tensor) -> Tensor:
        """Expected numbers (B, 103) of polymers behind the columns, with nuisances (B, 4) or (B, 0)."""
        return self._seen(polymers, nuisances, None)[0]

    def with_slopes(self, values: Tensor, slopes: Tensor, nuisances: Tensor) -> tuple[Tensor, Tensor]:
        """Expected numbers (B, 103), and their slopes (B, 103, V + K) by V values of the recipe and K nuisances.

        Args:
            values: As of a call.
            slopes: Of the true values by the recipe, (B, 103, V).
            nuisances: (B, K).
        """
        polymers = self.eluted(values)
        seen, by_recipe = self._seen(polymers, nuisances, slopes)
        assert by_recipe is not None
        return seen, torch.cat([by_recipe, self._slopes_by_nuisances(polymers, nuisances)], dim=-1)

    def _slopes_by_nuisances(self, polymers: Eluted, nuisances: Tensor) -> Tensor:
        """Slopes (B, 103, K) of the expected numbers by nuisances, differences over a step to either side."""
        B, K = nuisances.shape
        if K == 0:
            return nuisances.new_zeros(*polymers.values.shape, 0)
        step = STEP_OF_NUISANCE * torch.eye(K, dtype=nuisances.dtype)
        moved = (nuisances[:, None] + torch.cat([step, -step])).flatten(0, 1)
        parts = zip(torch.arange(B).repeat_interleave(2 * K).split(AT_ONCE), moved.split(AT_ONCE), strict=True)
        each = torch.cat([self[rows].seen(polymers[rows], part) for rows, part in parts])
        ahead, behind = each.view(B, 2, K, -1).unbind(1)
        return (ahead - behind).mT / (2 * STEP_OF_NUISANCE)

    def _seen(self, polymers: Eluted, nuisances: Tensor, slopes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        curve = self._calibrated(polymers.curve, nuisances)
        kept = self._kept(curve)
        lifted = self._drifted(curve, nuisances)
        shown = lifted.clamp(min=0)
        for_means = shown * kept
        means = polymers.means + _log_means(for_means)
        compared = shown * self.nodes
        area = _area(compared)
        compared = compared / area
        seen = torch.cat([polymers.values[:, :1], means, compared], dim=-1)
        if slopes is None:
            return seen, None
        by_curve = self._calibrated(self._broadened(slopes[:, CURVE].mT), nuisances).mT  # linear in the curve
        rising = by_curve * (self.nodes * (lifted > 0))[..., None]
        rising = (rising - compared[..., None] * rising.sum(1, keepdim=True) * STEP) / area[..., None]
        of_means = (
            slopes[:, [MN, MW]]
            + _slopes_of_log_means(for_means, by_curve * (kept * (lifted > 0))[..., None])
            - _slopes_of_log_means(polymers.values[:, CURVE], slopes[:, CURVE])
        )
        return seen, torch.cat([slopes[:, :1], of_means, rising], dim=1)

    def _broadened(self, curves: Tensor) -> Tensor:
        """What columns make of curves (B, 100) or (B, V, 100)."""
        sigma = self.errors["broadening"]
        return broaden(curves, _beside(sigma, curves)) if bool((sigma > 0).any()) else curves

    def _calibrated(self, curves: Tensor, nuisances: Tensor) -> Tensor:
        """What the calibration makes of curves (B, 100) or (B, V, 100)."""
        if not nuisances.shape[1]:
            return curves
        offset, slope = (_beside(self._of(nuisances, number), curves) for number in (0, 1))
        return miscalibrate(curves, offset / math.log(10), slope)

    def _of(self, nuisances: Tensor, number: int) -> Tensor:
        if not nuisances.shape[1]:
            return torch.zeros_like(self.errors["offset"])
        return self.errors[OF_NUISANCE[number]] * nuisances[:, number].clamp(-WIDEST, WIDEST)

    def _drifted(self, curve: Tensor, nuisances: Tensor) -> Tensor:
        if not nuisances.shape[1]:
            return curve
        return add_baseline(curve, self._of(nuisances, 2), self._of(nuisances, 3))

    def _kept(self, curve: Tensor) -> Tensor:
        """Share of each bin that Mn and Mw are computed from, (B, 100)."""
        low, high = ends_at(curve.detach(), self.errors["cut_low"], self.errors["cut_high"])
        limit = self.errors["lower_limit"].clamp(min=1.0).log10()
        return cut_ends(torch.ones_like(curve), low.maximum(limit), high)


def without_nuisances(expected: ExpectedMeasurement) -> ExpectedMeasurement:
    """The same laboratory with a calibration and a baseline that are known."""
    none = {name: torch.zeros_like(expected.errors[name]) for name in OF_NUISANCE}
    return replace(expected, errors={**expected.errors, **none})


def _area(w: Tensor) -> Tensor:
    return (w.sum(-1, keepdim=True) * STEP).clamp(min=1e-7)


def _beside(errors: Tensor, curves: Tensor) -> Tensor:
    """Errors (B,) beside curves (B, 100) or (B, V, 100)."""
    return errors if curves.ndim == 2 else errors[:, None]


@cache
def _weights(dtype: torch.dtype) -> Tensor:
    """Weights (100, 3) whose sums over a curve are its mass, that over M, and that times M."""
    molar_mass = 10 ** torch.from_numpy(LOG_M)
    return torch.stack([torch.ones_like(molar_mass), 1 / molar_mass, molar_mass], -1).to(dtype)


def _log_means(w: Tensor) -> Tensor:
    """ln Mn and ln Mw of curves (B, 100), (B, 2)."""
    mass, over, times = (w @ _weights(w.dtype)).clamp(min=SMALLEST).log().unbind(-1)
    return torch.stack([mass - over, times - mass], dim=-1)


def _slopes_of_log_means(w: Tensor, slopes: Tensor) -> Tensor:
    """Slopes (B, 2, V) of `_log_means` of curves (B, 100) with slopes (B, 100, V)."""
    weights = _weights(w.dtype)
    parts = (weights.T @ slopes) / (w @ weights).clamp(min=SMALLEST)[..., None]
    mass, over, times = parts.unbind(1)
    return torch.stack([mass - over, times - mass], dim=1)
