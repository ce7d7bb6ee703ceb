"""Snapshots of reactions at several times: the result of every simulator."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from polyinv.chemistry import Chemistry
from polyinv.errors import InputError
from polyinv.mmd import STEP

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Progress = Callable[[int], None]
"""Called by a simulator with the number of reactions it has just finished."""


def silent(runs: int) -> None:
    """Silent `Progress`."""


@dataclass(frozen=True)
class Snapshots:
    """Snapshots of B reactions at T times each.

    Args:
        mmd: w(log10 M) of unit area on the nodes of `polyinv.mmd`, shape (B, T, 100).
        residual_monomer: In mol/L, shape (B, T).
        Mn: Number average molar mass of the dead chains in g/mol, shape (B, T).
        Mw: Mass average molar mass of the dead chains in g/mol, shape (B, T).
        dead_chains: Concentration of dead chains in mol/L, shape (B, T).
    """

    mmd: Tensor
    residual_monomer: Tensor
    Mn: Tensor
    Mw: Tensor
    dead_chains: Tensor

    @property
    def scalars(self) -> tuple[Tensor, Tensor, Tensor]:
        """Residual monomer, Mn and Mw."""
        return self.residual_monomer, self.Mn, self.Mw


@dataclass(frozen=True)
class Growth:
    """Growth of B reactions in each of the T intervals between snapshots, in the bins of `polyinv.mmd`.

    Args:
        monomer: Residual monomer in mol/L at the end of each interval, shape (B, T).
        chains: Dead chains made in the interval, in mol/L, shape (B, T, 100). The last bin also takes what lies
            beyond it.
        units: Monomer units in those chains, in mol/L, shape (B, T, 100).
        squares: Their second moment of the length, in mol/L, shape (B, T, 100).
    """

    monomer: Tensor
    chains: Tensor
    units: Tensor
    squares: Tensor

    def __getitem__(self, runs: Tensor) -> "Growth":
        """Growth of some of the reactions."""
        return mapped(self, lambda part: part[runs])

    def until(self, interval: int) -> "Growth":
        """Growth of the first intervals only."""
        return mapped(self, lambda part: part[:, :interval])

    def cumulated(self) -> "Growth":
        """Cumulate the growth since the start of the reaction at the end of each interval."""
        if self.chains.shape[-2] == 1:
            return self
        return Growth(self.monomer, *(part.cumsum(-2) for part in (self.chains, self.units, self.squares)))

    def snapshots(self, chemistry: Chemistry) -> Snapshots:
        """Compute distribution and means of these chains, each interval as a sample of its own."""
        chains, units, squares = (part.sum(-1) for part in (self.chains, self.units, self.squares))
        return Snapshots(
            mmd=self.units / (units[..., None] * STEP),
            residual_monomer=self.monomer,
            Mn=chemistry.monomer_molar_mass * units / chains,
            Mw=chemistry.monomer_molar_mass * squares / units,
            dead_chains=chains,
        )


Batch = TypeVar("Batch", bound="DataclassInstance")


def mapped(batch: Batch, function: Callable[[Tensor], Tensor]) -> Batch:
    """Apply a function to each tensor of a batch."""
    return type(batch)(*(function(getattr(batch, field.name)) for field in fields(batch)))


def concatenate(parts: list[Batch]) -> Batch:
    """Concatenate batches of reactions."""
    kind = type(parts[0])
    return kind(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(kind)))


ABOVE = {"monomer": 0.0, "initiator": 0.0, "temp": -273.15, "time": 0.0}
"""What the conditions of a reaction and its first time have to be above, in mol/L, °C and s."""


def check_runs(conditions: Tensor, times: Tensor) -> None:
    """Refuse impossible conditions or times of reactions.

    Args:
        conditions: (B, 3 + E), monomer and initiator in mol/L, temperature in °C, then other concentrations.
        times: (B, T), ascending along T.

    Raises:
        InputError: Names the first reaction, the quantity and the value.
    """
    if conditions.ndim != 2 or conditions.shape[1] < 3 or times.ndim != 2 or len(times) != len(conditions):
        raise InputError(
            f"reactions need conditions of shape (B, 3) and times of shape (B, T), "
            f"got {(*conditions.shape,)} and {(*times.shape,)}"
        )
    for (name, above), column in zip(ABOVE.items(), [*conditions[:, :3].unbind(-1), times[:, :1]], strict=True):
        column = column.reshape(len(conditions), -1)
        _check(torch.isfinite(column) & (column > above), column, name, f"above {above:g}")
    for column in conditions[:, 3:, None].unbind(1):
        _check(torch.isfinite(column) & (column >= 0), column, "a concentration", "of 0 or more")
    if not torch.isfinite(times).all() or (times.diff(dim=-1) < 0).any():
        raise InputError("times of a reaction have to be finite and ascending")


def _check(good: Tensor, column: Tensor, name: str, needed: str) -> None:
    bad = ~good.all(-1)
    if bad.any():
        run = int(bad.nonzero()[0])
        raise InputError(f"reaction {run + 1}: {name} is {column[run].min().item():g}; needs a number {needed}")


def check_growth(growth: Growth, conditions: Tensor) -> None:
    """Refuse growth that the rate equations have no answer for, such as no initiation or no monomer at all.

    Raises:
        InputError: Names the first reaction (B, 3) that made no chains or whose numbers are not finite.
    """
    dead_chains = growth.chains.sum((-1, -2))
    bad = ~(dead_chains.isfinite() & (dead_chains > 0) & growth.monomer.isfinite().all(-1))
    if bad.any():
        recipe = conditions_in_words(conditions[bad.nonzero()[0, 0]])
        raise InputError(f"the rate equations give no polymer for {recipe}: no such polymerization is possible")


def conditions_in_words(conditions: Tensor) -> str:
    """Describe the conditions of a reaction, (3 + E).

    Example:
        >>> conditions_in_words(torch.tensor([1.0, 0.01, 70.0]))
        '1 mol/L of monomer, 0.01 mol/L of initiator, 70 °C'
    """
    monomer, initiator, temp = conditions[:3].tolist()
    return f"{monomer:g} mol/L of monomer, {initiator:g} mol/L of initiator, {temp:g} °C"
