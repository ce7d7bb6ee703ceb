"""Units that the numbers of a wish may be meant in, and wishes that exclude nothing."""

from collections.abc import Sequence

import numpy as np

from polyinv.chemistry import System
from polyinv.data.files.doubts import LEAST_MASS, suspicions
from polyinv.errors import InputError

NEARLY = 1e-6
"""Share of an end of the box by which a wish may go beyond it and still means that end."""


def check_masses(stated: Sequence[float], text: str) -> None:
    """Refuse molar masses without a unit that are none of a polymer in g/mol.

    Args:
        stated: Numbers that stand in the wish.
        text: The wish.

    Raises:
        InputError: All are too small.
    """
    if 0 < max(stated) < LEAST_MASS:
        raise InputError(
            f"{text}: {max(stated):g} g/mol is no polymer and looks like kg/mol; write its unit, such as {text} kg/mol"
        )


def guess_of(name: str, stated: Sequence[float], system: System) -> str:
    """Guess which other unit the numbers of a wish for the recipe are meant in; empty where none fits better.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> guess_of("temp", [343.15], load_system())
        'it holds 343.15 °C, outside of 60 to 80; if it is K, it is 70 °C: write the unit behind the number'
    """
    remedy = "write the unit behind the number"
    found = [suspicions(name, np.array([value]), system, "it", remedy) for value in stated]
    return next((lines[0] for lines in found if lines), "")


def doubt_of(name: str, band: tuple[float, float], stated: Sequence[float], text: str, system: System) -> str:
    """Say that a number of a wish for the recipe looks like another unit, or that the wish excludes nothing.

    Args:
        name: Value of the recipe.
        band: Ends of the wish.
        stated: Numbers that stand in the wish without a unit.
        text: The wish.
        system: Whose box it is.

    Returns:
        A line; empty where neither is so.
    """
    box = system.recipe[system.targets.index(name)]
    is_idle = band[0] <= box.low and band[1] >= box.high
    if guess := guess_of(name, stated, system):
        return f"{text} excludes nothing: {guess}" if is_idle else f"{text}: {guess}"
    ends = [end for end in band if np.isfinite(end)]
    if not is_idle or not any(end < box.low * (1 - NEARLY) or end > box.high * (1 + NEARLY) for end in ends):
        return ""
    return f"{text} excludes nothing: {name} is {box.low:g} to {box.high:g} {box.unit} in the box of {system.name}"
