r"""Kinetic Monte Carlo of one reaction: Gillespie's direct method in which propagation is never executed.

Why leaving propagation out is exact: no rate depends on the length of a chain. Between two events a chain-end radical
S adds units at the rate :math:`k_p c_M(t)` whatever else happens to it, so the units it has added by the time it dies
are Poisson distributed with mean :math:`k_p \int c_M \, dt` over the time it spent as S, and a sum of Poisson numbers
is a Poisson number: every S → Q → S detour only interrupts the integral. One draw per dead chain, taken when the
chain dies, therefore replaces the hundreds of propagation events behind it. Radicals of a kind differ in nothing but
their past, so that whichever reacts is drawn uniformly.

What the other radicals see of the units not yet drawn is their mean: the rates use the monomer count less the
*expected* propagations, and each draw corrects it by drawn minus expected. The count is thereby off by the Poisson
spread of the undrawn units, :math:`\sqrt{n_u}` with n_u about a hundred per live radical, with mean zero: 1e-6 of the
10⁸ monomers in a reaction of 10⁶ chains. And c_M is held fixed over a waiting time, at its value one event ago: an
error of two events' consumption, again 1e-6 at 10⁶ chains. Either is a thousandth of the reaction's own noise or less.

At each snapshot every live radical draws what it has added so far, which changes no law. Monomer, live chains and
dead chains are then whole numbers that add up to the initial monomer exactly. A radical that finds no monomer left
does not grow, start anew or begin.
"""

import math

import numba as nb
import numpy as np

from polyinv.runtime.compiled import njit

EVENTS = (
    "propagation",
    "backbiting",
    "reinitiation",
    "initiation",
    "failed_initiation",
    "transfer_monomer",
    "transfer_solvent",
    "combination_ss",
    "disproportionation_ss",
    "combination_st",
    "disproportionation_st",
    "combination_tt",
    "disproportionation_tt",
    "transfer_agent",
)
"""What is counted. Initiations come in pairs: one initiator molecule that succeeds leaves two chain starts."""
_PROPAGATION, _BACKBITING, _REINITIATION, _INITIATION, _FAILED, _TO_MONOMER, _TO_SOLVENT, _SS = range(8)
_ST, _TT, _TO_AGENT = _SS + 2, _SS + 4, _SS + 6

_LAYERS, _TAIL, _LAYER_AREA = 256, 7.69711747013104972, 0.0039496598225815571993


def _ziggurat() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layers of the exponential density for Marsaglia and Tsang's ziggurat (2000): widths, inner shares, heights."""
    edges = np.empty(_LAYERS + 1)  # right ends of the layers; the lowest is widened by the tail's area
    edges[0], edges[1], edges[_LAYERS] = _LAYER_AREA / math.exp(-_TAIL), _TAIL, 0.0
    for i in range(2, _LAYERS):
        edges[i] = -math.log(_LAYER_AREA / edges[i - 1] + math.exp(-edges[i - 1]))
    return edges[:-1] / 2.0**53, edges[1:] / edges[:-1], np.exp(-edges)


_WIDTH, _INNER, _HEIGHT = _ziggurat()
_INNER_BITS = (_INNER * 2.0**53).astype(np.int64)


