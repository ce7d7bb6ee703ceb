"""Calibration of a posterior: every check of it in one table, with a verdict in words.

The checks are those of `polyinv.posterior.ranks` and `polyinv.posterior.comparison`. They take samples and densities,
however these were made.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from polyinv.errors import InputError
from polyinv.posterior.comparison import c2st, mean_differences, predictive_distance, width_ratios
from polyinv.posterior.ranks import (
    LEVELS,
    ExpectedCoverage,
    Uniformity,
    binomial_p,
    central_coverage,
    density_ranks,
    known_values,
    region_coverage,
    sbc_ranks,
    tarp_ranks,
    uniformity,
)

DENSITY, EXACT = "highest density", "exact sampler"
JOINT = "joint"
"""Target of what is true of all unknown values together."""
TOLERANCE = 0.02
"""Difference of a coverage, a mean rank or a distribution of ranks that does not matter."""
SIGMAS, CHANCE = 4, 6.3e-5
"""Standard deviations beyond which nothing is by chance, and their probability: once in 16 000 right numbers."""
MEDIAN = (math.pi / 2) ** 0.5
"""Standard error of a median over that of a mean, of normal numbers."""
WIDTH, DIFFERENCE, TOLD_APART = 0.05, 0.2, 0.6
"""What does not matter beside an exact sampler: of the ratio of widths, the means in standard deviations, c2st."""
NARROW, WIDE, SHIFTED, SHAPE, UNLIKE = "too narrow", "too wide", "shifted", "wrong shape", "told apart"
"""Verdicts."""
NUMBERS = ("mean_rank", "ks", "p_value", "ratio", "difference", "c2st")


def diagnose(
    samples: Tensor,
    truths: Tensor,
    targets: Sequence[str],
    *,
    log_densities: tuple[Tensor, Tensor] | None = None,
    distances: tuple[Tensor, Tensor] | None = None,
    exact: Tensor | None = None,
    known: Tensor | None = None,
    groups: pd.DataFrame | None = None,
    levels: Sequence[float] = LEVELS,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> pd.DataFrame:
    """Check a posterior on N observations whose recipe is known, group by group.

    A line for each group, check and target:

    - ``marginal``, of each target: ranks and central intervals, `polyinv.posterior.ranks.sbc_ranks`.
    - ``TARP``: `polyinv.posterior.ranks.tarp_ranks`; its coverage is that of central intervals of the ranks.
    - ``highest density``: `polyinv.posterior.ranks.density_ranks`, if there are densities.
    - ``predictive distance``: `polyinv.posterior.comparison.predictive_distance`, if there are distances.
    - ``exact sampler``, of each target and joint: `polyinv.posterior.comparison`, if there are exact samples.

    A verdict is given where a deviation is larger than chance (4 standard errors) and than matters:

    - ``too narrow``, ``too wide``: coverage below, above its levels. Marginals that are shifted are compared with the
      coverage of a normal posterior of the right width that is shifted everywhere alike, and may be both: ``shifted and
      too narrow``. The checks of all values together do not tell a shift from a wrong width, and say ``too narrow or
      shifted`` or, of predictive distances, ``too wide or shifted``.
    - ``shifted``: the mean rank is not one half, or the means differ by more than 0.2 standard deviations (root mean
      square) from the exact ones.
    - ``wrong shape``: coverage too high at one level and too low at another, or ranks not uniform with neither.
    - ``told apart``: a classifier tells more than 60 % of the samples from the exact ones.

    Nothing is said where there is nothing to say, which with few observations proves little: see the standard errors.

    Args:
        samples: (S, N, V), in the unit box: recipe less the low end of the box, over its width.
        truths: (N, V), in the unit box.
        targets: Names of the V values.
        log_densities: Of the samples (S, N) and of the truths (N,), in the unknown values.
        distances: MMD distances of the samples (S', N) and of replicates (R, N) from the observation.
        exact: Samples of the exact posterior, (T, N, V).
        known: Values that are given, (N, V); by default those that are exact in every sample. They are left out.
        groups: What to tell apart, such as pattern and noise level: N rows, any columns. By default all are one.
        levels: Of coverage.
        tolerance: Difference of a coverage, a mean rank or a distribution of ranks that does not matter.
        seed: Of all random numbers.

    Returns:
        The columns of the groups, then

        - ``check``, ``target``: as above; ``joint`` of all values together.
        - ``rows``: observations that count. Known values do not, and a line without any is left out.
        - ``coverage_50`` …, by the level in percent: share, 0 to 1, of the truths within the interval or region; of
          predictive distances, the share of samples that are as close as that many of the replicates.
        - ``standard_error_50`` …: standard deviation of that share by chance, if the posterior is right.
        - ``mean_rank``: above one half where the truth is above the samples, less dense, or farther.
        - ``ks``, ``p_value``: distance of the ranks from uniform ones, and its probability by chance.
        - ``ratio``: median over the observations, of the distance of samples over that of replicates, or of the
          standard deviation of samples over that of exact ones.
        - ``difference``: root mean square difference from the exact means, in standard deviations, less what chance
          makes of as many independent samples.
        - ``c2st``: median accuracy of a classifier; 0.5 is alike.
        - ``verdict``: as above.

        NaN is what a check does not give.

    Raises:
        InputError: Shapes do not go together, a NaN, values beyond the unit box, or a level that cannot be.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> samples, truths = (torch.rand(*shape, 1, generator=generator) for shape in [(100, 4000), (4000,)])
        >>> samples[:, ::2] = 0.5 + 0.7 * (samples[:, ::2] - 0.5)
        >>> found = diagnose(samples, truths, ["temp"], groups=pd.DataFrame({"chains": [1e5, 1e6] * 2000}))
        >>> found.loc[found["target"] == "temp", ["chains", "coverage_90", "verdict"]].round(2).to_dict("records")[0]
        {'chains': 100000.0, 'coverage_90': 0.63, 'verdict': 'too narrow'}
        >>> found["verdict"].tolist()
        ['too narrow', 'too narrow or shifted', '', '']
    """
    ranks = {"marginal": sbc_ranks(samples, truths, known, seed), "TARP": tarp_ranks(samples, truths, known, seed)}
    _check_counts(truths, targets, {"log densities": log_densities, "distances": distances, "exact samples": exact})
    if log_densities is not None:
        asked = ~known_values(samples, truths, known).all(-1)
        ranks[DENSITY] = density_ranks(*log_densities, seed).where(asked, torch.nan)
    lines = []
    for group, rows in _parts(groups, len(truths), columns_of(levels)):
        of_group = [*_rank_lines({check: each[rows] for check, each in ranks.items()}, targets, levels, tolerance)]
        if distances is not None:
            near, replicates = (each[:, rows] for each in distances)
            of_group.append(_distance_line(near, replicates, levels, tolerance, seed))
        if exact is not None:
            of_group += _exact_lines(samples[:, rows], exact[:, rows], targets, seed)
        lines += [group | line for line in of_group]
    return pd.DataFrame(lines, columns=[*([] if groups is None else groups.columns), *columns_of(levels)])


def columns_of(levels: Sequence[float] = LEVELS) -> list[str]:
    """Columns of `diagnose` behind those of the groups.

    Example:
        >>> columns_of([0.9])[:5]
        ['check', 'target', 'rows', 'coverage_90', 'standard_error_90']
    """
    shares = [f"{name}_{100 * level:g}" for name in ("coverage", "standard_error") for level in levels]
    return ["check", "target", "rows", *shares, *NUMBERS, "verdict"]


def _check_counts(truths: Tensor, targets: Sequence[str], given: Mapping[str, Any]) -> None:
    """Refuse names that are not one for each value, and what is not of all observations."""
    if len(targets) != truths.shape[1]:
        raise InputError(f"number of targets is {len(targets)}; needs {truths.shape[1]}, as truths have values")
    for name, each in given.items():
        for tensor in each if isinstance(each, tuple) else [each]:
            # Log densities of truths are (N,), all else has the observations second.
            if tensor is not None and (count := tensor.shape[: min(2, tensor.ndim)][-1]) != len(truths):
                raise InputError(f"{name} are of {count} observations; needs {len(truths)}")


def _parts(groups: pd.DataFrame | None, count: int, columns: Sequence[str]) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """Each group, by the values of its columns, and its rows, in the order in which they come first."""
    if groups is None:
        yield {}, torch.arange(count)
        return
    if len(groups) != count:
        raise InputError(f"groups have {len(groups)} rows; needs one for each of {count} observations")
    if taken := [name for name in groups.columns if name in columns]:
        raise InputError(f"a column of the groups is called {taken[0]}, as one of the table")
    names = list(groups.columns)
    for key, part in groups.reset_index(drop=True).groupby(names, sort=False, dropna=False):
        yield dict(zip(names, key, strict=True)), torch.from_numpy(part.index.to_numpy().copy())


def _rank_lines(
    ranks: Mapping[str, Tensor], targets: Sequence[str], levels: Sequence[float], tolerance: float
) -> Iterator[dict[str, Any]]:
    """Lines of ranks (N, V) or (N,), by check."""
    for check, each in ranks.items():
        names = targets if each.ndim > 1 else [JOINT]
        for target, column in zip(names, each.reshape(len(each), -1).T, strict=True):
            if column.isnan().all():
                continue
            found = uniformity(column)
            coverage = (region_coverage if check == DENSITY else central_coverage)(column, levels)
            said = _verdict(coverage, found, tolerance, joint=each.ndim == 1)
            numbers = {"mean_rank": found.mean, "ks": found.statistic, "p_value": found.p_value}
            yield _line(check, target, coverage.rows, coverage, said, numbers)


def _distance_line(
    near: Tensor, replicates: Tensor, levels: Sequence[float], tolerance: float, seed: int
) -> dict[str, Any]:
    """Line of the posterior predictive check."""
    found = predictive_distance(near, replicates, levels, seed)
    coverage = found.coverage
    signs = _signs(coverage.coverage - coverage.levels, coverage.p_value, tolerance)
    said = _said(signs, below=f"{WIDE} or {SHIFTED}", above=NARROW)
    return _line("predictive distance", JOINT, coverage.rows, coverage, said, {"ratio": found.ratio.median()})


def _exact_lines(samples: Tensor, exact: Tensor, targets: Sequence[str], seed: int) -> Iterator[dict[str, Any]]:
    """Lines of the comparison with an exact sampler."""
    ratios, differences = width_ratios(samples, exact), mean_differences(samples, exact)
    by_chance = 1 / len(samples) + 1 / len(exact)  # variance of a difference, and twice that of ln of a ratio
    for at, target in enumerate(targets):
        ratio, difference = (each[~each[:, at].isnan(), at] for each in (ratios, differences))
        if rows := len(ratio):
            middle, squares = ratio.median(), difference.square()
            chance = math.exp(SIGMAS * MEDIAN * (by_chance / 2 / rows) ** 0.5) - 1
            said = _said({-1} if middle < 1 - max(WIDTH, chance) else {1} if middle > 1 + max(WIDTH, chance) else set())
            apart = (squares.mean() - by_chance).clamp(min=0).sqrt()
            p_value = torch.special.gammaincc(torch.tensor(rows / 2).double(), squares.sum() / by_chance / 2)
            shifted = SHIFTED if apart > DIFFERENCE and p_value < CHANCE else ""
            numbers = {"ratio": middle, "difference": apart}
            yield _line(EXACT, target, rows, None, _both(shifted, said), numbers)
    accuracy = c2st(samples, exact, seed)
    accuracy = accuracy[~accuracy.isnan()]
    if rows := len(accuracy):
        chance = SIGMAS * MEDIAN * 0.5 / (2 * min(len(samples), len(exact)) * rows) ** 0.5
        middle = accuracy.median()
        said = UNLIKE if middle > max(TOLD_APART, 0.5 + chance) else ""
        yield _line(EXACT, JOINT, rows, None, said, {"c2st": middle})


def _line(
    check: str,
    target: str,
    rows: int | Tensor,
    coverage: ExpectedCoverage | None,
    verdict: str,
    numbers: Mapping[str, Tensor],
) -> dict[str, Any]:
    """A line of the table, as plain numbers."""
    line: dict[str, Any] = {"check": check, "target": target, "rows": int(rows), "verdict": verdict}
    if coverage is not None:
        names = columns_of(coverage.levels.tolist())[3 : 3 + 2 * len(coverage.levels)]
        line |= zip(names, [*coverage.coverage.tolist(), *coverage.standard_error.tolist()], strict=True)
    return line | {name: float(number) for name, number in numbers.items()}


def _verdict(coverage: ExpectedCoverage, found: Uniformity, tolerance: float, *, joint: bool) -> str:
    """Verdict on ranks."""
    off = float(found.mean) - 0.5
    shifted = not joint and abs(off) > max(tolerance, SIGMAS * (12 * int(found.rows)) ** -0.5)
    expected = _coverage_if_shifted(found.mean, coverage.levels) if shifted else coverage.levels
    held = (coverage.coverage * coverage.rows).round()
    signs = _signs(coverage.coverage - expected, binomial_p(held, coverage.rows, expected), tolerance)
    said = _said(signs, below=f"{NARROW} or {SHIFTED}" if joint else NARROW)
    if not (said or shifted) and found.statistic > tolerance and found.p_value < CHANCE:
        said = SHAPE
    return _both(SHIFTED if shifted else "", said)


def _coverage_if_shifted(mean_rank: Tensor, levels: Tensor) -> Tensor:
    """Coverage (L,) of the intervals of a normal posterior of the right width, so shifted that this is the mean rank.

    With a truth that is normal about d standard deviations, the mean rank is the normal distribution at d / √2.
    """
    shift = 2**0.5 * torch.special.ndtri(mean_rank)
    half_width = torch.special.ndtri((1 + levels) / 2)
    return torch.special.ndtr(half_width - shift) - torch.special.ndtr(-half_width - shift)


def _signs(deviation: Tensor, p_value: Tensor, tolerance: float) -> set[int]:
    """Signs of the deviations (L,) that are larger than chance and than matters."""
    counts = (deviation.abs() > tolerance) & (p_value < CHANCE)
    return {int(sign) for sign in deviation[counts].sign()}


def _said(signs: set[int], below: str = NARROW, above: str = WIDE) -> str:
    if len(signs) == 2:
        return SHAPE
    return {-1: below, 1: above}[signs.pop()] if signs else ""


def _both(*words: str) -> str:
    return " and ".join(filter(None, words))
