r"""Closed loop: does the predicted recipe, simulated, make the polymer that was observed?

Recipes far apart may make the same polymer, and then an error in the recipe is no error in the answer. So each
predicted recipe is simulated and its curve compared with the one that was observed. The distance of two curves is their
total variation, the share of the mass that would have to move [Gibbs and Su, *Int. Stat. Rev.* 70 (2002) 419],

.. math::
    d(w, w') = \tfrac{1}{2} \int |w - w'| \, \mathrm{d} \log_{10} M ,

0 for equal curves and 1 for curves that share nothing.

An observed curve is one reaction of a finite number of chains, and not even the true recipe repeats it. What it does
reach is the **floor**, the mean distance between two replicates of the true recipe; the **ratio** of the distance to
the floor is the score, and 1 is perfect. Like is compared with like: noise-free curves would come closer to the
observed one than a replicate does, by :math:`\sqrt 2`, and score better than the truth. The answer is therefore a
replicate of the predicted recipe, of the same number of chains at the horizon, and the distance is the mean over
several of them, so that what scatters is the observation alone. Where an instrument has errors, replicates are measured
with them, each with a calibration of its own. `polyinv.evaluation.simulated.METHODS` are what answers are made by:

- ``sampled`` draws the noise on top of the rate equations (`polyinv.simulate.sampling`), which stands for kinetic Monte
  Carlo (docs/explanation/simulators.md),
- ``kmc`` runs it, at about 0.4 s of one core a row and replicate: ask for fewer of them,
- ``deterministic`` compares with the smooth curve, and takes as its floor the mean distance between a replicate of the
  true recipe and the true smooth curve. It notices an error sooner: an error as large as the scatter of one replicate
  adds to one such scatter instead of two.

On the bundled reactions the true recipe scores a median of 0.98 (reactions of the grid) and 1.00 (off the grid) by
``sampled``, single rows 0.85 to 1.18 (5 to 95 %); a test asserts the medians. Whoever fits the noise of a curve as well
comes closer to it than the truth, and scores less. A recipe that no reactor could run, as networks extrapolate to, is
moved to the nearest one within `polyinv.evaluation.simulated.limits` and marked.
"""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.evaluation.simulated import REPLICATES, Settings, Store, physical, simulated_by_seeds, stream_of
from polyinv.instrument.errors import LEAST
from polyinv.instrument.measure import Draws
from polyinv.instrument.measure import observe as measure_rows
from polyinv.mmd import STEP, mean_molar_masses
from polyinv.runtime.blocks import blocks
from polyinv.runtime.threads import one_thread
from polyinv.simulate.snapshots import Snapshots, mapped

BLOCK = 512
"""Rows that are simulated and compared at once."""
MEASURED_REPLICATES = 8
"""The same of measured curves, whose instrument takes longer than their chains."""
CLOSE = 1.5
"""Ratio up to which an answer counts as close in a `summary`."""

log = logging.getLogger(__name__)


def distance(w: Tensor, other: Tensor) -> Tensor:
    """Total variation distance of curves (*, 100) of unit area on the nodes of `polyinv.mmd`; (*).

    Example:
        >>> w = torch.zeros(2, 100)
        >>> w[0, 50], w[1, 50:52] = 1 / STEP, 0.5 / STEP
        >>> float(distance(w[0], w[1]))
        0.5
    """
    return STEP / 2 * (w - other).abs().sum(-1)


