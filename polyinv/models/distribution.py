"""Posterior over the recipes of observations, as a distribution of PyTorch.

The density of a recipe is a product, one value after the other: each given the observation and the values before it,
which the network is told as if they were known exactly. The order is the same for every observation. Values that are
known exactly have no density; they are what they are in every sample.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from polyinv.data.observations import EXACT
from polyinv.errors import InputError, unknown
from polyinv.instrument.errors import LEAST, OF_UNIT, RELATIVE, SUFFIX
from polyinv.models.heads import mixtures_of
from polyinv.models.mixtures import TruncatedLogistics
from polyinv.simulate.recipes import box

if TYPE_CHECKING:
    from polyinv.models.scaled import ScaledNetwork

ROWS_AT_ONCE = 4096
SAME = 1e-6
"""Relative difference up to which a value is the one that is known."""


class RecipePosterior(Distribution):
    """Posterior over recipes, with batch shape (B,) and event shape (V,), in physical units and float64.

    Its density is that by the values that are open: not known exactly.

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
    support = constraints.real_vector
    has_rsample = False

    def __init__(self, network: "ScaledNetwork", x: Tensor, columns: Sequence[str]) -> None:
        self.network, self.x = network, x
        self.system = network.scaling.system
        self.names = self.system.targets
        columns = list(columns)
        self._value = [columns.index(name) for name in self.names]
        self._error = [columns.index(name + SUFFIX) for name in self.names]
        errors = [OF_UNIT[quantity.unit] for quantity in self.system.recipe]
        self._least = torch.tensor([LEAST[error] for error in errors], dtype=torch.float64)
        self._relative = torch.tensor([error in RELATIVE for error in errors])
        given = x[:, self._value]
        self.exactly = x[:, self._error] <= EXACT * self._least * self._scale(given)  # not where it is NaN
        self.exactly &= ~given.isnan()
        self._known = given
        self._marginals: TruncatedLogistics | None = None
        super().__init__(torch.Size([len(x)]), torch.Size([len(self.names)]), validate_args=False)

    def _scale(self, values: Tensor) -> Tensor:
        return torch.where(self._relative, values, torch.ones_like(values))

    @property
    def order(self) -> tuple[int, ...]:
        """Numbers of the values in the order in which they are drawn: what a laboratory most often knows comes first.

        Those before a value are then a pattern of inputs that networks are trained on a lot.
        """
        later = [at for at, relative in enumerate(self._relative.tolist()) if relative]
        return (*(at for at in range(len(self.names)) if at not in later), *reversed(later))

    def __getitem__(self, rows: Any) -> "RecipePosterior":
        """Posterior of some of the observations."""
        at = torch.arange(len(self.x))[rows].reshape(-1)
        columns = [""] * self.x.shape[1]
        for name, value, error in zip(self.names, self._value, self._error, strict=True):
            columns[value], columns[error] = name, name + SUFFIX
        return RecipePosterior(self.network, self.x[at], columns)

    def _mixtures(self, x: Tensor) -> TruncatedLogistics:
        """Mixtures of each member, (R, B, V), of observations (B, F) or of rows of each member's own (R, B, F)."""
        network = self.network.eval()
        with torch.no_grad():
            return mixtures_of(network.network(network.scaling(x)), len(self.names)).double()

    @property
    def marginals(self) -> TruncatedLogistics:
        """Marginal densities (B, V) of standardized values, those of all members together."""
        if self._marginals is None:
            parts = [_together(self._mixtures(part)) for part in self.x.split(ROWS_AT_ONCE)]
            names = ("low", "high", "logits", "location", "scale")
            whole = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
            self._marginals = TruncatedLogistics(**whole)
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
                among others, bit for bit; None takes those of PyTorch.
        """
        shape = torch.Size(sample_shape)
        count = shape.numel()
        drawn = []
        for row in range(len(self.x)):
            generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())) if seed is None else seed)
            drawn.append(self._sample(row, count, generator))
        if not drawn:
            return self.x.new_empty((*shape, 0, len(self.names)))
        return torch.stack(drawn, dim=1).unflatten(0, shape) if shape else torch.stack(drawn, dim=1)[0]

    def _sample(self, row: int, count: int, generator: torch.Generator) -> Tensor:
        """Recipes (count, V) of one observation: each member draws its share of them."""
        members = len(self._mixtures(self.x[row : row + 1]).low)
        each = -(-count // members)
        uniform = torch.rand(len(self.names), 2, members, each, generator=generator, dtype=torch.float64)
        x = self.x[row].expand(members, each, -1).clone()
        first = True
        for at in self.order:
            if self.exactly[row, at]:
                continue
            # Of the first value all have the same density.
            mixtures = self._mixtures(x[:, :1] if first else x)[..., at]
            choice, p = uniform[at]
            z = _broadcast(mixtures, choice.shape).drawn(choice, p)
            self._tell(x, at, self._physical(z, at))
            first = False
        drawn = x[..., self._value].transpose(0, 1).reshape(-1, len(self.names))
        return drawn[:count]

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm (*, B) of the density of recipes (*, B, V), by the open values in physical units.

        Minus infinity outside the box, and where a value is not the one that is known exactly.
        """
        value = torch.as_tensor(value, dtype=torch.float64)
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        value = value.expand(*shape, len(self.names))
        flat = value.reshape(-1, len(self.x), len(self.names))
        rows = torch.arange(len(self.x)).expand(flat.shape[:-1]).reshape(-1)
        flat = flat.reshape(-1, len(self.names))
        size = ROWS_AT_ONCE
        parts = [self._log_prob(some, at) for some, at in zip(flat.split(size), rows.split(size), strict=True)]
        return torch.cat(parts).reshape(shape) if parts else value.new_empty(shape)

    def _log_prob(self, value: Tensor, rows: Tensor) -> Tensor:
        """Of recipes (N, V), each of one of the observations (N,)."""
        x, exactly, known = self.x[rows].clone(), self.exactly[rows], self._known[rows]
        low, high = box(self.system)
        found: Tensor | None = None
        for at in self.order:
            mixtures = self._mixtures(x)[..., at]
            z = self._standardized(value[:, at], at).maximum(mixtures.low).minimum(mixtures.high)
            each = mixtures.log_prob(z) - self.network.scaling.y.std[at].log()
            each = torch.where(exactly[:, at], 0.0, each)
            found = each if found is None else found + each
            self._tell(x, at, torch.where(exactly[:, at], known[:, at], value[:, at]))
        assert found is not None
        possible = (value >= low - SAME * (high - low)) & (value <= high + SAME * (high - low))
        possible = torch.where(exactly, (value - known).abs() <= SAME * known.abs(), possible).all(-1)
        mean = found.logsumexp(0) - torch.log(torch.tensor(float(len(found))))
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

    Args:
        mixtures: Of the standardized value, (B,).
        shift, unit: Of the standardization.
        known: The value where it is known exactly, NaN otherwise, (B,).
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.real
    has_rsample = False

    def __init__(self, mixtures: TruncatedLogistics, shift: Tensor, unit: Tensor, known: Tensor) -> None:
        self._mixtures, self._shift, self._unit, self.known = mixtures, shift, unit, known
        super().__init__(torch.Size(known.shape), validate_args=False)

    def _of_known(self, other: Tensor, if_known: Tensor | float) -> Tensor:
        return torch.where(self.known.isnan(), other, if_known)

    @property
    def mean(self) -> Tensor:
        """Means, (B,)."""
        return self._of_known(self._mixtures.moments()[0] * self._unit + self._shift, self.known)

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
        p = torch.as_tensor(value, dtype=torch.float64)
        if not ((p >= 0) & (p <= 1)).all():
            raise InputError("a quantile needs a probability, 0 to 1")
        p = p.expand(torch.broadcast_shapes(p.shape, self.batch_shape))
        return self._of_known(self._mixtures.icdf(p) * self._unit + self._shift, self.known)

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the density at values (*, B)."""
        z = (torch.as_tensor(value, dtype=torch.float64) - self._shift) / self._unit
        inside = (z >= self._mixtures.low) & (z <= self._mixtures.high)
        found = self._mixtures.log_prob(z.maximum(self._mixtures.low).minimum(self._mixtures.high)) - self._unit.log()
        return self._of_known(found.where(inside, -torch.inf), torch.nan)


def _together(members: TruncatedLogistics) -> TruncatedLogistics:
    """One mixture (B, V) of those of R members, (R, B, V), all of the same weight."""
    logits = torch.log_softmax(members.logits, -1)
    parts = (part.movedim(0, -2).flatten(-2) for part in (logits, members.location, members.scale))
    return TruncatedLogistics(members.low[0], members.high[0], *parts)


def _broadcast(mixtures: TruncatedLogistics, shape: torch.Size) -> TruncatedLogistics:
    low, high = mixtures.low.expand(shape), mixtures.high.expand(shape)
    wide = (*shape, mixtures.logits.shape[-1])
    return TruncatedLogistics(
        low, high, *(p.expand(wide) for p in (mixtures.logits, mixtures.location, mixtures.scale))
    )
