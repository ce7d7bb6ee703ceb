"""What looks odd in a table of results: units that would fit better, means of no polymer, conversions."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from polyinv.chemistry import System
from polyinv.data.files.derived import sign_in, without_signs
from polyinv.data.files.names import average_of, average_within, conversion_within, is_conversion, letters
from polyinv.data.files.numbers import Cell, is_missing, number
from polyinv.data.files.options import Options
from polyinv.data.files.plus_minus import without_error
from polyinv.data.files.tables import meaning, meaning_within
from polyinv.data.files.units import Unit, fits, likely_units, quantity_of, unit_of, units_of
from polyinv.data.stated_system import COLUMN
from polyinv.errors import InputError
from polyinv.instrument.errors import error_columns

LEAST_MASS = 1000.0
"""Mw in g/mol of a polymer; a table that has less everywhere, and no unit, is refused."""
SHORT = 100.0
"""Times in s below which another unit may be meant, whatever the box."""
_GROUPS = {sign: re.compile(rf"[1-9]\d{{0,2}}([{sign}]\d{{3}})*") for sign in ".,"}
LOOKED_AT = 2000
"""Rows of a large table by which its units are doubted."""
DISPERSITY, ABSURD = 0.1, 5.0
"""Relative difference of a stated dispersity from Mw / Mn that is said, and factor that is refused."""
POSSIBLE = {
    "temperature": (-100.0, 350.0),
    "time": (1.0, 3e6),
    "concentration": (0.0, 30.0),
    "molar mass": (0.0, 1e7),
}
"""In polyinv's units, what hardly any polymerization leaves, whatever the system."""
_UNIT = {"temperature": "°C", "time": "s", "concentration": "mol/L"}


