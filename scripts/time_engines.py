"""Measure what engines, claims, journals and tables cost by themselves, in CPU seconds: the constants of scale.md.

``python scripts/time_engines.py [jobs] [study] [claims] [journal] [tables]``; without a name all of them, about ten
minutes. The part ``study`` takes SLURM along where it is installed and this is root.
"""

import argparse
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from operator import index
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import yaml

from polyinv.runtime.engines import ENGINES, Places, Wanted

CALL = [sys.executable, "-m", "polyinv.cli"]


def cpu() -> float:
    """CPU seconds of this process and of those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def spent(what: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds and seconds of a call."""
    start, began = cpu(), time.monotonic()
    what()
    return cpu() - start, time.monotonic() - began


def slope(sizes: tuple[int, int], what: Callable[[int], object]) -> tuple[float, float]:
    """CPU seconds of one more, and of none at all."""
    (few, _), (many, _) = (spent(partial(what, size)) for size in sizes)
    each = (many - few) / (sizes[1] - sizes[0])
    return each, few - each * sizes[0]


def jobs() -> None:
    """Jobs that do nothing; a function that workers can import."""
    for name in ENGINES:

        def run(count: int, name: str = name) -> None:
            numbers = {str(number): (number,) for number in range(count)}
            with Wanted(name).start(Places(1)) as engine, closing(engine.work(index, numbers)) as outcomes:
                assert len(list(outcomes)) == count

        run(1)
        each, start = slope((10, 1010), run)
        print(f"jobs, {name}: {1000 * each:.2f} CPU ms each, {start:.1f} CPU s to start", flush=True)


