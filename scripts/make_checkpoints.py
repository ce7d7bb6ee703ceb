"""Make the released networks again: python scripts/make_checkpoints.py FOLDER, about two hours of two cores.

Trains each of ``RELEASED``, scores it off the grid and on the by_recipe test rows of five split seeds of the bundled
grid, none of which it has seen, and writes FOLDER/NAME with the model, its configuration, its scores and a card. A
killed call goes on where it was; the runs are kept in runs/checkpoints.
"""

import argparse
import logging
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

import polyinv
from polyinv import __version__
from polyinv.chemistry import DEFAULT, System
from polyinv.data.features import MISSING_INPUTS, WITH_CHAINS, WITH_ERRORS
from polyinv.data.patterns import every_pattern, named_patterns
from polyinv.data.source import DataConfig, load_off_grid, load_table
from polyinv.data.splits import split_rows
from polyinv.domain.expectations import FILE
from polyinv.evaluation import ENSEMBLE
from polyinv.experiment.configuration import read_experiment
from polyinv.experiment.experiment import Experiment
from polyinv.experiment.run import run
from polyinv.instrument.errors import LEVELS
from polyinv.models.card import seal
from polyinv.runtime.files import written

CONFIGS = Path(__file__).parents[1] / "configs"
RUNS = Path("runs/checkpoints")
RELEASED = {
    "conditional": ("conditional.yaml", WITH_ERRORS, DEFAULT),
    "mlp": ("mlp.yaml", "composite", DEFAULT),
    "cnn": ("cnn.yaml", "composite", DEFAULT),
    "mlp-mmd": ("mlp.yaml", "mmd", DEFAULT),
    "conditional_methyl_methacrylate": ("conditional_small.yaml", WITH_ERRORS, "methyl_methacrylate"),
    "conditional_styrene": ("conditional_small.yaml", WITH_ERRORS, "styrene"),
    "posterior": ("posterior.yaml", WITH_CHAINS, DEFAULT),
    "posterior_methyl_methacrylate": ("posterior_small.yaml", WITH_CHAINS, "methyl_methacrylate"),
    "posterior_styrene": ("posterior_small.yaml", WITH_CHAINS, "styrene"),
}
"""Configuration, features and system of each."""
GOES_ON = {"conditional": ("conditional_exact.yaml", "conditional_last.yaml"), "posterior": ("posterior_last.yaml",)}
"""Configurations by which the training of some goes on, each behind all before it, from the networks before."""
STARTS = {name: name.replace("posterior", "conditional") for name in RELEASED if name.startswith("posterior")}
"""Released networks that some begin with."""
SEEDS = range(42, 47)
EVALUATED_ON = {
    "table": "off_grid: 1000 kinetic Monte Carlo reactions at random recipes; by_recipe: the test rows of the bundled "
    "grid, split seeds 42 to 46",
    "grid": "off_grid: 1000 random recipes; by_recipe: the test rows of the grid, split seeds 42 to 46; both simulated "
    "by the rate equations with the noise of 1e6 chains",
}
"""By the source of the grid of a system."""


def experiments(name: str) -> dict[Path, Experiment]:
    """What a released network is the result of, by the run folder: experiments, each of which goes on from the last.

    Those that go on can be read only when the one before is there.
    """
    file, features, system = RELEASED[name]
    given, files = {"features": features, "data.system": system}, [CONFIGS / file]
    if name in STARTS:
        given["init"] = f"checkpoints/{STARTS[name]}"
    folder = RUNS / name
    found = {folder: read_experiment(files, given)}
    for number, more in enumerate(GOES_ON.get(name, ()), start=2):
        if not (folder / "model").is_dir():
            break
        files, start = [*files, CONFIGS / more], {"init": str(folder / "model")}
        folder = RUNS / f"{name}_{number}"
        found[folder] = read_experiment(files, given | start)
    return found


def last(name: str) -> tuple[Path, Experiment]:
    """Run folder and experiment that the network is of in the end."""
    return list(experiments(name).items())[-1]


