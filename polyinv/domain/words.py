"""Warnings about answers: values that the inputs cannot tell, and known values that conflict with the rest.

Every line is a warning in words; none stops an answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.features import errors_of
from polyinv.data.observations import NOTHING, Observations
from polyinv.data.patterns import inputs_of, name_of
from polyinv.domain.expectations import SURE, Expectations
from polyinv.domain.recipe_box import guessed_units, leaving_box
from polyinv.domain.typical_errors import BEYOND_95, TypicalErrors, typical_errors
from polyinv.instrument.errors import RELATIVE, SUFFIX, TRAINED
from polyinv.models.base import InverseModel
from polyinv.models.coverage import NORMAL
from polyinv.quantities import CHAINS
from polyinv.runtime.blocks import blocks

POOR = 0.5
"""R² below which a value of the recipe counts as not to be told."""
LEAST_CHAINS = 2e4
"""Chains of a sample below which models have learned from early samples of a reaction alone."""
AT_ONCE = 1024
"""Rows that a model answers at once."""
NAMED = 5
"""Rows that a line names at most."""


def in_words(inputs: Sequence[str], system: System) -> str:
    """Format inputs as a list in a sentence.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> in_words(("mmd", "means", "temp"), load_system("styrene"))
        'the MMD, Mn and Mw, temp'
    """
    words = {"mmd": "the MMD", system.residual: "residual monomer", "means": "Mn and Mw"}
    return ", ".join(words.get(name, name) for name in inputs)


@dataclass(frozen=True)
class Finding:
    """Finding about some of N rows: a line for the log, and what a cell of the answers says of each.

    Args:
        line: Names the rows; empty where another finding has said it.
        rows: Which they are, (N,).
        brief: The same without the rows.
    """

    line: str
    rows: Tensor
    brief: str


def by_row(findings: Sequence[Finding], count: int) -> list[str]:
    """What findings say of each of N rows, one after the other.

    Example:
        >>> rows = torch.tensor([True, False])
        >>> by_row([Finding("row 1: far off", rows, "far off"), Finding("all: odd", rows | True, "odd")], 2)
        ['far off; odd', 'odd']
    """
    said = [[each.brief for each in findings if bool(each.rows[row])] for row in range(count)]
    return ["; ".join(each) for each in said]


def cannot_be_told(
    pattern: str, expectations: Expectations, observations: Observations, errors: TypicalErrors
) -> list[Finding]:
    """Warn of values of the recipe that a pattern of inputs cannot tell, in which rows, and say what would help.

    A value is told where its expected error leaves half of the variance that it has in the box.
    """
    system, given = expectations.model.system, inputs_of(pattern, expectations.model.system)
    poor = errors.r2 < POOR  # of what is given there is none
    names = [name for name, any_row in zip(system.targets, poor.any(0).tolist(), strict=True) if any_row]
    if not names:
        return []
    at = [system.targets.index(name) for name in names]
    middle = [(errors.r2[poor[:, k], k].median().item(), errors.rmse[poor[:, k], k].median().item()) for k in at]
    said = ", ".join(
        f"{name} (expected R² {r2:.2f}, typical error {rmse:.2g} {system.recipe[k].unit})"
        for name, k, (r2, rmse) in zip(names, at, middle, strict=True)
    )
    more, then = expectations.one_more(pattern, names, observations)
    better = ", ".join(f"{name} {then[name]:.2f}" for name in names if name in then)
    helps = f"; with {in_words(more, system)} as well, expected R²: {better}" if better else ""
    rows = poor.any(1)
    which = "" if rows.all() else f"{_rows(rows, observations.labels)}: "
    line = f"{which}{in_words(given, system)} cannot tell {said}{helps}"
    return [Finding(line if first else "", rows_of, brief) for first, (rows_of, brief) in _briefs(poor, system.targets)]


def _briefs(poor: Tensor, targets: Sequence[str]) -> Iterator[tuple[bool, tuple[Tensor, str]]]:
    """What cells say of the rows with the same values that cannot be told."""
    for number, kind in enumerate(poor[poor.any(1)].unique(dim=0)):
        named = ", ".join(name for name, bad in zip(targets, kind.tolist(), strict=True) if bad)
        yield number == 0, ((poor == kind).all(1), f"{named} cannot be told")


def beyond_training(model: InverseModel, observations: Observations, sharpened: Tensor | None = None) -> list[Finding]:
    """Warn of errors that are larger than those that a model has learned with.

    Args:
        model: Any.
        observations: N of them.
        sharpened: Which of their answers are corrected by simulating them, (N,); None of a model that cannot.
    """
    if not model.takes_errors:
        return []
    found, errors = [], observations.error_columns()

    def then(rows: Tensor) -> str:
        if sharpened is not None and sharpened[rows].all():
            return "the answers are sharpened, which corrects that"
        more = "" if sharpened is None else ", --sharpen corrects them"
        return f"the answers are more certain than they should be{more}"

    if CHAINS in model.columns and (few := observations.chains < LEAST_CHAINS).any():
        row = int(few.nonzero()[0])
        line = (
            f"{_rows(few, observations.labels)}: chains {observations.chains[row].item():g} are fewer than the "
            f"{LEAST_CHAINS:g} from which on models have learned; {then(few)}"
        )
        found.append(Finding(line, few, "chains are fewer than any learned from"))
    for column, name in errors_of(model.system).items():
        scale = torch.ones_like(observations.Mn)
        if name in RELATIVE:
            of = column.removesuffix(SUFFIX)
            scale = observations.x([of])[:, 0]
        learned = (getattr(TRAINED, name) * scale).clamp(min=NOTHING)
        large = errors[column] > learned * (1 + 1e-9)
        if large.any():
            row = int(large.nonzero()[0])
            most = learned[row].item()
            line = (
                f"{_rows(large, observations.labels)}: {column} {errors[column][row].item():.3g} is larger than "
                f"{most:.3g}, up to which models have learned; {then(large)}"
            )
            found.append(Finding(line, large, f"{column} is larger than any learned from"))
    return found


def outside_box(recipes: Tensor, observations: Observations) -> list[Finding]:
    """Warn of each value of the recipe, known or answered, that leaves the box in which models have learned.

    An answer beside a known value outside is a guess anyway, of which nothing more is said.

    Args:
        recipes: Known and answered values, (N, V).
        observations: Which of them are known, and what each row is called.
    """
    given, rows = ~observations.recipe.isnan(), observations.labels
    system = observations.system
    found, leaving = [], leaving_box(recipes, observations)
    guesses = (leaving & given).any(-1)
    for at, quantity in enumerate(system.recipe):
        learned = f"outside the range {quantity.low:g} to {quantity.high:g} {quantity.unit} that the model has learned"
        out = leaving[:, at] & given[:, at]
        if out.any():
            unit = guessed_units(quantity, recipes[out, at])[0]
            line = (
                f"{_rows(out, rows)}: {quantity.name} is given as {_first(out, recipes[:, at], rows, 'g')}{unit}, "
                f"{learned}; the answers to the rest are guesses"
            )
            found.append(Finding(line, out, f"{quantity.name} is given outside the range"))
        out = leaving[:, at] & ~given[:, at] & ~guesses
        if out.any():
            line = (
                f"{_rows(out, rows)}: the answer for {quantity.name} is {_first(out, recipes[:, at], rows, '.3g')}, "
                f"{learned}; what is given does not fit together, or lies outside as well"
            )
            found.append(Finding(line, out, f"the answer for {quantity.name} lies outside the range"))
    return found


def impossible(recipes: Tensor, observations: Observations) -> list[Finding]:
    """Warn of answers that no reactor can have: concentrations or times of zero or less, or what is no number."""
    system, found = observations.system, []
    for at, quantity in enumerate(system.recipe):
        bad = ~(recipes[:, at] > quantity.above) | recipes[:, at].isinf()
        if bad.any():
            said = f"{quantity.name} is {_first(bad, recipes[:, at], observations.labels, '.3g')} {quantity.unit}"
            line = f"{_rows(bad, observations.labels)}: the answer for {said}, which no reactor has; left empty"
            found.append(Finding(line, bad, f"no possible answer for {quantity.name}"))
    return found


def conflicts(
    model: InverseModel, observations: Observations, pattern: str, name: str, expectations: Expectations
) -> tuple[Tensor, Tensor, TypicalErrors]:
    """Whether a known value of the recipe conflicts with the other inputs of a pattern.

    What is known is asked for as if it were not. An answer farther away than 99 % of such errors, its own and that of
    the value, is a contradiction; of values that agree, one in a hundred is called one. Rows with a known value outside
    the box have none.

    Args:
        model: A conditional one.
        observations: N of them, with the inputs of the pattern at least.
        pattern: The inputs that count.
        name: The known value.
        expectations: Of the model.

    Returns:
        Whether they do (N,), what they say instead (N,), and the errors of such answers.
    """
    system = model.system
    at = system.targets.index(name)
    without = name_of([other for other in inputs_of(pattern, system) if other != name], system)
    recipes = observations.recipe
    known = recipes[:, at]
    parts = blocks(len(observations), AT_ONCE, "checking known values")
    masked = (observations[rows].masked(without) for rows in parts)
    answer = torch.cat([model.predict(part.x(model.columns))[:, at] for part in masked])
    errors = typical_errors(model, observations, without, expectations)
    largest = errors.largest[:, at]
    if model.tells_errors:
        stated = BEYOND_95 * NORMAL[1] * observations.error_columns()[name + SUFFIX]
        largest = (largest.square() + stated.square()).sqrt()
    inside = ~leaving_box(recipes, observations).any(-1)
    return inside & ((answer - known).abs() > largest), answer, errors


def contradictions(
    model: InverseModel, observations: Observations, pattern: str, expectations: Expectations
) -> list[Finding]:
    """Warn of each known value of the recipe that conflicts with the rest of the inputs, see `conflicts`."""
    system, rows, found = model.system, observations.labels, []
    given = inputs_of(pattern, system)
    for at, quantity in enumerate(system.recipe):
        if quantity.name not in given:
            continue
        against, answer, errors = conflicts(model, observations, pattern, quantity.name, expectations)
        if against.any():
            first = int(against.nonzero()[0])
            known = _first(against, observations.recipe[:, at], rows, "g")
            rest = in_words([name for name in given if name != quantity.name], system)
            rmse, largest = errors.rmse[first, at].item(), errors.largest[first, at].item()
            line = (
                f"{_rows(against, rows)}: {quantity.name} is given as {known}, but the answer from {rest} is "
                f"{answer[first].item():.3g} ± {rmse:.2g} {quantity.unit} ({SURE:.0%} of rows that agree "
                f"are within {largest:.2g}); one is wrong"
            )
            found.append(Finding(line, against, f"{quantity.name} conflicts with the rest"))
    return found


def assessments_in_words(assessments: pd.DataFrame) -> list[str]:
    """Warn of the rows at the edge of the applicability domain and of those outside.

    Args:
        assessments: Of `polyinv.domain.assessment.assess`, indexed by what each row is called.
    """
    lines = []
    for grade, said in {"edge": "at the edge of", "outside": "outside"}.items():
        chosen = assessments["applicability"] == grade
        if chosen.any():
            worst = assessments[chosen].sort_values("distance").iloc[-1]
            alarms = worst["false_alarms"]
            share = "" if pd.isna(alarms) else f"; more than 1 have {alarms:.0%} of polymers from inside"
            distance = f" (distance {worst['distance']:.3g}{share})" if worst["distance"] > 1 else ""
            lines.append(
                f"{_rows(torch.tensor(chosen.tolist()), list(assessments.index))}: {said} what models have learned, by "
                f"{worst['reason']}{distance}"
            )
    return lines


def _first(chosen: Tensor, values: Tensor, rows: Sequence[object], form: str) -> str:
    """The value of the first chosen row, and which that is where there are several."""
    at = chosen.nonzero()[:, 0].tolist()
    return f"{values[at[0]].item():{form}}" + (f" (row {rows[at[0]]})" if len(at) > 1 else "")


def _rows(chosen: Tensor, rows: Sequence[object]) -> str:
    names = [str(rows[at]) for at in chosen.nonzero()[:, 0].tolist()]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"row{'s' * (len(names) > 1)} {', '.join(names[:NAMED])}{more}"
