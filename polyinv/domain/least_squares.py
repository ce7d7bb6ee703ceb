r"""Least-squares problem of the closest recipe: deviations of observations from what is expected of a recipe.

Deviations are counted in standard deviations. A curve has the noise that chains have when they are counted: with N of
them, :math:`\sqrt{w_k}` at a node of molar mass :math:`M_k` scatters by :math:`\sqrt{M_k / (4 h N M_n)}`, where h is
the step of the grid, whatever the height of the curve. How many chains a curve stands for is nowhere said; its
roughness tells: what wriggles from node to node is noise, what bends over many nodes is not. On top come the errors
that the laboratory states: of the detector, of residual monomer, Mn and Mw; known values of the recipe are fitted
within theirs, and so are the calibration and the baseline of the instrument (`polyinv.instrument.expected`), whose own
deviations count.

A curve is compared where it was measured: from the first node that holds something to the last, and not below 1000
g/mol, where single oligomers stand apart that no instrument separates. Both curves have unit area there.
"""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.observations import Observations
from polyinv.instrument.errors import OF_CONVERSION, SUFFIX
from polyinv.instrument.expected import CURVE, MN, MW, NUISANCES, WIDEST, ExpectedMeasurement, without_nuisances
from polyinv.instrument.exports import span
from polyinv.mmd import LOG_M, OLIGOMERS, STEP
from polyinv.simulate.deterministic import TRACE
from polyinv.simulate.observed import OBSERVED, SCALARS, observe, observe_with_slopes
from polyinv.simulate.recipes import from_unit, to_unit, unit_slopes

MONOMER = OBSERVED.index(SCALARS[0])
POPULATED = 1e-3
"""Nodes below this share of the peak say nothing about the roughness: single chains."""
VARIANCES = {MONOMER: 5.0, MN: 1.0, MW: 4.0}
"""Of the logarithms of residual monomer, Mn and Mw, times the chains: about what reactions of an hour have."""
TOLERANCE = 1e-5
"""Of the solver: a thousandth of the noise of the smoothest curve."""
HELD = 2e-3
"""Standard deviation of a known value, in the units of `polyinv.simulate.recipes.to_unit`, up to which it is held."""
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
STEPS = 12
"""Most steps of a descent."""


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


def rooted(observations: Tensor, measured: Tensor | None = None) -> Tensor:
    """Observed numbers (*, 103) with the root of the curve in its place; of its part at some nodes, with unit area."""
    curve = observations[..., CURVE].clamp(min=0)
    if measured is not None:
        curve = curve * measured / _area(curve * measured)
    return torch.cat([observations[..., : CURVE.start], curve.sqrt()], -1)


def _area(curve: Tensor) -> Tensor:
    return (curve.sum(-1, keepdim=True) * STEP).clamp(min=SMALLEST)


@dataclass
class Found:
    """Points of a descent, and what is known of them.

    Args:
        unit: Recipes, (M, V).
        nuisances: (M, K).
        cost: Sums of squares, (M,).
        fitted: Expected numbers, (M, 103).
    """

    unit: Tensor
    nuisances: Tensor
    cost: Tensor
    fitted: Tensor

    def __getitem__(self, rows: Tensor) -> "Found":
        return Found(self.unit[rows], self.nuisances[rows], self.cost[rows], self.fitted[rows])

    def put(self, rows: Tensor, others: "Found") -> None:
        """Put others in the place of some rows."""
        for name in ("unit", "nuisances", "cost", "fitted"):
            getattr(self, name)[rows] = getattr(others, name)

    def lower(self, rows: Tensor, others: "Found") -> "Found":
        """Put others in the place of some rows where their cost is lower."""
        closer = others.cost < self.cost[rows]
        self.put(rows[closer], others[closer])
        return self


