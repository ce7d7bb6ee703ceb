"""How probable it is that a design makes what was wished for, where coefficients are known only so well."""

from dataclasses import replace

import torch
from torch import Tensor

from polyinv.chemistry.draws import draws
from polyinv.design.properties import Polymers, polymers_of
from polyinv.design.search import Task
from polyinv.runtime.threads import one_thread

DRAWS = 200
"""Chemistries that each design is made with."""
SEED = 0
CLOSE = 0.03
"""Share of the mass of a curve that may lie elsewhere when other coefficients make it."""
INITIATION, TEMPERATURE = "initiation", "temperature"
"""Scatter between runs, by the names of `polyinv.chemistry.laboratory.SCATTER`."""


@one_thread()
def chances(found: Polymers, task: Task, count: int = DRAWS) -> Tensor:
    """Share of draws of the coefficients with which each of M designs meets the wishes, (M,).

    Coefficients are drawn from what own runs left open of a calibrated system, with the scatter between its runs; of
    any other from the standard deviations that it states, or usual ones.

    Args:
        found: The designs.
        task: What was wished for.
        count: Draws.
    """
    system, generator = task.system, torch.Generator().manual_seed(SEED)
    scatter = {} if system.laboratory is None else system.laboratory.scatter
    wished, met = replace(task, within=max(task.within, CLOSE)), torch.zeros(len(found), dtype=torch.float64)
    shifts = torch.randn(count, 2, len(found), generator=generator, dtype=torch.float64)
    for chemistry, (initiation, temperature) in zip(draws(system, count, generator), shifts, strict=True):
        recipes = found.recipes.clone()
        # As many more radicals as that much more initiator gives, while little of it is used up.
        recipes[:, 1] *= torch.exp(scatter.get(INITIATION, 0.0) * initiation)
        recipes[:, 2] += scatter.get(TEMPERATURE, 0.0) * temperature
        made = polymers_of(recipes, found.unit, replace(system, chemistry=chemistry))
        met += wished.meets(made)
    return met / count
