"""What densities are worth on validation rows: negative logarithm and coverage, by target, pattern and errors."""

from collections.abc import Iterator

import torch
from torch import Tensor

from polyinv.data.features import errors_of
from polyinv.data.patterns import name_of
from polyinv.data.scaling import Scaling
from polyinv.instrument.errors import LEAST, RELATIVE
from polyinv.models.heads import mixtures_of

SHARE = 0.9
"""Of the intervals whose coverage is logged."""
LEAST_SHARE = 0.02
"""Share of the rows from which on a pattern of inputs is logged on its own."""
EXACT, SMALL, LARGE = "exact", "small errors", "large errors"


class DensityMetrics:
    """Metrics of the validation rows of an epoch, over all members together.

    Args:
        scaling: Of observations and recipes.
    """

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling
        self._rows: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        # Of what is always there, and no share of a value: the errors of the instrument.
        of_curve = {column: error for column, error in errors_of(scaling.system).items() if column.startswith("sec_")}
        names = scaling.transform.names
        told = [(f"ln {column}", error) for column, error in of_curve.items() if error not in RELATIVE]
        self._at = [names.index(name) for name, _ in told if name in names]
        self._least = torch.tensor([LEAST[error] for name, error in told if name in names]).log()

    def add(self, x: Tensor, output: Tensor, z: Tensor) -> None:
        """Take the features (B, G) of a batch, the output of the members (R, B, outputs), and the recipes (B, V)."""
        mixtures = mixtures_of(output, z.shape[-1])
        asked = ~z.isnan()
        true = z.where(asked, 0.0).expand_as(mixtures.low).maximum(mixtures.low).minimum(mixtures.high)
        members = torch.tensor(float(len(output)), device=output.device)
        nll = members.log() - mixtures.log_prob(true).logsumexp(0)
        below = mixtures.cdf(true).mean(0)
        held = (below - 0.5).abs() <= SHARE / 2
        inputs = x[..., -len(self.scaling.system.inputs) :] > 0
        self._rows.append((nll.where(asked, torch.nan), held.float().where(asked, torch.nan), inputs, self._level(x)))

    def _level(self, x: Tensor) -> Tensor:
        """How large the errors of the instrument are, (B,): mean logarithm over the least; 0 of exact rows."""
        if not self._at:
            return x.new_zeros(len(x))
        scaling = self.scaling.x
        logs = x[:, self._at] * scaling.std[self._at].to(x) + scaling.mean[self._at].to(x)
        return (logs - self._least.to(x)).clamp(min=0).mean(-1)

    def tags(self) -> Iterator[tuple[str, Tensor]]:
        """Names and values of the metrics since the last call."""
        if not self._rows:
            return
        nll, held, inputs, level = (torch.cat(part) for part in zip(*self._rows, strict=True))
        self._rows.clear()
        system = self.scaling.system
        for at, target in enumerate(system.targets):
            yield f"nll/{target}", nll[:, at].nanmean()
            yield f"coverage_90/{target}", held[:, at].nanmean()
        groups: dict[str, Tensor] = {}
        kinds, kind, counts = inputs.unique(dim=0, return_inverse=True, return_counts=True)
        for number in (counts >= LEAST_SHARE * len(inputs)).nonzero()[:, 0].tolist():
            given = [name for name, there in zip(system.inputs, kinds[number].tolist(), strict=True) if there]
            groups[name_of(given, system)] = kind == number
        exact = level <= 1e-3
        if (~exact).any():
            middle = level[~exact].median()
            groups |= {EXACT: exact, SMALL: ~exact & (level <= middle), LARGE: level > middle}
        for name, rows in groups.items():
            if rows.any():
                yield f"nll_given/{name}", nll[rows].nanmean()
                yield f"coverage_90_given/{name}", held[rows].nanmean()
