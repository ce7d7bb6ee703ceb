"""Derivatives of what is observed by the recipe, and by the coefficients of the chemistry."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from polyinv.chemistry import Arrhenius, Chemistry
from polyinv.errors import InputError
from polyinv.mmd import STEP
from polyinv.quantities import RECIPE
from polyinv.simulate.fused import TOLERANCE, coefficients, run
from polyinv.simulate.radical_rates import COEFFICIENTS
from polyinv.simulate.snapshots import Growth, Snapshots, check_growth, check_runs

VALUES = tuple(quantity.name for quantity in RECIPE)
DIRECTIONS = (*VALUES, *COEFFICIENTS)
"""What derivatives can be taken by: values of the recipe, coefficients of the chemistry."""


def derivatives(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    by: Sequence[str] = VALUES,
    *,
    tolerance: float = TOLERANCE,
) -> tuple[Snapshots, Snapshots]:
    """Simulate B reactions by the rate equations, with the derivatives of every snapshot.

    Args:
        conditions: (B, 3), columns cBA_0 and cAIBN_0 in mol/L, temp in °C.
        times: (B, T) in s, ascending along T.
        chemistry: Scheme and coefficients.
        by: D of ``DIRECTIONS``; ``time`` is the time of the snapshot itself.
        tolerance: Largest relative error, see `polyinv.simulate.fused.TOLERANCE`.

    Returns:
        The snapshots; and their derivatives per unit of the value or coefficient, tensors with a last dimension D more.

    Raises:
        InputError: A reaction that cannot be, or a direction that is none.

    Example:
        >>> from polyinv.chemistry import BUTYL_ACRYLATE
        >>> recipe, hour = torch.tensor([[1.0, 0.02, 70.0]]), torch.tensor([[3600.0]])
        >>> polymer, slopes = derivatives(recipe, hour, BUTYL_ACRYLATE, by=("temp", "k_p"))
        >>> round(float(slopes.Mn[0, 0, 0]))  # g/mol per °C
        -993
    """
    for name in by:
        if name not in DIRECTIONS:
            raise InputError(f"no derivative by {name!r}; known: {', '.join(DIRECTIONS)}")
    check_runs(conditions, times)
    conditions, times = conditions.detach().double(), times.detach().double()
    k = coefficients(chemistry, conditions[:, 2]).detach().numpy()
    seeds = [name for name in by if name != "time"]
    d_start, d_k = _seeds(chemistry, conditions[:, 2], seeds)
    molar_mass = chemistry.monomer_molar_mass
    found = run(conditions[:, :2].numpy(), k, times.numpy(), molar_mass, d_start=d_start, d_k=d_k, tolerance=tolerance)
    growth, rate = (Growth(*map(torch.from_numpy, part)) for part in (found.growth, found.rate))
    check_growth(growth, conditions)
    growth = growth.cumulated()
    polymer = growth.snapshots(chemistry)
    changes = []
    for name in by:
        if name == "time":
            changes.append(rate)
        else:
            at = seeds.index(name)
            changes.append(Growth(*(torch.from_numpy(part[..., at]) for part in found.slopes)).cumulated())
    return polymer, _stacked([_change(growth, polymer, change) for change in changes], polymer)


def _seeds(chemistry: Chemistry, temp: Tensor, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the initial concentrations (B, 2, D) and of the chemistry's numbers (B, 13, D)."""
    d_start, d_k = np.zeros((len(temp), 2, len(names))), np.zeros((len(temp), len(COEFFICIENTS), len(names)))
    for at, name in enumerate(names):
        if name in VALUES[:2]:
            d_start[:, VALUES.index(name), at] = 1.0
        elif name in COEFFICIENTS:
            d_k[:, COEFFICIENTS.index(name), at] = 1.0
        else:  # the temperature acts through every rate coefficient
            for row, coefficient in enumerate(COEFFICIENTS):
                law = getattr(chemistry, coefficient)
                if isinstance(law, Arrhenius):
                    d_k[:, row, at] = law.slope(temp).detach().numpy()
    return d_start, d_k


def _change(growth: Growth, polymer: Snapshots, change: Growth) -> Snapshots:
    """Change of snapshots with a change of the growth since the start of the reaction."""
    chains, units, squares = (part.sum(-1) for part in (growth.chains, growth.units, growth.squares))
    more_chains, more_units, more_squares = (part.sum(-1) for part in (change.chains, change.units, change.squares))
    return Snapshots(
        mmd=(change.units / STEP - polymer.mmd * more_units[..., None]) / units[..., None],
        cBA_time=change.monomer,
        Mn=polymer.Mn * (more_units / units - more_chains / chains),
        Mw=polymer.Mw * (more_squares / squares - more_units / units),
        dead_chains=more_chains,
    )


def _stacked(changes: list[Snapshots], polymer: Snapshots) -> Snapshots:
    """Stack D changes along a last dimension."""
    if not changes:
        return Snapshots(*(getattr(polymer, field.name)[..., None][..., :0] for field in fields(Snapshots)))
    return Snapshots(*(torch.stack([getattr(each, field.name) for each in changes], -1) for field in fields(Snapshots)))
