"""Tables on their side: names of samples above the numbers of each, and errors beside them."""

from collections.abc import Mapping, Sequence

from polyinv.data.files.cells import Rows, said
from polyinv.data.files.names import letters
from polyinv.data.files.numbers import PLUS_MINUS, Cell, is_missing, is_number
from polyinv.data.files.plus_minus import says_error, says_relative
from polyinv.data.files.statistics import is_error, statistic
from polyinv.data.files.units import has_percent, unit_of

SAMPLES = (
    "sample",
    "samplename",
    "sampleid",
    "probe",
    "probenname",
    "muestra",
    "echantillon",
    "name",
    "run",
    "polymer",
)
"""What stands before the names of samples."""
VALUES = (
    "value",
    "values",
    "wert",
    "werte",
    "valor",
    "valeur",
    "result",
    "results",
    "ergebnis",
    "resultado",
    "resultat",
)
"""What stands above the numbers of a single sample."""


def names_of_samples(rows: Rows, first: int, shifted: int) -> dict[int, str]:
    """Names of the samples of a table on its side, by their position behind the name of what is measured.

    Args:
        rows: Of the sheet.
        first: Number of the first row with the name of a column.
        shifted: Columns of units between names and numbers.
    """
    called = [row for row, cells in rows.items() if letters(said(cells[0])) in SAMPLES]
    above = [row for row in rows if row < first]
    for row in (*called[:1], *above[-1:]):
        cells = rows[row]
        behind = cells[1 + shifted :] if len(cells) > 1 + shifted else []
        texts = [said(cell) for cell in behind if not is_missing(cell)]
        names_numbers = row not in called and any(map(is_number, texts))
        if texts and not names_numbers and not all(map(unit_of, texts)):
            return {at: said(cell) for at, cell in enumerate(behind, 1) if said(cell)}
    return {}


def errors_of_samples(names: Mapping[int, str]) -> dict[int, int]:
    """Columns that state the errors of others: one right behind each sample, or named as one with the error before it.

    Example:
        >>> errors_of_samples({1: "Value", 2: "±"}), errors_of_samples({1: "A", 2: "B", 3: "Mean", 4: "SD"})
        ({2: 1}, {})
        >>> errors_of_samples({1: "A", 2: "B", 3: "SD A", 4: "SD B"})
        {3: 1, 4: 2}
    """
    positions = {name: at for at, name in names.items()}
    found = {at: positions[rest] for at, name in names.items() if (rest := says_error(name)) and rest in positions}
    bare = [at for at, name in names.items() if is_error(name) and at not in found]
    samples = [at for at, name in names.items() if at not in found and at not in bare and statistic(name) != "sure"]
    if bare and [at - 1 for at in bare] == samples:
        found |= {at: at - 1 for at in bare}
    return found


def with_errors(rows: Rows, names: Mapping[int, str], errors: Mapping[int, int]) -> Rows:
    """Rows of samples, the errors behind their values."""
    found = {at: [*cells] for at, cells in rows.items() if at not in errors}
    for at, of in errors.items():
        percent = "%" if has_percent(names[at]) or says_relative(names[at]) else ""
        if of in found and at in rows:
            found[of] = [_joined(*pair, percent) for pair in zip(found[of], rows[at], strict=True)]
    return found


def _joined(value: Cell, error: Cell, percent: str) -> Cell:
    stated = isinstance(value, str) and PLUS_MINUS.search(value)
    return value if stated or is_missing(value) or is_missing(error) else f"{said(value)} ± {said(error)}{percent}"


def said_errors(names: Mapping[int, str], errors: Mapping[int, int]) -> Sequence[str]:
    """Say which columns are taken for errors."""
    return [f"column {names[at]!r} states the errors of column {names[of]!r}" for at, of in errors.items()]
