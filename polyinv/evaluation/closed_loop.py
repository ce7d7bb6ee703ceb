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
with them, each with a calibration of its own. ``METHODS`` names what an answer is simulated by:

- ``sampled`` draws the noise on top of the rate equations (`polyinv.simulate.sampling`), which stands for kinetic Monte
  Carlo (docs/explanation/simulators.md),
- ``kmc`` runs it, at about 0.4 s of one core a row and replicate: ask for fewer of them,
- ``deterministic`` compares with the smooth curve, and takes as its floor the mean distance between a replicate of the
  true recipe and the true smooth curve. It notices an error sooner: an error as large as the scatter of one replicate
  adds to one such scatter instead of two.

On the bundled reactions the true recipe scores a median of 0.98 (reactions of the grid) and 1.00 (off the grid) by
``sampled``, single rows 0.85 to 1.18 (5 to 95 %); a test asserts the medians. Whoever fits the noise of a curve as well
comes closer to it than the truth, and scores less. A recipe that no reactor could run, as networks extrapolate to, is
moved to the nearest one within ``LIMITS`` and marked.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from polyinv.chemistry import DEFAULT, AnySystem, Chemistry, System, load_system
from polyinv.data.observations import Observations
from polyinv.errors import InputError, unknown
from polyinv.instrument.errors import LEAST
from polyinv.instrument.measure import Draws
from polyinv.instrument.measure import observe as measure_rows
from polyinv.mmd import STEP, mean_molar_masses
from polyinv.runtime.blocks import blocks
from polyinv.runtime.progress import counted
from polyinv.runtime.threads import one_thread
from polyinv.simulate import solvers
from polyinv.simulate.fluctuations import fluctuations
from polyinv.simulate.recipes import box
from polyinv.simulate.sampling import check_chains, draw
from polyinv.simulate.snapshots import Growth, Snapshots, check_growth, concatenate, mapped

REPLICATES = 32
"""Simulated answers, and replicates of the true recipe, whose distances are averaged: the floor of a row then scatters
by 3 %, and by 6 % with eight."""
BLOCK = 512
"""Rows that are simulated and compared at once."""
DRAWN = 64
"""Recipes whose replicates are drawn at once: they stay in a processor's cache."""
MEASURED_REPLICATES = 8
"""The same of measured curves, whose instrument takes longer than their chains."""
CLOSE = 1.5
"""Ratio up to which an answer counts as close in a `summary`."""

Store = Path | str | None
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


def limits(system: System) -> tuple[Tensor, Tensor]:
    """What is simulated at the least and at most, (V,) each: far beyond the box, yet a polymerization at every corner.

    At 70 °C above the box the initiator would be gone before the first step of `fluctuations`; of a run of 1e6 chains
    at its horizon some thousand have been made after a thirtieth of the first time.
    """
    low, high = box(system)
    least, most = low / 50, high * 7 / 3  # butyl acrylate in bulk is 7.0 mol/L
    least[1], most[1] = low[1] / 250, 25 * high[1]
    least[2], most[2] = low[2] - 40, high[2] + 40
    least[-1], most[-1] = low[-1] / 30, 10 * high[-1]
    return least, most


def physical(recipes: Tensor, system: AnySystem = DEFAULT) -> tuple[Tensor, Tensor]:
    """The nearest recipes (B, V) within `limits`, float64, and which rows (B,) were not there; NaN is left.

    Example:
        >>> physical(torch.tensor([[-0.5, 0.01, 70.0, 600.0], [1.0, 0.01, 70.0, 600.0]]).double())[1].tolist()
        [True, False]
    """
    low, high = limits(load_system(system))
    recipes = recipes.detach().double().cpu()
    within = recipes.clamp(low, high)  # NaN passes through, and differs from itself
    return within, (within != recipes).any(-1)


@dataclass(frozen=True)
class Settings:
    """What recipes are simulated with, whatever the method; see `simulated`."""

    chains: float
    horizon: float
    replicates: int
    system: System
    store: Store

    @property
    def chemistry(self) -> Chemistry:
        """That of the system."""
        return self.system.chemistry

    def checked(self) -> "Settings":
        """The settings, with replicates as a whole number.

        Raises:
            InputError: A number cannot be.
        """
        if self.replicates != int(self.replicates) or self.replicates < 1:
            raise InputError(f"replicates is {self.replicates}; needs a whole number from 1")
        if not 0 < self.horizon < float("inf"):
            raise InputError(f"horizon is {self.horizon:g} s; needs a positive number")
        check_chains(self.chains)
        return replace(self, replicates=int(self.replicates))


def _smooth(recipes: Tensor, horizon: float, chemistry: Chemistry) -> tuple[Growth, Tensor]:
    """Simulate growth until the snapshot as one interval, (B, 1), and dead chains in mol/L at the horizon, (B,).

    A predicted time may lie beyond the horizon, which still fixes the volume.
    """
    conditions, time = recipes[:, :-1], recipes[:, -1:]
    times = torch.cat([time.clamp(max=horizon), time.clamp(min=horizon)], dim=-1)
    growth = solvers.grow(conditions, times, chemistry).cumulated()
    check_growth(growth, conditions)
    rows, late = torch.arange(len(recipes)), (time[:, 0] > horizon).long()
    return mapped(growth, lambda part: part[rows, late][:, None]), growth.chains.sum(-1)[rows, 1 - late]


def _deterministic(recipes: Tensor, seeds: Sequence[int], settings: Settings) -> list[Snapshots]:
    return [solvers.simulate(recipes[:, :-1], recipes[:, -1:], settings.chemistry)] * len(seeds)


