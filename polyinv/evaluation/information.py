r"""What an observation tells, without a network: the local estimate, by Fisher information and the recipe box as prior.

Near a recipe :math:`\theta` the observation :math:`y` of a reaction of finite volume is Gaussian about the
deterministic solution, with slopes :math:`J = \partial y / \partial \theta` and a covariance :math:`\Sigma` that
follows from the chains that were counted. Of the inputs that a pattern gives (`polyinv.data.patterns`) the Fisher
information about the values it asks for is :math:`F = J^\top \Sigma^{-1} J`; with the prior precision P of the box, no
estimator of a Gaussian problem has a smaller mean squared error than :math:`(F + P)^{-1}` (the Cramér–Rao bound with a
prior [van Trees, *Detection, Estimation, and Modulation Theory* I, 2.4]).

With the errors of a laboratory (`polyinv.instrument`) the instrument stands between polymer and observation: slopes and
noise go through it, its own noise comes on top, and what is unknown besides (calibration, baseline, the error of a
known value) are further unknowns with their standard deviations as prior.

What it leaves out: where the values that fit form a ridge that bends, or ends at a wall of the box, the posterior is
not Gaussian and the number only an estimate. The noise itself also depends on the recipe; that is not counted as
information, since the volume that a measured curve stands for is unknown.
"""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from polyinv.chemistry import DEFAULT, AnySystem, Chemistry, System, load_system
from polyinv.data.patterns import inputs_of
from polyinv.instrument.errors import LEVELS, OF_UNIT, MeasurementErrors
from polyinv.instrument.expected import CURVE, NUISANCES, ExpectedMeasurement
from polyinv.mmd import LOG_M, STEP
from polyinv.runtime.threads import one_thread
from polyinv.simulate.fluctuations import fluctuations
from polyinv.simulate.observed import OBSERVED, observe_with_slopes
from polyinv.simulate.recipes import box
from polyinv.simulate.sampling import grow_with_horizon
from polyinv.simulate.snapshots import Growth

NO_NOISE = 1e-10
"""Directions of the (standardized) noise below this share of the strongest carry none: the area of a curve is one."""
NO_CHAINS = 1e-200
"""Bins with less than this share of the units of the fullest hold none: their numbers underflow, and so do ratios."""
CHUNK = 128


@dataclass(frozen=True)
class Response:
    """Response of the observations of B reactions to their recipes, and their noise.

    Args:
        recipes: (B, V).
        values: The O observed numbers, (B, O), see `polyinv.simulate.observed.observe`.
        slopes: Derivatives of the O observed numbers by the recipe, (B, O, V), per unit of its values.
        noise: Covariance of the observed numbers of a reaction of one chain, (B, O, O); divided by the chains at the
            horizon it is that of the reaction.
        system: What is polymerized.
    """

    recipes: Tensor
    values: Tensor
    slopes: Tensor
    noise: Tensor
    system: System


def respond(recipes: Tensor, system: AnySystem = DEFAULT, horizon: float | None = None) -> Response:
    """Compute the response of B recipes (B, V), about 15 ms of one core each.

    Args:
        recipes: In physical units.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
        horizon: Time in s that the number of chains refers to, by default the last one of the recipe box.
    """
    system, recipes = load_system(system), recipes.double()
    horizon = system.horizon if horizon is None else horizon
    values, slopes = observe_with_slopes(recipes, system.chemistry)
    with one_thread():
        noise = [noise_of_one_chain(part, system.chemistry, horizon) for part in recipes.split(CHUNK)]
    return Response(recipes, values, slopes, torch.cat(noise), system)


def box_variance(system: System) -> Tensor:
    """Variance of each value of the recipe before anything is observed, uniform in the box; (V,)."""
    low, high = box(system)
    return (high - low) ** 2 / 12


def noise_of_one_chain(recipes: Tensor, chemistry: Chemistry, horizon: float | None = None) -> Tensor:
    """Covariance of the observed numbers of reactions of one chain, (B, 103, 103), see `Response`.

    Args:
        recipes: In physical units, (B, V).
        chemistry: Scheme and coefficients.
        horizon: Time in s that the chain is counted at; None counts it when the sample is taken.
    """
    conditions, times = recipes[:, :-1], recipes[:, -1:]
    growth, dead_chains = grow_with_horizon(conditions, times, chemistry, horizon)
    scatter = fluctuations(conditions, times, chemistry)
    return _noise(growth, scatter.variance[:, 0], scatter.correlation[:, 0]) * dead_chains[:, None, None]


