"""Drawn laboratories for tests: runs of a chemistry that is not the system's."""

from dataclasses import replace

import torch

from polyinv.calibrate.model import LaboratoryModel
from polyinv.calibrate.runs import Runs
from polyinv.chemistry import System, load_system
from polyinv.chemistry.coordinates import Coordinates
from polyinv.data.laboratory import observations_of
from polyinv.simulate.recipes import random_recipes

SYSTEM = load_system("MMA")
SAMPLES = 3


def drawn(seed: int, system: System = SYSTEM) -> System:
    """The system with coefficients drawn at their uncertainty."""
    coordinates = Coordinates(system)
    generator = torch.Generator().manual_seed(seed)
    moved = torch.randn(len(coordinates.names), generator=generator, dtype=torch.float64)
    return replace(system, chemistry=coordinates.chemistry((moved * torch.tensor(coordinates.sd)).tolist()))


def runs_of(laboratory: System, count: int, seed: int, system: System = SYSTEM) -> Runs:
    """Runs of random recipes with the errors of a good laboratory, three samples each."""
    recipes = random_recipes(count, torch.Generator().manual_seed(seed), system).repeat_interleave(SAMPLES, 0)
    recipes[:, -1] = system.horizon * torch.arange(1, SAMPLES + 1).repeat(count) / SAMPLES
    seen = observations_of(recipes, "good", 1e6, seed, laboratory)
    number = torch.arange(count).repeat_interleave(SAMPLES)
    names = tuple(str(at + 1) for at in range(count))
    return Runs(replace(seen, recipe=recipes, system=system), number, names)


def model_of(laboratory: System, count: int, seed: int) -> LaboratoryModel:
    """Model of such a laboratory."""
    return LaboratoryModel(runs_of(laboratory, count, seed), Coordinates(SYSTEM))
