"""Summary of a study: means over seeds, their intervals, and paired differences."""

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from polyinv.errors import one_line
from polyinv.evaluation import ENSEMBLE
from polyinv.report.tables import markdown

CONFIDENCE = 0.95
GIVEN, GLOBAL = "given", "global"
SUBSETS = {"test": "Test rows of the split", "off_grid": "Off the grid"}


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Mean of N values and half the width of its 95 % interval, by the quantile of Student's t with N − 1 degrees.

    One value alone has no interval (NaN). That of a mean over split seeds is about the choice of the split of *these*
    rows, whose training sets overlap: it says nothing of other data.

    Example:
        >>> mean, half = mean_interval(np.array([0.50, 0.60]))
        >>> round(mean, 3), round(half, 3)
        (0.55, 0.635)
    """
    count = len(values)
    if count < 2:
        return float(values.mean()) if count else np.nan, np.nan
    half = stdtrit(count - 1, (1 + CONFIDENCE) / 2) * values.std(ddof=1) / sqrt(count)
    return float(values.mean()), float(half)


def summary(table: pd.DataFrame, axes: Sequence[str], reference: Any, metric: str = "r2") -> pd.DataFrame:
    """R², or another metric, of each combination of values, and its paired difference to the reference.

    The reference of a combination has ``reference`` on the first axis and the same values on all others. Differences
    are taken seed by seed before they are averaged: the same split, so that what makes a split hard cancels.

    Args:
        table: Scores with a column for each axis and those of a ``scores.csv``, in the order of the study; given, the
            pattern of inputs, where models are conditional.
        axes: Columns of the axes, the first one being what is compared.
        reference: What its values are compared with.
        metric: One of ``scores.csv``.

    Returns:
        The axes; given (the pattern of inputs, for conditional models; else empty), subset, target; seeds, mean,
        low, high: over the seeds whose R² is defined, with the 95 % interval; pairs, difference, difference_low,
        difference_high: to the reference, over the seeds of both, NaN for the reference itself.

    Raises:
        ValueError: A score stands there twice.
    """
    of = _by_seed(table, axes, metric)
    rows = []
    for key, values in of.items():
        base = {} if key[0] == reference else of.get((reference, *key[1:]), {})
        pairs = np.array([values[seed] - base[seed] for seed in values if seed in base])
        mean, half = mean_interval(np.array([*values.values()]))
        gain, gain_half = mean_interval(pairs)
        spread = {"seeds": len(values), "mean": mean, "low": mean - half, "high": mean + half}
        paired = {"pairs": len(pairs), "difference": gain}
        paired |= {"difference_low": gain - gain_half, "difference_high": gain + gain_half}
        rows.append(dict(zip((*axes, GIVEN, "subset", "target"), key, strict=True)) | spread | paired)
    return pd.DataFrame(rows)


def _by_seed(table: pd.DataFrame, axes: Sequence[str], metric: str) -> dict[tuple, dict[int, float]]:
    """The defined values of a metric of each combination, pattern, subset and target, by its seed."""
    scores = table[(table["member"] == ENSEMBLE) & (table["metric"] == metric)]
    scores = scores.assign(**{GIVEN: scores[GIVEN].fillna("") if GIVEN in scores else ""})
    found: dict[tuple, dict[int, float]] = {}
    for *key, seed, value in scores[[*axes, GIVEN, "subset", "target", "seed", "value"]].itertuples(index=False):
        values = found.setdefault(tuple(key), {})
        if seed in values:
            raise ValueError(f"the score of {', '.join(map(str, key))}, seed {seed} stands there twice")
        values[seed] = value
    return {
        key: {seed: value for seed, value in values.items() if not np.isnan(value)} for key, values in found.items()
    }


def in_words(
    found: pd.DataFrame,
    axes: Sequence[str],
    reference: Any,
    name: str,
    seeded: Sequence[str],
    densities: Mapping[str, pd.DataFrame] | None = None,
) -> str:
    """Format a `summary` as Markdown: for each subset, the means and the differences.

    Args:
        found, axes, reference: See `summary`.
        name: Of the study.
        seeded: Keys of the configuration that take the seeds.
        densities: Summaries of what else was scored, as those of posterior models, by what they are called.
    """
    parts = [
        f"# {one_line(name)}",
        "R²; ± is half the width of the 95 % interval of the mean over the seeds (quantile of Student's t). "
        f"It is about what they decide ({', '.join(seeded)}), and about nothing else.",
        *_sections(found, axes, reference),
    ]
    for title, each in (densities or {}).items():
        parts += [f"# {title}", *_sections(each, axes, reference)]
    return "\n\n".join(parts)


def _sections(found: pd.DataFrame, axes: Sequence[str], reference: Any) -> Iterator[str]:
    for subset, part in found.groupby("subset", sort=False):
        yield f"## {SUBSETS.get(subset, subset)}"
        yield markdown(_wide(part, axes, "mean"))
        if part["pairs"].any():
            yield f"Less the same with {_head(axes[0])} {text(reference)}, paired by seed:"
            yield markdown(_wide(part[part["pairs"] > 0], axes, "difference"))


def targets_of(found: pd.DataFrame) -> list[str]:
    """Targets of a summary, in the order of the recipe, and the global mean at the end."""
    return [*(name for name in found["target"].unique() if name != GLOBAL), GLOBAL]


def _head(axis: str) -> str:
    return axis.removeprefix("axis.")


def _wide(part: pd.DataFrame, axes: Sequence[str], column: str) -> pd.DataFrame:
    """Pivot to a line for each combination and a column for each target."""
    keys, ends = [*axes, GIVEN], {"mean": ("low", "high"), "difference": ("difference_low", "difference_high")}[column]
    lines, names = [], targets_of(part)
    for key, rows in part.groupby(keys, sort=False):
        count = rows["seeds" if column == "mean" else "pairs"].max()
        line = {_head(axis): text(value) for axis, value in zip(keys, key, strict=True)} | {"seeds": str(count)}
        of_target = rows.set_index("target")
        for target in names:
            row = of_target.loc[target] if target in of_target.index else dict.fromkeys((column, *ends), np.nan)
            line[target] = _cell(row[column], (row[ends[1]] - row[ends[0]]) / 2, sign=column == "difference")
        lines.append(line)
    wide = pd.DataFrame(lines)
    return wide if wide[GIVEN].any() else wide.drop(columns=GIVEN)


def _cell(mean: float, half: float, *, sign: bool) -> str:
    """Format a mean and its interval.

    Example:
        >>> _cell(0.1234, 0.01, sign=True), _cell(0.5, float("nan"), sign=False), _cell(float("nan"), 0.1, sign=False)
        ('+0.123 ± 0.010', '0.500', '')
    """
    if np.isnan(mean):
        return ""
    return f"{mean:{'+' if sign else ''}.3f}" + ("" if np.isnan(half) else f" ± {half:.3f}")


def text(value: Any) -> str:
    """Format a value of an axis for tables.

    Example:
        >>> text("mmd"), text(100000.0), text([64, 32]), text(None), text(True)
        ('mmd', '100000', '64-32', 'none', 'true')
    """
    if isinstance(value, list):
        return "-".join(text(each) for each in value)
    if isinstance(value, float):
        return f"{value:.10g}"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
