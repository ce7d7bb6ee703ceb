"""Posterior over the recipes of observations, as a distribution of PyTorch.

The density of a recipe is a product, one value after the other: each given the observation and the values before it,
which the network is told as if they were known exactly. The order is the same for every observation. Values that are
known exactly have no density; they are what they are in every sample.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from polyinv.data.observations import EXACT
from polyinv.data.recipe_stated import drawing_order, least_errors
from polyinv.errors import InputError, unknown
from polyinv.instrument.errors import SUFFIX
from polyinv.models.heads import Heads
from polyinv.models.mixtures import TruncatedLogistics
from polyinv.models.scaled import in_blocks
from polyinv.simulate.recipes import box
from polyinv.simulate.snapshots import concatenate, mapped

if TYPE_CHECKING:
    from polyinv.models.scaled import ScaledNetwork

ROWS_AT_ONCE = 4096
NO_GRADIENT = "samples carry no gradient: there is no rsample, only sample"
SAME = 1e-6
"""Relative difference up to which a value is the one that is known."""


class RecipePosterior(Distribution):
    """Posterior over recipes, with batch shape (B,) and event shape (V,), in physical units and float64.

    Its density is that by the values that are open: not known exactly. Means, variances and `marginal` are those of one
    pass of the network; `sample` and `log_prob` go value by value, whose marginals differ a little.

    Args:
        network: Networks with heads of densities, between their scalings.
        x: Observations (B, F), checked.
        columns: Names of the F columns.

    Example:
        >>> import polyinv
        >>> from polyinv.data.bundled import load_bundled
        >>> observations = polyinv.Observations.from_table(load_bundled("off_grid").head(2)).masked("mmd+temp")
        >>> posterior = polyinv.load("posterior").posterior(observations)  # doctest: +SKIP
        >>> posterior.sample((1000,)).shape  # doctest: +SKIP
        torch.Size([1000, 2, 4])
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = False

    def __init__(self, network: "ScaledNetwork", x: Tensor, columns: Sequence[str]) -> None:
        self.network, self.x = network, x
        self.system = network.scaling.system
        self.names = self.system.targets
        self.columns = tuple(columns)
        self._value = [self.columns.index(name) for name in self.names]
        self._error = [self.columns.index(name + SUFFIX) for name in self.names]
        self._least, self._relative = least_errors(self.system)
        given = x[:, self._value]
        self.exactly = x[:, self._error] <= EXACT * self._least * self._scale(given)  # not where it is NaN
        self.exactly &= ~given.isnan()
        self._known = given
        self._marginals: TruncatedLogistics | None = None
        super().__init__(torch.Size([len(x)]), torch.Size([len(self.names)]), validate_args=False)

    @constraints.dependent_property(is_discrete=False, event_dim=1)
    def support(self) -> constraints.Constraint:
        """The box, and of what is known exactly the value."""
        low, high = (torch.where(self.exactly, self._known, end) for end in box(self.system))
        return constraints.independent(constraints.interval(low, high), 1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Refused.

        Raises:
            NotImplementedError: Samples carry no gradient.
        """
        raise NotImplementedError(NO_GRADIENT)

    def _scale(self, values: Tensor) -> Tensor:
        return torch.where(self._relative, values, torch.ones_like(values))

    @property
    def order(self) -> tuple[int, ...]:
        """Numbers of the values in the order in which they are drawn, see `drawing_order`."""
        return drawing_order(self.system)

    def __getitem__(self, rows: Any) -> "RecipePosterior":
        """Posterior of some of the observations."""
        at = torch.arange(len(self.x))[rows].reshape(-1)
        return RecipePosterior(self.network, self.x[at], self.columns)

    def knowing(self, name: str, values: Tensor) -> "RecipePosterior":
        """Posterior of the same observations (B,) if a value of the recipe were known exactly to be this, (B,).

        Raises:
            InputError: There is none of that name, a value lies outside the box, or another one is known exactly.
        """
        if name not in self.names:
            raise unknown("value of the recipe", name, self.names)
        at, x = self.names.index(name), self.x.clone()
        values = torch.as_tensor(values, dtype=torch.float64).expand(len(x))
        low, high = (end[at] for end in box(self.system))
        if not ((values >= low) & (values <= high)).all():
            raise InputError(f"{name} is to be known outside {low:g} to {high:g}; needs values of the box")
        known = self._known[:, at]
        if (other := self.exactly[:, at] & ((values - known).abs() > SAME * known.abs())).any():
            row = int(other.nonzero()[0])
            raise InputError(f"{name} is known exactly to be {known[row]:g}; it cannot be known to be {values[row]:g}")
        self._tell(x, at, values)
        return RecipePosterior(self.network, x, self.columns)

    def _mixtures(self, x: Tensor) -> TruncatedLogistics:
        """Mixtures of each member, (R, B, V), of observations (B, F) or of rows of each member's own (R, B, F)."""
        network = self.network.eval()
        with torch.no_grad():
            return cast(Heads, network.network).mixtures(network.scaling(x)).double()

    @property
    def marginals(self) -> TruncatedLogistics:
        """Marginal densities (B, V) of standardized values, those of all members together."""
        if self._marginals is None:
            parts = [_together(self._mixtures(part))[:rows] for part, rows in in_blocks(self.x)]
            self._marginals = concatenate(parts)
        return self._marginals

    def marginal(self, name: str) -> "Marginal":
        """Marginal of one value.

        Raises:
            InputError: There is none of that name.
        """
        if name not in self.names:
            raise unknown("value of the recipe", name, self.names)
        at = self.names.index(name)
        mean, std = (part[at] for part in (self.network.scaling.y.mean, self.network.scaling.y.std))
        known = torch.where(self.exactly[:, at], self._known[:, at], torch.nan)
        return Marginal(self.marginals[:, at], mean, std, known)

    def quantiles(self, probabilities: Sequence[float]) -> Tensor:
        """Quantiles (K, B, V) of the marginals; what is known exactly has its value at each of K probabilities.

        Raises:
            InputError: One is none.
        """
        p = _checked_probabilities(probabilities)
        scaling = self.network.scaling.y
        z = self.marginals.icdf(p[:, None, None].expand(-1, *self.exactly.shape))
        return torch.where(self.exactly, self._known, z * scaling.std + scaling.mean)

    @property
    def log_volume(self) -> Tensor:
        """Logarithm (B,) of the volume of the box of what is open: a density is that much larger in the unit box."""
        low, high = box(self.system)
        return ((high - low).log() * ~self.exactly).sum(-1)

    @property
    def mean(self) -> Tensor:
        """Means (B, V), those of the marginals."""
        return torch.stack([self.marginal(name).mean for name in self.names], dim=-1)

    @property
    def variance(self) -> Tensor:
        """Variances (B, V), those of the marginals; zero of what is known exactly."""
        return torch.stack([self.marginal(name).variance for name in self.names], dim=-1)

    def sample(self, sample_shape: Sequence[int] = (), seed: int | None = None) -> Tensor:
        """Draw recipes (*sample_shape, B, V).

        Args:
            sample_shape: How many of each observation.
            seed: Of the random numbers, the same for each observation, so that one alone has the samples that it has
                among others, bit for bit; that takes 0.1 s each. None takes those of PyTorch, and all rows at once.
        """
        shape = torch.Size(sample_shape)
        recipes, _ = self._sampled(shape.numel(), seed)
        return recipes.reshape(*shape, len(self.x), len(self.names))

    def sample_with_density(self, count: int, seed: int | None = None) -> tuple[Tensor, Tensor]:
        """Draw recipes (count, B, V) as `sample` does, with the logarithms (count, B) of their densities.

        A network alone knows these from drawing; those of several are their mean, for which `log_prob` asks all.
        """
        recipes, density = self._sampled(count, seed)
        return recipes, density if self._members == 1 else self.log_prob(recipes)

    @property
    def _members(self) -> int:
        return cast(Heads, self.network.network).members

    def _sampled(self, count: int, seed: int | None) -> tuple[Tensor, Tensor]:
        """Recipes (count, B, V), member by member, and the logarithms of the densities that drew them, (count, B)."""
        wanted = (len(self.names), 2, self._members, -(-count // self._members))
        if len(self.x) == 0:
            return self.x.new_empty(count, 0, len(self.names)), self.x.new_empty(count, 0)
        if seed is None:
            size = max(1, ROWS_AT_ONCE // max(1, count))
            parts = [
                self._drawn(rows, torch.rand(len(rows), *wanted, dtype=torch.float64))
                for rows in torch.arange(len(self.x)).split(size)
            ]
        else:
            uniform = torch.rand(1, *wanted, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
            parts = [self._drawn(row, uniform) for row in torch.arange(len(self.x)).split(1)]
        recipes, density = (torch.cat(part)[:, :count].transpose(0, 1) for part in zip(*parts, strict=True))
        return recipes, density

    def _drawn(self, rows: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Recipes (b, S, V) of some observations (b,), each member its share, by numbers (b, V, 2, R, S / R).

        And the logarithms of their densities, (b, S), by the member that drew them.
        """
        members, each = uniform.shape[-2:]
        x, exactly = self.x[rows].expand(members, -1, -1), self.exactly[rows]
        density, first = x.new_zeros(members, len(rows) * each), True
        for at in self.order:
            if exactly[:, at].all():
                continue
            mixtures = self._mixtures(x)[:, :, at]
            if first:  # all samples of an observation have the same density
                x = x.repeat_interleave(each, dim=1)
                mixtures = mixtures.repeated(each)
                first = False
            choice, p = uniform[:, at].permute(1, 2, 0, 3).flatten(2)
            z = mixtures.drawn(choice, p)
            known = exactly[:, at].repeat_interleave(each)
            by_unit = mixtures.log_prob(z) - self.network.scaling.y.std[at].log()
            density = density + torch.where(known, 0.0, by_unit)
            self._tell(x, at, torch.where(known, x[..., self._value[at]], self._physical(z, at)))
        if first:
            x = x.repeat_interleave(each, dim=1)
        recipes = x[..., self._value].unflatten(1, (len(rows), each)).permute(1, 2, 0, 3)
        density = density.unflatten(1, (len(rows), each)).permute(1, 2, 0)
        return recipes.flatten(1, 2), density.flatten(1, 2)

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm (*, B) of the density of recipes (*, B, V), by the open values in physical units.

        Minus infinity outside the box, and where a value is not the one that is known exactly.

        Raises:
            InputError: Recipes of another width.
        """
        value = torch.as_tensor(value, dtype=torch.float64)
        if value.ndim == 0 or value.shape[-1] != len(self.names):
            raise InputError(f"recipes need the shape (*, {len(self.x)}, {len(self.names)}), got {(*value.shape,)}")
        shape = np.broadcast_shapes(value.shape[:-1], self.batch_shape)
        value = value.expand(*shape, len(self.names))
        flat = value.reshape(-1, len(self.x), len(self.names))
        rows = torch.arange(len(self.x)).expand(flat.shape[:-1]).reshape(-1)
        flat = flat.reshape(-1, len(self.names))
        size = ROWS_AT_ONCE
        parts = [self._log_prob(some, at) for some, at in zip(flat.split(size), rows.split(size), strict=True)]
        return torch.cat(parts).reshape(shape) if parts else value.new_empty(shape)

    def _log_prob(self, value: Tensor, rows: Tensor) -> Tensor:
        """Of recipes (N, V), each of one of the observations (N,)."""
        exactly, known = self.exactly[rows], self._known[rows]
        low, high = box(self.system)
        found = value.new_zeros(self._members, len(value))
        # Before any value is told, all recipes of an observation have the same density.
        observations, row_of = rows.unique(return_inverse=True)
        x = self.x[observations]
        for at in self.order:
            if exactly[:, at].all():
                continue
            mixtures = self._mixtures(x)[:, :, at]
            if row_of is not None:
                x, mixtures, row_of = x[row_of], mixtures[:, row_of], None
            z = self._standardized(value[:, at], at).maximum(mixtures.low).minimum(mixtures.high)
            each = mixtures.log_prob(z) - self.network.scaling.y.std[at].log()
            found = found + torch.where(exactly[:, at], 0.0, each)
            self._tell(x, at, torch.where(exactly[:, at], known[:, at], value[:, at]))
        possible = (value >= low - SAME * (high - low)) & (value <= high + SAME * (high - low))
        possible = torch.where(exactly, (value - known).abs() <= SAME * known.abs(), possible).all(-1)
        mean = found.logsumexp(0) - math.log(len(found))
        return torch.where(possible, mean, -torch.inf)

    def _tell(self, x: Tensor, at: int, value: Tensor) -> None:
        """Let observations (*, F) know a value (*,) exactly."""
        x[..., self._value[at]] = value
        x[..., self._error[at]] = self._least[at] * (value if self._relative[at] else torch.ones_like(value))

    def _physical(self, z: Tensor, at: int) -> Tensor:
        low, high = (end[at] for end in box(self.system))
        scaling = self.network.scaling.y
        return (z * scaling.std[at] + scaling.mean[at]).clamp(low, high)

    def _standardized(self, value: Tensor, at: int) -> Tensor:
        scaling = self.network.scaling.y
        return (value - scaling.mean[at]) / scaling.std[at]


class Marginal(Distribution):
    """Marginal of one value of recipes, with batch shape (B,), in physical units.

    A value that is known exactly is what it is: it has samples, mean, variance and quantiles, but no density.

    Args:
        mixtures: Of the standardized value, (B,).
        shift, unit: Of the standardization.
        known: The value where it is known exactly, NaN otherwise, (B,).
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = False

    def __init__(self, mixtures: TruncatedLogistics, shift: Tensor, unit: Tensor, known: Tensor) -> None:
        self._mixtures, self._shift, self._unit, self.known = mixtures, shift, unit, known
        super().__init__(torch.Size(known.shape), validate_args=False)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """From end to end of the box; of what is known exactly the value."""
        low, high = (
            self._of_known(self._physical(end), self.known) for end in (self._mixtures.low, self._mixtures.high)
        )
        return constraints.interval(low, high)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw values (*sample_shape, B)."""
        shape = torch.Size(sample_shape) + self.batch_shape
        mixtures = mapped(self._mixtures, lambda part: part.expand(*torch.Size(sample_shape), *part.shape))
        choice, p = torch.rand(2, *shape, dtype=torch.float64)
        return self._of_known(self._physical(mixtures.drawn(choice, p)), self.known)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Refused.

        Raises:
            NotImplementedError: Samples carry no gradient.
        """
        raise NotImplementedError(NO_GRADIENT)

    def _physical(self, z: Tensor) -> Tensor:
        return z * self._unit + self._shift

    def _of_known(self, other: Tensor, if_known: Tensor | float) -> Tensor:
        return torch.where(self.known.isnan(), other, if_known)

    @property
    def mean(self) -> Tensor:
        """Means, (B,)."""
        return self._of_known(self._physical(self._mixtures.moments()[0]), self.known)

    @property
    def variance(self) -> Tensor:
        """Variances, (B,)."""
        return self._of_known(self._mixtures.moments()[1] * self._unit**2, 0.0)

    def cdf(self, value: Tensor) -> Tensor:
        """Probability (*, B) of less than values (*, B)."""
        value = torch.as_tensor(value, dtype=torch.float64)
        z = (value - self._shift) / self._unit
        below = self._mixtures.cdf(z.maximum(self._mixtures.low).minimum(self._mixtures.high))
        return self._of_known(below, (value >= self.known).double())

    def icdf(self, value: Tensor) -> Tensor:
        """Quantiles (*, B) of probabilities (*, B) or one for all.

        Raises:
            InputError: One is none.
        """
        p = _checked_probabilities(value)
        p = p.expand(np.broadcast_shapes(p.shape, self.batch_shape))
        return self._of_known(self._physical(self._mixtures.icdf(p)), self.known)

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the density at values (*, B), minus infinity outside the box; NaN of what is known exactly."""
        z = (torch.as_tensor(value, dtype=torch.float64) - self._shift) / self._unit
        inside = (z >= self._mixtures.low) & (z <= self._mixtures.high)
        found = self._mixtures.log_prob(z.maximum(self._mixtures.low).minimum(self._mixtures.high)) - self._unit.log()
        return self._of_known(found.where(inside, -torch.inf), torch.nan)


def _checked_probabilities(value: Tensor | Sequence[float]) -> Tensor:
    p = torch.as_tensor(value, dtype=torch.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError("a quantile needs a probability, 0 to 1")
    return p


def _together(members: TruncatedLogistics) -> TruncatedLogistics:
    """One mixture (B, V) of those of R members, (R, B, V), all of the same weight."""
    logits = torch.log_softmax(members.logits, -1)
    parts = (part.movedim(0, -2).flatten(-2) for part in (logits, members.location, members.scale))
    return TruncatedLogistics(members.low[0], members.high[0], *parts)
