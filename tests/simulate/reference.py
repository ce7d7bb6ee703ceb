"""What the forward solver is measured against."""

import csv
from pathlib import Path

import numpy as np
import torch
from scipy.integrate import solve_ivp

from polyinv.chemistry import Chemistry

LABELS = Path(__file__).parents[1] / "data" / "conversion_frontier.csv"


def reaches_90_percent(conditions: torch.Tensor) -> torch.Tensor:
    """The published label of runs (B, 3) of the grid."""
    with LABELS.open() as file:
        frontier = {
            (float(row["temp"]), float(row["cBA_0"])): float(row["cAIBN_0_min"]) for row in csv.DictReader(file)
        }
    labels = [
        frontier.get((temp, monomer), np.inf) <= initiator + 1e-9 for monomer, initiator, temp in conditions.tolist()
    ]
    return torch.tensor(labels)


def full_balance(chemistry: Chemistry, conditions: list[float], time: float) -> dict[str, float]:
    """Monomer and moments of the dead chains from the full radical balance, by scipy's stiff solver.

    Nothing is quasi-steady here: S, Q, their first and second moments of the length are integrated as they stand.
    ``conditions`` are those of a reaction, solvent and chain transfer agent included.
    """
    under = torch.tensor(conditions, dtype=torch.float64)
    k, agent = chemistry.under(under), float(chemistry.agent_under(under))
    k = {name: float(value) for name, value in vars(k).items()}
    events = ((k["k_tss"], chemistry.d_ss), (2 * k["k_tst"], chemistry.d_st), (k["k_ttt"], chemistry.d_tt))

    def derivative(t: float, state: np.ndarray) -> np.ndarray:
        M, initiator, S, Q, agent = state[0], state[1], state[2:5], state[5:8], state[11]
        initiation = 2 * chemistry.f * k["k_d"] * initiator
        transfer = k["k_trM"] * M + k["k_trS"] + k["k_trA"] * agent
        start = initiation + transfer * S[0]

        def longer(moments: np.ndarray) -> np.ndarray:  # after one more unit
            return np.array([moments[0], moments[1] + moments[0], moments[2] + 2 * moments[1] + moments[0]])

        S_dies = 2 * k["k_tss"] * S[0] + 2 * k["k_tst"] * Q[0]
        Q_dies = 2 * k["k_tst"] * S[0] + 2 * k["k_ttt"] * Q[0]
        reinitiated = k["k_pt"] * M * longer(Q)
        dS = start + k["k_p"] * M * (longer(S) - S) + reinitiated - (k["k_bb"] + transfer + S_dies) * S
        dQ = k["k_bb"] * S - (k["k_pt"] * M + Q_dies) * Q
        dead = transfer * S
        for (rate, d), (one, other) in zip(events, ((S, S), (S, Q), (Q, Q)), strict=True):
            apart = one * other[0] + one[0] * other
            joined = np.array(
                [
                    one[0] * other[0],
                    one[1] * other[0] + one[0] * other[1],
                    one[2] * other[0] + 2 * one[1] * other[1] + one[0] * other[2],
                ]
            )
            dead = dead + rate * (d * apart + (1 - d) * joined)
        dM = -(k["k_p"] * S[0] + k["k_pt"] * Q[0]) * M - start
        return np.concatenate([[dM, -k["k_d"] * initiator], dS, dQ, dead, [-k["k_trA"] * agent * S[0]]])

    state = np.zeros(12)
    state[:2], state[11] = conditions[:2], agent
    end = solve_ivp(derivative, (0, time), state, method="LSODA", rtol=1e-9, atol=1e-20).y[:, -1]
    return {"monomer": end[0], "chains": end[8], "units": end[9], "squares": end[10]}
