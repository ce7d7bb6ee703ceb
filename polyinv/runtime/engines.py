"""Engines that run jobs: processes of this machine, or those of a Dask cluster.

The same function runs a job everywhere, in a process of its own for each place, as `polyinv.runtime.workers` starts
them. An engine decides on which machine.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from polyinv.errors import InputError, unknown
from polyinv.runtime.extras import needed
from polyinv.runtime.workers import Job, Outcome, work


@dataclass(frozen=True)
class Places:
    """Number of processes of this machine and the devices that they take in turn.

    Example:
        >>> print(Places(3, ("0", "1")), Places(1, ("0", "1")), Places(2), sep=" | ")
        3 processes on devices 0, 1 | 1 process on device 0 | 2 processes on the CPU
    """

    workers: int
    devices: tuple[str, ...] = ()

    def __str__(self) -> str:
        used = self.devices[: self.workers]
        where = f"device{'s' * (len(used) > 1)} {', '.join(used)}" if used else "the CPU"
        return f"{self.workers} process{'es' * (self.workers > 1)} on {where}"


class Work(Protocol):
    """Runs jobs, as `polyinv.runtime.workers.work` does where the places are known."""

    def __call__(
        self, task: Callable[..., Any], jobs: Mapping[str, tuple[Any, ...]] | Callable[[], Job | None], /
    ) -> Generator[Outcome]: ...


@dataclass(frozen=True)
class Engine:
    """Engine at work.

    Args:
        work: Runs jobs.
        said: Where it does, in a few words.
    """

    work: Work
    said: str


@dataclass(frozen=True)
class Wanted:
    """Engine that was asked for.

    Args:
        name: One of ``ENGINES``.
        scheduler: Address of a scheduler, with ``dask``; None starts a cluster on this machine.

    Raises:
        InputError: No engine has that name, it takes no scheduler, or what it needs is not installed.
    """

    name: str = "local"
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise unknown("engine", self.name, ENGINES)
        if self.name == "dask":
            needed("distributed", "cluster", "--engine dask")
        elif self.scheduler is not None:
            raise InputError("--scheduler goes with --engine dask")

    def start(self, at: Places, shared: Sequence[Path] = ()) -> AbstractContextManager[Engine]:
        """Start the engine, which ends with the block.

        Args:
            at: Places of this machine, if it is this machine that works.
            shared: Files and folders that every machine has to have; the first one is written to if it is a folder.
        """
        return ENGINES[self.name](at, self.scheduler, shared)


@contextmanager
def local(at: Places, scheduler: str | None, shared: Sequence[Path]) -> Iterator[Engine]:
    """Run jobs in processes of this machine."""

    def run(task: Callable[..., Any], jobs: Any, /) -> Generator[Outcome]:
        return work(task, jobs, at.workers, at.devices)

    yield Engine(run, str(at))


@contextmanager
def dask(at: Places, scheduler: str | None, shared: Sequence[Path]) -> Iterator[Engine]:
    """Run jobs on the workers of a Dask cluster, in processes of their own."""
    from polyinv.runtime import on_dask

    with on_dask.connected(at.workers, scheduler, shared) as (client, said):
        yield Engine(partial(on_dask.work, client, shared), said)


ENGINES: dict[str, Callable[[Places, str | None, Sequence[Path]], AbstractContextManager[Engine]]] = {
    "local": local,
    "dask": dask,
}
LOCAL = Wanted()
"""This machine, as one call uses it unless it is told otherwise."""