def _sampled(recipes: Tensor, seeds: Sequence[int], settings: Settings) -> list[Snapshots]:
    replicates, chemistry = settings.replicates, settings.chemistry
    growth, made = _smooth(recipes, settings.horizon, chemistry)
    scatter = fluctuations(recipes[:, :-1], recipes[:, -1:], chemistry)

    def drawn(rows: Tensor, seed: int) -> Snapshots:
        """Draw the replicates of some of the recipes, each recipe from a stream of its own."""
        streams = [torch.Generator().manual_seed(_stream(seed, recipe)) for recipe in recipes[rows].tolist()]
        many = rows.repeat_interleave(replicates)
        volume = settings.chains / made[many]
        noisy = draw(growth[many], scatter[many], recipes[many, 0], volume=volume, generator=streams)
        return _by_recipe(noisy, replicates, chemistry)

    parts = torch.arange(len(recipes)).split(DRAWN)
    return [concatenate([drawn(rows, seed) for rows in parts]) for seed in seeds]


def _kmc(recipes: Tensor, seeds: Sequence[int], settings: Settings) -> list[Snapshots]:
    from polyinv.simulate.montecarlo import simulate_runs

    (seed,) = seeds
    with counted("simulating", "reactions", len(recipes) * settings.replicates) as advance:
        made = simulate_runs(
            recipes[:, :-1],
            recipes[:, -1:],
            settings.chemistry,
            chains=settings.chains,
            horizon=settings.horizon,
            seed=_stream(seed),
            replicates=settings.replicates,
            store=settings.store,
            allow_few=True,  # it warns
            progress=advance,
        )
    return [_by_recipe(made.growth, settings.replicates, settings.chemistry)]


METHODS: dict[str, Callable[..., list[Snapshots]]] = {"sampled": _sampled, "deterministic": _deterministic, "kmc": _kmc}
"""What answers are simulated by. Each takes recipes (B, V), seeds (``kmc`` a single one) and `Settings`, and gives
replicates for each seed."""


def _stream(seed: int, recipe: Sequence[float] | Tensor = ()) -> int:
    """Seed of a random stream for each recipe, so that a row scores the same alone and among others.

    No simulated data set has it: a replicate that shares the random numbers of the observation would have no distance
    from it. Six digits: the last bits of a prediction depend on the batch.
    """
    said = " ".join(["closed loop", str(seed), *(f"{value:.5e}" for value in recipe)])
    return int.from_bytes(sha256(said.encode()).digest()[:7], "big")


def _by_recipe(made: Growth, replicates: int, chemistry: Chemistry) -> Snapshots:
    """Reshape reactions (B·R, 1) to snapshots (B, R)."""
    return mapped(made.snapshots(chemistry), lambda part: part.reshape(-1, replicates, *part.shape[2:]))


@one_thread()
def simulated(
    recipes: Tensor,
    *,
    method: str = "sampled",
    chains: float = 1e6,
    horizon: float | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    system: AnySystem = DEFAULT,
    store: Store = None,
) -> Snapshots:
    """Simulate predicted recipes, for the closed loop and for pictures.

    Args:
        recipes: (B, V), taken to the nearest within `limits`; a row with NaN gives NaN.
        method: One of ``METHODS``.
        chains: Dead chains of a reaction at the horizon.
        horizon: In s; the time that the number of chains refers to, by default the last one of the recipe box.
        replicates: R reactions of each recipe.
        seed: Of the random numbers.
        system: What is polymerized, as `polyinv.chemistry.load_system` takes it.
        store: Folder in which finished reactions are kept and looked for; ``kmc`` alone takes long enough.

    Returns:
        Curves (B, R, 100) and scalars (B, R): the replicates stand in the place of the times. ``deterministic`` has
        one of each.

    Raises:
        InputError: The method is unknown, or a number cannot be.
    """
    system = load_system(system)
    settings = Settings(chains, system.horizon if horizon is None else horizon, replicates, system, store)
    return _simulated(recipes, method, [seed], settings)[0]


def _simulated(recipes: Tensor, method: str, seeds: Sequence[int], settings: Settings) -> list[Snapshots]:
    """Simulate recipes as `simulated` does, for each of some seeds; what has no noise is computed once."""
    if method not in METHODS:
        raise unknown("method of a closed loop", method, METHODS)
    settings = settings.checked()
    recipes, _ = physical(recipes, settings.system)
    known = ~recipes.isnan().any(-1)
    possible = torch.where(known[:, None], recipes, sum(box(settings.system)) / 2)

    def blanked(part: Tensor) -> Tensor:
        return torch.where(known.reshape(-1, *[1] * (part.ndim - 1)), part, torch.nan)

    return [mapped(snapshots, blanked) for snapshots in METHODS[method](possible, seeds, settings)]


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
        method: One of ``METHODS``.
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
        - ``clamped``: whether a recipe had to be moved into `limits`, or is NaN.

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
        answer, replicates = _simulated(recipes, method, [2 * seed, 2 * seed + 1], settings)
        floor = _between(_measured(replicates, observations, 2 * seed + 1).mmd)
    else:
        (answer,) = _simulated(recipes, method, [2 * seed], settings)
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
    (made,) = _simulated(recipes, method, [seed], settings)
    if method == "deterministic":
        (noisy,) = _simulated(recipes, "sampled", [seed], settings)
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
        Draws.of(replicates, 1, torch.Generator().manual_seed(_stream(seed))).repeated(rows),
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
