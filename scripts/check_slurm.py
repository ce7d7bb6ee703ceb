"""Run a study on a real SLURM of one node, started and ended by this script: ``make test-slurm`` (root, 10 minutes).

Needs Debian's packages: ``apt-get install slurm-wlm munge``. What is checked: the tasks of an array share the cells of
a study; SIGTERM before the time limit leaves a cell that can be resumed, the task is requeued and goes on; a task that
was cancelled does not come back; the table is byte for byte that of one call without SLURM.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from polyinv.runtime.threads import available_cores

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
SLOW = """
import os
import time

from torch import nn

from polyinv.models.networks import NETWORKS


class Slow(nn.Sequential):
    def forward(self, x):
        time.sleep(float(os.environ.get("SECONDS_A_STEP", 0)))
        return super().forward(x)


NETWORKS["slow"] = lambda inputs, outputs: Slow(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))
"""
BASE = {"model": {"name": "network", "network": "slow", "training": {"batch_size": 512, "max_epochs": 60}}}
STUDY = {
    "base": "base.yaml",
    "axes": {"model.training.learning_rate": [0.001, 0.01, 0.02]},
    "seeds": [1],
}
SECONDS_A_STEP, MINUTES = 0.4, 3
"""About 200 s a cell, and a time limit that is reached within it."""


@contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str]]:
    """Start SLURM with one node; yields the environment of its clients."""
    host = os.uname().nodename.partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder, cores=available_cores()), encoding="utf-8")
    has_munge = subprocess.run(["munge", "-n"], capture_output=True).returncode == 0
    if not has_munge:
        Path("/run/munge").mkdir(exist_ok=True)
        shutil.chown("/run/munge", "munge", "munge")
        subprocess.run(["runuser", "-u", "munge", "--", "munged", "--force"], check=True, stderr=subprocess.DEVNULL)
    try:
        for daemon in ("slurmctld", "slurmd"):
            subprocess.run([daemon, "-f", configuration], check=True)
        environment = os.environ | {"SLURM_CONF": str(configuration), "OMP_NUM_THREADS": "1"}
        while "idle" not in said(environment, "sinfo", "-h", "-o", "%T"):
            time.sleep(0.5)
        yield environment
    finally:
        pids = [folder / "d.pid", folder / "ctld.pid", *([] if has_munge else [Path("/run/munge/munged.pid")])]
        for path in pids:
            if path.is_file():
                os.kill(int(path.read_text(encoding="utf-8")), signal.SIGTERM)
        time.sleep(2)


def said(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout


def wait_for(environment: dict[str, str], job: str, minutes: float) -> None:
    start = time.monotonic()
    while said(environment, "squeue", "-h", "-j", job).strip():
        if time.monotonic() - start > 60 * minutes:
            raise SystemExit(f"job {job} has not ended in {minutes:g} minutes")
        time.sleep(2)


def polyinv(folder: Path, environment: dict[str, str], *options: str) -> str:
    command = [sys.executable, "-m", "polyinv.cli", "ablate", "study.yaml", "--import", "slow.py", *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def check(folder: Path, environment: dict[str, str]) -> None:
    (folder / "slow.py").write_text(SLOW, encoding="utf-8")
    (folder / "base.yaml").write_text(yaml.safe_dump(BASE), encoding="utf-8")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    slow = environment | {"SECONDS_A_STEP": str(SECONDS_A_STEP)}
    polyinv(folder, environment, "--output", "local", "--workers", "1")

    options = ["--workers", "1", "--tasks", "2", "--time", str(MINUTES), "--slurm", "submit"]
    job = polyinv(folder, slow, "--output", "array", *options).split()[-1]
    restarts = 0
    while said(environment, "squeue", "-h", "-j", job).strip():
        shown = said(environment, "scontrol", "show", "job", job)
        restarts = max([restarts, *(int(part.split("=")[1]) for part in shown.split() if part.startswith("Restarts="))])
        time.sleep(2)
    cells = sorted((folder / "array" / "cells").iterdir())
    resumed = sum(json.loads((cell / "seconds.json").read_text(encoding="utf-8"))["resumed"] for cell in cells)
    printed = [path.read_text(encoding="utf-8") for path in folder.glob(f"slurm-{job}_*.out")]
    told = [line for text in printed for line in text.splitlines() if line.startswith("[")]
    print("".join(f"--- task\n{text.partition('# study')[0]}" for text in printed))
    assert len(printed) == 2, printed
    assert restarts >= 1, "no task was requeued"
    assert resumed >= 1, "no cell was resumed"
    assert "polyinv: interrupted" in "".join(printed)
    assert len(cells) == 3
    assert sum("by another process" not in line for line in told) == 3, told
    same = (folder / "array" / "table.csv").read_bytes() == (folder / "local" / "table.csv").read_bytes()
    assert same, "the tables differ"
    print(f"3 cells by 2 tasks, {restarts} restarts, {resumed} cells resumed; the table is that of one local call")

    job = polyinv(folder, slow, "--output", "cancelled", *options).split()[-1]
    while not list((folder / "cancelled").glob("cells/*/config.yaml")):
        time.sleep(1)
    subprocess.run(["scancel", job], env=environment, check=True)
    wait_for(environment, job, 1)
    time.sleep(10)
    assert not said(environment, "squeue", "-h").strip(), "a task that was cancelled came back"
    assert not list((folder / "cancelled").glob("cells/*/scores.csv"))
    polyinv(folder, environment, "--output", "cancelled", "--workers", "1")
    same = (folder / "cancelled" / "table.csv").read_bytes() == (folder / "local" / "table.csv").read_bytes()
    assert same, "the tables differ"
    print("a task that was cancelled does not come back, and the same command without SLURM goes on with its cells")


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        print(f"this needs root and {', '.join(missing) or 'SLURM'}: apt-get install slurm-wlm munge", file=sys.stderr)
        raise SystemExit(2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with one_node(folder / "slurm") as environment:
            check(folder, environment)


if __name__ == "__main__":
    main()
