"""Search for recipes of the box whose polymers are as wished for: many starts, descent along slopes, distinct ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from polyinv.chemistry import System
from polyinv.design.preferences import Preference
from polyinv.design.properties import Polymers, polymers, polymers_with_slopes, to_scale
from polyinv.design.wishes import DISTANCE, PROPERTIES, WITHIN, Wish
from polyinv.domain.least_squares import damped
from polyinv.errors import InputError
from polyinv.evaluation.closed_loop import distance
from polyinv.mmd import STEP
from polyinv.runtime.threads import one_thread
from polyinv.simulate.recipes import farthest_apart, to_unit

POOL, STARTS, STEPS = 4096, 48, 25
"""Recipes that are tried first, how many of them are gone on from, and most steps of a descent."""
FEWER = 512
"""Recipes by which a wish is said to exclude nothing."""
NEAREST = 8
"""Times the starts that they are chosen of, the nearest ones, to lie far apart."""
MET = 1e-3
"""Shares of the tolerance by which a wish may be missed and counts as met."""
LIMIT = 1e-5
"""By which a limit of a preference may be missed."""
ENDS = 0.02
"""Those by which a recipe at the end of what is possible may miss it."""
INSIDE = 0.02
"""Shares of the tolerance by which a descent aims inside a band."""
REPLICATES = 0.008
"""Share of the mass by which the curves of two reactions of a million chains differ."""
AS_NEAR = 1.25
"""Times the distance of the nearest recipe that others may be from a curve that no recipe makes."""
CURVE = 0.003
"""Deviation of the root of a curve's mass that counts as one in a descent."""
MOVED = 0.02
"""Amount of a preference that counts as one where it is limited."""
SCALE = STEP**0.5 / CURVE
"""Of the roots of curves, in such deviations."""
SMALLEST = 1e-9
"""Of a curve whose root has a slope."""
Residuals = Callable[[Polymers], tuple[Tensor, Tensor]]
"""Deviations (S, R) of recipes and their slopes (S, R, V)."""


