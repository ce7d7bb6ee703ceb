"""Conversion as a known value: a share or per cent of the monomer charged, which becomes the residual monomer."""

from dataclasses import replace
from typing import TYPE_CHECKING

from polyinv.data.files.plus_minus import Part
from polyinv.errors import InputError

if TYPE_CHECKING:
    from polyinv.data.observations import Observations

CONVERSION = "conversion"


def share_of(value: Part, error: Part, text: str) -> tuple[float, float | None]:
    """A conversion and its error as shares.

    Args:
        value: As it stands; larger than 1 only in per cent.
        error: Without a number, if none is stated.
        text: What the user writes, for errors.

    Raises:
        InputError: It is no share, or its error may mean two things.

    Example:
        >>> share_of(Part(40.0, percent=True), Part(2.0, percent=True), "40%±2%")
        (0.4, 0.02)
    """
    if value.value is None or value.unit or error.unit:
        raise InputError(f"{CONVERSION} is said to be {text}; needs a number from 0 to 1, or per cent, such as 40%")
    percent = value.percent or (error.percent and value.value > 1)  # 40±2%
    if error.value is not None and percent != error.percent:
        raise InputError(
            f"{CONVERSION} is said to be {text}, whose error may be a share of the conversion or of the monomer "
            "charged; write it as 40%±2% or 0.4±0.02"
        )
    share = value.value / 100 if percent else value.value
    if not 0 <= share <= 1:
        raise InputError(f"{CONVERSION} is said to be {text}; needs a number from 0 to 1, or per cent, such as 40%")
    return share, error.value / 100 if percent and error.value is not None else error.value


def with_conversion(observations: "Observations", conversion: float) -> "Observations":
    """Observations of the residual monomer that a conversion leaves of the initial one, which all rows have to have.

    Raises:
        InputError: A row has no initial monomer, or another residual one.
    """
    system, charged = observations.system, observations.recipe[:, 0]
    said, unknown = f"--known {CONVERSION}={conversion:g}", charged.isnan()
    if unknown.any():
        row = observations.labels[int(unknown.nonzero()[0])]
        raise InputError(
            f"{said} needs the initial monomer, which row {row} lacks: state {system.targets[0]} in mol/L as well, or "
            f"{system.residual}, the residual monomer in mol/L, instead"
        )
    residual = charged * (1 - conversion)
    other = (observations.residual_monomer - residual).abs() > 1e-9 * charged  # not where it is NaN
    if other.any():
        row = int(other.nonzero()[0])
        raise InputError(
            f"row {observations.labels[row]} has {system.residual} {observations.residual_monomer[row]:g}, but {said} "
            f"leaves {residual[row]:g}; leave out one"
        )
    return replace(observations, residual_monomer=residual)
