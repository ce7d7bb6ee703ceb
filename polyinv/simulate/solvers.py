"""The rate equations solved: by the compiled loop on a CPU, by torch on a GPU.

``SOLVERS`` lists the ways. Each takes ``conditions`` (B, 3), ``times`` (B, T) and a chemistry and returns the `Growth`
in the intervals between the times, differentiable in all of them.
"""

import math
from collections.abc import Callable

from torch import Tensor

from polyinv.chemistry import Chemistry
from polyinv.simulate import deterministic, fused
from polyinv.simulate.snapshots import Growth, Progress, Snapshots, check_growth, concatenate, silent

SOLVERS: dict[str, Callable[..., Growth]] = {"fused": fused.grow, "torch": deterministic.grow_in_chunks}

BLOCK = 16384
"""Reactions whose growth is held at once, about 40 MB per snapshot; the rest of the memory is what is asked for."""


def grow(
    conditions: Tensor, times: Tensor, chemistry: Chemistry, *, solver: str | None = None, progress: Progress = silent
) -> Growth:
    """Integrate the chains made between the snapshots of B reactions.

    Args:
        conditions: (B, 3 + E), monomer and initiator in mol/L, temperature in °C, then other concentrations.
        times: (B, T) in s, ascending along T.
        chemistry: Its range is not checked here: outside it the coefficients extrapolate.
        solver: One of ``SOLVERS``; None takes ``fused`` on a CPU, ``torch`` on any other device.
        progress: Called with the number of reactions just done.

    Raises:
        InputError: A reaction that cannot be.
    """
    solver = solver or ("fused" if conditions.device.type == "cpu" else "torch")
    return SOLVERS[solver](conditions, times, chemistry, progress=progress)


def simulate(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    *,
    chains: float = math.inf,
    seed: int = 0,
    solver: str | None = None,
    progress: Progress = silent,
) -> Snapshots:
    """Simulate B reactions at T times each by the rate equations, without noise.

    Example:
        >>> import torch
        >>> from polyinv.chemistry import BUTYL_ACRYLATE
        >>> run = torch.tensor([[1.0, 0.02, 70.0]], dtype=torch.float64)
        >>> polymer = simulate(run, torch.tensor([[1800.0, 3600.0]], dtype=torch.float64), BUTYL_ACRYLATE)
        >>> [round(Mn, -2) for Mn in polymer.Mn[0].tolist()]
        [23300.0, 17600.0]
    """
    snapshots = []
    for block, when in zip(conditions.split(BLOCK), times.split(BLOCK), strict=True):
        growth = grow(block, when, chemistry, solver=solver, progress=progress)
        check_growth(growth, block)
        snapshots.append(growth.cumulated().snapshots(chemistry))
    return concatenate(snapshots)
