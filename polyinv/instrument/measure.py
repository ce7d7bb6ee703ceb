"""Measurement of polymers: true values become what a laboratory with errors writes down."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import torch
from torch import Tensor

from polyinv.instrument.curve import (
    add_baseline,
    add_noise,
    broaden,
    cut_ends,
    ends_at,
    mean_molar_masses,
    miscalibrate,
    unit_area,
)
from polyinv.instrument.errors import LEAST, MEANS, OF_CONVERSION, OF_CURVE, OF_UNIT, SUFFIX, MeasurementErrors
from polyinv.quantities import N_NODES, Quantity

SMALLEST = 1e-6
"""Share of a true value that a measured one is not below: no laboratory writes down a negative time."""

AT_ONCE = 2**18
"""Bytes of curves that a CPU works on at once: with more, half of its time goes into asking for memory."""

Magnitudes = Mapping[str, Tensor]
"""Errors of each row, (B,), by the names of `MeasurementErrors`."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What a laboratory writes down of B polymers.

    Args:
        recipe: Values of the recipe, (B, K).
        residual: Residual monomer, (B,).
        Mn, Mw: Mean molar masses in g/mol, (B,) each.
        mmd: Curves of unit area, (B, 100); zero beyond the ends.
        errors: What is stated of the errors, (B,) each, by the columns of
            `polyinv.instrument.errors.error_columns`. An error that is relative is stated as that share of the
            measured value, so that it does not give the true one away.
    """

    recipe: Tensor
    residual: Tensor
    Mn: Tensor
    Mw: Tensor
    mmd: Tensor
    errors: dict[str, Tensor]


@dataclass(frozen=True)
class Draws:
    """Standard normal numbers that measurements of B polymers take.

    Args:
        recipe: For each value of the recipe, (B, K).
        others: For residual monomer (2), offset, slope, ends of the baseline, Mn and Mw, (B, 8).
        detector: For each node of the curve, (B, 100).
    """

    recipe: Tensor
    others: Tensor
    detector: Tensor

    @classmethod
    def of(cls, count: int, values: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> "Draws":
        """Draw those of that many polymers with so many values of the recipe."""
        numbers = torch.randn(count, values + 8 + N_NODES, generator=generator, device=generator.device).to(dtype)
        return cls(*numbers.split([values, 8, N_NODES], dim=1))

    def repeated(self, times: int) -> "Draws":
        """The same numbers for each of that many groups of B polymers, group by group."""
        return Draws(*(part.repeat(times, 1) for part in (self.recipe, self.others, self.detector)))


def draw_errors(
    low: MeasurementErrors,
    high: MeasurementErrors,
    count: int,
    generator: torch.Generator,
    *,
    smallest: float = 0.0,
    alike: float = 0.0,
    skew: float = 1.0,
) -> dict[str, Tensor]:
    """Draw the errors of that many rows, each log-uniformly between two numbers, (count,) float64.

    Drawn each on its own, hardly a row has nothing but small errors, and none has nothing but large ones.

    Args:
        low: Lower ends; where one is below that of ``LEAST``, this is taken.
        high: Upper ends; a zero stays zero.
        count: Rows.
        generator: Of the random numbers; its device is that of the result.
        smallest: Share of rows all of whose errors are at their lower end.
        alike: Share of rows all of whose errors are at the same place between their ends.
        skew: Exponent of the uniform number that places an error between the logarithms of its ends; below one, more
            are large than log-uniformly.
    """
    ends = [
        [min(max(first, LEAST[each.name]), last), last] if last > 0 else [0.0, 0.0]
        for each, first, last in zip(fields(low), astuple(low), astuple(high), strict=True)
    ]
    start, end = torch.tensor(ends, dtype=torch.float64, device=generator.device).clamp(min=1e-300).log().T[:, :, None]
    share = torch.rand(len(ends), count, generator=generator, dtype=torch.float64, device=generator.device)
    share = share**skew
    if smallest or alike:
        kind = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
        share = share.where(kind >= smallest + alike, share[0]) * (kind >= smallest)
    drawn = torch.exp(start + (end - start) * share)
    return {each.name: drawn[at] * (ends[at][1] > 0) for at, each in enumerate(fields(low))}


def observe(
    recipe: Tensor,
    residual: Tensor,
    mmd: Tensor,
    errors: MeasurementErrors | Magnitudes,
    draws: Draws | torch.Generator,
    *,
    quantities: Sequence[Quantity],
    residual_name: str,
    means: tuple[Tensor, Tensor] | None = None,
    stated: Magnitudes | None = None,
) -> Measured:
    """Measure B polymers with errors; the random numbers alone make two calls differ.

    Args:
        recipe: True values of the recipe, (B, K), the monomer first.
        residual: True residual monomer, (B,), in the unit of the monomer.
        mmd: True curves, (B, 100).
        errors: The same for all rows, or those that `draw_errors` drew.
        draws: The random numbers, or what they are drawn by, on the device of the values.
        quantities: What the K values of the recipe are.
        residual_name: Column of the residual monomer.
        means: True Mn and Mw, (B,) each, where they are known better than the bins of the curve tell them, which blur
            them by half a per cent; an SEC program has finer slices.
        stated: Errors that are written down, where they are not those that are made.
    """
    sd = _of_rows(errors, residual)
    told = sd if stated is None else _of_rows(stated, residual)
    if isinstance(draws, torch.Generator):
        draws = Draws.of(len(recipe), recipe.shape[1], draws, recipe.dtype)
    of_residual, of_curve, of_means = draws.others.split([2, 4, 2], dim=1)
    known, columns = _recipe(recipe, sd, told, draws.recipe, quantities)
    left = residual + sd["conversion"] * recipe[:, 0] * of_residual[:, 0]
    left = left.maximum(SMALLEST * residual) * torch.exp(sd["residual"] * of_residual[:, 1])
    w = _curves(mmd, sd, of_curve, draws.detector)
    of_curves = mean_molar_masses(w)
    if means is not None:
        blurred = mean_molar_masses(mmd)
        of_curves = of_curves[0] * means[0] / blurred[0], of_curves[1] * means[1] / blurred[1]
    Mn, Mw = (mean * torch.exp(sd["molar_mass"] * of_means[:, at]) for at, mean in enumerate(of_curves))
    Mw = Mw.maximum(Mn)
    columns |= {residual_name + SUFFIX: told["residual"] * left}
    columns |= {name + SUFFIX: told["molar_mass"] * mean for name, mean in zip(MEANS, (Mn, Mw), strict=True)}
    columns |= {OF_CONVERSION: told["conversion"]} | {column: told[name] for name, column in OF_CURVE.items()}
    return Measured(known, left, Mn, Mw, w, columns)


def _of_rows(errors: MeasurementErrors | Magnitudes, like: Tensor) -> dict[str, Tensor]:
    if isinstance(errors, MeasurementErrors):
        return {each.name: like.new_tensor(getattr(errors, each.name)).expand(len(like)) for each in fields(errors)}
    return {name: value.to(like) for name, value in errors.items()}


def _recipe(
    recipe: Tensor, sd: Magnitudes, told: Magnitudes, normal: Tensor, quantities: Sequence[Quantity]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Measured values of the recipe (B, K), and the standard deviation that is stated of each, (B,)."""
    of_value, told_of_value = (
        torch.stack([errors[OF_UNIT[quantity.unit]] for quantity in quantities], dim=1) for errors in (sd, told)
    )
    relative = torch.tensor([quantity.unit == "mol/L" for quantity in quantities], device=recipe.device)
    above = recipe.new_tensor([quantity.above for quantity in quantities])
    error = of_value * normal
    values = torch.where(relative, recipe * torch.exp(error * relative), recipe + error)
    values = values.maximum(above + SMALLEST * (recipe - above))
    stated = torch.where(relative, told_of_value * values, told_of_value).unbind(1)
    return values, {quantity.name + SUFFIX: each for quantity, each in zip(quantities, stated, strict=True)}


