"""Options of the commands that run many jobs: how many at once, on which engine, as a SLURM array."""

from collections.abc import Sequence
from typing import Any

from jsonargparse import Namespace

from polyinv.commands.options import say
from polyinv.errors import InputError
from polyinv.experiment.configuration import Parser
from polyinv.runtime.engines import ENGINES, LOCAL, Wanted
from polyinv.runtime.slurm import PRINT, SUBMIT, Array, called_again, submit


def add_workers(parser: Parser, what: str) -> None:
    parser.add_argument(
        "--workers", type=int | None, help=f"{what} at once; by default one per GPU, or without GPUs one per core"
    )
    parser.add_argument("--workers-per-device", type=int | None, help=f"{what} at once on each GPU; 1 by default")


def jobs_at_once(config: Namespace, what: str) -> dict[str, Any]:
    """How many jobs run at once, as the options of `add_workers` say."""
    if config.workers is not None and config.workers_per_device is not None:
        raise InputError(f"--workers and --workers-per-device both say how many {what} run at once; give one of them")
    return {"workers": config.workers, "per_device": config.workers_per_device or 1}


def add_engine(parser: Parser) -> None:
    parser.add_argument("--engine", default=LOCAL.name, help=f"what runs the jobs: {' or '.join(ENGINES)}")
    parser.add_argument(
        "--scheduler",
        type=str | None,
        metavar="ADDRESS",
        help="of a Dask cluster, tcp://head:8786, with --engine dask; by default it starts one on this machine",
    )


def engine_of(config: Namespace) -> Wanted:
    """Engine that the options ask for, and how many jobs it may run at once."""
    for option in ("workers", "workers_per_device"):
        given, called = config.get(option), f"--{option.replace('_', '-')}"
        if given is not None and given < 1:
            raise InputError(f"{called} is {given}; needs 1 or more")
        if given is not None and config.scheduler is not None:
            raise InputError(f"{called} is of this machine; with --scheduler, `dask worker --nthreads` says how many")
    return Wanted(config.engine, config.scheduler)


def add_slurm(parser: Parser) -> None:
    parser.add_argument(
        "--slurm",
        type=str | None,
        nargs="?",
        const=PRINT,
        metavar="submit",
        help="print the script of a SLURM array whose tasks make this call, or with submit send it",
    )
    parser.add_argument("--tasks", type=int, default=Array.tasks, help="with --slurm: tasks of the array")
    parser.add_argument("--time", default=Array.time, help="with --slurm: time limit of a task, which goes on after it")


def array_of(config: Namespace) -> Array | None:
    """Array that the options of `add_slurm` ask for."""
    if config.slurm is None:
        return None
    if config.slurm not in (PRINT, SUBMIT):
        raise InputError(f"--slurm is {config.slurm!r}; needs nothing behind it, or {SUBMIT}")
    if config.engine != LOCAL.name:
        raise InputError("--slurm and --engine both say what runs the jobs; give one of them")
    return Array(config.tasks, config.time, config.workers or 1)


def send(array: Array, arguments: Sequence[str], name: str, what: str) -> None:
    script = array.script(called_again(arguments), name)
    say(submit(script) if what == SUBMIT else script.rstrip())
