"""Recipes simulated on the fly: observations with the noise of finitely many chains, drawn from a bank of curves."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.bank import CurveBank, load_bank
from polyinv.data.features import errors_of
from polyinv.data.observations import EXACT
from polyinv.data.recipe_stated import drawing_order, least_errors
from polyinv.data.rows import Rows
from polyinv.data.source import SimulatedConfig
from polyinv.errors import InputError
from polyinv.instrument.errors import LEAST, LEVELS, SUFFIX
from polyinv.instrument.exports import exported, read_off
from polyinv.instrument.measure import Measured, draw_errors, observe
from polyinv.mmd import STEP
from polyinv.quantities import CHAINS, MMD
from polyinv.simulate.recipes import random_recipes

CURVE = slice(3, 3 + len(MMD))
"""Of what `polyinv.data.bank.observables` gives."""
STREAMS = ("training", "validation")
"""Streams of one seed: their recipes and their noise have nothing in common."""
ALIKE = 0.47
"""Share of the rows with errors all of whose errors are equally large."""
NONE = 1 + 1e-6
"""Times the least error that an error is up to where none is made: what is told as exact is exact."""
ANY_EXACTLY = 0.1
"""Share of the values that are known exactly whatever comes before them."""
LEAST_CHAINS = 30
"""Chains that every snapshot is expected to hold: fewer, and one of millions would hold none."""


@dataclass(frozen=True)
class Source:
    """Source of noisy observations of random recipes.

    Args:
        config: What is drawn.
        columns: Names of the F columns of an observation.
        bank: The polymerizations to draw from.
        system: That of the bank.
    """

    config: SimulatedConfig
    columns: tuple[str, ...]
    bank: CurveBank
    system: System

    @cached_property
    def _at(self) -> list[int]:
        drawn = (*self.system.scalars, *MMD, *self.system.targets, *errors_of(self.system), CHAINS)
        return [drawn.index(column) for column in self.columns]

    @property
    def _horizon(self) -> float:
        return self.config.horizon or self.system.horizon

    def to(self, device: torch.device | str) -> "Source":
        """Copy the source to another device."""
        return replace(self, bank=self.bank.to(device))

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw observations (B, F) and recipes (B, V) of random entries, float32 and float64."""
        if self.config.fresh:
            # A stream of its own: that of a member may be the one that the recipes of a bank came from.
            apart = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
            fresh = torch.Generator(device=generator.device).manual_seed(apart)
            entries = CurveBank.simulate(
                random_recipes(count, fresh, self.system), self.system.chemistry, self._horizon
            )
        else:
            number = torch.randint(len(self.bank), (count,), generator=generator, device=generator.device)
            entries = self.bank[number]
        return self._observe(entries, generator), entries.recipes

    def rows(self, generator: torch.Generator) -> Rows:
        """Draw every entry of the bank once."""
        parts = [self._observe(self.bank[at], generator) for at in torch.arange(len(self.bank)).split(8192)]
        return Rows(torch.cat(parts).double(), self.bank.recipes)

    def _observe(self, entries: CurveBank, generator: torch.Generator) -> Tensor:
        low, high = (torch.tensor(end, dtype=torch.float64).log() for end in self.config.chains)
        share = torch.rand(len(entries), generator=generator, device=generator.device)
        chains = torch.exp(low + (high - low) * share)
        observations = entries.observe(self.system.chemistry, chains.float(), generator)
        first = round(self.config.exported * len(observations))  # entries come in no order
        if self._told:
            measured = self._measured(observations, entries.recipes.to(observations), first, generator)
            told = self._held(entries, chains, generator).to(observations)
            return torch.cat([measured, told[:, None]], dim=-1)[:, self._at]
        if first:
            observations[:first, CURVE] = exported(observations[:first, CURVE], generator)
        return torch.cat([observations, entries.recipes.to(observations)], dim=-1)[:, self._at]

    @cached_property
    def _told(self) -> bool:
        return not set(errors_of(self.system)).isdisjoint(self.columns)

    def _measured(self, observations: Tensor, recipes: Tensor, first: int, generator: torch.Generator) -> Tensor:
        """Measure with errors, which are told: observations, recipes and errors, as they are written down."""
        largest, count = self.config.largest_errors, len(recipes)
        exact = self.config.exact
        errors = draw_errors(
            LEVELS["exact"],
            largest,
            count,
            generator,
            smallest=exact,
            alike=ALIKE * (1 - exact),
            skew=self.config.skew,
        )
        made = {name: torch.where(sd <= NONE * LEAST[name], 0.0, sd) for name, sd in errors.items()}
        residual, Mn, Mw = observations[:, : CURVE.start].unbind(-1)
        found = observe(
            recipes,
            residual,
            observations[:, CURVE],
            made,
            generator,
            quantities=self.system.recipe,
            residual_name=self.system.residual,
            means=(Mn, Mw),
            stated=errors,
        )
        if self.config.known_exactly:
            self._know_exactly(found, recipes, generator)
        if first:
            read = read_off(found.mmd[:first], generator) * (found.mmd[:first] > 0)
            read = read / (read.sum(-1, keepdim=True) * STEP)
            is_exact = (made["noise"][:first] <= EXACT * LEAST["noise"])[:, None]  # no instrument exports it
            found.mmd[:first] = torch.where(is_exact, found.mmd[:first], read)
        stated = [found.errors[column] for column in errors_of(self.system)]
        values = [found.residual, found.Mn, found.Mw, *found.mmd.T, *found.recipe.T, *stated]
        return torch.stack([value.to(observations) for value in values], dim=-1)

    def _know_exactly(self, found: Measured, recipes: Tensor, generator: torch.Generator) -> None:
        """Let some values of recipes be known exactly: the first ones that a posterior draws, or any."""
        V, device = recipes.shape[1], generator.device
        kind, count, *each = torch.rand(2 + V, len(recipes), generator=generator, device=device)
        known = torch.ceil(count * V) * (kind < self.config.known_exactly)
        exactly = torch.stack(each, dim=1) < ANY_EXACTLY
        for place, at in enumerate(drawing_order(self.system)):
            exactly[:, at] |= place < known
        found.recipe.copy_(torch.where(exactly, recipes, found.recipe))
        least, relative = (part.to(recipes.device) for part in least_errors(self.system))
        least = least.to(recipes) * torch.where(relative, recipes, torch.ones_like(recipes))
        for at, name in enumerate(self.system.targets):
            error = found.errors[name + SUFFIX]
            found.errors[name + SUFFIX] = torch.where(exactly[:, at], least[:, at].to(error), error)

    def _held(self, entries: CurveBank, chains: Tensor, generator: torch.Generator) -> Tensor:
        """Chains that samples are expected to hold, (B,), NaN where they do not tell; `chains` are at the horizon."""
        if CHAINS not in self.columns:
            return torch.full_like(chains, torch.nan)
        told = torch.rand(len(entries), generator=generator, device=generator.device) < self.config.told
        return torch.where(told, chains * entries.growth.chains.sum((-1, -2)) / entries.dead_chains, torch.nan)


