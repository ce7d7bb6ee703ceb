"""Simulate recipes and write a table."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jsonargparse import Namespace

from polyinv.chemistry import DEFAULT, System, load_system
from polyinv.commands.jobs import add_engine, engine_of
from polyinv.commands.options import SYSTEM_HELP, command_parser
from polyinv.data.source import check_seed, check_simulation, simulate_table
from polyinv.data.table_checks import short
from polyinv.data.unit_checks import warn_of_units
from polyinv.data.workbook import check_new_table, read_table, unused_columns, write_table
from polyinv.errors import LISTED, InputError, naming, one_line
from polyinv.experiment.configuration import parse
from polyinv.reactions import MOST_ROWS, Shard, check_together, run_numbers
from polyinv.runtime.engines import LOCAL, Places, Wanted
from polyinv.runtime.progress import Advance, counted
from polyinv.runtime.threads import available_cores

OPTIONS = ("chains", "seed", "replicates", "horizon", "workers")
"""What a simulator may refuse besides the recipes."""
log = logging.getLogger("polyinv")


def simulate(arguments: list[str]) -> None:
    """Simulate a list of recipes, random ones, or the grid of a system, and write a table."""
    parser = command_parser("simulate", simulate)
    parser.add_argument("--method", default="sampled", help="deterministic, sampled, sampled_per_row or kmc")
    parser.add_argument("--chains", type=float, default=1e6, help="dead chains of each reaction at its horizon")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random numbers")
    parser.add_argument(
        "--recipes", type=str | None, help="table of recipes: cBA_0, cAIBN_0, temp, time, or those of the system"
    )
    parser.add_argument(
        "--random", type=int | None, help="simulate that many random recipes of the system's box, by --seed"
    )
    parser.add_argument("--replicates", type=int, default=1, help="independent simulations of each recipe")
    parser.add_argument("--system", default=DEFAULT, help=SYSTEM_HELP)
    parser.add_argument("--shard", type=str | None, metavar="I/N", help="only the I-th of N parts of the reactions")
    parser.add_argument("--out", type=str, required=True, help="new file, .xlsx, .csv or .npz")
    parser.add_argument(
        "--horizon",
        type=float | None,
        help="time in s that --chains refers to; the last snapshot of each reaction by default",
    )
    parser.add_argument("--workers", type=int | None, help="kmc, or --engine dask: how many at once")
    add_engine(parser)
    parser.add_argument("--allow-few", action="store_true", help="kmc: simulate volumes with too few radicals, too")
    config = parse(parser, arguments)
    out = check_new_table(config.out)
    if config.recipes is not None and config.random is not None:
        raise InputError("--recipes and --random both say what to simulate; give one of them")
    if config.random is not None and not 1 <= config.random <= MOST_ROWS:
        raise InputError(f"--random is {config.random}; needs 1 to {MOST_ROWS}")
    if not 1 <= config.replicates <= MOST_ROWS:
        raise InputError(f"--replicates is {config.replicates}; needs 1 to {MOST_ROWS}")
    engine = engine_of(config)
    shard = None if config.shard is None else Shard.parse(config.shard)
    if shard is not None and engine != LOCAL:
        raise InputError("--shard and --engine both divide the reactions; give one of them")
    system = load_system(config.system)
    recipes = _recipes(config, system)
    check_simulation(recipes, config.method, config.seed, config.replicates, system)
    run = run_numbers(recipes, system)
    total = (run.max() + 1) * config.replicates
    if shard is not None:
        check_together(run)
    reactions = shard.of(total) if shard else range(total)
    rows = len(recipes) / (run.max() + 1) * len(reactions)
    if rows > MOST_ROWS:
        raise InputError(f"{rows:.3g} rows; needs {MOST_ROWS:g} at most in one table: --shard I/N makes parts")
    options = _options_of_method(config)
    options |= {"method": config.method, "chains": config.chains, "seed": config.seed, "replicates": config.replicates}

    from polyinv.simulate.recipes import part_to_simulate

    simulated = len(part_to_simulate(config.method, reactions, total))
    with _finished_runs(out, config.method, engine) as store, counted("simulating", "reactions", simulated) as advance:
        with naming([] if config.recipes is None else [config.recipes], OPTIONS):
            if engine == LOCAL:
                table = simulate_table(recipes, system=system, shard=shard, progress=advance, **options | store)
            else:
                table = _simulated_on(
                    engine, recipes, store["store"], config.workers, advance, options | {"system": system}
                )
        log.info("writing %d rows of %d reactions to %s", len(table), len(reactions), out)
        write_table(table, out, system)


def _simulated_on(
    engine: Wanted, recipes: pd.DataFrame, store: Path, workers: int | None, advance: Advance, options: dict[str, Any]
) -> pd.DataFrame:
    """Simulate on an engine that is not this process."""
    from polyinv.data.in_parts import simulate_in_parts

    options.pop("workers", None)
    with engine.start(Places(workers or available_cores()), [store]) as started:
        log.info("%s", started.said)
        return simulate_in_parts(recipes, started, store, progress=advance, **options)


def _recipes(config: Namespace, system: System) -> pd.DataFrame:
    if config.recipes is not None:
        recipes = read_table(config.recipes, system.targets, system=system)
        warn_of_units(recipes, system, config.recipes)
        if unused := unused_columns(config.recipes, system.targets, system):
            log.info("%s: columns not used: %s", config.recipes, one_line(short(unused), LISTED))
        return recipes

    import torch

    from polyinv.simulate.recipes import grid, random_recipes

    if config.random is None:
        return grid(system)
    check_seed(config.seed)
    # Not the numbers of the noise: torch takes the low 32 bits of a seed only, so that arithmetic does not do.
    apart = int(np.random.SeedSequence([config.seed, 1]).generate_state(1)[0])
    generator = torch.Generator().manual_seed(apart)
    return pd.DataFrame(random_recipes(config.random, generator, system).numpy(), columns=list(system.targets))


def _options_of_method(config: Namespace) -> dict[str, Any]:
    known = {"deterministic": (), "kmc": ("horizon", "workers", "allow_few")}
    if config.engine != LOCAL.name:
        known = {method: (*known.get(method, ("horizon",)), "workers") for method in (*known, config.method)}
    options = {name: config[name] for name in ("horizon", "workers") if config[name] is not None}
    options |= {"allow_few": True} if config.allow_few else {}
    for name in options:
        if name not in known.get(config.method, ("horizon",)):
            raise InputError(f"--{name.replace('_', '-')} does not go with --method {config.method}")
    return options


@contextmanager
def _finished_runs(out: Path, method: str, engine: Wanted) -> Iterator[dict[str, Path]]:
    """Folder that keeps finished kinetic Monte Carlo reactions, or parts, until the table is written."""
    if method != "kmc" and engine == LOCAL:
        yield {}
        return

    from polyinv.simulate.run_store import kept_until_written

    with kept_until_written(out) as folder:
        yield {"store": folder}
