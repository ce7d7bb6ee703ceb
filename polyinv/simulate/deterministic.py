r"""Rate equations in the quasi-steady state, and the dead chains that they make.

A radical lives far less than a second, so that S and Q follow the slow species M and I at once. Balancing both kinds,

.. math::
    0 &= R_i + k_{pt} M Q - k_{bb} S - 2 k_{t,ss} S^2 - 2 k_{t,st} S Q \\
    0 &= k_{bb} S - k_{pt} M Q - 2 k_{t,st} S Q - 2 k_{t,tt} Q^2

with :math:`R_i = 2 f k_d I`, leaves one smooth equation for M, and I in closed form. Each time step adds the chains
of `polyinv.simulate.chain_lengths`. Everything is a torch expression in float64: batched over reactions, differentiable
in the recipe and in the coefficients of the chemistry, on the device of its inputs. It is the reference, and what a GPU
takes; on a CPU `polyinv.simulate.fused` does the same many times faster.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import Chemistry, RateCoefficients
from polyinv.errors import InputError
from polyinv.runtime.threads import one_thread
from polyinv.simulate.chain_lengths import ChainEnds, cuts, moments_beyond
from polyinv.simulate.snapshots import Growth, Progress, check_runs, concatenate, silent

STEP = 10.0
"""Longest time step in s. On the published grid X is then within 2e-5, Mn within 2e-4 of the limit of small steps."""
TRACE = 1e-9
"""Monomer in mol/L that is never consumed: chains that start take a unit each, and would go on when there is none."""
GONE = 500.0
"""Time constants of the initiator after which nothing is left of it; after 750 it would be 0, and rates 0/0."""
MOST_STEPS = 1_000_000
CHUNK = {"cpu": 512, "cuda": 32768}
"""Runs integrated at once, so that the working set of a CPU stays in its cache."""


@dataclass(frozen=True)
class Rates:
    """Rates at one instant, in mol/L/s, and the radicals behind them, in mol/L; of shape (B,)."""

    chain_ends: ChainEnds
    consumption: Tensor  # of monomer
    S: Tensor
    Q: Tensor


def radicals(k: RateCoefficients, monomer: Tensor, initiation: Tensor) -> tuple[Tensor, Tensor]:
    r"""Quasi-steady concentrations of chain-end radicals S and mid-chain radicals Q, in mol/L.

    The two balances leave one equation for :math:`x = Q/S`, increasing in x and solved by Newton's method from the
    right. All but the last iteration are outside the graph: one step from the solution has the exact derivative of
    the implicit function.

    Args:
        k: Rate coefficients, shape (B,).
        monomer: M in mol/L, shape (B,).
        initiation: R_i in mol/L/s, shape (B,).
    """

    def chain_end_radicals(x: Tensor) -> tuple[Tensor, Tensor]:
        spread = k.k_tss + 2 * k.k_tst * x + k.k_ttt * x**2
        return torch.sqrt(initiation / (2 * spread)), spread

    def newton(x: Tensor) -> Tensor:
        S, spread = chain_end_radicals(x)
        loss = k.k_pt * monomer + 2 * S * (k.k_tst + k.k_ttt * x)  # of Q, per Q, in 1/s
        slope = loss + 2 * x * S * (k.k_tss * k.k_ttt - k.k_tst**2) / spread
        return x - (x * loss - k.k_bb) / slope

    if not bool((k.k_bb > 0).any()):  # no mid-chain radicals
        S, _ = chain_end_radicals(torch.zeros_like(monomer))
        return S, torch.zeros_like(S)
    with torch.no_grad():
        x = k.k_bb / (k.k_pt * monomer)
        for _ in range(5):
            x = newton(x)
    x = newton(x)
    S, _ = chain_end_radicals(x)
    return S, x * S


def rates(chemistry: Chemistry, k: RateCoefficients, monomer: Tensor, initiator: Tensor, agent: Tensor) -> Rates:
    """Rates of everything that M, I, A and the dead chains need, for M, I and A in mol/L of shape (B,)."""
    initiation = 2 * chemistry.f * k.k_d * initiator
    S, Q = radicals(k, monomer, initiation)
    transfer = (k.k_trM * monomer + k.k_trS + k.k_trA * agent) * S
    terminations = (  # events, and the fraction of them that disproportionates
        (k.k_tss * S**2, chemistry.d_ss),
        (2 * k.k_tst * S * Q, chemistry.d_st),
        (k.k_ttt * Q**2, chemistry.d_tt),
    )
    flory = transfer + sum(2 * d * events for events, d in terminations)
    by_ss, by_st, by_tt = ((1 - d) * events for events, d in terminations)
    combined = by_ss + by_st + by_tt
    # Initiation and transfer start a chain each, which takes a monomer unit at once.
    consumption = (k.k_p * S + k.k_pt * Q) * monomer + initiation + transfer
    return Rates(ChainEnds((flory + 2 * combined) / consumption, flory, combined), consumption, S, Q)


def initiator_left(k: RateCoefficients, initiator: Tensor, now: Tensor) -> Tensor:
    """Initiator in mol/L after ``now`` seconds, (B,)."""
    return initiator * torch.exp(-(k.k_d * now).clamp(max=GONE))


def grow(conditions: Tensor, times: Tensor, chemistry: Chemistry, *, step: float = STEP) -> Growth:
    """Integrate the chains made between the snapshots of B reactions, by the midpoint rule.

    The monomer is advanced in its logarithm, and the chains of a step hold exactly the monomer consumed in it: units
    are conserved to rounding and M stays positive at any step. The error falls with the square of the step.

    Args:
        conditions: (B, 3 + E), see `polyinv.chemistry.Chemistry`.
        times: (B, T) in s, ascending along T.
        chemistry: Its range is not checked here: outside it the coefficients extrapolate.
        step: Longest time step in s. The steps of a reaction depend on its own times only.

    Raises:
        InputError: A reaction that cannot be.
    """
    check_runs(conditions, times)
    monomer, initiator, temp = conditions[:, :3].unbind(-1)
    k, agent = chemistry.under(conditions), chemistry.agent_under(conditions)
    lengths, below = (torch.as_tensor(part).to(conditions)[:, None] for part in cuts(chemistry.monomer_molar_mass))
    empty = int((lengths + below == 0).sum()) - 1  # bins below the shortest chain
    lengths, below = lengths[empty:-1], below[empty:-1]  # the last bin is open: it ends nowhere

    def at(monomer: Tensor, agent: Tensor, now: Tensor) -> Rates:
        return rates(chemistry, k, monomer, initiator_left(k, initiator, now), agent)

    now = torch.zeros_like(temp)
    residual, dead_chains = [], []
    for interval in torch.diff(times, dim=-1, prepend=now[:, None]).unbind(-1):
        steps = torch.ceil(interval.detach() / step * (1 - 1e-12))
        if steps.max() > MOST_STEPS:
            raise InputError(f"{interval.max():g} s are more than {MOST_STEPS} steps of {step:g} s")
        beyond: list[Tensor | float] = [0.0, 0.0, 0.0]
        for i in range(int(steps.max())):
            h = torch.where(i < steps, interval / steps.clamp(min=1), 0.0)
            here = at(monomer, agent, now)
            middle = (monomer * torch.exp(-h / 2 * here.consumption / monomer)).clamp(min=TRACE)
            there = at(middle, agent * torch.exp(-h / 2 * k.k_trA * here.S), now + h / 2)
            consumed = -monomer * torch.expm1(-h * there.consumption / middle)
            consumed = consumed.minimum((monomer - TRACE).clamp(min=0))
            extent = consumed / there.consumption  # in s; h to third order
            ends = there.chain_ends
            chains = ChainEnds(ends.p, ends.flory * extent, ends.combined * extent)
            moments = moments_beyond(lengths, chains, below)
            beyond = [total + moment for total, moment in zip(beyond, moments, strict=True)]
            monomer, agent, now = monomer - consumed, agent * torch.exp(-h * k.k_trA * there.S), now + h
        residual.append(monomer)
        dead_chains.append([_bins(total, empty, like=temp) for total in beyond])
    return Growth(torch.stack(residual, -1), *(torch.stack(part, 1) for part in zip(*dead_chains, strict=True)))


def _bins(beyond: Tensor | float, empty: int, *, like: Tensor) -> Tensor:
    """From moments beyond each edge, shape (E, B), to those in each of the 100 bins, shape (B, 100)."""
    if not isinstance(beyond, Tensor):  # no time passed
        return like.new_zeros(len(like), 100)
    inside = beyond - torch.cat([beyond[1:], torch.zeros_like(beyond[:1])])
    # Rounding leaves -1e-17 where nothing is.
    return torch.nn.functional.pad(inside.clamp(min=0).T, (empty, 0))


def grow_in_chunks(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    *,
    step: float = STEP,
    progress: Progress = silent,
) -> Growth:
    """Call `grow` in chunks of reactions; ``progress`` is called with the number of reactions just done.

    Runs are sorted by their times first, so that a chunk does not wait for one long interval among short ones.
    """
    check_runs(conditions, times)
    order = times[:, 0].detach().argsort()
    order = order[times[order, -1].detach().argsort(stable=True)]
    size = CHUNK[conditions.device.type]
    parts = []
    with one_thread():
        for rows in order.split(math.ceil(len(order) / math.ceil(len(order) / size))):
            parts.append(grow(conditions[rows], times[rows], chemistry, step=step))
            progress(len(rows))
    return concatenate(parts)[order.argsort()]
