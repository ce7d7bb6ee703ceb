r"""Fit of a laboratory: the most probable parameters, their covariance, and the scatter between runs.

By turns: Levenberg–Marquardt steps in the parameters :math:`\theta` for a given scatter :math:`\eta`, and the most
probable scatter for what is linear in the parameters there (type-II maximum likelihood with a prior). With residuals
:math:`r`, slopes :math:`J`, covariance :math:`C(\eta)` and prior precision :math:`\Lambda(\eta)`,

.. math:: -2 \ln p(\eta) = r^\top C^{-1} r - b^\top H^{-1} b + \ln|C| + \ln|H| - \ln|\Lambda| + |z|^2,
    \quad H = J^\top C^{-1} J + \Lambda, \quad b = J^\top C^{-1} r .
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from polyinv.calibrate.model import FARTHEST, LaboratoryModel, Shown
from polyinv.calibrate.scatter import KINDS, WIDEST, Scatter
from polyinv.instrument.errors import SUFFIX

STEPS, ROUNDS = 40, 12
"""Most steps of a descent, and most turns."""
SETTLED, SETTLED_SCATTER = 1e-3, 0.05
"""A descent has arrived when a step lowers the cost by less, the turns when no scatter changes by more."""
STUCK = 1e8
"""Damping at which no step lowers the cost."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Fit of a laboratory.

    Args:
        model: What was fitted.
        theta: Most probable parameters, (P,).
        scatter: Most probable scatter.
        shown: What the samples should show there.
        root: Cholesky factor of the precision H a posteriori, (P, P), lower.
        cost: Sum of the squares at the end.
        steps: Of all descents.
        converged: Whether descent and turns arrived.
    """

    model: LaboratoryModel
    theta: Tensor
    scatter: Scatter
    shown: Shown
    root: Tensor
    cost: float
    steps: int
    converged: bool

    @property
    def scatter_in_units(self) -> dict[str, float]:
        """Standard deviations between runs by name; ``temperature``, relative to what is stated, in °C."""
        found, temp = self.scatter.as_dict(), self.model.coordinates.system.targets[2]
        return found | {"temperature": found["temperature"] * self.model.errors[temp + SUFFIX].mean().item()}

    @property
    def covariance(self) -> Tensor:
        """Covariance of the parameters, (P, P), those that are shared in their standard deviations a priori."""
        return torch.cholesky_inverse(self.root)


def fit(model: LaboratoryModel, start: Fit | None = None, *, rounds: int = ROUNDS) -> Fit:
    """Fit a laboratory.

    Args:
        model: With its runs.
        start: Fit of some of the runs, or of more, whose shared parameters and scatter are started from.
        rounds: Turns at most; 0 keeps the scatter of the start.
    """
    theta, scatter = torch.zeros(model.parameters, dtype=torch.float64), Scatter.first()
    if start is not None:
        theta, scatter = model.as_stated(start.theta), start.scatter
    theta, shown, cost, steps, arrived = descend(model, theta, scatter)
    settled = rounds == 0
    for _ in range(rounds):
        new = most_probable_scatter(model, theta, shown, scatter)
        change = (new.z - scatter.z).abs().amax().item()
        theta, shown, cost, more, arrived = descend(model, theta, new)
        scatter, steps = new, steps + more
        if change < SETTLED_SCATTER:
            settled = True
            break
    root = _precision_root(model, scatter, shown)
    return Fit(model, theta, scatter, shown, root, cost, steps, arrived and (settled or change < 0.5))


def descend(model: LaboratoryModel, theta: Tensor, scatter: Scatter) -> tuple[Tensor, Shown, float, int, bool]:
    """Go downhill by Levenberg–Marquardt at a given scatter.

    Returns:
        Parameters (P,), what the samples should show there, the cost, the steps, and whether it arrived.
    """
    with torch.no_grad():
        precision, shown = model.precision(scatter), model(theta)
        root = torch.linalg.cholesky(model.covariance(scatter, shown.besides))
        cost = _cost(model, theta, shown, root, precision)
        damping, arrived, steps = 1e-2, False, 0
        while steps < STEPS:
            steps += 1
            H, downhill = _normal(model, theta, shown, root, precision)
            held = H + damping * torch.diag(H.diagonal())
            moved = theta + torch.cholesky_solve(downhill[:, None], torch.linalg.cholesky(held))[:, 0]
            moved = _inside(moved, precision)
            ahead = model(moved)
            new = _cost(model, moved, ahead, root, precision)
            if new < cost:
                settled = cost - new < SETTLED
                theta, shown, cost, damping = moved, ahead, new, max(damping * 0.2, 1e-9)
                if settled:
                    arrived = True
                    break
            else:
                damping *= 5.0
                if damping > STUCK:
                    arrived = True
                    break
    return theta, shown, cost, steps, arrived


def _inside(theta: Tensor, precision: Tensor) -> Tensor:
    far = FARTHEST * precision.rsqrt()
    return theta.maximum(-far).minimum(far)


def _cost(model: LaboratoryModel, theta: Tensor, shown: Shown, root: Tensor, precision: Tensor) -> float:
    apart = model.whitened(root, (model.observed - shown.values)[..., None])
    cost = apart.square().sum() + (precision * theta.square()).sum()
    return cost.item() if bool(cost.isfinite()) else float("inf")


def _normal(
    model: LaboratoryModel, theta: Tensor, shown: Shown, root: Tensor, precision: Tensor
) -> tuple[Tensor, Tensor]:
    """Precision H (P, P) a posteriori, and the direction downhill (P,)."""
    both = torch.cat([shown.slopes, (model.observed - shown.values)[..., None]], -1)
    white = model.whitened(root, both)
    slopes, apart = white[:, :-1], white[:, -1]
    return slopes.T @ slopes + torch.diag(precision), slopes.T @ apart - precision * theta


def _precision_root(model: LaboratoryModel, scatter: Scatter, shown: Shown) -> Tensor:
    root = torch.linalg.cholesky(model.covariance(scatter, shown.besides))
    H, _ = _normal(model, torch.zeros(model.parameters, dtype=root.dtype), shown, root, model.precision(scatter))
    return torch.linalg.cholesky(H)


def most_probable_scatter(model: LaboratoryModel, theta: Tensor, shown: Shown, start: Scatter) -> Scatter:
    """Most probable scatter where the model is linear about parameters (P,)."""

    def cost(z: np.ndarray) -> tuple[float, np.ndarray]:
        leaf = torch.from_numpy(z.copy()).requires_grad_()
        value = _evidence(model, theta, shown, Scatter(leaf))
        value.backward()
        assert leaf.grad is not None
        return value.item(), leaf.grad.numpy()

    bounds = [(-WIDEST, WIDEST)] * len(KINDS)
    found = minimize(cost, start.z.numpy(), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 15})
    return Scatter(torch.from_numpy(np.array(found.x)))


def _evidence(model: LaboratoryModel, theta: Tensor, shown: Shown, scatter: Scatter) -> Tensor:
    """-2 ln p of a scatter, up to a constant."""
    precision = model.precision(scatter)
    root = torch.linalg.cholesky(model.covariance(scatter, shown.besides))
    about_zero = model.observed - shown.values + shown.slopes @ theta
    both = torch.cat([shown.slopes, about_zero[..., None]], -1)
    white = model.whitened(root, both)
    slopes, apart = white[:, :-1], white[:, -1]
    of_H = torch.linalg.cholesky(slopes.T @ slopes + torch.diag(precision))
    by = torch.linalg.solve_triangular(of_H, (slopes.T @ apart)[:, None], upper=False)
    logs = (
        2 * ((model.weight * root.diagonal(dim1=-2, dim2=-1).log()).sum() + of_H.diagonal().log().sum())
        - precision.log().sum()
    )
    return apart.square().sum() - by.square().sum() + logs + scatter.z.square().sum()
