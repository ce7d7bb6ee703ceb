r"""One kinetic Monte Carlo run: Gillespie's direct method in which propagation is never executed.

Why leaving propagation out is exact: no rate depends on the length of a chain. Between two events a chain-end radical
S adds units at the rate :math:`k_p c_M(t)` whatever else happens to it, so the units it has added by the time it dies
are Poisson distributed with mean :math:`k_p \int c_M \, dt` over the time it spent as S, and a sum of Poisson numbers
is a Poisson number: every S → Q → S detour only interrupts the integral. One draw per dead chain, taken when the
chain dies, therefore replaces the hundreds of propagation events behind it. Radicals are alike but for their history,
so that whichever reacts is drawn uniformly from its kind.

What the other radicals see of the undrawn units is their mean: the rates use the monomer count less the *expected*
propagations, and each draw corrects it by drawn minus expected. The count is thereby off by the Poisson spread of the
units still undrawn, :math:`\sqrt{n_u}` with n_u about a hundred per live radical, of the 10⁷ or more monomers that a
useful run holds: below 1e-5 of c_M, with mean zero. Within one waiting time c_M is held fixed, which shifts it by a
like part. At each snapshot every live radical draws what it has added so far, which changes no law; monomer, live
chains and dead chains are then whole numbers that add up to the initial monomer exactly.
"""

import math

import numba as nb
import numpy as np
from numba import njit

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
)
"""What is counted. Initiations come in pairs: one initiator molecule that succeeds leaves two chain starts."""
_PROPAGATION, _BACKBITING, _REINITIATION, _INITIATION, _FAILED, _TO_MONOMER, _TO_SOLVENT, _SS = range(8)
_ST, _TT = _SS + 2, _SS + 4

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
    """64 random bits from xoshiro256++ (Blackman and Vigna 2019); ``state`` holds four uint64, not all zero."""
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
    """Uniform in [0, 1), a multiple of 2^-53."""
    return nb.float64(nb.int64(random_bits(state) >> nb.uint64(11))) * 2.0**-53


@njit(nogil=True, cache=True)
def exponential(state: np.ndarray) -> float:
    """Exponential with mean 1."""
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
    """Poisson number: by multiplication below 10, else by Hörmann's transformed rejection PTRS (1993)."""
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
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        scale = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b))
        if scale <= k * math.log(mean) - mean - math.lgamma(k + 1.0):
            return k


@njit(nogil=True, cache=True)
def _bury(length: int, longest: np.ndarray, chains: np.ndarray, units: np.ndarray, squares: np.ndarray) -> None:
    """Sort a dead chain into its bin; ``longest`` holds the longest chain of each bin but the last."""
    bin_ = np.searchsorted(longest, length)
    chains[bin_] += 1
    units[bin_] += length
    squares[bin_] += nb.float64(length) * nb.float64(length)


