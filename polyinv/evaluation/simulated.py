"""Simulate predicted recipes, for the closed loop and for pictures: within limits, by any method, with replicates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from polyinv.chemistry import DEFAULT, AnySystem, Chemistry, System, load_system
from polyinv.errors import InputError, unknown
from polyinv.runtime.progress import counted
from polyinv.runtime.threads import one_thread
from polyinv.simulate import solvers
from polyinv.simulate.fluctuations import fluctuations
from polyinv.simulate.recipes import box
from polyinv.simulate.sampling import check_chains, draw
from polyinv.simulate.snapshots import Growth, Snapshots, check_growth, concatenate, mapped

REPLICATES = 32
"""Simulated answers, and replicates of the true recipe, whose distances are averaged: the floor of a row then scatters
by 3 %, and by 6 % with eight."""
DRAWN = 64
"""Recipes whose replicates are drawn at once: they stay in a processor's cache."""

Store = Path | str | None


def limits(system: System) -> tuple[Tensor, Tensor]:
    """What is simulated at the least and at most, (V,) each: far beyond the box, yet a polymerization at every corner.

    At 70 °C above the box the initiator would be gone before the first step of `fluctuations`; of a run of 1e6 chains
    at its horizon some thousand have been made after a thirtieth of the first time.
    """
    low, high = box(system)
    least, most = low / 50, high * 7 / 3  # butyl acrylate in bulk is 7.0 mol/L
    least[1], most[1] = low[1] / 250, 25 * high[1]
    least[2], most[2] = low[2] - 40, high[2] + 40
    least[-1], most[-1] = low[-1] / 30, 10 * high[-1]
    return least, most


def physical(recipes: Tensor, system: AnySystem = DEFAULT) -> tuple[Tensor, Tensor]:
    """The nearest recipes (B, V) within `limits`, float64, and which rows (B,) were not there; NaN is left.

    Example:
        >>> physical(torch.tensor([[-0.5, 0.01, 70.0, 600.0], [1.0, 0.01, 70.0, 600.0]]).double())[1].tolist()
        [True, False]
    """
    low, high = limits(load_system(system))
    recipes = recipes.detach().double().cpu()
    within = recipes.clamp(low, high)  # NaN passes through, and differs from itself
    return within, (within != recipes).any(-1)


@dataclass(frozen=True)
class Settings:
    """What recipes are simulated with, whatever the method; see `simulated`."""

    chains: float
    horizon: float
    replicates: int
    system: System
    store: Store

    @property
    def chemistry(self) -> Chemistry:
        """That of the system."""
        return self.system.chemistry

    def checked(self) -> "Settings":
        """The settings, with replicates as a whole number.

        Raises:
            InputError: A number cannot be.
        """
        if self.replicates != int(self.replicates) or self.replicates < 1:
            raise InputError(f"replicates is {self.replicates}; needs a whole number from 1")
        if not 0 < self.horizon < float("inf"):
            raise InputError(f"horizon is {self.horizon:g} s; needs a positive number")
        check_chains(self.chains)
        return replace(self, replicates=int(self.replicates))


def _smooth(recipes: Tensor, horizon: float, chemistry: Chemistry) -> tuple[Growth, Tensor]:
    """Simulate growth until the snapshot as one interval, (B, 1), and dead chains in mol/L at the horizon, (B,).

    A predicted time may lie beyond the horizon, which still fixes the volume.
    """
    conditions, time = recipes[:, :-1], recipes[:, -1:]
    times = torch.cat([time.clamp(max=horizon), time.clamp(min=horizon)], dim=-1)
    growth = solvers.grow(conditions, times, chemistry).cumulated()
    check_growth(growth, conditions)
    rows, late = torch.arange(len(recipes)), (time[:, 0] > horizon).long()
    return mapped(growth, lambda part: part[rows, late][:, None]), growth.chains.sum(-1)[rows, 1 - late]


def _deterministic(recipes: Tensor, seeds: Sequence[int], settings: Settings) -> list[Snapshots]:
    return [solvers.simulate(recipes[:, :-1], recipes[:, -1:], settings.chemistry)] * len(seeds)


