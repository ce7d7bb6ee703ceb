"""Masks of inputs: which inputs rows have, leaving some out, and drawing patterns at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.data.patterns import ANY, INPUTS, SHOWING, check_patterns, every_pattern, inputs_of, name_of
from polyinv.errors import InputError


@dataclass(frozen=True)
class InputPatterns:
    """Distribution over patterns of inputs, to draw from.

    Args:
        present: Whether each of the inputs is given in each of P patterns, (P, 7), in the order of ``INPUTS``.
        share: How often each is drawn, (P,), summing to one.
    """

    present: Tensor
    share: Tensor

    @classmethod
    def of(cls, weights: Mapping[str, float]) -> "InputPatterns":
        """Make a distribution of patterns and their weights, see `check_patterns`."""
        shares: dict[str, float] = {}
        for pattern, weight in check_patterns(weights).items():
            meant = every_pattern() if pattern == ANY else (name_of(inputs_of(pattern)),)
            for name in meant:
                shares[name] = shares.get(name, 0.0) + weight / len(meant)
        present = torch.stack([presence(inputs_of(name)) for name in shares])
        share = torch.tensor(list(shares.values()), dtype=torch.float64)
        return cls(present, share / share.sum())

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw the patterns of that many rows, (count, 7), on the device of the generator."""
        ends = self.share.cumsum(0).to(generator.device)
        chance = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
        return self.present.to(generator.device)[torch.searchsorted(ends[:-1], chance, right=True)]


def presence(inputs: Sequence[str]) -> Tensor:
    """Whether each of ``INPUTS`` is among the given ones, (7,)."""
    return torch.tensor([name in inputs for name in INPUTS])


def given_inputs(x: Tensor, columns: Sequence[str]) -> Tensor:
    """Which of ``INPUTS`` observations (*, F) give, (*, 7); with a gap none: half a curve says nothing."""
    places = [[columns.index(column) for column in names] for names in INPUTS.values()]
    return torch.stack([~x[..., at].isnan().any(-1) for at in places], dim=-1)


def masked_inputs(x: Tensor, columns: Sequence[str], pattern: str) -> Tensor:
    """Observations (N, F) with NaN in every column that the pattern does not give.

    Raises:
        InputError: As `inputs_of`.
    """
    given = {column for name in inputs_of(pattern) for column in INPUTS[name]}
    there = torch.tensor([column in given for column in columns], device=x.device)
    return torch.where(there, x, torch.nan)


def check_polymer_is_there(x: Tensor, columns: Sequence[str]) -> None:
    """Refuse observations (N, F) of which nothing tells of the polymer.

    Raises:
        InputError: Names the first that has neither the curve nor Mn and Mw.
    """
    given = given_inputs(x, columns)
    bare = ~given[:, [list(INPUTS).index(name) for name in SHOWING]].any(-1)
    if bare.any():
        row = int(bare.nonzero()[0]) + 1
        raise InputError(f"observation {row} has neither the curve nor Mn and Mw; needs one of them, whole")
