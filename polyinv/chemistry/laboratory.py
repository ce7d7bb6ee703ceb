"""Laboratory: what its own runs said of the kinetics of its reactor and of its instrument.

A system that was calibrated carries one: the covariance of its coefficients (`polyinv.chemistry.coordinates`), jointly
with that of the instrument, and the scatter between runs. Nothing here imports torch.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from polyinv.errors import InputError, quoted
from polyinv.runtime.nested import is_number

INSTRUMENT = ("broadening", "offset")
"""What is learned of the instrument: ln of the broadening, and the relative error that all molar masses share."""
SCATTER = ("initiation", "temperature", "conversion", "sampling", "curve")
"""What is learned of the scatter, see `polyinv.calibrate.scatter`; ``temperature`` in °C."""
MOST_SCATTER = {"initiation": 10.0, "temperature": 1e3, "conversion": 1.0, "sampling": 100.0, "curve": 10.0}
LEAST_SCATTER = 1e-9
BROADENINGS, OFFSETS = (0.0, 6.0), (-0.9, 2.0)
"""Least and most of what a calibration finds: a widest error that is stated, and some standard deviations beyond it."""
MOST_PRIOR, MOST_COVARIANCE, MOST_RUNS = 1e6, 1e6, 10**9
SYMMETRIC, NEGATIVE = 1e-6, -1e-6


@dataclass(frozen=True)
class Laboratory:
    """What was learned of a laboratory.

    Args:
        runs: Number of its runs.
        samples: Of their samples.
        names: Of the coordinates of the coefficients, then those of ``INSTRUMENT``.
        prior: Standard deviations of them before, (Q,): of ln k, of E_a in J/mol, of logits.
        covariance: After, in units of ``prior``, (Q, Q): the lower triangle, row by row.
        broadening: Of the curves by the columns, in decades.
        offset: Relative error that all molar masses share; the standard deviation of both is in the covariance.
        scatter: Standard deviations by the names of ``SCATTER``.
    """

    runs: int
    samples: int
    names: tuple[str, ...]
    prior: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    broadening: float
    offset: float
    scatter: Mapping[str, float]

    def __hash__(self) -> int:
        return hash((self.runs, self.samples, self.covariance))

    @property
    def matrix(self) -> list[list[float]]:
        """Covariance as a square, (Q, Q)."""
        rows, size = self.covariance, len(self.covariance)
        return [[rows[max(i, j)][min(i, j)] for j in range(size)] for i in range(size)]

    @property
    def sd(self) -> dict[str, float]:
        """Standard deviations after, by name, in the units of ``prior``."""
        return {
            name: prior * self.covariance[at][at] ** 0.5
            for at, (name, prior) in enumerate(zip(self.names, self.prior, strict=True))
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain values: `from_dict` makes the same of them."""
        plain = asdict(self)
        return plain | {
            "names": list(self.names),
            "prior": list(self.prior),
            "covariance": [list(row) for row in self.covariance],
            "scatter": dict(self.scatter),
        }

    @classmethod
    def from_dict(cls, plain: Any, where: str = "laboratory") -> Self:
        """Make one of plain values, checked.

        Raises:
            InputError: They are of none.
        """
        if not isinstance(plain, Mapping) or set(plain) != set(cls.__dataclass_fields__):
            raise InputError(f"{where} is {quoted(plain)}; needs {', '.join(cls.__dataclass_fields__)}")
        names, prior, rows = plain["names"], plain["prior"], plain["covariance"]
        for key in ("runs", "samples"):
            if type(plain[key]) is not int or not 1 <= plain[key] <= MOST_RUNS:
                raise InputError(f"{where}.{key} is {quoted(plain[key])}; needs a whole number from 1 to {MOST_RUNS}")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{where}.names is {quoted(names)}; needs a list of names")
        _numbers(f"{where}.prior", prior, len(names), MOST_PRIOR, above=0.0)
        if not isinstance(rows, list) or len(rows) != len(names):
            raise InputError(f"{where}.covariance needs {len(names)} rows, one for each name")
        for at, row in enumerate(rows):
            _numbers(f"{where}.covariance, row {at + 1}", row, at + 1, MOST_COVARIANCE)
        scatter = plain["scatter"]
        if not isinstance(scatter, Mapping) or set(scatter) != set(SCATTER):
            raise InputError(f"{where}.scatter is {quoted(scatter)}; needs {', '.join(SCATTER)}")
        for name, most in MOST_SCATTER.items():
            _within(f"{where}.scatter.{name}", scatter[name], LEAST_SCATTER, most)
        _within(f"{where}.broadening", plain["broadening"], *BROADENINGS, " decades")
        _within(f"{where}.offset", plain["offset"], *OFFSETS)
        found = cls(
            plain["runs"],
            plain["samples"],
            tuple(names),
            tuple(map(float, prior)),
            tuple(tuple(map(float, row)) for row in rows),
            float(plain["broadening"]),
            float(plain["offset"]),
            {name: float(scatter[name]) for name in SCATTER},
        )
        found._check_positive(where)
        return found

    def _check_positive(self, where: str) -> None:
        import numpy as np

        if np.linalg.eigvalsh(np.array(self.matrix)).min(initial=0.0) < NEGATIVE:
            raise InputError(f"{where}.covariance is none: it has directions of negative variance")


def _within(where: str, given: Any, least: float, most: float, unit: str = "") -> None:
    if not is_number(given) or not least <= given <= most:
        raise InputError(f"{where} is {quoted(given)}; needs {least:g} to {most:g}{unit}")


def _numbers(where: str, given: Any, count: int, most: float, above: float | None = None) -> None:
    good = isinstance(given, list) and len(given) == count
    for value in given if good else []:
        good &= is_number(value) and abs(value) <= most
        good = good and (above is None or value > above)
    if not good:
        needed = f"{count} numbers " + (f"up to ±{most:g}" if above is None else f"above {above:g} and up to {most:g}")
        raise InputError(f"{where} is {quoted(given)}; needs {needed}")
