r"""Kinetic Monte Carlo: a small volume of the reactor, simulated event by event.

The kernel, and why it need not execute propagation, is `polyinv.simulate.gillespie`; the same written out plainly is
`polyinv.simulate.plain_montecarlo`. Here a reaction gets its control volume
(`polyinv.simulate.control_volume`), its random stream and a processor.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from polyinv.chemistry import Chemistry
from polyinv.errors import InputError, unknown
from polyinv.runtime.threads import MOST_THREADS, available_cores
from polyinv.simulate import gillespie
from polyinv.simulate.chain_lengths import spread
from polyinv.simulate.control_volume import Volumes, control_volumes, guard
from polyinv.simulate.fused import coefficients, started
from polyinv.simulate.gillespie import EVENTS
from polyinv.simulate.plain_montecarlo import run_plainly
from polyinv.simulate.radical_rates import COEFFICIENTS
from polyinv.simulate.run_store import RunStore
from polyinv.simulate.snapshots import Growth, Progress, Snapshots, silent

_STREAM = "polyinv-kmc-2"  # to be changed with anything that changes the result of a run; else stores would mix


@dataclass(frozen=True)
class EventCounts:
    """Event and radical counts of N kinetic Monte Carlo reactions.

    Args:
        events: Counts of each kind of event in the order of ``EVENTS``, whole numbers of shape (N, 14).
        S: Mean number of chain-end radicals over the reaction, shape (N,).
        Q: Mean number of mid-chain radicals over the reaction, shape (N,).
        per_molar: Molecules per mol/L in the control volume, shape (N,).
        monomer: Initial monomer molecules, whole, shape (N,).
        residual: Monomer molecules left at each time, whole, shape (N, T).
        live_units: Monomer units in live radicals at each time, whole, shape (N, T).
        live_chains: Live radicals at the end, whole, shape (N,).
        dead_chains: Dead chains at each time, whole, shape (N, T).
        dead_units: Monomer units in them, whole, shape (N, T).
    """

    events: Tensor
    S: Tensor
    Q: Tensor
    per_molar: Tensor
    monomer: Tensor
    residual: Tensor
    live_units: Tensor
    live_chains: Tensor
    dead_chains: Tensor
    dead_units: Tensor

    @property
    def elementary_events(self) -> Tensor:
        """Number of events that a simulation executing every propagation would have gone through, shape (N,)."""
        return self.events.sum(-1)

    def count(self, event: str) -> Tensor:
        """Number of events of one kind, shape (N,)."""
        if event not in EVENTS:
            raise unknown("event", event, EVENTS)
        return self.events[:, EVENTS.index(event)]


@dataclass(frozen=True)
class Runs:
    """Dead chains and event counts of N reactions. Replicate r of recipe b of R replicates has number b·R + r."""

    growth: Growth
    events: EventCounts


@dataclass(frozen=True)
class _Job:
    """Inputs of the simulation of one reaction."""

    k: np.ndarray
    fractions: np.ndarray
    per_molar: float
    molecules: np.ndarray
    times: np.ndarray
    longest: np.ndarray
    engine: str
    seed: int
    key: tuple[int, int]

    def inputs(self) -> tuple:
        return (_STREAM, *(getattr(self, field.name) for field in fields(self)))

    def stream(self) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.seed, spawn_key=self.key)


def _skip(job: _Job) -> dict[str, np.ndarray]:
    T, classes = len(job.times), len(job.longest) + 1
    result: dict[str, np.ndarray] = {name: np.zeros((T, classes), np.int64) for name in ("chains", "units")}
    result |= {"squares": np.zeros((T, classes)), "counts": np.zeros(len(EVENTS), np.int64), "radicals": np.zeros(2)}
    result |= {name: np.zeros(T, np.int64) for name in ("residual", "live_units", "live_chains")}
    state = job.stream().generate_state(4, np.uint64)
    gillespie.run(job.k, job.fractions, job.per_molar, job.molecules, job.times, job.longest, state, **result)
    return result


def _plain(job: _Job) -> dict[str, np.ndarray]:
    lengths, dead, residual, live_units, live_chains, counts, radicals = run_plainly(
        job.k, job.fractions, job.per_molar, job.molecules, job.times, np.random.default_rng(job.stream())
    )
    T, classes = len(job.times), len(job.longest) + 1
    interval = np.searchsorted(dead, np.arange(len(lengths)), side="right")
    place = interval * classes + np.searchsorted(job.longest, lengths)

    def classed(weights: np.ndarray) -> np.ndarray:
        return np.bincount(place, weights, minlength=T * classes).reshape(T, classes)

    chains, units, squares = (classed(lengths.astype(float) ** power) for power in range(3))
    return {
        "chains": chains.astype(np.int64),
        "units": units.astype(np.int64),
        "squares": squares,
        "counts": counts,
        "radicals": radicals,
        "residual": residual,
        "live_units": live_units,
        "live_chains": live_chains,
    }


ENGINES = {"skip": _skip, "plain": _plain}


def simulate_runs(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    *,
    chains: float,
    seed: int,
    replicates: int = 1,
    workers: int | None = None,
    horizon: float | None = None,
    store: Path | str | None = None,
    allow_few: bool = False,
    engine: str = "skip",
    first: int = 0,
    progress: Progress = silent,
) -> Runs:
    """Simulate reactions by kinetic Monte Carlo, in parallel and longest first.

    Every reaction draws from a random stream of its own, made from ``seed``, its place in the list and its replicate:
    the result does not depend on ``workers``, nor on whether reactions were taken from the store.

    Args:
        conditions: (B, 3 + E), monomer and initiator in mol/L, temperature in °C, then other concentrations.
        times: (B, T) in s, ascending along T.
        chemistry: Its range is not checked here: outside it the coefficients extrapolate.
        chains: Dead chains wanted in the volume at the horizon, as the rate equations have it.
        seed: Whole and not negative.
        replicates: Independent reactions of each recipe.
        workers: Threads, no more than 1000; None takes one for every processor.
        horizon: In s; None takes the last time of each reaction.
        store: Folder in which finished reactions are kept and looked for.
        allow_few: Run with fewer than two live radicals on average.
        engine: Key of ``ENGINES``.
        first: Number of the first of these reactions in a larger table.
        progress: Called with the number of reactions just done.

    Warns:
        FewRadicals: As of `guard`.

    Raises:
        InputError: Something that cannot be, or a volume with too few radicals, as of `guard`.

    Example:
        >>> from polyinv.chemistry import BUTYL_ACRYLATE
        >>> run = torch.tensor([[1.0, 0.02, 70.0]], dtype=torch.float64)
        >>> runs = simulate_runs(run, torch.tensor([[20.0]]), BUTYL_ACRYLATE, chains=6e4, seed=0)
        >>> bool(runs.events.residual[0, 0] + runs.events.live_units + runs.events.dead_units == runs.events.monomer)
        True
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    for name, value, least in (
        ("seed", seed, 0),
        ("replicates", replicates, 1),
        ("workers", 1 if workers is None else workers, 1),
    ):
        if value != int(value) or not least <= value < 2**63:
            raise InputError(f"{name} is {value}; needs a whole number from {least}")
    volumes = control_volumes(conditions, times, chemistry, chains=chains, horizon=horizon)
    guard(volumes, conditions, chains, allow_few=allow_few)
    jobs = list(_jobs(conditions, times, chemistry, volumes, replicates, engine, int(seed), first))
    effort = volumes.effort.repeat_interleave(replicates)
    kept = RunStore(store) if store is not None else None
    results = _run_all(jobs, effort.argsort(descending=True).tolist(), kept, workers, progress)
    _, shares = spread(chemistry.monomer_molar_mass)
    monomer = conditions.detach().double().cpu()[:, 0].repeat_interleave(replicates)
    return _collected(jobs, results, monomer, shares)


