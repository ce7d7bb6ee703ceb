"""Bank of noise-free polymerizations, computed once, from which noisy observations are drawn.

Each entry is a random recipe of the box at a random time. What costs is the smooth curve, a millisecond; the noise of
a finite number of chains costs a hundredth of that, so that every batch of a training can have its own.
"""

import hashlib
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from polyinv.chemistry import Chemistry, System
from polyinv.runtime.cache import cache_folder
from polyinv.runtime.files import written
from polyinv.runtime.progress import counted
from polyinv.simulate.fluctuations import Fluctuations, fluctuations
from polyinv.simulate.recipes import random_recipes
from polyinv.simulate.sampling import draw, grow_with_horizon
from polyinv.simulate.snapshots import Growth, Snapshots, mapped

BLOCK = 8192
"""Entries that are computed, and kept on disk, at once: about ten seconds of one core."""
VERSION = 3
"""Counts up whenever a block would come out differently."""
PARTS = 2 + len(fields(Growth)) + len(fields(Fluctuations))
"""Arrays of a block: recipes, dead chains at the horizon, growth, scatter."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CurveBank:
    """N polymerizations without noise.

    Args:
        recipes: (N, V), float64.
        growth: Everything made until the snapshot, as one interval (N, 1).
        scatter: How far a reaction strays from it, (N, 1).
        dead_chains: Dead chains in mol/L at the horizon, (N,); with the number of chains it gives the volume of a
            reaction.
    """

    recipes: Tensor
    growth: Growth
    scatter: Fluctuations
    dead_chains: Tensor

    def __len__(self) -> int:
        return len(self.recipes)

    def __getitem__(self, rows: Tensor) -> Self:
        return type(self)(self.recipes[rows], self.growth[rows], self.scatter[rows], self.dead_chains[rows])

    def to(self, device: torch.device | str) -> Self:
        """The bank on another device."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device)

        parts = mapped(self.growth, moved), mapped(self.scatter, moved)
        return type(self)(moved(self.recipes), *parts, moved(self.dead_chains))

    @classmethod
    def simulate(cls, recipes: Tensor, chemistry: Chemistry, horizon: float) -> Self:
        """Simulate the bank of given recipes (N, V), in float32 except for the recipes."""
        conditions, times = recipes[:, :-1], recipes[:, -1:]
        growth, dead_chains = grow_with_horizon(conditions, times, chemistry, horizon)
        scatter = fluctuations(conditions, times, chemistry)
        parts = mapped(growth, torch.Tensor.float), mapped(scatter, torch.Tensor.float)
        return cls(recipes, *parts, dead_chains.float())

    def observe(self, chemistry: Chemistry, chains: Tensor, generator: torch.Generator) -> Tensor:
        """Draw noisy observations (N, 103) for ``chains`` (N,) at the horizon, see `observables`; float32."""
        initial = self.recipes[:, 0].float()
        drawn = draw(self.growth, self.scatter, initial, volume=chains / self.dead_chains, generator=generator)
        return observables(drawn.snapshots(chemistry))


def observables(snapshots: Snapshots) -> Tensor:
    """Convert snapshots of shape (N, 1) to rows (N, 103): residual monomer, Mn, Mw, and the curve."""
    return torch.cat([*snapshots.scalars, snapshots.mmd[:, 0]], dim=-1)


def load_bank(count: int, seed: int, system: System, horizon: float) -> CurveBank:
    """Load a bank of random recipes from the cache, or compute it.

    The first N entries are the same whatever the count. Killed while it computes, the finished blocks are found
    again.

    Args:
        count: Entries.
        seed: Of the recipes.
        system: What is polymerized, and the recipe box.
        horizon: In s; the time that the number of chains of a reaction refers to.

    Raises:
        InputError: The horizon lies before a time of the recipes.
    """
    kind = f"{VERSION} {system.fingerprint} {horizon}"
    folder = cache_folder() / "bank" / f"{hashlib.sha256(kind.encode()).hexdigest()[:16]}-{seed}"
    blocks = list(_blocks(math.ceil(count / BLOCK), seed, system, horizon, folder))
    names = [field.name for field in fields(Growth)]
    recipes, dead_chains, *rest = (torch.cat(part)[:count] for part in zip(*blocks, strict=True))
    return CurveBank(recipes, Growth(*rest[: len(names)]), Fluctuations(*rest[len(names) :]), dead_chains)


def _blocks(number: int, seed: int, system: System, horizon: float, folder: Path) -> Iterator[list[Tensor]]:
    files = [folder / f"{at}.npz" for at in range(number)]
    missing = sum(not file.is_file() for file in files)
    if missing:
        log.info("simulating %d random recipes, kept in %s", missing * BLOCK, folder)
    with counted("simulating", "recipes", missing * BLOCK) as advance:
        for at, file in enumerate(files):
            block = _read(file)
            if block is None:
                generator = torch.Generator().manual_seed(seed * 1_000_003 + at)
                recipes = random_recipes(BLOCK, generator, system)
                bank = CurveBank.simulate(recipes, system.chemistry, horizon)
                parts = (getattr(part, field.name) for part in (bank.growth, bank.scatter) for field in fields(part))
                block = [bank.recipes, bank.dead_chains, *parts]
                _keep(block, file)
                advance(BLOCK)
            yield block


def _read(file: Path) -> list[Tensor] | None:
    """Read a cached block; None where there is none, or one that cannot be read."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            block = [torch.from_numpy(arrays[str(at)]) for at in range(len(arrays.files))]
        if len(block) != PARTS or any(len(part) != BLOCK for part in block):
            raise ValueError(f"needs {PARTS} arrays of {BLOCK} rows")
        return block
    except FileNotFoundError:
        return None
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        log.warning("%s cannot be read and is made again: %s", file, error)
        return None


def _keep(block: list[Tensor], file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with written(file, overwrite=True) as passing:
            arrays: dict[str, Any] = {str(number): part.numpy() for number, part in enumerate(block)}
            np.savez(passing, **arrays)
    except OSError as error:
        log.warning("simulated recipes are not kept: %s", error)