@dataclass(frozen=True, eq=False)
class Task:
    """Task: wishes for the polymer, the part of the box that its recipe may lie in, and a curve to be made, if any.

    Args:
        system: What is polymerized.
        wishes: For properties.
        low, high: Ends of the recipes in the units of `polyinv.simulate.recipes.to_unit`, (V,).
        curve: That is to be made, of unit area, (100,).
        within: Largest share of the mass that may lie elsewhere than in that curve.
        is_held: Whether that is a wish; otherwise, of a curve that no recipe makes, more may.
        limits: Preferences with the largest amount of each, see `polyinv.design.preferences.Preference.amounts`.
    """

    system: System
    wishes: tuple[Wish, ...]
    low: Tensor
    high: Tensor
    curve: Tensor | None = None
    within: float = REPLICATES
    is_held: bool = False
    limits: tuple[tuple[Preference, float], ...] = ()

    @classmethod
    def of(cls, system: System, wishes: Sequence[Wish], curve: Tensor | None = None) -> "Task":
        """Part wishes into those for the polymer and those for its recipe.

        Raises:
            InputError: Nothing is wished for the polymer, or a distance without a curve.
        """
        ends = []
        for quantity in system.recipe:
            wish = next((each for each in wishes if each.name == quantity.name), None)
            inside = (-np.inf, np.inf) if wish is None else (wish.low, wish.high)
            ends.append((max(quantity.low, inside[0]), min(quantity.high, inside[1])))
        of_polymer = tuple(wish for wish in wishes if wish.name in PROPERTIES)
        if not of_polymer and curve is None:
            raise InputError(f"nothing is wished for the polymer; needs one of {', '.join(PROPERTIES)}, or a curve")
        low, high = (to_unit(each, system).clamp(-1, 1) for each in torch.tensor(ends, dtype=torch.float64).T)
        held = next((wish for wish in wishes if wish.name == DISTANCE), None)
        if held is None:
            return cls(system, of_polymer, low, high, curve)
        if curve is None:
            raise InputError(f"{held.text}: {DISTANCE} is from a curve; needs --curve FILE")
        return cls(system, of_polymer, low, high, curve, held.high, is_held=True)

    @property
    def free(self) -> Tensor:
        """Which values of the recipe may be chosen, (V,)."""
        return self.high > self.low

    def without(self, *left_out: Wish) -> "Task":
        """The same without some wishes."""
        return replace(self, wishes=tuple(wish for wish in self.wishes if wish not in left_out))

    def points(self, count: int = POOL) -> Tensor:
        """Points (count, V) that fill what the recipe may be evenly."""
        share = SobolEngine(len(self.low), scramble=True, seed=0).draw(count, dtype=torch.float64)
        return self.low + (self.high - self.low) * share

    @property
    def bands(self) -> tuple[list[int], Tensor, Tensor, Tensor]:
        """Of the wishes: numbers of the properties, ends of the bands on their scales, and tolerances, (K,) each."""
        at = [PROPERTIES.index(wish.name) for wish in self.wishes]
        ends = [[to_scale(wish.name, end) for end in (wish.low, wish.high)] for wish in self.wishes]
        low, high = torch.tensor(ends, dtype=torch.float64).reshape(-1, 2).T
        usual = torch.tensor([WITHIN[wish.name] for wish in self.wishes], dtype=torch.float64)
        half = (high - low) / 2
        return at, low, high, torch.where(half.isfinite() & (half > 0), half, usual)

    def missed(self, found: Polymers) -> Tensor:
        """By how many tolerances the polymers of M recipes miss each wish, (M, K); 0 where it is met."""
        at, low, high, tolerance = self.bands
        values = found.values[:, at]
        return ((values - high).clamp(min=0) + (low - values).clamp(min=0)) / tolerance

    def idle(self) -> tuple[Wish, ...]:
        """Wishes for the polymer that exclude none of the recipes that are tried first."""
        met = (self.missed(polymers(self.points(FEWER), self.system)) <= 0).all(0).tolist()
        return tuple(wish for wish, is_met in zip(self.wishes, met, strict=True) if is_met)

    def distance(self, found: Polymers) -> Tensor:
        """Share of the mass (M,) of polymers that lies elsewhere than in the curve to be made; 0 without one."""
        if self.curve is None:
            return torch.zeros(len(found), dtype=torch.float64)
        return distance(found.curves, self.curve)

    def meets(self, found: Polymers) -> Tensor:
        """Whether the polymers of M recipes meet all wishes, and make the curve, (M,)."""
        met = (self.missed(found) <= MET).all(-1) & (self.distance(found) <= self.within)
        for preference, level in self.limits:
            met &= preference.amounts(found, self.system) <= level + LIMIT
        return met

    def as_near_as(self, found: Polymers) -> "Task":
        """The same where the curve is to be made as well as some polymers come near to it."""
        if self.curve is None or self.is_held:
            return self
        wished = (self.missed(found) <= MET).all(-1)
        nearest = self.distance(found)[wished].min().item() if wished.any() else 0.0
        return replace(self, within=max(self.within, AS_NEAR * nearest))

    def residuals(self, found: Polymers) -> tuple[Tensor, Tensor]:
        """Deviations (M, R) of M recipes from what is wished for, and their slopes (M, R, V)."""
        assert found.slopes is not None
        assert found.curve_slopes is not None
        at, low, high, tolerance = self.bands
        values, slopes = found.values[:, at], found.slopes[:, at]
        margin = INSIDE * tolerance.minimum((high - low) / 4)
        above, below = (values - (high - margin)).clamp(min=0), ((low + margin) - values).clamp(min=0)
        apart = (above - below) / tolerance
        by = slopes / tolerance[:, None] * (apart != 0)[..., None]
        if self.curve is None:
            return apart, by
        root = found.curves.clamp(min=SMALLEST).sqrt()
        of_curve = self._of_curve(found, self.curve)
        return torch.cat([apart, of_curve], 1), torch.cat([by, found.curve_slopes / (2 * root)[..., None] * SCALE], 1)

    @staticmethod
    def _of_curve(found: Polymers, wanted: Tensor) -> Tensor:
        """Deviations (M, 100) of the roots of curves from that of one."""
        root, other = (each.clamp(min=SMALLEST).sqrt() for each in (found.curves, wanted))
        return (root - other) * SCALE

    def cost(self, found: Polymers) -> Tensor:
        """Sum of squares (M,) that a descent lowers."""
        squares = self.missed(found).square().sum(-1)
        return squares if self.curve is None else squares + self._of_curve(found, self.curve).square().sum(-1)

    def from_aims(self, found: Polymers) -> Tensor:
        """How far (M,) polymers are from the middle of the bands, in tolerances."""
        at, low, high, tolerance = self.bands
        middle = torch.where(low.isfinite() & high.isfinite(), (low + high) / 2, found.values[:, at])
        return ((found.values[:, at] - middle) / tolerance).square().sum(-1) + self.distance(found) / CURVE


def taken(found: Polymers, rows: Tensor) -> Polymers:
    """Some of M polymers."""
    slopes, curve_slopes = (None if part is None else part[rows] for part in (found.slopes, found.curve_slopes))
    return Polymers(found.unit[rows], found.recipes[rows], found.values[rows], found.curves[rows], slopes, curve_slopes)


def together(*parts: Polymers) -> Polymers:
    """Polymers of several parts, without slopes."""
    joined = (torch.cat([getattr(part, name) for part in parts]) for name in ("unit", "recipes", "values", "curves"))
    return Polymers(*joined)


@one_thread()
def search(task: Task, starts: int = STARTS) -> Polymers:
    """Recipes, each with its polymer, that come as near to the wishes as a descent from ``starts`` places gets.

    Those that meet the wishes come first (`Task.as_near_as`), the nearest to the middle of the bands before others.
    """
    tried = polymers(task.points(), task.system)
    cost = task.cost(tried)
    near = cost.argsort()[: NEAREST * starts]
    chosen = near[farthest_apart(tried.unit[near], starts)]
    found = descend(task, tried.unit[chosen])
    task = task.as_near_as(found)
    met = task.meets(tried).nonzero()[:, 0]
    whole = together(found, taken(tried, met))
    order = task.from_aims(whole) + 1e6 * (~task.meets(whole)) * (1 + task.cost(whole).clamp(max=1e6))
    return taken(whole, order.argsort())


