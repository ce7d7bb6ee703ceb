"""Derivatives of what is observed by the recipe, and by the coefficients of the chemistry."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from polyinv.chemistry import Arrhenius, Chemistry
from polyinv.errors import InputError
from polyinv.mmd import STEP
from polyinv.simulate.fused import STARTED, TOLERANCE, Integrals, coefficients, run, started
from polyinv.simulate.radical_rates import COEFFICIENTS, K_TRS
from polyinv.simulate.snapshots import Growth, Snapshots, check_growth, check_runs, mapped

CONDITIONS = ("monomer", "initiator", "temp")
"""What every recipe names beside the time; a chemistry may add "solvent" and "agent"."""


def directions(chemistry: Chemistry) -> tuple[str, ...]:
    """What derivatives can be taken by: values of the recipe in its order, coefficients of the chemistry."""
    present = [name for name in COEFFICIENTS if getattr(chemistry, name) is not None]
    return (*CONDITIONS, *chemistry.extras, "time", *present)


def derivatives(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    by: Sequence[str] | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> tuple[Snapshots, Snapshots]:
    """Simulate B reactions by the rate equations, with the derivatives of every snapshot.

    Args:
        conditions: (B, 3 + E), see `polyinv.chemistry.Chemistry`.
        times: (B, T) in s, ascending along T.
        chemistry: Scheme and coefficients.
        by: D of `directions`; "time" is the time of the snapshot itself. None takes the values of the recipe.
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
    if by is None:
        by = (*CONDITIONS, *chemistry.extras, "time")
    for name in by:
        if name not in directions(chemistry):
            raise InputError(f"no derivative by {name!r}; known: {', '.join(directions(chemistry))}")
    check_runs(conditions, times)
    conditions, times = conditions.detach().double(), times.detach().double()
    k, start = (of(chemistry, conditions).detach().numpy() for of in (coefficients, started))
    seeds = [name for name in by if name != "time"]
    d_start, d_k = _seeds(chemistry, conditions, seeds)
    molar_mass = chemistry.monomer_molar_mass
    found = run(start, k, times.numpy(), molar_mass, d_start=d_start, d_k=d_k, tolerance=tolerance)
    growth = Growth(*map(torch.from_numpy, found.growth))
    check_growth(growth, conditions)
    growth = growth.cumulated()
    polymer = growth.snapshots(chemistry)
    order = [seeds.index(name) if name != "time" else len(seeds) for name in by]
    return polymer, _changes(growth, polymer, found, order)


def _seeds(chemistry: Chemistry, conditions: Tensor, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the initial concentrations (B, 3, D) and of the chemistry's numbers (B, 14, D)."""
    temp, solvent = conditions[:, 2], chemistry.solvent_under(conditions).numpy()
    d_start, d_k = np.zeros((len(temp), 3, len(names))), np.zeros((len(temp), len(COEFFICIENTS), len(names)))
    for at, name in enumerate(names):
        if name in STARTED:
            d_start[:, STARTED.index(name), at] = 1.0
        elif name in COEFFICIENTS:
            d_k[:, COEFFICIENTS.index(name), at] = solvent if name == "k_trS" else 1.0
        elif name == "temp":  # acts through every rate coefficient
            for row, coefficient in enumerate(COEFFICIENTS):
                law = getattr(chemistry, coefficient)
                if isinstance(law, Arrhenius):
                    d_k[:, row, at] = law.slope(temp).detach().numpy()
            d_k[:, K_TRS, at] *= solvent
        if name in ("monomer", "solvent") and chemistry.solvent and chemistry.k_trS:
            d_k[:, K_TRS, at] += chemistry.k_trS(temp).detach().numpy() * _more_solvent(chemistry, name, solvent)
    return d_start, d_k


def _more_solvent(chemistry: Chemistry, name: str, solvent: np.ndarray) -> np.ndarray | float:
    """Derivative of the concentration of the solvent by a value of the recipe."""
    if name == "solvent":
        return 1.0
    volumes = chemistry.solvent.molar_volumes if chemistry.solvent else None
    if "solvent" in chemistry.extras:  # a value of its own, whose place no monomer takes
        return 0.0
    return 0.0 if volumes is None else np.where(solvent > 0, -volumes[0] / volumes[1], 0.0)


def _changes(growth: Growth, polymer: Snapshots, found: Integrals, order: Sequence[int]) -> Snapshots:
    """Derivatives of snapshots, with a last dimension D.

    Args:
        growth: Since the start of the reaction, (B, T).
        polymer: Its snapshots.
        found: Derivatives of the growth in some directions, and its rates, which are one direction more.
        order: Numbers of the D directions.
    """
    chains, units, squares = (part.sum(-1)[..., None] for part in (growth.chains, growth.units, growth.squares))
    more_chains, more_units, more_squares = (
        torch.cat([torch.from_numpy(slope).sum(-1).cumsum(1), torch.from_numpy(rate).sum(-1)[..., None]], -1)
        for slope, rate in zip(found.slopes[1:], found.rate[1:], strict=True)
    )
    monomer, by_time = torch.from_numpy(found.slopes[0]), torch.from_numpy(found.rate[0])
    nodes = torch.cat([torch.from_numpy(found.slopes[2]).cumsum(1), torch.from_numpy(found.rate[2])[:, :, None]], 2)
    nodes.div_(STEP).addcmul_(polymer.mmd[:, :, None], more_units[..., None], value=-1).div_(units[..., None])
    changes = Snapshots(
        mmd=nodes.mT,
        residual_monomer=torch.cat([monomer, by_time[..., None]], -1),
        Mn=polymer.Mn[..., None] * (more_units / units - more_chains / chains),
        Mw=polymer.Mw[..., None] * (more_squares / squares - more_units / units),
        dead_chains=more_chains,
    )
    if order == list(range(more_chains.shape[-1])):
        return changes
    return mapped(changes, lambda part: part[..., order])
