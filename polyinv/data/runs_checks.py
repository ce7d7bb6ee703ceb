"""Checks of one's own reactions: what contradicts itself, or what no reactor and no polymer can have."""

import difflib
import logging
from collections.abc import Iterable

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.doubts import computed
from polyinv.data.files.names import is_conversion
from polyinv.data.files.plus_minus import says_error
from polyinv.data.table_checks import MOST_OF_ALL, check_physical
from polyinv.errors import InputError, unknown
from polyinv.instrument.errors import LEAST, OF_CONVERSION, SUFFIX, error_columns
from polyinv.mmd import LOG_M, OLIGOMERS
from polyinv.quantities import MEANS, MMD
from polyinv.reactions import conversion

APART = 0.05
"""Difference of a conversion from that by the residual monomer beside it that is no rounding."""
FALLS = 0.1
"""Fall of the conversion from one sample of a reaction to the next that is no error of measurement."""
CLOSE = 0.75
"""How alike a name and that of a missing column are from which on it may be meant."""
NEGATIVE = 0.01
"""Share of a curve below zero that is no noise of a baseline."""

log = logging.getLogger(__name__)


def check_error_columns(names: Iterable[object], system: System, place: str) -> None:
    """Refuse the column of an error that is none: a misspelt one would be left aside without a word.

    Raises:
        InputError: Names it.
    """
    known = error_columns(system.recipe, system.residual)
    for name in map(str, names):
        if name.endswith(SUFFIX) and name not in known:
            raise InputError(f"{place}: {unknown('column of an error', name, known)}")


def say_what_is_not_used(raw: pd.DataFrame, used: set[str], system: System, place: str) -> None:
    """Say which columns are left aside; warn if one is nearly the name of a column that is missing."""
    names = [" ".join(str(name).split()) for name in raw if name not in used]
    if names:
        log.info("%s: columns not used: %s", place, ", ".join(names))
    for doubt in computed(names, system):
        log.warning("%s: %s", place, doubt)
    spare = {"run", "curve_file", "conversion", system.residual, *MEANS, *error_columns(system.recipe, system.residual)}
    missing = {name.lower(): name for name in sorted(spare - set(raw))}
    for name in names:
        if is_conversion(says_error(name) or ""):
            log.warning("%s: column %r is not used; is it meant for %r?", place, name, OF_CONVERSION)
            continue
        close = difflib.get_close_matches(name.lower(), missing, n=1, cutoff=CLOSE)
        if close:
            log.warning("%s: column %r is not used; is it meant for %r?", place, name, missing[close[0]])


def warn_of_repeats(table: pd.DataFrame, place: str) -> None:
    """Warn of rows in which recipe and all that is measured are those of a row before: they count twice."""
    twice = table.duplicated()
    if twice.any():
        row = twice.idxmax()
        first = next(other for other in table.index if table.loc[other].equals(table.loc[row].rename(other)))
        log.warning(
            "%s: row %s repeats row %s (%d such rows): all that is measured is the same, and counts again",
            place, row, first, twice.sum(),
        )  # fmt: skip


def check_numbers(numbers: pd.DataFrame, stated: pd.Series, system: System, place: str) -> None:
    """Refuse numbers that no polymer has, and two that contradict each other.

    Args:
        numbers: Recipe, residual monomer, Mn and Mw; NaN where not measured.
        stated: Conversion as a column of its own says it.
        system: What is polymerized.
        place: What the table is called in errors.

    Raises:
        InputError: The first of them.
    """
    check_physical(numbers[[*system.targets, system.residual, *MEANS]], place, system)
    least = system.chemistry.monomer_molar_mass
    for name in MEANS:
        light = numbers[name] < least
        if light.any():
            row = light.idxmax()
            raise InputError(
                f"{place}, row {row}: {name} is {numbers.loc[row, name]:g} g/mol, less than a molecule of the monomer "
                f"has ({least:.4g}); is it in kg/mol?"
            )
    by_residual = conversion(numbers, system)
    apart = (stated - by_residual).abs() > APART
    if apart.any():
        row = apart.idxmax()
        raise InputError(
            f"{place}, row {row}: the conversion is {stated[row]:g}, and by {system.residual} "
            f"{by_residual[row]:.3g}; correct one of them"
        )


def check_mean_errors(numbers: pd.DataFrame, stated: pd.DataFrame, place: str) -> None:
    """Refuse errors of Mn and Mw that no instrument has: as a rule shares in a column of g/mol.

    Raises:
        InputError: Names the first.
    """
    for name in (each for each in MEANS if each + SUFFIX in stated):
        small = stated[name + SUFFIX] < LEAST["molar_mass"] * numbers[name]
        if small.any():
            row = small.idxmax()
            raise InputError(
                f"{place}, row {row}: {name}{SUFFIX} is {stated.loc[row, name + SUFFIX]:g} g/mol, less than a "
                f"thousandth of {name}; is it a share?"
            )


def warn_of_falling(table: pd.DataFrame, keys: list[str], column: str, place: str) -> None:
    """Warn where the conversion of a reaction falls with time, which it does in no reactor.

    Args:
        table: With ``time``.
        keys: Columns that samples of one reaction share.
        column: That of the conversion.
        place: What the table is called.
    """
    for _, part in table.dropna(subset=[column]).groupby(keys, sort=False):
        in_time = part.sort_values("time", kind="stable")[column]
        fall = in_time.diff() < -FALLS
        if fall.any():
            at = int(fall.to_numpy().argmax())
            log.warning(
                "%s: the conversion falls from %.3g in row %s to %.3g in row %s, no earlier in the same reaction",
                place, in_time.iloc[at - 1], in_time.index[at - 1], in_time.iloc[at], in_time.index[at],
            )  # fmt: skip


def check_curves(curves: pd.DataFrame, place: str) -> None:
    """Refuse curves (B, 100) that are none, and say what is left out of others.

    Raises:
        InputError: One is too large for any unit, or zero where it is compared.
    """
    values, rows = curves[list(MMD)].to_numpy(), curves.index
    large = (np.abs(values) > MOST_OF_ALL).any(1)
    if large.any():
        raise InputError(f"{place}, row {rows[large.argmax()]}: its curve has values above {MOST_OF_ALL:g}")
    torn = np.isnan(values).any(1) & ~np.isnan(values).all(1)
    if torn.any():
        log.warning(
            "%s: the curve of row %s has gaps and is left out (%d such)", place, rows[torn.argmax()], torn.sum()
        )
    shown = values[:, LOG_M >= OLIGOMERS]
    above, below = shown.clip(min=0).sum(1), -shown.clip(max=0).sum(1)
    zero = above == 0
    if zero.any():
        raise InputError(
            f"{place}, row {rows[zero.argmax()]}: its curve is zero from 10³ to {10 ** LOG_M[-1]:.0e} g/mol"
        )
    negative = below > NEGATIVE * above
    if negative.any():
        row = int(negative.argmax())
        log.warning(
            "%s: %.0f %% of the curve of row %s are below zero and are taken for zero (%d such)",
            place, 100 * below[row] / above[row], rows[row], negative.sum(),
        )  # fmt: skip
