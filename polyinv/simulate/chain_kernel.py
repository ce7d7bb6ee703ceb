"""Moments of the chains of one step beyond each length, and their derivatives, compiled.

The closed form of `polyinv.simulate.chain_lengths`, for one step of one reaction at a time.
"""

import numpy as np

from polyinv.runtime.compiled import njit

SMALLEST = -60.0
"""Logarithm of a share of chains that is nothing."""


@njit(nogil=True, cache=True, error_model="numpy")
def add_chains(beyond: np.ndarray, lengths: np.ndarray, flory: float, combined: float, p: float) -> None:
    """Add chains to the moments beyond each length, (3, E): `polyinv.simulate.chain_lengths.moments_beyond`."""
    decay = np.log1p(-p)
    mean, square = 1 / p, (2 - p) / p**2
    one_ended = combined * p / (1 - p)
    number, first = flory + combined, (flory + 2 * combined) * mean
    second = flory * square + combined * (2 * square + 2 * mean**2)
    by_one = one_ended * mean
    linear = 2 * first + one_ended * square
    for e in range(len(lengths)):
        N = lengths[e]
        if N * decay < SMALLEST:
            break
        survival = np.exp(N * decay)
        beyond[0, e] += survival * (number + N * one_ended)
        beyond[1, e] += survival * (first + N * (number + by_one + N * one_ended))
        beyond[2, e] += survival * (second + N * (linear + N * (number + 2 * by_one + N * one_ended)))


@njit(nogil=True, cache=True, error_model="numpy")
def add_slopes(
    beyond: np.ndarray,
    lengths: np.ndarray,
    flory: float,
    combined: float,
    p: float,
    d_flory: np.ndarray,
    d_combined: np.ndarray,
    d_p: np.ndarray,
) -> None:
    """Add the derivatives of what `add_chains` adds, (3, E, D), in D directions."""
    D, q = len(d_p), 1 - p
    decay = np.log1p(-p)
    mean, square = 1 / p, (2 - p) / p**2
    d_mean, d_square = -1 / p**2, (p - 4) / p**3
    one_ended = combined * p / q
    number, first = flory + combined, (flory + 2 * combined) * mean
    second = flory * square + combined * (2 * square + 2 * mean**2)
    by_one, linear = one_ended * mean, 2 * first + one_ended * square
    part = np.empty((6, D))  # derivatives of the coefficients, and of the decay
    for d in range(D):
        f, c, by_p = d_flory[d], d_combined[d], d_p[d]
        part[0, d] = c * p / q + combined / q**2 * by_p  # one_ended
        part[1, d] = f + c  # number
        part[2, d] = (f + 2 * c) * mean + (flory + 2 * combined) * d_mean * by_p  # first
        part[3, d] = f * square + c * (2 * square + 2 * mean**2)  # second
        part[3, d] += (flory * d_square + combined * (2 * d_square + 4 * mean * d_mean)) * by_p
        part[4, d] = part[0, d] * mean + one_ended * d_mean * by_p  # by_one
        part[5, d] = -by_p / q  # decay
    for e in range(len(lengths)):
        N = lengths[e]
        if N * decay < SMALLEST:
            break
        survival = np.exp(N * decay)
        zeroth_moment = number + N * one_ended
        first_moment = first + N * (number + by_one + N * one_ended)
        second_moment = second + N * (linear + N * (number + 2 * by_one + N * one_ended))
        for d in range(D):
            ended, count, faster = part[0, d], part[1, d], N * part[5, d]
            d_linear = 2 * part[2, d] + ended * square + one_ended * d_square * d_p[d]
            along = part[2, d] + N * (count + part[4, d] + N * ended)
            squared = part[3, d] + N * (d_linear + N * (count + 2 * part[4, d] + N * ended))
            beyond[0, e, d] += survival * (count + N * ended + faster * zeroth_moment)
            beyond[1, e, d] += survival * (along + faster * first_moment)
            beyond[2, e, d] += survival * (squared + faster * second_moment)


@njit(nogil=True, cache=True, error_model="numpy")
def in_bins(beyond: np.ndarray, bins: np.ndarray) -> None:
    """From moments beyond each of E edges to those in the last E of the bins; the last one is open."""
    E = beyond.shape[1]
    empty = bins.shape[1] - E
    for m in range(3):
        for e in range(E - 1):
            bins[m, empty + e] = beyond[m, e] - beyond[m, e + 1]
        bins[m, empty + E - 1] = beyond[m, E - 1]
