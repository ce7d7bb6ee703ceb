"""Importance of inputs: the drop of R² when an input is shuffled among the rows, or missing.

Inputs are taken by the block: a scalar column, a value of the recipe, a stretch of neighbouring nodes of the curve, and
the curve as a whole.

Read with care: inputs that tell the same share what they tell. Mn and Mw follow from the curve, and neighbouring nodes
from one another, so that a block may look idle because the others say it too, and no two numbers may be added. A
shuffled block also makes observations that no polymer shows, on which a model is not to be trusted: its number says how
much the *model* leans on the block, not how much the block could tell. What a *missing* block costs
(`missing_importance`) is free of that, but needs a conditional model.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor

from polyinv.data.features import errors_of
from polyinv.data.observations import Observations
from polyinv.data.patterns import SHOWING
from polyinv.errors import InputError
from polyinv.mmd import BIN_EDGES
from polyinv.models.base import InverseModel
from polyinv.quantities import MMD
from polyinv.r2 import r2
from polyinv.runtime.threads import one_thread

Blocks = Mapping[str, Sequence[str]]
"""Columns of each block, by its name."""
WHOLE_CURVE = "whole MMD"
MISSING = {"mmd": WHOLE_CURVE, "means": "Mn and Mw"}
"""What inputs are called as blocks; others by their name."""
ALL_TARGETS = "all targets"
"""Target of what is true of all of them together."""
PIECES = 8
POPULATED = 0.01
"""A node counts as populated where the mean curve has this share of its maximum."""


def blocks(columns: Sequence[str], observations: Observations, pieces: int = PIECES) -> dict[str, list[str]]:
    """Cut the columns of a model into blocks that hold each column once, errors excepted.

    The curve is cut into stretches of the same number of nodes over the range where the mean curve is populated; what
    lies beyond joins the first and the last stretch.

    Args:
        columns: Those that the model was fitted on.
        observations: Say where curves are populated.
        pieces: Stretches of the curve; fewer if it is narrower than that.

    Returns:
        The scalars and values of the recipe by their name, then the stretches by their range of log10(M / g/mol).
    """
    curve = [name for name in columns if name in MMD]
    errors = errors_of(observations.system)  # told of what is given; they tell nothing themselves
    single = {name: [name] for name in columns if name not in MMD and name not in errors}
    if not curve:
        return single
    ends = _ends(observations.mmd, pieces)
    stretches = {}
    for first, last in pairwise(ends):
        stretches[_range(first, last, len(curve))] = curve[first:last]
    return single | stretches


def _ends(curves: Tensor, pieces: int) -> list[int]:
    """Bounds of the stretches of curves (N, 100): where each begins, and the end of the last."""
    mean = curves.nanmean(0)
    populated = (mean >= POPULATED * mean.max()).nonzero()[:, 0].tolist()
    low, high = (populated[0], populated[-1] + 1) if populated else (0, len(mean))
    inner = torch.linspace(low, high, pieces + 1).round().int().tolist()[1:-1]
    return sorted({0, *inner, len(mean)})


def _range(first: int, last: int, nodes: int) -> str:
    if (first, last) == (0, nodes):
        return "log M, any"
    if first == 0:
        return f"log M < {BIN_EDGES[last]:.2f}"
    if last == nodes:
        return f"log M > {BIN_EDGES[first]:.2f}"
    return f"log M {BIN_EDGES[first]:.2f}–{BIN_EDGES[last]:.2f}"


def with_whole_curve(cut: Blocks) -> dict[str, list[str]]:
    """Add the curve as a whole to the blocks."""
    curve = [column for columns in cut.values() for column in columns if column in MMD]
    return {**{name: list(columns) for name, columns in cut.items()}, **({WHOLE_CURVE: curve} if curve else {})}


@one_thread()
def permutation_importance(
    model: InverseModel,
    observations: Observations,
    y: Tensor,
    cut: Blocks | None = None,
    *,
    repeats: int = 5,
    seed: int = 0,
    bounded: bool = True,
) -> pd.DataFrame:
    """Permutation importance: drop of R² when a block is shuffled among the rows [Breiman 2001].

    A drop of zero is that of a block the model ignores. If a model rests on one block alone and its answers scatter as
    they should, R² drops by twice its value: shuffled, it is as wrong as it was right. Correlated blocks share their
    importance, see the module.

    Args:
        model: Any. A conditional one may be given observations with missing inputs.
        observations: N. Rows that lack a block keep their gap, the others swap it; a block that no row has is left
            out, and so is a value of the recipe that is given: it is not asked for.
        y: True recipes (N, V).
        cut: Blocks to shuffle; by default `blocks` and the curve as a whole.
        repeats: Shuffles of each block, two or more.
        seed: Of the shuffles.
        bounded: Move answers beyond the true values of these rows to the nearest of them, before and after. A network
            answers a shuffled observation from far outside the recipe box (R² drops by 35 for residual monomer and
            time), which drowns what is to be compared; a forest cannot leave it anyway.

    Returns:
        ``block``, ``target``, ``drop`` in R², and ``spread``, its standard deviation over the repeats. NaN for a target
        that is the same in all rows.

    Raises:
        InputError: Fewer than two repeats.
    """
    if repeats < 2:
        raise InputError(f"repeats is {repeats}; needs two or more for a spread")
    cut = with_whole_curve(blocks(model.columns, observations)) if cut is None else cut
    generator = torch.Generator().manual_seed(seed)
    true, x = _asked(model, observations, y), observations.x(model.columns)

    def r2_of(x: Tensor) -> Tensor:
        predicted = model.predict(x)
        return r2(true, predicted.clamp(y.amin(0), y.amax(0)) if bounded else predicted)

    unspoilt, lines = r2_of(x), []
    for name, columns in cut.items():
        places = [model.columns.index(column) for column in columns]
        rows = (~x[:, places].isnan().any(1)).nonzero()[:, 0]
        if len(rows):
            shuffled = (_shuffled(x, places, rows, generator) for _ in range(repeats))
            drops = torch.stack([unspoilt - r2_of(each) for each in shuffled])
            lines += _lines(name, model.system.targets, drops.mean(0), drops.std(0), true)
    return pd.DataFrame(lines, columns=["block", "target", "drop", "spread"])


@one_thread()
def missing_importance(model: InverseModel, observations: Observations, y: Tensor) -> pd.DataFrame:
    """Drop of R² when an input is missing: its value beside the others.

    Args:
        model: A conditional one.
        observations: N; inputs that no row has are left out, and so are those without which a row would show no
            polymer.
        y: True recipes (N, V).

    Returns:
        ``block`` (an input of `polyinv.data.patterns`), ``target``, ``drop`` in R², and ``spread``, its standard
        deviation over the members (NaN for a single one).

    Raises:
        InputError: The model is not conditional.
    """
    if not model.conditional:
        raise InputError(f"{model.name} was not fitted on the features 'conditional': it needs all of its inputs")
    true = _asked(model, observations, y)
    whole, lines = model.predict_members(observations.x(model.columns)), []
    showing = [list(model.system.inputs).index(name) for name in SHOWING]
    for at, name in enumerate(model.system.inputs):
        without = observations.forgetting([name])
        if observations.present[:, at].any() and without.present[:, showing].any(1).all():
            less = model.predict_members(without.x(model.columns))
            drop = r2(true, whole.mean(0)) - r2(true, less.mean(0))
            of_members = r2(true, whole) - r2(true, less)
            spread = of_members.std(0) if len(whole) > 1 else torch.full_like(drop, torch.nan)
            lines += _lines(MISSING.get(name, name), model.system.targets, drop, spread, true)
    return pd.DataFrame(lines, columns=["block", "target", "drop", "spread"])


class Impurity(Protocol):
    """A model that knows what its splits bring, as a forest does."""

    def impurity_importance(self) -> pd.Series: ...


def impurity_importance(model: Impurity, cut: Blocks) -> pd.DataFrame:
    """Impurity importance: share of the decrease in variance by splits on a block, as the study quotes it.

    It counts what the trees did on their training rows, is one number for all targets, and favours columns with many
    distinct values; a permutation on rows never seen has none of these faults.

    Args:
        model: A forest.
        cut: Blocks to sum over; over `blocks`, which hold each column once, the shares sum to one.

    Returns:
        ``block``, ``target`` (``all targets``) and ``share``.
    """
    of_columns = model.impurity_importance()
    lines = [(name, ALL_TARGETS, float(of_columns[list(columns)].sum())) for name, columns in cut.items()]
    return pd.DataFrame(lines, columns=["block", "target", "share"])


def importance_table(importance: pd.DataFrame, value: str = "drop") -> pd.DataFrame:
    """Format importance: a line for each block, a column for each target, value ± spread as text.

    Example:
        >>> lines = [("Mn", "temp", 0.5, 0.01), ("Mn", "time", 0.25, 0.02)]
        >>> importance_table(pd.DataFrame(lines, columns=["block", "target", "drop", "spread"]))
          block           temp           time
        0    Mn  0.500 ± 0.010  0.250 ± 0.020
    """
    spread = importance["spread"] if "spread" in importance else pd.Series(float("nan"), importance.index)
    rounded = importance[value].round(3) + 0.0  # no minus before a zero
    cells = rounded.map("{:.3f}".format) + spread.map(lambda of: "" if pd.isna(of) else f" ± {of:.3f}")
    wide = importance.assign(cell=cells).pivot(index="block", columns="target", values="cell")
    wide = wide.reindex(index=importance["block"].unique(), columns=importance["target"].unique())
    return wide.rename_axis(columns=None).reset_index()


def _asked(model: InverseModel, observations: Observations, y: Tensor) -> Tensor:
    """Recipes (N, V) with NaN where a model is given the value: it hands it back, and is not evaluated on it."""
    takes = torch.tensor([name in model.columns for name in model.system.targets])
    return y.masked_fill(takes & ~observations.recipe.isnan(), torch.nan)


def _shuffled(x: Tensor, places: list[int], rows: Tensor, generator: torch.Generator) -> Tensor:
    """Shuffle a block among some rows of observations."""
    shuffled, columns = x.clone(), torch.tensor(places)
    other = rows[torch.randperm(len(rows), generator=generator)]
    shuffled[rows[:, None], columns] = x[other[:, None], columns]
    return shuffled


def _lines(
    name: str, targets: Sequence[str], drop: Tensor, spread: Tensor, true: Tensor
) -> list[tuple[str, str, float, float]]:
    asked = (~true.isnan()).any(0).tolist()
    return [(name, target, drop[at].item(), spread[at].item()) for at, target in enumerate(targets) if asked[at]]
