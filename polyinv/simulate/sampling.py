r"""Finite-chain noise: the curve of a stochastic reaction of N chains in place of the smooth one.

A kinetic Monte Carlo reaction holds N chains in its volume. Its chain counts scatter by Poisson's law; its conversion
scatters because the number of radicals does (`polyinv.simulate.fluctuations`), and with it the mean chain length: more
radicals convert more monomer into shorter chains. Both are drawn here on top of the deterministic solution, at a
thousandth of the cost of the reaction itself.

What is made between two snapshots belongs to all later snapshots of that reaction: the noise is **cumulated** along it,
and so identifies it. Drawing each snapshot anew (``redraw=True``) gives every row the same distribution without that
fingerprint.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from polyinv.chemistry import Chemistry
from polyinv.errors import InputError
from polyinv.simulate.fluctuations import Fluctuations, fluctuations
from polyinv.simulate.snapshots import Growth, Progress, Snapshots, check_growth, concatenate, silent
from polyinv.simulate.solvers import BLOCK, grow

MOST_CHAINS = 1e15
"""Poisson numbers are drawn as 64-bit integers."""


def draw(
    growth: Growth,
    scatter: Fluctuations,
    initial_monomer: Tensor,
    *,
    volume: Tensor,
    generator: torch.Generator | Sequence[torch.Generator],
    redraw: bool = False,
) -> Growth:
    """Draw the growth since the start of each reaction, as a finite volume would show it.

    Inside a bin all chains keep their expected mean length: the scatter of lengths within 0.08 decades is left out.

    Args:
        growth: Noise-free growth per interval, (B, T).
        scatter: Of the same reactions at the same times.
        initial_monomer: In mol/L, shape (B,).
        volume: Chains per mol/L in each reaction, shape (B,).
        generator: On the device of ``growth``; or several, each for as many of the reactions, one after the other.
        redraw: Draw each snapshot independently instead of cumulating the noise along the reaction.

    Raises:
        InputError: So few chains that a snapshot holds none.
    """
    smooth = growth.cumulated()
    if redraw:
        growth = smooth
    expected = growth.chains * volume[:, None, None]
    streams = [generator] if isinstance(generator, torch.Generator) else generator
    parts = zip(expected.chunk(len(streams)), streams, strict=True)
    counts = torch.cat([torch.poisson(part, generator=stream) for part, stream in parts])
    share = torch.nan_to_num(counts / expected)  # 0/0 in empty bins
    drawn = Growth(growth.monomer, growth.chains * share, growth.units * share, growth.squares * share)
    if not redraw:
        drawn = drawn.cumulated()
    dead_chains = drawn.chains.sum(-1)
    bare = (dead_chains == 0).any(-1)
    if bare.any():
        run = int(bare.nonzero()[0])
        raise InputError(
            f"reaction {run + 1}: no chain in its first snapshot, which would hold "
            f"{float(smooth.chains[run, 0].sum() * volume[run]):.2g} on average; needs more chains"
        )

    # The error of the conversion is made of a part that goes with the error of ln Mn and a part of its own.
    own = _standard_normal(scatter.variance, streams)
    if not redraw:
        for now in range(1, own.shape[1]):
            kept = scatter.memory[:, now]
            own[:, now] = kept * own[:, now - 1] + (1 - kept**2).clamp(min=0).sqrt() * own[:, now]
    error = scatter.correlation * _error_of_Mn(drawn, smooth, volume) + (1 - scatter.correlation**2).sqrt() * own
    deviated = torch.exp(-error * (scatter.variance / volume[:, None]).sqrt())
    return replace(drawn, monomer=(smooth.monomer * deviated).minimum(initial_monomer[:, None]))


def _standard_normal(like: Tensor, streams: Sequence[torch.Generator]) -> Tensor:
    parts = zip(like.chunk(len(streams)), streams, strict=True)
    return torch.cat([part.new_empty(part.shape).normal_(generator=stream) for part, stream in parts])


def _error_of_Mn(drawn: Growth, smooth: Growth, volume: Tensor) -> Tensor:
    """Standardized error of ln Mn: drawn less expected, over its standard deviation, (B, T)."""
    chains, units, squares = (part.sum(-1) for part in (smooth.chains, smooth.units, smooth.squares))
    deviation = torch.log(drawn.units.sum(-1) / drawn.chains.sum(-1) * chains / units)
    dispersity = squares * chains / units**2
    return deviation / ((dispersity - 1) / (chains * volume[:, None])).sqrt()


def check_chains(chains: float) -> None:
    """Refuse a number of chains that cannot be.

    Raises:
        InputError: It is not positive, or too large to be drawn.
    """
    if not 0 < chains <= MOST_CHAINS:
        raise InputError(f"chains is {chains:g}; needs a positive number up to {MOST_CHAINS:g}")


def grow_with_horizon(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    horizon: float | None,
    *,
    progress: Progress = silent,
) -> tuple[Growth, Tensor]:
    """Integrate the growth (B, T), and the dead chains in mol/L, (B,), that each reaction has made by its horizon.

    Args:
        conditions: (B, 3 + E), see `polyinv.chemistry.Chemistry`.
        times: (B, T) in s, ascending along T.
        chemistry: Scheme and coefficients.
        horizon: In s; None takes the last snapshot of each reaction.
        progress: Called with the number of reactions just done.

    Raises:
        InputError: A reaction that cannot be, or whose last snapshot lies beyond the horizon.
    """
    if horizon is not None:
        if not times.max() <= horizon < float("inf"):
            raise InputError(f"horizon is {horizon:g} s; needs to reach the last snapshot at {times.max():g} s")
        times = torch.cat([times, torch.full_like(times[:, :1], horizon)], dim=1)
    growth = grow(conditions, times, chemistry, progress=progress)
    check_growth(growth, conditions)
    dead_chains = growth.chains.sum((-1, -2))
    return (growth if horizon is None else growth.until(-1)), dead_chains


def simulate(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    *,
    chains: float = 1e6,
    seed: int = 0,
    horizon: float | None = None,
    redraw: bool = False,
    first: int = 0,
    progress: Progress = silent,
) -> Snapshots:
    """Simulate B reactions of ``chains`` chains at T times each: the deterministic solution with `draw` on top.

    The random numbers of each `BLOCK` of reactions come from a stream of their own, in the order of the reactions.

    Args:
        conditions: (B, 3 + E), see `polyinv.chemistry.Chemistry`.
        times: (B, T) in s, ascending along T.
        chemistry: Scheme and coefficients.
        chains: Dead chains of each reaction at its horizon; fixes its volume.
        seed: Of the random numbers.
        horizon: In s; None takes the last snapshot of each reaction.
        redraw: Draw each snapshot independently.
        first: Number of the first of these reactions in a larger table, a multiple of `BLOCK`.
        progress: Called with the number of reactions just done.
    """
    check_chains(chains)
    snapshots = []
    for number, (block, when) in enumerate(
        zip(conditions.split(BLOCK), times.split(BLOCK), strict=True), start=first // BLOCK
    ):
        generator = torch.Generator(device=conditions.device).manual_seed(_seed_of_block(seed, number))
        growth, dead_chains = grow_with_horizon(block, when, chemistry, horizon, progress=progress)
        scatter = fluctuations(block, when, chemistry)
        drawn = draw(growth, scatter, block[:, 0], volume=chains / dead_chains, generator=generator, redraw=redraw)
        snapshots.append(drawn.snapshots(chemistry))
    return concatenate(snapshots)


def _seed_of_block(seed: int, number: int) -> int:
    """Seed of the random stream of a block of reactions; the first one has that of the table."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed
