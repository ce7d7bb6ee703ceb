r"""Finite-chain noise: what a stochastic run of N chains would show in place of the smooth curve.

A kinetic Monte Carlo run holds N chains in its volume. Its chain counts scatter by Poisson's law; its conversion
scatters because the number of radicals does. Both are drawn here on top of the deterministic solution, at a
thousandth of the cost of the run itself.

What is made between two snapshots belongs to all later snapshots of that run: the noise is **cumulated** along it,
and so identifies it. Drawing each snapshot anew (``redraw=True``) gives every row the same distribution without that
fingerprint.
"""

from dataclasses import replace

import torch
from torch import Tensor

from polyinv.chemistry import Chemistry
from polyinv.errors import InputError
from polyinv.simulate.deterministic import BLOCK, grow_in_chunks
from polyinv.simulate.snapshots import Growth, Progress, Snapshots, check_growth, concatenate, silent

CONVERSION_NOISE = 2.65
"""Variance of the relative error of ln(c_M / c_M0), times the number of chains, after an hour of the published grid.
Kinetic Monte Carlo agrees there; in earlier snapshots it scatters more (docs/simulators.md)."""
MOST_CHAINS = 1e15
"""Poisson numbers are drawn as 64-bit integers."""


def draw(
    growth: Growth, initial_monomer: Tensor, *, chains: float, random: torch.Generator, redraw: bool = False
) -> Growth:
    """Growth since the start of each run, as a run with ``chains`` dead chains at its last snapshot would show it.

    Inside a bin all chains keep their expected mean length: the scatter of lengths within 0.08 decades is left out.

    Args:
        growth: Noise-free growth per interval, (B, T).
        initial_monomer: cBA_0 in mol/L, shape (B,).
        chains: Dead chains at the last snapshot of every run; fixes its volume.
        random: On the device of ``growth``.
        redraw: Draw each snapshot independently instead of cumulating the noise along the run.

    Raises:
        InputError: So few chains that a snapshot holds none.
    """
    if not 0 < chains <= MOST_CHAINS:
        raise InputError(f"chains is {chains:g}; needs a positive number up to {MOST_CHAINS:g}")
    decline = -torch.diff(growth.monomer.log(), dim=-1, prepend=initial_monomer.log()[:, None])  # of ln c_M, >= 0
    made = growth.chains.sum(-1)
    volume = chains / made.sum(-1, keepdim=True)  # times Avogadro's number, in L
    variance = CONVERSION_NOISE * torch.nan_to_num(decline**2 / (made * volume))  # 0/0 where no time passed
    if redraw:
        growth, decline, variance = growth.cumulated(), decline.cumsum(-1), variance.cumsum(-1)
    counts = torch.poisson(growth.chains * volume[..., None], generator=random)
    noise = torch.randn(decline.shape, generator=random, dtype=decline.dtype, device=decline.device)
    decline = decline + variance.sqrt() * noise
    share = torch.nan_to_num(counts / (growth.chains * volume[..., None]))  # drawn over expected; 0/0 in empty bins
    drawn = Growth(growth.monomer, growth.chains * share, growth.units * share, growth.squares * share)
    if not redraw:
        drawn, decline = drawn.cumulated(), decline.cumsum(-1)
    bare = (drawn.chains.sum(-1) == 0).any(-1)
    if bare.any():
        raise InputError(
            f"run {int(bare.nonzero()[0]) + 1}: no chain in its first snapshot; needs more than {chains:g} chains"
        )
    return replace(drawn, monomer=initial_monomer[:, None] * torch.exp(-decline))


def simulate(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    *,
    chains: float = 1e6,
    seed: int = 0,
    redraw: bool = False,
    progress: Progress = silent,
) -> Snapshots:
    """What B runs of ``chains`` chains show at T times each: the deterministic solution with `draw` on top.

    The random numbers come from one stream in the order of the runs.
    """
    random = torch.Generator(device=conditions.device).manual_seed(seed)
    seen = []
    for block, when in zip(conditions.split(BLOCK), times.split(BLOCK), strict=True):
        growth = grow_in_chunks(block, when, chemistry, progress=progress)
        check_growth(growth, block)
        drawn = draw(growth, block[:, 0], chains=chains, random=random, redraw=redraw)
        seen.append(drawn.snapshots(chemistry))
    return concatenate(seen)
