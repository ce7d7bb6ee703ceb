"""Directions of the coefficients: which of them runs have determined, and which run would determine most more."""

from dataclasses import dataclass

import torch
from torch import Tensor

from polyinv.calibrate.fit import Fit
from polyinv.calibrate.model import LaboratoryModel
from polyinv.calibrate.runs import Runs
from polyinv.data.observations import Observations
from polyinv.instrument.errors import LEVELS, ORDINARY, MeasurementErrors
from polyinv.simulate.observed import observe
from polyinv.simulate.recipes import random_recipes

DETERMINED = 0.5
"""Share of its standard deviation a priori below which a direction is determined."""
NAMED, LEAST = 3, 0.25
"""Coefficients that a direction is named by, at most, and the share of the largest that each has at least."""
CANDIDATES, SAMPLES = 48, 3
"""Recipes that are tried as the next run, and samples of each, at equal steps up to its time."""


@dataclass(frozen=True)
class Direction:
    """Direction of the coefficients.

    Args:
        left: Standard deviation after, as a share of that before.
        words: What it is, such as ``k_p + 0.6 k_tss``: a change of all by that many standard deviations a priori.
    """

    left: float
    words: str

    @property
    def determined(self) -> bool:
        """Whether the runs have decided it."""
        return self.left < DETERMINED


def directions(fit: Fit) -> list[Direction]:
    """Directions of the coefficients, the best determined first."""
    Q = len(fit.model.coordinates.names)
    variances, vectors = torch.linalg.eigh(fit.covariance[:Q, :Q])
    return [
        Direction(variance.clamp(min=0).sqrt().item(), _words(vector, fit.model.coordinates.names))
        for variance, vector in zip(variances, vectors.T, strict=True)
    ]


def _words(vector: Tensor, names: tuple[str, ...]) -> str:
    order = vector.abs().argsort(descending=True)[:NAMED]
    largest = vector[order[0]]
    parts = [(names[at], (vector[at] / largest).item()) for at in order.tolist()]
    first, *rest = [(name, share) for name, share in parts if abs(share) >= LEAST]
    return first[0] + "".join(f" {'+' if share > 0 else '-'} {abs(share):.2g} {name}" for name, share in rest)


def still_prior(fit: Fit, share: float = 0.9) -> list[str]:
    """Coefficients whose standard deviation is still that of the prior, by name."""
    sd = fit.covariance.diagonal().sqrt()
    return [name for at, name in enumerate(fit.model.coordinates.names) if sd[at] > share]


@dataclass(frozen=True, eq=False)
class NextRun:
    """Run that would help.

    Args:
        recipe: (V,); its time is that of the last sample.
        gain: Expected gain of information about the coefficients, in nats.
        most: Direction that it would determine most, in words.
    """

    recipe: Tensor
    gain: float
    most: str


def next_runs(fit: Fit, count: int = 3, errors: MeasurementErrors = LEVELS[ORDINARY]) -> list[NextRun]:
    """Recipes of the box whose run would tell most of the coefficients, by slopes at what is most probable now.

    Args:
        fit: Of the runs that there are.
        count: How many, the best first, each given those before it.
        errors: Of the measurements.
    """
    system, Q = fit.model.coordinates.system, len(fit.model.coordinates.names)
    recipes = random_recipes(CANDIDATES, torch.Generator().manual_seed(0), system)
    recipes[:, -1] = recipes[:, -1].clamp(min=(system.recipe[-1].low + system.horizon) / 2)
    parts = [_slopes(fit, recipe, errors) for recipe in recipes]
    covariance, found = fit.covariance[: fit.model.shared, : fit.model.shared], []
    for _ in range(count):
        after = [_after(covariance, information) for information in parts]
        gains = [0.5 * (_logdet(covariance, Q) - _logdet(each, Q)) for each in after]
        best = max(range(len(gains)), key=gains.__getitem__)
        before = covariance[:Q, :Q]
        root = torch.linalg.cholesky(before)
        half = torch.linalg.solve_triangular(root, after[best][:Q, :Q], upper=False)
        _, vectors = torch.linalg.eigh(torch.linalg.solve_triangular(root, half.T, upper=False))
        most = _words(root @ vectors[:, 0], fit.model.coordinates.names)
        found.append(NextRun(recipes[best], gains[best], most))
        covariance = after[best]
    return found


def _slopes(fit: Fit, recipe: Tensor, errors: MeasurementErrors) -> Tensor:
    """Information of a run about the shared parameters, (S, S), what it deviates by integrated out."""
    system, low = fit.model.coordinates.system, fit.model.coordinates.system.recipe[-1].low
    rows = recipe.repeat(SAMPLES, 1)
    rows[:, -1] = (recipe[-1] * torch.arange(1, SAMPLES + 1) / SAMPLES).clamp(min=low)
    values = observe(rows, fit.model.chemistry(fit.theta), tolerance=1e-4)
    scalars = values[:, :3].exp()
    seen = Observations(
        recipe=rows,
        residual_monomer=scalars[:, 0],
        Mn=scalars[:, 1],
        Mw=scalars[:, 2],
        mmd=values[:, 3:],
        system=system,
        assumed=errors,
    )
    model = LaboratoryModel(Runs(seen, torch.zeros(SAMPLES, dtype=torch.long), ("next",)), fit.model.coordinates)
    shown = model(model.as_stated(fit.theta))
    root = torch.linalg.cholesky(model.covariance(fit.scatter, shown.besides))
    white = model.whitened(root, shown.slopes)
    H = white.T @ white
    S = model.shared
    own = H[S:, S:] + torch.diag(model.precision(fit.scatter)[S:])
    return H[:S, :S] - H[:S, S:] @ torch.linalg.solve(own, H[S:, :S])


def _after(covariance: Tensor, information: Tensor) -> Tensor:
    return torch.linalg.inv(torch.linalg.inv(covariance) + information)


def _logdet(covariance: Tensor, Q: int) -> float:
    return torch.logdet(covariance[:Q, :Q]).item()
