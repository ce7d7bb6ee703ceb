"""What the command line of designs needs: a curve from a file, kinetic Monte Carlo, a page."""

import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.source import simulate_table
from polyinv.design.designs import Designs
from polyinv.design.wishes import PROPERTIES
from polyinv.errors import InputError
from polyinv.evaluation.closed_loop import distance
from polyinv.mmd import STEP
from polyinv.predict.fits import DIGITS, significant
from polyinv.predict.rows import read_rows
from polyinv.quantities import MMD
from polyinv.report.designs import page
from polyinv.runtime.files import at_home

SEED = 1
"""Of the kinetic Monte Carlo."""
MOST_SIMULATED = 1e9
"""Chains of all designs, simulated within ten minutes on a core or less."""


def curve_of(file: str, system: System) -> Tensor:
    """The MMD in a file, of unit area, (100,).

    Raises:
        InputError: The file holds none, or several.
    """
    observations, _ = read_rows(at_home(file), system=system)
    curves = observations.mmd[~observations.mmd.isnan().any(-1)]
    if len(curves) != 1:
        raise InputError(f"{file} holds {len(curves)} curves; a design needs the one that is to be made")
    return curves[0] / (curves[0].sum() * STEP)


def check_simulated(chains: float | None, count: int) -> None:
    """Refuse chains that cannot be simulated of so many designs, before these are searched for.

    Raises:
        InputError: There are none, or too many.
    """
    if chains is not None and not 1 <= chains <= MOST_SIMULATED / max(count, 1):
        most = f"{MOST_SIMULATED / max(count, 1):g}"
        raise InputError(f"--chains is {chains:g}; needs 1 to {most}, as --count {count} has {MOST_SIMULATED:g} in all")


def simulated_again(table: pd.DataFrame, found: Designs, chains: float) -> pd.DataFrame:
    """Add what kinetic Monte Carlo makes of each recipe: properties, and the distance of its curve, ending in ``_kmc``.

    Raises:
        InputError: A number of chains that cannot be.
    """
    check_simulated(chains, len(table))
    system = found.system
    made = simulate_table(table[list(system.targets)], method="kmc", chains=chains, seed=SEED, system=system)
    curves = torch.from_numpy(made[list(MMD)].to_numpy(dtype=float, copy=True))
    wanted = found.shown.curves if found.task.curve is None else found.task.curve
    values = {"Mn": made["Mn"], "Mw": made["Mw"], "D": made["Mw"] / made["Mn"]}
    values["conversion"] = 1 - made[system.residual] / made[system.targets[0]]
    again = {f"{name}_kmc": values[name].to_numpy() for name in PROPERTIES if name in values}
    again["mmd_distance_kmc"] = distance(curves, wanted).numpy()
    return table.join(significant(pd.DataFrame(again, index=table.index), DIGITS))


def page_of(found: Designs, table: pd.DataFrame) -> str:
    """HTML page of designs."""
    wished = [*(["a curve"] if found.task.curve is not None else []), *(wish.text for wish in found.wishes)]
    title = "Recipes for " + ", ".join(wished)
    said = [
        f"{found.system.title}, by the rate equations: {found.system.chemistry.note}",
        *found.warnings,
        *found.notes,
    ]
    wanted = None if found.task.curve is None else found.task.curve.numpy()
    return page(title, said, table, found.shown.curves.numpy(), wanted, found.trade_off, found.system)
