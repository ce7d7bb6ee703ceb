r"""Rate equations of one reaction fused into one compiled loop, with their derivatives: tens of microseconds.

The scheme and the conventions of `polyinv.simulate.deterministic`, which stays the reference and works on a GPU. What
is different is the rule by which they are integrated. In :math:`u = \ln M` the monomer falls by :math:`\dot u =
-r/M`, r being the consumption, which hardly depends on u itself; three Gauss nodes per step (order 6 [Hairer, Nørsett,
Wanner, *Solving Ordinary Differential Equations* II, IV.5]), found by fixed-point iteration, give the monomer at the
end of the step and, as a quadrature, the chains made in it. They are scaled to hold exactly the monomer consumed. A
step is as long as monomer and initiator take to fall by about a third, so that steps get finer where conversion nears
one; it changes continuously with the recipe.

Derivatives are taken forward in any number of directions: by the initial concentrations, by each rate coefficient, by
the temperature through all of them. The derivative by a time is the rate at that time.
"""

import numpy as np

from polyinv.runtime.compiled import njit
from polyinv.simulate.chain_kernel import add_chains, add_slopes, in_bins
from polyinv.simulate.radical_rates import K_D, Rates, rate_slopes, rates

TRACE = 1e-9
"""Monomer in mol/L that is never consumed: chains that start take a unit each, and would go on when there is none."""
GONE = 500.0
"""Time constants of the initiator after which nothing is left of it; after 750 it would be 0, and rates 0/0."""
NOTHING = 1e-14
"""Of the monomer: what is not consumed any more until the end counts as nothing, and one step takes it."""
CONVERGED = 1e-11
"""Change of ln M from one iteration to the next at which a step is found; what is left is a tenth of it."""
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


