"""Script of a SLURM array whose tasks share one folder: each is the same call, and claims what it runs.

Before the time limit SLURM sends a signal to the script, which asks the call to end (SIGTERM) and puts the task back
into the queue, where it goes on with what is left. The signal is SIGUSR1: SIGTERM is what ``scancel`` sends, and a task
that was cancelled must not come back.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polyinv.errors import InputError
from polyinv.runtime.files import folder_name
from polyinv.runtime.plugins import imported_files

PRINT, SUBMIT = "print", "submit"
GRACE = 30
"""Seconds before the time limit at which a task is asked to end; SLURM may do so a minute earlier."""
RESTARTS = 100
"""How often a task is put back into the queue at most: one whose time limit allows no progress would come for ever."""
MOST_TASKS = 1000
"""In an array; SLURM's own limit is 1001 unless it was raised."""
LEAST_TIME = 180
"""Seconds of a time limit: with less a task is asked to end before it has got anywhere."""
_TIME = re.compile(r"(\d+-)?\d+(:\d{1,2}){0,2}", re.ASCII)
SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=1-{tasks}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cores}
#SBATCH --time={time}
#SBATCH --signal=B:USR1@{grace}
#SBATCH --requeue
#SBATCH --open-mode=append
# Partition, account, memory, GPUs: further lines here, or the variables SBATCH_PARTITION, SBATCH_ACCOUNT, ... of sbatch

trap 'kill -TERM "$call" 2> /dev/null' TERM
trap 'limit=near; kill -TERM "$call" 2> /dev/null' USR1
cd {folder} || exit
{command} &
call=$!
wait "$call"; code=$?
while kill -0 "$call" 2> /dev/null; do wait "$call"; code=$?; done
if [ "${{limit:-}}" = near ] && [ "$code" -ne 0 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {restarts} ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$code"
"""


@dataclass(frozen=True)
class Array:
    """Array of tasks.

    Args:
        tasks: How many.
        time: Limit of each, as SLURM takes it: minutes, ``HH:MM:SS`` or ``D-HH:MM:SS``.
        cores: Of each.

    Raises:
        InputError: Something that SLURM would refuse.
    """

    tasks: int = 4
    time: str = "04:00:00"
    cores: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.tasks <= MOST_TASKS:
            raise InputError(f"--tasks is {self.tasks}; needs 1 to {MOST_TASKS}")
        if not _TIME.fullmatch(self.time):
            raise InputError(f"--time is {self.time!r}; needs minutes, HH:MM:SS or D-HH:MM:SS")
        if 0 < _seconds(self.time) < LEAST_TIME:
            raise InputError(f"--time is {self.time!r}; needs {LEAST_TIME // 60} minutes or more, or 0 for no limit")

    def script(self, command: Sequence[str], name: str) -> str:
        """Write the script.

        Args:
            command: What each task calls, in the folder of this process.
            name: Of the job.
        """
        return SCRIPT.format(
            name=folder_name(name),  # a second line of it would be run
            tasks=self.tasks,
            cores=self.cores,
            time=self.time,
            grace=GRACE,
            restarts=RESTARTS,
            folder=shlex.quote(str(Path.cwd())),
            command=shlex.join(command),
        )


def _seconds(time: str) -> int:
    """Seconds of a time limit as SLURM takes it.

    Example:
        >>> [_seconds(time) for time in ("3", "2:30", "0:02:30", "1-0", "1-00:01")]
        [180, 150, 150, 86400, 86460]
    """
    days, _, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    units = (3600, 60, 1) if days or len(parts) == 3 else (60, 1)
    return 86400 * int(days or 0) + sum(part * unit for part, unit in zip(parts, units, strict=False))


def called_again(arguments: Sequence[str]) -> list[str]:
    """Command that calls polyinv as this process was called, by this Python, without the options of the array.

    Example:
        >>> called_again(["ablate", "a.yaml", "--slurm", "submit", "--tasks=8", "--workers", "2"])[-4:]
        ['ablate', 'a.yaml', '--workers', '2']
    """
    kept, left = [], list(arguments)
    while left:
        option = left.pop(0)
        if option.partition("=")[0] not in ("--slurm", "--tasks", "--time"):
            kept.append(option)
        elif "=" not in option and left and (option != "--slurm" or left[0] in (PRINT, SUBMIT)):
            left.pop(0)
    plugins = [f"--import={file}" for file in imported_files()]
    return [sys.executable, "-m", "polyinv.cli", *kept, *plugins]


def submit(script: str) -> str:
    """Send a script to SLURM, and return what it answers.

    Raises:
        InputError: There is no ``sbatch``, or it refuses the script.
    """
    if shutil.which("sbatch") is None:
        raise InputError("--slurm submit needs sbatch, which is not on this machine; --slurm prints the script")
    done = subprocess.run(["sbatch"], input=script, capture_output=True, text=True)
    if done.returncode:
        raise InputError(" ".join(done.stderr.split()) or "sbatch refuses the script and does not say why")
    return done.stdout.strip()