def descend(task: Task, unit: Tensor) -> Polymers:
    """Go from points (S, V) to recipes that meet the wishes, or come near."""
    return least_squares(task, polymers_with_slopes(unit, task.system), task.residuals, STEPS)


def least_squares(task: Task, found: Polymers, residuals: Residuals, steps: int) -> Polymers:
    """Lower the sums of squares of S recipes, each on its own, within the bounds (Levenberg–Marquardt).

    Args:
        task: Whose bounds hold.
        found: Where to begin, with slopes; what is reached takes its place.
        residuals: Residuals (S, R) of recipes and their slopes (S, R, V).
        steps: At most.
    """
    residual, slopes = residuals(found)
    cost, damping = residual.square().sum(-1), torch.full((len(found),), 1e-2, dtype=torch.float64)
    for _ in range(steps):
        if bool((cost < MET**2).all()) or bool((damping > 1e6).all()):
            break
        point = found.unit
        downhill = -(slopes * residual[..., None]).sum(1)
        walled = ((point >= task.high) & (downhill > 0)) | ((point <= task.low) & (downhill < 0))
        kept = slopes * (~walled)[:, None, :]
        normal = kept.mT @ kept
        step = damped(normal, downhill * ~walled, damping)
        ahead = polymers_with_slopes((point + step).clamp(task.low, task.high), task.system)
        new, new_slopes = residuals(ahead)
        better = new.square().sum(-1) < cost
        for name in ("unit", "recipes", "values", "curves", "slopes", "curve_slopes"):
            getattr(found, name)[better] = getattr(ahead, name)[better]
        residual[better], slopes[better] = new[better], new_slopes[better]
        cost = residual.square().sum(-1)
        damping = (damping * torch.where(better, 0.2, 5.0)).clamp(1e-8, 1e8)
    return found


@one_thread()
def best(task: Task, preference: Preference, start: Tensor, steps: int = 60) -> Polymers | None:
    """The recipe that meets the wishes with least of what is not preferred, gone to from a point (V,) that meets them.

    By sequential least squares programming [Kraft, DFVLR-FB 88-28 (1988)] in scipy, of so many ``steps`` at most. None
    where it ends outside the wishes.
    """
    from scipy.optimize import minimize  # half a second: not on the way to every answer

    at, low, high, tolerance = task.bands
    free, is_near = task.free, task.curve is not None and task.within < np.inf
    kept: dict[bytes, Polymers] = {}

    def seen(z: np.ndarray) -> Polymers:
        key = z.tobytes()
        if key not in kept:
            kept.clear()
            unit = start.clone()
            unit[free] = torch.from_numpy(z.copy())
            kept[key] = polymers_with_slopes(unit[None].clamp(task.low, task.high), task.system)
        return kept[key]

    def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
        found = seen(z)
        return preference.amounts(found, task.system).item(), preference.slopes(found, task.system)[0, free].numpy()

    def inside(z: np.ndarray) -> np.ndarray:
        found = seen(z)
        values = found.values[0, at]
        parts = [((high - values) / tolerance)[high.isfinite()], ((values - low) / tolerance)[low.isfinite()]]
        if is_near:
            parts.append((task.within - task.distance(found)) / CURVE)
        parts += [(level - each.amounts(found, task.system)) / MOVED for each, level in task.limits]
        return torch.cat(parts).numpy()

    def inside_slopes(z: np.ndarray) -> np.ndarray:
        found = seen(z)
        assert found.slopes is not None
        by = found.slopes[0, at] / tolerance[:, None]
        parts = [-by[high.isfinite()], by[low.isfinite()]]
        if is_near:
            parts.append(-Preference(DISTANCE, curve=task.curve).slopes(found, task.system) / CURVE)
        parts += [-each.slopes(found, task.system) / MOVED for each, _ in task.limits]
        return torch.cat(parts)[:, free].numpy()

    if not free.any():
        alone = polymers_with_slopes(start[None], task.system)
        return alone if bool(task.meets(alone).all()) else None
    bounds = list(zip(task.low[free].tolist(), task.high[free].tolist(), strict=True))
    wanted = [{"type": "ineq", "fun": inside, "jac": inside_slopes}]
    options = {"maxiter": steps, "ftol": 1e-7}
    result = minimize(
        objective, start[free].numpy(), jac=True, method="SLSQP", bounds=bounds, constraints=wanted, options=options
    )
    found = seen(np.clip(result.x, *np.array(bounds).T))
    nearly = replace(task, wishes=(), within=task.within + CURVE / 10)
    is_met = bool((task.missed(found) <= ENDS).all()) and bool(nearly.meets(found).all())
    return taken(found, torch.tensor([0])) if is_met else None
