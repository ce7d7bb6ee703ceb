"""Runs of a laboratory: samples whose recipes are known, and which of them were taken from one reaction."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from polyinv.data.observations import Observations
from polyinv.domain.least_squares import where_measured
from polyinv.errors import InputError
from polyinv.quantities import MEANS


@dataclass(frozen=True, eq=False)
class Runs:
    """Samples of R runs: B observations whose recipes are known whole, with the errors of each.

    Args:
        observations: Any of curve, residual monomer, Mn and Mw of each.
        run: Number of the run of each sample, from 0, (B,).
        names: What the runs are called, R of them.

    Raises:
        InputError: A recipe is not known whole, or a sample shows nothing.
    """

    observations: Observations
    run: Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        missing = self.observations.recipe.isnan().any(1)
        if missing.any():
            row = self.observations.labels[int(missing.nonzero()[0])]
            raise InputError(f"row {row}: a value of the recipe is missing; a calibration needs the whole recipe")
        shown = self.has_curve | self.has_residual | self.has_means.any(1)
        if not shown.all():
            row = self.observations.labels[int((~shown).nonzero()[0])]
            raise InputError(f"row {row} shows nothing: no curve, conversion, residual monomer, Mn or Mw")

    def __len__(self) -> int:
        return len(self.run)

    @property
    def has_curve(self) -> Tensor:
        """Whether a sample has a curve above the lower limit of what is compared, (B,)."""
        return where_measured(self.observations.mmd).sum(-1) > 2

    @property
    def has_residual(self) -> Tensor:
        """Whether the residual monomer of a sample is known, (B,)."""
        return ~self.observations.residual_monomer.isnan()

    @property
    def has_means(self) -> Tensor:
        """Whether Mn and Mw of a sample are known, (B, 2)."""
        return ~torch.stack([getattr(self.observations, name) for name in MEANS], 1).isnan()

    def only(self, runs: Sequence[int]) -> "Runs":
        """Some of the runs, by number, numbered anew."""
        chosen = torch.isin(self.run, torch.tensor(runs))
        again = torch.full((len(self.names),), -1)
        again[list(runs)] = torch.arange(len(runs))
        names = tuple(self.names[number] for number in runs)
        return Runs(self.observations[chosen], again[self.run[chosen]], names)

    def without(self, run: int) -> "Runs":
        """All runs but one."""
        return self.only([number for number in range(len(self.names)) if number != run])

    @classmethod
    def of(cls, observations: Observations, names: Sequence[str] | None = None) -> "Runs":
        """Runs of observations: by the name of each, or as their conditions tell.

        Args:
            observations: B samples.
            names: Of the run of each, (B,); None takes samples that differ in time only for one run.
        """
        keys = [str(name) for name in names] if names is not None else _by_conditions(observations)
        known = dict.fromkeys(keys)
        numbers = {name: number for number, name in enumerate(known)}
        return cls(observations, torch.tensor([numbers[key] for key in keys]), tuple(known))


def _by_conditions(observations: Observations) -> list[str]:
    conditions = observations.recipe[:, :-1].numpy()
    text = [" ".join(f"{value:.8e}" for value in row) for row in conditions]
    first = {each: number for number, each in enumerate(dict.fromkeys(text), 1)}
    return [str(first[each]) for each in np.array(text)]
