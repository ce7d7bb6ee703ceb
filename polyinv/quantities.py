"""Quantities: a column with its unit and range, and the columns that every polymer has.

A *recipe* is a row of targets, those of a `polyinv.chemistry.system.System`; an *observation* is what the polymer
shows: the residual monomer, the mean molar masses and the molar mass distribution (MMD).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """Quantity: one column of a table, with unit and range.

    Args:
        name: Column name.
        unit: Unit of the values.
        low: Smallest value of the recipe box.
        high: Largest value of the recipe box.
        span: What a mean absolute error is divided by to make it relative.
        label: How a figure writes it.
        above: Values have to be larger than this to be physically possible.
    """

    name: str
    unit: str
    low: float
    high: float
    span: float
    label: str
    above: float = 0.0

    @property
    def axis(self) -> str:
        """Axis label with the unit."""
        return f"{self.label} / {self.unit}"

    @property
    def logarithmic(self) -> bool:
        """Whether its errors are relative: those of all quantities but the temperature are."""
        return self.unit != "°C"


N_NODES = 100
MEANS = ("Mn", "Mw")  # number and mass average molar mass in g/mol
CHAINS = "chains"  # dead chains in a simulated sample, which give its noise; of a polymer that was made nobody asks
MMD = tuple(f"MMD{k}" for k in range(1, N_NODES + 1))  # w(log10 M) on the nodes of polyinv.mmd
