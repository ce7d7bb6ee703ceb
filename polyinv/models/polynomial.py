"""Ridge regression on polynomials of the logarithms of residual monomer, Mn and Mw: the cheapest baseline."""

import itertools
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

from polyinv.errors import InputError
from polyinv.models.base import WEIGHTS, InverseModel, load_weights
from polyinv.quantities import MMD

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.datamodule import RecipeDataModule

DEGREES = (1, 2, 3, 4, 5, 6)
"""Degrees that are tried if none is given."""
ALPHAS = tuple(10.0**k for k in range(-9, 2))
"""Strengths of the penalty that are tried if none is given."""
HIGHEST = 10

log = logging.getLogger(__name__)


class PolynomialRidge(InverseModel):
    r"""Ridge regression on all products of :math:`\ln c_M, \ln M_n, \ln M_w` up to a degree.

    All terms and all targets are standardized; the coefficients B minimize the mean squared error plus
    :math:`\alpha \lVert B \rVert^2`. Mn and Mw are computed from the curve where they are not among the features; the
    curve says nothing else. What is none is chosen on the validation rows; then it is fitted on training and validation
    rows together, as the forests are.

    Args:
        degree: Highest degree of a product, 1 to 10; none chooses one of ``DEGREES``, and then, on a grid, one that
            learns its levels.
        alpha: Strength of the penalty, more than 0; none chooses one of ``ALPHAS``.
    """

    name = "polynomial"

    def __init__(self, *, degree: int | None = 4, alpha: float | None = None) -> None:
        if degree is not None and not 1 <= degree <= HIGHEST:
            raise InputError(f"model.degree is {degree}; needs 1 to {HIGHEST}")
        if alpha is not None and not 0 < alpha < math.inf:
            raise InputError(f"model.alpha is {alpha:g}; needs a number above 0")
        self.degree, self.alpha = degree, alpha

    def fit(self, data: "RecipeDataModule", folder: Path | None = None) -> None:
        """See `InverseModel.fit`."""
        data.setup("fit")
        self.columns, self._system = data.columns, data.system
        if self.degree is None or self.alpha is None:
            self.degree, self.alpha = self._choose(data)
            log.info("the validation rows chose degree %d and alpha %g", self.degree, self.alpha)
        rows = data.training_and_validation()
        self._weights = _fitted(self._logarithms(rows.x), rows.y, self.degree, self.alpha)

    def _choose(self, data: "RecipeDataModule") -> tuple[int, float]:
        """Degree and alpha of the smallest error on the validation rows, in units of the spread of each target."""
        learned, held_out = self._logarithms(data.train.x), self._logarithms(data.val.x)
        spread, errors = data.train.y.std(0, correction=0), {}
        for degree in DEGREES if self.degree is None else (self.degree,):
            for alpha in ALPHAS if self.alpha is None else (self.alpha,):
                weights = _fitted(learned, data.train.y, degree, alpha)
                error = (_evaluated(weights, held_out) - data.val.y) / spread
                errors[degree, alpha] = error[:, spread > 0].square().mean().item()
        return min(errors, key=lambda candidate: errors[candidate])

    def predict_members(self, x: "Tensor") -> "Tensor":
        """See `InverseModel.predict_members`: there is one member."""
        return _evaluated(self._weights, self._logarithms(self._checked(x)))[None]

    def _logarithms(self, x: "Tensor") -> "Tensor":
        """Logarithms (N, 2) or (N, 3) of the residual monomer, if it is there, Mn and Mw."""
        import torch

        from polyinv.data.transforms import SMALLEST
        from polyinv.instrument.curve import mean_molar_masses

        scalars = self.system.scalars
        given = {name: x[:, self.columns.index(name)] for name in scalars if name in self.columns}
        if MMD[0] in self.columns:
            first = self.columns.index(MMD[0])
            means = mean_molar_masses(x[:, first : first + len(MMD)].double())
            given = dict(zip(scalars[1:], means, strict=True)) | given
        found = [given[name].double() for name in scalars if name in given]
        return torch.stack(found, dim=1).clamp(min=SMALLEST).log()

    def _save(self, folder: Path) -> None:
        import torch

        torch.save(self._weights, folder / WEIGHTS)

    def _load(self, folder: Path) -> None:
        self._weights = _checked(load_weights(folder / WEIGHTS), self.degree, len(self.system.targets))


def _powers(variables: int, degree: int) -> "Tensor":
    """Powers (P, variables) of all products of degree 1 up to the given one.

    Example:
        >>> _powers(2, 2).tolist()
        [[1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    import torch

    products = (
        each
        for total in range(1, degree + 1)
        for each in itertools.combinations_with_replacement(range(variables), total)
    )
    return torch.tensor([[each.count(variable) for variable in range(variables)] for each in products])


def _terms(u: "Tensor", powers: "Tensor") -> "Tensor":
    """Products (N, P) of standardized variables (N, V) with powers (P, V)."""
    terms = u.new_ones(len(u), len(powers))
    for variable, power in zip(u.T, powers.T, strict=True):
        terms = terms * variable[:, None] ** power
    return terms


def _fitted(logarithms: "Tensor", y: "Tensor", degree: int, alpha: float) -> "dict[str, Tensor]":
    import torch

    center, scale = logarithms.mean(0), _spread(logarithms)
    powers = _powers(logarithms.shape[1], degree)
    terms = _terms((logarithms - center) / scale, powers)
    mean, spread = terms.mean(0), _spread(terms)
    z = (terms - mean) / spread
    penalty = alpha * len(z) * torch.eye(len(powers), dtype=z.dtype)
    coefficients = torch.linalg.solve(z.T @ z + penalty, z.T @ ((y - y.mean(0)) / _spread(y)))
    coefficients = coefficients * _spread(y) / spread[:, None]
    intercept = y.mean(0) - mean @ coefficients
    return {"center": center, "scale": scale, "powers": powers, "coefficients": coefficients, "intercept": intercept}


def _spread(values: "Tensor") -> "Tensor":
    """Standard deviation of each column; 1 of one that does not vary."""
    spread = values.std(0, correction=0)
    return spread.where(spread > 0, 1.0)


def _evaluated(weights: "dict[str, Tensor]", logarithms: "Tensor") -> "Tensor":
    u = (logarithms - weights["center"]) / weights["scale"]
    return weights["intercept"] + _terms(u, weights["powers"]) @ weights["coefficients"]


def _checked(weights: "dict[str, Tensor]", degree: int | None, targets: int) -> "dict[str, Tensor]":
    """Refuse weights of another shape, or with powers or scales that cannot be; `load_weights` has seen to the rest."""
    variables = len(weights["center"])
    powers = _powers(variables, degree or 0)
    shapes = {"center": (variables,), "scale": (variables,), "powers": tuple(powers.shape)}
    shapes |= {"coefficients": (len(powers), targets), "intercept": (targets,)}
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"{name} is not of the shape {shape}")
    if not weights["powers"].equal(powers) or not (weights["scale"] > 0).all():
        raise ValueError("its powers are not those of its degree, or a scale is not positive")
    return weights
