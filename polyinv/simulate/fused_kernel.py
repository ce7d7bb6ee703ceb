r"""Rate equations of one reaction fused into one compiled loop, with their derivatives: tens of microseconds.

The scheme and the conventions of `polyinv.simulate.deterministic`, which stays the reference and works on a GPU. What
is different is the rule by which they are integrated. In :math:`u = \ln M` the monomer falls by :math:`\dot u =
-r/M`, r being the consumption, which hardly depends on u itself; three Gauss nodes per step (order 6 [Hairer, Nørsett,
Wanner, *Solving Ordinary Differential Equations* II, IV.5]), found by the secant method, give the monomer at the
end of the step and, as a quadrature, the chains made in it. They are scaled to hold exactly the monomer consumed. A
step is as long as monomer and initiator take to fall by about a third, so that steps get finer where conversion nears
one; it changes continuously with the recipe.

Derivatives are taken forward in any number of directions: by the initial concentrations, by each rate coefficient, by
the temperature through all of them. The derivative by a time is the rate at that time.
"""

from typing import NamedTuple

import numpy as np

from polyinv.runtime.compiled import njit
from polyinv.simulate.chain_kernel import add_chains, add_slopes, in_bins
from polyinv.simulate.deterministic import GONE, TRACE
from polyinv.simulate.radical_rates import K_D, K_TRA, Rates, rate_slopes, rates

NOTHING = 1e-14
"""Of the monomer: what is not consumed any more until the end counts as nothing, and one step takes it."""
CONVERGED = 1e-11
"""Correction of ln M at which a step is found; of what is computed from it a tenth is left."""
STEEPEST = 1.0
"""Slope of the decline of ln M over a step against ln M that is believed at most."""
ITERATIONS = 50
MOST_STEPS = 100_000
"""Of a reaction; one that takes more has rates that no reaction has, and its monomer is NaN."""

_ROOT = np.sqrt(15.0)
NODES = np.array([0.5 - _ROOT / 10, 0.5, 0.5 + _ROOT / 10])
WEIGHTS = np.array([5 / 18, 4 / 9, 5 / 18])
MATRIX = np.array(
    [
        [5 / 36, 2 / 9 - _ROOT / 15, 5 / 36 - _ROOT / 30],
        [5 / 36 + _ROOT / 24, 2 / 9, 5 / 36 - _ROOT / 24],
        [5 / 36 + _ROOT / 30, 2 / 9 + _ROOT / 15, 5 / 36],
    ]
)
"""Nodes, weights and matrix of the Gauss method with three stages."""


# Columns of what is found at a node: concentrations in mol/L, rates of `Rates`.
M_, I_, A_, FLORY, COMBINED, CONSUMPTION, P, S_, Q_ = range(9)


@njit(nogil=True, cache=True, error_model="numpy")
def initiator_left(k: np.ndarray, initiator: float, now: float) -> float:
    """Initiator in mol/L after ``now`` seconds."""
    return initiator * np.exp(-min(k[K_D] * now, GONE))


@njit(nogil=True, cache=True, error_model="numpy")
def step_length(
    k: np.ndarray,
    monomer: float,
    initiator: float,
    agent: float,
    now: float,
    left: float,
    reach: float,
    flat: np.ndarray,
    ratio: np.ndarray,
) -> float:
    """Length of the next step in s, and a first guess for its nodes: the rates at its start.

    Args:
        k: Numbers of the chemistry.
        monomer: At the start of the step.
        initiator: At time zero.
        agent: At the start of the step.
        now: Start of the step in s.
        left: Time until the snapshot in s, the longest step.
        reach: Longest step, as the decline of ln M plus those of ln I and ln A.
        flat: Decline of ln M and of ln A at the nodes, (2, 3), written.
        ratio: Of the radicals at the nodes, (3,): of an instant before, then written.
    """
    here = rates(k, monomer, initiator_left(k, initiator, now), agent, ratio[2])
    decline, by_agent = here.consumption / monomer, k[K_TRA] * here.S if agent > 0.0 else 0.0
    flat[0], flat[1], ratio[:] = decline, by_agent, here.Q / here.S
    return min(reach / (decline + k[K_D] + by_agent), left) if decline * left > NOTHING else left