def _sampled(recipes: Tensor, seeds: Sequence[int], settings: Settings) -> list[Snapshots]:
    replicates, chemistry = settings.replicates, settings.chemistry
    growth, made = _smooth(recipes, settings.horizon, chemistry)
    scatter = fluctuations(recipes[:, :-1], recipes[:, -1:], chemistry)

    def drawn(rows: Tensor, seed: int) -> Snapshots:
        """Draw the replicates of some of the recipes, each recipe from a stream of its own."""
        streams = [torch.Generator().manual_seed(stream_of(seed, recipe)) for recipe in recipes[rows].tolist()]
        many = rows.repeat_interleave(replicates)
        volume = settings.chains / made[many]
        noisy = draw(growth[many], scatter[many], recipes[many, 0], volume=volume, generator=streams)
        return _by_recipe(noisy, replicates, chemistry)

    parts = torch.arange(len(recipes)).split(DRAWN)
    return [concatenate([drawn(rows, seed) for rows in parts]) for seed in seeds]


def _kmc(recipes: Tensor, seeds: Sequence[int], settings: Settings) -> list[Snapshots]:
    from polyinv.simulate.montecarlo import simulate_runs

    (seed,) = seeds
    with counted("simulating", "reactions", len(recipes) * settings.replicates) as advance:
        made = simulate_runs(
            recipes[:, :-1],
            recipes[:, -1:],
            settings.chemistry,
            chains=settings.chains,
            horizon=settings.horizon,
            seed=stream_of(seed),
            replicates=settings.replicates,
            store=settings.store,
            allow_few=True,  # it warns
            progress=advance,
        )
    return [_by_recipe(made.growth, settings.replicates, settings.chemistry)]


METHODS: dict[str, Callable[..., list[Snapshots]]] = {"sampled": _sampled, "deterministic": _deterministic, "kmc": _kmc}
"""What answers are simulated by. Each takes recipes (B, V), seeds (``kmc`` a single one) and `Settings`, and gives
replicates for each seed."""


def stream_of(seed: int, recipe: Sequence[float] | Tensor = ()) -> int:
    """Seed of a random stream for each recipe, so that a row scores the same alone and among others.

    No simulated data set has it: a replicate that shares the random numbers of the observation would have no distance
    from it. Six digits: the last bits of a prediction depend on the batch.
    """
    said = " ".join(["closed loop", str(seed), *(f"{value:.5e}" for value in recipe)])
    return int.from_bytes(sha256(said.encode()).digest()[:7], "big")


def _by_recipe(made: Growth, replicates: int, chemistry: Chemistry) -> Snapshots:
    """Reshape reactions (B·R, 1) to snapshots (B, R)."""
    return mapped(made.snapshots(chemistry), lambda part: part.reshape(-1, replicates, *part.shape[2:]))


@one_thread()
def simulated(
    recipes: Tensor,
    *,
    method: str = "sampled",
    chains: float = 1e6,
    horizon: float | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    system: AnySystem = DEFAULT,
    store: Store = None,
) -> Snapshots:
    """Simulate predicted recipes, for the closed loop and for pictures.

    Args:
        recipes: (B, V), taken to the nearest within `limits`; a row with NaN gives NaN.
        method: One of ``METHODS``.
        chains: Dead chains of a reaction at the horizon.
        horizon: In s; the time that the number of chains refers to, by default the last one of the recipe box.
        replicates: R reactions of each recipe.
        seed: Of the random numbers.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
        store: Folder in which finished reactions are kept and looked for; ``kmc`` alone takes long enough.

    Returns:
        Curves (B, R, 100) and scalars (B, R): the replicates stand in the place of the times. ``deterministic`` has
        one of each.

    Raises:
        InputError: The method is unknown, or a number cannot be.
    """
    system = load_system(system)
    settings = Settings(chains, system.horizon if horizon is None else horizon, replicates, system, store)
    return simulated_by_seeds(recipes, method, [seed], settings)[0]


def simulated_by_seeds(recipes: Tensor, method: str, seeds: Sequence[int], settings: Settings) -> list[Snapshots]:
    """Simulate recipes as `simulated` does, for each of some seeds; what has no noise is computed once."""
    if method not in METHODS:
        raise unknown("method of a closed loop", method, METHODS)
    settings = settings.checked()
    recipes, _ = physical(recipes, settings.system)
    known = ~recipes.isnan().any(-1)
    possible = torch.where(known[:, None], recipes, sum(box(settings.system)) / 2)

    def blanked(part: Tensor) -> Tensor:
        return torch.where(known.reshape(-1, *[1] * (part.ndim - 1)), part, torch.nan)

    return [mapped(snapshots, blanked) for snapshots in METHODS[method](possible, seeds, settings)]