def _curves(mmd: Tensor, sd: Magnitudes, normal: Tensor, detector: Tensor) -> Tensor:
    """Curves (B, 100) as they are exported: between their ends, not negative, of unit area."""
    size = AT_ONCE // (N_NODES * mmd.element_size()) if mmd.device.type == "cpu" else max(1, len(mmd))
    given = torch.stack([sd[name] for name in OF_CURVE], dim=1), normal, detector, mmd
    parts = zip(*(each.split(size) for each in given), strict=True)
    return torch.cat([_curve(w, dict(zip(OF_CURVE, of.unbind(1), strict=True)), z, noise) for of, z, noise, w in parts])


def _curve(mmd: Tensor, sd: Magnitudes, normal: Tensor, detector: Tensor) -> Tensor:
    offset = sd["offset"] * normal[:, 0] / math.log(10)
    w = miscalibrate(broaden(mmd, sd["broadening"]), offset, sd["slope"] * normal[:, 1])
    low, high = ends_at(w, sd["cut_low"], sd["cut_high"])  # as a person sets them, who sees through the noise
    w = add_baseline(w, sd["drift"] * normal[:, 2], sd["drift"] * normal[:, 3])
    w = add_noise(w, detector, sd["noise"])
    w = cut_ends(w, low.maximum(torch.log10(sd["lower_limit"])), high).clamp(min=0)
    return unit_area(w.where(w.amax(-1, keepdim=True) > 0, mmd))  # where errors beyond reason left nothing