def sources(config: SimulatedConfig, columns: tuple[str, ...], system: System) -> tuple[Source, Source]:
    """Sources of training and validation rows; their banks are computed, or taken from the cache.

    Args:
        config: What is simulated.
        columns: Names of the F columns of an observation.
        system: What is polymerized.

    Raises:
        InputError: So few chains that a snapshot would hold none.
    """
    horizon = config.horizon or system.horizon
    banks = [
        load_bank(count, _seed(config, name), system, horizon)
        for name, count in zip(STREAMS, (config.rows, config.validation), strict=True)
    ]
    for bank in banks:
        _check_chains(config, bank)
    training, validation = (Source(config, columns, bank, system) for bank in banks)
    return training, validation


def simulated_rows(config: SimulatedConfig, training: Source, validation: Source) -> list[Rows]:
    """Draw every recipe of both banks once: a finite table of training rows and one of validation rows."""
    drawn = zip(STREAMS, (training, validation), strict=True)
    return [source.rows(torch.Generator().manual_seed(_seed(config, name))) for name, source in drawn]


def _seed(config: SimulatedConfig, stream: str) -> int:
    return 2 * config.seed + STREAMS.index(stream)


def _check_chains(config: SimulatedConfig, bank: CurveBank) -> None:
    fewest = (bank.growth.chains.sum((-1, -2)) / bank.dead_chains).min().item() * config.chains[0]
    if fewest < LEAST_CHAINS:
        raise InputError(
            f"data.simulated.chains starts at {config.chains[0]:g}: an early snapshot would hold {fewest:.2g} "
            f"chains; needs {config.chains[0] * LEAST_CHAINS / fewest:.0f} or more"
        )
