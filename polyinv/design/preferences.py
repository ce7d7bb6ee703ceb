"""Preferences: of which property, value of the recipe, distance from a curve or cost there is to be little, or much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.files.numbers import number
from polyinv.design.properties import Polymers
from polyinv.design.wishes import CONVERSION, COST, DISTANCE, PROPERTIES, known_name
from polyinv.errors import InputError, quoted
from polyinv.evaluation.closed_loop import distance
from polyinv.mmd import STEP
from polyinv.simulate.recipes import unit_slopes

MOST = 3
"""Preferences whose trade-off can be shown: the third as a colour."""
CONVERTED = PROPERTIES.index(CONVERSION)
LEAST = 1e-6
"""Conversion below which a polymer costs as much as with it: there is none."""


@dataclass(frozen=True, eq=False)
class Preference:
    """Preference: of the recipes that meet the wishes, those with less of something come first.

    Args:
        name: A property, a value of the recipe, ``mmd_distance`` or ``cost``.
        sign: 1 for less, -1 for more.
        curve: That the distance is from, (100,).
        prices: Of the values of a recipe, for each mol, degree and second, (V,).
    """

    name: str
    sign: float = 1.0
    curve: Tensor | None = None
    prices: Tensor | None = None

    @property
    def words(self) -> str:
        """As a table calls it."""
        return f"{'least' if self.sign > 0 else 'most'} {self.name}"

    def amounts(self, found: Polymers, system: System) -> Tensor:
        """What is to be small, of M recipes, (M,): of order one over the box, logarithms of molar masses and costs."""
        if self.name == DISTANCE:
            assert self.curve is not None
            return self.sign * distance(found.curves, self.curve)
        if self.name == COST:
            assert self.prices is not None
            return self.sign * costs(found, self.prices, system).log()
        if self.name in PROPERTIES:
            return self.sign * found.values[:, PROPERTIES.index(self.name)]
        at = system.targets.index(self.name)
        return self.sign * found.recipes[:, at] / (system.recipe[at].high - system.recipe[at].low)

    def slopes(self, found: Polymers, system: System) -> Tensor:
        """Slopes (M, V) of `amounts` by the coordinates of recipes that have them."""
        assert found.slopes is not None
        assert found.curve_slopes is not None
        by_value = unit_slopes(found.recipes, system)
        if self.name == DISTANCE:
            assert self.curve is not None
            side = (found.curves - self.curve).sign()
            return self.sign * STEP / 2 * (side[:, :, None] * found.curve_slopes).sum(1)
        if self.name == COST:
            assert self.prices is not None
            of_price = self.prices * by_value / (self.prices * found.recipes).sum(1, keepdim=True)
            conversion = found.values[:, CONVERTED].clamp(min=LEAST)
            of_price -= found.slopes[:, CONVERTED] / conversion[:, None]
            of_price[:, 0] -= by_value[:, 0] / found.recipes[:, 0]
            return self.sign * of_price
        if self.name in PROPERTIES:
            return self.sign * found.slopes[:, PROPERTIES.index(self.name)]
        at = system.targets.index(self.name)
        slopes = torch.zeros_like(found.unit)
        slopes[:, at] = by_value[:, at] / (system.recipe[at].high - system.recipe[at].low)
        return self.sign * slopes


def costs(found: Polymers, prices: Tensor, system: System) -> Tensor:
    """Cost (M,) of a kilogram of polymer: that of a litre of the mixture, by what has been made in it."""
    grams = found.recipes[:, 0] * found.values[:, CONVERTED].clamp(min=LEAST) * system.chemistry.monomer_molar_mass
    return (prices * found.recipes).sum(1) / (grams / 1000)


def preferences_of(
    minimize: Sequence[str],
    maximize: Sequence[str],
    system: System,
    *,
    curve: Tensor | None = None,
    prices: Tensor | None = None,
) -> list[Preference]:
    """Parse preferences.

    Args:
        minimize, maximize: Names.
        system: What is polymerized.
        curve: That is to be made, if there is one.
        prices: See `prices_of`; None without.

    Raises:
        InputError: An unknown name, one thing twice, more than three, a distance without a curve, a cost without
            prices, or the most of either.
    """
    signed = [(name, 1.0) for name in minimize] + [(name, -1.0) for name in maximize]
    found = [Preference(known_name(name, system), sign, curve, prices) for name, sign in signed]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name} is to be least and most, or is named twice; leave out one of them")
    if len(found) > MOST:
        raise InputError(f"{len(found)} preferences; needs three at most, whose trade-off can be shown")
    for each in found:
        if each.name in (COST, DISTANCE) and each.sign < 0:
            raise InputError(f"--maximize {each.name}: needs --minimize")
        if each.name == DISTANCE and curve is None:
            raise InputError(f"{DISTANCE} is from a curve; needs --curve FILE")
        if each.name == COST and prices is None:
            raise InputError(f"{COST} needs prices, such as --prices monomer=0.3,initiator=20,time=1e-4")
    return found


def prices_of(text: str | Mapping[str, float] | None, system: System) -> Tensor | None:
    """Prices (V,) of the values of a recipe: of each mol of a substance, and of each second of a litre.

    Args:
        text: Such as ``monomer=0.3,initiator=20,time=1e-4``, or a mapping of the same; None gives None.
        system: What is polymerized.

    Raises:
        InputError: Not of that form, an unknown name, a temperature, or a number that is no price.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> prices_of("monomer=0.3, time=1e-4", load_system()).tolist()
        [0.3, 0.0, 0.0, 0.0001]
    """
    if text is None:
        return None
    parts = [f"{name}={value}" for name, value in text.items()] if isinstance(text, Mapping) else text.split(",")
    prices = torch.zeros(len(system.targets), dtype=torch.float64)
    priced = [name for name, quantity in zip(system.targets, system.recipe, strict=True) if quantity.unit != "°C"]
    named: set[str] = set()
    for part in parts:
        written, sign, price = part.partition("=")
        value = number(price.strip(), ".")
        if not sign or not written.strip() or value is None or not 0 <= value < 1e12:
            raise InputError(f"--prices has {quoted(part.strip())}; needs NAME=PRICE, a price of 0 or more, and commas")
        name = known_name(written, system)
        if name not in priced:
            raise InputError(f"--prices has {name}, which has no price; needs {', '.join(priced)}")
        if name in named:
            raise InputError(f"--prices has {name} twice; leave out one of them")
        named.add(name)
        prices[system.targets.index(name)] = value
    if not prices.any():
        raise InputError("--prices has none above 0; needs one")
    return prices
