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

The steps and their nodes are those of `polyinv.simulate.fused_kernel`; L is held at its mean over a step.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from polyinv.chemistry import Chemistry
from polyinv.runtime.compiled import njit, slow_the_first_time
from polyinv.simulate.deterministic import TRACE
from polyinv.simulate.fused import REACH, coefficients, each_chunk, started
from polyinv.simulate.fused_kernel import (
    A_,
    COMBINED,
    FLORY,
    I_,
    M_,
    MOST_STEPS,
    NODES,
    Q_,
    S_,
    WEIGHTS,
    fallen,
    node_rates,
    step_length,
    step_nodes,
)
from polyinv.simulate.radical_rates import (
    D_SS,
    D_ST,
    D_TT,
    K_BB,
    K_D,
    K_P,
    K_PT,
    K_TRA,
    K_TRM,
    K_TRS,
    K_TSS,
    K_TST,
    K_TTT,
    F,
    rate_slopes,
)
from polyinv.simulate.snapshots import mapped

EVENTS = np.array(
    [  # change of S, change of Q, dead chains, initiator decomposed
        [2, 0, 0, 1],  # initiation
        [0, 0, 0, 1],  # initiation that fails
        [0, 0, 1, 0],  # transfer
        [-1, 1, 0, 0],  # backbiting
        [1, -1, 0, 0],  # propagation of a mid-chain radical
        [-2, 0, 2, 0],  # S + S, disproportionation
        [-2, 0, 1, 0],  # combination
        [-1, -1, 2, 0],  # S + Q
        [-1, -1, 1, 0],
        [0, -2, 2, 0],  # Q + Q
        [0, -2, 1, 0],
    ],
    dtype=np.float64,
)


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


def fluctuations(conditions: Tensor, times: Tensor, chemistry: Chemistry, *, reach: float = REACH) -> Fluctuations:
    """Compute the fluctuations of B reactions at T times each, some 30 µs a reaction; float64, on the device given.

    Args:
        conditions: (B, 3 + E), monomer and initiator in mol/L, temperature in °C, then other concentrations.
        times: (B, T) in s, ascending along T.
        chemistry: Scheme and coefficients.
        reach: Longest step, as the decline of ln M plus that of ln I.
    """
    given = conditions.detach().double().cpu()
    k = coefficients(chemistry, given).detach().numpy()
    start, when = (
        np.require(started(chemistry, given).numpy(), requirements=["C", "W"]),
        times.detach().double().cpu().numpy(),
    )
    arrays = (start, k, np.require(when, requirements=["C", "W"]), np.empty((*when.shape, 3)))
    with slow_the_first_time("the fluctuations"):
        for _ in each_chunk(lambda rows: _scatter_of(reach, *(each[rows] for each in arrays)), len(start)):
            pass
    return Fluctuations(*(torch.from_numpy(part).to(conditions.device) for part in np.moveaxis(arrays[-1], -1, 0)))