def suspicions(column: str, values: np.ndarray, system: System, called: str, remedy: str | None = None) -> list[str]:
    """Say which values without a unit would fit another unit better, and what to do about it.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> print(suspicions("temp", np.array([343.15]), load_system(), "temp")[0][:60])
        temp holds 343.15 °C, outside of 60 to 80; if it is K, it is
    """
    box = {quantity.name: (quantity.low, quantity.high) for quantity in system.recipe}
    box[system.residual] = (0.0, box[system.targets[0]][1])
    given = values[~np.isnan(values)]
    if column not in box or not len(given):
        return []
    low, high = box[column]
    unit = _UNIT[quantity_of(column)]
    odd = sorted(each for each in given.tolist() if not fits(each, low, high) or (unit == "s" and each < SHORT))
    if 2 * len(odd) < len(given):
        return []
    value, others = odd[len(odd) // 2], likely_units(odd, unit, low, high)
    meant = [
        f"{other.name}, it is {other.converted(value):.4g} {unit}"
        for other in others
        if fits(other.converted(value), low, high)
    ]
    if column == system.residual and 1 < value <= 100:
        meant.append(f"a conversion in %, it is {1 - value / 100:.3g} times {system.targets[0]}")
    if not meant:
        return []
    named = " or ".join(f"'{column} ({other.name})'" for other in others)
    remedy = remedy or (f"name the column {named}, or convert it" if named else "convert it")
    return [
        f"{called} holds {value:g} {unit}, outside of {low:g} to {high:g}; if it is {', or if it is '.join(meant)}: "
        f"{remedy}"
    ]


def contradictions(column: str, values: np.ndarray, unit: Unit, system: System, called: str) -> list[str]:
    """Say that values are hardly possible in the unit that the name of their column states.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> from polyinv.data.files.units import unit_of
        >>> contradictions("temp", np.array([-203.15]), unit_of("K"), load_system("butyl_acrylate"), "column 'T (K)'")
        ["column 'T (K)' is stated to be in K, and holds -203 °C then; if it is °C, mend the unit"]
    """
    quantity = quantity_of(column)
    low, high = POSSIBLE[quantity]
    given = values[~np.isnan(values)]
    if quantity == "time":
        given = given[given > 0]
    odd = given[(given < low) | (given > high)]
    if not len(given) or 2 * len(odd) < len(given):
        return []
    value, own = float(np.median(odd)), _UNIT.get(quantity, "g/mol")
    others = [other for name in units_of(quantity) if (other := unit_of(name)) and other != unit]
    raw = (value - unit.offset) / unit.factor
    box = {each.name: (each.low, each.high) for each in system.recipe}
    box[system.residual] = (0.0, box[system.targets[0]][1])
    fitting = [other.name for other in others if fits(other.converted(raw), *box.get(column, (LEAST_MASS, high)))]
    hint = f"if it is {' or '.join(fitting)}, mend the unit" if fitting else "is the unit right?"
    return [f"{called} is stated to be in {unit.name}, and holds {value:.3g} {own} then; {hint}"]


def thousands(
    column: str, cells: Sequence[Cell], sign: str, unit: Unit | None, system: System, called: str
) -> list[str]:
    """Say that numbers such as ``3.600`` fit as thousands what they do not fit with decimals."""
    box = {quantity.name: (quantity.low, quantity.high) for quantity in system.recipe}
    texts = [cell for cell in cells if isinstance(cell, str) and not is_missing(cell)]
    other = "," if sign == "." else "."
    written = [_GROUPS[sign].fullmatch(text) for text in texts]
    grouped_text = next((text for text, match in zip(texts, written, strict=True) if match and match[1]), None)
    if column not in box or grouped_text is None or None in written:
        return []
    taken = unit or Unit("", quantity_of(column))
    as_read, grouped = ([taken.converted(number(text, each) or 0.0) for text in texts] for each in (sign, other))
    if all(fits(value, *box[column]) for value in as_read) or not all(fits(value, *box[column]) for value in grouped):
        return []
    return [
        f"{called} holds {grouped_text!r}, read as {number(grouped_text, sign):g}; if it is "
        f"{number(grouped_text, other):g}, "
        f"--decimal {other} says so"
    ]


def can_be(column: str, values: Sequence[float], factor: float = 1.0) -> bool:
    """Whether values of a column are those of some polymer, by which thousands are told from decimals.

    Args:
        column: Of a system.
        values: In its unit; molar masses in one that is to be multiplied.
        factor: What a molar mass is multiplied by to be in g/mol.
    """
    if not len(values):
        return True
    if column in ("Mn", "Mw"):
        return bool(500 < float(np.median(values)) * factor < 1e8)
    low, high = {"temp": (-80.0, 500.0), "time": (0.0, 1e6)}.get(column, (0.0, 50.0))
    return low <= max(values) <= high


def check_masses(
    frame: pd.DataFrame,
    columns: Mapping[int, tuple[str, Unit | None]],
    units: Mapping[int, Unit],
    options: Options,
    place: str,
) -> None:
    """Refuse means that are too small for a polymer in g/mol, in the unit that is stated or without one."""
    for at, (column, unit) in columns.items():
        values = frame[column].dropna() if column in ("Mn", "Mw") and column in frame else pd.Series(dtype=float)
        if not len(values) or not 0 < values.max() < LEAST_MASS:
            continue
        held = f"{place}: column {column!r} holds {values.iloc[0]:g} g/mol, which is no polymer"
        if unit is None and at not in units and options.unit is None:
            raise InputError(
                f"{held} and looks like kg/mol: --unit kg/mol says so (or name the column '{column} (kg/mol)')"
            )
        raise InputError(f"{held}; is its unit right?")


def is_dispersity(name: str) -> bool:
    """Whether the name of a column is that of a dispersity, and of nothing else.

    Example:
        >>> [is_dispersity(name) for name in ("PDI", "Mw/Mn", "Đ", "d", "D (nm)")]
        [True, True, True, False, False]
    """
    average, bare = average_of(name), letters(name)
    return (
        average is not None
        and average[0] == "D"
        and average[1] is None
        and (len(bare) > 2 or bool(re.match("[ĐÐƉ]", name.strip())))
    )


def check_dispersity(frame: pd.DataFrame, stated: Sequence[float], name: str, place: str) -> list[str]:
    """Say that a stated dispersity is not Mw / Mn of its row.

    Raises:
        InputError: By a factor that no polymer explains, but a unit may.
    """
    if not {"Mn", "Mw"} <= set(frame.columns):
        return []
    given, ratio = pd.Series(stated, frame.index, dtype=float), frame["Mw"] / frame["Mn"]
    off = (ratio / given - 1).abs()
    if letters(name).startswith("uneinheit"):  # Mw / Mn - 1 of old
        off = np.minimum(off, (ratio / (given + 1) - 1).abs())
    off = off[off > DISPERSITY]
    if off.empty:
        return []
    row = off.index[0]
    found = f"row {row}: Mw / Mn is {ratio[row]:.4g}, and column {name!r} holds {given[row]:.4g}"
    if 2 * len(off) >= given.notna().sum() and not 1 / ABSURD < (ratio / given)[off.index].median() < ABSURD:
        raise InputError(f"{place}, {found}; is one of the units of Mn and Mw wrong?")
    return [f"{found} ({len(off)} such)"]


def conversions(columns: Sequence[str], system: System) -> list[str]:
    """Say that a conversion is not used where the residual monomer would be."""
    used = {*system.columns, *error_columns(system.recipe, system.residual), COLUMN}
    names = [name for name in columns if name not in used]
    found = [name for name in names if is_conversion(name)]
    return [
        f"column {name!r} is not used; a conversion needs {system.targets[0]} in the same row, or goes in as "
        f"{system.residual}, the residual monomer in mol/L"
        for name in found[:1]
    ]


def computed(columns: Iterable[object], system: System) -> list[str]:
    """Say which columns are computed from a quantity that would be used itself, by a sign such as √ or Δ.

    Example:
        >>> from polyinv.chemistry import load_system
        >>> print(*computed(["temp", "1-X"], load_system()))
        column '1-X' is not used: by the sign '1-' it is computed from the conversion, not the conversion itself
    """
    own = {*system.columns, *error_columns(system.recipe, system.residual), COLUMN}
    warnings = []
    for name in map(str, columns):
        sign = sign_in(without_error(name))
        if name in own or sign is None:
            continue
        bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", without_signs(name))
        found = meaning_within(name, system) or _of_any_unit(bare, system) or average_within(bare)
        what = "the conversion" if conversion_within(name) else found[0] if found else None
        if what is not None:
            warnings.append(
                f"column {name!r} is not used: by the sign {sign!r} it is computed from {what}, not {what} itself"
            )
    return warnings


def _of_any_unit(name: str, system: System) -> tuple[str, Unit | None] | None:
    """What a name without its unit means."""
    return meaning_within(name, system) or meaning_within(f"{name} (mol/L)", system)


def passed_over(others: pd.DataFrame, table: pd.DataFrame, system: System) -> list[str]:
    """Say what a table that is read strictly leaves out: columns by another name or unit than that of the system.

    Args:
        others: Columns that are no numbers of the system.
        table: The numbers, NaN where a column is absent.
        system: What is polymerized.
    """
    said = computed(others.columns, system)
    for name in map(str, others.columns):
        found = system.residual if is_conversion(name) else (meaning(name, system) or (None,))[0]
        if found is not None and table[found].isna().all() and others[name].notna().any():
            unit = units_of(quantity_of(found))[0]
            what = "the residual monomer " if found == system.residual else ""
            said.append(f"column {name!r} is not read in a table of polyinv's own; call it {found}, {what}in {unit}")
    return said


def strict_suspicions(table: pd.DataFrame, system: System) -> list[str]:
    """`suspicions` of a table that is read strictly, by its first rows."""
    first = table.head(LOOKED_AT)
    return [
        doubt
        for column in (*system.targets, system.residual)
        for doubt in suspicions(column, first[column].to_numpy(), system, f"column {column!r}", "convert it")
    ]
