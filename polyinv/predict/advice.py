"""What the data of a polymer leave open, and what to measure next to know more.

The expected narrowing of an unknown value by a further measurement is the width of its interval now, over the mean of
its widths then: for each of some recipes that fit, what the measurement would show is simulated, and the posterior is
asked again [expected posterior width, Chaloner and Verdinelli, *Stat. Sci.* 10 (1995) 273].
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pandas as pd

from polyinv.errors import InputError
from polyinv.predict.fits import INTERVAL, SEED, Fits, significant
from polyinv.quantities import MEANS, Quantity

if TYPE_CHECKING:
    from torch import Tensor

    from polyinv.data.observations import Observations
    from polyinv.models.distribution import RecipePosterior

TRIED = 64
"""Recipes that fit whose next measurement is simulated."""
SECOND = 400
"""Recipes that fit which a second sample is judged by."""
LATER = 2.0
"""Times of the first sample that a second one is taken at; half of it where that lies beyond the box."""
BETTER_SEC = 0.5
"""Errors of a better instrument, as a share of those of this one."""
DIGITS = 3
"""Significant ones of a narrowing."""
WIDE, WORTH = 0.25, 2.0
"""Share of the box from which on an interval is called open, and narrowing from which on advice is worth a sentence."""


def advice(found: Fits, share: float = INTERVAL) -> pd.DataFrame:
    """Expected narrowing of the interval of each unknown value by each further measurement of one polymer.

    Args:
        found: Recipes that fit a single observation.
        share: Of the recipes that an interval holds.

    Returns:
        A line for each measurement: what it is, then for each unknown value how many times narrower its interval
        becomes, most helpful first; NaN of the value itself.

    Raises:
        InputError: There are several observations.
    """
    if len(found.observations) != 1:
        raise InputError(f"--advise is for one polymer, not {len(found.observations)}; --sample takes one of a file")
    now = _widths(found.posterior, share)[0]
    lines = {name: now / then for name, then in _further(found, share)}
    open_ = [name for name, width in zip(found.system.targets, now.tolist(), strict=True) if width > 0]
    at = [found.system.targets.index(name) for name in open_]
    table = pd.DataFrame([[name, *each[at].tolist()] for name, each in lines.items()], columns=["measure", *open_])
    best = table[open_].max(axis=1).sort_values(ascending=False, kind="stable").index
    numbers = significant(table.loc[best, open_], DIGITS)
    return table.loc[best, ["measure"]].join(numbers).reset_index(drop=True)


def _further(found: Fits, share: float) -> "Iterator[tuple[str, Tensor]]":
    """Each further measurement, and the mean widths (V,) of the intervals that it would leave."""
    import torch

    observation, system = found.observations, found.system
    recipes = found.samples(TRIED)[:, 0]
    many = observation[[0] * len(recipes)]
    for at, quantity in enumerate(system.recipe):
        if bool(observation.recipe[0, at].isnan()):
            known = many.recipe.clone()
            known[:, at] = recipes[:, at]
            told = replace(many, recipe=known)
            then = _mean_widths(found, told, share)
            then[at] = torch.nan  # of what is told nothing is left to say
            yield _with_error(told, quantity), then
    polymers = _simulated(many, recipes)
    if bool(observation.residual_monomer.isnan()):
        shown = replace(many, residual_monomer=polymers.residual_monomer)
        yield "residual monomer", _mean_widths(found, shown, share)
    if bool(observation.mmd.isnan().any()):
        yield "the whole curve", _mean_widths(found, replace(many, mmd=polymers.mmd), share)
    elif not observation.has_exact_curves:
        better = _simulated(many, recipes, BETTER_SEC)
        means = {name: getattr(better, name).where(~getattr(many, name).isnan(), torch.nan) for name in MEANS}
        shown = replace(many, mmd=better.mmd, errors=better.errors, **means)
        yield "an SEC with half of the errors", _mean_widths(found, shown, share)
    yield _second_sample(found, share)


def _with_error(told: "Observations", quantity: Quantity) -> str:
    """The measurement of a value, with the error that is assumed of it."""
    from polyinv.data.observations import EXACT
    from polyinv.data.recipe_stated import least_errors
    from polyinv.instrument.errors import SUFFIX

    at = told.system.targets.index(quantity.name)
    (least, relative), sd = (
        (part[at] for part in least_errors(told.system)),
        told.error_columns()[quantity.name + SUFFIX],
    )
    size = (sd / told.recipe[:, at] if relative else sd).median()
    if size <= EXACT * least:
        return quantity.name
    return (
        f"{quantity.name} ± {100 * size.item():.2g} %" if relative else f"{quantity.name} ± {size:.2g} {quantity.unit}"
    )


def _mean_widths(found: Fits, observations: "Observations", share: float) -> "Tensor":
    return _widths(found.model.posterior(observations), share).mean(0)


def _widths(posterior: "RecipePosterior", share: float) -> "Tensor":
    """Widths (B, V) of the intervals of the marginals; zero of what is known exactly."""
    return posterior.quantiles([(1 - share) / 2, (1 + share) / 2]).diff(dim=0)[0]


def _simulated(many: "Observations", recipes: "Tensor", times: float = 1.0) -> "Observations":
    """Polymers of recipes (B, V), measured with the errors of observations, those of the curve so many times."""
    from polyinv.data.measure import measure
    from polyinv.data.observations import Observations
    from polyinv.instrument.errors import OF_CURVE, MeasurementErrors
    from polyinv.simulate.observed import observe

    system = many.system
    values = observe(recipes, system.chemistry)
    residual, Mn, Mw = values[:, :3].exp().unbind(1)
    exact = Observations(
        recipe=recipes, residual_monomer=residual, Mn=Mn, Mw=Mw, mmd=values[:, 3:].clamp(min=0), system=system
    )
    errors = many.error_columns()
    known = {name: float(errors[column][0]) for name, column in OF_CURVE.items()}
    assumed = many.assumed or MeasurementErrors(**{each.name: 0.0 for each in fields(MeasurementErrors)})
    scaled = {name: known[name] * (1.0 if name in ("broadening", "lower_limit") else times) for name in known}
    return measure(exact, replace(assumed, **scaled, molar_mass=assumed.molar_mass * times), SEED)


def _second_sample(found: Fits, share: float) -> "tuple[str, Tensor]":
    """A second sample of the same reaction, at another time that is known, with a curve and residual monomer.

    Recipes that fit the first sample are weighted by the posterior of the second one, at twice or half of their time.
    """
    import torch

    observation, system = found.observations, found.system
    recipes = found.samples(SECOND)[:, 0]
    last = len(system.targets) - 1
    low, high = system.recipe[last].low, system.recipe[last].high
    middle = float(recipes[:, last].median())
    factor = LATER if middle * LATER <= high else 1 / LATER
    later = recipes.clone()
    later[:, last] = (recipes[:, last] * factor).clamp(low, high)
    tried = torch.arange(0, len(later), max(1, len(later) // TRIED))
    second = _simulated(observation[[0] * len(tried)], later[tried])
    nothing = torch.full_like(second.recipe, torch.nan)
    posterior = found.model.posterior(replace(second, recipe=nothing))
    weights = posterior.log_prob(later[:, None].expand(-1, len(tried), -1)).softmax(0)  # (S, K)
    widths = torch.stack([_weighted_widths(recipes, weight, share) for weight in weights.T]).mean(0)
    before = _weighted_widths(recipes, torch.full_like(weights[:, 0], 1 / len(recipes)), share)
    # As if the first sample were judged as all else is.
    widths = _widths(found.posterior, share)[0] * widths / before.where(before > 0, 1.0)
    when = "twice" if factor > 1 else "half"
    return f"a second sample, at {when} the time", widths.where(~found.posterior.exactly[0], 0.0)


def _weighted_widths(recipes: "Tensor", weight: "Tensor", share: float) -> "Tensor":
    """Widths (V,) of the intervals of weighted recipes (S, V)."""
    import torch

    widths = []
    for values in recipes.T:
        order = values.argsort()
        below = weight[order].cumsum(0)
        ends = torch.searchsorted(below, torch.tensor([(1 - share) / 2, (1 + share) / 2], dtype=below.dtype))
        low, high = values[order][ends.clamp(max=len(values) - 1)]
        widths.append(high - low)
    return torch.stack(widths)


def left_open(found: Fits, share: float = INTERVAL) -> str | None:
    """Say in a sentence along which line the recipes of one polymer lie that its data leave open; None if they do not.

    Raises:
        InputError: As `advice`.
    """
    import torch

    system, posterior = found.system, found.posterior
    if len(found.observations) != 1:
        raise InputError("what the data leave open is said of one polymer")
    intervals = found.intervals(share)
    now = _widths(posterior, share)[0]
    unknown = [at for at in range(len(system.targets)) if not bool(posterior.exactly[0, at])]
    span = torch.tensor([quantity.high - quantity.low for quantity in system.recipe], dtype=torch.float64)
    best: tuple[float, int, int] = (WORTH, -1, -1)
    samples = found.samples(TRIED)[:, 0]
    many = found.model.posterior(found.observations[[0] * TRIED])
    for told in unknown:
        if now[told] / span[told] < WIDE / 2:
            continue
        then = _widths(many.knowing(system.targets[told], samples[:, told]), share).mean(0)
        for other in unknown:
            narrower = (now[other] / then[other]).item() if other != told else 0.0
            if now[other] / span[other] >= WIDE and narrower > best[0]:
                best = narrower, told, other
    narrower, told, other = best
    if told < 0:
        return None
    name, quantity, line = system.targets[told], system.recipe[told], system.recipe[other]
    ends = [intervals[f"{name}_{end}"].iloc[0] for end in ("low", "high")]
    pair = found.model.posterior(found.observations[[0, 0]])
    then = pair.knowing(name, torch.tensor(ends, dtype=torch.float64)).marginal(line.name).icdf(torch.tensor(0.5))
    places = [
        f"{end:.3g} {quantity.unit} with {value:.2g} {line.unit}"
        for end, value in zip(ends, then.tolist(), strict=True)
    ]
    return (
        f"many recipes fit: {quantity.name} and {line.name} from {places[0]} to {places[1]}; tell {quantity.name} "
        f"exactly, and the interval of {line.name} shrinks {narrower:.2g} times"
    )