@njit(nogil=True, cache=True, error_model="numpy")
def fallen(flat: np.ndarray, weights: np.ndarray, h: float) -> float:
    """Decline of a logarithm over a step of h s, from its rates at the nodes, (3,)."""
    return h * (weights[0] * flat[0] + weights[1] * flat[1] + weights[2] * flat[2])


@njit(nogil=True, cache=True, error_model="numpy")
def invert(h: float, steep: np.ndarray, inverse: np.ndarray) -> None:
    """Invert 1 + h MATRIX diag(steep), (3, 3): what a disturbance of ln M at the nodes of a step of h s becomes.

    Args:
        h: Length of the step in s.
        steep: Slopes of the decline of ln M at the nodes against ln M there, in 1/s, (3,).
        inverse: Written, (3, 3).
    """
    a, b, c = 1 + h * MATRIX[0, 0] * steep[0], h * MATRIX[0, 1] * steep[1], h * MATRIX[0, 2] * steep[2]
    d, e, f = h * MATRIX[1, 0] * steep[0], 1 + h * MATRIX[1, 1] * steep[1], h * MATRIX[1, 2] * steep[2]
    g, i, j = h * MATRIX[2, 0] * steep[0], h * MATRIX[2, 1] * steep[1], 1 + h * MATRIX[2, 2] * steep[2]
    inverse[0, 0], inverse[0, 1], inverse[0, 2] = e * j - f * i, c * i - b * j, b * f - c * e
    inverse[1, 0], inverse[1, 1], inverse[1, 2] = f * g - d * j, a * j - c * g, c * d - a * f
    inverse[2, 0], inverse[2, 1], inverse[2, 2] = d * i - e * g, b * g - a * i, a * e - b * d
    determinant = a * inverse[0, 0] + b * inverse[1, 0] + c * inverse[2, 0]
    for row in range(3):
        for column in range(3):
            inverse[row, column] /= determinant


@njit(nogil=True, cache=True, error_model="numpy")
def step_nodes(
    k: np.ndarray,
    monomer: float,
    initiator: float,
    agent: float,
    now: float,
    h: float,
    flat: np.ndarray,
    ratio: np.ndarray,
    steep: np.ndarray,
    found: np.ndarray,
) -> None:
    """Find the rates at the nodes of a step, ln M there by the secant method.

    Args:
        k: Numbers of the chemistry.
        monomer: At the start of the step.
        initiator: At time zero.
        agent: At the start of the step.
        now: Start of the step in s.
        h: Its length.
        flat: Decline of ln M and of ln A at the nodes, (2, 3): a guess, and what was found.
        ratio: Of the radicals at the nodes, (3,): likewise.
        steep: Slopes of the decline of ln M against ln M, (3,): likewise.
        found: Concentrations and rates at the nodes, (3, 9), written.
    """
    fall, more, inverse = np.empty(3), np.zeros(3), np.empty((3, 3))  # fall of ln M, its correction
    for i in range(3):
        found[i, I_] = initiator_left(k, initiator, now + NODES[i] * h)
        fall[i] = fallen(flat[0], MATRIX[i], h)
    for _ in range(ITERATIONS):
        moved = 0.0
        for i in range(3):
            found[i, M_] = monomer * np.exp(-fall[i])
            found[i, A_] = agent * np.exp(-fallen(flat[1], MATRIX[i], h)) if agent > 0.0 else agent
        for i in range(3):
            r = rates(k, found[i, M_], found[i, I_], found[i, A_], ratio[i])
            decline = r.consumption / found[i, M_]
            if abs(more[i]) > CONVERGED:
                steep[i] = (flat[0, i] - decline) / more[i]
            steep[i] = min(max(steep[i], -STEEPEST / h), STEEPEST / h)
            if agent > 0.0:
                moved = max(moved, abs(k[K_TRA] * r.S - flat[1, i]) * h)
            flat[0, i], flat[1, i], ratio[i] = decline, k[K_TRA] * r.S, r.Q / r.S
            found[i, FLORY], found[i, COMBINED], found[i, CONSUMPTION] = r.flory, r.combined, r.consumption
            found[i, P], found[i, S_], found[i, Q_] = r.p, r.S, r.Q
        invert(h, steep, inverse)
        for i in range(3):
            more[i] = 0.0
        for j in range(3):
            off = fallen(flat[0], MATRIX[j], h) - fall[j]
            for i in range(3):
                more[i] += inverse[i, j] * off
        for i in range(3):
            fall[i] += more[i]
            moved = max(moved, abs(more[i]))
        if not moved > CONVERGED:
            break


