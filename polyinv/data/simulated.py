"""Recipes simulated on the fly: a DataModule whose training rows never repeat."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from polyinv.chemistry import CHEMISTRIES, Chemistry
from polyinv.data.bank import OBSERVABLES, CurveBank, load_bank
from polyinv.data.datamodule import Batches, InputMask, RecipeDataModule, Rows, member_generators
from polyinv.data.features import feature_columns
from polyinv.data.scaling import Scaling
from polyinv.data.source import SimulatedConfig
from polyinv.errors import InputError, unknown
from polyinv.instrument.exports import exported
from polyinv.quantities import MMD, TARGETS
from polyinv.simulate.recipes import random_recipes

CURVE = slice(OBSERVABLES.index(MMD[0]), OBSERVABLES.index(MMD[-1]) + 1)
TRAINING, VALIDATION = 0, 1
"""Streams of one seed: their recipes and their noise have nothing in common."""
LEAST_CHAINS = 30
"""Chains that every snapshot is expected to hold: fewer, and one of millions would hold none."""


class DrawnBatches:
    """Standardized batches of random entries of a bank with noise drawn for each batch; see `Batches`.

    Args:
        source: Draws observations and recipes in physical units.
        scaling: Standardizes them.
        size: Rows in a batch.
        count: Batches in a pass.
        seeds: One for each of R members, who draw on their own; None is one member without the leading dimension.
        device: Where the bank lies.
        mask: Leaves inputs out of each batch; None serves all.
    """

    def __init__(
        self,
        source: "Source",
        scaling: Scaling,
        size: int,
        count: int,
        seeds: Sequence[int] | None,
        device: torch.device | str,
        mask: InputMask | None = None,
    ) -> None:
        self.source, self.size, self.count, self.seeds, self.epoch = source, size, count, seeds, 0
        self.mask = mask
        self.scaling, self.device = deepcopy(scaling).to(device), device

    def __len__(self) -> int:
        return self.count

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of the next pass."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = member_generators((0,) if self.seeds is None else self.seeds, self.epoch, self.device)
        for _ in range(self.count):
            drawn = [self.source.draw(self.size, each) for each in generator]
            x, y = drawn[0] if self.seeds is None else (torch.stack(part) for part in zip(*drawn, strict=True))
            batch = self.scaling(x), self.scaling.targets(y)
            yield batch if self.mask is None else self.mask(*batch, generator)


@dataclass(frozen=True)
class Source:
    """Draws noisy observations of random recipes.

    Args:
        config: What is drawn.
        columns: Names of the F columns of an observation.
        bank: The polymerizations to draw from.
        chemistry: That of the bank.
    """

    config: SimulatedConfig
    columns: tuple[str, ...]
    bank: CurveBank
    chemistry: Chemistry

    @cached_property
    def _at(self) -> list[int]:
        return [(*OBSERVABLES, *TARGETS).index(column) for column in self.columns]

    def to(self, device: torch.device | str) -> "Source":
        """The same with its bank on another device."""
        return replace(self, bank=self.bank.to(device))

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Observations (B, F) and recipes (B, 4) of random entries, float32 and float64."""
        if self.config.fresh:
            # A stream of its own: that of a member may be the one that the recipes of a bank came from.
            apart = torch.randint(2**31, (1,), generator=generator, device=generator.device).item()
            fresh = torch.Generator(device=generator.device).manual_seed(apart)
            entries = CurveBank.simulate(random_recipes(count, fresh), self.chemistry, self.config.horizon)
        else:
            number = torch.randint(len(self.bank), (count,), generator=generator, device=generator.device)
            entries = self.bank[number]
        return self._observe(entries, generator), entries.recipes

    def rows(self, generator: torch.Generator) -> Rows:
        """Every entry of the bank once."""
        parts = [self._observe(self.bank[at], generator) for at in torch.arange(len(self.bank)).split(8192)]
        return Rows(torch.cat(parts).double(), self.bank.recipes)

    def _observe(self, entries: CurveBank, generator: torch.Generator) -> Tensor:
        low, high = (torch.tensor(end, dtype=torch.float64).log() for end in self.config.chains)
        share = torch.rand(len(entries), generator=generator, device=generator.device)
        chains = torch.exp(low + (high - low) * share)
        observations = entries.observe(self.chemistry, chains.float(), generator)
        if share := round(self.config.exported * len(observations)):  # the first ones: entries come in no order
            observations[:share, CURVE] = exported(observations[:share, CURVE], generator)
        return torch.cat([observations, entries.recipes.to(observations)], dim=-1)[:, self._at]


class SimulatedData(RecipeDataModule):
    """Training and validation rows simulated, test rows given.

    ``train`` holds each recipe of the bank once, a finite table for models that need one; the batches of
    `train_dataloader` are drawn anew. Validation has recipes and noise of its own.

    Args:
        config: What is simulated.
        features: One of ``polyinv.data.features.FEATURES``.
        test: Rows to evaluate on.
        patterns: See `RecipeDataModule`.

    Raises:
        InputError: An unknown chemistry, or a configuration that cannot be.
    """

    def __init__(
        self, config: SimulatedConfig, features: str, test: Rows, patterns: Mapping[str, float] | None = None
    ) -> None:
        if config.chemistry not in CHEMISTRIES:
            raise unknown("chemistry", config.chemistry, CHEMISTRIES)
        chemistry, columns = CHEMISTRIES[config.chemistry], feature_columns(features)
        sources = []
        for stream, count in ((TRAINING, config.rows), (VALIDATION, config.validation)):
            bank = load_bank(count, 2 * config.seed + stream, chemistry, config.horizon)
            fewest = (bank.growth.chains.sum((-1, -2)) / bank.dead_chains).min().item() * config.chains[0]
            if fewest < LEAST_CHAINS:
                raise InputError(
                    f"data.simulated.chains starts at {config.chains[0]:g}: an early snapshot would hold {fewest:.2g} "
                    f"chains; needs {config.chains[0] * LEAST_CHAINS / fewest:.0f} or more"
                )
            sources.append(Source(config, columns, bank, chemistry))
        rows = [
            source.rows(torch.Generator().manual_seed(2 * config.seed + stream))
            for source, stream in zip(sources, (TRAINING, VALIDATION), strict=True)
        ]
        super().__init__(features, *rows, test, patterns=patterns)
        self.config, self.source = config, sources[0]

    @property
    def rows_per_epoch(self) -> int:
        """See `RecipeDataModule.rows_per_epoch`."""
        return self.config.epoch if self.config.redraw else len(self.train)

    def train_dataloader(self) -> Batches | DrawnBatches:
        """Batches of random recipes with noise of their own, or of the finite table if nothing is redrawn."""
        if not self.config.redraw:
            return super().train_dataloader()
        count = self.rows_per_epoch // self.batch_size
        return DrawnBatches(
            self.source.to(self.device),
            self.scaling,
            self.batch_size,
            count,
            self.seeds,
            self.device,
            self.input_mask(),
        )
