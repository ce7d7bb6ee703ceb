"""Run a study and a simulation on two Dask hosts, kill their workers at random and cut one off: as root, 20 minutes.

The hosts are network namespaces with a bridge between them, which share this machine's file system: a scheduler in one,
workers in two others that talk to it by TCP. What is checked: every cell and reaction is done once, and the tables are
byte for byte those of the local engine. ``python scripts/check_engines.py [--kills 20]``
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

HEAD, HOSTS = "polyinv-head", ("polyinv-a", "polyinv-b")
ADDRESS = {HEAD: "10.77.0.1", HOSTS[0]: "10.77.0.2", HOSTS[1]: "10.77.0.3"}
SCHEDULER = f"tcp://{ADDRESS[HEAD]}:8786"
WATCHED = """
import fcntl
import os
import time

from polyinv.models import MODELS
from polyinv.models.forest import RandomForest


class Watched(RandomForest):
    def fit(self, data, folder=None):
        with open(f"{os.environ['WATCHED']}/{folder.name}.busy", "w") as busy:
            said = "begins"
            try:
                fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                said = "two at once"
            self.note("again" if (folder / "scores.csv").exists() else said, folder)
            time.sleep(float(os.environ["WATCHED_SECONDS"]))
            super().fit(data, folder)

    def note(self, said, folder):
        with open(f"{os.environ['WATCHED']}/log", "a") as log:
            log.write(f"{folder.name}: {said}\\n")


