r"""Propagation of errors of the kinetics: what they add to the error of an answer that takes them as exact.

Near a recipe :math:`\theta` what is observed is linear in it and in the nuisances of the instrument. With slopes J, in
units of the noise, and the precision P of the prior, both are known with the covariance
:math:`\Sigma = (J^\top J + P)^{-1}` if the kinetics are exact, and an answer moves by :math:`\Sigma J^\top` times what
the observation does. So kinetics with the covariance C (`polyinv.posterior.kinetics`), which the answer takes as exact,
add :math:`\Sigma J^\top C J \Sigma` to the variance of its error.

This is the error of *this answer*, which is larger than that of one who knows that the kinetics are not exact. It is a
local estimate, and ends where nothing is linear: no answer errs by more than one that was drawn from the box without
looking (`widened`). How well it holds in drawn laboratories is in `docs/explanation/calibration.md`.
"""

from statistics import NormalDist

import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.observations import Observations
from polyinv.domain.least_squares import Forward, Found, Problem, with_root_of_curve
from polyinv.instrument.expected import CURVE
from polyinv.posterior.kinetics import Kinetics
from polyinv.runtime.blocks import blocks
from polyinv.runtime.threads import one_thread
from polyinv.simulate.recipes import box, to_unit, unit_slopes

AT_ONCE = 128
"""Rows at once."""
OF_BOX = 3.0
"""Precision of a value that is uniform in the box, in the units of `polyinv.simulate.recipes.to_unit`."""


def widened(errors: Tensor, added: Tensor, share: float, system: System) -> Tensor:
    """Errors (B, V) that a share of answers stays below, with what kinetics add to them, if no larger than of a guess.

    Args:
        errors: That the share stays below if the kinetics are exact, (B, V), in physical units.
        added: Standard deviation of what they add, (B, V).
        share: 0 to 1.
        system: Whose box the answers are of.
    """
    low, high = box(system)
    # Two values drawn from a box are less apart than this share of it, this share of the time.
    guess = (1 - (1 - share) ** 0.5) * (high - low)
    return torch.hypot(errors, NormalDist().inv_cdf((1 + share) / 2) * added).minimum(guess.maximum(errors))


@one_thread()
def added_by_kinetics(observations: Observations, recipes: Tensor) -> Tensor:
    """Standard deviation of what kinetics that are not exact add to the error of each value of an answer.

    Those of a calibrated system are as open as its runs have left them, those of any other as uncertain as its file
    says, by the literature.

    Args:
        observations: B of them, with their errors.
        recipes: As they were answered, (B, V), in physical units; what lies beyond the box counts as its wall.

    Returns:
        (B, V), in physical units; 0 of values that are known exactly, NaN where nothing is observed or no recipe given.
    """
    parts = blocks(len(observations), AT_ONCE, "kinetics")
    return torch.cat([_added(observations[rows], recipes[rows].double()) for rows in parts])


def _added(observations: Observations, recipes: Tensor) -> Tensor:
    system = observations.system
    problem = Problem.of(Forward(system), observations)
    unit = problem.with_known(to_unit(recipes, system).clamp(-1, 1).nan_to_num(0.0))
    nuisances = unit.new_zeros(len(unit), problem.nuisances)
    values, slopes = problem.forward.with_slopes(unit)
    fitted, slopes = problem.expected.with_slopes(values, slopes, nuisances)
    problem = problem.weighted(unit, problem.roughness(Found(unit, nuisances, unit[:, 0], fitted)))
    at, nodes = problem.forward.from_unit(unit), problem.chains[:, CURVE] > 0
    kinetics = Kinetics.of(observations, at, problem.expected, nuisances, nodes, literature=True)
    weight = problem.weight_at(fitted, of_slopes=True)[..., None]
    free = torch.cat([~problem.held, torch.ones_like(nuisances, dtype=torch.bool)], -1)
    J = with_root_of_curve(fitted, slopes) * weight * free[:, None]
    prior = torch.cat([OF_BOX + problem.known_weight.square(), torch.ones_like(nuisances)], -1)
    exact = torch.linalg.inv(J.mT @ J + torch.diag_embed(prior))
    gain = (exact @ J.mT * weight.mT)[:, : unit.shape[1]]  # of the observed numbers on the answer, (B, V, 103)
    moved = gain @ with_root_of_curve(fitted, kinetics.root)
    variance = moved.square().sum(-1)
    if kinetics.laboratory is not None:
        scatter = with_root_of_curve(fitted, with_root_of_curve(fitted, kinetics.scatter).mT)
        scatter[:, 0, 0] += _beyond(problem, kinetics, at, fitted)
        variance = variance + torch.einsum("bvo,bop,bvp->bv", gain, scatter, gain)
    added = variance.sqrt() * unit_slopes(at, system) * ~problem.held
    told = recipes.isfinite().all(-1) & (problem.weight > 0).any(-1)
    return torch.where(told[:, None], added, torch.nan)


def _beyond(problem: Problem, kinetics: Kinetics, recipes: Tensor, fitted: Tensor) -> Tensor:
    """Variance (B,) of the logarithm of the residual monomer by the scatter of conversions, beyond what is stated."""
    stated = problem.conversion
    beyond = kinetics.conversion(stated).square() - stated.square()
    return beyond.nan_to_num(0.0) * (recipes[:, 0] / fitted[:, 0].exp()).square()
