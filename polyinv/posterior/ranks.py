"""Ranks of the truth among posterior samples, and the coverage that follows from them.

Where a posterior is right, the truth is one of its samples, and its rank among them is uniform, whatever it is ranked
by: each value of the recipe by itself (`sbc_ranks`), the density (`density_ranks`), the distance to a random point
(`tarp_ranks`). A rank is written as a share in 0..1; it is drawn uniformly within the interval that belongs to the
truth, of width 1 / (S + 1) for S samples and wider where samples equal the truth. So it is exactly uniform for any
number of samples, few of them cost resolution only, and the expected coverage of a right posterior is its level.

None of the ranks is enough alone. Each value may be right while the values together are not, and all of them on average
over noise levels, as those of a posterior that does not know the noise, while none is at any of them. A posterior
that ignores the observation, and is the prior, passes every one.

Observations count as independent: of the snapshots of one reaction take one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from polyinv.errors import InputError

LEVELS = (0.5, 0.68, 0.9, 0.95)
"""Levels of the intervals and regions whose coverage is computed."""
PLACES, POINTS = 1, 2
"""Streams of random numbers: of places between samples, and of points to measure distances from."""
ROUNDING = 1e-4
"""How far beyond the unit box a value may lie by rounding."""


@dataclass(frozen=True)
class ExpectedCoverage:
    """Expected coverage: share of the observations whose interval or region holds the truth.

    Args:
        levels: Nominal coverage, (L,).
        coverage: What was found, (L, *); NaN where no observation counts.
        standard_error: Standard deviation of the coverage of a right posterior by chance, (L, *).
        p_value: Probability of a coverage as far from its level, if the posterior is right, (L, *).
        rows: Number of observations that count, (*).
    """

    levels: Tensor
    coverage: Tensor
    standard_error: Tensor
    p_value: Tensor
    rows: Tensor


@dataclass(frozen=True)
class Uniformity:
    """Uniformity of ranks, by the test of Kolmogorov and Smirnov.

    Args:
        mean: Mean rank, (*): above one half where the truth lies above the samples.
        statistic: Largest distance between the cumulative distributions of the ranks and of uniform ones, (*).
        p_value: Probability of a distance as large, if ranks are uniform, (*).
        rows: Number of ranks that count, (*).
    """

    mean: Tensor
    statistic: Tensor
    p_value: Tensor
    rows: Tensor


def sbc_ranks(samples: Tensor, truths: Tensor, known: Tensor | None = None, seed: int = 0) -> Tensor:
    """Rank the truth among the samples, value by value: simulation-based calibration [Talts et al. 2018, 1804.06788].

    Args:
        samples: (S, N, V), in any unit.
        truths: (N, V), in the same unit.
        known: Values that are given and not inferred, (N, V); by default those that are exact in every sample.
        seed: Of the random place between two samples.

    Returns:
        (N, V), float64, in 0..1; 0 is below all samples. NaN of a known value.

    Raises:
        InputError: Shapes do not go together, or a NaN.

    Example:
        >>> samples = torch.linspace(0, 1, 999)[:, None, None].expand(-1, 3, 2)
        >>> truths = torch.tensor([[0.21, 0.5], [0.71, 0.5], [2.0, 0.5]])
        >>> known = torch.tensor([False, True]).expand(3, 2)
        >>> [[round(float(rank), 1) for rank in row] for row in sbc_ranks(samples, truths, known)]
        [[0.2, nan], [0.7, nan], [1.0, nan]]
    """
    truths, unknown = _checked(samples, truths, known)
    ranks = drawn_ranks((samples < truths).sum(0), (samples == truths).sum(0), len(samples), seed)
    return ranks.where(unknown, torch.nan)


def density_ranks(of_samples: Tensor, of_truths: Tensor, seed: int = 0) -> Tensor:
    """Share of the samples whose density is higher than that of the truth: the level of the region it just lies in.

    The highest-density region of a level is the smallest region that holds that share of the posterior [Hyndman,
    *Am. Stat.* 50 (1996) 120]. It knows of every value at once, and of how they hang together.

    Args:
        of_samples: Log densities of the samples, (S, N), of the unknown values, up to a constant of each observation.
        of_truths: Log density of the truth, (N,), up to the same constant; minus infinity outside the support.
        seed: Of the random place between two samples.

    Returns:
        (N,), float64, in 0..1; 0 is denser than all samples.

    Raises:
        InputError: Shapes do not go together, or a NaN.

    Example:
        >>> samples = torch.linspace(-4, 0, 999)[:, None].expand(-1, 2)
        >>> [round(float(rank), 1) for rank in density_ranks(samples, torch.tensor([-0.8, -torch.inf]))]
        [0.2, 1.0]
    """
    if of_samples.ndim != 2 or not len(of_samples) or of_truths.shape != of_samples.shape[1:]:
        raise InputError(
            f"log densities of samples are {tuple(of_samples.shape)} and of truths {tuple(of_truths.shape)}; "
            "needs (S, N) and (N,)"
        )
    check_no_nan(log_densities_of_samples=of_samples, log_densities_of_truths=of_truths[None])
    of_truths = of_truths.to(of_samples.dtype)
    return drawn_ranks((of_samples > of_truths).sum(0), (of_samples == of_truths).sum(0), len(of_samples), seed)


def tarp_ranks(samples: Tensor, truths: Tensor, known: Tensor | None = None, seed: int = 0) -> Tensor:
    """Share of the samples that lie closer than the truth to a random point: TARP [Lemos et al., ICML 2023].

    The points are uniform in the unit box, one for each observation, and distances are those in the unknown values.
    Seen from afar a small cloud of samples is its projection on a random direction, so that this tells what no value
    tells by itself; but errors of opposite sign in different directions cancel. Where samples scatter too little, the
    truth is closer than all of them as often as farther, and ranks gather at both ends, as those of `sbc_ranks` do.

    Args:
        samples: (S, N, V), in the unit box: recipe less the low end of the box, over its width.
        truths: (N, V), in the unit box.
        known: As `sbc_ranks` takes it.
        seed: Of the points, and of the random place between two samples.

    Returns:
        (N,), float64, in 0..1. NaN where every value is known.

    Raises:
        InputError: Shapes do not go together, a NaN, or values beyond the unit box.

    Example:
        >>> truths = torch.linspace(0.1, 0.4, 1000)[:, None].expand(-1, 2)
        >>> ranks = tarp_ranks(torch.full((99, 1000, 2), 0.5), truths)  # too narrow: none in between
        >>> sorted({round(float(rank), 1) for rank in ranks})
        [0.0, 1.0]
    """
    truths, unknown = _checked(samples, truths, known)
    low, high = (min(samples.min(), truths.min()).item(), max(samples.max(), truths.max()).item())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise InputError(f"samples and truths run from {low:g} to {high:g}; needs the unit box, 0 to 1")
    points = _uniform(truths.shape, seed, POINTS).to(samples.dtype)
    of_samples = ((samples - points).square() * unknown).sum(-1)
    of_truths = ((truths - points).square() * unknown).sum(-1)
    closer, equal = (of_samples < of_truths).sum(0), (of_samples == of_truths).sum(0)
    return drawn_ranks(closer, equal, len(samples), seed).where(unknown.any(-1), torch.nan)


def uniformity(ranks: Tensor) -> Uniformity:
    """Test whether ranks (N, *) are uniform in 0..1; NaN do not count.

    The test sees a shift sooner than a wrong width, which `central_coverage` is for.

    Example:
        >>> found = uniformity(torch.linspace(0, 1, 1001) ** 2)
        >>> round(float(found.mean), 2), round(float(found.statistic), 2), bool(found.p_value < 1e-9)
        (0.33, 0.25, True)
    """
    from scipy.stats import kstest  # takes a second

    found = torch.full((2, ranks[0].numel()), torch.nan, dtype=torch.float64)
    for at, column in enumerate(ranks.reshape(len(ranks), -1).T):
        if (counted := column[~column.isnan()]).numel():
            found[:, at] = torch.tensor(kstest(counted.numpy(), "uniform")[:2], dtype=torch.float64)
    statistic, p_value = found.reshape(2, *ranks.shape[1:])
    return Uniformity(ranks.nanmean(0), statistic, p_value, (~ranks.isnan()).sum(0))


def central_coverage(ranks: Tensor, levels: Sequence[float] = LEVELS) -> ExpectedCoverage:
    """Expected coverage of the central intervals of these levels, from ranks (N, *); NaN do not count.

    Below its level: intervals are too narrow, or not where they should be. Above: too wide.

    Raises:
        InputError: A level is not between 0 and 1.

    Example:
        >>> found = central_coverage(torch.tensor([0.02, 0.3, 0.5, 0.6]), (0.5, 0.9))
        >>> found.coverage.tolist(), found.standard_error.tolist()
        ([0.75, 0.75], [0.25, 0.15])
    """
    return region_coverage(2 * (ranks - 0.5).abs(), levels)


def region_coverage(ranks: Tensor, levels: Sequence[float] = LEVELS) -> ExpectedCoverage:
    """Expected coverage of the regions that hold the lowest ranks (N, *): those of highest density, or closest.

    Raises:
        InputError: A level is not between 0 and 1.

    Example:
        >>> region_coverage(torch.tensor([0.1, 0.3, 0.7, 0.8]), (0.75,)).coverage.tolist()
        [0.75]
    """
    nominal = checked_levels(levels).reshape(-1, *[1] * (ranks.ndim - 1))
    held, rows = torch.stack([(ranks <= level).sum(0) for level in levels]), (~ranks.isnan()).sum(0)
    error = (nominal * (1 - nominal) / rows).sqrt().where(rows > 0, torch.nan)
    return ExpectedCoverage(nominal.flatten(), held / rows.double(), error, binomial_p(held, rows, nominal), rows)


def binomial_p(held: Tensor, rows: Tensor, share: Tensor) -> Tensor:
    """Probability (two-sided, exact) that of some rows as few or as many are held, if each is with this probability.

    Example:
        >>> binomial_p(torch.tensor(0), torch.tensor(4), torch.tensor(0.5)).item()
        0.125
    """
    from scipy.stats import binom

    trials = rows.numpy(), share.numpy()
    tails = binom.cdf(held.numpy(), *trials), binom.sf(held.numpy() - 1, *trials)
    return 2 * torch.minimum(*map(torch.as_tensor, tails)).clamp(max=0.5)


def checked_levels(levels: Sequence[float]) -> Tensor:
    """Levels as float64 (L,).

    Raises:
        InputError: One is not between 0 and 1.
    """
    for level in levels:
        if not 0 < level < 1:
            raise InputError(f"a level is {level:g}; needs a number between 0 and 1")
    return torch.tensor(levels, dtype=torch.float64)


def check_no_nan(**tensors: Tensor) -> None:
    """Refuse NaN in tensors (S, N, *), each by its name.

    Raises:
        InputError: There are some.
    """
    for name, tensor in tensors.items():
        rows = tensor.isnan().transpose(0, 1).flatten(1).any(1)
        if rows.any():
            raise InputError(f"{name.replace('_', ' ')} hold NaN in {int(rows.sum())} of {len(rows)} observations")


def known_values(samples: Tensor, truths: Tensor, known: Tensor | None = None) -> Tensor:
    """Which values (N, V) are known: as stated, or those that are exact in every sample (S, N, V).

    Raises:
        InputError: What is stated has another shape.
    """
    if known is None:
        return (samples == truths.to(samples.dtype)).all(0)
    if known.shape != truths.shape:
        raise InputError(f"known is {tuple(known.shape)}; needs {tuple(truths.shape)} as the truths")
    return known.bool()


def _checked(samples: Tensor, truths: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
    """The truths in the precision of the samples, and which of their values are unknown; (N, V) each."""
    if samples.ndim != 3 or not len(samples) or truths.shape != samples.shape[1:]:
        raise InputError(
            f"samples are {tuple(samples.shape)} and truths {tuple(truths.shape)}; needs (S, N, V) and (N, V)"
        )
    check_no_nan(samples=samples, truths=truths[None])
    return truths.to(samples.dtype), ~known_values(samples, truths, known)


def drawn_ranks(before: Tensor, equal: Tensor, samples: int, seed: int) -> Tensor:
    """Ranks in 0..1 of truths that come after so many of the samples, and equal so many."""
    return (before + _uniform(before.shape, seed, PLACES) * (equal + 1)) / (samples + 1)


def _uniform(shape: Sequence[int], seed: int, stream: int) -> Tensor:
    """Uniform numbers of a stream of their own: with those of torch, points might be the truths that are tested."""
    return torch.from_numpy(np.random.default_rng([seed, stream]).random(tuple(shape)))
