"""Fronts: recipes none of which is beaten in all that is preferred, from one end of the trade-off to the others."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from polyinv.design.levels import at_levels
from polyinv.design.preferences import Preference
from polyinv.design.properties import Polymers
from polyinv.design.search import Task, best, taken, together
from polyinv.design.wishes import DISTANCE
from polyinv.simulate.recipes import farthest_apart

BETTER, FEW, TWICE = 6, 2, 2
"""Recipes that meet the wishes from which a preference is gone to, those from which each level of a front is, and how
many times, the second from what the first has found."""
TIE = 1e-6
"""Amounts by which two recipes have equally much of something."""
SAME = 1e-3
"""Share of the width of a front within which two of its recipes are one."""
POLISH = 12, 40
"""Steps by which a recipe of a front is improved at last, the more where the fewer lead nowhere."""
FINER = 2
"""Times as many levels of three preferences as recipes are asked for: many lead to one recipe."""


def end(task: Task, near: Polymers, preference: Preference, starts: int = BETTER, steps: int = 60) -> Polymers:
    """The recipe with least of what is not preferred, gone to from several that meet the wishes.

    Args:
        task: What is wished for.
        near: Recipes that meet it.
        preference: Of which there is to be least.
        starts: How many of them are gone on from: the best one, and others far apart.
        steps: Of each, at most.
    """
    value = preference.amounts(near, task.system)
    order = value.argsort()
    found, least = taken(near, order[:1]), value[order[0]].item()
    for row in order[farthest_apart(near.unit[order], starts)].tolist():
        reached = best(task, preference, near.unit[row], steps)
        if reached is not None and (now := preference.amounts(reached, task.system).item()) < least:
            found, least = reached, now
    return found


def front(task: Task, near: Polymers, preferences: Sequence[Preference], count: int) -> tuple[Polymers, list[str]]:
    """Recipes of a trade-off, and what each stands for; by the first preference, least first.

    One preference is gone to at levels of the others, which stretch from the best to what the ends of the front cost
    [the constraint method of Haimes, Lasdon and Wismer, *IEEE Trans. Syst. Man Cybern.* 1 (1971) 296].

    Args:
        task: What is wished for.
        near: Recipes that meet it.
        preferences: Two or three.
        count: Recipes, at most, of three preferences; of two about so many.
    """
    ends = [
        _in_turn(task, near, [each, *(other for other in preferences if other is not each)]) for each in preferences
    ]
    whole = together(*ends, _between(task, near, ends, preferences, count))
    values = _amounts(whole, preferences, task)
    kept = unbeaten(values).nonzero()[:, 0]
    chosen = taken(whole, kept[_spread(values[kept], count)])
    chosen = together(
        *ends, *(_polished(task, taken(chosen, torch.tensor([row])), preferences) for row in range(len(chosen)))
    )
    values = _amounts(chosen, preferences, task)
    kept = unbeaten(values).nonzero()[:, 0]
    kept = kept[_spread(values[kept], count)]
    kept = kept[values[kept, 0].argsort()]
    return taken(chosen, kept), _roles(values[kept], preferences)


def unbeaten(values: Tensor) -> Tensor:
    """Which of N points (N, K), of which all numbers are to be small, no other is at least as good as in all, (N,).

    Example:
        >>> unbeaten(torch.tensor([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]])).tolist()
        [True, True, False]
    """
    rows = []
    for value in values:
        rows.append(~((values <= value + 1e-9).all(1) & (values < value - TIE).any(1)).any())
    return torch.stack(rows)


def hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """Volume of what N points (N, K) beat, up to a reference (K,); all numbers are to be small.

    By slices along the last of them, each of which is the volume of one dimension less.

    Example:
        >>> hypervolume(np.array([[0.0, 0.5], [0.5, 0.0], [0.75, 0.75]]), np.array([1.0, 1.0]))
        0.75
    """
    points = points[(points < reference).all(1)]
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    points = points[points[:, -1].argsort()]
    if points.shape[1] == 2:
        lowest = np.minimum.accumulate(points[:, 0])
        heights = np.diff(points[:, 1], append=reference[1])
        return float(((reference[0] - lowest) * heights).sum())
    thick = np.diff(points[:, -1], append=reference[-1])
    slices = (hypervolume(points[: at + 1, :-1], reference[:-1]) for at in range(len(points)))
    return float(sum(each * width for each, width in zip(slices, thick, strict=True) if width > 0))


def _in_turn(task: Task, near: Polymers, preferences: Sequence[Preference]) -> Polymers:
    """The recipe with least of one thing, and of those with as little of it that with least of the next, and so on."""
    found = end(task, near, preferences[0])
    for before, each in itertools.pairwise(preferences):
        task = replace(task, limits=(*task.limits, (before, before.amounts(found, task.system).item() + TIE)))
        found = end(task, found, each)
    return found


def _polished(task: Task, found: Polymers, preferences: Sequence[Preference]) -> Polymers:
    """A recipe with less of one thing, and no more of the others, than one has."""
    lead, others = _parted(preferences)
    limits = [(each, each.amounts(found, task.system).item()) for each in others]
    bounded = replace(task, limits=(*task.limits, *limits))
    for steps in POLISH:  # most are there after a few, some go a long way along a ridge
        reached = end(bounded, found, lead, 1, steps)
        if lead.amounts(reached, task.system).item() < lead.amounts(found, task.system).item() - TIE:
            return reached
    return found


def _parted(preferences: Sequence[Preference]) -> tuple[Preference, list[Preference]]:
    """What there is to be least of, and what is limited: a distance has kinks, which a limit minds less."""
    lead = next(each for each in preferences if each.name != DISTANCE)
    return lead, [each for each in preferences if each is not lead]


def _between(
    task: Task, near: Polymers, ends: Sequence[Polymers], preferences: Sequence[Preference], count: int
) -> Polymers:
    """Recipes between the ends, and all that are known: with least of one thing at levels of the others."""
    lead, others = _parted(preferences)
    several = len(others) > 1
    of_ends = _amounts(together(*ends), others, task)
    shares = np.linspace(0, 1, max(3, count))[1:-1] if not several else np.linspace(0, 1, _levels(count))
    axes = [_axis(each, column, shares) for each, column in zip(others, of_ends.T, strict=True)]
    levels = torch.cartesian_prod(*(torch.tensor(axis, dtype=torch.float64) for axis in axes)).reshape(-1, len(others))
    known = together(*ends, near)
    goal = lead.amounts(known, task.system).min().item()
    for _ in range(TWICE):
        starts, of = _starts(known, levels, lead, others, task)
        limits = [(each, levels[of, at]) for at, each in enumerate(others)]
        made = at_levels(task, lead, limits, known.unit[starts], goal)
        known = together(known, taken(made, task.meets(made).nonzero()[:, 0]))
    return known


def _starts(
    known: Polymers, levels: Tensor, lead: Preference, others: Sequence[Preference], task: Task
) -> tuple[Tensor, Tensor]:
    """Numbers of recipes from which each of L levels (L, K) is gone to, and of the levels: where it is kept, the best
    one and others far apart."""
    reached, amounts = _amounts(known, others, task), lead.amounts(known, task.system)
    starts, of = [], []
    for number, level in enumerate(levels):
        enough = (reached <= level + TIE).all(1).nonzero()[:, 0]
        if not len(enough):
            continue
        order = enough[amounts[enough].argsort()]
        chosen = order[farthest_apart(known.unit[order], FEW)]
        starts.append(chosen)
        of += [number] * len(chosen)
    return torch.cat(starts), torch.tensor(of)


def _levels(count: int) -> int:
    """Levels of each of two preferences."""
    return max(3, int(np.ceil(np.sqrt(FINER * count))))


def _axis(preference: Preference, of_ends: Tensor, shares: np.ndarray) -> list[float]:
    """Levels from the least to the most that the ends have; of a distance more of the small ones."""
    low, high = of_ends.min().item(), of_ends.max().item()
    shares = shares**2 if preference.name == DISTANCE else shares
    return [low + (high - low) * float(share) for share in shares]


def _amounts(found: Polymers, preferences: Sequence[Preference], task: Task) -> Tensor:
    return torch.stack([each.amounts(found, task.system) for each in preferences], 1)


def _spread(values: Tensor, count: int) -> Tensor:
    """Numbers of points that lie far apart on a front, those with least of something first."""
    width = values.max(0).values - values.min(0).values
    first = list(dict.fromkeys(values.argmin(0).tolist()))[:count]
    points = values / torch.where(width > 0, width, 1.0)
    rows = farthest_apart(points, count, first)
    away = torch.cdist(points[rows], points[rows])
    return rows[[at for at in range(len(rows)) if at == 0 or away[at, :at].min() > SAME]]


def _roles(values: Tensor, preferences: Sequence[Preference]) -> list[str]:
    """What each of N points (N, K) stands for."""
    roles: list[list[str]] = [[] for _ in values]
    for at, each in enumerate(preferences):
        roles[int(values[:, at].argmin())].append(each.words)
    return [", ".join(role) or "on the front" for role in roles]
