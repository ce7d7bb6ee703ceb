"""Source of the rows of an experiment: the bundled data set, a user's file, or a simulation."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import pandas as pd

from polyinv.chemistry import DEFAULT, AnySystem, System, load_system
from polyinv.data.bundled import load_bundled
from polyinv.data.patterns import check_patterns
from polyinv.data.unit_checks import check_units
from polyinv.data.workbook import read_table
from polyinv.errors import InputError, unknown
from polyinv.instrument.errors import TRAINED, MeasurementErrors, measurement_errors
from polyinv.quantities import MMD
from polyinv.reactions import Shard, check_together

SOURCES = ("table", "grid", "simulated")
OFF_GRID, OFF_GRID_SEED = 1000, 2_718_281_828
"""Recipes off the grid of a system that has no bundled ones; no training has the recipes of this seed."""
MOST, LONGEST = 1e9, 1e6
"""Largest number of chains, which a GPU draws as 32-bit numbers, and longest horizon in s."""

log = logging.getLogger(__name__)


MOST_RECIPES = 100_000_000
"""Of a bank, which takes 40 GB."""


@dataclass(frozen=True)
class SimulatedConfig:
    """Recipes simulated on the fly, uniform in the published box at random times.

    Args:
        rows: Recipes in the bank of noise-free curves; models that need a finite table get each of them once.
        chains: Dead chains of a reaction at the horizon, lowest and highest; drawn log-uniformly between. One number
            for all is a trap: single chains in the tail of the curve give the number of chains away, and with a fixed
            volume that tells how far the reaction is, which no measured curve does (docs/explanation/networks.md).
        horizon: Time in s that the number of chains refers to, the last one of the recipe box unless it is given; a
            snapshot before it holds fewer.
        epoch: Rows served between two looks at the validation rows.
        validation: Validation rows; their recipes and noise are their own.
        redraw: Draw the noise anew for every batch; otherwise each recipe of the bank is one fixed row.
        fresh: Simulate new recipes for every batch instead of drawing from the bank; for a GPU.
        exported: Share of rows whose curve is one that an instrument exports (`polyinv.instrument.exports`), 0 to 1;
            where errors are told, none of those that are exact.
        errors: With the features ``conditional+errors``, which are told them: the largest errors that are drawn, by the
            names of `polyinv.instrument.errors.MeasurementErrors`, where they are not those of
            `polyinv.instrument.errors.TRAINED`.
        exact: With those features: share of rows that are measured without errors, 0 to 1.
        skew: With those features: exponent of the uniform number that places an error between the logarithms of its
            ends; 1 draws them log-uniformly, less draws more large ones.
        known_exactly: With those features: share of the rows in which the first values of the recipe, in the order in
            which a posterior draws them, are known exactly where they are given, whatever the other errors are, 0 to 1.
        told: With the features ``conditional+errors+chains``: share of rows that tell how many chains they hold.
        seed: Of the recipes.
    """

    rows: int = 120_000
    chains: tuple[float, float] = (1e5, 1e7)
    horizon: float | None = None
    epoch: int = 128_000
    validation: int = 8192
    redraw: bool = True
    fresh: bool = False
    exported: float = 0.0
    errors: dict[str, float] = field(default_factory=dict)
    exact: float = 0.25
    skew: float = 1.0
    known_exactly: float = 0.0
    told: float = 0.75
    seed: int = 1

    def __post_init__(self) -> None:
        for option, least in {"rows": 2, "epoch": 1, "validation": 2, "seed": 0}.items():
            most = 2**31 - 1 if option == "seed" else MOST_RECIPES
            if not least <= getattr(self, option) <= most:
                raise InputError(f"data.simulated.{option} is {getattr(self, option)}; needs {least} to {most}")
        for option in ("exported", "exact", "known_exactly", "told"):
            if not 0 <= getattr(self, option) <= 1:
                raise InputError(f"data.simulated.{option} is {getattr(self, option):g}; needs a share, 0 to 1")
        if not 0 < self.skew <= 10:
            raise InputError(f"data.simulated.skew is {self.skew:g}; needs an exponent above 0, 10 at most")
        self.largest_errors  # noqa: B018 (it raises)
        low, high = self.chains
        if not 1 <= low <= high <= MOST:
            raise InputError(
                f"data.simulated.chains is {low:g} to {high:g}; needs two ascending numbers, 1 to {MOST:g}"
            )
        if self.fresh and not self.redraw:
            raise InputError("data.simulated.fresh needs data.simulated.redraw: fresh recipes have noise of their own")
        object.__setattr__(self, "chains", (float(low), float(high)))

    @property
    def largest_errors(self) -> MeasurementErrors:
        """Largest errors that are drawn."""
        return measurement_errors({**asdict(TRAINED), **self.errors})


@dataclass(frozen=True)
class GridConfig:
    """Grid of recipes, simulated on the spot: the published one, or of other systems `polyinv.simulate.recipes.grid`.

    Args:
        method: One of ``polyinv.simulate.SIMULATORS``. ``sampled`` cumulates the noise along each reaction, as its
            chains do; ``sampled_per_row`` draws it afresh for each row, so that snapshots of one reaction share no
            fingerprint.
        chains: Dead chains of each reaction at its last snapshot; ``deterministic`` has no noise.
        seed: Of the random numbers.
    """

    method: str = "sampled"
    chains: float = 1e6
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.chains <= MOST:
            raise InputError(f"data.grid.chains is {self.chains:g}; needs 1 to {MOST:g}")
        check_seed(self.seed, "data.grid.seed")


@dataclass(frozen=True)
class DataConfig:
    """Rows to learn from and to be evaluated on.

    Args:
        source: ``table`` trains on the training rows of the table; ``grid`` from those of a grid of recipes (of butyl
            acrylate the published one), simulated on the spot; ``simulated`` from recipes simulated on the fly, and the
            table, or without one the grid, only evaluates.
        path: A workbook or table of your own; none takes the bundled data set, the published grid simulated here.
        normalize: Divide each distribution of the file by its area instead of refusing areas other than one.
        simulated: What is simulated, with the source of that name.
        grid: How the published grid is simulated, with the source of that name.
        patterns: With the features ``conditional``: how often each pattern of known inputs is trained on, such as
            ``{"mmd+temp": 1, "any": 1}``. Inputs are mmd, cBA_time, means (Mn and Mw), cBA_0, cAIBN_0, temp, time, and
            composite for the first three; ``any`` is every pattern alike. None given are those of
            `polyinv.data.patterns.PRACTICAL`.
        system: What is polymerized: the name of a system that comes with polyinv, or the file of one. On the command
            line ``--system`` for short.
    """

    source: str = "table"
    path: str | None = None
    normalize: bool = False
    simulated: SimulatedConfig = field(default_factory=SimulatedConfig)
    grid: GridConfig = field(default_factory=GridConfig)
    patterns: dict[str, float] = field(default_factory=dict)
    system: str | dict[str, Any] = DEFAULT

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise unknown("data source", self.source, SOURCES)
        if self.source == "grid" and self.path is not None:
            raise InputError(f"data.source grid simulates its rows; data.path {self.path} goes with table or simulated")
        system = self.of
        if isinstance(system.stored, str):
            object.__setattr__(self, "system", system.stored)  # not its symbol, nor the path of a file that comes along
        check_patterns(self.patterns, system)
        horizon = system.horizon if self.simulated.horizon is None else self.simulated.horizon
        if not system.horizon <= horizon <= LONGEST:
            raise InputError(
                f"data.simulated.horizon is {horizon:g} s; needs {system.horizon:g}, the last time of the box, "
                f"up to {LONGEST:g}"
            )
        object.__setattr__(self, "simulated", replace(self.simulated, horizon=horizon))

    @cached_property
    def of(self) -> System:
        """What is polymerized: a file of it is read once."""
        return load_system(self.system)

    @property
    def is_bundled(self) -> bool:
        """Whether the table is the bundled data set."""
        return self.path is None and self.source != "grid" and "grid" in self.of.bundled

    @property
    def has_off_grid(self) -> bool:
        """Whether the table has the recipes of the grid of its system, which an off-grid test stands beside."""
        return self.path is None

    def __str__(self) -> str:
        """The data in a few words."""
        if self.path is None and not self.is_bundled:
            noise = "" if self.grid.method == "deterministic" else f", {self.grid.chains:.3g} chains"
            grid = "the published grid" if "grid" in self.of.bundled else f"the grid of {self.of.name}"
            return f"{grid} ({self.grid.method}{noise})"
        return self.path or "the bundled data set"


def load_table(config: DataConfig, columns: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Load the rows that ``config`` names, with the given columns or all; errors are none of a simulated table.

    Raises:
        InputError: The file cannot be used, or the simulation is not possible.
    """
    columns = tuple(name for name in columns or config.of.columns if name in config.of.columns)
    if config.path is None and config.source == "table" and not config.is_bundled:
        raise InputError(
            f"no data set of {config.of.name} comes with polyinv; data.path names one of your own, and data.source "
            "grid or simulated makes one"
        )
    if config.is_bundled:
        return load_bundled("grid")[list(columns)]
    if config.path is None:
        return _simulated_grid(config.grid, config.of)[list(columns)]
    table = read_table(config.path, columns, normalize=config.normalize, system=config.of)
    check_units(table, config.of, config.path)
    return table


