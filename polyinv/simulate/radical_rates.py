"""Rates of the quasi-steady state at one instant, and their derivatives, compiled.

The same scheme as `polyinv.simulate.deterministic.rates`, in the same letters, for one reaction at a time: what a
compiled loop over reactions calls. Derivatives are taken forward, in a number of directions at once; those of the
radicals are those of the implicit function that their balance defines.
"""

from typing import NamedTuple

import numpy as np

from polyinv.runtime.compiled import njit

COEFFICIENTS = (
    "k_d",
    "k_p",
    "k_bb",
    "k_pt",
    "k_tss",
    "k_tst",
    "k_ttt",
    "k_trM",
    "k_trS",
    "k_trA",
    "f",
    "d_ss",
    "d_st",
    "d_tt",
)
"""Order of the numbers of a chemistry: rate coefficients in 1/s or L/mol/s, efficiency, fractions."""
K_D, K_P, K_BB, K_PT, K_TSS, K_TST, K_TTT, K_TRM, K_TRS, K_TRA, F, D_SS, D_ST, D_TT = range(len(COEFFICIENTS))

ITERATIONS = 60
"""Of Newton's method, at most; from a value nearby it takes one or two."""
CONVERGED = 1e-8
"""Relative change after which Newton's method is exact: what is left is about its square."""

NO_GROWTH = 1e-12
"""Share of radicals that grow by one more unit, below which nothing does."""


class Rates(NamedTuple):
    """Rates at one instant, in mol/L/s, and the radicals behind them, in mol/L.

    Args:
        S: Chain-end radicals.
        Q: Mid-chain radicals.
        flory: Dead chains from transfer and disproportionation.
        combined: Dead chains from combination.
        consumption: Monomer.
        p: Probability that a radical dies rather than grows by one more unit.
    """

    S: float
    Q: float
    flory: float
    combined: float
    consumption: float
    p: float


@njit(nogil=True, cache=True, error_model="numpy")
def ratio_of_radicals(k: np.ndarray, monomer: float, initiation: float, near: float) -> float:
    """Ratio x = Q/S of the radicals, by Newton's method from a value nearby, or from the right where there is none.

    Args:
        k: See ``COEFFICIENTS``.
        monomer: In mol/L.
        initiation: Chains started by the initiator, in mol/L/s.
        near: Ratio an instant ago; 0 where it is not known.
    """
    if k[K_BB] == 0.0:
        return 0.0
    right = k[K_BB] / (k[K_PT] * monomer)
    x = near if 0.0 < near < right else right
    for _ in range(ITERATIONS):
        spread = k[K_TSS] + 2 * k[K_TST] * x + k[K_TTT] * x**2
        S = np.sqrt(initiation / (2 * spread))
        loss = k[K_PT] * monomer + 2 * S * (k[K_TST] + k[K_TTT] * x)
        slope = loss + 2 * x * S * (k[K_TSS] * k[K_TTT] - k[K_TST] ** 2) / spread
        change = (x * loss - k[K_BB]) / slope
        x = x - change if change < x else x / 2
        if not abs(change) > CONVERGED * x:
            break
    return x


@njit(nogil=True, cache=True, error_model="numpy")
def rates(k: np.ndarray, monomer: float, initiator: float, agent: float, near: float) -> Rates:
    """Rates for monomer, initiator and chain transfer agent in mol/L; ``near`` as in `ratio_of_radicals`."""
    initiation = 2 * k[F] * k[K_D] * initiator
    x = ratio_of_radicals(k, monomer, initiation, near)
    S = np.sqrt(initiation / (2 * (k[K_TSS] + 2 * k[K_TST] * x + k[K_TTT] * x**2)))
    Q = x * S
    transfer = (k[K_TRM] * monomer + k[K_TRS] + k[K_TRA] * agent) * S
    ss, st, tt = k[K_TSS] * S**2, 2 * k[K_TST] * S * Q, k[K_TTT] * Q**2  # events
    flory = transfer + 2 * (k[D_SS] * ss + k[D_ST] * st + k[D_TT] * tt)
    combined = (1 - k[D_SS]) * ss + (1 - k[D_ST]) * st + (1 - k[D_TT]) * tt
    # Initiation and transfer start a chain each, which takes a monomer unit at once.
    consumption = (k[K_P] * S + k[K_PT] * Q) * monomer + initiation + transfer
    p = (flory + 2 * combined) / consumption
    # Radicals that add no unit make no polymer; whether p rounds to one would depend on the last bit of a coefficient.
    return Rates(S, Q, flory, combined, consumption, p if p < 1 - NO_GROWTH else np.nan)


