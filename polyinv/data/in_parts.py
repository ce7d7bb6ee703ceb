"""Tables simulated in parts by other processes or machines; joined, they are bit for bit the table of one call."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyinv import __version__
from polyinv.chemistry import System, load_system
from polyinv.data.source import check_simulation, simulate_table
from polyinv.errors import InputError
from polyinv.quantities import MMD
from polyinv.reactions import check_together, run_numbers
from polyinv.runtime.engines import Engine

if TYPE_CHECKING:
    from polyinv.simulate.run_store import RunStore

KMC_PARTS = 200
"""Parts that kinetic Monte Carlo reactions are divided into; each finished reaction is kept, so that a lost part costs
those under way."""

log = logging.getLogger(__name__)


def simulate_in_parts(
    recipes: pd.DataFrame,
    engine: Engine,
    store: Path,
    *,
    replicates: int,
    system: System,
    progress: Callable[[int], None],
    **options: Any,
) -> pd.DataFrame:
    """Simulate recipes on an engine, as `polyinv.data.source.simulate_table` does in this process.

    Args:
        recipes: N rows, those of each reaction together.
        engine: What runs the parts.
        store: Folder that all machines see, for the recipes and finished parts; what an earlier call has left there is
            not simulated again.
        replicates, system: See `simulate_table`.
        progress: Called with the number of reactions just done.
        options: Others of `simulate_table`; ``method`` and ``seed`` among them.

    Raises:
        InputError: A part failed.
    """
    import torch

    from polyinv.simulate.run_store import RunStore

    check_simulation(recipes, options["method"], options["seed"], replicates, system)
    run = run_numbers(recipes, system)
    check_together(run)
    kept, values = RunStore(store), recipes[list(system.targets)].to_numpy(dtype=float)
    for line in system.outside(torch.from_numpy(values.copy())):
        log.warning(line)
    kept.write(("recipes", values), {"recipes": values})
    options |= {"replicates": replicates, "system": system.stored}
    parts = parts_of(options["method"], int(run.max() + 1) * replicates)
    keys = {str(part): _key(values, part, system, options) for part in parts}
    left = {str(part): part for part in parts if not kept.path(keys[str(part)]).is_file()}
    progress(sum(len(part) for part in parts if str(part) not in left))
    jobs = {name: (store, kept.path(("recipes", values)), keys[name], part, options) for name, part in left.items()}
    warned: list[str] = []
    with closing(engine.work(simulate_part, jobs)) as outcomes:
        for outcome in outcomes:
            if outcome.error is not None:
                raise InputError(f"reactions {outcome.name}: {outcome.error}")
            warned += outcome.value
            progress(len(left[outcome.name]))
    if warned:
        log.warning("%s%s", warned[0], f"; {len(warned) - 1} more of the kind" if len(warned) > 1 else "")
    columns = [*system.scalars, *MMD]
    found = np.concatenate([_read(kept, keys[str(part)]) for part in parts])
    table = pd.concat([recipes[list(system.targets)]] * replicates, ignore_index=True)
    return pd.concat([table, pd.DataFrame(found, columns=columns)], axis=1)


def simulate_part(
    store: Path, recipes: Path, key: tuple[Any, ...], part: range, options: Mapping[str, Any]
) -> list[str]:
    """Simulate the reactions of one part, and keep its rows in the store; returns what was warned of."""
    import torch

    from polyinv.simulate.run_store import RunStore

    torch.set_num_threads(1)
    system = load_system(options["system"])
    with np.load(recipes, allow_pickle=False) as file:
        table = pd.DataFrame(file["recipes"], columns=list(system.targets))
    more: dict[str, Any] = {"store": store, "workers": 1} if options["method"] == "kmc" else {}
    with _silent_but_for_warnings() as warned:
        found = simulate_table(table, shard=part, **options, **more)
    RunStore(store).write(key, {"values": found[[*system.scalars, *MMD]].to_numpy()})
    return [str(each.message) for each in warned]


@contextmanager
def _silent_but_for_warnings() -> "Iterator[list[warnings.WarningMessage]]":
    """Collect Python's warnings inside the block; what is logged is of the whole table, and told once by the caller."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield caught
    finally:
        logging.disable(logging.NOTSET)


def parts_of(method: str, total: int) -> list[range]:
    """Divide reactions into parts that do not cut a block of one random stream.

    Example:
        >>> parts_of("kmc", 5)
        [range(0, 1), range(1, 2), range(2, 3), range(3, 4), range(4, 5)]
        >>> parts_of("sampled", 20_000)
        [range(0, 16384), range(16384, 20000)]
    """
    from polyinv.simulate.solvers import BLOCK

    size = -(-total // KMC_PARTS) if method == "kmc" else BLOCK
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


def _key(recipes: np.ndarray, part: range, system: System, options: Mapping[str, Any]) -> tuple[Any, ...]:
    """All that decides the rows of a part."""
    said = sorted((name, repr(value)) for name, value in options.items() if name != "system")
    return ("part", __version__, system.fingerprint, recipes, part.start, part.stop, str(said))


def _read(store: "RunStore", key: tuple[Any, ...]) -> np.ndarray:
    found = store.read(key)
    assert found is not None
    return found["values"]
