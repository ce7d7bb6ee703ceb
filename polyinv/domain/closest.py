r"""Closest recipe of the box: that whose polymer comes closest to an observation, and its deviations.

Deviations are counted in the noise that chains have when they are counted: with N of them, :math:`\sqrt{w_k}` at a node
of molar mass :math:`M_k` scatters by :math:`\sqrt{M_k / (4 h N M_n)}`, where h is the step of the grid, whatever the
height of the curve. How many chains a curve stands for is nowhere said; its roughness tells: what wriggles from node to
node is noise, what bends over many nodes is not.

A curve is compared where it was measured: from the first node that holds something to the last, and not below 1000
g/mol, where single oligomers stand apart that no instrument separates. Both curves have unit area there.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.instrument.exports import span
from polyinv.mmd import LOG_M, OLIGOMERS, STEP
from polyinv.simulate.observed import OBSERVED, SCALARS, observe, observe_with_slopes
from polyinv.simulate.recipes import from_unit, random_recipes, to_unit, unit_slopes

CURVE = slice(len(SCALARS), len(OBSERVED))
MONOMER, MN, MW = (OBSERVED.index(name) for name in SCALARS)
POPULATED = 1e-3
"""Nodes below this share of the peak say nothing about the roughness: single chains."""
VARIANCES = {MONOMER: 5.0, MN: 1.0, MW: 4.0}
"""Of the logarithms of residual monomer, Mn and Mw, times the chains: about what reactions of an hour have."""
REFERENCES, STARTS, STEPS = 4096, 3, 12
"""Recipes among which the nearest are looked for, how many of them are started from, and most steps of the descent."""
SCREENED = 64
"""Observations that are compared with the references at once: they stay in a processor's cache."""
TOLERANCE = 1e-5
"""Of the solver: a thousandth of the noise of the smoothest curve."""
RACE = 3
"""Steps of all starts; then only the best goes on."""
SMOOTHEST, ASSUMED = 1e-7, 1e-5
"""Least noise that a curve is credited with, and that of observations without a curve; one over chains."""
SETTLED, NEGLIGIBLE = 1e-4, 1e-9
"""A descent has arrived when a step lowers the sum of squares by less than this share of it, or by less than this."""
STUCK = 1e5
"""Damping at which no step lowers it."""
SMALLEST = 1e-7
"""Of w; a root has no slope at zero."""


@dataclass(frozen=True)
class Fit:
    """Least-squares fit of B observations: the closest recipes and their deviations.

    Args:
        recipes: (B, V), inside the box; known values as given.
        deviation: Of every observed number from its fit, times the root of the chains: (B, 103), 0 where not fitted.
        populated: Which of them count: scalars that are given, and nodes that hold more than single chains, (B, 103).
        noise: Variance of these deviations that the roughness of the curve tells, (B,); one over the number of chains,
            NaN without a curve.
        nearest: Number of the nearest reference, (B,).
        measured: Nodes at which the curve was compared, (B, 100).
    """

    recipes: Tensor
    deviation: Tensor
    populated: Tensor
    noise: Tensor
    nearest: Tensor
    measured: Tensor

    @property
    def credited(self) -> Tensor:
        """Noise variance that an observation is credited with, (B,)."""
        return self.noise.nan_to_num(ASSUMED).clamp(min=SMOOTHEST)

    @property
    def misfit(self) -> Tensor:
        """Root mean square of the deviations that count, (B,)."""
        return ((self.deviation.square() * self.populated).sum(-1) / self.populated.sum(-1).clamp(min=1)).sqrt()