MODELS["forest"] = Watched
"""
"""Forests that write down when they are fitted, and whether they should not have been."""
BASE = {"model": {"name": "forest", "n_estimators": 3}, "features": "scalars"}
STUDY = {"base": "base.yaml", "axes": {"model.max_depth": [4, 8, 12]}, "seeds": {"from": 1, "count": 8}}
REACTIONS = 80
SIMULATE = ["simulate", "--recipes", "recipes.csv", "--method", "kmc", "--chains", "1e6", "--seed", "3"]


def inside(host: str, *command: str) -> list[str]:
    return ["ip", "netns", "exec", host, *command]


def call(*command: str) -> None:
    subprocess.run(command, check=True)


@contextmanager
def network() -> Iterator[None]:
    """Make the namespaces, and a bridge in that of the scheduler which the others hang on."""
    try:
        for host in (HEAD, *HOSTS):
            call("ip", "netns", "add", host)
            call(*inside(host, "ip", "link", "set", "lo", "up"))
        call(*inside(HEAD, "ip", "link", "add", "bridge", "type", "bridge"))
        call(*inside(HEAD, "ip", "address", "add", f"{ADDRESS[HEAD]}/24", "dev", "bridge"))
        call(*inside(HEAD, "ip", "link", "set", "bridge", "up"))
        for host in HOSTS:
            call("ip", "link", "add", "name", "out", "netns", host, "type", "veth", "peer", "name", host, "netns", HEAD)
            call(*inside(HEAD, "ip", "link", "set", host, "master", "bridge", "up"))
            call(*inside(host, "ip", "address", "add", f"{ADDRESS[host]}/24", "dev", "out"))
            call(*inside(host, "ip", "link", "set", "out", "up"))
        yield
    finally:
        for host in (HEAD, *HOSTS):
            subprocess.run(["ip", "netns", "delete", host], stderr=subprocess.DEVNULL)


@contextmanager
def cluster(folder: Path, environment: dict[str, str]) -> Iterator[dict[str, psutil.Process]]:
    """Start a scheduler, and a worker on each host; yields the nanny of each worker, which starts it again."""
    dask = str(Path(sys.executable).with_name("dask"))
    environment = environment | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "100"}  # they are killed on purpose
    started: list[subprocess.Popen] = []

    def start(host: str, *options: str) -> psutil.Process:
        log = (folder / f"{host}.log").open("a")
        process = subprocess.Popen(inside(host, dask, *options), env=environment, stdout=log, stderr=log, cwd=folder)
        started.append(process)
        return psutil.Process(process.pid)

    try:
        start(HEAD, "scheduler", "--host", ADDRESS[HEAD], "--port", "8786", "--no-dashboard")
        yield {host: start(host, "worker", SCHEDULER, "--host", ADDRESS[host], "--nthreads", "1") for host in HOSTS}
    finally:
        for process in started[::-1]:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def worker_of(nanny: psutil.Process) -> psutil.Process | None:
    """Process of a Dask worker; None while it is being started."""
    for child in nanny.children():
        if "spawn_main" in " ".join(child.cmdline()):
            return child
    return None


def disturb(
    command: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    kills: int,
    is_half: "Progress",
    seconds: tuple[float, float],
) -> str:
    """Make a call on a cluster whose workers are killed, and one of whose hosts is cut off half-way."""
    generator, killed, is_cut = random.Random(7), 0, False
    with network(), cluster(folder, environment) as nannies:
        options = ["--engine", "dask", "--scheduler", SCHEDULER]
        with subprocess.Popen(
            inside(HEAD, *command, *options),
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            while process.poll() is None:
                time.sleep(generator.uniform(*seconds))
                if not is_cut and is_half() and killed >= kills // 2:
                    call(*inside(HEAD, "ip", "link", "set", HOSTS[1], "down"))
                    is_cut = True
                    print(f"{HOSTS[1]} is cut off", flush=True)
                    continue
                host = HOSTS[0] if is_cut else generator.choice(HOSTS)
                victim = worker_of(nannies[host])
                if killed < kills and victim is not None and process.poll() is None:
                    victim.kill()
                    killed += 1
            said = process.stdout.read() if process.stdout else ""
        print(said, flush=True)
        assert process.returncode == 0, said
    assert is_cut, "nothing was cut off: it went too fast"
    assert killed >= kills, f"only {killed} of {kills} workers were killed: it went too fast"
    print(f"{killed} workers killed, one host cut off half-way", flush=True)
    return said


class Progress:
    """Whether half of some files are there.

    Args:
        folder: Where they appear.
        pattern: What they are called.
        count: How many there will be.
    """

    def __init__(self, folder: Path, pattern: str, count: int) -> None:
        self._folder, self._pattern, self._count = folder, pattern, count

    def __call__(self) -> bool:
        return 2 * len(list(self._folder.glob(self._pattern))) >= self._count


def study(folder: Path, environment: dict[str, str], kills: int) -> None:
    (folder / "watched.py").write_text(WATCHED, encoding="utf-8")
    (folder / "base.yaml").write_text(yaml.safe_dump(BASE), encoding="utf-8")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    (folder / "local-log").mkdir()
    (folder / "dask-log").mkdir()
    command = [sys.executable, "-m", "polyinv.cli", "ablate", "study.yaml", "--import", "watched.py", "--output"]
    local = environment | {"WATCHED": str(folder / "local-log"), "WATCHED_SECONDS": "0"}
    subprocess.run([*command, "local", "--workers", "1"], cwd=folder, env=local, check=True, stdout=subprocess.DEVNULL)
    watched = environment | {"WATCHED": str(folder / "dask-log"), "WATCHED_SECONDS": "6"}
    cells = len(list((folder / "local" / "cells").iterdir()))
    said = disturb(
        [*command, "dask"], folder, watched, kills, Progress(folder, "dask/cells/*/scores.csv", cells), (5, 20)
    )
    notes = (folder / "dask-log" / "log").read_text(encoding="utf-8").splitlines()
    assert not [note for note in notes if not note.endswith(": begins")], notes
    told = [line for line in said.splitlines() if line.startswith("[")]
    assert len(told) == cells == len({note.partition(":")[0] for note in notes})
    assert same(folder / "local" / "table.csv", folder / "dask" / "table.csv"), "the tables differ"
    print(f"study: {cells} cells, {len(notes)} fits begun, every cell once; the table is that of the local engine\n")


def simulation(folder: Path, environment: dict[str, str], kills: int) -> None:
    command = [sys.executable, "-m", "polyinv.cli", *SIMULATE, "--out"]
    rows = ["cBA_0,cAIBN_0,temp,time"]
    generator = random.Random(1)
    for _ in range(REACTIONS):
        rows.append(
            f"{generator.uniform(1, 3):.4f},{generator.uniform(0.005, 0.02):.5f},{generator.uniform(60, 80):.2f},3600"
        )
    (folder / "recipes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    subprocess.run([*command, "local.csv"], cwd=folder, env=environment, check=True, stderr=subprocess.DEVNULL)
    is_half = Progress(folder, "dask.csv.runs/*.npz", 2 * REACTIONS)  # a reaction and its part
    disturb([*command, "dask.csv"], folder, environment, kills, is_half, (5, 15))
    assert same(folder / "local.csv", folder / "dask.csv"), "the tables differ"
    print(f"simulation: {REACTIONS} reactions; the table is that of the local engine")


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="workers killed in each of the two")
    parser.add_argument("--only", choices=["study", "simulation"])
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("this needs root and `ip` (iproute2), for network namespaces", file=sys.stderr)
        raise SystemExit(2)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as name:
        if options.only != "simulation":
            study(Path(name), environment, options.kills)
        if options.only != "study":
            simulation(Path(name), environment, options.kills // 2)


if __name__ == "__main__":
    main()
