"""Residual monomer of rows that lie outside: what it would be, had a conversion been meant or mmol/L."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor

from polyinv.data.observations import Observations
from polyinv.domain.least_squares import MONOMER, TOLERANCE
from polyinv.instrument.errors import OF_CONVERSION, SUFFIX
from polyinv.simulate.observed import observe

FAR = 3.0
"""Standard deviations of the residual monomer up to which it fits."""
SCATTER = 0.01
"""Share of it by which reactions of few chains scatter, in addition."""
Assess = Callable[[Observations], pd.DataFrame]


def residual_meant(observations: Observations, outside: Tensor, assess: Assess) -> list[str]:
    """Say of each row what its residual monomer would be, where another meaning alone would put the row inside.

    A conversion leaves its rest of the initial monomer: of the known one, else of that of the recipe that is closest
    without the residual monomer.

    Args:
        observations: B of them.
        outside: Which of them lie outside, (B,).
        assess: Gives ``applicability`` and ``closest_…`` of observations.

    Returns:
        Clauses such as ``0.56 mol/L if it is a conversion``; empty where there is nothing to be said.
    """
    system, given = observations.system, observations.residual_monomer
    shows_more = ~observations.mmd.isnan().any(-1) | ~(observations.Mn.isnan() | observations.Mw.isnan())
    doubtful = (outside & ~given.isnan() & shows_more).nonzero()[:, 0]
    said = [""] * len(observations)
    if not len(doubtful):
        return said
    without = assess(observations[doubtful].forgetting([system.residual]))
    inside = torch.tensor((without["applicability"] == "inside").tolist())
    rows = doubtful[inside]
    if not len(rows):
        return said
    closest = torch.tensor(without[f"closest_{system.targets[0]}"].to_numpy()[inside.numpy()])
    known = observations.recipe[rows, 0]
    charged = known.where(~known.isnan(), closest)
    for meaning, values in _meanings(given[rows], charged):
        possible = ~values.isnan()
        if not possible.any():
            continue
        meant = _with_residual(observations[rows[possible]], values[possible])
        fits = _fits(meant, assess(meant)).tolist()
        for row, value, fitting in zip(rows[possible].tolist(), values[possible].tolist(), fits, strict=True):
            if fitting:
                unit = system.recipe[0].unit
                said[row] += f"{' or ' if said[row] else ''}{value:.3g} {unit} if it is {meaning}"
    return said


def _fits(observations: Observations, assessed: pd.DataFrame) -> Tensor:
    """Whether observations are inside and leave the residual monomer of the closest recipe, within errors, (B,).

    The check compares logarithms: next to no residual monomer has so large an error that anything fits it.
    """
    system, errors = observations.system, observations.error_columns()
    closest = torch.tensor(assessed[[f"closest_{name}" for name in system.targets]].to_numpy())
    left = observe(closest, system.chemistry, tolerance=TOLERANCE)[:, MONOMER].exp()
    sd = (errors[OF_CONVERSION] * closest[:, 0]).square() + errors[system.residual + SUFFIX].square()
    near = (observations.residual_monomer - left).abs() <= FAR * sd.sqrt() + SCATTER * left
    return near & torch.tensor((assessed["applicability"] == "inside").tolist())


def _meanings(given: Tensor, charged: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What residual monomer (B,) would be in mol/L by each meaning; NaN where a value cannot have it."""
    yield "a conversion", (charged * (1 - given)).where(given <= 1, torch.nan)
    yield "a conversion in %", (charged * (1 - given / 100)).where((given > 1) & (given <= 100), torch.nan)
    yield "in mmol/L", (given / 1000).where(given > 1, torch.nan)


def _with_residual(observations: Observations, values: Tensor) -> Observations:
    """The same with another residual monomer (B,), of which no error is stated."""
    stated = {name: sd for name, sd in observations.errors.items() if name != observations.system.residual}
    return replace(observations, residual_monomer=values, errors=stated)