def _jobs(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    volumes: Volumes,
    replicates: int,
    engine: str,
    seed: int,
    first: int,
) -> Iterator[_Job]:
    conditions, ends = conditions.detach().double().cpu(), times.detach().double().cpu().numpy()
    numbers = coefficients(chemistry, conditions).detach().numpy()
    k, fractions = np.split(numbers, [COEFFICIENTS.index("f")], axis=1)
    longest, _ = spread(chemistry.monomer_molar_mass)
    molecules = (volumes.per_molar[:, None] * started(chemistry, conditions)).round().long().numpy()
    for run, per_molar in enumerate(volumes.per_molar.tolist()):
        for replicate in range(replicates):
            of_run = (k[run], fractions[run], per_molar, molecules[run], ends[run], longest)
            yield _Job(*of_run, engine=engine, seed=seed, key=(first + run, replicate))


def _run_all(
    jobs: list[_Job], order: list[int], store: RunStore | None, workers: int | None, progress: Progress
) -> list[dict[str, np.ndarray]]:
    def work(job: _Job) -> dict[str, np.ndarray]:
        result = store.read(job.inputs()) if store else None
        if result is None:
            result = ENGINES[job.engine](job)
            if store:
                store.write(job.inputs(), result)
        return result

    results: list[dict[str, np.ndarray]] = [{} for _ in jobs]
    pool = ThreadPoolExecutor(min(workers or available_cores(), MOST_THREADS))
    try:
        places = {pool.submit(work, jobs[place]): place for place in order}
        for future in as_completed(places):
            results[places[future]] = future.result()
            progress(1)
    finally:  # a run under way cannot be stopped; whoever interrupts need not wait for it
        pool.shutdown(wait=False, cancel_futures=True)
    return results


