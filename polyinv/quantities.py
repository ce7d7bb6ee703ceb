"""Names, units and ranges of all measured and predicted quantities, written once.

A *recipe* is a row of the four targets; an *observation* is what the polymer shows: the residual monomer, the mean
molar masses and the molar mass distribution (MMD). Columns keep the names of the published workbook.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """Quantity: one column of a table, with unit and range.

    Args:
        name: Column name, as in the published workbook.
        unit: Unit of the values.
        low: Smallest value of the published recipe box.
        high: Largest value of the published recipe box.
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


RECIPE = (
    Quantity("cBA_0", "mol/L", 0.5, 3.0, 2.5, "initial monomer"),
    Quantity("cAIBN_0", "mol/L", 0.0025, 0.02, 0.0175, "initial initiator"),
    Quantity("temp", "°C", 60.0, 80.0, 20.0, "temperature", above=-273.15),
    # The study divides the error of `time` by 3600 s although its first snapshot is taken at 300 s.
    Quantity("time", "s", 300.0, 3600.0, 3600.0, "reaction time"),
)
TARGETS = tuple(quantity.name for quantity in RECIPE)
CONDITIONS = TARGETS[:3]  # what identifies one run; `time` picks a snapshot of it

N_NODES = 100
SCALARS = ("cBA_time", "Mn", "Mw")  # residual monomer in mol/L, number and mass average molar mass in g/mol
MMD = tuple(f"MMD{k}" for k in range(1, N_NODES + 1))  # w(log10 M) on the nodes of polyinv.mmd
COLUMNS = TARGETS + SCALARS + MMD
