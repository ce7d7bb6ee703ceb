"""Designs: recipes for a polymer that is wished for, with what each makes, costs and tolerates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import AnySystem, System, load_system
from polyinv.design.chances import chances
from polyinv.design.properties import Polymers, polymers_with_slopes, to_scale
from polyinv.design.reach import Impossible, impossible
from polyinv.design.search import NEAREST, STARTS, Preference, Task, best, preferred, search, taken, together
from polyinv.design.wishes import PROPERTIES, Wish, known_name, wishes
from polyinv.errors import InputError
from polyinv.predict.fits import DIGITS, significant
from polyinv.simulate.recipes import farthest_apart, from_unit, to_unit, unit_slopes

MOST = 100
"""Designs of one call."""
BETTER = 6
"""Recipes that meet the wishes from which a preference is gone to."""
CHANGES = {"°C": 1.0, "mol/L": 0.02, "s": 60.0}
"""Changes of a recipe that tolerances are of, by the unit of its value: 1 °C, 2 %, 60 s."""
TIE = 1e-6
"""Of `polyinv.design.search.preferred`, by which two recipes have equally much of something."""
FAR = 0.03
"""Share of the mass of a curve that lies elsewhere from which on no recipe makes it."""
TOLERATING = ("Mn", "D")
"""Properties whose tolerances are told."""


@dataclass(frozen=True, eq=False)
class Designs:
    """Designs for one set of wishes.

    Args:
        task: What was wished for.
        found: The recipes and their polymers, N of them, with slopes; none where the wishes cannot be met.
        roles: What each of them stands for, such as ``least time``.
        impossible: What cannot be made, where wishes cannot be met.
        nearest: The recipe that comes nearest then, and its polymer.
        of_recipe: The wishes for the recipe.
        trade_off: What is traded off against what; empty or two names.
    """

    task: Task
    found: Polymers | None
    roles: tuple[str, ...] = ()
    impossible: Impossible | None = None
    nearest: Polymers | None = None
    of_recipe: tuple[Wish, ...] = ()
    trade_off: tuple[str, ...] = ()

    @property
    def shown(self) -> Polymers:
        """The designs; or where there are none, what comes nearest."""
        found = self.found if self.found is not None else self.nearest
        assert found is not None
        return found

    @property
    def warnings(self) -> list[str]:
        """What has to be said, a line each."""
        said = []
        if self.impossible is not None:
            said.append(self.impossible.words(self.where))
        elif self.found is None:
            said.append(f"no recipe was found that meets all wishes {self.where}; the nearest one misses some")
        if self.task.curve is not None and (least := self.task.distance(self.shown).min().item()) > FAR:
            said.append(f"no recipe makes this curve {self.where}: {least:.1%} of its mass lies elsewhere at best")
        return said

    @property
    def where(self) -> str:
        """What the recipe may be, in words."""
        parts = ", ".join(wish.text for wish in self.of_recipe)
        return f"in the box of {self.system.name}" + (f" with {parts}" if parts else "")

    @property
    def system(self) -> System:
        """What is polymerized."""
        return self.task.system

    def table(self) -> pd.DataFrame:
        """A line for each design: recipe, properties of its polymer, and tolerances.

        ``<property>_per_<value>`` is by how many per cent Mn or the dispersity changes if the value of the recipe rises
        by 1 °C, 2 % or 60 s; ``probability``, with what share of the coefficients that are possible the wishes are met,
        see `polyinv.design.chances.chances`.
        """
        shown = self.shown
        table = pd.DataFrame(shown.recipes.numpy(), columns=list(self.system.targets))
        table = table.join(pd.DataFrame(shown.physical().numpy(), columns=list(PROPERTIES)))
        if self.task.curve is not None:
            table["mmd_distance"] = self.task.distance(shown).numpy()
        for name, values in tolerances(shown, self.system).items():
            table[name] = values.numpy()
        table["probability"] = chances(shown, self.task).numpy()
        table = significant(table, DIGITS)
        roles = self.roles if self.found is not None else ("nearest",)
        table.insert(0, "design", list(roles))
        return table


def tolerances(found: Polymers, system: System) -> dict[str, Tensor]:
    """By how many per cent Mn and the dispersity of M polymers change by small changes of the recipe, (M,) each."""
    assert found.slopes is not None
    of_value = found.slopes / unit_slopes(found.recipes, system)[:, None, :]
    said = {}
    for at, quantity in enumerate(system.recipe):
        change = CHANGES[quantity.unit] * (found.recipes[:, at] if quantity.unit == "mol/L" else 1.0)
        for name in TOLERATING:
            said[f"{name}_per_{quantity.name}"] = 100 * of_value[:, PROPERTIES.index(name), at] * change
    return said


def design(
    given: Sequence[str],
    system: AnySystem = "butyl_acrylate",
    *,
    curve: Tensor | None = None,
    count: int = 5,
    minimize: Sequence[str] = (),
    maximize: Sequence[str] = (),
    robust: bool = False,
) -> Designs:
    """Find recipes whose polymer is as wished for.

    Args:
        given: Wishes for the polymer and its recipe, see `polyinv.design.wishes.wishes`.
        system: What is polymerized.
        curve: MMD that is to be made, of unit area, (100,).
        count: Distinct recipes, at most.
        minimize, maximize: Properties or values of the recipe, of which there is to be little or much. With one, the
            recipe with least of it comes first; with two, recipes from one end of the trade-off to the other.
        robust: Let the recipes come first whose polymer changes least with small changes of the recipe.

    Raises:
        InputError: Wishes that cannot be understood or contradict each other, or a number of recipes that cannot be.

    Example:
        >>> found = design(["Mn=25000±2%", "D<2.4", "temp<=75"], count=3)
        >>> len(found.table())
        3
    """
    found = load_system(system)
    _check_count(count)
    wished = wishes(given, found)
    task = Task.of(found, wished, curve)
    of_recipe = tuple(wish for wish in wished if wish.name in found.targets)
    preferences = [Preference(known_name(name, found)) for name in minimize]
    preferences += [Preference(known_name(name, found), -1.0) for name in maximize]
    if len({each.name for each in preferences}) < len(preferences):
        raise InputError("one thing is to be least and most; leave out one of them")
    if len(preferences) > 2:
        raise InputError(f"{len(preferences)} preferences; needs two at most, whose trade-off can be shown")
    near = search(task, max(STARTS, NEAREST * count))
    task = task.as_near_as(near)
    met = task.meets(near).nonzero()[:, 0]
    if not len(met):
        nearest = with_slopes(taken(near, torch.tensor([0])), found)
        return Designs(task, None, (), impossible(task) if task.wishes else None, nearest, of_recipe)
    near = taken(near, met)
    if robust or preferences:
        near = with_slopes(near, found)
    if robust:
        spread = torch.stack(list(tolerances(near, found).values()), 1).square().sum(1)
        near = taken(near, spread.argsort())
    if len(preferences) == 2:
        names = tuple(each.name for each in preferences)
        return replace(_front(task, near, preferences, count), of_recipe=of_recipe, trade_off=names)
    rest = together(_end(task, near, preferences[0]), near) if preferences else near
    rows = farthest_apart(_scaled(rest.unit, task), count)
    first = "nearest" if not robust else "most robust"
    names = (preferences[0].words if preferences else first, *("distinct" for _ in rows[1:]))
    return Designs(task, with_slopes(taken(rest, rows), found), names[: len(rows)], of_recipe=of_recipe)


def with_slopes(found: Polymers, system: System) -> Polymers:
    """The same polymers with their slopes."""
    return polymers_with_slopes(found.unit, system)


def _scaled(unit: Tensor, task: Task) -> Tensor:
    """Points in units of what the recipe may be."""
    return (unit - task.low) / torch.where(task.free, task.high - task.low, 1.0)


def _end(task: Task, near: Polymers, preference: Preference) -> Polymers:
    """The recipe with least of what is not preferred, gone to from several that meet the wishes."""
    value, _ = preferred(near, preference, task.system)
    order = value.argsort()
    found, least = taken(near, order[:1]), value[order[0]].item()
    for row in order[farthest_apart(near.unit[order], BETTER)].tolist():
        reached = best(task, preference, near.unit[row])
        if reached is not None and (now := preferred(reached, preference, task.system)[0].item()) < least:
            found, least = reached, now
    return found


def _then(task: Task, found: Polymers, first: Preference, second: Preference) -> Polymers:
    """Of the recipes with as little of one thing as one has, that with least of another."""
    level = preferred(found, first, task.system)[0].item()
    bounded = _bounded(task, first, level + TIE)
    return found if bounded is None else _end(bounded, found, second)


def _front(task: Task, near: Polymers, preferences: Sequence[Preference], count: int) -> Designs:
    """Recipes from the least of one thing to the least of another, none of which is beaten in both."""
    first, second = preferences
    ends = [_then(task, _end(task, near, one), one, other) for one, other in ((first, second), (second, first))]
    levels = [preferred(each, second, task.system)[0].item() for each in ends]
    parts, known = list(ends), with_slopes(together(*ends, near), task.system)
    reached = preferred(known, second, task.system)[0]
    for share in np.linspace(0, 1, max(2, count))[1:-1]:
        level = levels[0] + (levels[1] - levels[0]) * float(share)
        bounded = _bounded(task, second, level)
        if bounded is None:
            continue
        enough = (reached <= level + 1e-9).nonzero()[:, 0]
        if not len(enough):
            continue
        parts.append(_end(bounded, taken(known, enough), first))
    whole = with_slopes(together(*parts), task.system)
    values = torch.stack([preferred(whole, each, task.system)[0] for each in preferences], 1)
    beaten = ((values[None] <= values[:, None] + 1e-9).all(-1) & (values[None] < values[:, None] - 1e-6).any(-1)).any(1)
    kept = (~beaten).nonzero()[:, 0]
    order = kept[values[kept, 0].argsort()]
    roles = ["on the front"] * len(order)
    roles[0], roles[-1] = (first.words, second.words) if len(order) > 1 else (f"{first.words}, {second.words}",) * 2
    return Designs(task, taken(whole, order), tuple(roles))


def _bounded(task: Task, preference: Preference, level: float) -> Task | None:
    """The same task with no more of something than a level, of `polyinv.design.search.preferred`."""
    system = task.system
    if preference.name in PROPERTIES:
        value = preference.sign * level
        value = value if preference.name == "conversion" else float(np.exp(value))
        low, high = (-np.inf, value) if preference.sign > 0 else (value, np.inf)
        before = next((wish for wish in task.wishes if wish.name == preference.name), None)
        if before is not None:
            low, high = max(low, before.low), min(high, before.high)
        wish = Wish(preference.name, low, high, f"{preference.name} at {value:.3g}")
        others = tuple(each for each in task.wishes if each.name != preference.name)
        if to_scale(wish.name, low) > to_scale(wish.name, high):
            return None
        return replace(task, wishes=(*others, wish))
    at = system.targets.index(preference.name)
    quantity = system.recipe[at]
    recipe = from_unit(task.high[None] if preference.sign > 0 else task.low[None], system)
    recipe[0, at] = preference.sign * level * (quantity.high - quantity.low)
    end = to_unit(recipe, system)[0, at].clamp(task.low[at], task.high[at])
    ends = [task.low.clone(), task.high.clone()]
    ends[preference.sign > 0][at] = end
    return replace(task, low=ends[0], high=ends[1])


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST:
        raise InputError(f"--count is {count}; needs 1 to {MOST}")