@one_thread()
def closed_loop(
    recipes: Tensor,
    observations: Observations,
    true: Tensor | None = None,
    *,
    method: str = "sampled",
    chains: float = 1e6,
    horizon: float | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    store: Store = None,
) -> pd.DataFrame:
    """Simulate predicted recipes and compare what they make with what was observed.

    Args:
        recipes: Predicted, (B, V), in physical units.
        observations: What they were predicted from, B; recipe values in them are not looked at. Their system is
            simulated.
        true: True recipes, (B, V); where they are None or NaN the floor, and the initial monomer of the observed
            conversion, are those of the predicted recipe.
        method: One of `polyinv.evaluation.simulated.METHODS`.
        chains: Dead chains at the horizon, of the reaction that the observation comes from and of those simulated here.
            A measured curve has none: its ratio is in units of the noise of such a reaction.
        horizon: In s; the time that the number of chains refers to, by default the last one of the recipe box.
        replicates: Simulated answers, and replicates of the true recipe, to average over; 2 or more.
        seed: Of the random numbers. Each recipe has its own: a row scores the same alone and in any order (by ``kmc``
            only in its place).
        store: Folder in which finished reactions are kept and looked for; ``kmc`` alone takes long enough.

    Returns:
        A line for each observation, under its label.

        - ``distance``: between the observed and the simulated curve, mean over the simulated answers.
        - ``floor``: what the true recipe would reach; ``ratio``: distance over floor. All three are NaN without a
          whole curve, and all of the line without a recipe.
        - ``error_Mn``, ``error_Mw``: simulated less observed, relative to observed. Where no Mn (or Mw) was
          observed both are those of the curves.
        - ``error_conversion``: simulated less observed, NaN where no residual monomer was.
        - ``clamped``: whether a recipe had to be moved into its limits, or is NaN.

    Raises:
        InputError: The method is unknown, shapes do not fit, or a number cannot be.
    """
    system = observations.system
    _check_shapes((len(observations), len(system.targets)), recipes, true)
    if replicates < 2:
        raise InputError(f"replicates is {replicates}; a distance between replicates needs 2 or more")
    settings = Settings(chains, system.horizon if horizon is None else horizon, replicates, system, store)
    recipes, clamped = physical(recipes, system)
    reference = recipes
    if true is not None:
        true = true.detach().double().cpu()
        reference, moved = physical(torch.where(true.isnan().any(-1, keepdim=True), recipes, true), system)
        clamped = clamped | moved
    if clamped.any():
        log.warning(
            "%d of %d recipes cannot be simulated; the nearest that can stand for them",
            int(clamped.sum()),
            len(clamped),
        )
    loops = []
    # Kinetic Monte Carlo has a stream for each place in the list.
    for rows in blocks(len(recipes), max(1, len(recipes)) if method == "kmc" else BLOCK, "closed loop"):
        other = recipes[rows] if true is None else reference[rows]
        loops.append(_compared(recipes[rows], other, observations[rows], method, seed, true is None, settings))
    return pd.concat(loops).assign(clamped=clamped.numpy())


def _compared(
    recipes: Tensor,
    reference: Tensor,
    observations: Observations,
    method: str,
    seed: int,
    alike: bool,
    settings: Settings,
) -> pd.DataFrame:
    """Compare a block of answers with what was observed; ``alike`` where the reference is the answer itself."""
    observations = observations.to("cpu")
    if not observations.has_exact_curves:
        settings = replace(settings, replicates=min(settings.replicates, MEASURED_REPLICATES))
    if alike and method == "sampled":
        answer, replicates = simulated_by_seeds(recipes, method, [2 * seed, 2 * seed + 1], settings)
        floor = _between(_measured(replicates, observations, 2 * seed + 1).mmd)
    else:
        (answer,) = simulated_by_seeds(recipes, method, [2 * seed], settings)
        floor = _floor(reference, observations, method, 2 * seed + 1, settings)
    answer = _measured(answer, observations, 2 * seed)
    w = observations.mmd.contiguous()  # a sum depends on the layout, in its last bit
    curve = w / (w.sum(-1, keepdim=True) * STEP)  # NaN where one has a gap
    apart = distance(answer.mmd, curve[:, None]).mean(1)
    floor = torch.where(apart.isnan(), torch.nan, floor)
    reacted = 1 - answer.residual_monomer.mean(1) / recipes[:, 0]
    parts = {
        "distance": apart,
        "floor": floor,
        "ratio": apart / floor,
        **_errors_of_means(answer, curve, observations),
        "error_conversion": reacted - (1 - observations.residual_monomer / reference[:, 0]),
    }
    return pd.DataFrame({name: part.numpy() for name, part in parts.items()}, observations.labels)


def _check_shapes(expected: tuple[int, int], recipes: Tensor, true: Tensor | None) -> None:
    for name, part in {"predicted": recipes, "true": true}.items():
        if part is not None and part.shape != expected:
            raise InputError(
                f"{name} recipes of {expected[0]} observations need the shape {expected}, got {(*part.shape,)}"
            )


def _floor(recipes: Tensor, observations: Observations, method: str, seed: int, settings: Settings) -> Tensor:
    """Mean distance (B,) between replicates of the recipes, simulated by a method and measured like observations."""
    (made,) = simulated_by_seeds(recipes, method, [seed], settings)
    if method == "deterministic":
        (noisy,) = simulated_by_seeds(recipes, "sampled", [seed], settings)
        noisy, made = (_measured(each, observations, seed) for each in (noisy, made))
        return distance(noisy.mmd, made.mmd).mean(1)
    return _between(_measured(made, observations, seed).mmd)


