"""Distinct recipes: those of the ones that meet the wishes that lie far apart, and how to find more of them."""

import itertools
from dataclasses import replace

import torch
from torch import Tensor

from polyinv.design.preferences import Preference
from polyinv.design.properties import Polymers, polymers
from polyinv.design.search import Task, best, descend, taken, together
from polyinv.simulate.recipes import farthest_apart

DISTINCT = 0.05
"""Least distance of two recipes that are distinct, in shares of what the recipe may be."""
SHARES = torch.linspace(0, 1, 9, dtype=torch.float64)[1:-1]
"""Of the way between two recipes at which others are looked for."""
DESCENTS = 24
INNER = 0.95
"""Share of what a curve may differ by that the ends of what may be chosen keep, so that they surely meet the wish."""


def distinct(task: Task, found: Polymers, count: int) -> Polymers:
    """Distinct recipes of some that meet a task, at most ``count``, the first of them first.

    Where too few lie apart, more are looked for: those with the least and the most of each value, and others between
    them. Fewer than ``count`` come back where even those lie together.
    """
    rows = _apart(found.unit, task, count)
    if len(rows) < count and bool(task.free.any()):
        found = together(found, _further(task, taken(found, rows), found))
        rows = _apart(found.unit, task, count)
    return taken(found, rows)


def scaled(unit: Tensor, task: Task) -> Tensor:
    """Points in units of what the recipe may be."""
    return (unit - task.low) / torch.where(task.free, task.high - task.low, 1.0)


def _apart(unit: Tensor, task: Task, count: int) -> Tensor:
    points = scaled(unit, task)
    rows = farthest_apart(points, count)
    away = torch.cdist(points[rows], points[rows])
    near = [at for at in range(1, len(rows)) if away[at, :at].min() < DISTINCT]
    return rows[: near[0]] if near else rows


def _further(task: Task, chosen: Polymers, found: Polymers) -> Polymers:
    """Recipes at the ends of what meets the wishes, and between them."""
    inner = replace(task, within=INNER * task.within)
    ends = [chosen]
    for at, quantity in enumerate(task.system.recipe):
        for sign in (1.0, -1.0) if task.free[at] else ():
            start = found.unit[(sign * found.unit[:, at]).argmin()]
            reached = best(inner, Preference(quantity.name, sign), start)
            ends += [] if reached is None else [reached]
    corners = together(*ends)
    pairs = list(itertools.combinations(range(len(corners)), 2))
    if not pairs:
        return corners
    left, right = (corners.unit[list(side)] for side in zip(*pairs, strict=True))
    between = (left[:, None] + SHARES[:, None] * (right - left)[:, None]).flatten(0, 1)
    tried = polymers(between, task.system)
    tried = taken(tried, inner.meets(tried).nonzero()[:, 0])
    starts = between[farthest_apart(scaled(between, task), DESCENTS)]
    gone = descend(task, starts)
    return together(corners, tried, taken(gone, task.meets(gone).nonzero()[:, 0]))