@njit(nogil=True, cache=True, error_model="numpy")
def node_rates(found: np.ndarray) -> Rates:
    """Rates at a node, from its row of what was found."""
    return Rates(found[S_], found[Q_], found[FLORY], found[COMBINED], found[CONSUMPTION], found[P])


class Slopes(NamedTuple):
    """Derivatives over one step in D directions, and by monomer and agent as two more; arrays that steps share.

    Args:
        k: Of the numbers of the chemistry, (14, D + 2).
        monomer: Of the monomer at a node, (D + 2,): one by itself, otherwise 0.
        initiator: Of the initiator there.
        agent: Of the agent there.
        every: Of what `rate_slopes` gives at the nodes, (3, 6, D + 2).
        nodes: Of flory, combined, consumption and p at the nodes along the reaction, (3, 4, D).
        own: Of the decline of ln M at the nodes, at the same M and A, (3, D).
        change: Of the declines of ln M and of ln A over the step, (2, D).
        by: Of the decline of ln M at the nodes by ln M and by A, (2, 3).
        at: Of ln M, of A and of the decline of ln A at the nodes, (3, 3).
        inverse: What a disturbance of ln M at the nodes becomes, (3, 3).
    """

    k: np.ndarray
    monomer: np.ndarray
    initiator: np.ndarray
    agent: np.ndarray
    every: np.ndarray
    nodes: np.ndarray
    own: np.ndarray
    change: np.ndarray
    by: np.ndarray
    at: np.ndarray
    inverse: np.ndarray


@njit(nogil=True, cache=True, error_model="numpy")
def _no_slopes(dk: np.ndarray) -> Slopes:
    """Room for the derivatives of a reaction whose numbers have the derivatives (14, D)."""
    D = dk.shape[1]
    k, monomer, agent = np.zeros((len(dk), D + 2)), np.zeros(D + 2), np.zeros(D + 2)
    k[:, :D] = dk
    monomer[D], agent[D + 1] = 1.0, 1.0
    every, nodes, own, change = np.empty((3, 6, D + 2)), np.empty((3, 4, D)), np.empty((3, D)), np.empty((2, D))
    by, at, inverse = np.empty((2, 3)), np.empty((3, 3)), np.empty((3, 3))
    return Slopes(k, monomer, np.zeros(D + 2), agent, every, nodes, own, change, by, at, inverse)


@njit(nogil=True, cache=True, error_model="numpy")
def _step_slopes(
    k: np.ndarray,
    found: np.ndarray,
    flat: np.ndarray,
    now: float,
    h: float,
    d_log: np.ndarray,
    d_initiator: np.ndarray,
    d_agent: np.ndarray,
    of: Slopes,
) -> None:
    """Find the derivatives of the rates at the nodes of a step, and of its declines.

    Args:
        k: Numbers of the chemistry.
        found: What `step_nodes` wrote.
        flat: Likewise.
        now: Start of the step in s.
        h: Its length.
        d_log: Derivative of ln M at the start of the step, (D,).
        d_initiator: Of the initiator at time zero, relative to it, (D,).
        d_agent: Of the agent at the start of the step, (D,).
        of: Written.
    """
    D, every, dk, v, a, faster = len(d_log), of.every, of.k, of.at[0], of.at[1], of.at[2]
    for i in range(3):
        M, left = found[i, M_], now + NODES[i] * h
        for d in range(D):
            of.initiator[d] = found[i, I_] * d_initiator[d]
            if k[K_D] * left < GONE:
                of.initiator[d] -= found[i, I_] * left * dk[K_D, d]
        here = node_rates(found[i])
        rate_slopes(k, M, found[i, I_], found[i, A_], here, dk, of.monomer, of.initiator, of.agent, every[i])
        for d in range(D):
            of.own[i, d] = every[i, 2, d] / M
        of.by[0, i] = every[i, 2, D] - found[i, CONSUMPTION] / M
        of.by[1, i] = every[i, 2, D + 1] / M
    invert(h, of.by[0], of.inverse)
    alone = not np.any(found[:, A_] > 0.0)  # an agent that is not there has no effect on itself
    for d in range(D):
        v[:] = d_log[d]
        for _ in range(ITERATIONS):
            for i in range(3):
                faster[i] = dk[K_TRA, d] * found[i, S_] + k[K_TRA] * (
                    every[i, 5, d] + every[i, 5, D] * found[i, M_] * v[i]
                )
            for i in range(3):
                a[i] = -found[i, A_] * fallen(faster, MATRIX[i], h)
                if d_agent[d] != 0.0:
                    a[i] += d_agent[d] * np.exp(-fallen(flat[1], MATRIX[i], h))
            moved = _disturbed(d_log[d], of.own[:, d], h, of, v)
            if alone or not moved > CONVERGED * max(abs(v[0]), abs(d_log[d])):
                break
        of.change[0, d] = 0.0
        for i in range(3):
            of.change[0, d] += h * WEIGHTS[i] * (of.own[i, d] + of.by[0, i] * v[i] + of.by[1, i] * a[i])
            for m in range(4):
                of.nodes[i, m, d] = every[i, m, d] + every[i, m, D] * found[i, M_] * v[i] + every[i, m, D + 1] * a[i]
        of.change[1, d] = fallen(faster, WEIGHTS, h)


