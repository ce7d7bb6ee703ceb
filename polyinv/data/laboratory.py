"""Polymers of given recipes as a laboratory would write them down: simulated, and measured with its errors."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from polyinv.chemistry import DEFAULT, AnySystem, load_system
from polyinv.data.bank import CurveBank
from polyinv.data.measure import measure
from polyinv.data.observations import Observations
from polyinv.instrument.errors import MeasurementErrors
from polyinv.simulate.recipes import random_recipes


def observations_of(
    recipes: Tensor,
    errors: MeasurementErrors | Mapping[str, Any] | str = "ordinary",
    chains: float = 1e6,
    seed: int = 0,
    system: AnySystem = DEFAULT,
    generator: torch.Generator | None = None,
) -> Observations:
    """Simulate the polymers of B recipes (B, V), and measure them; errors and chains are stated in the result.

    Args:
        recipes: In the box of the system.
        errors: Of the laboratory, as `polyinv.instrument.errors.measurement_errors` takes them.
        chains: Dead chains of each reaction at the horizon of the system; a sample before it holds fewer.
        seed: Of the random numbers; those of the chains, of the errors and of recipes drawn with it are independent.
        system: What is polymerized.
        generator: Of the noise of the chains; None makes one of the seed.

    Raises:
        InputError: Errors that cannot be, or so few chains that a sample holds none.
    """
    system = load_system(system)
    of_chains, of_errors = torch.randint(2**31, (2,), generator=torch.Generator().manual_seed(seed)).tolist()
    generator = torch.Generator().manual_seed(of_chains) if generator is None else generator
    bank = CurveBank.simulate(recipes, system.chemistry, system.horizon)
    x = bank.observe(system.chemistry, torch.full((len(recipes),), float(chains)), generator).double()
    residual, Mn, Mw = x[:, :3].unbind(1)
    exact = Observations(recipe=recipes, residual_monomer=residual, Mn=Mn, Mw=Mw, mmd=x[:, 3:], system=system)
    return replace(measure(exact, errors, of_errors), chains=held(bank, chains))


def random_observations(
    count: int, errors: Any, chains: float, seed: int, system: AnySystem = DEFAULT
) -> tuple[Tensor, Observations]:
    """Recipes (B, V) drawn uniformly in the box, and `observations_of` them."""
    system = load_system(system)
    recipes = random_recipes(count, torch.Generator().manual_seed(seed), system)
    return recipes, observations_of(recipes, errors, chains, seed, system)


def with_chains(observations: Observations, chains: float) -> Observations:
    """Let observations of known recipes tell the chains that they are expected to hold, of so many at the horizon."""
    system = observations.system
    bank = CurveBank.simulate(observations.recipe, system.chemistry, system.horizon)
    return replace(observations, chains=held(bank, chains))


def held(bank: CurveBank, chains: float) -> Tensor:
    """Chains that samples are expected to hold, (B,), of reactions with so many at their horizon."""
    return chains * bank.growth.chains.double().sum((-1, -2)) / bank.dead_chains.double()
