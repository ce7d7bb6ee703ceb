"""Batches of standardized rows, every pass another permutation or another draw.

They are served by plain iterables with a length. The whole table is a few MB and simulated rows are drawn where they
are needed, so that a batch costs an index or a draw: workers and collation would only slow it down. Lightning calls
``loader.sampler.set_epoch`` at the start of each epoch, as it does for a `torch.utils.data.DataLoader`; under a loop of
one's own each pass counts up by itself. Either way a pass depends on seed and epoch alone.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import SequentialSampler

from polyinv.data.masks import InputPatterns
from polyinv.data.recipe_stated import RecipeStated
from polyinv.data.scaling import Scaling

if TYPE_CHECKING:
    from polyinv.data.simulated import Source

Batch = tuple[Tensor, Tensor]

LARGE_PRIME = 1_000_003
"""Keeps the random numbers of two seeds apart for a million epochs."""


@dataclass(frozen=True)
class Shard:
    """Share of every batch, rows or random numbers, that belongs to one of several processes.

    Args:
        rank: Number of the process.
        count: How many there are.
    """

    rank: int = 0
    count: int = 1


def member_generators(
    seeds: Sequence[int], epoch: int, device: torch.device | str = "cpu", shard: Shard = Shard()
) -> list[torch.Generator]:
    """Random number generators of one epoch, one for each member of an ensemble.

    They depend on the member's own seed and the epoch only: a member trains as it would alone, and a resumed training
    goes on with the right numbers. A second process draws numbers of its own.
    """
    numbers = [seed * LARGE_PRIME + epoch for seed in seeds]
    if shard.rank:
        numbers = [(number * shard.count + shard.rank) ^ 0x5DEECE66D for number in numbers]
    return [torch.Generator(device=device).manual_seed(number % 2**63) for number in numbers]


class EpochSampler:
    """Epoch counter of batches: the epoch that Lightning has set, or one more than the last."""

    def __init__(self) -> None:
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of the next pass."""
        self.epoch = epoch

    def next(self) -> int:
        """Epoch of the pass that begins now."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        return epoch


class Batches(ABC):
    """Iterable of batches (x, z): standardized observations and recipes, float32.

    Args:
        seeds: One for each of R members, whose batches are then (R, B, G) and (R, B, V); None serves (B, G) and (B, V).
        mask: Leaves inputs out of each batch; None serves all.
        repeat: Serve the batches of epoch 0 in each pass, as Lightning's ``overfit_batches`` asks for.
    """

    batch_sampler: None = None
    """Lightning looks for one where there is a sampler."""

    def __init__(self, seeds: Sequence[int] | None, mask: "InputMask | None", repeat: bool) -> None:
        self.seeds, self.mask, self.repeat = seeds, mask, repeat
        self.epochs = EpochSampler()

    @property
    def sampler(self) -> EpochSampler | SequentialSampler:
        """Object that Lightning tells the epoch, or takes as the sign that batches repeat."""
        return SequentialSampler(range(len(self))) if self.repeat else self.epochs

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of the next pass."""
        self.epochs.set_epoch(epoch)

    @abstractmethod
    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]:
        # Begun with the first batch, not before: Lightning makes iterators that it never asks for one.
        yield from self._pass(0 if self.repeat else self.epochs.next())

    @abstractmethod
    def _pass(self, epoch: int) -> Iterator[Batch]: ...