def load_off_grid(system: System) -> pd.DataFrame:
    """Load the off-grid test of a system: the bundled one, or random recipes of its box, simulated on the spot.

    Nothing may be trained or chosen on it.
    """
    return load_bundled("off_grid") if "off_grid" in system.bundled else _off_grid(system)


@lru_cache(maxsize=8)
def _simulated_grid(config: GridConfig, system: System) -> pd.DataFrame:
    from polyinv.simulate.recipes import grid

    return simulate_table(grid(system), method=config.method, chains=config.chains, seed=config.seed, system=system)


@lru_cache(maxsize=8)
def _off_grid(system: System) -> pd.DataFrame:
    import torch

    from polyinv.simulate.recipes import random_recipes

    recipes = random_recipes(OFF_GRID, torch.Generator().manual_seed(OFF_GRID_SEED), system).numpy()
    table = pd.DataFrame(recipes, columns=list(system.targets))
    return simulate_table(table, seed=OFF_GRID_SEED, system=system, horizon=system.horizon)


def check_simulation(recipes: pd.DataFrame, method: str, seed: int, replicates: int, system: System) -> None:
    """Refuse what `simulate_table` cannot simulate, before anything is.

    Raises:
        InputError: An unknown method, recipes without a column, a seed or replicates that cannot be.
    """
    from polyinv.simulate import SIMULATORS

    if method not in SIMULATORS:
        raise unknown("simulator", method, SIMULATORS)
    missing = [name for name in system.targets if name not in recipes]
    if missing:
        raise InputError(f"the recipes have no column {missing[0]!r}; {system.name} needs {', '.join(system.targets)}")
    if replicates < 1 or (replicates > 1 and method == "deterministic"):
        reason = "a reaction without noise has no replicates" if method == "deterministic" else "needs 1 or more"
        raise InputError(f"replicates is {replicates}; {reason}")
    check_seed(seed)