@njit(nogil=True, cache=True, error_model="numpy")
def _disturbed(d_log: float, own: np.ndarray, h: float, of: Slopes, v: np.ndarray) -> float:
    """Write the derivatives of ln M at the nodes of a step, (3,); the largest change of them."""
    moved = 0.0
    by_agent, a = of.by[1], of.at[1]
    x = own[0] + by_agent[0] * a[0], own[1] + by_agent[1] * a[1], own[2] + by_agent[2] * a[2]
    b = (
        d_log - h * (MATRIX[0, 0] * x[0] + MATRIX[0, 1] * x[1] + MATRIX[0, 2] * x[2]),
        d_log - h * (MATRIX[1, 0] * x[0] + MATRIX[1, 1] * x[1] + MATRIX[1, 2] * x[2]),
        d_log - h * (MATRIX[2, 0] * x[0] + MATRIX[2, 1] * x[1] + MATRIX[2, 2] * x[2]),
    )
    for i in range(3):
        new = of.inverse[i, 0] * b[0] + of.inverse[i, 1] * b[1] + of.inverse[i, 2] * b[2]
        moved = max(moved, abs(new - v[i]))
        v[i] = new
    return moved


@njit(nogil=True, cache=True, error_model="numpy")
def _integrate(
    lengths: np.ndarray,
    below: np.ndarray,
    reach: float,
    slopes: bool,
    start: np.ndarray,
    d_start: np.ndarray,
    k: np.ndarray,
    dk: np.ndarray,
    times: np.ndarray,
    monomer: np.ndarray,
    d_monomer: np.ndarray,
    rate: np.ndarray,
    bins: np.ndarray,
    d_bins: np.ndarray,
    rate_bins: np.ndarray,
) -> None:
    """Integrate one reaction, and its derivatives in D directions; what is named last is written.

    Args:
        lengths: Longest chain N that lies wholly below each edge of a bin that can hold a chain, (E,).
        below: Share of the chains of N + 1 units that lies below the edge, (E,).
        reach: Longest step, as the decline of ln M plus those of ln I and ln A.
        slopes: Whether derivatives are asked for.
        start: Monomer, initiator and chain transfer agent at time zero in mol/L, (3,).
        d_start: Their derivatives, (3, D).
        k: Numbers of the chemistry, (14,), see `polyinv.simulate.radical_rates.COEFFICIENTS`.
        dk: Their derivatives, (14, D).
        times: In s, ascending, (T,).
        monomer: Monomer at each time, (T,).
        d_monomer: Its derivatives, (T, D).
        rate: Its consumption at each time in mol/L/s, (T,).
        bins: Chains, units and squares made in each interval, (3, T, 100).
        d_bins: Their derivatives, (3, T, D, 100).
        rate_bins: Their rates at each time in 1/s, (3, T, 100).
    """
    D, E = d_monomer.shape[1], len(lengths)
    M, initiator, A = start[0], start[1], start[2]
    dM, d_initiator, dA = d_start[0].copy(), d_start[1] / initiator, d_start[2].copy()
    beyond, d_beyond, survival, room = np.zeros((3, E)), np.zeros((3, D, E)), np.empty((3, E)), np.empty(E)
    held = np.zeros(3, np.int64)
    flat, ratio, steep, found = np.zeros((2, 3)), np.zeros(3), np.zeros(3), np.empty((3, 9))
    of, d_log, d_scale, d_flory, d_combined = _no_slopes(dk), np.empty(D), np.empty(D), np.empty(D), np.empty(D)
    now, steps = 0.0, 0
    for t in range(len(times)):
        beyond[:], d_beyond[:] = 0.0, 0.0
        while now < times[t] and M > TRACE:
            steps += 1
            if steps > MOST_STEPS:
                M = np.nan
                break
            h = step_length(k, M, initiator, A, now, times[t] - now, reach, flat, ratio)
            step_nodes(k, M, initiator, A, now, h, flat, ratio, steep, found)
            decline, agent_decline = fallen(flat[0], WEIGHTS, h), fallen(flat[1], WEIGHTS, h)
            total = fallen(found[:, CONSUMPTION], WEIGHTS, h)
            consumed = -M * np.expm1(-decline)
            to_the_trace = not consumed < M - TRACE
            consumed = M - TRACE if to_the_trace else consumed
            scale = consumed / total
            for i in range(3):
                weight = h * WEIGHTS[i] * scale
                flory, combined = weight * found[i, FLORY], weight * found[i, COMBINED]
                held[i] = add_chains(beyond, survival[i], room, lengths, below, flory, combined, found[i, P])
            if slopes:
                for d in range(D):
                    d_log[d] = dM[d] / M
                _step_slopes(k, found, flat, now, h, d_log, d_initiator, dA, of)
                left, by = np.exp(-decline), of.nodes
                for d in range(D):
                    d_consumed = dM[d] if to_the_trace else dM[d] * consumed / M + M * left * of.change[0, d]
                    used = by[0, 2, d] * WEIGHTS[0] + by[1, 2, d] * WEIGHTS[1] + by[2, 2, d] * WEIGHTS[2]
                    d_scale[d] = (d_consumed - scale * h * used) / total
                    dM[d] -= d_consumed
                    dA[d] = np.exp(-agent_decline) * (dA[d] - A * of.change[1, d])
                for i in range(3):
                    weight = h * WEIGHTS[i]
                    for d in range(D):
                        d_flory[d] = weight * (scale * by[i, 0, d] + d_scale[d] * found[i, FLORY])
                        d_combined[d] = weight * (scale * by[i, 1, d] + d_scale[d] * found[i, COMBINED])
                    flory, combined = weight * scale * found[i, FLORY], weight * scale * found[i, COMBINED]
                    made, some = (flory, combined, found[i, P]), (lengths[: held[i]], below[: held[i]])
                    add_slopes(d_beyond, survival[i], *some, *made, d_flory, d_combined, by[i, 3])
            M -= consumed
            A *= np.exp(-agent_decline)
            now = times[t] if h == times[t] - now else now + h
        now = times[t]
        monomer[t] = M
        in_bins(beyond, bins[:, t])
        if slopes:
            d_monomer[t] = dM
            for d in range(D):
                in_bins(d_beyond[:, d], d_bins[:, t, d])
            if M > TRACE:
                r = rates(k, M, initiator_left(k, initiator, now), A, ratio[2])
                beyond[:] = 0.0
                add_chains(beyond, survival[0], room, lengths, below, r.flory, r.combined, r.p)
                in_bins(beyond, rate_bins[:, t])
                rate[t] = r.consumption


@njit(nogil=True, cache=True, error_model="numpy")
def integrate(
    lengths: np.ndarray, below: np.ndarray, reach: float, slopes: bool, arrays: tuple[np.ndarray, ...]
) -> None:
    """Integrate B reactions; ``arrays`` are the further arguments of `_integrate`, of all reactions."""
    start, d_start, k, dk, times, monomer, d_monomer, rate, bins, d_bins, rate_bins = arrays
    for b in range(len(k)):
        reaction = (lengths, below, reach, slopes, start[b], d_start[b], k[b], dk[b], times[b])
        _integrate(*reaction, monomer[b], d_monomer[b], rate[b], bins[b], d_bins[b], rate_bins[b])
