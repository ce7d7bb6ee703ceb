r"""Expected measurement: what a laboratory with stated errors would write down of a polymer, and its slopes.

Broadening, the lower limit and the cut ends are known, and change every curve alike. Others are drawn once for each
observation and unknown: the offset and the slope of the calibration, and the two ends of the baseline. They are four
**nuisances** :math:`\nu`, counted in their standard deviations, so that each of them is standard normal a priori.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from polyinv.instrument.curve import add_baseline, broaden, cut_ends, ends_at, miscalibrate
from polyinv.instrument.errors import LEAST
from polyinv.mmd import LOG_M, STEP
from polyinv.quantities import N_NODES
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


@dataclass(frozen=True, eq=False)
class ExpectedMeasurement:
    """What a laboratory is expected to measure of B polymers.

    Args:
        errors: Of each row, (B,), by the names of `polyinv.instrument.errors.MeasurementErrors`.
        nodes: At which each curve is compared, (B, 100); the area of both is one there.
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
        return self._seen(values, nuisances, None)[0]

    def with_slopes(self, values: Tensor, slopes: Tensor, nuisances: Tensor) -> tuple[Tensor, Tensor]:
        """Expected numbers (B, 103), and their slopes (B, 103, V + K) by V values of the recipe and K nuisances.

        Args:
            values: As of a call.
            slopes: Of the true values by the recipe, (B, 103, V).
            nuisances: (B, K).
        """
        seen, by_recipe = self._seen(values, nuisances, slopes)
        assert by_recipe is not None
        columns = []
        for number in range(nuisances.shape[1]):
            step = torch.zeros_like(nuisances)
            step[:, number] = STEP_OF_NUISANCE
            ahead, behind = (self._seen(values, nuisances + sign * step, None)[0] for sign in (1, -1))
            columns.append((ahead - behind) / (2 * STEP_OF_NUISANCE))
        return seen, torch.cat([by_recipe, *(column[..., None] for column in columns)], dim=-1)

    def _seen(self, values: Tensor, nuisances: Tensor, slopes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        true = values[:, CURVE]
        through = self._columns(nuisances)
        curve = through(true)
        kept = self._kept(curve)
        lifted = self._drifted(curve, nuisances)
        for_means = lifted.clamp(min=0) * kept
        of_curve, of_true = (_log_means(w) for w in (for_means, true))
        means = values[:, [MN, MW]] + of_curve - of_true
        compared = lifted.clamp(min=0) * self.nodes
        area = _area(compared)
        seen = torch.cat([values[:, :1], means, compared / area], dim=-1)
        if slopes is None:
            return seen, None
        by_curve = through(slopes[:, CURVE].mT).mT  # linear in the curve
        rising = by_curve * (self.nodes * (lifted > 0))[..., None]
        rising = (rising - (compared / area)[..., None] * rising.sum(1, keepdim=True) * STEP) / area[..., None]
        of_means = (
            slopes[:, [MN, MW]]
            + _slopes_of_log_means(for_means, by_curve * (kept * (lifted > 0))[..., None])
            - _slopes_of_log_means(true, slopes[:, CURVE])
        )
        return seen, torch.cat([slopes[:, :1], of_means, rising], dim=1)

    def _columns(self, nuisances: Tensor) -> Callable[[Tensor], Tensor]:
        """What columns and calibration make of curves (B, 100) or (B, V, 100)."""
        offset, slope = (self._of(nuisances, number) for number in (0, 1))

        def through(w: Tensor) -> Tensor:
            each = [part if w.ndim == 2 else part[:, None] for part in (self.errors["broadening"], offset, slope)]
            w = broaden(w, each[0]) if bool((each[0] > 0).any()) else w
            return miscalibrate(w, each[1] / math.log(10), each[2]) if nuisances.shape[1] else w

        return through

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


def _weights(like: Tensor) -> tuple[Tensor, Tensor]:
    molar_mass = (10 ** torch.from_numpy(LOG_M)).to(like)
    return 1 / molar_mass, molar_mass


def _log_means(w: Tensor) -> Tensor:
    """ln Mn and ln Mw of curves (B, 100), (B, 2)."""
    inverse, molar_mass = _weights(w)
    mass, over, times = w.sum(-1), w @ inverse, w @ molar_mass
    mass, over, times = (part.clamp(min=SMALLEST) for part in (mass, over, times))
    return torch.stack([(mass / over).log(), (times / mass).log()], dim=-1)


def _slopes_of_log_means(w: Tensor, slopes: Tensor) -> Tensor:
    """Slopes (B, 2, V) of `_log_means` of curves (B, 100) with slopes (B, 100, V)."""
    inverse, molar_mass = _weights(w)
    parts = []
    for weight in (torch.ones(N_NODES, dtype=w.dtype), inverse, molar_mass):
        parts.append((slopes * weight[:, None]).sum(1) / (w @ weight).clamp(min=SMALLEST)[:, None])
    mass, over, times = parts
    return torch.stack([mass - over, times - mass], dim=1)
