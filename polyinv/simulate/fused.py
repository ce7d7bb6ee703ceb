"""Forward solver on a CPU: the growth of reactions and its derivatives, some 20 µs each.

What `polyinv.simulate.deterministic` computes with torch, by the compiled loop of `polyinv.simulate.fused_kernel`, on
as many threads as torch may use. To torch it is a function like any other: gradients flow back to the recipe, the
times, and coefficients of the chemistry that are tensors.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from polyinv.chemistry import Chemistry
from polyinv.quantities import N_NODES
from polyinv.runtime.compiled import slow_the_first_time
from polyinv.simulate.chain_lengths import cuts
from polyinv.simulate.fused_kernel import integrate
from polyinv.simulate.radical_rates import COEFFICIENTS
from polyinv.simulate.snapshots import Growth, Progress, check_runs, silent

TOLERANCE = 1e-6
"""Largest relative error of X, Mn and Mw, and of the curve at any node against its peak."""
REACH = 0.25
"""Longest step at that tolerance, as the decline of ln M plus that of ln I; the error falls with its sixth power."""
CHUNK = 256
"""Reactions that a thread takes at once."""
GRADIENT_CHUNK = 64
"""Reactions whose derivatives are held at once on the way back, some 10 MB per snapshot."""
STARTED = ("monomer", "initiator", "agent")
"""Concentrations that a reaction starts with and that change in it."""


class Integrals(NamedTuple):
    """Result of an integration, as numpy arrays: growth, its derivatives in D directions, and its rates.

    Args:
        growth: Monomer (B, T), chains, units and squares (B, T, 100), see `polyinv.simulate.snapshots.Growth`.
        slopes: Their derivatives: of the monomer (B, T, D), of the rest (B, T, D, 100).
        rate: Their derivatives by the time of the snapshot; empty without directions.
    """

    growth: tuple[np.ndarray, ...]
    slopes: tuple[np.ndarray, ...]
    rate: tuple[np.ndarray, ...]


def grow(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    *,
    tolerance: float = TOLERANCE,
    progress: Progress = silent,
) -> Growth:
    """Integrate the chains made between the snapshots of B reactions; the result is float64.

    Args:
        conditions: (B, 3 + E), see `polyinv.chemistry.Chemistry`.
        times: (B, T) in s, ascending along T.
        chemistry: Its range is not checked here: outside it the coefficients extrapolate.
        tolerance: Largest relative error, see ``TOLERANCE``.
        progress: Called with the number of reactions just done.

    Raises:
        InputError: A reaction that cannot be.
    """
    check_runs(conditions, times)
    conditions, times = conditions.double(), times.double()
    k, start = coefficients(chemistry, conditions), started(chemistry, conditions)
    return Growth(*_Fused.apply(start, k, times, chemistry.monomer_molar_mass, tolerance, progress))


def started(chemistry: Chemistry, conditions: Tensor) -> Tensor:
    """Monomer, initiator and chain transfer agent in mol/L at the start of reactions (B, 3 + E), (B, 3)."""
    return torch.cat([conditions[:, :2], chemistry.agent_under(conditions)[:, None]], -1)


def coefficients(chemistry: Chemistry, conditions: Tensor) -> Tensor:
    """Numbers of a chemistry under conditions (B, 3 + E), (B, 14), in the order of ``COEFFICIENTS``."""
    k = chemistry.under(conditions)
    laws = [getattr(k, field.name) for field in fields(k)]
    rest = (torch.as_tensor(getattr(chemistry, name), dtype=torch.float64) for name in COEFFICIENTS[len(laws) :])
    return torch.stack([*laws, *(number.expand(len(conditions)) for number in rest)], -1)


def run(
    start: np.ndarray,
    k: np.ndarray,
    times: np.ndarray,
    monomer_molar_mass: float,
    *,
    d_start: np.ndarray | None = None,
    d_k: np.ndarray | None = None,
    tolerance: float = TOLERANCE,
    progress: Progress = silent,
) -> Integrals:
    """Integrate B reactions in chunks on several threads, with derivatives in D directions where they are given.

    Args:
        start: Monomer, initiator and chain transfer agent at time zero in mol/L, (B, 3).
        k: Numbers of the chemistry, (B, 14), see `coefficients`.
        times: In s, ascending, (B, T).
        monomer_molar_mass: In g/mol.
        d_start: Derivatives of ``start``, (B, 3, D).
        d_k: Derivatives of ``k``, (B, 14, D).
        tolerance: Largest relative error.
        progress: Called with the number of reactions just done.
    """
    (B, T), slopes = times.shape, d_start is not None and d_k is not None
    if d_start is None or d_k is None:
        d_start, d_k = np.zeros((B, 3, 0)), np.zeros((B, len(COEFFICIENTS), 0))
    D, R = d_start.shape[-1], T * slopes
    monomer, d_monomer, rate = np.empty((B, T)), np.empty((B, T, D)), np.zeros((B, R))
    bins, d_bins, rate_bins = (
        np.zeros((B, 3, T, N_NODES)),
        np.zeros((B, 3, T, D, N_NODES)),
        np.zeros((B, 3, R, N_NODES)),
    )
    # Of one layout, whatever comes in: another one would be compiled anew.
    given = [np.require(each, np.float64, ["C", "W"]) for each in (start, d_start, k, d_k, times)]
    arrays = (*given, monomer, d_monomer, rate, bins, d_bins, rate_bins)
    reach = min(REACH * (tolerance / TOLERANCE) ** (1 / 6), 1.0)
    lengths, below = held_cuts(monomer_molar_mass)

    def work(rows: slice) -> None:
        integrate(lengths, below, reach, slopes, tuple(each[rows] for each in arrays))

    with slow_the_first_time("the solver"):
        for done in each_chunk(work, B):
            progress(done)
    np.maximum(bins, 0.0, out=bins)  # rounding leaves -1e-17 where nothing is
    return Integrals((monomer, *_moments(bins)), (d_monomer, *_moments(d_bins)), (-rate, *_moments(rate_bins)))


def _moments(bins: np.ndarray) -> tuple[np.ndarray, ...]:
    """Chains, units and squares of ``bins`` (B, 3, ...), each (B, ...)."""
    return bins[:, 0], bins[:, 1], bins[:, 2]


def held_cuts(monomer_molar_mass: float) -> tuple[np.ndarray, np.ndarray]:
    """How the edges of the bins that can hold a chain cut the lengths, (E,) each; the last bin is open."""
    lengths, below = cuts(monomer_molar_mass)
    empty = int((lengths + below == 0).sum()) - 1
    return lengths[empty:-1].copy(), below[empty:-1].copy()


def each_chunk(work: Callable[[slice], None], count: int) -> Iterator[int]:
    """Work on chunks of ``count`` reactions, on as many threads as torch may use; yields how many each had."""
    chunks = [slice(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK)]

    def done(rows: slice) -> int:
        work(rows)
        return rows.stop - rows.start

    threads = min(torch.get_num_threads(), len(chunks))
    if threads < 2:
        yield from map(done, chunks)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(done, chunks)


class _Fused(torch.autograd.Function):
    """The solver as a node of torch's graph: derivatives are taken forward, on the way back."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, k: Tensor, times: Tensor, *options: Any) -> tuple[Tensor, ...]:
        ctx.save_for_backward(start, k, times)
        ctx.options = options
        molar_mass, tolerance, progress = options
        inputs = start.detach().numpy(), k.detach().numpy(), times.detach().numpy()
        found = run(*inputs, molar_mass, tolerance=tolerance, progress=progress)
        return tuple(torch.from_numpy(part) for part in found.growth)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *wanted: Tensor) -> tuple[Tensor | None, ...]:
        parts = [
            _pulled_back(ctx, slice(at, at + GRADIENT_CHUNK), wanted) for at in range(0, len(wanted[0]), GRADIENT_CHUNK)
        ]
        start, k, times = (torch.cat(part) for part in zip(*parts, strict=True))
        return start, k, times, None, None, None


