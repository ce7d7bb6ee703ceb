"""Plain kinetic Monte Carlo, every propagation executed: the reference for the fast one."""

import math

import numpy as np

from polyinv.runtime.compiled import njit


@njit(nogil=True, cache=True)
def _take(radicals: list[int], rng: np.random.Generator) -> int:
    """Remove a radical, drawn uniformly, and return its length."""
    i = rng.integers(0, len(radicals))
    length = radicals[i]
    radicals[i] = radicals[-1]
    radicals.pop()
    return length


@njit(nogil=True, cache=True)
def run_plainly(
    k: np.ndarray,
    fractions: np.ndarray,
    per_molar: float,
    molecules: np.ndarray,
    times: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """Simulate one reaction, arguments as of `polyinv.simulate.gillespie.run`.

    Returns:
        Lengths of the dead chains in the order of their deaths; how many of them were dead at each time (T,);
        monomer left (T,); units in live radicals (T,); live radicals (T,); counts in the order of ``EVENTS`` (14,);
        time integrals of the numbers of S and Q (2,).
    """
    k_d, k_p, k_bb, k_pt, k_tss, k_tst, k_ttt, k_trM, k_trS, k_trA = k
    f, d_ss, d_st, d_tt = fractions
    monomer, initiator, agent = molecules
    S, Q, dead = [0 for _ in range(0)], [0 for _ in range(0)], [0 for _ in range(0)]  # lengths
    rates, counts = np.empty(10), np.zeros(14, np.int64)
    buried, left, live_units, live_chains = np.zeros((4, len(times)), np.int64)
    now, time_S, time_Q = 0.0, 0.0, 0.0
    for interval, end in enumerate(times):
        while True:
            c_M = monomer / per_molar
            n_S, n_Q = float(len(S)), float(len(Q))
            rates[0], rates[1], rates[2] = k_p * c_M * n_S, k_bb * n_S, k_pt * c_M * n_Q
            rates[3], rates[4], rates[5] = k_d * initiator, k_trM * c_M * n_S, k_trS * n_S
            rates[6] = k_tss * n_S * (n_S - 1) / per_molar
            rates[7] = 2 * k_tst * n_S * n_Q / per_molar
            rates[8] = k_ttt * n_Q * (n_Q - 1) / per_molar
            rates[9] = k_trA * agent / per_molar * n_S
            total = rates.sum()
            wait = rng.exponential() / total if total > 0.0 else math.inf
            elapsed = min(wait, end - now)
            time_S += n_S * elapsed
            time_Q += n_Q * elapsed
            now += elapsed
            if wait != elapsed:
                break
            pick, event = rng.random() * total, 0
            while pick >= rates[event] and event < 9:
                pick -= rates[event]
                event += 1

            if event == 0:
                S[rng.integers(0, len(S))] += 1
                monomer -= 1
                counts[0] += 1
            elif event == 1:
                Q.append(_take(S, rng))
                counts[1] += 1
            elif event == 2:
                S.append(_take(Q, rng) + 1)
                monomer -= 1
                counts[2] += 1
            elif event == 3:
                initiator -= 1
                succeeds = rng.random() < f and monomer >= 2
                if succeeds:
                    S.append(1)
                    S.append(1)
                    monomer -= 2
                counts[3 if succeeds else 4] += 1
            elif event <= 5 or event == 9:
                if monomer >= 1:  # a radical that finds no monomer to start anew with stays as it is
                    dead.append(_take(S, rng))
                    S.append(1)
                    monomer -= 1
                    counts[event + 1 if event <= 5 else 13] += 1
                    agent -= event == 9
            else:
                first, second = _take(Q if event == 8 else S, rng), _take(S if event == 6 else Q, rng)
                separate = rng.random() < (d_ss, d_st, d_tt)[event - 6]
                if separate:
                    dead.append(first)
                    dead.append(second)
                else:
                    dead.append(first + second)
                counts[7 + 2 * (event - 6) + separate] += 1
        buried[interval], left[interval] = len(dead), monomer
        live_units[interval], live_chains[interval] = sum(S) + sum(Q), len(S) + len(Q)
    return np.array(dead), buried, left, live_units, live_chains, counts, np.array([time_S, time_Q])