# The generator is in this file because numba's cache of `run` would not notice that another file has changed.
@njit(nogil=True, cache=True)
def random_bits(state: np.ndarray) -> int:
    """Draw 64 random bits by xoshiro256++ (Blackman and Vigna 2019); ``state`` holds four uint64, not all zero."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    mixed = s0 + s3
    result = ((mixed << nb.uint64(23)) | (mixed >> nb.uint64(41))) + s0
    s2 ^= s0
    s3 ^= s1
    state[1] = s1 ^ s2
    state[0] = s0 ^ s3
    state[2] = s2 ^ (s1 << nb.uint64(17))
    state[3] = (s3 << nb.uint64(45)) | (s3 >> nb.uint64(19))
    return result


@njit(nogil=True, cache=True)
def uniform(state: np.ndarray) -> float:
    """Draw a uniform number in [0, 1), a multiple of 2^-53."""
    return nb.float64(nb.int64(random_bits(state) >> nb.uint64(11))) * 2.0**-53


@njit(nogil=True, cache=True)
def exponential(state: np.ndarray) -> float:
    """Draw an exponential number with mean 1."""
    while True:
        bits = random_bits(state)
        layer = nb.int64(bits & nb.uint64(_LAYERS - 1))
        share = nb.int64(bits >> nb.uint64(11))
        x = nb.float64(share) * _WIDTH[layer]
        if share < _INNER_BITS[layer]:
            return x
        if layer == 0:
            return _TAIL - math.log1p(-uniform(state))
        low, high = _HEIGHT[layer], _HEIGHT[layer + 1]
        if low + uniform(state) * (high - low) < math.exp(-x):
            return x


@njit(nogil=True, cache=True)
def poisson(mean: float, state: np.ndarray) -> int:
    """Draw a Poisson number: by multiplication below 10, else by Hörmann's transformed rejection PTRS (1993)."""
    if mean < 10.0:
        floor, product, count = math.exp(-mean), uniform(state), 0
        while product > floor:
            product *= uniform(state)
            count += 1
        return count
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, v = uniform(state) - 0.5, uniform(state)
        us = 0.5 - abs(u)
        k = nb.int64(math.floor((2.0 * a / us + b) * u + mean + 0.43))
        if us >= 0.07 and v <= squeeze:
            return int(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        scale = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b))
        if scale <= k * math.log(mean) - mean - math.lgamma(k + 1.0):
            return int(k)


@njit(nogil=True, cache=True)
def _record_dead(
    length: int, classes: np.ndarray, longest: np.ndarray, chains: np.ndarray, units: np.ndarray, squares: np.ndarray
) -> None:
    """Sort a dead chain into its class: looked up in ``classes`` if short, else searched in ``longest``."""
    place = nb.int64(classes[length]) if length < len(classes) else np.searchsorted(longest, length)
    chains[place] += 1
    units[place] += length
    squares[place] += nb.float64(length) * nb.float64(length)


# `level` carries these between calls; whole numbers, too, are floats there.
_EXPECTED, _NOW, _CLOCK, _TIME_S, _TIME_Q, _LEFT, _INITIATOR, _S, _Q, _AGENT = range(10)