class TableBatches(Batches):
    """Batches of rows in memory; every pass is a new permutation, one for each member of an ensemble.

    Args:
        x: Standardized observations, (N, G).
        z: Standardized recipes, (N, V).
        size: Rows in a batch; the last one may be smaller.
        seeds, mask, repeat: See `Batches`; the permutation without members is that of seed ``seed``.
        seed: Of the permutations without members.
        shuffle: Whether rows are permuted; if not, they come in their order.
        shard: Rows that this process takes.
    """

    def __init__(
        self,
        x: Tensor,
        z: Tensor,
        size: int,
        seeds: Sequence[int] | None = None,
        mask: "InputMask | None" = None,
        *,
        seed: int = 0,
        shuffle: bool = True,
        repeat: bool = False,
        shard: Shard = Shard(),
    ) -> None:
        super().__init__(seeds, mask, repeat or not shuffle)
        self.x, self.z, self.size = x, z, size
        self.seed, self.shuffle, self.shard = seed, shuffle, shard

    def __len__(self) -> int:
        return -(-(len(self.x) // self.shard.count) // self.size)

    def _pass(self, epoch: int) -> Iterator[Batch]:
        generators = member_generators(self.seeds or (self.seed,), epoch)
        for rows in self._order(generators).to(self.x.device).split(self.size, dim=-1):
            batch = self.x[rows], self.z[rows]
            yield batch if self.mask is None else self.mask(*batch, generators)

    def _order(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Row numbers of this process, (N,) or (R, N)."""
        rows = len(self.x)
        if not self.shuffle:
            order = torch.arange(rows)
        elif self.seeds is None:
            order = torch.randperm(rows, generator=generators[0])
        else:
            order = torch.stack([torch.randperm(rows, generator=each) for each in generators])
        # Processes take equally many, or one would wait for the others for ever.
        return order[..., self.shard.rank : rows - rows % self.shard.count : self.shard.count]


class SimulatedBatches(Batches):
    """Batches of random recipes with noise drawn for each batch.

    Args:
        source: Draws observations and recipes in physical units; on the device where the batches are wanted.
        scaling: Standardizes them.
        size: Rows in a batch.
        count: Batches in a pass.
        seeds, mask, repeat: See `Batches`.
        device: Where the bank of the source lies.
        seed: Of the draws without members.
        shard: The process.
    """

    def __init__(
        self,
        source: "Source",
        scaling: Scaling,
        size: int,
        count: int,
        seeds: Sequence[int] | None = None,
        mask: "InputMask | None" = None,
        *,
        device: torch.device | str = "cpu",
        seed: int = 0,
        repeat: bool = False,
        shard: Shard = Shard(),
    ) -> None:
        super().__init__(seeds, mask, repeat)
        self.source, self.size, self.count = source, size, count
        self.scaling, self.device = deepcopy(scaling).to(device), device
        self.seed, self.shard = seed, shard

    def __len__(self) -> int:
        return self.count // self.shard.count

    def _pass(self, epoch: int) -> Iterator[Batch]:
        generators = member_generators(self.seeds or (self.seed,), epoch, self.device, self.shard)
        for _ in range(len(self)):
            drawn = [self.source.draw(self.size, each) for each in generators]
            x, y = drawn[0] if self.seeds is None else (torch.stack(part) for part in zip(*drawn, strict=True))
            batch = self.scaling(x), self.scaling.targets(y)
            yield batch if self.mask is None else self.mask(*batch, generators)


@dataclass(frozen=True)
class InputMask:
    """Mask inputs of batches by patterns drawn for each row.

    Args:
        patterns: The patterns, and how often each is drawn.
        scaling: That of the rows.
        asks_stated: Ask for values that are given as well, unless they are known exactly.
    """

    patterns: InputPatterns
    scaling: Scaling
    asks_stated: bool = False

    def __call__(self, features: Tensor, z: Tensor, generators: Sequence[torch.Generator]) -> Batch:
        """Return the same batch with inputs missing.

        Args:
            features: What a network sees, (B, width), or (R, B, width) with a stream of random numbers for each member.
            z: Standardized recipes, (B, V) or (R, B, V); NaN afterwards where a value is given and not asked for.
            generators: One stream for each of R members, or a single one.
        """
        drawn = [self.patterns.draw(z.shape[-2], each) for each in generators]
        present = (drawn[0] if z.ndim == 2 else torch.stack(drawn)).to(z.device)
        seen = self.scaling.mask(features, present)
        known = RecipeStated(self.scaling)(seen).exactly if self.asks_stated else present[..., -z.shape[-1] :]
        return seen, z.masked_fill(known, torch.nan)


class Blocks:
    """Lists of several batches, for a module that takes as many optimizer steps at each call of ``training_step``.

    Args:
        batches: What is served.
        steps: Batches in a list; the last list may be shorter.
    """

    batch_sampler: None = None

    def __init__(self, batches: Batches, steps: int) -> None:
        self.batches, self.steps = batches, steps

    @property
    def sampler(self) -> EpochSampler | SequentialSampler:
        """See `Batches.sampler`."""
        return self.batches.sampler

    def __len__(self) -> int:
        return -(-len(self.batches) // self.steps)

    def __iter__(self) -> Iterator[list[Batch]]:
        batches = iter(self.batches)
        while block := list(itertools.islice(batches, self.steps)):
            yield block


class Observed:
    """Batches of observations alone, for ``predict_step``."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tensor]:
        return (x for x, _ in self.batches)