def _pulled_back(ctx: Any, rows: slice, wanted: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients by start, coefficients and times of some reactions."""
    start, k, times = (each[rows].detach().numpy() for each in ctx.saved_tensors)
    molar_mass, tolerance, _ = ctx.options
    D, own = start.shape[1] + k.shape[1], start.shape[1]
    directions = np.broadcast_to(np.eye(D), (len(start), D, D))
    d_start, d_k = directions[:, :own], directions[:, own:]
    found = run(start, k, times, molar_mass, d_start=d_start, d_k=d_k, tolerance=tolerance)
    gradient = torch.zeros(len(start), directions.shape[1], dtype=torch.float64)
    by_time = torch.zeros(times.shape, dtype=torch.float64)
    for part, weight in enumerate(each[rows] for each in wanted):
        slope, rate = torch.from_numpy(found.slopes[part]), torch.from_numpy(found.rate[part])
        if part == 0:  # the monomer at a time; the rest is made in the interval before it
            gradient += torch.einsum("bt,btd->bd", weight, slope)
            by_time += weight * rate
        else:
            gradient += torch.einsum("bte,btde->bd", weight, slope)
            by_time += (weight * rate).sum(-1)
            by_time[:, :-1] -= (weight[:, 1:] * rate[:, :-1]).sum(-1)
    return gradient[:, :own], gradient[:, own:], by_time