@njit(nogil=True, cache=True, error_model="numpy")
def rate_slopes(
    k: np.ndarray,
    monomer: float,
    initiator: float,
    agent: float,
    now: Rates,
    dk: np.ndarray,
    dM: np.ndarray,
    dI: np.ndarray,
    dA: np.ndarray,
    out: np.ndarray,
) -> None:
    """Derivatives of flory, combined, consumption, p, of k_p S + k_pt Q and of S, in D directions.

    Args:
        k: See ``COEFFICIENTS``.
        monomer: In mol/L.
        initiator: In mol/L.
        agent: Chain transfer agent in mol/L.
        now: The rates there.
        dk: Derivatives of ``k``, (14, D).
        dM: Of the monomer, (D,).
        dI: Of the initiator, (D,).
        dA: Of the agent, (D,).
        out: Written, (6, D).
    """
    M, S, Q = monomer, now.S, now.Q
    x = Q / S
    initiation = 2 * k[F] * k[K_D] * initiator
    spread = k[K_TSS] + 2 * k[K_TST] * x + k[K_TTT] * x**2
    meeting = k[K_TST] + k[K_TTT] * x
    loss = k[K_PT] * M + 2 * S * meeting
    slope = loss + 2 * x * S * (k[K_TSS] * k[K_TTT] - k[K_TST] ** 2) / spread
    ss, st, tt = S**2, 2 * S * Q, Q**2
    transfer, growing = k[K_TRM] * M + k[K_TRS] + k[K_TRA] * agent, k[K_P] * S + k[K_PT] * Q
    for d in range(len(dM)):
        d_initiation = 2 * (dk[F, d] * k[K_D] + k[F] * dk[K_D, d]) * initiator + 2 * k[F] * k[K_D] * dI[d]
        d_spread = dk[K_TSS, d] + 2 * dk[K_TST, d] * x + dk[K_TTT, d] * x**2  # at the same x
        dS = S / 2 * (d_initiation / initiation - d_spread / spread)
        d_loss = dk[K_PT, d] * M + k[K_PT] * dM[d] + 2 * dS * meeting + 2 * S * (dk[K_TST, d] + dk[K_TTT, d] * x)
        dx = (dk[K_BB, d] - x * d_loss) / slope if k[K_BB] > 0.0 else 0.0  # no mid-chain radicals
        dS -= S * meeting / spread * dx
        dQ = dx * S + x * dS
        d_transfer = dk[K_TRM, d] * M + k[K_TRM] * dM[d] + dk[K_TRS, d] + dk[K_TRA, d] * agent + k[K_TRA] * dA[d]
        d_transfer = d_transfer * S + transfer * dS
        d_ss = dk[K_TSS, d] * ss + 2 * k[K_TSS] * S * dS
        d_st = dk[K_TST, d] * st + 2 * k[K_TST] * (dS * Q + S * dQ)
        d_tt = dk[K_TTT, d] * tt + 2 * k[K_TTT] * Q * dQ
        shifted = dk[D_SS, d] * k[K_TSS] * ss + dk[D_ST, d] * k[K_TST] * st + dk[D_TT, d] * k[K_TTT] * tt
        flory = d_transfer + 2 * (k[D_SS] * d_ss + k[D_ST] * d_st + k[D_TT] * d_tt + shifted)
        combined = (1 - k[D_SS]) * d_ss + (1 - k[D_ST]) * d_st + (1 - k[D_TT]) * d_tt - shifted
        d_growing = dk[K_P, d] * S + k[K_P] * dS + dk[K_PT, d] * Q + k[K_PT] * dQ
        consumption = d_growing * M + growing * dM[d] + d_initiation + d_transfer
        out[0, d], out[1, d], out[2, d] = flory, combined, consumption
        out[3, d] = (flory + 2 * combined - now.p * consumption) / now.consumption
        out[4, d], out[5, d] = d_growing, dS
