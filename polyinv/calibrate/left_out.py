"""Errors left out run by run: each run predicted by what the others say.

A χ² does not reveal a wrong structure, since coefficients bend to what they are fitted to; a run left out does.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.calibrate.fit import Fit, fit
from polyinv.calibrate.model import LaboratoryModel, Shown
from polyinv.mmd import LOG_M, STEP

ROUNDS = 2
"""Turns of a fit without a run, which starts from that of all."""
OUTLYING = 3.0
"""Standard deviations, root mean square over a run, from which on it is outlying."""


def predicted(fitted: Fit, model: LaboratoryModel) -> Shown:
    """What runs should show by a fit to others: run as their recipes say."""
    return model(model.as_stated(fitted.theta))


def deviations(model: LaboratoryModel, shown: Shown) -> pd.DataFrame:
    """What was measured of each sample, and what should be.

    Returns:
        A line for each sample: ``run``, ``time``, ``conversion``, ``Mn``, ``Mw`` of the part of the curve that is
        compared, or as stated without one; the same ``_fitted``; ``mmd_distance``, the total variation distance.
    """
    runs, N = model.runs, len(model.nodes)
    curves = model.has_curves
    measured, expected = (
        _numbers(model, values, curves) for values in (model.observed, torch.where(model.given, shown.values, 0.0))
    )
    scale = model.peak * STEP / 2
    apart = ((shown.values - model.observed)[:, :N].abs() * scale).sum(1)
    time = runs.observations.recipe[:, -1]
    lines = pd.DataFrame({"run": [runs.names[at] for at in runs.run.tolist()], "time": time.numpy()})
    for at, name in enumerate(("conversion", "Mn", "Mw")):
        lines[name] = measured[:, at].numpy()
        lines[f"{name}_fitted"] = expected[:, at].numpy()
    lines["mmd_distance"] = torch.where(curves, apart, torch.nan).numpy()
    return lines


def _numbers(model: LaboratoryModel, values: Tensor, curves: Tensor) -> Tensor:
    """Conversion, Mn and Mw of samples, (B, 3); NaN where nothing was measured."""
    N = len(model.nodes)
    molar_mass = 10 ** torch.from_numpy(LOG_M)[model.nodes]
    w = values[:, :N].clamp(min=0)
    mass = w.sum(1).clamp(min=1e-12)
    of_curve = torch.stack([mass / (w @ (1 / molar_mass)).clamp(min=1e-12), w @ molar_mass / mass], 1)
    means = torch.where(curves[:, None], of_curve, values[:, N + 1 :].exp())
    given = torch.cat([model.given[:, N : N + 1], curves[:, None] | model.given[:, N + 1 :]], 1)
    return torch.where(given, torch.cat([values[:, N : N + 1], means], 1), torch.nan)


def left_out(fitted: Fit, advance: Callable[[int], None] = lambda count: None) -> pd.DataFrame:
    """Predict each run by a fit without it; the columns of `deviations`, and ``deviation`` in standard deviations.

    A single run cannot be left out: no lines.
    """
    model, parts = fitted.model, []
    if len(model.runs.names) < 2:
        return pd.DataFrame(columns=[*deviations(model, fitted.shown).columns, "deviation"])
    for run in range(len(model.runs.names)):
        without = fit(model.of(model.runs.without(run)), fitted, rounds=ROUNDS)
        alone = model.of(model.runs.only([run]))
        shown = predicted(without, alone)
        parts.append(deviations(alone, shown).assign(deviation=_deviation(without, alone, shown)))
        advance(1)
    return pd.concat(parts, ignore_index=True)


def _deviation(without: Fit, alone: LaboratoryModel, shown: Shown) -> float:
    """Root mean square deviation of a run in standard deviations of its prediction, what is left open included."""
    shared, scatter = alone.shared, without.scatter
    spread = torch.block_diag(without.covariance[:shared, :shared], torch.diag(1 / alone.precision(scatter)[shared:]))
    given = alone.given.flatten()
    slopes = shown.slopes.flatten(0, 1)[given]
    noise = torch.block_diag(*alone.covariance(scatter, shown.besides))[given][:, given]
    whole = noise + slopes @ spread @ slopes.T
    apart = (alone.observed - shown.values).flatten()[given]
    return float(np.sqrt(((apart @ torch.linalg.solve(whole, apart)) / len(apart)).item()))


def summary(lines: pd.DataFrame) -> pd.DataFrame:
    """Summarize deviations by run and over all: root mean squares, and the median MMD distance."""
    groups = {str(name): part for name, part in lines.groupby("run", sort=False)} | {"all": lines}
    found = []
    for name, part in groups.items():
        line = {"run": name, "samples": len(part)}
        line["X rms"] = _rms(part["conversion_fitted"] - part["conversion"])
        for mean in ("Mn", "Mw"):
            line[f"ln {mean} rms"] = _rms(np.log(part[f"{mean}_fitted"] / part[mean]))
        line["mmd_distance"] = part["mmd_distance"].median()
        if "deviation" in part and name != "all":
            line["deviation"] = part["deviation"].iloc[0]
        found.append(line)
    return pd.DataFrame(found)


def _rms(errors: pd.Series) -> float:
    return float(np.sqrt((errors.dropna() ** 2).mean()))


def outlying(lines: pd.DataFrame) -> list[str]:
    """Runs that the others do not explain, by name."""
    if lines.empty:
        return []
    by_run = lines.groupby("run", sort=False)["deviation"].first()
    return [str(name) for name, deviation in by_run.items() if deviation > OUTLYING]