@njit(nogil=True, cache=True)
def _grown(exposure: float, k_p: float, pool: np.ndarray, state: np.ndarray) -> int:
    """Units added in an ``exposure`` of ∫c_M dt; corrects ``pool`` = [monomer as expected, monomer not yet drawn]."""
    expected = k_p * exposure
    drawn = min(poisson(expected, state), nb.int64(pool[1]))
    pool[0] += expected - drawn
    pool[1] -= drawn
    return drawn


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
    """Run to the last of ``times``. The arrays from ``state`` on are written to, the counting ones added to.

    Args:
        k: k_d, k_p, k_bb, k_pt, k_tss, k_tst, k_ttt, k_trM, k_trS in 1/s or L/mol/s.
        fractions: Initiator efficiency f, then d_ss, d_st, d_tt.
        per_molar: Molecules per mol/L: Avogadro's number times the control volume.
        molecules: Monomer and initiator molecules at the start.
        times: (T,) in s, ascending.
        longest: (99,) longest chain of each bin but the last.
        state: (4,) of uint64, see `random_bits`.
        chains: (T, 100) dead chains made in each interval.
        units: (T, 100) units in them.
        squares: (T, 100) squares of their lengths, summed.
        counts: (13,) events in the order of ``EVENTS``.
        radicals: (2,) time integrals of the numbers of S and Q, in s.
        residual: (T,) monomer molecules left.
        live_units: (T,) units in live radicals.
        live_chains: (T,) live radicals.
    """
    k_d, k_p, k_bb, k_pt, k_tss, k_tst, k_ttt, k_trM, k_trS = k
    f, d_ss, d_st, d_tt = fractions
    volume = 1.0 / per_molar
    initiator = molecules[1]
    # Whole numbers below 2^53, kept as floats beside the expected monomer.
    pool = np.array([nb.float64(molecules[0]), nb.float64(molecules[0])])
    # Of each radical: the c_M integral it was exposed to as S (less `clock` while it is S), and units fixed so far.
    S_exposure, S_units = np.empty(64), np.empty(64, np.int64)
    Q_exposure, Q_units = np.empty(64), np.empty(64, np.int64)
    S, Q, now, clock = 0, 0, 0.0, 0.0
    for interval in range(len(times)):
        end = times[interval]
        bins = (longest, chains[interval], units[interval], squares[interval])
        while True:
            c_M = max(pool[0], 0.0) * volume
            backbiting = k_bb * S
            reinitiation = k_pt * c_M * Q
            to_monomer, to_solvent = k_trM * c_M * S, k_trS * S
            ss, st, tt = k_tss * volume * S * (S - 1), 2.0 * k_tst * volume * S * Q, k_ttt * volume * Q * (Q - 1)
            cycle = backbiting + reinitiation
            total = cycle + to_monomer + to_solvent + ss + st + tt + k_d * initiator
            # Without radicals and initiator nothing happens any more.
            wait = exponential(state) / total if total > 0.0 else math.inf
            over = not now + wait < end
            if over:
                wait = max(end - now, 0.0)
            now += wait
            clock += c_M * wait
            pool[0] -= k_p * c_M * S * wait
            radicals[0] += S * wait
            radicals[1] += Q * wait
            if over:
                break

            pick = uniform(state) * total
            if pick < backbiting:
                i = min(nb.int64(pick / k_bb), S - 1)
                if len(Q_units) == Q:
                    Q_exposure, Q_units = _doubled(Q_exposure), _doubled(Q_units)
                S -= 1
                Q_exposure[Q], Q_units[Q] = S_exposure[i] + clock, S_units[i]
                S_exposure[i], S_units[i] = S_exposure[S], S_units[S]
                Q += 1
                counts[_BACKBITING] += 1
                continue
            if pick < cycle:
                if pool[1] < 1:
                    continue
                i = nb.int64(uniform(state) * Q)
                if len(S_units) == S:
                    S_exposure, S_units = _doubled(S_exposure), _doubled(S_units)
                Q -= 1
                S_exposure[S], S_units[S] = Q_exposure[i] - clock, Q_units[i] + 1
                Q_exposure[i], Q_units[i] = Q_exposure[Q], Q_units[Q]
                S += 1
                pool -= 1
                counts[_REINITIATION] += 1
                continue
            pick -= cycle
            if pick < to_monomer + to_solvent:
                if pool[1] < 1:
                    continue
                i = nb.int64(uniform(state) * S)
                counts[_TO_MONOMER if pick < to_monomer else _TO_SOLVENT] += 1
                pool -= 1
                drawn = _grown(S_exposure[i] + clock, k_p, pool, state)
                counts[_PROPAGATION] += drawn
                _bury(S_units[i] + drawn, *bins)
                S_exposure[i], S_units[i] = -clock, 1
                continue
            pick -= to_monomer + to_solvent
            if pick >= ss + st + tt:
                initiator -= 1
                if pool[1] < 2 or uniform(state) >= f:
                    counts[_FAILED] += 1
                    continue
                if len(S_units) < S + 2:
                    S_exposure, S_units = _doubled(S_exposure), _doubled(S_units)
                S_exposure[S : S + 2], S_units[S : S + 2] = -clock, 1
                S += 2
                pool -= 2
                counts[_INITIATION] += 1
                continue

            # Two radicals meet: two of S, one of each, or two of Q.
            kind = _SS if pick < ss else (_ST if pick < ss + st else _TT)
            first, second = 0, 0
            for partner in range(2):
                if kind == _SS or (kind == _ST and partner == 0):
                    i = nb.int64(uniform(state) * S)
                    S -= 1
                    exposure, length = S_exposure[i] + clock, S_units[i]
                    S_exposure[i], S_units[i] = S_exposure[S], S_units[S]
                else:
                    i = nb.int64(uniform(state) * Q)
                    Q -= 1
                    exposure, length = Q_exposure[i], Q_units[i]
                    Q_exposure[i], Q_units[i] = Q_exposure[Q], Q_units[Q]
                drawn = _grown(exposure, k_p, pool, state)
                counts[_PROPAGATION] += drawn
                first, second = second, length + drawn
            share = d_ss if kind == _SS else (d_st if kind == _ST else d_tt)
            if uniform(state) < share:
                counts[kind + 1] += 1
                _bury(first, *bins)
                _bury(second, *bins)
            else:
                counts[kind] += 1
                _bury(first + second, *bins)

        # Snapshot: every live radical draws what it has added so far.
        for i in range(S):
            drawn = _grown(S_exposure[i] + clock, k_p, pool, state)
            counts[_PROPAGATION] += drawn
            S_exposure[i], S_units[i] = 0.0, S_units[i] + drawn
        for i in range(Q):
            drawn = _grown(Q_exposure[i], k_p, pool, state)
            counts[_PROPAGATION] += drawn
            Q_exposure[i], Q_units[i] = 0.0, Q_units[i] + drawn
        clock, pool[0] = 0.0, pool[1]
        residual[interval], live_chains[interval] = nb.int64(pool[1]), S + Q
        live_units[interval] = S_units[:S].sum() + Q_units[:Q].sum()