def train(name: str) -> float:
    """Train one network unless it is there; returns the CPU seconds of it and keeps them beside the runs."""
    logging.basicConfig(level=logging.INFO, format=f"{name}: %(message)s", force=True)
    seconds, done = 0.0, 0
    while len(runs := list(experiments(name).items())) > done:
        folder, whole = runs[done]
        start, clock = time.process_time(), folder.with_name(f"{folder.name}.seconds")
        run(whole, folder, resume=True)
        if not clock.exists():
            clock.write_text(f"{time.process_time() - start:.1f}\n", encoding="utf-8")
        seconds, done = seconds + float(clock.read_text(encoding="utf-8")), done + 1
    return seconds


def patterns(name: str) -> tuple[str, ...]:
    """Patterns of inputs that a network answers from: its features, or of a conditional one those of its config."""
    whole = last(name)[1]
    if whole.features not in MISSING_INPUTS:
        return (whole.features,)
    return named_patterns(whole.data.patterns, whole.data.of)


def scores(name: str) -> pd.DataFrame:
    """Tidy scores off the grid, and on the by_recipe test rows of each split seed."""
    from polyinv.data.observations import Observations
    from polyinv.evaluation.metrics import score_members

    model = polyinv.load(last(name)[0]).model
    system = model.system
    grid, parts = load_table(DataConfig(_grid_of(system), system=system.stored)), []
    tests = {("off_grid", 0): load_off_grid(system)}
    for seed in SEEDS:
        tests["by_recipe", seed] = grid.iloc[split_rows(grid, "by_recipe", seed, system=system).test]
    for (subset, seed), table in tests.items():
        rows = Observations.from_table(table, system)
        for features in patterns(name):
            given = rows.masked(features) if model.conditional else rows
            members = model.predict_members(given.x(model.columns))
            parts.append(
                score_members(rows.recipe, members, system).assign(features=features, subset=subset, seed=seed)
            )
    return pd.concat(parts)[["features", "subset", "seed", "member", "target", "metric", "value"]]


def _grid_of(system: System) -> str:
    return "table" if "grid" in system.bundled else "grid"


def r2_of(of: pd.DataFrame) -> dict[str, dict[str, str]]:
    """R² of each target as a card gives it, from scores on one set of features."""
    r2 = of[of["metric"] == "r2"].set_index(["subset", "member", "target"])["value"].sort_index()
    members = [member for member in of["member"].unique() if member != ENSEMBLE]

    def line(target: str) -> dict[str, str]:
        single = r2["off_grid"][members or [ENSEMBLE]].xs(target, level="target")
        split = r2["by_recipe", ENSEMBLE, target]
        return {
            "off_grid": f"{r2['off_grid', ENSEMBLE, target].item():.3f}",
            **({"off_grid_members": f"{single.mean():.3f} ± {single.std():.4f}"} if members else {}),
            "by_recipe": f"{split.mean():.3f} ± {split.std():.3f}",
        }

    targets = [target for target in of["target"].unique() if target != "global"]
    return {target: line(target) for target in (*targets, "global")}


