"""Applicability domain: does an observation lie near the polymers that recipes of the box make?

Whatever the model, it has learned from polymers of the box. An observation is compared with the closest of them
(`polyinv.domain.closest`): what no recipe of the box comes near to, in units of the observation's own noise, is
outside. Each kind of deviation is divided by the limit that observations from inside the box exceed equally rarely, so
that all kinds together raise a false alarm in 5 % of them; the limits are measured (``scripts/calibrate_domain.py``).
"""

import itertools
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from torch import Tensor

from polyinv.chemistry import System
from polyinv.data.observations import QUANTITIES, Observations
from polyinv.data.patterns import RESIDUAL
from polyinv.domain.closest import Fit, References, fit, names_of_deviations
from polyinv.domain.least_squares import CURVE, MN, MW, observed_numbers
from polyinv.domain.recipe_box import GUESSED, known_outside_box
from polyinv.domain.residual import residual_meant
from polyinv.errors import InputError
from polyinv.instrument.expected import NUISANCES
from polyinv.mmd import LOG_M, mean_molar_masses
from polyinv.quantities import MMD
from polyinv.runtime.blocks import blocks
from polyinv.runtime.threads import one_thread
from polyinv.simulate.recipes import from_unit

MEASURED = ("mmd", RESIDUAL, "means")
"""Measured inputs, as limits are kept by them."""
ERRORS = "errors"
"""Stands beside them where something is known with an error: other limits hold than for a simulation."""
LIMITS = Path(__file__).with_name("limits.yaml")
"""Of butyl acrylate; other systems go by them unless they have limits of their own."""
FALSE_ALARMS = 0.05
"""Share of observations from inside the box that are not called inside."""
FAR = 0.005
"""Share of them that are called outside."""
KINDS = ("misfit", "stated", "Mn", "Mw", "roughness")
"""Deviations: of all that was fitted, of what is no curve alone (residual monomer, means without a curve, known values,
instrument), and of Mn and Mw from the curve they belong to, in standard deviations; and the noise itself, as one over a
number of chains."""
LEVELS = (3e-7, 1e-6, 5e-6)
"""Noise, as one over a number of chains, at which other limits begin to hold: the fewer chains, the less Gaussian."""
LEAST = (1.0, 1.0, 1.0, 1.0, 0.0)
"""Deviations of each kind that are none: those of the errors."""
BLUR = 0.005
"""Of ln Mn and ln Mw, by the 100 nodes of a curve."""
LEAST_NODES = 8
"""A curve that is populated at fewer is outside; those of the box span more than twenty."""
GRADES = ("inside", "edge", "outside")
BLOCK = 512
"""Rows that are fitted at once."""


@cache
def references(system: System) -> References:
    """Reference polymers of a system's box; a tenth of a second, once in a process."""
    with one_thread():
        return References(system)


def closest(observations: Observations) -> Fit:
    """Fit of the closest recipes to observations. That of a single one is kept: its posterior asks for it, too."""
    with one_thread():
        if len(observations) > 1:
            return fit(references(observations.system), observations)
        key = _identity(observations)
        if key not in _kept:
            _kept.clear()
            _kept[key] = fit(references(observations.system), observations)
        return _kept[key]


_kept: dict[Hashable, Fit] = {}


def _identity(observations: Observations) -> Hashable:
    """What a fit depends on."""
    given = (*(getattr(observations, name) for name in QUANTITIES), *observations.error_columns().values())
    return observations.system, observations.assumed, *(each.numpy().tobytes() for each in given)


@dataclass(frozen=True)
class Deviations:
    """Deviations of B observations from the polymers of the box.

    Args:
        fit: The closest recipes.
        kinds: Deviations of each kind, ``LEAST`` at least, (B, V); NaN where there is none.
        measured: The measured inputs of each observation, such as ``mmd+means`` or ``mmd+means+errors``: which limits
            hold, (B).
    """

    fit: Fit
    kinds: Tensor
    measured: list[str]

    @classmethod
    def of(cls, observations: Observations) -> "Deviations":
        """Deviations of B observations; known recipe values are held."""
        observed, found = observed_numbers(observations), closest(observations)
        # Nothing of the box makes a spike, and so few nodes can be fitted by anything.
        nodes = found.populated[:, CURVE].sum(-1)
        misfit = found.misfit
        misfit[(nodes < LEAST_NODES) & ~observed[:, CURVE].isnan().any(-1)] = torch.inf
        apart = _means_less_curve(observed, found.measured) - _means_less_curve(found.fitted, found.measured)
        apart = apart / (BLUR**2 + found.means_error.square()).sqrt()[:, None]
        kinds = torch.stack([misfit, found.misfit_beside_curve, *apart.abs().unbind(-1), found.noise], -1)
        given = observations.present[:, : len(MEASURED)]
        inputs = [
            "+".join([*itertools.compress(MEASURED, row), *([] if exact else [ERRORS])])
            for row, exact in zip(given.tolist(), observations.exact.tolist(), strict=True)
        ]
        return cls(found, kinds.clamp(min=torch.tensor(LEAST)), inputs)