def check_seed(seed: int, called: str = "seed") -> None:
    """Refuse a seed that a simulation cannot take.

    Raises:
        InputError: It is negative or has more than 63 bits.
    """
    if not 0 <= seed < 2**63:
        raise InputError(f"{called} is {seed}; needs a whole number from 0 to 2^63 - 1")


def simulate_table(
    recipes: pd.DataFrame,
    *,
    method: str = "sampled",
    chains: float = 1e6,
    seed: int = 1,
    replicates: int = 1,
    system: AnySystem = DEFAULT,
    shard: Shard | range | None = None,
    progress: Callable[[int], None] = lambda reactions: None,
    **options: Any,
) -> pd.DataFrame:
    """Simulate recipes; the table keeps their order.

    Args:
        recipes: N rows with the targets of the system; rows that differ in time only are snapshots of one reaction.
        method: One of ``polyinv.simulate.SIMULATORS``.
        chains: Dead chains of each reaction at its last snapshot.
        seed: Of the random numbers.
        replicates: Independent reactions of each recipe, R.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
        shard: Simulate this part of the reactions only, or a range of them. The parts, one after the other, are bit for
            bit the whole table, whose random streams they draw from.
        progress: Called with the number of reactions just done.
        options: What only this method takes.

    Returns:
        N rows for each replicate, one replicate after the other, with the columns of the system; of a shard its rows,
        numbered as in the whole table.

    Raises:
        InputError: An unknown name, a recipe that cannot be, replicates of a reaction without noise, or a shard that
            cannot be.
    """
    # torch takes a second or more to import: not before a file has been refused.
    import torch

    from polyinv.simulate import DRAWN, SIMULATORS
    from polyinv.simulate.recipes import part_to_simulate, runs

    system = load_system(system)
    check_simulation(recipes, method, seed, replicates, system)
    physical = torch.from_numpy(recipes[list(system.targets)].to_numpy(dtype=float, copy=True))
    for line in system.outside(physical):
        log.warning(line)
    conditions, times, run, snapshot = runs(recipes, system)
    run = torch.cat([run + len(conditions) * replicate for replicate in range(replicates)])
    if shard is not None:
        check_together(run.numpy())
    total = len(conditions) * replicates
    reactions = shard.of(total) if isinstance(shard, Shard) else range(total) if shard is None else shard
    part = part_to_simulate(method, reactions, total)
    polymer = SIMULATORS[method](
        conditions.repeat(replicates, 1)[part.start : part.stop],
        times.repeat(replicates, 1)[part.start : part.stop],
        system.chemistry,
        chains=chains,
        seed=seed,
        progress=progress,
        **options | ({"first": part.start} if method in DRAWN else {}),
    )
    rows = ((run >= reactions.start) & (run < reactions.stop)).nonzero()[:, 0]
    run, snapshot = run[rows] - part.start, snapshot.repeat(replicates)[rows]
    table = pd.concat([recipes[list(system.targets)]] * replicates, ignore_index=True).iloc[
        int(rows[0]) : int(rows[-1]) + 1
    ]
    scalars = {name: part[run, snapshot].numpy() for name, part in zip(system.scalars, polymer.scalars, strict=True)}
    curves = pd.DataFrame(polymer.mmd[run, snapshot].numpy(), columns=list(MMD), index=table.index)
    return pd.concat([table, pd.DataFrame(scalars, index=table.index), curves], axis=1)