def _collected(jobs: list[_Job], results: list[dict[str, np.ndarray]], monomer: Tensor, shares: np.ndarray) -> Runs:
    stacked = {name: torch.from_numpy(np.stack([result[name] for result in results])) for name in results[0]}
    molecules = torch.tensor([int(job.molecules[0]) for job in jobs])
    # Molecules are whole: this scale, not the nominal volume, makes monomer and units add up to cBA_0.
    molar = (monomer / molecules)[:, None]
    # Reaction by reaction: the last bit of a product of matrices depends on how many rows there are.
    each = (np.stack([result[name] @ shares for result in results]) for name in ("chains", "units", "squares"))
    chains, units, squares = (torch.from_numpy(part) * molar[..., None] for part in each)
    duration = torch.tensor([float(job.times[-1]) for job in jobs], dtype=torch.float64)
    events = EventCounts(
        events=stacked["counts"],
        S=stacked["radicals"][:, 0] / duration,
        Q=stacked["radicals"][:, 1] / duration,
        per_molar=torch.tensor([job.per_molar for job in jobs], dtype=torch.float64),
        monomer=molecules,
        residual=stacked["residual"],
        live_units=stacked["live_units"],
        live_chains=stacked["live_chains"][:, -1],
        dead_chains=stacked["chains"].sum(-1).cumsum(-1),
        dead_units=stacked["units"].sum(-1).cumsum(-1),
    )
    return Runs(Growth(stacked["residual"] * molar, chains, units, squares), events)


def simulate(
    conditions: Tensor,
    times: Tensor,
    chemistry: Chemistry,
    *,
    chains: float = 1e6,
    seed: int = 0,
    horizon: float | None = None,
    workers: int | None = None,
    store: Path | str | None = None,
    allow_few: bool = False,
    first: int = 0,
    progress: Progress = silent,
) -> Snapshots:
    """Simulate B reactions at T times each by kinetic Monte Carlo. Arguments as of `simulate_runs`.

    Raises:
        InputError: As of `simulate_runs`, or a snapshot holds no dead chain.
    """
    runs = simulate_runs(
        conditions,
        times,
        chemistry,
        chains=chains,
        seed=seed,
        horizon=horizon,
        workers=workers,
        store=store,
        allow_few=allow_few,
        first=first,
        progress=progress,
    )
    bare = (runs.events.dead_chains == 0).any(-1)
    if bare.any():
        run = int(bare.nonzero()[0])
        raise InputError(
            f"reaction {run + 1}: no chain has died by its first snapshot at {times[run, 0]:g} s; needs more chains"
        )
    return runs.growth.cumulated().snapshots(chemistry)
