"""Designs: recipes for a polymer that is wished for, with what each makes, costs and tolerates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import AnySystem, System, load_system
from polyinv.design.chances import chances
from polyinv.design.distinct import DISTINCT, distinct
from polyinv.design.front import end, front
from polyinv.design.preferences import Preference, costs, preferences_of, prices_of
from polyinv.design.properties import Polymers, polymers_with_slopes
from polyinv.design.reach import Impossible, impossible, with_curve
from polyinv.design.search import NEAREST, STARTS, Task, search, taken, together
from polyinv.design.wishes import CONVERSION, COST, DISTANCE, PROPERTIES, Wish, wishes
from polyinv.errors import InputError
from polyinv.mmd import LOG_M, STEP
from polyinv.predict.fits import DIGITS, significant
from polyinv.simulate.recipes import unit_slopes

MOST = 100
"""Designs of one call."""
CHANGES = {"°C": 1.0, "mol/L": 0.02, "s": 60.0}
"""Changes of a recipe that tolerances are of, by the unit of its value: 1 °C, 2 %, 60 s."""
AREA = 0.01
"""By which the area of a curve may be off."""
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
        wishes: All of them.
        preferences: What recipes are preferred for.
        prices: Of the values of a recipe, (V,), if there are any.
        count: Recipes that were asked for.
        idle: Wishes for the polymer that all recipes meet which are tried first.
    """

    task: Task
    found: Polymers | None
    roles: tuple[str, ...] = ()
    impossible: Impossible | None = None
    nearest: Polymers | None = None
    wishes: tuple[Wish, ...] = ()
    preferences: tuple[Preference, ...] = ()
    prices: Tensor | None = None
    count: int = 1
    idle: tuple[Wish, ...] = ()

    @property
    def shown(self) -> Polymers:
        """The designs; or where there are none, what comes nearest."""
        found = self.found if self.found is not None else self.nearest
        assert found is not None
        return found

    @property
    def warnings(self) -> list[str]:
        """What has to be said, a line each."""
        said = [wish.doubt for wish in self.wishes if wish.doubt]
        if self.impossible is not None:
            said.append(self.impossible.words(self.where))
        elif self.found is None:
            said.append(f"no recipe was found that meets all wishes {self.where}; the nearest one misses some")
        elif self.task.curve is not None and (least := self.task.distance(self.shown).min().item()) > FAR:
            given = f" with {' and '.join(wish.text for wish in self.task.wishes)}" if self.task.wishes else ""
            at_best = f"{least:.1%} of its mass lies elsewhere at best"
            said.append(f"no recipe makes this curve{given} {self.where}: {at_best}")
        return said

    @property
    def notes(self) -> list[str]:
        """What is worth knowing, a line each."""
        said = [f"{wish.text} excludes nothing: every recipe that was tried meets it" for wish in self.idle]
        if self.found is not None and len(self.preferences) < 2 and len(self.found) < self.count:
            said.append(
                f"{len(self.found)} of {self.count} recipes: others that meet the wishes lie within {DISTINCT:.0%} of "
                "what the recipe may be of these"
            )
        if self.system.heat is None:
            said.append(f"the heat is left out: {self.system.name} states no enthalpy of polymerization")
        return said

    @property
    def trade_off(self) -> tuple[str, ...]:
        """What is traded off against what: two or three columns, or none."""
        return tuple(each.name for each in self.preferences) if len(self.preferences) > 1 else ()

    @property
    def where(self) -> str:
        """What the recipe may be, in words."""
        parts = ", ".join(wish.text for wish in self.wishes if wish.name in self.system.targets)
        return f"in the box of {self.system.name}" + (f" with {parts}" if parts else "")

    @property
    def system(self) -> System:
        """What is polymerized."""
        return self.task.system

    def table(self) -> pd.DataFrame:
        """A line for each design: recipe, properties of its polymer, heat, cost, and tolerances.

        ``heat`` is set free by the monomer that is converted, in kJ per litre; ``adiabatic_rise`` is by how many K it
        would warm the mixture. Both are there where the system states them (`polyinv.chemistry.heat.Heat`). ``cost``
        is that of a kilogram of polymer by the prices, if there are any.

        ``<property>_per_<value>`` is by how many per cent Mn or the dispersity changes if the value of the recipe rises
        by 1 °C, 2 % or 60 s; ``probability``, with what share of the coefficients that are possible the wishes are met,
        see `polyinv.design.chances.chances`.
        """
        shown = self.shown
        table = pd.DataFrame(shown.recipes.numpy(), columns=list(self.system.targets))
        table = table.join(pd.DataFrame(shown.physical().numpy(), columns=list(PROPERTIES)))
        if self.task.curve is not None:
            table[DISTANCE] = self.task.distance(shown).numpy()
        table = table.assign(**self._heat())
        if self.prices is not None:
            table[COST] = costs(shown, self.prices, self.system).numpy()
        for name, values in tolerances(shown, self.system).items():
            table[name] = values.numpy()
        table["probability"] = chances(shown, self.task).numpy()
        table = significant(table, DIGITS)
        roles = self.roles if self.found is not None else ("nearest",)
        table.insert(0, "design", list(roles))
        return table

    def _heat(self) -> dict[str, np.ndarray]:
        heat, shown = self.system.heat, self.shown
        if heat is None:
            return {}
        converted = (shown.recipes[:, 0] * shown.physical()[:, PROPERTIES.index(CONVERSION)]).numpy()
        found = {"heat": heat.set_free(converted), "adiabatic_rise": heat.rise(converted)}
        return {name: values for name, values in found.items() if values is not None}


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
    prices: str | Mapping[str, float] | None = None,
) -> Designs:
    """Find recipes whose polymer is as wished for.

    Args:
        given: Wishes for the polymer and its recipe, see `polyinv.design.wishes.wishes`.
        system: What is polymerized.
        curve: MMD that is to be made, of unit area, (100,).
        count: Distinct recipes, at most.
        minimize, maximize: Properties, values of the recipe, ``mmd_distance`` from the curve, or ``cost``, of which
            there is to be little or much. With one, the recipe with least of it comes first; with two or three, recipes
            from one end of the trade-off to the others.
        robust: Let the recipe come first whose polymer changes least with small changes of the recipe.
        prices: Of a mol of each substance and of a second of a litre, see `polyinv.design.preferences.prices_of`.

    Raises:
        InputError: Wishes that cannot be understood or contradict each other, or a number of recipes that cannot be.

    Example:
        >>> found = design(["Mn=25000±2%", "D<2.4", "temp<=75"], count=3)
        >>> len(found.table())
        3
    """
    found = load_system(system)
    check_count(count)
    if robust and (minimize or maximize):
        raise InputError("--robust and a preference both say which recipe comes first; leave out one of them")
    wished, priced = wishes(given, found), prices_of(prices, found)
    task = Task.of(found, wished, curve if curve is None else curve_checked(curve))
    preferences = preferences_of(minimize, maximize, found, curve=curve, prices=priced)
    if not task.is_held and any(each.name == DISTANCE for each in preferences):
        task = replace(task, within=math.inf)
    near = with_curve(task, search(task, max(STARTS, NEAREST * count)))
    task = task.as_near_as(near)
    said = Designs(
        task,
        None,
        wishes=tuple(wished),
        preferences=tuple(preferences),
        prices=priced,
        count=count,
        idle=task.idle(),
    )
    met = task.meets(near).nonzero()[:, 0]
    if not len(met):
        nearest = with_slopes(taken(near, torch.tensor([0])), found)
        return replace(said, impossible=impossible(task), nearest=nearest)
    near = taken(near, met)
    if robust:
        near = with_slopes(near, found)
        spread = torch.stack(list(tolerances(near, found).values()), 1).square().sum(1)
        near = taken(near, spread.argsort())
    if len(preferences) > 1:
        recipes, roles = front(task, near, preferences, count)
        return replace(said, found=with_slopes(recipes, found), roles=tuple(roles))
    rest = together(end(task, near, preferences[0]), near) if preferences else near
    chosen = distinct(task, rest, count)
    first = preferences[0].words if preferences else "most robust" if robust else "nearest"
    roles = [first, *("distinct" for _ in chosen.unit[1:])]
    return replace(said, found=with_slopes(chosen, found), roles=tuple(roles))


def with_slopes(found: Polymers, system: System) -> Polymers:
    """The same polymers with their slopes."""
    return polymers_with_slopes(found.unit, system)


def curve_checked(curve: Tensor) -> Tensor:
    """A curve that may be wished for, (100,), float64.

    Raises:
        InputError: It has another shape, holds what is negative or no number, or has no unit area.
    """
    if tuple(curve.shape) != (len(LOG_M),):
        raise InputError(
            f"the curve has the shape {tuple(curve.shape)}; needs ({len(LOG_M)},), the nodes of polyinv.mmd"
        )
    curve = curve.double()
    area = curve.sum().item() * STEP
    if not (bool(curve.isfinite().all()) and bool((curve >= 0).all()) and abs(area - 1) < AREA):
        raise InputError(f"the curve has the area {area:.4g}; needs 1, and nothing negative or infinite")
    return curve


def check_count(count: int) -> None:
    """Refuse a number of recipes that cannot be.

    Raises:
        InputError: It cannot.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"--count is {count}; needs 1 to {MOST}")
