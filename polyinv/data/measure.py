"""Measurement of simulated polymers, as observations of a laboratory whose errors are known."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from polyinv.data.features import errors_of
from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.instrument.errors import SUFFIX, MeasurementErrors, measurement_errors
from polyinv.instrument.measure import observe
from polyinv.mmd import STEP


def measure(
    observations: Observations, errors: MeasurementErrors | Mapping[str, Any] | str = "ordinary", seed: int = 0
) -> Observations:
    """Measure polymers that are known exactly, with the errors of a laboratory; these are stated in the result.

    Args:
        observations: B simulated polymers, whole: recipe, residual monomer, Mn, Mw and curve.
        errors: Of the laboratory, as `polyinv.instrument.errors.measurement_errors` takes them.
        seed: Of the random numbers.

    Raises:
        InputError: Something is missing, or the errors cannot be.

    Example:
        >>> from polyinv.data.bundled import load_bundled
        >>> exact = Observations.from_table(load_bundled("off_grid").head(2))
        >>> measure(exact, {"temperature": 2.0}).errors["temp"]
        tensor([2., 2.], dtype=torch.float64)
    """
    level = errors if isinstance(errors, MeasurementErrors) else measurement_errors(errors)
    system = observations.system
    missing = observations.recipe.isnan().any() | observations.scalars.isnan().any() | observations.mmd.isnan().any()
    if missing:
        raise InputError("only what is known whole can be measured: recipe, residual monomer, Mn, Mw and curve")
    generator = torch.Generator(observations.recipe.device).manual_seed(seed)
    curve = observations.mmd / (observations.mmd.sum(-1, keepdim=True) * STEP)
    found = observe(
        observations.recipe,
        observations.residual_monomer,
        curve,
        level,
        generator,
        quantities=system.recipe,
        residual_name=system.residual,
        means=(observations.Mn, observations.Mw),
    )
    stated = {column.removesuffix(SUFFIX): found.errors[column] for column in errors_of(system)}
    return replace(
        observations,
        recipe=found.recipe,
        residual_monomer=found.residual,
        Mn=found.Mn,
        Mw=found.Mw,
        mmd=found.mmd,
        errors=stated,
        assumed=level,
    )
