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
            if not isinstance(plain[key], int) or plain[key] < 1:
                raise InputError(f"{where}.{key} is {quoted(plain[key])}; needs a whole number from 1")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{where}.names is {quoted(names)}; needs a list of names")
        _numbers(f"{where}.prior", prior, len(names), above=0.0)
        if not isinstance(rows, list) or len(rows) != len(names):
            raise InputError(f"{where}.covariance needs {len(names)} rows, one for each name")
        for at, row in enumerate(rows):
            _numbers(f"{where}.covariance, row {at + 1}", row, at + 1)
        scatter = plain["scatter"]
        if not isinstance(scatter, Mapping) or set(scatter) != set(SCATTER):
            raise InputError(f"{where}.scatter is {quoted(scatter)}; needs {', '.join(SCATTER)}")
        _numbers(f"{where}.scatter", [scatter[name] for name in SCATTER], len(SCATTER), above=0.0)
        _numbers(f"{where}.broadening and offset", [plain["broadening"], plain["offset"]], 2)
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


def _numbers(where: str, given: Any, count: int, above: float | None = None) -> None:
    good = isinstance(given, list) and len(given) == count
    for value in given if good else []:
        good &= is_number(value) and abs(value) < 1e9
        good = good and (above is None or value > above)
    if not good:
        needed = f"{count} numbers" + ("" if above is None else f" above {above:g}")
        raise InputError(f"{where} is {quoted(given)}; needs {needed}")
