"""Levels: many recipes at once, each with least of one thing while others keep to levels of its own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from polyinv.design.preferences import Preference
from polyinv.design.properties import Polymers, polymers_with_slopes
from polyinv.design.search import CURVE, INSIDE, MOVED, Task, least_squares
from polyinv.design.wishes import DISTANCE
from polyinv.runtime.threads import one_thread

ROUNDS, STEPS, BACK = 10, 6, 8
"""Rounds of the method of multipliers, descents in each, and those that lead back to what is allowed."""
BEYOND = 0.1
"""Amount of the preference by which the goal lies beyond the best that is known."""


@one_thread()
def at_levels(
    task: Task, lead: Preference, limits: Sequence[tuple[Preference, Tensor]], start: Tensor, goal: float
) -> Polymers:
    """Go from points (M, V) to recipes with least of one thing, each within levels of others.

    The distance from a goal that cannot be reached and what is beyond the limits are lowered together by least squares;
    multipliers move the limits until they are kept [Hestenes, *J. Optim. Theory Appl.* 4 (1969) 303].

    Args:
        task: What is wished for.
        lead: Of which there is to be least.
        limits: Other preferences, with the largest amount of each, (M,).
        start: Points.
        goal: Amount of ``lead`` that is known to be reached by some recipe.
    """
    found = polymers_with_slopes(start, task.system)
    moved = torch.zeros_like(_beyond(task, limits, found)[0])
    for _ in range(ROUNDS):

        def residuals(there: Polymers, moved: Tensor = moved) -> tuple[Tensor, Tensor]:
            beyond, slopes = _beyond(task, limits, there)
            beyond = (beyond + moved).clamp(min=0)
            missed = lead.amounts(there, task.system) - goal + BEYOND
            by = lead.slopes(there, task.system)[:, None]
            return torch.cat([missed[:, None], beyond], 1), torch.cat([by, slopes * (beyond > 0)[..., None]], 1)

        found = least_squares(task, found, residuals, STEPS)
        moved = (moved + _beyond(task, limits, found)[0]).clamp(min=0)

    def allowed(there: Polymers) -> tuple[Tensor, Tensor]:
        beyond, slopes = _beyond(task, limits, there)
        return beyond.clamp(min=0), slopes * (beyond > 0)[..., None]

    return least_squares(task, found, allowed, BACK)


def _beyond(task: Task, limits: Sequence[tuple[Preference, Tensor]], found: Polymers) -> tuple[Tensor, Tensor]:
    """By how much M recipes are beyond what is wished and the limits, (M, C), below 0 within; and slopes (M, C, V)."""
    assert found.slopes is not None
    at, low, high, tolerance = task.bands
    margin = INSIDE * tolerance.minimum((high - low) / 4)
    values, slopes = found.values[:, at], found.slopes[:, at] / tolerance[:, None]
    above, below = high.isfinite(), low.isfinite()
    parts = [((values - high + margin) / tolerance)[:, above], ((low + margin - values) / tolerance)[:, below]]
    by = [slopes[:, above], -slopes[:, below]]
    if task.curve is not None and task.within < float("inf"):
        near = Preference(DISTANCE, curve=task.curve)
        parts.append(((near.amounts(found, task.system) - task.within) / CURVE)[:, None])
        by.append(near.slopes(found, task.system)[:, None] / CURVE)
    for each, level in limits:
        parts.append(((each.amounts(found, task.system) - level) / MOVED)[:, None])
        by.append(each.slopes(found, task.system)[:, None] / MOVED)
    return torch.cat(parts, 1), torch.cat(by, 1)
