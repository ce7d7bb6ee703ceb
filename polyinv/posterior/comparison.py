"""Comparison of posterior samples with something better: replicates of the polymer, or samples of an exact sampler."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from polyinv.errors import InputError
from polyinv.posterior.ranks import LEVELS, ExpectedCoverage, check_no_nan, checked_levels, drawn_ranks

FOLDS = 5
"""Parts that a classifier is tested on in turn."""
LEAST_SAMPLES = 20
"""Samples of each set, at least, that a classifier can learn from."""
TREES, LEAF = 50, 10
"""Trees of the classifier, and the samples that a leaf keeps at least."""
FLAT = 1e-10
"""Variance of a direction, as a share of the largest, that counts as none: a value follows from others."""


@dataclass(frozen=True)
class PredictiveDistance:
    """Distance of what samples make from what was observed, against that of replicates.

    Args:
        ratio: Median distance of the samples over that of the replicates, (N,).
        coverage: Share of the samples that are as close as replicates are at each level: at 0.9, as nine of ten.
    """

    ratio: Tensor
    coverage: ExpectedCoverage


def predictive_distance(
    of_samples: Tensor, of_replicates: Tensor, levels: Sequence[float] = LEVELS, seed: int = 0
) -> PredictiveDistance:
    """Posterior predictive check: do samples, simulated, make a polymer like the one observed [Gelman et al. 1996]?

    Of a right posterior, a sample with the polymer that was observed is as likely a pair as the true recipe with it. So
    their distances have, over many observations, one distribution, and the share of samples within what replicates show
    is the level; below it samples are too far, as those of a posterior that is too wide or shifted, above it too close.
    The ratio is about 1 where the noise has many more directions than the recipe.

    Args:
        of_samples: MMD distances between the observed curve and that of each sample, (S, N), simulated and measured
            with all the noise of a replicate.
        of_replicates: MMD distances between the observed curve and replicates of its true recipe, (R, N).
        levels: Shares of the replicates that are as close.
        seed: Of the random place between two replicates.

    Returns:
        The standard error is that of a mean over N observations, whose samples are not independent.

    Raises:
        InputError: Shapes do not go together, a NaN, or replicates that do not scatter.

    Example:
        >>> replicates = torch.linspace(0.01, 0.03, 201)[:, None].expand(-1, 4)
        >>> found = predictive_distance(1.25 * replicates, replicates, (0.9,))
        >>> found.ratio.tolist(), round(float(found.coverage.coverage), 1)
        ([1.25, 1.25, 1.25, 1.25], 0.6)
    """
    if of_samples.ndim != 2 or of_replicates.ndim != 2 or of_samples.shape[1] != of_replicates.shape[1]:
        raise InputError(
            f"distances of samples are {tuple(of_samples.shape)} and of replicates {tuple(of_replicates.shape)}; "
            "needs (S, N) and (R, N)"
        )
    check_no_nan(distances_of_samples=of_samples, distances_of_replicates=of_replicates)
    middle = of_replicates.median(0).values
    if not (middle > 0).all():
        raise InputError(f"replicates of {int((middle <= 0).sum())} observations are at no distance; needs their noise")
    ordered, placed = of_replicates.T.contiguous().sort().values, of_samples.T.to(of_replicates.dtype).contiguous()
    below, upto = (torch.searchsorted(ordered, placed, right=right) for right in (False, True))
    ranks = drawn_ranks(below, upto - below, len(of_replicates), seed)  # (N, S)
    return PredictiveDistance(of_samples.median(0).values / middle, _mean_coverage(ranks, levels))


def _mean_coverage(ranks: Tensor, levels: Sequence[float]) -> ExpectedCoverage:
    """Coverage by ranks (N, S) of which those of one observation are not independent."""
    nominal = checked_levels(levels)
    shares = torch.stack([(ranks <= level).double().mean(1) for level in levels])
    coverage, rows = shares.mean(1), torch.tensor(len(ranks))
    error = ((shares - nominal[:, None]).square().mean(1) / rows).sqrt()  # about what it should be, if all is right
    p_value = torch.erfc((coverage - nominal).abs() / error.clamp(min=1e-12) / 2**0.5)
    return ExpectedCoverage(nominal, coverage, error, p_value, rows)


def width_ratios(samples: Tensor, exact: Tensor) -> Tensor:
    """Standard deviation of samples over that of exact ones, (N, V); NaN of a value that is the same in all of both.

    Args:
        samples: (S, N, V).
        exact: Samples of the exact posterior of the same observations, (T, N, V).

    Raises:
        InputError: Shapes do not go together, or a NaN.

    Example:
        >>> exact = torch.tensor([[60.0, 1.0], [70.0, 1.0]])[:, None]
        >>> width_ratios(2 * exact, exact).tolist()
        [[2.0, nan]]
    """
    same = _same(samples, exact)
    return (samples.double().std(0) / exact.double().std(0)).where(~same, torch.nan)


def mean_differences(samples: Tensor, exact: Tensor) -> Tensor:
    """Mean of samples less that of exact ones, in standard deviations of the exact ones; see `width_ratios`.

    Example:
        >>> exact = torch.tensor([-1.0, 0.0, 1.0])[:, None, None]
        >>> mean_differences(exact + 0.5, exact).tolist()
        [[0.5]]
    """
    same = _same(samples, exact)
    difference = samples.double().mean(0) - exact.double().mean(0)
    return (difference / exact.double().std(0)).where(~same, torch.nan)


def c2st(samples: Tensor, exact: Tensor, seed: int = 0) -> Tensor:
    """Classifier two-sample test: how often a classifier tells samples from exact ones [Lopez-Paz, Oquab, ICLR 2017].

    The classifier is a forest of `sklearn.ensemble.ExtraTreesClassifier` on values without correlation, tested on
    samples it has not learned from. Sets of different sizes are cut to the smaller one, at random. Copies of a sample,
    as resampling makes them, stay together in what is learned or tested; yet few different samples are few. About 0.4 s
    of one core for an observation with 1000 samples of each.

    Args:
        samples: (S, N, V).
        exact: Samples of the exact posterior of the same observations, (T, N, V).
        seed: Of the parts and of the forest.

    Returns:
        Accuracy (N,): 0.5 is alike, by chance within 0.5 / √(S + T) of it, and 1 nothing in common. NaN where all
        values are known.

    Raises:
        InputError: Shapes do not go together, a NaN, or less than 20 samples in a set.

    Example:
        >>> exact = torch.linspace(0, 1, 50)[:, None, None]
        >>> c2st(exact + 2, exact).tolist()
        [1.0]
    """
    unknown = ~_same(samples, exact)
    if (least := min(len(samples), len(exact))) < LEAST_SAMPLES:
        raise InputError(f"{least} samples are too few for c2st; needs {LEAST_SAMPLES} of each")
    accuracies = [
        _accuracy(samples[:, at, asked].numpy(), exact[:, at, asked].numpy(), least, seed)
        for at, asked in enumerate(unknown)
    ]
    return torch.tensor(accuracies, dtype=torch.float64)


def _accuracy(samples: np.ndarray, exact: np.ndarray, count: int, seed: int) -> float:
    """Accuracy of a classifier of samples (S, V) and exact ones (T, V), so many of each."""
    from sklearn.ensemble import ExtraTreesClassifier  # takes a second or two
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    if samples.shape[1] == 0:
        return float("nan")
    rng = np.random.default_rng(seed)
    x = np.concatenate([each[rng.permutation(len(each))[:count]] for each in (samples, exact)])
    of_exact = np.repeat([0, 1], count)
    distinct, copy_of = np.unique(x, axis=0, return_inverse=True)
    folds = PredefinedSplit((rng.permutation(len(distinct)) % FOLDS)[copy_of])
    forest = ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, max_features=None, random_state=seed)
    return float((cross_val_predict(forest, _whitened(x), of_exact, cv=folds) == of_exact).mean())


def _whitened(x: np.ndarray) -> np.ndarray:
    """Rows without correlation and with unit variance: trees cut along axes, and ridges run across them."""
    turned, size, _ = np.linalg.svd((x - x.mean(0)) / x.std(0), full_matrices=False)
    return turned[:, size**2 > FLAT * size[0] ** 2]


def _same(samples: Tensor, exact: Tensor) -> Tensor:
    """Which values (N, V) are the same in all samples of both sets; refuses sets that do not go together."""
    if samples.ndim != 3 or exact.ndim != 3 or samples.shape[1:] != exact.shape[1:]:
        raise InputError(
            f"samples are {tuple(samples.shape)} and exact ones {tuple(exact.shape)}; needs (S, N, V) and (T, N, V)"
        )
    check_no_nan(samples=samples, exact_samples=exact)
    return (samples == samples[:1]).all(0) & (exact == exact[:1]).all(0)