def _noise(growth: Growth, variance: Tensor, correlation: Tensor) -> Tensor:
    r"""Covariance of the observed numbers, times the volume, (B, 103, 103).

    Chains are counted, so that in each bin their number, units and squares are compound Poisson numbers whose
    covariance is made of the moments of the chain length. The third and fourth moment are taken from a gamma
    distribution within the bin. The conversion scatters with the radicals, and with ln Mn.
    """
    chains, units, squares = (part[:, 0] for part in (growth.chains, growth.units, growth.squares))
    held = units > NO_CHAINS * units.amax(-1, keepdim=True)
    length, weighted = (torch.where(held, *each) for each in ((units / chains, 0.0), (squares / units, 0.0)))
    spread = torch.where(held, weighted / length - 1, 0.0).clamp(min=0)  # variance over squared mean in a bin
    cubes = squares * length * (1 + 2 * spread)
    fourths = cubes * length * (1 + 3 * spread)
    rows = [chains, units, squares], [units, squares, cubes], [squares, cubes, fourths]
    counted = torch.stack([torch.stack(row, -1) for row in rows], -2)  # (B, 100, 3, 3)
    n, U, Q = (part.sum(-1)[:, None] for part in (chains, units, squares))
    bins = chains.shape[-1]
    effect = chains.new_zeros(len(chains), 2 + bins, bins, 3)  # of a count, unit or square too many on ln Mn, ln Mw, w
    effect[:, 0, :, 0], effect[:, 0, :, 1] = -1 / n, 1 / U
    effect[:, 1, :, 1], effect[:, 1, :, 2] = -1 / U, 1 / Q
    share = units / U
    effect[:, 2:, :, 1] = (torch.eye(bins, dtype=n.dtype) - share[:, :, None]) / (U * STEP)[..., None]
    spread_out = torch.einsum("bokp,bkpq->bokq", effect, counted)
    observed = torch.einsum("bokp,bmkp->bom", spread_out, effect)
    # ln c_M is high where more monomer than expected is left.
    with_monomer = -(correlation * (variance / observed[:, 0, 0]).sqrt())[:, None] * observed[:, 0]
    upper = torch.cat([variance[:, None], with_monomer], -1)[:, None]
    return torch.cat([upper, torch.cat([with_monomer[..., None], observed], -1)], -2)


def posterior_covariance(slopes: Tensor, noise: Tensor, prior: Tensor) -> Tensor:
    r"""Covariance :math:`(J^\top \Sigma^{-1} J + P)^{-1}` of the unknowns of a linear Gaussian problem.

    Directions without noise are left out: to them belongs nothing that varies with the unknowns, such as the area of a
    curve.

    Args:
        slopes: J, (*, O, U).
        noise: :math:`\Sigma`, (*, O, O), singular if need be.
        prior: Variances of the independent unknowns, (U,).

    Returns:
        (*, U, U).
    """
    scale = noise.diagonal(dim1=-2, dim2=-1).sqrt()
    inverse = torch.where(scale > 0, 1 / scale, 0.0)
    values, vectors = torch.linalg.eigh(noise * inverse[..., :, None] * inverse[..., None, :])
    weight = torch.where(values > NO_NOISE * values[..., -1:], 1 / values, 0.0)
    turned = vectors.mT @ (slopes * inverse[..., None])
    # In units of the prior the matrix to invert is the identity plus something positive.
    width = prior.sqrt()
    fisher = turned.mT @ (weight[..., None] * turned) * width[:, None] * width
    inverted = torch.linalg.inv(torch.eye(len(prior), dtype=fisher.dtype) + fisher)
    return inverted * width[:, None] * width