@njit(nogil=True, cache=True, error_model="numpy")  # dividing by a total rate of 0 has to give an endless wait
def _advance(
    end: float,
    k: np.ndarray,
    fractions: np.ndarray,
    volume: float,
    level: np.ndarray,
    exposure: np.ndarray,
    units: np.ndarray,
    dead: tuple,
    counts: np.ndarray,
    state: np.ndarray,
) -> bool:
    """Run to ``end``, or until there is no room for two more radicals; whether the latter.

    Radicals stand in ``exposure`` and ``units``, first S, then Q. The exposure is the ∫c_M dt spent as S since the
    last draw, for an S less ``clock``, the same integral over all time: nothing has to be updated while it runs.
    """
    k_d, k_p, k_bb, k_pt, k_tss, k_tst, k_ttt, k_trM, k_trS, k_trA = k
    f, d_ss, d_st, d_tt = fractions
    M, now, clock, time_S, time_Q = level[_EXPECTED], level[_NOW], level[_CLOCK], level[_TIME_S], level[_TIME_Q]
    left, initiator, S, Q = nb.int64(level[_LEFT]), level[_INITIATOR], nb.int64(level[_S]), nb.int64(level[_Q])
    agent, to_agent = level[_AGENT], k_trA * volume
    pair_ss, pair_st, pair_tt = k_tss * volume, 2.0 * k_tst * volume, k_ttt * volume
    turns, backbitings, full = 0, 0, False
    c_M = c_M_next = max(M, 0.0) * volume
    while not full:
        n_S, n_Q = nb.float64(S), nb.float64(Q)
        backbiting = k_bb * n_S
        turning = backbiting + k_pt * c_M * n_Q
        transfer = (k_trM * c_M + k_trS + to_agent * agent) * n_S
        ss, st, tt = pair_ss * n_S * (n_S - 1.0), pair_st * n_S * n_Q, pair_tt * n_Q * (n_Q - 1.0)
        total = turning + (transfer + (ss + st) + (tt + k_d * initiator))
        wait = exponential(state) / total
        over = not now + wait < end
        if over:
            wait = max(end - now, 0.0)
        now += wait
        clock += c_M * wait
        M -= k_p * c_M * n_S * wait
        time_S += n_S * wait
        time_Q += n_Q * wait
        if over:
            break
        # One event late, so that the processor need not wait for the division above.
        c_M, c_M_next = c_M_next, max(M, 0.0) * volume

        pick = uniform(state) * total
        if pick < turning:
            # Nine events in ten: backbiting (back = 1) or reinitiation (0), in arithmetic because the processor could
            # only guess a branch. The radical and the one at the border between S and Q change places.
            back = nb.int64(pick < backbiting)
            if left < 1 - back:
                continue
            border = S - back
            i = S * (1 - back) + nb.int64(uniform(state) * nb.float64(S * back + Q * (1 - back)))
            moved, length = exposure[i] + clock * nb.float64(2 * back - 1), units[i] + (1 - back)
            exposure[i], units[i] = exposure[border], units[border]
            exposure[border], units[border] = moved, length
            S -= 2 * back - 1
            Q += 2 * back - 1
            M -= 1.0 - nb.float64(back)
            left -= 1 - back
            turns += 1
            backbitings += back
            continue

        pick -= turning
        if pick < transfer:
            if left < 1:
                continue
            i = nb.int64(uniform(state) * n_S)
            expected = k_p * (exposure[i] + clock)
            drawn = min(poisson(expected, state), left - 1)
            _record_dead(units[i] + drawn, *dead)
            exposure[i], units[i] = -clock, 1
            left -= drawn + 1
            M += expected - drawn - 1.0
            counts[_PROPAGATION] += drawn
            if pick < k_trS * n_S:
                counts[_TO_SOLVENT] += 1
            elif pick < (k_trS + to_agent * agent) * n_S:
                counts[_TO_AGENT] += 1
                agent = max(agent - 1.0, 0.0)
            else:
                counts[_TO_MONOMER] += 1
            continue

        pick -= transfer
        if pick >= ss + st + tt:
            if initiator < 1.0:  # rounding
                continue
            initiator -= 1.0
            if left < 2 or uniform(state) >= f:
                counts[_FAILED] += 1
                continue
            for _ in range(2):
                exposure[S + Q], units[S + Q] = exposure[S], units[S]
                exposure[S], units[S] = -clock, 1
                S += 1
            left -= 2
            M -= 2.0
            counts[_INITIATION] += 1
            full = len(units) < S + Q + 2
            continue

        kind = _SS if pick < ss else (_ST if pick < ss + st else _TT)
        first, second = 0, 0
        for partner in range(2):
            last = S + Q - 1
            if kind == _SS or (kind == _ST and partner == 0):
                i = nb.int64(uniform(state) * S)
                exposed, length = exposure[i] + clock, units[i]
                S -= 1
                exposure[i], units[i] = exposure[S], units[S]
                exposure[S], units[S] = exposure[last], units[last]
            else:
                i = S + nb.int64(uniform(state) * Q)
                exposed, length = exposure[i], units[i]
                Q -= 1
                exposure[i], units[i] = exposure[last], units[last]
            expected = k_p * exposed
            drawn = min(poisson(expected, state), left)
            left -= drawn
            M += expected - drawn
            counts[_PROPAGATION] += drawn
            first, second = second, length + drawn
        share = d_ss if kind == _SS else (d_st if kind == _ST else d_tt)
        if uniform(state) < share:
            counts[kind + 1] += 1
            _record_dead(first, *dead)
            _record_dead(second, *dead)
        else:
            counts[kind] += 1
            _record_dead(first + second, *dead)
    level[_EXPECTED], level[_NOW], level[_CLOCK], level[_TIME_S], level[_TIME_Q] = M, now, clock, time_S, time_Q
    level[_LEFT], level[_INITIATOR], level[_S], level[_Q] = left, initiator, S, Q
    level[_AGENT] = agent
    counts[_BACKBITING] += backbitings
    counts[_REINITIATION] += turns - backbitings
    return full