def _means_less_curve(observed: Tensor, measured: Tensor) -> Tensor:
    """ln Mn and ln Mw less those of the curve where it was measured, (B, 2); its bins blur them a little, too."""
    kept = torch.where(measured | ~measured.any(-1, keepdim=True), observed[:, CURVE].clamp(min=0), 0.0)
    of_curve = np.log(np.stack(mean_molar_masses(kept.numpy()), -1))
    return observed[:, [MN, MW]] - torch.from_numpy(of_curve)


@cache
def limits(system: System) -> dict[str, dict[str, list[float]]]:
    """Limits of each kind by the inputs that are given, a list over the levels of noise; and ``far``, the distance from
    which on an observation is outside."""
    return yaml.safe_load(_limits_file(system).read_text(encoding="utf-8"))


def _limits_file(system: System) -> Path:
    file = LIMITS.parent / Path(system.limits or LIMITS.name).name
    if not file.is_file():
        known = ", ".join(sorted(path.name for path in LIMITS.parent.glob("*.yaml")))
        raise InputError(f"the system {system.name} has no limits {system.limits}; known: {known}")
    return file


def level(noise: Tensor) -> Tensor:
    """Level of noise (B,) that selects the limits, 0 to 3; 0 without a curve."""
    return torch.bucketize(noise.nan_to_num(0.0).contiguous(), torch.tensor(LEVELS).double())


def calibrate(kinds: Tensor) -> dict[str, list[float]]:
    """Calibrate limits on deviations (N, V) of observations from inside the box, for the stated false alarms.

    A tenth of the false alarms is left to the noise itself, which has one limit; the rest is shared equally by the
    other kinds at each level of noise.
    """
    noise, at = kinds[:, KINDS.index("roughness")], level(kinds[:, KINDS.index("roughness")])
    roughest = noise.nanquantile(1 - FALSE_ALARMS / 10).item()
    found: dict[str, list[float]] = {kind: [] for kind in (*KINDS, "far")}
    for number in range(len(LEVELS) + 1):
        rows = kinds[(at == number) & ~(noise > roughest)]
        limit = torch.tensor([*_limits(rows[:, :-1], 0.9 * FALSE_ALARMS), roughest])
        distance = (rows / limit).nan_to_num(0.0).amax(-1) if len(rows) else torch.ones(1)
        for kind, value in zip((*KINDS, "far"), [*limit.tolist(), distance.quantile(1 - FAR).item()], strict=True):
            found[kind].append(float(f"{value:.4g}"))
    return found


def _limits(kinds: Tensor, share: float) -> list[float]:
    """Limits (K,) of kinds (N, K) that the same share of rows exceeds in each kind, ``share`` of them in any."""
    if len(kinds) == 0:
        return list(LEAST[: kinds.shape[1]])
    low, high = 0.0, share
    limit = kinds.nanquantile(1 - share, dim=0)
    for _ in range(40):
        middle = (low + high) / 2
        limit = kinds.nanquantile(1 - middle, dim=0)
        low, high = (middle, high) if (kinds > limit).any(-1).double().mean() < share else (low, middle)
    return limit.tolist()