def study() -> None:
    """Cells of a study, each a polynomial that is fitted in no time; the same ones by each engine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "base.yaml").write_text("model: {name: polynomial, degree: 1}\nfeatures: scalars\n", encoding="utf-8")

        def run(engine: str, count: int) -> None:
            given = {"base": "base.yaml", "axes": {"features": ["scalars"]}, "seeds": {"from": 1, "count": count}}
            (folder / "study.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
            options = ["ablate", "study.yaml", "--workers", "1", "--output", f"{engine}-{count}"]
            options += ["--engine", engine]
            subprocess.run([*CALL, *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)

        few, many = 4, 24
        for engine in ENGINES:
            run(engine, 1)
            each, start = slope((few, many), partial(run, engine))
            print(f"study, {engine}: {each:.2f} CPU s a cell, {start:.1f} CPU s besides", flush=True)
        with one_node(folder) as environment:
            if environment is None:
                return
            used = [_on_slurm(folder, environment, count) for count in (few, many)]
            each = (used[1] - used[0]) / (many - few)
            print(f"study, slurm: {each:.2f} CPU s a cell, {used[0] - few * each:.1f} CPU s besides", flush=True)


@contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str] | None]:
    """A SLURM of one node, where it is installed."""
    sys.path.insert(0, str(Path(__file__).parent))
    import check_slurm

    if os.geteuid() != 0 or any(check_slurm.shutil.which(name) is None for name in check_slurm.PROGRAMS):
        print("study, slurm: not measured, which takes root and SLURM", flush=True)
        yield None
        return
    with check_slurm.one_node(folder / "slurm") as environment:
        yield environment


def _on_slurm(folder: Path, environment: dict[str, str], count: int) -> float:
    """CPU seconds of an array of one task that runs a study, as its shell counts them."""
    given = {"base": "base.yaml", "axes": {"features": ["scalars"]}, "seeds": {"from": 1, "count": count}}
    (folder / "study.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    options = ["ablate", "study.yaml", "--workers", "1", "--output", f"slurm-{count}", "--slurm", "--tasks", "1"]
    script = subprocess.run([*CALL, *options], cwd=folder, check=True, capture_output=True, text=True).stdout
    script = script.replace('exit "$code"', 'echo TIMES; times; exit "$code"')
    sent = subprocess.run(["sbatch"], input=script, env=environment, check=True, capture_output=True, text=True).stdout
    job = sent.split()[-1]
    while subprocess.run(["squeue", "-h", "-j", job], env=environment, capture_output=True, text=True).stdout.strip():
        time.sleep(1)
    lines = (folder / f"slurm-{job}_1.out").read_text(encoding="utf-8").partition("TIMES\n")[2].split()
    minutes = [part.removesuffix("s").split("m") for part in lines[:4]]
    return sum(60 * float(whole) + float(rest) for whole, rest in minutes)


def claims() -> None:
    """What a study of many cells costs beside its cells: reading it, claiming, looking, and its tables."""
    from polyinv.ablation.claims import Claims
    from polyinv.ablation.folder import current_state, keep_study, states_of
    from polyinv.ablation.study import read_study
    from polyinv.ablation.tables import gather

    count = 2000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "base.yaml").write_text("model: {name: polynomial, degree: 1}\nfeatures: scalars\n", encoding="utf-8")
        given = {"base": "base.yaml", "axes": {"split.share": {"from": 0.2, "to": 1, "steps": count // 10}}}
        (folder / "study.yaml").write_text(yaml.safe_dump(given | {"seeds": list(range(10))}), encoding="utf-8")
        used, _ = spent(lambda: read_study(folder / "study.yaml"))
        print(f"claims: reading a study of {count} cells: {1000 * used / count:.2f} CPU ms a cell")
        study, output = read_study(folder / "study.yaml"), folder / "out"
        one = read_study(_with(folder, given | {"seeds": [0], "axes": {"split.share": [1.0]}}))
        subprocess.run(
            [*CALL, "ablate", str(folder / "one.yaml"), "--output", "done"], cwd=folder, check=True, capture_output=True
        )
        source = folder / "done" / "cells" / one.cells[0].name
        (output / "failed").mkdir(parents=True)
        for cell in study.cells:
            (output / "cells" / cell.name).mkdir(parents=True)
            for part in ("scores.csv", "config.yaml", "seconds.json"):
                os.link(source / part, output / "cells" / cell.name / part)
        keep_study(study, output)
        with closing(Claims(output)) as claim:

            def take_all() -> None:
                for cell in study.cells:
                    claim.take(cell.name)
                    claim.give_back(cell.name)

            for said, what in {
                "claiming and giving back": take_all,
                "looking who is done": lambda: states_of(study, output),
                "looking again, for other hosts": lambda: [current_state(cell.name, output) for cell in study.cells],
                "the table": lambda: gather(output),
            }.items():
                used, seconds = spent(what)
                print(f"claims: {said}: {1000 * used / count:.2f} CPU ms a cell ({1000 * seconds / count:.2f} ms)")
        print(f"claims: table.csv: {(output / 'table.csv').stat().st_size / count / 1000:.1f} kB a cell")
        size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
        files = sum(path.is_file() for path in source.rglob("*"))
        print(f"claims: run folder of a polynomial: {files} files, {size / 1e6:.2f} MB", flush=True)


def _with(folder: Path, given: dict) -> Path:
    (folder / "one.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    return folder / "one.yaml"


def journal() -> None:
    """Trials of a search: asking, reporting an epoch, telling, and the size of the journal."""
    from polyinv.runtime.resources import SEARCHES
    from polyinv.search.journal import JOURNAL, Journal, Reports
    from polyinv.search.spec import read_search

    epochs, generator = 20, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trials = Journal(read_search(SEARCHES / "mlp.yaml"), folder)
        for count in (30, 100, 300, 1000):
            asked = told = reported = 0.0
            while (number := len(trials.trials)) < count:
                asked = spent(trials.ask)[0]
                if number % 100 == 99 or number == 29:
                    reports = Reports(folder, number, "median")
                    start = cpu()
                    for epoch in range(epochs):
                        reports.prunes(epoch, 1.0)
                    reported = (cpu() - start) / epochs
                kept = {"epoch": epochs, "cpu_seconds": 1.0}
                told = spent(partial(trials.tell, number, "complete", float(generator.random()), **kept))[0]
            each = (1000 * seconds for seconds in (asked, reported, told))
            said = "asking {:.0f}, reporting an epoch {:.1f}, telling {:.1f} CPU ms".format(*each)
            size = (folder / JOURNAL).stat().st_size / 1e3
            print(f"journal: at {count} trials {said}; {size:.0f} kB", flush=True)


def tables() -> None:
    """Recipes that are simulated: CPU seconds and bytes of each."""
    import torch

    from polyinv.chemistry import load_system
    from polyinv.data.source import simulate_table
    from polyinv.data.workbook import write_table
    from polyinv.simulate.recipes import random_recipes

    torch.set_num_threads(1)
    system = load_system("butyl_acrylate")
    drawn = random_recipes(20_000, torch.Generator().manual_seed(1), system).numpy()
    recipes = pd.DataFrame(drawn, columns=list(system.targets))
    for method, few, many in (("deterministic", 1000, 16_000), ("sampled", 1000, 16_000), ("kmc", 10, 60)):
        more: dict[str, Any] = {"workers": 1, "horizon": 3600.0} if method == "kmc" else {}
        simulate_table(recipes.head(5), method=method, system=system, **more)  # compiles

        def run(method: str, more: dict[str, Any], count: int) -> None:
            simulate_table(recipes.head(count), method=method, system=system, **more)

        each, _ = slope((few, many), partial(run, method, more))
        print(f"tables, {method}: {1000 * each:.3g} CPU ms a recipe (a reaction of 1e6 chains)", flush=True)
    table = simulate_table(recipes.head(2000), method="deterministic", system=system)
    with tempfile.TemporaryDirectory() as name:
        for ending in ("npz", "csv"):
            path = Path(name, f"table.{ending}")
            used, _ = spent(partial(write_table, table, path))
            print(f"tables, .{ending}: {path.stat().st_size / 2000:.0f} bytes a recipe, {used / 2:.2f} CPU ms to write")
    print(f"tables, in memory: {table.memory_usage(index=False).sum() / 2000:.0f} bytes a recipe", flush=True)


PARTS: dict[str, Callable[[], None]] = {
    "jobs": jobs,
    "study": study,
    "claims": claims,
    "journal": journal,
    "tables": tables,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all unless given")
    chosen = parser.parse_args().parts or list(PARTS)
    for name in chosen:
        if name not in PARTS:
            parser.error(f"there is no part {name!r}; known: {', '.join(PARTS)}")
    logging.disable(logging.INFO)
    for name in chosen:
        PARTS[name]()


if __name__ == "__main__":
    main()
