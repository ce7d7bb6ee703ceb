r"""Likelihood of recipes: how probable an observation is if a recipe made the polymer.

The rate equations simulate what a recipe makes, and `polyinv.instrument.expected` what the laboratory is expected to
write down of it. About that the observed numbers are Gaussian, with the noise (`polyinv.posterior.noise`) of the recipe
that comes closest to the observation: on the ridge of recipes that make the same polymer the noise is the same, too.

The nuisances of the instrument, four standard normal numbers :math:`\nu`, are integrated out: where the expected
numbers are linear in them, :math:`g(\theta, \nu) \approx g(\theta, \nu_0) + J (\nu - \nu_0)`, the deviation
:math:`y - g(\theta, \nu_0) + J \nu_0` is Gaussian with the covariance :math:`\Sigma + J J^\top`. Once linearized, they
are off by up to a standard deviation of the posterior where errors are large; so :math:`\nu_0` is moved to the most
probable nuisances of each recipe, twice.

The number of chains is integrated out, too, unless it is stated: by a sum over a grid of numbers that are equally
probable a priori. A curve that fits badly is so taken for one of few chains, and its posterior is wide.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from polyinv.data.observations import EXACT, Observations
from polyinv.domain.assessment import closest
from polyinv.domain.least_squares import observed_numbers
from polyinv.errors import InputError
from polyinv.evaluation.information import noise_of_one_chain
from polyinv.instrument.curve import ends_at
from polyinv.instrument.errors import LEAST, OF_CONVERSION, SUFFIX
from polyinv.instrument.expected import AT_ONCE, CURVE, Eluted, ExpectedMeasurement
from polyinv.mmd import BIN_EDGES, OLIGOMERS, STEP
from polyinv.posterior.kinetics import Kinetics
from polyinv.posterior.noise import ANY_CHAINS, USUAL, Noise, spread, stated_noise
from polyinv.quantities import MEANS, N_NODES
from polyinv.simulate.deterministic import TRACE
from polyinv.simulate.observed import OBSERVED, observe
from polyinv.simulate.sampling import check_chains

RELINEARIZED = 2
"""Times that the nuisances of a recipe are moved to the most probable ones, unless it may be rough."""
FINE, COARSE = 0.1, 2.0
"""Standard deviations of a nuisance over which slopes are taken on either side: without a curve, Mn and Mw jump where
an end that is cut off moves to the next bin."""
WIDEST = 5.0
"""Standard deviations that they are moved by at most."""
TOLERANCE = 1e-5
"""Of the solver: a thousandth of the noise of the smoothest curve."""
NOTHING_LEFT = 1e-3
"""Residual monomer, in standard deviations of the conversion, below which nothing was found."""
LEAST_VARIANCE = 1e-14
"""Of the logarithm of the residual monomer."""

Forward = Callable[[Tensor], Tensor]
"""Simulates the observed numbers (M, 103) of recipes (M, V), see `polyinv.simulate.observed.observe`."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Likelihood of recipes given one observation.

    Args:
        forward: Makes polymers of recipes.
        expected: Measures them, a single row.
        observed: The observed numbers, zero where nothing is given, (103,).
        white: D combinations of them with independent noise of unit variance, (103, D).
        share: Share of the variance of each that is not of chains, (D,).
        reference: Number of chains that the variance is of.
        judged: Number of chains that the sum of squares is of: as stated, as the curve tells, or the fewest possible.
        chains: Numbers that are possible, equally probable a priori, (G,).
        origin: Most probable nuisances of the closest recipe, (1, K).
        slopes: Of the combinations by the nuisances, (K, D).
        closest: Recipe that comes closest to the observation, by descent, inside the box but for known values, (V,).
        residual: The residual monomer, where it is given.
        relinearized: Times that the nuisances of a recipe are moved to the most probable ones.
    """

    forward: Forward
    expected: ExpectedMeasurement
    observed: Tensor
    white: Tensor
    share: Tensor
    reference: float
    judged: float
    chains: Tensor
    origin: Tensor
    slopes: Tensor
    closest: Tensor
    residual: "Residual | None" = None
    relinearized: int = RELINEARIZED

    @classmethod
    def of(cls, observation: Observations, chains: float | None = None, forward: Forward | None = None) -> "Likelihood":
        """Likelihood of an observation, which is a single row.

        Args:
            observation: What is measured, with its errors; known values of its recipe are used to find the closest one,
                and count in `polyinv.posterior.prior.Prior`.
            chains: Dead chains that the sample holds, which a simulation may know; None lets the curve tell.
            forward: Makes polymers of recipes, if not the rate equations do.

        Raises:
            InputError: Neither a curve nor a mean molar mass nor the residual monomer is given, or there are no chains.
        """
        system, errors = observation.system, _instrument(observation)
        forward = forward or partial(observe, chemistry=system.chemistry, tolerance=TOLERANCE)
        (numbers,) = observed_numbers(observation)
        given = ~numbers.isnan()
        if not given.any():
            raise InputError(f"row {observation.labels[0]} shows no polymer: no curve, Mn, Mw or residual monomer")
        if chains is not None:
            check_chains(chains)
        whole = bool(given[CURVE].all())
        nodes = _compared(numbers[CURVE], errors) if whole else torch.ones(N_NODES, dtype=torch.bool)
        expected = ExpectedMeasurement(errors, nodes[None])
        nearest = closest(observation)
        origin = -nearest.deviation[:, len(OBSERVED) + len(system.targets) :]
        best = nearest.within_errors
        values = forward(best)
        every = torch.eye(len(OBSERVED), dtype=values.dtype)
        (seen,), (effects,) = expected.with_slopes(values, every[None], origin)
        through, slopes = effects[:, : len(OBSERVED)], _slopes(expected, values, origin, FINE if whole else COARSE)
        (chain,) = noise_of_one_chain(best, system.chemistry)
        measured = nodes if whole else _between_ends(seen[CURVE], errors)
        of_means = {name: _own(observation, name) for name in MEANS}
        stated = stated_noise(seen, measured, errors["noise"].item(), (of_means["Mn"], of_means["Mw"]))
        kinetics = Kinetics.of(observation, best, expected, origin, measured[None])
        noise = Noise(seen, through @ chain @ through.T, stated + kinetics.scatter[0])

        given[CURVE] = nodes & whole
        given[: CURVE.start] &= torch.tensor([False, *(not whole or of_means[name] > 0 for name in MEANS)])
        numbers = numbers.nan_to_num(0.0)
        numbers[CURVE] *= nodes
        numbers[CURVE] /= (numbers[CURVE].sum() * STEP).clamp(min=1e-7)
        told = noise.chains(numbers - seen, given) if whole else USUAL
        many = ANY_CHAINS
        if chains is not None:
            told, many = chains, torch.tensor([chains], dtype=values.dtype)
        white, share = noise.white(noise.combinations(given, told), told, slopes @ slopes.T + kinetics.covariance[0])
        return cls(
            forward,
            expected,
            numbers,
            white,
            share,
            told,
            told if whole or chains is not None else many.min().item(),
            many,
            origin,
            slopes.T @ white,
            best[0],
            Residual.of(observation, noise.chain[0], white, best[0, 0].item(), kinetics),
        )

    def __call__(self, recipes: Tensor) -> Tensor:
        """Logarithm of the likelihood of recipes (M, V), (M,): of a density of combinations of unit variance."""
        return torch.cat([self._log(part) for part in recipes.split(AT_ONCE)])

    def with_nuisances(self, recipes: Tensor, nuisances: Tensor) -> Tensor:
        """Logarithm of the density of observation and nuisances (M, K), for recipes (M, V), (M,).

        Its integral over the nuisances is the likelihood of a recipe, of which a call is a good approximation.
        """
        values = self.forward(recipes)
        deviation = self._deviation(self.expected.eluted(values), nuisances) - nuisances @ self.slopes
        covariance = torch.diag_embed(self._variance(self.chains)) - self.slopes.T @ self.slopes
        root = torch.linalg.cholesky(covariance)
        scaled = torch.linalg.solve_triangular(root, deviation.T, upper=False)  # (G, D, M)
        found = -0.5 * scaled.square().sum(1).T - root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        if self.residual is not None:
            shared = self.residual.shared_with(self.chains)
            by_deviation = torch.cholesky_solve(shared[..., None], root)[..., 0]
            found = found + self.residual.log(values, recipes, deviation, shared, by_deviation, self.chains)
        prior = -0.5 * (nuisances.square() + math.log(2 * math.pi)).sum(-1)
        return found.logsumexp(-1) - self._constant + prior

    def sum_of_squares(self, recipes: Tensor) -> Tensor:
        """Sum of the squares of `numbers` independent deviations in standard deviations, for recipes (M, V), (M,)."""
        values = self.forward(recipes)
        judged = self.share.new_tensor([self.judged])
        deviation, variance = self._relinearized(values), self._variance(judged)
        squares = (deviation.square() / variance).sum(-1)
        if self.residual is not None:
            shared = self.residual.shared_with(judged)
            apart, of_residual = self.residual.deviation(values, recipes, deviation, shared, shared / variance, judged)
            squares = squares + (apart.square() / of_residual)[:, 0]
        return squares

    @property
    def numbers(self) -> int:
        """How many independent deviations count."""
        return self.white.shape[1] + (self.residual is not None)

    def _log(self, recipes: Tensor) -> Tensor:
        values = self.forward(recipes)
        deviation, variance = self._relinearized(values), self._variance(self.chains)
        found = -0.5 * (deviation.square() @ (1 / variance).T + variance.log().sum(-1))
        if self.residual is not None:
            shared = self.residual.shared_with(self.chains)
            found = found + self.residual.log(values, recipes, deviation, shared, shared / variance, self.chains)
        return found.logsumexp(-1) - self._constant

    @property
    def _constant(self) -> float:
        return math.log(len(self.chains)) + 0.5 * self.white.shape[1] * math.log(2 * math.pi)

    def _variance(self, chains: Tensor) -> Tensor:
        """Variance (G, D) of the deviations, nuisances included, for numbers of chains (G,)."""
        return spread(self.share, self.reference, chains)

    def _relinearized(self, values: Tensor) -> Tensor:
        """Deviations (M, D) of unit variance, about the most probable nuisances of each recipe."""
        polymers = self.expected.eluted(values)
        deviation = self._deviation(polymers, self.origin)
        for _ in range(self.relinearized if self.origin.shape[1] else 0):
            deviation = self._deviation(polymers, (deviation @ self.slopes.T).clamp(-WIDEST, WIDEST))
        return deviation

    def _deviation(self, polymers: Eluted, nuisances: Tensor) -> Tensor:
        seen = self.expected.seen(polymers, nuisances)
        return (self.observed - seen) @ self.white + nuisances @ self.slopes


@dataclass(frozen=True, eq=False)
class Residual:
    """Residual monomer, apart from the other numbers since its error belongs to the monomer charged.

    Args:
        observed: What was measured, in mol/L.
        relative: Standard deviation, relative.
        conversion: That of the conversion.
        chain: Variance of its logarithm by one counted chain.
        shared: Covariance of that with the combinations of the other numbers, (D,).
        nothing_left: Whether less was measured than can be told from nothing.
        kinetics: Variance of its logarithm by what is open of the coefficients.
        by_kinetics: Covariance of that with the combinations of the other numbers, (D,); None where nothing is open.
    """

    observed: float
    relative: float
    conversion: float
    chain: float
    shared: Tensor
    nothing_left: bool
    kinetics: float = 0.0
    by_kinetics: Tensor | None = None

    @classmethod
    def of(
        cls, observation: Observations, chain: Tensor, white: Tensor, charged: float, kinetics: Kinetics
    ) -> "Residual | None":
        """Residual monomer of an observation; None where it is not given."""
        observed = observation.residual_monomer.item()
        if math.isnan(observed):
            return None
        columns = observation.error_columns()
        relative = columns[observation.system.residual + SUFFIX].item() / max(observed, TRACE) * (observed > TRACE)
        relative, conversion = (
            0.0 if sd <= EXACT * LEAST[name] else sd
            for name, sd in (("residual", relative), ("conversion", columns[OF_CONVERSION].item()))
        )
        conversion = kinetics.conversion(torch.tensor(conversion, dtype=torch.float64)).item()
        nothing = observed < NOTHING_LEFT * conversion * charged
        opened = kinetics.covariance[0, 0]
        shared = opened @ white if kinetics.is_open else None
        return cls(observed, relative, conversion, chain[0].item(), chain @ white, nothing, opened[0].item(), shared)

    def shared_with(self, chains: Tensor) -> Tensor:
        """Covariance with the combinations of the other numbers for numbers of chains (G,), (G, D)."""
        counted = self.shared / chains[:, None]
        return counted if self.by_kinetics is None else counted + self.by_kinetics

    def deviation(
        self, values: Tensor, recipes: Tensor, others: Tensor, shared: Tensor, by_others: Tensor, chains: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Deviation and its variance, (M, G) each, given the deviations of the other numbers.

        Args:
            values: True numbers, (M, 103).
            recipes: (M, V), the monomer first.
            others: Deviations of the other numbers, (M, D).
            shared: Covariance with them, (G, D).
            by_others: What follows from them, (G, D): that, times their inverse covariance.
            chains: Numbers of chains, (G,).
        """
        expected = values[:, :1].exp()
        own = (self.kinetics + self.chain / chains - (by_others * shared).sum(-1)).clamp(min=LEAST_VARIANCE)
        variance = expected.square() * (own + self.relative**2) + (self.conversion * recipes[:, :1]).square()
        return self.observed - expected * (1 + others @ by_others.T), variance

    def log(self, *given: Tensor) -> Tensor:
        """Logarithm of the density of what was measured, (M, G); the arguments are those of `deviation`."""
        apart, variance = self.deviation(*given)
        if self.nothing_left:
            return torch.special.log_ndtr(apart * variance.rsqrt())
        return -0.5 * (apart.square() / variance + (2 * math.pi * variance).log())