@dataclass(frozen=True)
class Problem:
    forward: Forward
    expected: ExpectedMeasurement
    observations: Tensor  # as the deviations are taken of: roots of the curve, (B, 103)
    chains: Tensor  # one over the standard deviation that one chain has, 0 where nothing is fitted, (B, 103)
    stated: Tensor  # variances that are stated, (B, 103)
    conversion: Tensor  # standard deviation that is stated of the conversion, (B,)
    lost: Tensor  # that of the residual monomer by it, in mol/L, (B,)
    weight: Tensor  # one over the standard deviation but for that, 0 where nothing is fitted, (B, 103)
    known: Tensor  # in the units of `to_unit`, NaN where not given, (B, V)
    known_weight: Tensor  # one over their standard deviation, 0 where they are held or not given, (B, V)
    given: Tensor  # the recipe as it is given, (B, V)
    nuisances: int

    @classmethod
    def of(cls, forward: Forward, observations: Observations) -> "Problem":
        system = forward.system
        x = observed_numbers(observations)
        chains = torch.zeros_like(x)
        for at, variance in VARIANCES.items():
            chains[:, at] = variance**-0.5
        measured = where_measured(x[:, CURVE])
        roots = rooted(x, measured).nan_to_num(0.0)
        curve = roots[:, CURVE].square()
        molar_mass = 10 ** torch.from_numpy(LOG_M)
        mean = 1 / (curve / molar_mass).sum(-1, keepdim=True).clamp(min=SMALLEST) / STEP
        chains[:, CURVE] = 2 * (STEP * mean / molar_mass).sqrt() * measured
        whole = ~x[:, CURVE].isnan().any(-1)
        given = ~x.isnan()
        given[:, [MN, MW]] &= ~whole[:, None]
        errors, by_name = observations.error_columns(), observations.instrument_errors()
        stated = torch.zeros_like(x)
        residual = errors[system.residual + SUFFIX] / observations.residual_monomer
        stated[:, MONOMER] = residual.square().nan_to_num(0.0)
        for at, name in ((MN, "Mn"), (MW, "Mw")):
            stated[:, at] = (errors[name + SUFFIX] / getattr(observations, name)).square().nan_to_num(0.0)
        detector = by_name["noise"][:, None] * curve.amax(-1, keepdim=True)
        stated[:, CURVE] = detector.square() / (4 * curve.clamp(min=SMALLEST))
        conversion = errors[OF_CONVERSION].nan_to_num(0.0)
        sd = torch.stack([errors[name + SUFFIX] for name in system.targets], dim=1)
        known = to_unit(observations.recipe, system)
        apart = sd / unit_slopes(observations.recipe, system)
        loose = torch.where(known.isnan() | (apart <= HELD), torch.inf, apart)
        nodes = torch.where(whole[:, None], measured, torch.ones_like(measured))
        expected = ExpectedMeasurement(by_name, nodes)
        problem = cls(
            forward,
            without_nuisances(expected) if expected.is_exact else expected,
            roots,
            torch.where(given, chains, 0.0),
            stated,
            conversion,
            torch.zeros_like(conversion),
            torch.zeros_like(x),
            known.clamp(-1, 1),
            1 / loose,
            observations.recipe,
            0 if expected.is_exact else len(NUISANCES),
        )
        return problem.weighted(torch.zeros_like(known))

    def weighted(self, unit: Tensor, noise: Tensor | None = None) -> "Problem":
        """The same with the weights that points (B, V) and the noise of the curves (B,) have, NaN where unknown."""
        charged = self.forward.from_unit(self.with_known(unit))[:, 0]
        noise = torch.full_like(charged, torch.nan) if noise is None else noise
        chain = 1 / self.chains.square()  # infinite where nothing is fitted
        rough = noise.nan_to_num(ASSUMED)[:, None] * chain
        # The roughness of a curve has the noise of its detector in it.
        variance = rough.maximum(SMOOTHEST * chain + self.stated)
        variance[:, : CURVE.start] = (rough + self.stated)[:, : CURVE.start]
        weight = torch.where(self.chains > 0, variance, torch.inf).rsqrt()
        return replace(self, weight=weight, lost=self.conversion * charged)

    def weight_at(self, fitted: Tensor | None = None, *, of_slopes: bool = False) -> Tensor:
        """One over the standard deviation of deviations from fitted numbers (B, 103), or from the observed ones.

        The error of the conversion is one of the residual monomer itself, the other ones are of its logarithm. So its
        logarithm deviates by their logarithmic mean: however little was found, that much less than expected counts.

        Args:
            fitted: The fitted numbers.
            of_slopes: Of small changes of the fitted numbers instead.
        """
        observed = self.observations[:, MONOMER].exp()
        expected = observed if fitted is None else fitted[:, MONOMER].exp()
        mean = _logarithmic_mean(observed, expected)
        of_logarithm, weight = mean / self.weight[:, MONOMER], self.weight.clone()
        variance = self.lost.square() + of_logarithm.square()
        if of_slopes:
            mean = torch.lerp(mean, expected, self.lost.square() / variance)
        weight[:, MONOMER] = mean * variance.rsqrt()
        return weight

    def with_known(self, unit: Tensor) -> Tensor:
        """Points (B, V) with the known values in their place."""
        return torch.where(self.known.isnan(), unit, self.known)

    @property
    def held(self) -> Tensor:
        """Known values that are held, (B, V)."""
        return ~self.known.isnan() & (self.known_weight == 0)

    def repeated(self, times: int) -> "Problem":
        """The same observations several times each."""
        return self[torch.arange(len(self.known)).repeat_interleave(times)]

    def __getitem__(self, rows: Tensor) -> "Problem":
        of_rows = [each.name for each in fields(self) if each.name not in ("forward", "nuisances")]
        return replace(self, **{name: getattr(self, name)[rows] for name in of_rows})

    def deviation(self, found: Found) -> Tensor:
        """Deviations of observations, known values and nuisances in standard deviations, (B, 103 + V + K)."""
        numbers = (self.observations - rooted(found.fitted)) * self.weight_at(found.fitted)
        known = (self.known.nan_to_num(0.0) - found.unit) * self.known_weight
        return torch.cat([numbers, known, -found.nuisances], dim=-1)

    def roughness(self, found: Found) -> Tensor:
        """Noise variance of the curves by their roughness, (B,)."""
        deviation = (self.observations - rooted(found.fitted))[:, CURVE] * self.chains[:, CURVE]
        return roughness(deviation, self.populated()[:, CURVE])

    def populated(self) -> Tensor:
        """Which observed numbers count, (B, 103)."""
        curve = self.observations[:, CURVE].square()
        populated = self.weight > 0
        populated[:, CURVE] &= curve > POPULATED * curve.amax(-1, keepdim=True)
        return populated

    def at(self, unit: Tensor, nuisances: Tensor) -> tuple[Found, Tensor]:
        """Points with their costs, and the slopes of the expected numbers there, (B, 103, V + K)."""
        values, slopes = self.forward.with_slopes(unit)
        fitted, slopes = self.expected.with_slopes(values, slopes, nuisances)
        found = Found(unit, nuisances, unit.new_zeros(len(unit)), fitted)
        found.cost = self.deviation(found).square().sum(-1)
        return found, slopes

    def descended(self, starts: Tensor) -> Found:
        """Go downhill from several points each, (B, S, V), to the best."""
        count = starts.shape[1]
        problem = self.repeated(count)
        unit = problem.with_known(starts.flatten(0, 1))
        start = Found(unit, unit.new_zeros(len(unit), self.nuisances), unit[:, 0], unit)
        found = problem.descend(start, count, STEPS)
        return found[found.cost.view(-1, count).argmin(1) + count * torch.arange(len(starts))]

    def descend(self, start: Found, starts: int, steps: int) -> Found:
        """Go downhill from points; ``starts`` neighbouring rows are one observation."""
        found, slopes = self.at(start.unit, start.nuisances)
        damping = torch.full_like(found.cost, 1e-2)
        moving = torch.arange(len(found.cost))
        for turn in range(steps):
            if turn == RACE and starts > 1:
                ahead = found.cost.view(-1, starts).argmin(1) + starts * torch.arange(len(found.cost) // starts)
                moving = moving[torch.isin(moving, ahead)]
            if not len(moving):
                break
            problem, before = self[moving], found[moving]
            moved, new_slopes = problem.at(*problem.step(before, slopes[moving], damping[moving]))
            better = moved.cost < before.cost
            lower = moving[better]
            found.put(lower, moved[better])
            slopes[lower] = new_slopes[better]
            damping[moving] = (damping[moving] * torch.where(better, 0.2, 5.0)).clamp(1e-8, 1e6)
            settled = before.cost - moved.cost <= SETTLED * before.cost + NEGLIGIBLE
            moving = moving[~torch.where(better, settled, damping[moving] > STUCK)]
        return found

    def step(self, found: Found, slopes: Tensor, damping: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, V) and nuisances (B, K) after one damped step, from slopes (B, 103, V + K)."""
        unit, count = found.unit, found.unit.shape[1]
        weight = self.weight_at(found.fitted, of_slopes=True)
        slopes = with_root_of_curve(found.fitted, slopes) * weight[..., None]
        free = torch.cat([~self.held, torch.ones_like(found.nuisances, dtype=torch.bool)], dim=-1)
        deviation = self.deviation(found)
        # Known values and nuisances deviate by what they move.
        priors = torch.cat([self.known_weight, torch.ones_like(found.nuisances)], dim=-1)
        numbers = deviation[:, : slopes.shape[1]]
        downhill = torch.einsum("mou,mo->mu", slopes, numbers) + priors * deviation[:, slopes.shape[1] :]
        # A wall that the descent leans on is not moved along.
        stuck = ((unit >= 1) & (downhill[:, :count] > 0)) | ((unit <= -1) & (downhill[:, :count] < 0))
        free[:, :count] &= ~stuck
        slopes, downhill = slopes * free[:, None, :], downhill * free
        normal = slopes.mT @ slopes + torch.diag_embed(priors.square() * free)
        change = damped(normal, downhill, damping)
        moved = found.nuisances + change[:, count:]
        return (unit + change[:, :count]).clamp(-1, 1), moved.clamp(-WIDEST, WIDEST)


def damped(normal: Tensor, downhill: Tensor, damping: Tensor) -> Tensor:
    """Step (M, U) of Levenberg and Marquardt: of normal equations (M, U, U), downhill (M, U), damped by (M,)."""
    size = normal.diagonal(dim1=-2, dim2=-1)
    held = torch.diag_embed(damping[:, None] * size + 1e-9 * size.amax(-1, keepdim=True) + 1e-12)
    return torch.linalg.solve(normal + held, downhill)


def observed_numbers(observations: Observations) -> Tensor:
    """Observed numbers `polyinv.simulate.observed.OBSERVED`, (B, 103): the scalars as logarithms, and the curve."""
    return torch.cat([observations.scalars.clamp(min=TRACE).log(), observations.mmd], dim=-1)


def _logarithmic_mean(left: Tensor, right: Tensor) -> Tensor:
    """Logarithmic mean of positive numbers, their difference over that of their logarithms."""
    t = (left / right).log()
    near = t.abs() < 1e-4
    return (left * right).sqrt() * torch.where(near, 1.0, torch.sinh(t / 2) / torch.where(near, 1.0, t / 2))


def with_root_of_curve(fitted: Tensor, slopes: Tensor) -> Tensor:
    """Slopes (B, 103, *) of observed numbers with the root of the curve in its place."""
    return torch.cat([slopes[:, : CURVE.start], slopes_of_root(fitted, slopes)], 1)


def slopes_of_root(fitted: Tensor, slopes: Tensor) -> Tensor:
    """Slopes (B, 100, V) of the roots of fitted curves with slopes, both of (B, 103) numbers."""
    root = fitted[:, CURVE].clamp(min=SMALLEST).sqrt()
    return slopes[:, CURVE] * (0.5 / root)[..., None]