@njit(nogil=True, cache=True)
def _settle(
    k_p: float, level: np.ndarray, exposure: np.ndarray, units: np.ndarray, counts: np.ndarray, state: np.ndarray
) -> None:
    """Let every live radical draw the units it has added so far."""
    left, S, radicals = nb.int64(level[_LEFT]), nb.int64(level[_S]), nb.int64(level[_S] + level[_Q])
    for i in range(radicals):
        exposed = exposure[i] + level[_CLOCK] if i < S else exposure[i]
        drawn = min(poisson(k_p * exposed, state), left)
        left -= drawn
        counts[_PROPAGATION] += drawn
        exposure[i], units[i] = 0.0, units[i] + drawn
    level[_LEFT] = level[_EXPECTED] = left
    level[_CLOCK] = 0.0


@njit(nogil=True, cache=True)
def _doubled(array: np.ndarray) -> np.ndarray:
    larger = np.empty(2 * len(array), array.dtype)
    larger[: len(array)] = array
    return larger


@njit(nogil=True, cache=True)
def run(
    k: np.ndarray,
    fractions: np.ndarray,
    per_molar: float,
    molecules: np.ndarray,
    times: np.ndarray,
    longest: np.ndarray,
    state: np.ndarray,
    chains: np.ndarray,
    units: np.ndarray,
    squares: np.ndarray,
    counts: np.ndarray,
    radicals: np.ndarray,
    residual: np.ndarray,
    live_units: np.ndarray,
    live_chains: np.ndarray,
) -> None:
    """Simulate to the last of ``times``. The arrays from ``state`` on are written to, the counting ones added to.

    Args:
        k: k_d, k_p, k_bb, k_pt, k_tss, k_tst, k_ttt, k_trM, k_trS, k_trA in 1/s or L/mol/s.
        fractions: Initiator efficiency f, then d_ss, d_st, d_tt.
        per_molar: Molecules per mol/L: Avogadro's number times the control volume.
        molecules: Molecules of monomer, initiator and chain transfer agent at the start.
        times: (T,) in s, ascending.
        longest: (C - 1,) longest chain of each class of lengths but the last, 255 classes at most.
        state: (4,) of uint64, see `random_bits`.
        chains: (T, C) dead chains made in each interval.
        units: (T, C) units in them.
        squares: (T, C) squares of their lengths, summed.
        counts: (14,) events in the order of ``EVENTS``.
        radicals: (2,) time integrals of the numbers of S and Q, in s.
        residual: (T,) monomer molecules left.
        live_units: (T,) units in live radicals.
        live_chains: (T,) live radicals.
    """
    classes = np.searchsorted(longest, np.arange(16384)).astype(np.uint8)
    level = np.zeros(10)
    level[_EXPECTED] = level[_LEFT] = molecules[0]
    level[_INITIATOR], level[_AGENT] = molecules[1], molecules[2]
    exposure, length = np.empty(64), np.empty(64, np.int64)
    for t in range(len(times)):
        dead = (classes, longest, chains[t], units[t], squares[t])
        while _advance(times[t], k, fractions, 1.0 / per_molar, level, exposure, length, dead, counts, state):
            exposure, length = _doubled(exposure), _doubled(length)
        _settle(k[1], level, exposure, length, counts, state)
        residual[t], live_chains[t] = level[_LEFT], level[_S] + level[_Q]
        live_units[t] = length[: live_chains[t]].sum()
    radicals[0], radicals[1] = level[_TIME_S], level[_TIME_Q]