def _measured(made: Snapshots, observations: Observations, seed: int) -> Snapshots:
    """Measure replicates (B, R) with the errors that each observation has, each with a calibration of its own."""
    if observations.has_exact_curves:
        return made
    rows, replicates = made.Mn.shape
    errors = observations.instrument_errors()
    errors |= {name: torch.zeros(rows, dtype=torch.float64) for name in LEAST if name not in errors}
    flat = mapped(made, lambda part: part.flatten(0, 1))
    known = ~flat.Mn.isnan()
    curves = torch.where(known[:, None], flat.mmd, torch.ones_like(flat.mmd))
    found = measure_rows(
        torch.ones(len(curves), 1, dtype=torch.float64),
        flat.residual_monomer,
        curves,
        {name: sd.repeat_interleave(replicates) for name, sd in errors.items()},
        # The same numbers for every row, so that it scores the same alone and among others.
        Draws.of(replicates, 1, torch.Generator().manual_seed(stream_of(seed))).repeated(rows),
        quantities=observations.system.recipe[:1],
        residual_name=observations.system.residual,
        means=(flat.Mn, flat.Mw),
    )
    mmd = torch.where(known[:, None], found.mmd, torch.nan)
    parts = replace(flat, mmd=mmd, Mn=found.Mn, Mw=found.Mw)
    return mapped(parts, lambda part: part.unflatten(0, (rows, replicates)))


def _between(replicates: Tensor) -> Tensor:
    """Mean distance (B,) between two of the replicates (B, R, 100)."""
    count = replicates.shape[1]
    # Of numbers in order, one after i others is added to i differences of two, and taken off in count - 1 - i.
    times = 2 * torch.arange(count, dtype=replicates.dtype) - (count - 1)
    ordered = torch.from_numpy(np.sort(replicates.numpy(), axis=1)).sum(-1)
    return STEP * (ordered * times).sum(-1) / (count * (count - 1))


def _errors_of_means(answer: Snapshots, curve: Tensor, observations: Observations) -> dict[str, Tensor]:
    """Relative errors of Mn and Mw, (B,) each."""
    of_curve, of_answer = (map(torch.from_numpy, mean_molar_masses(w.numpy())) for w in (curve, answer.mmd))
    errors = {}
    for name, seen, made in zip(("Mn", "Mw"), of_curve, of_answer, strict=True):
        given = getattr(observations, name)
        # Means of a curve are blurred by its bins: both sides by the same.
        made = torch.where(given.isnan(), made.mean(1), getattr(answer, name).mean(1))
        errors[f"error_{name}"] = made / torch.where(given.isnan(), seen, given) - 1
    return errors


def summary(loop: pd.DataFrame) -> pd.DataFrame:
    """Summarize the closed loop of many observations in one line of a table of models.

    Args:
        loop: Of `closed_loop`.

    Returns:
        ``rows`` that have a ratio; of them the median ``ratio``, its quartiles ``ratio_25`` and ``ratio_75``, and the
        share ``close``, with a ratio up to ``CLOSE``. Medians of the absolute ``error_Mn``, ``error_Mw`` and
        ``error_conversion`` where there is one. ``clamped`` counts the recipes that had to be moved.

    Example:
        >>> loop = pd.DataFrame({"ratio": [1.0, 1.2, 2.0], "error_Mn": [0.01, -0.02, 0.03], "clamped": False})
        >>> loop = loop.assign(error_Mw=0.0, error_conversion=float("nan"))
        >>> summary(loop)[["rows", "ratio", "close", "error_Mn"]].round(2).to_dict("records")
        [{'rows': 3, 'ratio': 1.2, 'close': 0.67, 'error_Mn': 0.02}]
    """
    ratio = loop["ratio"].dropna()
    line = {
        "rows": len(ratio),
        "ratio": ratio.median(),
        "ratio_25": ratio.quantile(0.25),
        "ratio_75": ratio.quantile(0.75),
        "close": (ratio <= CLOSE).mean(),
        **{name: loop[name].abs().median() for name in ("error_Mn", "error_Mw", "error_conversion")},
        "clamped": int(loop["clamped"].sum()),
    }
    return pd.DataFrame([line])
