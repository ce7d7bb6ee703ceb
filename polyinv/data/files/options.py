"""What a user states about a file where it leaves something open."""

from dataclasses import dataclass, fields
from pathlib import Path

from polyinv.data.files.numbers import check_decimal
from polyinv.errors import InputError, unknown

SIGNALS = {
    "w_log": "w(log10 M)",
    "w_m": "w(M)",
    "n_log": "n(log10 M), a number distribution",
    "n_m": "n(M), a number distribution",
    "sec": "a signal, w(log10 M) up to a factor",
}
"""What an ordinate can be. A signal is w(log10 M) up to a factor if the calibration is a straight line."""
UNITS = {"g/mol": 0, "kg/mol": 3}
"""Units of M, and what they add to log10 M."""
BASELINES = {"none": "nothing", "linear": "a straight line over log10 M, or over the elution, through both ends"}
"""What is taken off an ordinate."""


@dataclass(frozen=True)
class Options:
    """Options of a measured curve; None leaves it to the file.

    Args:
        signal: What the ordinate is, one of ``SIGNALS``, or auto.
        unit: Of M where its name has none, one of ``UNITS``.
        baseline: One of ``BASELINES``.
        sheet: Of a workbook.
        x: Name or number of the column of M, log M, or the elution time or volume.
        y: Name or number of the column of the ordinate.
        sample: Name or number of the only curve to read, of several in a file.
        decimal: Decimal sign of a text.
        calibration: File of a calibration, for a chromatogram.
    """

    signal: str | None = None
    unit: str | None = None
    baseline: str | None = None
    sheet: str | None = None
    x: str | None = None
    y: str | None = None
    sample: str | None = None
    decimal: str | None = None
    calibration: Path | str | None = None

    def __post_init__(self) -> None:
        """Refuse what is not known.

        Raises:
            InputError: A value of signal, unit, baseline or decimal.
        """
        choices = {"signal": ("auto", *SIGNALS), "unit": UNITS, "baseline": BASELINES}
        for option, known in choices.items():
            given = getattr(self, option)
            if given is not None and given not in known:
                raise unknown(option, given, known)
        check_decimal(self.decimal)

    @property
    def stated_signal(self) -> str | None:
        """The kind of the ordinate, where it is stated."""
        return None if self.signal == "auto" else self.signal

    def refuse_idle(self, place: str, why: str, *, used: tuple[str, ...] = ()) -> None:
        """Refuse options that have no effect on a file.

        Raises:
            InputError: One is given and not among ``used``.
        """
        for each in fields(self):
            value = getattr(self, each.name)
            neutral = {"signal": "auto", "baseline": "none", "decimal": "auto"}.get(each.name)
            if value not in (None, neutral) and each.name not in used:
                raise InputError(f"{place} {why}; --{each.name} has no effect on it")