def assess(observations: Observations) -> pd.DataFrame:
    """Assess whether observations lie inside the domain; a known recipe value is believed.

    Returns:
        A line for each, under its label. ``applicability``: inside, edge or outside; ``distance``: the largest
        deviation over its limit, above 1 not inside; ``false_alarms``: share of observations from inside the box that
        get as far as 1; ``reason``: what deviates most, in words, empty inside; ``guess``: whether a known value or the
        residual monomer would fit in another unit, which the reason says then; ``closest_<value>``: the closest
        recipe of the box; ``nearest_<value>``: the nearest of the recipes that the box is sampled with.
    """
    parts = blocks(len(observations), BLOCK, "applicability domain")
    given = known_outside_box(observations)  # of all rows at once, which tell the unit together
    return pd.concat([_assess(observations[rows], given[rows]) for rows in parts])


def _assess(observations: Observations, given: list[str]) -> pd.DataFrame:
    table = _graded(observations, given)
    doubtful = zip(table["applicability"], given, strict=True)
    outside = torch.tensor([grade == "outside" and not known for grade, known in doubtful])
    for row, meant in enumerate(residual_meant(observations, outside, _graded)):
        if meant:
            said = f"{observations.system.residual} {observations.residual_monomer[row].item():g}, {meant}"
            table.iloc[row, [table.columns.get_loc(name) for name in ("reason", "guess")]] = [said, True]
    return table


def _graded(observations: Observations, given: list[str] | None = None) -> pd.DataFrame:
    """Assess a block of observations, of which it is known how known values lie outside the box, or none does."""
    given = [""] * len(observations) if given is None else given
    found, system = Deviations.of(observations), observations.system
    known = limits(system)
    at = level(found.kinds[:, KINDS.index("roughness")]).tolist()
    limits_of_rows = [
        {kind: values[row] for kind, values in known[inputs].items()}
        for inputs, row in zip(found.measured, at, strict=True)
    ]
    scale = torch.tensor([[each[kind] for kind in KINDS] for each in limits_of_rows])
    far = np.array([each["far"] for each in limits_of_rows])
    ratio = (found.kinds / scale).nan_to_num(0.0, posinf=torch.inf)
    distance, worst = (part.numpy() for part in ratio.max(-1))
    grade = np.where([bool(each) for each in given], 2, (distance > 1).astype(int) + (distance > far))
    table = pd.DataFrame({"applicability": np.array(GRADES)[grade], "distance": distance})
    table["false_alarms"] = FALSE_ALARMS if system.limits else np.nan  # unknown where limits are another system's
    table["guess"] = [GUESSED in each for each in given]
    table["reason"] = [
        given[row] or ("" if inside else _in_words(KINDS[kind], found.fit, row, system))
        for row, (inside, kind) in enumerate(zip(grade == 0, worst, strict=True))
    ]
    nearest = from_unit(references(system).unit[found.fit.nearest], system)
    for number, name in enumerate(system.targets):
        table[f"closest_{name}"] = found.fit.recipes[:, number].numpy()
        table[f"nearest_{name}"] = nearest[:, number].numpy()
    return table.set_axis(observations.labels)


def _in_words(kind: str, fit: Fit, row: int, system: System) -> str:
    """What of a row deviates, such as ``the MMD at log10 M 5.2 to 6.0``."""
    if kind in ("Mn", "Mw"):
        return f"{kind} against the MMD"
    if kind == "misfit" and fit.populated[row, CURVE].any() and fit.populated[row, CURVE].sum() < LEAST_NODES:
        return f"the MMD, {fit.populated[row, CURVE].sum()} nodes wide"
    deviation = (fit.deviation[row].square() * fit.populated[row]).numpy()
    scalars = {name: 0.0 for name in names_of_deviations(system) if name not in MMD}
    for name, square in zip(names_of_deviations(system), deviation, strict=False):
        if name in scalars:
            scalars[name] += square
    curve = deviation[CURVE]
    largest = max(scalars, key=lambda name: scalars[name])
    if kind == "stated" or (kind == "misfit" and scalars[largest] > curve.sum()):
        return f"the {largest}" if largest in NUISANCES else largest
    # The shortest piece of the curve that holds half of the misfit.
    total = np.concatenate([[0.0], curve.cumsum()])
    starts = np.arange(len(curve))
    ends = np.searchsorted(total, total[starts] + 0.5 * total[-1] - 1e-12)
    inside = ends <= len(curve)
    best = starts[inside][np.argmin((ends - starts)[inside])]
    place = f"the MMD at log10 M {LOG_M[best]:.1f} to {LOG_M[ends[best] - 1]:.1f}"
    return f"wriggles of {place}" if kind == "roughness" else place
