"""Intervals that hold the truth as often as they say, from the spread that networks predict.

A network that is trained on its likelihood knows which of its answers are better than others, but not how often the
truth lies within one of its standard deviations: errors are not normal, and the loss weighs them. So the spread is
multiplied by what makes intervals hold their share of validation rows: a factor for each value of the recipe, by the
spread itself, and by how large the errors are that the network is told [Kuleshov et al., ICML 2018, by groups].
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyinv.chemistry import System
from polyinv.data.features import errors_of, input_of_error
from polyinv.data.masks import InputPatterns, given_inputs, masked_inputs
from polyinv.data.patterns import name_of

SHARES = (0.68, 0.95)
"""Shares of the truths that intervals hold."""
NORMAL = (0.9945, 1.96)
"""Half widths of these intervals, in standard deviations of a normal distribution."""
LEVELS, PLACES = 5, 10
"""Groups of rows by the errors that are told, and of each of them by the spread that is predicted."""
LEAST_ROWS = 100
"""Rows of a group from which on its shares are looked at."""
DRAWN = 100_000
"""Patterns of inputs that are drawn, at most, for the rows of a conditional model."""
LARGEST = 1e3
"""Factors and levels beyond this are no numbers of a fit."""
LEAST = 1e-9
"""Spread that counts as none, as a share of the standard deviation of the recipes."""


class Coverage(nn.Module):
    """Factors between the spread that networks predict and intervals; of normal errors until it is fitted.

    Args:
        system: What is polymerized.
        columns: Names of the F columns of an observation.
    """

    levels: Tensor
    spreads: Tensor
    factors: Tensor
    center: Tensor
    scale: Tensor

    def __init__(self, system: System, columns: Sequence[str]) -> None:
        super().__init__()
        self.system, self.columns = system, tuple(columns)
        told = [column for column in columns if column in errors_of(system)]
        self._told = [self.columns.index(column) for column in told]
        self._of = [input_of_error(column, system) for column in told]
        targets, groups = len(system.targets), LEVELS if told else 1
        self.register_buffer("center", torch.zeros(len(told), dtype=torch.float64))
        self.register_buffer("scale", torch.ones(len(told), dtype=torch.float64))
        self.register_buffer("levels", torch.arange(groups, dtype=torch.float64))
        spreads = torch.linspace(-1.0, 0.0, PLACES, dtype=torch.float64)
        self.register_buffer("spreads", spreads.expand(groups, targets, PLACES).clone())
        factors = torch.tensor(NORMAL, dtype=torch.float64)[:, None, None, None]
        self.register_buffer("factors", factors.expand(-1, groups, targets, PLACES).clone())

    @torch.no_grad()
    def fit(self, x: Tensor, spread: Tensor, error: Tensor) -> None:
        """Choose the factors on validation rows.

        Args:
            x: Observations (N, F), NaN for what is missing.
            spread: Predicted standard deviation of each answer, (N, V), in standard deviations of the recipes; zero of
                what is given.
            error: Distance of each answer from the truth, in the same unit.
        """
        if self._told:
            logs = x[:, self._told].log()
            self.center.copy_(logs.mean(0))
            self.scale.copy_(logs.std(0).clamp(min=1e-3))
        level = self._level(x)
        cuts = level.quantile(torch.linspace(0, 1, len(self.levels) + 1, dtype=torch.float64)[1:-1])
        group = torch.bucketize(level, cuts)
        for g in range(len(self.levels)):
            if (group == g).any():
                self.levels[g] = level[group == g].median()
            for target in range(spread.shape[1]):
                rows = ((group == g) & (spread[:, target] > 0)).nonzero()[:, 0]
                self._fit_group(g, target, spread[rows, target], error[rows, target])
        # Groups come in ascending order; two of the same level, as without any that are told, are one.
        self.levels.copy_(self.levels + 1e-9 * torch.arange(len(self.levels)))

    def _fit_group(self, group: int, target: int, spread: Tensor, error: Tensor) -> None:
        if len(spread) < LEAST_ROWS:
            return
        order = spread.argsort()
        size = max(LEAST_ROWS, -(-len(spread) // PLACES))
        parts = [part for part in order.split(size) if len(part) >= LEAST_ROWS // 2] or [order]
        places = [min(round(at), len(parts) - 1) for at in torch.linspace(0, len(parts) - 1, PLACES).tolist()]
        share = torch.tensor(SHARES, dtype=torch.float64)
        of_parts = [(error[part] / spread[part]).quantile(share) for part in parts]
        centers = [spread[part].median().clamp(min=LEAST).log() for part in parts]
        self.spreads[group, target] = torch.stack([centers[place] for place in places])
        self.factors[:, group, target] = torch.stack([of_parts[place] for place in places], dim=1).clamp(min=LEAST)

    def check(self) -> None:
        """Check factors that were read from disk.

        Raises:
            ValueError: They are none that `fit` makes.
        """
        ascending = all(bool((of.diff(dim=-1) >= 0).all()) for of in (self.levels, self.spreads))
        distinct = len(self.levels) == 1 or bool((self.levels.diff() > 0).all())
        in_order = bool((self.factors[0] <= self.factors[1]).all()) and bool((self.factors <= LARGEST).all())
        if not (ascending and distinct and in_order and bool((self.levels.abs() <= LARGEST).all())):
            raise ValueError("the factors of its intervals are none")

    def half_widths(self, x: Tensor, spread: Tensor) -> Tensor:
        """Half widths of the intervals that hold ``SHARES`` of the truths, (2, B, V), in the unit of the spread."""
        level = self._level(x).clamp(self.levels[0], self.levels[-1])
        upper = torch.searchsorted(self.levels, level).clamp(1, max(len(self.levels) - 1, 1))
        if len(self.levels) == 1:
            return self._factors(torch.zeros_like(upper), spread) * spread
        low, high = self.levels[upper - 1], self.levels[upper]
        weight = ((level - low) / (high - low))[:, None]
        below, above = self._factors(upper - 1, spread), self._factors(upper, spread)
        return (below.log() * (1 - weight) + above.log() * weight).exp() * spread

    def _factors(self, group: Tensor, spread: Tensor) -> Tensor:
        """Factors (2, B, V) of rows of these groups, straight lines between the places, level beyond."""
        at = spread.clamp(min=LEAST).log()[..., None]
        places, factors = self.spreads[group], self.factors[:, group].log()
        upper = torch.searchsorted(places.contiguous(), at).clamp(1, PLACES - 1)
        low, high = places.gather(-1, upper - 1), places.gather(-1, upper)
        weight = ((at - low) / (high - low).clamp(min=LEAST)).clamp(0, 1)
        upper = upper.expand(2, *upper.shape)
        return (factors.gather(-1, upper - 1) * (1 - weight) + factors.gather(-1, upper) * weight)[..., 0].exp()

    def _level(self, x: Tensor) -> Tensor:
        """How large the errors are that rows are told, (B,): mean logarithm of those of what is there, standardized."""
        if not self._told:
            return torch.zeros(len(x), dtype=torch.float64)
        logs = (x[:, self._told].log() - self.center) / self.scale
        given, names = given_inputs(x, self.columns, self.system), list(self.system.inputs)
        there = torch.stack(
            [torch.ones_like(given[:, 0]) if of is None else given[:, names.index(of)] for of in self._of], dim=1
        )
        there &= ~logs.isnan()
        return (logs.where(there, 0.0).sum(1) / there.sum(1).clamp(min=1)).double()


def masked_rows(
    x: Tensor, y: Tensor, columns: Sequence[str], patterns: InputPatterns, system: System
) -> tuple[Tensor, Tensor]:
    """Observations (M, F) and recipes (M, V) of rows with patterns of inputs, as often as these are trained on."""
    names, parts, recipes = list(system.inputs), [], []
    for present, share in zip(patterns.present, patterns.share.tolist(), strict=True):
        pattern = name_of([name for name, there in zip(names, present.tolist(), strict=True) if there], system)
        count = min(len(x), max(1, round(share * DRAWN)))
        rows = torch.arange(count) * len(x) // count
        parts.append(masked_inputs(x[rows], columns, pattern, system))
        recipes.append(y[rows])
    return torch.cat(parts), torch.cat(recipes)
