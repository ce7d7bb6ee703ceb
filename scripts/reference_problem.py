"""What the simulator scripts share: the published grid, and a linear polymerization with a known answer."""

from dataclasses import replace

import torch
from torch import Tensor

from polyinv.chemistry import BUTYL_ACRYLATE, Arrhenius


def _constant(value: float) -> Arrhenius:
    return Arrhenius(A=value, E_a=0.0, measured=None, source="reference problem P1")


# No backbiting, no transfer: chain-end radicals only. After an hour X = 0.6275, DPn = 311.8, DPw = 624.
P1 = replace(
    BUTYL_ACRYLATE,
    name="P1",
    monomer_molar_mass=100.0,
    f=0.5,
    k_d=_constant(4e-5),
    k_p=_constant(2000.0),
    k_bb=_constant(0.0),
    k_tss=_constant(2e7),
    k_trM=_constant(0.0),
    k_trS=_constant(0.0),
    d_ss=0.5,
)
P1_RECIPE = torch.tensor([[1.0, 0.02, 70.0]], dtype=torch.float64)
P1_KNOWN = {"X": 0.6275, "DPn": 311.8, "DPw": 624.0}


def published_grid(every: int = 1) -> tuple[Tensor, Tensor]:
    """Conditions (B, 3) of every n-th of the 432 published recipes, and their twelve times (B, 12)."""
    temp = torch.tensor([60.0, 63.0, 65.0, 68.0, 70.0, 73.0, 75.0, 78.0, 80.0], dtype=torch.float64)
    cBA_0 = torch.arange(1, 7, dtype=torch.float64) * 0.5
    cAIBN_0 = torch.arange(1, 9, dtype=torch.float64) * 0.0025
    conditions = torch.cartesian_prod(temp, cBA_0, cAIBN_0)[::every, [1, 2, 0]]
    return conditions, (torch.arange(1, 13, dtype=torch.float64) * 300.0).expand(len(conditions), -1)