def card(name: str, seconds: float, of: pd.DataFrame) -> dict[str, Any]:
    """What a network says about itself."""
    file, features, _ = RELEASED[name]
    whole = last(name)[1]
    system, initiator = whole.data.of, whole.data.of.targets[1]
    simulated, members = whole.data.simulated, max(1, of["member"].nunique() - 1)
    volume = " to ".join(f"{end:.0e}" for end in sorted(set(simulated.chains)))
    r2 = {pattern: r2_of(of[of["features"] == pattern]) for pattern in patterns(name)}
    curves = f"; {simulated.exported:.0%} of the curves as instruments export them" if simulated.exported else ""
    if features in (WITH_ERRORS, WITH_CHAINS):
        curves += "; measured with errors from none to those of polyinv.instrument.errors.TRAINED, which are told"
    kind, what, ridge = (
        "",
        f"answer from the features {features!r}",
        f"one observation hardly tells {initiator} (see r2)",
    )
    if features in MISSING_INPUTS:
        kind, what = "a conditional model: ", "answer the recipe from any pattern of missing inputs"
        ridge = f"what can be told from which inputs: {FILE}"
    if features == WITH_CHAINS:
        curves += f", as is the number of chains in {simulated.told:.0%} of the rows"
        kind, what = (
            "a posterior model: ",
            "answer any pattern of missing inputs with the density of the recipes that fit",
        )
    are = f"{members} networks that {what}, and the mean of their answers" if members > 1 else f"a network to {what}"
    return {
        "what": f"{kind}{are}",
        "polyinv": __version__,
        "data": (
            f"{simulated.rows} random recipes of the box ({system.name}, rate equations), noise of {volume} "
            f"chains at {simulated.horizon:g} s redrawn for every batch, seed {simulated.seed}{curves}; nothing of the "
            "grid"
        ),
        "command": f"polyinv train --config configs/{file} --features {features} --system {system.name} "
        f"{_starting(name)}--output runs/{name}{_going_on(name)}",
        "cpu_minutes": {"all": round(seconds / 60, 1), "per_member": round(seconds / 60 / members, 1)},
        "evaluated_on": EVALUATED_ON[_grid_of(system)],
        "r2": r2 if features in MISSING_INPUTS else r2[features],
        "spread": "off_grid_members: standard deviation over the members; by_recipe: over the split seeds",
        "limits": [
            *(
                f"{quantity.name} from {quantity.low:g} to {quantity.high:g} {quantity.unit}"
                for quantity in system.recipe
            ),
            f"{system.title}: {system.chemistry.note}; no measured polymer has been seen",
            f"curves as noisy as those of {volume} chains at {simulated.horizon:g} s; another noise was not trained on",
            f"{initiator}, temp and time lie on a ridge: {ridge}",
        ],
    }


def _starting(name: str) -> str:
    return f"--init checkpoints/{STARTS[name]} " if name in STARTS else ""


def _going_on(name: str) -> str:
    """Commands by which a training goes on."""
    files, before, said = f"--config configs/{RELEASED[name][0]}", f"runs/{name}", ""
    for number, more in enumerate(GOES_ON.get(name, ()), start=2):
        files, after = f"{files} --config configs/{more}", f"runs/{name}_{number}"
        said += f"; polyinv train {files} --init {before} --output {after}"
        before = after
    return said


def release(name: str, seconds: float, folder: Path) -> str:
    """Write one checkpoint; returns its card."""
    from polyinv.domain.expectations import expect

    table = scores(name)
    said = yaml.safe_dump(card(name, seconds, table), sort_keys=False, allow_unicode=True, width=110)
    with written(folder / name) as passing:
        passing.mkdir()
        folder_of_run, _ = last(name)
        for file in (folder_of_run / "model").iterdir():
            (passing / file.name).write_bytes(file.read_bytes())
        (passing / "config.yaml").write_bytes((folder_of_run / "config.yaml").read_bytes())
        table.to_csv(passing / "scores.csv", index=False, lineterminator="\n")
        (passing / "card.yaml").write_text(said, encoding="utf-8")
        if RELEASED[name][1] in MISSING_INPUTS:
            seal(passing)
            model = polyinv.load(passing).model
            expected = expect(model, every_pattern(model.system), tuple(LEVELS))
            expected.to_csv(passing / FILE, index=False, lineterminator="\n")
        seal(passing)
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=RELEASED, help="these alone")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    names = given.only or list(RELEASED)
    given.folder.mkdir(parents=True, exist_ok=True)
    RUNS.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        spent = dict(zip(names, pool.map(train, names), strict=True))
    for name, seconds in spent.items():
        print(f"{name}\n{release(name, seconds, given.folder)}")


if __name__ == "__main__":
    main()
