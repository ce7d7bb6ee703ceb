"""Comparison of measured reactions with what a system predicts for their recipes, without adjusting anything."""

import logging

import numpy as np
import pandas as pd
import torch

from polyinv.chemistry import System
from polyinv.data.runs_file import CONVERSION
from polyinv.evaluation.closed_loop import distance
from polyinv.mmd import without_oligomers
from polyinv.quantities import MEANS, MMD
from polyinv.reactions import run_numbers
from polyinv.simulate import solvers
from polyinv.simulate.recipes import runs

log = logging.getLogger(__name__)


def compare(measured: pd.DataFrame, system: System) -> pd.DataFrame:
    """Predict measured reactions by the rate equations.

    Args:
        measured: Of `polyinv.data.runs_file.read_runs`.
        system: What is polymerized.

    Returns:
        A line for each row: ``reaction``, its number; the recipe; ``conversion``, ``Mn`` and ``Mw`` as measured and as
        ``<name>_predicted``; ``error_conversion``, predicted less measured; ``error_ln_Mn`` and ``error_ln_Mw``, the
        same of the logarithms; ``mmd_distance``, the total variation distance of the curves above 1000 g/mol. NaN where
        nothing was measured.
    """
    for line in system.outside(torch.from_numpy(measured[list(system.targets)].to_numpy(dtype=float, copy=True))):
        log.warning("%s", line)
    conditions, times, reaction, snapshot = runs(measured, system)
    polymer = solvers.simulate(conditions, times, system.chemistry)
    residual, Mn, Mw = (part[reaction, snapshot] for part in polymer.scalars)
    predicted = {CONVERSION: 1 - residual / conditions[reaction, 0], "Mn": Mn, "Mw": Mw}
    lines = measured[[*system.targets, CONVERSION, *MEANS]].copy()
    lines.insert(0, "reaction", run_numbers(measured, system) + 1)
    for name, values in predicted.items():
        lines[f"{name}_predicted"] = values.numpy()
    lines["error_conversion"] = lines[f"{CONVERSION}_predicted"] - lines[CONVERSION]
    for name in MEANS:
        lines[f"error_ln_{name}"] = np.log(lines[f"{name}_predicted"] / lines[name])
    shown, curves = without_oligomers(polymer.mmd[reaction, snapshot].numpy()), measured[list(MMD)].to_numpy(copy=True)
    lines["mmd_distance"] = distance(torch.from_numpy(shown), torch.from_numpy(curves)).numpy()
    return lines


def agreement(lines: pd.DataFrame) -> pd.DataFrame:
    """Summarize a comparison: a line for each reaction, and one for all rows.

    Returns:
        ``reaction``, ``rows``; ``X rms``, ``ln Mn rms`` and ``ln Mw rms``, the root mean square of the errors;
        ``X mean``, ``ln Mn mean`` and ``ln Mw mean``, their means, positive where too much is predicted;
        ``mmd_distance``, the median.
    """
    groups = {str(number): part for number, part in lines.groupby("reaction")} | {"all": lines}
    errors = {"X": "error_conversion", "ln Mn": "error_ln_Mn", "ln Mw": "error_ln_Mw"}
    found = []
    for name, part in groups.items():
        line: dict[str, object] = {"reaction": name, "rows": len(part)}
        for of, column in errors.items():
            known = part[column].dropna()
            line |= {f"{of} rms": np.sqrt(known.pow(2).mean()), f"{of} mean": known.mean()}
        found.append(line | {"mmd_distance": part["mmd_distance"].median()})
    return pd.DataFrame(found)