def expected_variance(
    response: Response, pattern: str, chains: float | Tensor, errors: MeasurementErrors = LEVELS["exact"]
) -> Tensor:
    """Variance (B, V) of the recipe values that is left when the inputs of a pattern are given; 0 of a known one.

    Args:
        response: Of B recipes.
        pattern: See `polyinv.data.patterns`.
        chains: Dead chains at the horizon, one number or (B,).
        errors: Of the laboratory.

    Raises:
        InputError: The pattern cannot be.
    """
    system = response.system
    given, columns = inputs_of(pattern, system), (system.residual, *OBSERVED[1:])
    observed = [columns.index(column) for name in given for column in system.inputs[name] if column in columns]
    asked = [at for at, name in enumerate(system.targets) if name not in given]
    many = torch.as_tensor(chains, dtype=torch.float64).reshape(-1, 1, 1)
    slopes, noise, prior = response.slopes[..., asked], response.noise / many, box_variance(system)[asked]
    if errors != LEVELS["exact"]:
        known = [at for at in range(len(system.targets)) if at not in asked]
        slopes, noise, others = _measured(response, noise, asked, known, errors)
        prior = torch.cat([prior, torch.ones(others, dtype=prior.dtype)])
    covariance = posterior_covariance(slopes[:, observed], noise[:, observed][:, :, observed], prior)
    left = torch.zeros(len(noise), len(system.targets), dtype=torch.float64)
    left[:, asked] = covariance.diagonal(dim1=-2, dim2=-1)[:, : len(asked)]
    return left


def _measured(
    response: Response, noise: Tensor, asked: list[int], known: list[int], errors: MeasurementErrors
) -> tuple[Tensor, Tensor, int]:
    """Slopes (B, O, U) and noise (B, O, O) of what is measured with errors, and the number of unknowns of variance one.

    The unknowns are what is asked, then the errors of known values and the nuisances of the instrument.
    """
    values, system, count = response.values, response.system, len(response.values)
    sd = {name: torch.full((count,), value, dtype=torch.float64) for name, value in asdict(errors).items()}
    nodes = torch.from_numpy(LOG_M) >= math.log10(max(errors.lower_limit, 1.0))
    expected = ExpectedMeasurement(sd, nodes.expand(count, -1))
    every = torch.eye(len(OBSERVED), dtype=values.dtype).expand(count, -1, -1)
    seen, effects = expected.with_slopes(values, every, values.new_zeros(count, len(NUISANCES)))
    through, nuisances = effects.split([len(OBSERVED), len(NUISANCES)], dim=-1)
    slopes = through @ response.slopes
    of_known = [sd[OF_UNIT[system.recipe[at].unit]] for at in known]
    of_known = [
        error * response.recipes[:, at] if system.recipe[at].unit == "mol/L" else error
        for error, at in zip(of_known, known, strict=True)
    ]
    moved = [slopes[..., at] * error[:, None] for error, at in zip(of_known, known, strict=True)]
    unknowns = torch.cat([slopes[..., asked], *(each[..., None] for each in moved), nuisances], dim=-1)
    own = torch.zeros_like(seen)
    conversion = errors.conversion * response.recipes[:, 0] / values[:, 0].exp()
    own[:, 0] = errors.residual**2 + conversion.square()
    own[:, 1:3] = errors.molar_mass**2
    own[:, CURVE] = (errors.noise * seen[:, CURVE].amax(-1, keepdim=True)).square() * nodes
    return unknowns, through @ noise @ through.mT + torch.diag_embed(own), len(known) + len(NUISANCES)


def local_r2(
    response: Response, pattern: str, chains: float | Tensor, errors: MeasurementErrors = LEVELS["exact"]
) -> Tensor:
    """R² of each value of the recipe (V,) that observations allow, by the local estimate; 1 of a known one.

    The arguments are those of `expected_variance`.
    """
    return 1 - expected_variance(response, pattern, chains, errors).mean(0) / box_variance(response.system)


def local_r2_of_rows(
    recipes: Tensor,
    pattern: str,
    chains: float,
    most: int = 256,
    system: AnySystem = DEFAULT,
    errors: MeasurementErrors = LEVELS["exact"],
) -> Tensor:
    """R² (V,) that the rows of a test allow, by the local estimate and the spread of their own recipes; 1 if known.

    NaN of a value that is the same in all rows.

    Args:
        recipes: True recipes of the rows, (N, V), N > 1.
        pattern: See `polyinv.data.patterns`.
        chains: Dead chains at the horizon.
        most: Rows to take for all, evenly from the list; each costs about 15 ms.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
        errors: Of the laboratory.
    """
    chosen = recipes[torch.linspace(0, len(recipes) - 1, min(most, len(recipes))).round().long()]
    left = expected_variance(respond(chosen, system), pattern, chains, errors).mean(0)
    spread = recipes.double().var(0, correction=0)
    return torch.where(left > 0, torch.where(spread > 0, 1 - left / spread, torch.nan), 1.0)