def _instrument(observation: Observations) -> dict[str, Tensor]:
    """Errors of the instrument, zero where they are as good as none."""
    errors = observation.instrument_errors()
    return {name: torch.where(sd <= EXACT * LEAST[name], 0.0, sd) for name, sd in errors.items()}


def _slopes(expected: ExpectedMeasurement, values: Tensor, origin: Tensor, step: float) -> Tensor:
    """Slopes (103, K) of the expected numbers of a polymer (1, 103) by nuisances, over a step about (1, K)."""
    moved = step * torch.eye(origin.shape[1], dtype=values.dtype)
    each = expected.repeated(len(moved)), values.expand(len(moved), -1)
    ahead, behind = (each[0](each[1], origin + sign * moved) for sign in (1, -1))
    return (ahead - behind).T / (2 * step)


def _own(observation: Observations, mean: str) -> float:
    """Error of a mean molar mass of its own, relative; 0 where there is none."""
    sd = (observation.error_columns()[mean + SUFFIX] / getattr(observation, mean)).item()
    return sd if sd > EXACT * LEAST["molar_mass"] else 0.0


def _compared(curve: Tensor, errors: dict[str, Tensor]) -> Tensor:
    """Nodes at which a curve (100,) is compared, (100,): where it was measured, whole bins only.

    At an end that was not cut off, what lies beyond was measured, too, as nothing.
    """
    there = (curve > 0).nonzero()[:, 0].tolist() or [0]
    first = 0 if errors["cut_low"].item() == 0 else there[0]
    last = N_NODES - 1 if errors["cut_high"].item() == 0 else there[-1]
    node = torch.arange(N_NODES)
    return _above_limit(errors) & (node >= first) & (node <= last)


def _between_ends(curve: Tensor, errors: dict[str, Tensor]) -> Tensor:
    """Nodes (100,) of an expected curve (100,) between the ends that it would have been cut off at."""
    low, high = ends_at(curve[None], errors["cut_low"], errors["cut_high"])
    edges = torch.from_numpy(BIN_EDGES)
    return _above_limit(errors, 0.0) & (edges[:-1] >= low - 1e-6) & (edges[1:] <= high + 1e-6)


def _above_limit(errors: dict[str, Tensor], least: float = OLIGOMERS) -> Tensor:
    """Nodes (100,) whose bins lie above the lower limit of what is measured, and above another one, as log10 M."""
    limit = max(math.log10(max(errors["lower_limit"].item(), 1.0)), least)
    return torch.from_numpy(BIN_EDGES[:-1]) >= limit - 1e-6