@njit(nogil=True, cache=True, error_model="numpy")
def step_length(
    k: np.ndarray,
    monomer: float,
    initiator: float,
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
        now: Start of the step in s.
        left: Time until the snapshot in s, the longest step.
        reach: Longest step, as the decline of ln M plus that of ln I.
        flat: Decline of ln M at the nodes, (3,), written.
        ratio: Of the radicals at the nodes, (3,): of an instant before, then written.
    """
    here = rates(k, monomer, initiator * np.exp(-min(k[K_D] * now, GONE)), ratio[2])
    decline = here.consumption / monomer
    flat[:], ratio[:] = decline, here.Q / here.S
    return min(reach / (decline + k[K_D]), left) if decline * left > NOTHING else left


@njit(nogil=True, cache=True, error_model="numpy")
def step_nodes(
    k: np.ndarray,
    monomer: float,
    initiator: float,
    now: float,
    h: float,
    flat: np.ndarray,
    ratio: np.ndarray,
    found: np.ndarray,
) -> None:
    """Find the rates at the nodes of a step by fixed-point iteration.

    Args:
        k: Numbers of the chemistry.
        monomer: At the start of the step.
        initiator: At time zero.
        now: Start of the step in s.
        h: Its length.
        flat: Decline of ln M at the nodes, (3,): a guess, and what was found.
        ratio: Of the radicals at the nodes, (3,): likewise.
        found: Monomer, initiator, flory, combined, consumption, p, S and Q at the nodes, (3, 8), written.
    """
    for i in range(3):
        found[i, 1] = initiator * np.exp(-min(k[K_D] * (now + NODES[i] * h), GONE))
    for _ in range(ITERATIONS):
        moved = 0.0
        for i in range(3):
            fallen = h * (MATRIX[i, 0] * flat[0] + MATRIX[i, 1] * flat[1] + MATRIX[i, 2] * flat[2])
            found[i, 0] = monomer * np.exp(-fallen)
        for i in range(3):
            r = rates(k, found[i, 0], found[i, 1], ratio[i])
            decline = r.consumption / found[i, 0]
            moved = max(moved, abs(decline - flat[i]) * h)
            flat[i], ratio[i] = decline, r.Q / r.S
            found[i, 2], found[i, 3], found[i, 4], found[i, 5] = r.flory, r.combined, r.consumption, r.p
            found[i, 6], found[i, 7] = r.S, r.Q
        if not moved > CONVERGED:
            break


@njit(nogil=True, cache=True, error_model="numpy")
def _node_slopes(
    k: np.ndarray,
    dk: np.ndarray,
    found: np.ndarray,
    now: float,
    h: float,
    d_log: np.ndarray,
    d_initiator: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the rates at the nodes of a step, in D directions.

    Args:
        k: Numbers of the chemistry.
        dk: Their derivatives, (13, D).
        found: What `step_nodes` wrote.
        now: Start of the step in s.
        h: Its length.
        d_log: Derivative of ln M at the start of the step, (D,).
        d_initiator: Of the initiator at time zero, relative to it, (D,).

    Returns:
        Of flory, combined, consumption and p at the nodes, (3, 4, D); of the decline of ln M over the step, (D,).
    """
    D = len(d_log)
    slopes = np.empty((3, 4, D))
    wider, none, of_initiator = np.zeros((len(dk), D + 1)), np.zeros(D + 1), np.zeros(D + 1)
    wider[:, :D] = dk
    none[D] = 1.0  # the last direction is the monomer's
    own, by_monomer, all_slopes = np.empty((3, D)), np.empty(3), np.empty((3, 5, D + 1))
    for i in range(3):
        M, left = found[i, 0], now + NODES[i] * h
        for d in range(D):
            of_initiator[d] = found[i, 1] * d_initiator[d]
            if k[K_D] * left < GONE:
                of_initiator[d] -= found[i, 1] * left * dk[K_D, d]
        here = Rates(found[i, 6], found[i, 7], found[i, 2], found[i, 3], found[i, 4], found[i, 5])
        all_slopes[i] = rate_slopes(k, M, found[i, 1], here, wider, none, of_initiator)
        own[i] = all_slopes[i, 2, :D] / M
        by_monomer[i] = all_slopes[i, 2, D] - found[i, 4] / M  # of the decline, by ln M
    change = np.empty(D)
    v = np.empty(3)
    for d in range(D):
        v[:] = d_log[d]
        for _ in range(ITERATIONS):
            moved = 0.0
            for i in range(3):
                new = d_log[d]
                for j in range(3):
                    new -= h * MATRIX[i, j] * (own[j, d] + by_monomer[j] * v[j])
                moved = max(moved, abs(new - v[i]))
                v[i] = new
            if not moved > CONVERGED * max(abs(v[0]), abs(d_log[d])):
                break
        change[d] = 0.0
        for i in range(3):
            change[d] += h * WEIGHTS[i] * (own[i, d] + by_monomer[i] * v[i])
            for m in range(4):
                slopes[i, m, d] = all_slopes[i, m, d] + all_slopes[i, m, D] * found[i, 0] * v[i]
    return slopes, change


@njit(nogil=True, cache=True, error_model="numpy")
def _integrate(
    lengths: np.ndarray,
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
        lengths: Longest chain below each edge of a bin that can hold a chain, (E,).
        reach: Longest step, as the decline of ln M plus that of ln I.
        slopes: Whether derivatives are asked for.
        start: Monomer and initiator at time zero in mol/L, (2,).
        d_start: Their derivatives, (2, D).
        k: Numbers of the chemistry, (13,), see `polyinv.simulate.radical_rates.COEFFICIENTS`.
        dk: Their derivatives, (13, D).
        times: In s, ascending, (T,).
        monomer: Monomer at each time, (T,).
        d_monomer: Its derivatives, (T, D).
        rate: Its consumption at each time in mol/L/s, (T,).
        bins: Chains, units and squares made in each interval, (3, T, 100).
        d_bins: Their derivatives, (3, T, 100, D).
        rate_bins: Their rates at each time in 1/s, (3, T, 100).
    """
    D, E = d_monomer.shape[1], len(lengths)
    M, initiator = start[0], start[1]
    dM, d_initiator = d_start[0].copy(), d_start[1] / initiator
    beyond, d_beyond = np.zeros((3, E)), np.zeros((3, E, D))
    flat, ratio, found = np.zeros(3), np.zeros(3), np.empty((3, 8))
    now, steps = 0.0, 0
    for t in range(len(times)):
        beyond[:], d_beyond[:] = 0.0, 0.0
        while now < times[t] and M > TRACE:
            steps += 1
            if steps > MOST_STEPS:
                M = np.nan
                break
            h = step_length(k, M, initiator, now, times[t] - now, reach, flat, ratio)
            step_nodes(k, M, initiator, now, h, flat, ratio, found)
            fallen = h * (WEIGHTS[0] * flat[0] + WEIGHTS[1] * flat[1] + WEIGHTS[2] * flat[2])
            total = h * (WEIGHTS[0] * found[0, 4] + WEIGHTS[1] * found[1, 4] + WEIGHTS[2] * found[2, 4])
            consumed = -M * np.expm1(-fallen)
            to_the_trace = not consumed < M - TRACE
            consumed = M - TRACE if to_the_trace else consumed
            scale = consumed / total
            for i in range(3):
                weight = h * WEIGHTS[i] * scale
                add_chains(beyond, lengths, weight * found[i, 2], weight * found[i, 3], found[i, 5])
            if slopes:
                by, change = _node_slopes(k, dk, found, now, h, dM / M, d_initiator)
                d_consumed = dM.copy() if to_the_trace else -dM * np.expm1(-fallen) + M * np.exp(-fallen) * change
                d_scale = d_consumed / total
                for i in range(3):
                    d_scale -= scale / total * h * WEIGHTS[i] * by[i, 2]
                for i in range(3):
                    weight, d_weight = h * WEIGHTS[i] * scale, h * WEIGHTS[i] * d_scale
                    d_flory = weight * by[i, 0] + d_weight * found[i, 2]
                    d_combined = weight * by[i, 1] + d_weight * found[i, 3]
                    flory, combined = weight * found[i, 2], weight * found[i, 3]
                    add_slopes(d_beyond, lengths, flory, combined, found[i, 5], d_flory, d_combined, by[i, 3])
                dM = dM - d_consumed
            M -= consumed
            now = times[t] if h == times[t] - now else now + h
        now = times[t]
        monomer[t] = M
        in_bins(beyond, bins[:, t])
        if slopes:
            d_monomer[t] = dM
            for d in range(D):
                in_bins(np.ascontiguousarray(d_beyond[:, :, d]), d_bins[:, t, :, d])
            if M > TRACE:
                r = rates(k, M, initiator * np.exp(-min(k[K_D] * now, GONE)), ratio[2])
                beyond[:] = 0.0
                add_chains(beyond, lengths, r.flory, r.combined, r.p)
                in_bins(beyond, rate_bins[:, t])
                rate[t] = r.consumption


@njit(nogil=True, cache=True, error_model="numpy")
def integrate(
    lengths: np.ndarray,
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
    """Integrate B reactions, see `_integrate`."""
    for b in range(len(k)):
        reaction = (lengths, reach, slopes, start[b], d_start[b], k[b], dk[b], times[b])
        _integrate(*reaction, monomer[b], d_monomer[b], rate[b], bins[b], d_bins[b], rate_bins[b])
