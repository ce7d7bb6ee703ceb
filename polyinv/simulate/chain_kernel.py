"""Moments of the chains of one step beyond each length, and their derivatives, compiled.

The closed form of `polyinv.simulate.chain_lengths`, for one step of one reaction at a time.
"""

import numpy as np

from polyinv.runtime.compiled import njit

SMALLEST = -60.0
"""Logarithm of a share of chains that is nothing."""
PER_LN2, LN2_HIGH, LN2_LOW = 1 / np.log(2.0), 0.693147180369123816490, 1.90821492927058770002e-10
"""One over ln 2; and ln 2 in two parts, whole multiples of the first of which are exact [Cody and Waite, 1980]."""
TO_WHOLE = 1.5 * 2.0**52
"""Added to a small number it leaves the nearest whole one in the last bits."""


@njit(nogil=True, cache=True, error_model="numpy")
def survive(survival: np.ndarray, room: np.ndarray, lengths: np.ndarray, decay: float) -> int:
    """Write exp(N decay) for lengths N, as far as it is something; returns for how many that is.

    A loop without calls and branches, of which a processor does several turns at once: an exponential each would take
    more time than all else together. Relative errors are those of rounding.

    Args:
        survival: (E,), written.
        room: (E,), written, too.
        lengths: In units, ascending, (E,).
        decay: Logarithm of the share that survives one unit.
    """
    held = int(np.searchsorted(lengths, SMALLEST / decay)) if decay < 0.0 else len(lengths)
    for e in range(held):
        x = lengths[e] * decay
        shifted = x * PER_LN2 + TO_WHOLE
        whole = shifted - TO_WHOLE
        r = x - whole * LN2_HIGH - whole * LN2_LOW
        room[e] = shifted
        high = 1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r * (1 / 479001600 + r * (1 / 6227020800))))
        low = 1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * (1 / 40320 + r * high)))
        survival[e] = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * low))))
    bits = room.view(np.int64)
    for e in range(held):
        bits[e] = (bits[e] << 52) + (1023 << 52)  # two to this whole number
    for e in range(held):
        survival[e] *= room[e]
    return held


@njit(nogil=True, cache=True, error_model="numpy")
def add_chains(
    beyond: np.ndarray,
    survival: np.ndarray,
    room: np.ndarray,
    lengths: np.ndarray,
    below: np.ndarray,
    flory: float,
    combined: float,
    p: float,
) -> int:
    """Add chains to the moments beyond each edge, (3, E): `polyinv.simulate.chain_lengths.moments_beyond`.

    Args:
        beyond: Added to.
        survival: Share of Flory chains longer than each length, (E,), written as far as it is something.
        room: (E,), written.
        lengths: N, the longest that lies wholly below each edge, in units, ascending, (E,).
        below: Share of the chains of N + 1 units that lies below the edge, (E,).
        flory: Chains from transfer and disproportionation in mol/L.
        combined: Chains from combination in mol/L.
        p: Probability that a radical dies rather than grows by one more unit.

    Returns:
        Beyond how many lengths there is something.
    """
    held = survive(survival, room, lengths, np.log1p(-p))
    mean, square = 1 / p, (2 - p) / p**2
    one_ended = combined * p / (1 - p)
    number, first = flory + combined, (flory + 2 * combined) * mean
    second = flory * square + combined * (2 * square + 2 * mean**2)
    by_one = one_ended * mean
    linear = 2 * first + one_ended * square
    for e in range(held):
        N, share = lengths[e], survival[e]
        cut = below[e] * p * (flory + N * one_ended)
        beyond[0, e] += share * (number + N * one_ended - cut)
        beyond[1, e] += share * (first + N * (number + by_one + N * one_ended) - (N + 1) * cut)
        along = linear + N * (number + 2 * by_one + N * one_ended)
        beyond[2, e] += share * (second + N * along - (N + 1) * (N + 1) * cut)
    return held


@njit(nogil=True, cache=True, error_model="numpy")
def add_slopes(
    beyond: np.ndarray,
    survival: np.ndarray,
    lengths: np.ndarray,
    below: np.ndarray,
    flory: float,
    combined: float,
    p: float,
    d_flory: np.ndarray,
    d_combined: np.ndarray,
    d_p: np.ndarray,
) -> None:
    """Add the derivatives of what `add_chains` adds, (3, D, E), in D directions; lengths as many as it found."""
    D, q = len(d_p), 1 - p
    mean, square = 1 / p, (2 - p) / p**2
    d_mean, d_square = -1 / p**2, (p - 4) / p**3
    one_ended = combined * p / q
    number, first = flory + combined, (flory + 2 * combined) * mean
    second = flory * square + combined * (2 * square + 2 * mean**2)
    by_one, linear = one_ended * mean, 2 * first + one_ended * square
    for d in range(D):
        f, c, by_p = d_flory[d], d_combined[d], d_p[d]
        d_ended = c * p / q + combined / q**2 * by_p
        d_number, d_decay = f + c, -by_p / q
        d_first = (f + 2 * c) * mean + (flory + 2 * combined) * d_mean * by_p
        d_second = f * square + c * (2 * square + 2 * mean**2)
        d_second += (flory * d_square + combined * (2 * d_square + 4 * mean * d_mean)) * by_p
        d_by_one = d_ended * mean + one_ended * d_mean * by_p
        d_linear = 2 * d_first + d_ended * square + one_ended * d_square * by_p
        for e in range(len(lengths)):
            N = lengths[e]
            faster, longer = N * d_decay, N + 1
            cut = below[e] * (flory + N * one_ended)
            d_cut = by_p * cut + p * below[e] * (f + N * d_ended)
            cut *= p
            zeroth_moment = number + N * one_ended - cut
            first_moment = first + N * (number + by_one + N * one_ended) - longer * cut
            second_moment = second + N * (linear + N * (number + 2 * by_one + N * one_ended)) - longer * longer * cut
            along = d_first + N * (d_number + d_by_one + N * d_ended) - longer * d_cut
            squared = d_second + N * (d_linear + N * (d_number + 2 * d_by_one + N * d_ended)) - longer * longer * d_cut
            beyond[0, d, e] += survival[e] * (d_number + N * d_ended - d_cut + faster * zeroth_moment)
            beyond[1, d, e] += survival[e] * (along + faster * first_moment)
            beyond[2, d, e] += survival[e] * (squared + faster * second_moment)


@njit(nogil=True, cache=True, error_model="numpy")
def in_bins(beyond: np.ndarray, bins: np.ndarray) -> None:
    """From moments beyond each of E edges to those in the last E of the bins; the last one is open."""
    E = beyond.shape[1]
    empty = bins.shape[1] - E
    for m in range(3):
        for e in range(E - 1):
            bins[m, empty + e] = beyond[m, e] - beyond[m, e + 1]
        bins[m, empty + E - 1] = beyond[m, E - 1]
