"""Simulated polymers of random recipes, measured with errors."""

import torch

from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.data.laboratory import observations_of
from polyinv.data.observations import Observations
from polyinv.simulate.recipes import random_recipes


def polymers(rows, level="exact", chains=1e6, seed=5) -> tuple[torch.Tensor, Observations, torch.Tensor]:
    """True recipes (N, 4), what a laboratory writes down of their polymers, and the chains that these hold, (N,)."""
    generator = torch.Generator().manual_seed(seed)
    recipes = random_recipes(rows, generator, SYSTEM)
    observations = observations_of(recipes, level, chains, seed, SYSTEM, generator)
    return recipes, observations, observations.chains


def known_but(true: torch.Tensor, at: int) -> torch.Tensor:
    """Recipes (N, 4) of which all but one value is known."""
    return torch.where(torch.arange(4) == at, torch.nan, true)
