"""May this answer be believed? What the inputs cannot tell, and known values that cannot be.

Every line is a warning in words; none stops an answer.
"""

from collections.abc import Sequence

from torch import Tensor

from polyinv.data.masks import hidden
from polyinv.data.patterns import inputs_of, name_of
from polyinv.evaluation.expectations import SURE, Expectations
from polyinv.models.base import InverseModel
from polyinv.quantities import RECIPE

POOR = 0.5
"""R² below which a value of the recipe counts as not to be told."""
WORDS = {"mmd": "the MMD", "cBA_time": "residual monomer", "means": "Mn and Mw"}
"""What inputs are called in a sentence; values of the recipe by their name."""
MARGIN = 0.1
"""How far an answer may leave the box before it counts as outside, as a share of its width."""
NAMED = 5
"""Rows that a line names at most."""


def in_words(inputs: Sequence[str]) -> str:
    """Inputs as a list in a sentence.

    Example:
        >>> in_words(("mmd", "means", "temp"))
        'the MMD, Mn and Mw, temp'
    """
    return ", ".join(WORDS.get(name, name) for name in inputs)


def cannot_be_told(pattern: str, expectations: Expectations) -> list[str]:
    """A line if some value of the recipe is not to be told from a pattern of inputs, and what would help."""
    expected = expectations.of(pattern)
    poor = expected[expected["r2"] < POOR]
    if poor.empty:
        return []
    units = {quantity.name: quantity.unit for quantity in RECIPE}
    said = ", ".join(
        f"{name} (expected R² {line.r2:.2f}, typical error {line.rmse:.2g} {units[name]})"
        for name, line in poor.iterrows()
    )
    more, then = expectations.one_more(pattern)
    better = [f"{name} {then[name]:.2f}" for name in poor.index if name in then]
    helps = f"; with {in_words(more)} as well, expected R²: {', '.join(better)}" if better else ""
    if more and not better:
        helps = f"; {in_words(more)} is what to measure"
    return [f"{in_words(inputs_of(pattern))} cannot tell {said}{helps}"]


def outside_box(recipes: Tensor, given: Tensor, rows: Sequence[object]) -> list[str]:
    """A line for each value of the recipe that leaves the box in which models have learned, known or answered.

    Args:
        recipes: Known and answered values, (N, 4).
        given: Which of them are known, (N, 4).
        rows: What each row is called.
    """
    lines = []
    for quantity, column, known in zip(RECIPE, recipes.unbind(-1), given.unbind(-1), strict=True):
        learned = f"outside the range {quantity.low:g} to {quantity.high:g} {quantity.unit} that the model has learned"
        margin = MARGIN * (quantity.high - quantity.low)
        out = known & ((column < quantity.low) | (column > quantity.high))
        if out.any():
            lines.append(
                f"{_rows(out, rows)}: {quantity.name} is given as {column[out][0].item():g}, {learned}; the answers to "
                "the rest are guesses"
            )
        out = ~known & ((column < quantity.low - margin) | (column > quantity.high + margin))
        if out.any():
            lines.append(
                f"{_rows(out, rows)}: the answer for {quantity.name} is {column[out][0].item():.3g}, {learned}; what "
                "is given does not fit together, or lies outside as well"
            )
    return lines


def contradictions(
    model: InverseModel, x: Tensor, pattern: str, expectations: Expectations, rows: Sequence[object]
) -> list[str]:
    """A line for each known value of the recipe that the rest of the inputs speaks against.

    What is known is asked for as if it were not. An answer farther away than 99 % of the errors made in that pattern
    is a contradiction; of values that agree, one in a hundred is called one.

    Args:
        model: One that takes gaps.
        x: Observations (N, F) of the pattern.
        pattern: Their inputs.
        expectations: Of the model.
        rows: What each row is called.
    """
    given, lines = inputs_of(pattern), []
    for at, quantity in enumerate(RECIPE):
        if quantity.name not in given:
            continue
        without = name_of([name for name in given if name != quantity.name])
        known = x[:, model.columns.index(quantity.name)]
        inside = (known >= quantity.low) & (known <= quantity.high)  # others have a line of their own
        answer = model.predict(hidden(x, model.columns, without))[:, at]
        line = expectations.of(without).loc[quantity.name]
        against = inside & ((answer - known).abs() > line.error_99)
        if against.any():
            first = int(against.nonzero()[0])
            given_as, instead = known[first].item(), f"{answer[first].item():.3g} ± {line.rmse:.2g} {quantity.unit}"
            lines.append(
                f"{_rows(against, rows)}: {quantity.name} is given as {given_as:g}, but the answer from "
                f"{in_words(inputs_of(without))} is {instead} ({SURE:.0%} of rows that agree are within "
                f"{line.error_99:.2g}); one is wrong"
            )
    return lines


def _rows(chosen: Tensor, rows: Sequence[object]) -> str:
    names = [str(rows[at]) for at in chosen.nonzero()[:, 0].tolist()]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"row{'s' * (len(names) > 1)} {', '.join(names[:NAMED])}{more}"