@dataclass(frozen=True)
class Forward:
    """Forward model between the walls of the box, in the units of `polyinv.simulate.recipes.to_unit`."""

    system: System

    def __call__(self, unit: Tensor) -> Tensor:
        """Observed numbers (M, 103) at points (M, V); beyond the box at its wall."""
        return observe(self.from_unit(unit.clamp(-1, 1)), self.system.chemistry, tolerance=TOLERANCE)

    def with_slopes(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Observed numbers (M, 103) at points (M, V), and their slopes (M, 103, V) there."""
        recipes = self.from_unit(unit)
        values, slopes = observe_with_slopes(recipes, self.system.chemistry, tolerance=TOLERANCE)
        return values, slopes * unit_slopes(recipes, self.system)[:, None, :]

    def from_unit(self, unit: Tensor) -> Tensor:
        """Recipes (*, V) at points (*, V)."""
        return from_unit(unit, self.system)


class References:
    """Recipes of the box with their polymers, to find near ones quickly.

    Args:
        system: What is polymerized.
        count: Recipes.
    """

    def __init__(self, system: System, count: int = REFERENCES) -> None:
        self.system, self.forward = system, Forward(system)
        self.unit = to_unit(random_recipes(count, torch.Generator().manual_seed(0), system), system)
        self.observations = _rooted(self.forward(self.unit))
        self.middle = self.observations.mean(0)  # single precision is lost on what all have in common
        self.screen = (self.observations - self.middle).float(), self.unit.float()

    def nearest(self, observations: Tensor, weight: Tensor, known: Tensor, count: int) -> Tensor:
        """Indices of the nearest references (B, count) by weighted deviation; far from known values counts as far.

        Args:
            observations: Observed numbers, the curve by its root, (B, 103).
            weight: Of them, (B, 103).
            known: Known values in the units of `to_unit`, NaN where not given, (B, V).
            count: How many.
        """
        each = (part.split(SCREENED) for part in (observations, weight.square(), known))
        return torch.cat([self._nearest(x, w, k, count) for x, w, k in zip(*each, strict=True)])

    def _nearest(self, observations: Tensor, weight: Tensor, known: Tensor, count: int) -> Tensor:
        """As `nearest`, of few observations: candidates in single precision, and of these the nearest in double."""
        given, known = (~known.isnan()).double(), known.nan_to_num(0.0)
        far = self._screened((observations - self.middle).float(), weight.float(), known.float(), given.float())
        candidates = far.topk(min(8 * count, len(self.unit)), largest=False).indices
        others, unit = self.observations[candidates], self.unit[candidates]
        far = ((observations[:, None] - others).square() * weight[:, None]).sum(-1)
        apart = ((known[:, None] - unit).square() * given[:, None]).sum(-1)
        return candidates.gather(1, (far * (1 + 100 * apart) + 1e-9 * apart).topk(count, largest=False).indices)

    def _screened(self, observations: Tensor, weight: Tensor, known: Tensor, given: Tensor) -> Tensor:
        """How far the references are in single precision, (B, R)."""
        others, unit = self.screen
        far, apart = _apart(observations, weight, others), _apart(known, given, unit)
        return far.addcmul_(far, apart, value=100).add_(apart, alpha=1e-9)


def _apart(points: Tensor, weight: Tensor, others: Tensor) -> Tensor:
    """Weighted squared distances (B, R) of points (B, C) from others (R, C), the weights being the points' (B, C)."""
    start = (points.square() * weight).sum(-1, keepdim=True)
    return torch.addmm(start, points * weight, others.T, alpha=-2).addmm_(weight, others.square().T).clamp_(min=0)


def fit(references: References, observations: Tensor, known: Tensor) -> Fit:
    """Fit recipes of the box by least squares (Levenberg–Marquardt), from the nearest of some references.

    Mn and Mw are fitted only where there is no curve, whose means they are.

    Args:
        references: With the forward model.
        observations: Observed numbers (B, 103), NaN where not given; scalars as logarithms.
        known: Values of the recipe that are given (B, V), NaN where not; values outside the box count as its wall.
    """
    problem = _Problem.of(references.forward, observations, known)
    near = references.nearest(problem.observations, problem.weight, problem.known, STARTS)
    found = problem.descended(references.unit[near[:, :1]])
    curve = observations[:, CURVE].nan_to_num(0.0)
    populated = problem.weight > 0
    populated[:, CURVE] &= curve > POPULATED * curve.amax(-1, keepdim=True)
    closest = problem.fit(found, populated, known, near)
    far = (closest.misfit > closest.credited.sqrt()).nonzero()[:, 0]
    if not len(far):
        return closest
    # Within its noise nothing can come closer; elsewhere another start may.
    others = problem[far].descended(references.unit[near[far, 1:]])
    closer = others[1] < found[1][far]
    for part, other in zip(found, others, strict=True):
        part[far[closer]] = other[closer]
    return problem.fit(found, populated, known, near)


def where_measured(curve: Tensor) -> Tensor:
    """Nodes at which curves (B, 100) are compared, (B, 100); none of a curve with missing nodes."""
    return span(curve > 0, curve > 0) & (torch.from_numpy(LOG_M) >= OLIGOMERS) & ~curve.isnan().any(-1, keepdim=True)


def roughness(deviation: Tensor, populated: Tensor) -> Tensor:
    """Noise variance of deviations (B, 100) from node to node, by their second differences at populated nodes.

    Returns:
        (B,), NaN where no three neighbours are populated.
    """
    inner = populated[:, :-2] & populated[:, 1:-1] & populated[:, 2:]
    second = deviation[:, :-2] - 2 * deviation[:, 1:-1] + deviation[:, 2:]
    return (second.square() * inner).sum(-1) / (6 * inner.sum(-1))


def _rooted(observations: Tensor, measured: Tensor | None = None) -> Tensor:
    """Observed numbers (*, 103) with the root of the curve in its place; of its part at some nodes, with unit area."""
    curve = observations[..., CURVE].clamp(min=0)
    if measured is not None:
        curve = curve * measured / _area(curve * measured)
    return torch.cat([observations[..., : CURVE.start], curve.sqrt()], -1)


def _area(curve: Tensor) -> Tensor:
    return (curve.sum(-1, keepdim=True) * STEP).clamp(min=SMALLEST)


@dataclass(frozen=True)
class _Problem:
    forward: Forward
    observations: Tensor  # as the deviations are taken of: roots of the curve, (B, 103)
    weight: Tensor  # one over the noise of one chain, 0 where nothing is fitted, (B, 103)
    known: Tensor  # in the units of `to_unit`, NaN where not given, (B, V)
    measured: Tensor  # nodes at which curves are compared, (B, 100)

    @classmethod
    def of(cls, forward: Forward, observations: Tensor, known: Tensor) -> "_Problem":
        weight = torch.zeros_like(observations)
        for at, variance in VARIANCES.items():
            weight[:, at] = variance**-0.5
        measured = where_measured(observations[:, CURVE])
        rooted = _rooted(observations, measured).nan_to_num(0.0)
        molar_mass = 10 ** torch.from_numpy(LOG_M)
        mean = 1 / (rooted[:, CURVE].square() / molar_mass).sum(-1, keepdim=True).clamp(min=SMALLEST) / STEP
        weight[:, CURVE] = 2 * (STEP * mean / molar_mass).sqrt() * measured
        given = ~observations.isnan()
        given[:, [MN, MW]] &= ~given[:, CURVE].all(-1, keepdim=True)
        return cls(
            forward, rooted, torch.where(given, weight, 0.0), to_unit(known, forward.system).clamp(-1, 1), measured
        )

    def with_known(self, unit: Tensor) -> Tensor:
        """Points (B, V) with the known values in their place."""
        return torch.where(self.known.isnan(), unit, self.known)

    def repeated(self, times: int) -> "_Problem":
        """The same observations several times each."""
        parts = (self.observations, self.weight, self.known, self.measured)
        return _Problem(self.forward, *(part.repeat_interleave(times, 0) for part in parts))

    def __getitem__(self, rows: Tensor) -> "_Problem":
        return _Problem(
            self.forward, *(part[rows] for part in (self.observations, self.weight, self.known, self.measured))
        )

    def deviation(self, fitted: Tensor) -> Tensor:
        """Weighted deviations of the observations from fitted numbers, (B, 103)."""
        return (self.observations - _rooted(fitted, self.measured)) * self.weight

    def fit(self, found: tuple[Tensor, ...], populated: Tensor, known: Tensor, near: Tensor) -> Fit:
        """What was found, with its deviations."""
        unit, _, fitted = found
        deviation = self.deviation(fitted)
        noise = roughness(deviation[:, CURVE], populated[:, CURVE])
        recipes = torch.where(known.isnan(), self.forward.from_unit(unit), known)
        return Fit(recipes, deviation, populated, noise, near[:, 0], self.measured)

    def descended(self, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Go downhill from several points each, (B, S, V); the best point, its sum of squares, its fitted numbers."""
        count = starts.shape[1]
        problem = self.repeated(count)
        unit, cost, fitted = problem.descend(problem.with_known(starts.flatten(0, 1)), count)
        best = cost.view(-1, count).argmin(1) + count * torch.arange(len(starts))
        return unit[best], cost[best], fitted[best]

    def descend(self, unit: Tensor, starts: int) -> tuple[Tensor, Tensor, Tensor]:
        """Points (B, V) moved downhill, their sums of squares and fitted numbers; ``starts`` neighbouring rows are one
        observation."""
        damping = torch.full((len(unit),), 1e-2, dtype=unit.dtype)
        fitted, slopes = self.forward.with_slopes(unit)
        cost = self.deviation(fitted).square().sum(-1)
        moving = torch.arange(len(unit))
        for turn in range(STEPS):
            if turn == RACE and starts > 1:
                ahead = cost.view(-1, starts).argmin(1) + starts * torch.arange(len(cost) // starts)
                moving = moving[torch.isin(moving, ahead)]
            if not len(moving):
                break
            problem = self[moving]
            moved = problem.step(unit[moving], fitted[moving], slopes[moving], damping[moving])
            new_fitted, new_slopes = self.forward.with_slopes(moved)
            new, old = problem.deviation(new_fitted).square().sum(-1), cost[moving]
            better = new < old
            lower = moving[better]
            unit[lower], cost[lower] = moved[better], new[better]
            fitted[lower], slopes[lower] = new_fitted[better], new_slopes[better]
            damping[moving] = (damping[moving] * torch.where(better, 0.2, 5.0)).clamp(1e-8, 1e6)
            arrived = torch.where(better, old - new <= SETTLED * old + NEGLIGIBLE, damping[moving] > STUCK)
            moving = moving[~arrived]
        return unit, cost, fitted

    def step(self, unit: Tensor, fitted: Tensor, slopes: Tensor, damping: Tensor) -> Tensor:
        """Points (B, V) after one damped step from points with fitted numbers (B, 103) and their slopes (B, 103, V)."""
        slopes = torch.cat([slopes[:, : CURVE.start], _slopes_of_root(fitted, slopes, self.measured)], 1)
        slopes = slopes * self.weight[..., None] * self.known.isnan()[:, None, :]
        downhill = torch.einsum("mou,mo->mu", slopes, self.deviation(fitted))
        # A wall that the descent leans on is not moved along.
        stuck = ((unit >= 1) & (downhill > 0)) | ((unit <= -1) & (downhill < 0))
        slopes, downhill = slopes * ~stuck[:, None, :], downhill * ~stuck
        normal = slopes.mT @ slopes
        size = normal.diagonal(dim1=-2, dim2=-1)
        held = torch.diag_embed(damping[:, None] * size + 1e-9 * size.amax(-1, keepdim=True) + 1e-12)
        return (unit + torch.linalg.solve(normal + held, downhill)).clamp(-1, 1)


def _slopes_of_root(fitted: Tensor, slopes: Tensor, measured: Tensor) -> Tensor:
    """Slopes (B, 100, V) of the roots that `_rooted` makes of fitted numbers (B, 103) with slopes (B, 103, V)."""
    curve = fitted[:, CURVE].clamp(min=0) * measured
    area = _area(curve)
    share, rising = curve / area, slopes[:, CURVE] * measured[..., None] / area[..., None]
    rising = rising - share[..., None] * rising.sum(1, keepdim=True) * STEP
    return rising * (0.5 / share.clamp(min=SMALLEST).sqrt())[..., None]
