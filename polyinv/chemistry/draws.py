"""Draws of chemistries: coefficients that are as probable as what is known of them, from own runs or the literature."""

from typing import TYPE_CHECKING

from polyinv.chemistry.coordinates import Coordinates
from polyinv.chemistry.kinetics import Chemistry
from polyinv.chemistry.system import System

if TYPE_CHECKING:
    from torch import Generator, Tensor


def covariance_root(system: System) -> "Tensor":
    """Root L of the covariance of the coordinates, (Q, K), in their units: they are L times K standard normal numbers.

    That of a calibrated system is a posteriori; any other has its stated standard deviations, independent.
    """
    import torch

    coordinates = Coordinates(system)
    sd = torch.tensor(coordinates.sd, dtype=torch.float64)
    if system.laboratory is None:
        return torch.diag(sd)
    return joint_root(system)[: len(sd)]


def joint_root(system: System) -> "Tensor":
    """Root of the joint covariance of coefficients and instrument of a calibrated system, (Q + 2, K)."""
    import torch

    laboratory = system.laboratory
    assert laboratory is not None
    prior = torch.tensor(laboratory.prior, dtype=torch.float64)
    sizes, directions = torch.linalg.eigh(torch.tensor(laboratory.matrix, dtype=torch.float64))
    return prior[:, None] * directions * sizes.clamp(min=0).sqrt()


def draws(system: System, count: int, generator: "Generator") -> list[Chemistry]:
    """Draw chemistries of a system from what is known of its coefficients.

    Example:
        >>> import torch
        >>> from polyinv.chemistry import load_system
        >>> some = draws(load_system("MMA"), 3, torch.Generator().manual_seed(0))
        >>> len({chemistry.k_p.A for chemistry in some})
        3
    """
    import torch

    coordinates, root = Coordinates(system), covariance_root(system)
    normal = torch.randn(count, root.shape[1], generator=generator, dtype=torch.float64)
    return [coordinates.chemistry(moved.tolist()) for moved in normal @ root.T]
