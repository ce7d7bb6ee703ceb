"""Masks of inputs: which inputs rows have, leaving some out, and drawing patterns at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.features import errors_of, input_of_error
from polyinv.data.patterns import ANY, SHOWING, check_patterns, every_pattern, inputs_of, name_of
from polyinv.errors import InputError
from polyinv.quantities import CHAINS


@dataclass(frozen=True)
class InputPatterns:
    """Distribution over patterns of inputs, to draw from.

    Args:
        present: Whether each of the inputs is given in each of P patterns, (P, I), in the order of `System.inputs`.
        share: How often each is drawn, (P,), summing to one.
    """

    present: Tensor
    share: Tensor

    @classmethod
    def of(cls, weights: Mapping[str, float], system: System) -> "InputPatterns":
        """Make a distribution of patterns and their weights, see `check_patterns`."""
        shares: dict[str, float] = {}
        for pattern, weight in check_patterns(weights, system).items():
            meant = every_pattern(system) if pattern == ANY else (name_of(inputs_of(pattern, system), system),)
            for name in meant:
                shares[name] = shares.get(name, 0.0) + weight / len(meant)
        present = torch.stack([presence(inputs_of(name, system), system) for name in shares])
        share = torch.tensor(list(shares.values()), dtype=torch.float64)
        return cls(present, share / share.sum())

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw the patterns of that many rows, (count, I), on the device of the generator."""
        ends = self.share.cumsum(0).to(generator.device)
        chance = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
        return self.present.to(generator.device)[torch.searchsorted(ends[:-1], chance, right=True)]


def presence(inputs: Sequence[str], system: System) -> Tensor:
    """Whether each of the inputs of a system is among the given ones, (I,)."""
    return torch.tensor([name in inputs for name in system.inputs])


def given_inputs(x: Tensor, columns: Sequence[str], system: System) -> Tensor:
    """Which inputs of a system observations (*, F) give, (*, I); with a gap none: half a curve says nothing."""
    places = [[columns.index(column) for column in names] for names in system.inputs.values()]
    return torch.stack([~x[..., at].isnan().any(-1) for at in places], dim=-1)


def masked_inputs(x: Tensor, columns: Sequence[str], pattern: str, system: System) -> Tensor:
    """Observations (N, F) with NaN in every column that the pattern does not give.

    Raises:
        InputError: As `inputs_of`.
    """
    given = {column for name in inputs_of(pattern, system) for column in system.inputs[name]}
    given |= {*errors_of(system), CHAINS}  # of what is missing they say nothing, and are not looked at
    there = torch.tensor([column in given for column in columns], device=x.device)
    return torch.where(there, x, torch.nan)


def check_polymer_is_there(x: Tensor, columns: Sequence[str], system: System) -> None:
    """Refuse observations (N, F) of which nothing tells of the polymer.

    Raises:
        InputError: Names the first that has neither the curve nor Mn and Mw.
    """
    given = given_inputs(x, columns, system)
    bare = ~given[:, [list(system.inputs).index(name) for name in SHOWING]].any(-1)
    if bare.any():
        row = int(bare.nonzero()[0]) + 1
        raise InputError(f"observation {row} has neither the curve nor Mn and Mw; needs one of them, whole")


def check_errors_are_there(x: Tensor, columns: Sequence[str], system: System) -> None:
    """Refuse observations (N, F) that give a value without its error.

    Raises:
        InputError: Names the first.
    """
    given = given_inputs(x, columns, system)
    for at, column in enumerate(columns):
        if column in errors_of(system):
            of = input_of_error(column, system)
            there = torch.ones_like(given[:, 0]) if of is None else given[:, list(system.inputs).index(of)]
            if (bad := there & ~(x[:, at] > 0)).any():
                row = int(bad.nonzero()[0])
                raise InputError(
                    f"observation {row + 1}: {column} is {x[row, at].item():g}; needs a positive number, as "
                    "Observations.x gives it"
                )