@njit(nogil=True, cache=True, error_model="numpy")
def _scatter_of(
    reach: float,
    start: np.ndarray,
    k: np.ndarray,
    times: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write variance, correlation and memory of B reactions, (B, T, 3)."""
    for b in range(len(k)):
        _scatter(reach, start[b], k[b], times[b], out[b])


@njit(nogil=True, cache=True, error_model="numpy")
def _scatter(
    reach: float,
    start: np.ndarray,
    k: np.ndarray,
    times: np.ndarray,
    out: np.ndarray,
) -> None:
    M, initiator, A = start[0], start[1], start[2]
    flat, ratio, steep, found = np.zeros((2, 3)), np.zeros(3), np.zeros(3), np.empty((3, 9))
    covariance, feedback, made = np.zeros((3, 3)), np.zeros((3, 3, 3)), np.zeros((3, 3, 3))
    dead, now, steps = 0.0, 0.0, 0
    for t in range(len(times)):
        before, kept = covariance[0, 0], 1.0  # of an error of D at the last snapshot
        while now < times[t] and M > TRACE and steps < MOST_STEPS:
            steps += 1
            h = step_length(k, M, initiator, A, now, times[t] - now, reach, flat, ratio)
            step_nodes(k, M, initiator, A, now, h, flat, ratio, steep, found)
            mean = np.zeros((3, 3))
            for i in range(3):
                _at_node(k, found[i], feedback[i], made[i])
                mean += WEIGHTS[i] * feedback[i]
                dead += h * WEIGHTS[i] * (found[i, FLORY] + found[i, COMBINED])
            passed = _exponential(h * mean)
            covariance = _turned(passed, covariance)
            for i in range(3):
                covariance += h * WEIGHTS[i] * _turned(_exponential((1 - NODES[i]) * h * mean), made[i])
            M = max(M * np.exp(-fallen(flat[0], WEIGHTS, h)), TRACE)
            A *= np.exp(-fallen(flat[1], WEIGHTS, h))
            kept *= passed[0, 0]
            now = times[t] if h == times[t] - now else now + h
        now = times[t]
        # ln Mn = ln(monomer consumed) - ln(chains), and a decline of ln M by dD consumes M dD
        by_D, by_N = M / (start[0] - M), -1 / dead
        variance = covariance[0, 0]
        with_mass = by_D * variance + by_N * covariance[0, 1]
        of_mass = by_D**2 * variance + 2 * by_D * by_N * covariance[0, 1] + by_N**2 * covariance[1, 1]
        out[t, 0] = variance
        out[t, 1] = _or_nothing(with_mass / np.sqrt(variance * of_mass))
        out[t, 2] = _or_nothing(kept * np.sqrt(before / variance))


@njit(nogil=True, cache=True, error_model="numpy")
def _or_nothing(number: float) -> float:
    """The number, 0 in place of 0/0."""
    return number if np.isfinite(number) else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _at_node(
    k: np.ndarray,
    found: np.ndarray,
    feedback: np.ndarray,
    made: np.ndarray,
) -> None:
    """Write the matrix L and the covariance made per second, (3, 3) each, at one node of a step."""
    M, initiator, agent, S, Q = found[M_], found[I_], found[A_], found[S_], found[Q_]
    none, by_M, by_I, slopes = np.zeros((len(k), 2)), np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.empty((6, 2))
    rate_slopes(k, M, initiator, agent, node_rates(found), none, by_M, by_I, np.zeros(2), slopes)
    feedback[:] = 0.0
    feedback[0, 0], feedback[1, 0] = -M * slopes[4, 0], -M * (slopes[0, 0] + slopes[1, 0])
    feedback[0, 2], feedback[1, 2] = -slopes[4, 1], -(slopes[0, 1] + slopes[1, 1])
    feedback[2, 2] = -k[K_D]
    # Minus the Jacobian of the radical balances, and the gradients of both outputs, by S and by Q.
    ss, sq = k[K_BB] + 4 * k[K_TSS] * S + 2 * k[K_TST] * Q, 2 * k[K_TST] * S - k[K_PT] * M
    qs, qq = 2 * k[K_TST] * Q - k[K_BB], k[K_PT] * M + 2 * k[K_TST] * S + 4 * k[K_TTT] * Q
    transfer = k[K_TRM] * M + k[K_TRS] + k[K_TRA] * agent
    ends_st = 2 * k[K_TST] * (1 + k[D_ST])
    dead_S = transfer + 2 * k[K_TSS] * S * (1 + k[D_SS]) + ends_st * Q
    dead_Q = ends_st * S + 2 * k[K_TTT] * Q * (1 + k[D_TT])
    if k[K_BB] == 0.0:  # no mid-chain radicals
        sq, qs, qq = 0.0, 0.0, 1.0
    determinant = ss * qq - sq * qs
    # What one more S, or Q, does to an output until it is gone.
    D_by_S, D_by_Q = (k[K_P] * qq - k[K_PT] * qs) / determinant, (k[K_PT] * ss - k[K_P] * sq) / determinant
    N_by_S, N_by_Q = (dead_S * qq - dead_Q * qs) / determinant, (dead_Q * ss - dead_S * sq) / determinant
    started = k[F] * k[K_D] * initiator
    by_ss, by_st, by_tt = k[K_TSS] * S**2, 2 * k[K_TST] * S * Q, k[K_TTT] * Q**2
    event_rates = (
        started,
        k[K_D] * initiator - started,
        transfer * S,
        k[K_BB] * S,
        k[K_PT] * M * Q,
        by_ss * k[D_SS],
        by_ss * (1 - k[D_SS]),
        by_st * k[D_ST],
        by_st * (1 - k[D_ST]),
        by_tt * k[D_TT],
        by_tt * (1 - k[D_TT]),
    )
    made[:] = 0.0
    w = np.empty(3)
    for event in range(len(EVENTS)):
        change_S, change_Q, chains, decomposed = EVENTS[event]
        w[0] = change_S * D_by_S + change_Q * D_by_Q
        w[1] = change_S * N_by_S + change_Q * N_by_Q + chains
        w[2] = decomposed
        for i in range(3):
            for j in range(3):
                made[i, j] += event_rates[event] * w[i] * w[j]


@njit(nogil=True, cache=True, error_model="numpy")
def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Product of two matrices (3, 3); numba's own takes BLAS, which is slower and needs scipy."""
    out = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for m in range(3):
                out[i, j] += left[i, m] * right[m, j]
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _turned(matrix: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Covariance of what a matrix makes of something with a covariance, (3, 3)."""
    return _product(_product(matrix, covariance), matrix.T)


@njit(nogil=True, cache=True, error_model="numpy")
def _exponential(matrix: np.ndarray) -> np.ndarray:
    """Exponential of a matrix (3, 3) by its series: its eigenvalues are below one, a step being short."""
    term = np.eye(3)
    total = np.eye(3)
    for n in range(1, 10):
        term = _product(term, matrix) / n
        total += term
    return total
