"""What cannot be made: the wish that no recipe meets, or the pair of wishes, and what comes nearest."""

import itertools
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from polyinv.design.front import end
from polyinv.design.preferences import Preference
from polyinv.design.properties import Polymers, to_physical
from polyinv.design.search import LIMIT, Task, best, search, taken, together
from polyinv.design.wishes import DISTANCE, PROPERTIES, Wish

FEW = 24
"""Starts of a search that only asks whether there is a recipe at all."""


@dataclass(frozen=True, eq=False)
class Impossible:
    """Wishes that no recipe meets together.

    Args:
        wish: What is not met.
        given: The wishes that it contradicts; none where it cannot be met on its own.
        nearest: What comes nearest to it, in its unit.
        recipe: That makes it, (V,); it meets what is ``given``.
    """

    wish: Wish
    given: tuple[Wish, ...]
    nearest: float
    recipe: Tensor

    def words(self, box: str) -> str:
        """Say it in one line.

        Args:
            box: What the recipe may be, such as "in the box of butyl_acrylate with temp<=75".
        """
        too_small = self.nearest < self.wish.low
        end = "the most" if too_small else "the least"
        with_these = f" with {' and '.join(each.text for each in self.given)}" if self.given else ""
        return f"{self.wish.text} cannot be made{with_these} {box}: {_number(self.nearest)} is {end}"


def _number(value: float) -> str:
    """A number with three digits, not in powers of ten.

    Example:
        >>> _number(24512.3), _number(1.9942)
        ('24500', '1.99')
    """
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{float(f'{value:.3g}'):.{digits}f}"


def impossible(task: Task) -> Impossible | None:
    """Find the wish that no recipe meets, with the fewest of the others; None where all are met together.

    A wish on its own is tried first, then pairs, then each against all others; how near a curve is to be comes last.
    """
    task, whole = replace(task, curve=None), task
    return _impossible(task) or _too_far(whole)


def with_curve(task: Task, near: Polymers) -> Polymers:
    """Recipes of a search; with those that come nearest to the curve and meet the wishes, where it found none.

    A search weighs the curve and the wishes; here the wishes come first.
    """
    if task.curve is None or not task.wishes or bool(task.as_near_as(near).meets(near).any()):
        return near
    free = replace(task, curve=None)
    if (met := _met(search(free), free)) is None:
        return near
    return together(_nearest(task, met), near)


def _nearest(task: Task, met: Polymers) -> Polymers:
    """Of the recipes that meet the wishes, gone to from some, the one whose polymer comes nearest to the curve."""
    return end(replace(task, curve=None), met, Preference(DISTANCE, curve=task.curve))


def _too_far(task: Task) -> Impossible | None:
    """How near to the curve recipes come that meet the other wishes, or the first of them, if that is not enough."""
    if not task.is_held:
        return None
    wish = Wish(DISTANCE, -math.inf, task.within, f"{DISTANCE}<={task.within:g}")
    for given in ((), *((each,) for each in task.wishes), task.wishes):
        part = replace(task, wishes=given)
        free = replace(part, curve=None)
        near = search(replace(part, within=1.0))
        met = _met(near, replace(part, within=1.0)) or (_met(search(free), free) if given else near)
        if met is None:
            continue
        nearest = _nearest(part, met)
        if (least := part.distance(nearest).item()) > task.within + LIMIT:
            return Impossible(wish, given, least, nearest.recipes[0])
    return None


def _impossible(task: Task) -> Impossible | None:
    if not task.wishes:
        return None
    if bool(task.meets(taken(search(task, FEW), torch.tensor([0]))).all()):
        return None
    wishes = task.wishes
    for wish in wishes:
        if (found := _against(task, wish, ())) is not None:
            return found
    for pair in itertools.combinations(wishes, 2):
        for given, wish in (pair, pair[::-1]):
            if (found := _against(task, wish, (given,))) is not None:
                return found
    for wish in wishes:
        others = tuple(each for each in wishes if each != wish)
        if (found := _against(task, wish, others)) is not None:
            return found
    return None


def _against(task: Task, wish: Wish, given: tuple[Wish, ...]) -> Impossible | None:
    """Whether a wish is missed by all recipes that meet some others; None where one meets it, or none meets those."""
    others = tuple(each for each in task.wishes if each != wish and each not in given)
    if _met(search(task.without(*others), FEW), task.without(*others)) is not None:
        return None
    base = task.without(*others, wish)
    starts = search(base, FEW)
    if (met := _met(starts, base)) is None:
        return None
    ends = [_end(base, wish, met, sign) for sign in (1.0, -1.0)]
    values = [to_physical(wish.name, each.values[:, PROPERTIES.index(wish.name)]).item() for each in ends]
    # What is not met lies on one side of all that can be made.
    at = 0 if values[0] > wish.high else 1
    return Impossible(wish, given, values[at], ends[at].recipes[0])


def _met(found: Polymers, task: Task) -> Polymers | None:
    rows = task.meets(found).nonzero()[:, 0]
    return taken(found, rows) if len(rows) else None


def _end(task: Task, wish: Wish, met: Polymers, sign: float) -> Polymers:
    """Least (sign 1) or most (-1) of a property among recipes that meet a task, from the best ones known."""
    at = PROPERTIES.index(wish.name)
    order = (sign * met.values[:, at]).argsort()
    found = taken(met, order[:1])
    for row in order[:3].tolist():
        reached = best(task, Preference(wish.name, sign), met.unit[row])
        if reached is not None and sign * reached.values[0, at] < sign * found.values[0, at]:
            found = reached
    return found
