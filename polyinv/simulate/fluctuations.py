r"""Fluctuations of the conversion of a stochastic reaction: the linear noise approximation of the radicals.

A reaction of finite volume holds a few dozen radicals, whose number fluctuates as single events make and end them. To
first order in these fluctuations [van Kampen, *Stochastic Processes in Physics and Chemistry*, ch. X], and with
radicals that live far less than the reaction, every event k of rate r_k that changes (S, Q) by :math:`\nu_k` shifts an
output whose rate responds to the radicals with the gradient g by

.. math::
    w_k = c_k - g^\top A^{-1} \nu_k,

where A is the Jacobian of the radical balances and c_k what the event adds to the output itself. The outputs here
are :math:`D = \ln(c_{M,0}/c_M)`, the dead chains N and the initiator J that has decomposed. Their covariance C, times
the volume, follows

.. math::
    \dot C = L C + C L^\top + \sum_k r_k w_k w_k^\top,

where L feeds what was consumed too early back into the rates: with less monomer more radicals sit at mid-chain, which
slows what follows, and with less initiator there are fewer. Nothing is adjusted; the kinetic Monte Carlo agrees
(docs/explanation/simulators.md).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import Chemistry, RateCoefficients
from polyinv.runtime.threads import one_thread
from polyinv.simulate.deterministic import TRACE, Rates, initiator_left, rates
from polyinv.simulate.snapshots import mapped

STEP = 60.0
"""Longest step in s. Variances are then within 2 % of the limit of small steps."""


@dataclass(frozen=True)
class Fluctuations:
    """Scatter of stochastic reactions about the rate equations, at each snapshot; tensors of shape (B, T).

    Args:
        variance: Variance of :math:`\\ln(c_{M,0} / c_M)`, times the volume (as mol/L, so that dead chains in mol/L
            over it are chains); the variance of a reaction with N chains is ``variance * made / N``.
        correlation: Of that error with the error of ln Mn.
        memory: Correlation with the same error at the snapshot before; 0 at the first.
    """

    variance: Tensor
    correlation: Tensor
    memory: Tensor

    def __getitem__(self, runs: Tensor) -> "Fluctuations":
        """Fluctuations of some of the reactions."""
        return mapped(self, lambda part: part[runs])


def fluctuations(conditions: Tensor, times: Tensor, chemistry: Chemistry, *, step: float = STEP) -> Fluctuations:
    """Compute the fluctuations of B reactions at T times each, by the midpoint rule.

    Args:
        conditions: (B, 3), columns cBA_0 and cAIBN_0 in mol/L, temp in °C.
        times: (B, T) in s, ascending along T.
        chemistry: Scheme and coefficients.
        step: Longest time step in s.
    """
    with one_thread():
        return _fluctuations(conditions, times, chemistry, step)


def _fluctuations(conditions: Tensor, times: Tensor, chemistry: Chemistry, step: float) -> Fluctuations:
    initial, initiator, temp = conditions.unbind(-1)
    k = chemistry.at(temp)
    monomer, dead, now = initial, torch.zeros_like(temp), torch.zeros_like(temp)
    covariance = initial.new_zeros(len(initial), 3, 3)
    moments: list[tuple[Tensor, ...]] = []
    for interval in torch.diff(times, dim=-1, prepend=now[:, None]).unbind(-1):
        before, left = covariance[:, 0, 0], torch.ones_like(temp)  # of an error of D at the last snapshot
        steps = torch.ceil(interval / step * (1 - 1e-12)).clamp(min=1)
        for i in range(int(steps.max())):
            h = torch.where(i < steps, interval / steps, 0.0)
            here = rates(chemistry, k, monomer, initiator_left(k, initiator, now))
            middle = (monomer * torch.exp(-h / 2 * _outputs(k, here)[0])).clamp(min=TRACE)
            there = _Scatter.at(chemistry, k, middle, initiator_left(k, initiator, now + h / 2))
            # The exact exponential would differ in the third order of the step only.
            change = h[:, None, None] * there.feedback
            passed = torch.eye(3, dtype=change.dtype, device=change.device) + change + change @ change / 2
            added = h[:, None, None] * there.covariance
            covariance = passed @ (covariance + added / 2) @ passed.mT + added / 2
            monomer = (monomer * torch.exp(-h * there.decline)).clamp(min=TRACE)
            dead, left, now = dead + h * there.dead, left * passed[:, 0, 0], now + h
        variance = covariance[:, 0, 0]
        # ln Mn = ln(monomer consumed) - ln(chains), and a decline of ln M by dD consumes M·dD
        consumed = torch.stack([monomer / (initial - monomer), -1 / dead], -1)
        with_mass = (covariance[:, 0, :2] * consumed).sum(-1)
        of_mass = torch.einsum("bi,bij,bj->b", consumed, covariance[:, :2, :2], consumed)
        correlation = with_mass / (variance * of_mass).sqrt()
        memory = left * (before / variance).sqrt()
        moments.append((variance, correlation, memory))
    parts = (torch.stack(part, -1) for part in zip(*moments, strict=True))
    return Fluctuations(*(torch.nan_to_num(part, posinf=0.0, neginf=0.0) for part in parts))  # 0/0 at time 0


@dataclass(frozen=True)
class _Scatter:
    """At one instant: rates of D and N (B,), covariance made per second, and the matrix L (B, 3, 3)."""

    decline: Tensor
    dead: Tensor
    covariance: Tensor
    feedback: Tensor

    @classmethod
    def at(cls, chemistry: Chemistry, k: RateCoefficients, monomer: Tensor, initiator: Tensor) -> "_Scatter":
        initiation = 2 * chemistry.f * k.k_d * initiator
        now = rates(chemistry, k, monomer, initiator)
        (decline, dead), S, Q = _outputs(k, now), now.S, now.Q
        little = 1e-4
        less_monomer = _outputs(k, rates(chemistry, k, monomer * (1 - little), initiator))
        less_initiator = _outputs(k, rates(chemistry, k, monomer, initiator * (1 - little)))
        none = torch.zeros_like(decline)
        by_D, by_J = (
            [(less[0] - decline) / little, (less[1] - dead) / little] for less in (less_monomer, less_initiator)
        )
        by_J = [slope / initiator.clamp(min=1e-300) for slope in by_J]
        columns = (torch.stack([*by_D, none], -1), torch.zeros_like(none)[:, None].expand(-1, 3))
        feedback = torch.stack([*columns, torch.stack([*by_J, -k.k_d.expand_as(none)], -1)], -1)

        backbiting, return_ = k.k_bb * S, k.k_pt * monomer * Q
        transfer = (k.k_trM * monomer + k.k_trS) * S
        ss, st, tt = k.k_tss * S**2, 2 * k.k_tst * S * Q, k.k_ttt * Q**2
        d_ss, d_st, d_tt = chemistry.d_ss, chemistry.d_st, chemistry.d_tt
        events = (  # rate, change of S, change of Q, dead chains, initiator decomposed
            (initiation / 2, 2, 0, 0, 1),
            (k.k_d * initiator - initiation / 2, 0, 0, 0, 1),
            (transfer, 0, 0, 1, 0),
            (backbiting, -1, 1, 0, 0),
            (return_, 1, -1, 0, 0),
            (ss * d_ss, -2, 0, 2, 0),
            (ss * (1 - d_ss), -2, 0, 1, 0),
            (st * d_st, -1, -1, 2, 0),
            (st * (1 - d_st), -1, -1, 1, 0),
            (tt * d_tt, 0, -2, 2, 0),
            (tt * (1 - d_tt), 0, -2, 1, 0),
        )
        # Minus the Jacobian of the radical balances, and the gradients of both outputs, by S and by Q.
        loss = (
            (k.k_bb + 4 * k.k_tss * S + 2 * k.k_tst * Q, 2 * k.k_tst * S - k.k_pt * monomer),
            (2 * k.k_tst * Q - k.k_bb, k.k_pt * monomer + 2 * k.k_tst * S + 4 * k.k_ttt * Q),
        )
        by_S = (k.k_p, k.k_trM * monomer + k.k_trS + 2 * k.k_tss * S * (1 + d_ss) + 2 * k.k_tst * Q * (1 + d_st))
        by_Q = (k.k_pt, 2 * k.k_tst * S * (1 + d_st) + 2 * k.k_ttt * Q * (1 + d_tt))
        determinant = loss[0][0] * loss[1][1] - loss[0][1] * loss[1][0]
        # What one more S, or Q, does to an output until it is gone.
        reach_S = [(s * loss[1][1] - q * loss[1][0]) / determinant for s, q in zip(by_S, by_Q, strict=True)]
        reach_Q = [(q * loss[0][0] - s * loss[0][1]) / determinant for s, q in zip(by_S, by_Q, strict=True)]
        covariance = torch.zeros((), dtype=monomer.dtype)
        for rate, change_S, change_Q, chains, decomposed in events:
            effect = [change_S * s + change_Q * q for s, q in zip(reach_S, reach_Q, strict=True)]
            w = torch.stack([effect[0], effect[1] + chains, none + decomposed], -1)
            covariance = covariance + rate[:, None, None] * w[:, :, None] * w[:, None, :]
        return cls(decline, dead, covariance, feedback)


def _outputs(k: RateCoefficients, now: Rates) -> tuple[Tensor, Tensor]:
    """Rates of D in 1/s and of N in mol/L/s, each (B,)."""
    return k.k_p * now.S + k.k_pt * now.Q, now.chain_ends.flory + now.chain_ends.combined
