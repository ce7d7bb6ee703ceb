"""Errors of a laboratory: how well each quantity of an observation is known, and the columns that state it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from polyinv.errors import InputError, unknown
from polyinv.mmd import OLIGOMERS
from polyinv.quantities import Quantity

MOST = {
    "temperature": 50.0,
    "time": 36_000.0,
    "concentration": 0.5,
    "conversion": 0.5,
    "residual": 1.0,
    "molar_mass": 1.0,
    "broadening": 0.5,
    "offset": 1.0,
    "slope": 0.5,
    "drift": 0.5,
    "noise": 0.5,
    "cut_low": 0.9,
    "cut_high": 0.9,
    "lower_limit": 1e5,
}
"""Largest value of each error: a larger one is a wrong unit, such as per cent for a share."""
LEAST = {
    "temperature": 0.01,
    "time": 0.5,
    "concentration": 1e-4,
    "conversion": 1e-4,
    "residual": 1e-4,
    "molar_mass": 1e-3,
    "broadening": 0.005,
    "offset": 1e-3,
    "slope": 1e-4,
    "drift": 1e-5,
    "noise": 1e-5,
    "cut_low": 1e-5,
    "cut_high": 1e-5,
    "lower_limit": 10.0,
}
"""What is as good as exact: where a range of errors starts from zero, they are drawn from here on."""


def _checked(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"the error {name} is {value!r}; needs a number")
    if not 0 <= value <= MOST[name]:
        raise InputError(f"the error {name} is {value:g}; needs 0 to {MOST[name]:g}")
    return float(value)


@dataclass(frozen=True)
class MeasurementErrors:
    """Errors of the measurements of one laboratory: standard deviations, unless another thing is said.

    The defaults are those of an ordinary laboratory; ``LEVELS`` has others.

    Args:
        temperature: Of the reactor, in °C.
        time: Of the reaction, in s.
        concentration: Of what was charged (monomer, initiator, further components), relative.
        conversion: Of the conversion, absolute: 0.015 is 1.5 % of the monomer charged.
        residual: Of the residual monomer, relative, in addition to that of the conversion.
        molar_mass: Of Mn and of Mw each, relative, in addition to what the curve does to both.
        broadening: Of the curve by the columns, in decades of M: no error but the standard deviation of its Gaussian.
        offset: Of the calibration: a relative error that all molar masses share.
        slope: Of the slope of the calibration, relative.
        drift: Of each end of the baseline, as a share of the peak.
        noise: Of the detector, as a share of the peak.
        cut_low: Share of the peak at which the low end of the curve is cut off: no error but a limit.
        cut_high: That of the high end.
        lower_limit: Molar mass in g/mol below which nothing is measured: no error but a limit.

    Raises:
        InputError: A value is no number, negative or too large to be meant.

    Example:
        >>> MeasurementErrors(temperature=1.0).temperature, MeasurementErrors().conversion
        (1.0, 0.015)
    """

    temperature: float = 0.5
    time: float = 15.0
    concentration: float = 0.005
    conversion: float = 0.015
    residual: float = 0.005
    molar_mass: float = 0.01
    broadening: float = 0.045
    offset: float = 0.02
    slope: float = 0.005
    drift: float = 0.001
    noise: float = 0.001
    cut_low: float = 0.005
    cut_high: float = 0.005
    lower_limit: float = 10.0**OLIGOMERS

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, _checked(each.name, getattr(self, each.name)))


LEVELS: dict[str, MeasurementErrors] = {
    "exact": MeasurementErrors(**dict.fromkeys(LEAST, 0.0)),
    "good": MeasurementErrors(
        temperature=0.1,
        time=5.0,
        concentration=0.002,
        conversion=0.005,
        residual=0.002,
        molar_mass=0.005,
        broadening=0.03,
        offset=0.01,
        slope=0.002,
        drift=5e-4,
        noise=5e-4,
        cut_low=0.002,
        cut_high=0.002,
    ),
    "ordinary": MeasurementErrors(),
    "rough": MeasurementErrors(
        temperature=2.0,
        time=60.0,
        concentration=0.02,
        conversion=0.03,
        residual=0.02,
        molar_mass=0.03,
        broadening=0.06,
        offset=0.05,
        slope=0.02,
        drift=5e-3,
        noise=5e-3,
        cut_low=0.05,
        cut_high=0.05,
    ),
}
"""Levels of errors by name. ``exact`` is a simulation: everything is measured, single monomer units included."""

ORDINARY = "ordinary"
"""Level of errors of a polymer that was measured, where nothing else is said."""
TRAINED = MeasurementErrors(
    temperature=3.0,
    time=300.0,
    concentration=0.03,
    conversion=0.04,
    residual=0.03,
    molar_mass=0.05,
    broadening=0.09,
    offset=0.1,
    slope=0.03,
    drift=0.01,
    noise=0.01,
    cut_low=0.3,
    cut_high=0.5,
    lower_limit=3000.0,
)
"""Largest errors that models which are told them are trained on; the smallest are those of ``LEAST``."""

RELATIVE = ("concentration", "residual", "molar_mass")
"""Errors that are a share of the value; a column states such an error in the unit of the value."""
OF_UNIT = {"°C": "temperature", "s": "time", "mol/L": "concentration"}
"""The error that belongs to a value of the recipe, by the unit of the value."""
SUFFIX = "_error"
"""Ends the name of a column that states the standard deviation of another column, in its unit."""
OF_CONVERSION = "conversion" + SUFFIX
"""Column of the error of the conversion, a share of the monomer charged."""
OF_CURVE = {
    name: f"sec_{name}"
    for name in ("broadening", "offset", "slope", "drift", "noise", "cut_low", "cut_high", "lower_limit")
}
"""Columns that state what the instrument does to the curve, by the name of the error."""
MEANS = ("Mn", "Mw")


def error_columns(recipe: Sequence[Quantity], residual: str) -> dict[str, str]:
    """Columns that state errors, with the name of the error in `MeasurementErrors` that each one is of.

    Args:
        recipe: Values of the recipe.
        residual: Column of the residual monomer.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> system = load_system("butyl_acrylate")
        >>> list(error_columns(system.recipe, system.residual))[:8]
        ['cBA_0_error', 'cAIBN_0_error', 'temp_error', 'time_error', 'cBA_time_error', 'Mn_error', 'Mw_error', \
'conversion_error']
    """
    values = {quantity.name: OF_UNIT[quantity.unit] for quantity in recipe}
    values |= {residual: "residual", **dict.fromkeys(MEANS, "molar_mass")}
    columns = {name + SUFFIX: error for name, error in values.items()}
    return columns | {OF_CONVERSION: "conversion"} | {column: name for name, column in OF_CURVE.items()}


def measurement_errors(given: str | Mapping[str, Any]) -> MeasurementErrors:
    """Make errors of what a configuration says: a level, or a mapping of errors that differ from those of a level.

    Args:
        given: One of ``LEVELS``; or names of `MeasurementErrors` with their values, and ``level``, ordinary if it is
            not there.

    Raises:
        InputError: An unknown level or error, or a value that cannot be.

    Example:
        >>> errors = measurement_errors({"level": "good", "temperature": 1.0})
        >>> errors.temperature, errors.broadening
        (1.0, 0.03)
    """
    values = {"level": given} if isinstance(given, str) else given
    if not isinstance(values, Mapping):
        raise InputError(f"errors are {given!r}; needs a level ({', '.join(LEVELS)}) or values by name")
    level, *others = values.get("level", "ordinary"), *(name for name in values if name != "level")
    if not isinstance(level, str) or level not in LEVELS:
        raise unknown("level of errors", level, LEVELS)
    for name in others:
        if name not in MOST:
            raise unknown("error", name, MOST)
    chosen: dict[str, Any] = {name: values[name] for name in others}
    return replace(LEVELS[level], **chosen)
