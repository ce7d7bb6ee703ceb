"""Jobs on a Dask cluster: each thread of a Dask worker runs its job in a process of its own, as the local engine does.

So a job computes what it computes locally, one that crashes is told and leaves the Dask worker alone, and one whose
Dask worker or host is lost is run again by another. A job nobody waits for any more is ended.
"""

import asyncio
import itertools
import os
import platform
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from logging import CRITICAL, getLogger, root
from multiprocessing import connection, current_process
from pathlib import Path
from typing import Any
from uuid import uuid4

import dask
import distributed

from polyinv.errors import InputError, one_line
from polyinv.runtime.devices import devices, environment
from polyinv.runtime.plugins import of_files
from polyinv.runtime.shared_folders import marked
from polyinv.runtime.surroundings import Surroundings
from polyinv.runtime.workers import MOST, Job, Outcome, Worker

log = getLogger(__name__)

SECONDS_TO_CONNECT = 20.0
SECONDS_BETWEEN_LOOKS = 2.0
"""After which workers that have come are given jobs, and those that nobody waits for are ended."""
SECONDS_IDLE = 60.0
"""After which a process that has no job is ended; to start one takes a tenth of that."""


@contextmanager
def connected(count: int, scheduler: str | None, shared: Sequence[Path]) -> Iterator[tuple[distributed.Client, str]]:
    """Connect to a scheduler, or start a cluster of ``count`` places here; and say in a few words where jobs run.

    Args:
        count: Places of a cluster that is started here.
        scheduler: Address such as ``tcp://head:8786``.
        shared: Files and folders that every worker has to see.

    Raises:
        InputError: Nobody answers, no worker is there, or one has other versions or does not see the files.
    """
    _silence()
    if scheduler is None:
        with (
            dask.config.set({"distributed.worker.profile.enabled": False}),  # of threads that only wait
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=min(count, MOST), processes=False, dashboard_address="127.0.0.1:0"
            ) as cluster,
            _client(cluster) as client,
        ):
            port = client.scheduler_info()["services"]["dashboard"]
            # Dask names the address of this machine in a network, to which nothing of this listens.
            yield client, _said(client, "a Dask cluster on this machine", f"http://127.0.0.1:{port}/status")
        return
    with _client(scheduler) as client:
        _check(client, scheduler, shared)
        yield client, _said(client, scheduler, client.dashboard_link)


def _silence() -> None:
    """Let Dask log nothing: what matters is told by whoever asked. Its parts have levels of their own."""
    for name in [*root.manager.loggerDict]:
        if name.partition(".")[0] in ("distributed", "tornado"):
            getLogger(name).setLevel(CRITICAL + 1)


@contextmanager
def _client(address: Any) -> Iterator[distributed.Client]:
    try:
        if isinstance(address, str):
            asyncio.run(_shake_hands(address))
        client = distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except Exception as error:  # Dask takes what another server says for lengths and numbers of its own
        reason = _line(error) if isinstance(error, OSError | ValueError | TypeError) else ""
        reason = reason or "what is there is no Dask scheduler, or does not say anything"
        raise InputError(
            f"--scheduler {address}: no scheduler answers ({reason}); needs an address such as tcp://head:8786"
        ) from None
    try:
        yield client
    finally:
        with suppress(TimeoutError, OSError):
            client.close(timeout=5)


async def _shake_hands(address: str) -> None:
    """Connect and part again: `distributed.Client` waits for ever for a server of something else."""
    security = distributed.Security().get_connection_args("client")
    comm = await asyncio.wait_for(distributed.comm.connect(address, SECONDS_TO_CONNECT, **security), SECONDS_TO_CONNECT)
    await comm.close()


def _said(client: distributed.Client, where: str, dashboard: str) -> str:
    threads = client.nthreads()
    count = sum(threads.values())
    places = f"{count} place{'s' * (count > 1)} of {len(threads)} worker{'s' * (len(threads) > 1)}"
    return f"{places} of {where}, dashboard {dashboard}"


def _check(client: distributed.Client, scheduler: str, shared: Sequence[Path]) -> None:
    """Refuse a cluster without workers, and one where a process has other versions or does not see the files."""
    try:
        client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
    except TimeoutError:
        raise InputError(
            f"{scheduler} has no worker; start some by: dask worker {scheduler} --nthreads PROCESSES"
        ) from None
    marks = [marked(path) for path in shared[:1] if path.is_dir()]  # by which others tell whether theirs is the same
    surroundings = Surroundings.here([*shared, *marks])
    try:
        found = client.run(_fault_of, surroundings, on_error="return")
        found["scheduler"] = client.run_on_scheduler(
            _fault_of, replace(surroundings, shared=(), output=None, folder="/")
        )
    except Exception as error:  # whatever a scheduler without polyinv raises
        found = {"scheduler": error}
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)
    for address, fault in found.items():
        called = f"the scheduler {scheduler}" if address == "scheduler" else f"the worker {address}"
        if isinstance(fault, BaseException):
            raise InputError(f"{called} cannot run polyinv: {_line(fault)}")
        if fault is not None:
            raise InputError(f"{called} {fault}")
    _warn_of_shared_devices(client.run(_devices_here))


def _devices_here() -> tuple[str, tuple[str, ...]]:
    return platform.node(), devices()


def _warn_of_shared_devices(found: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Warn of workers of one host that would each begin with its first GPU.

    Args:
        found: Host and devices by the address of a worker.
    """
    owners: dict[tuple[str, str], str] = {}
    for address, (host, seen) in found.items():
        for device in seen:
            other = owners.setdefault((host, device), address)
            if other != address:
                log.warning(
                    "the workers %s and %s both use device %s of %s; start one worker for each machine, with "
                    "--nthreads, or give each a CUDA_VISIBLE_DEVICES of its own",
                    other,
                    address,
                    device,
                    host,
                )
                return


def _fault_of(surroundings: Surroundings) -> str | None:
    return surroundings.fault()


def work(
    client: distributed.Client,
    shared: Sequence[Path],
    task: Callable[..., Any],
    jobs: Mapping[str, tuple[Any, ...]] | Callable[[], Job | None],
    /,
) -> Generator[Outcome]:
    """Call ``task`` with the arguments of each job on the workers of a cluster, and yield the outcomes as they come.

    As many jobs are asked for as the workers have threads; workers may come and go. Whoever stops taking outcomes ends
    all jobs.

    Args:
        client: See `connected`.
        shared: Files and folders that every worker has to see.
        task, jobs: See `polyinv.runtime.workers.work`.

    Raises:
        InputError: The scheduler is gone, or a worker has come that cannot do the work.
    """
    next_job = partial(next, iter(jobs.items()), None) if isinstance(jobs, Mapping) else jobs
    surroundings = Surroundings.here(shared)
    running: dict[Any, tuple[str, distributed.Future]] = {}
    done: queue.SimpleQueue[distributed.Future] = queue.SimpleQueue()
    places, looked = 1, -SECONDS_BETWEEN_LOOKS

    def start_all() -> None:
        nonlocal places, looked
        if time.monotonic() - looked >= SECONDS_BETWEEN_LOOKS:  # to ask costs as much as a job
            with _told_if_gone(client):
                found = sum(client.nthreads().values())
            if places and not found:
                log.warning("no worker is left; waiting for one")
            places, looked = found, time.monotonic()
        while len(running) < max(1, places) and (job := next_job()):
            name, arguments = job
            key = f"polyinv-{name}-{uuid4().hex}"
            with _told_if_gone(client):
                future = client.submit(_run, task, arguments, surroundings, key=key, pure=False)
            running[future.key] = name, future
            future.add_done_callback(done.put)

    try:
        start_all()
        while running:
            try:
                future = done.get(timeout=SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                start_all()
                continue
            name, _ = running.pop(future.key)
            with _told_if_gone(client):
                outcome = replace(_outcome(future), name=name)
            start_all()
            yield outcome
    finally:
        with suppress(Exception):  # it may be the scheduler that is gone
            client.cancel([future for _, future in running.values()], force=True)


@contextmanager
def _told_if_gone(client: distributed.Client) -> Iterator[None]:
    try:
        if client.status != "running":
            raise distributed.CancelledError
        yield
    except (distributed.CancelledError, OSError):  # a comm that is closed, or a time that is over, is one
        raise InputError(
            f"the scheduler {client.scheduler.address if client.scheduler else ''} does not answer any more; "
            "the same command goes on with what is left"
        ) from None


def _outcome(future: distributed.Future) -> Outcome:
    if future.status == "cancelled":
        raise distributed.CancelledError
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, InputError):  # of a worker that cannot do the work
        raise error
    if isinstance(error, distributed.KilledWorker):
        return Outcome("", error=f"{error.allowed_failures + 1} workers that ran it were killed or lost")
    # What a job raises is part of its outcome. Such a worker would soon have failed all the jobs there are.
    raise InputError(f"a worker that has come cannot run polyinv: {_line(f'{type(error).__name__}: {error}')}")


def _line(error: object) -> str:
    return one_line(error, 300)


class _Pool:
    """Processes of a Dask worker that run jobs, each on a device of its own, and live on between jobs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[str | None] = []
        self._devices = itertools.cycle(devices() or (None,))
        self._idle: dict[Any, list[tuple[Worker, float]]] = {}

    def take(self, task: Callable[..., Any], surroundings: Surroundings) -> Worker:
        """Take a process that does nothing, or start one."""
        key = (task, surroundings)
        with self._lock:
            for others in [other for other in self._idle if other != key]:  # of somebody who has asked before
                for worker, _ in self._idle.pop(others):
                    worker.end()
                    self._free.append(worker.device)
            if self._idle.get(key):
                return self._idle[key].pop()[0]
            fault = surroundings.fault()
            if fault is not None:
                raise InputError(f"the worker {distributed.get_worker().address} {fault}")
            with environment(of_files(surroundings.imported)), _allowed_children():
                device = self._free.pop() if self._free else next(self._devices)
                return Worker(partial(_in_folder, surroundings.folder, task), device)

    def give_back(self, task: Callable[..., Any], surroundings: Surroundings, worker: Worker) -> None:
        """Keep a process for the next job, or the device of one that has ended for the next process."""
        with self._lock:
            if not worker.process.is_alive():
                self._free.append(worker.device)
                return
            self._idle.setdefault((task, surroundings), []).append((worker, time.monotonic()))
        later = threading.Timer(SECONDS_IDLE, self._end_idle)
        later.daemon = True
        later.start()

    def _end_idle(self) -> None:
        """End processes that nobody has needed for a while: they keep memory, and that of a device."""
        with self._lock:
            for key, kept in self._idle.items():
                old = [worker for worker, since in kept if time.monotonic() - since >= SECONDS_IDLE]
                for worker in old:
                    worker.end()
                    self._free.append(worker.device)
                self._idle[key] = [(worker, since) for worker, since in kept if worker not in old]


@contextmanager
def _allowed_children() -> Iterator[None]:
    """Let a process have children that its parent has made daemonic, as Dask's nanny does: ours end with it."""
    config: dict[str, Any] = current_process()._config  # type: ignore[attr-defined]
    before = config.get("daemon")
    config["daemon"] = False
    try:
        yield
    finally:
        config["daemon"] = before


_pool: _Pool | None = None
_making = threading.Lock()


def _run(task: Callable[..., Any], arguments: tuple[Any, ...], surroundings: Surroundings) -> Outcome:
    """Run a job in a process of its own; in a thread of a Dask worker."""
    global _pool
    with _making:
        _pool = _pool or _Pool()
    dask_worker = distributed.get_worker()
    key = dask_worker.get_current_task()
    worker = _pool.take(task, surroundings)
    worker.start("", arguments)
    while not connection.wait(worker.handles, SECONDS_BETWEEN_LOOKS):
        state = dask_worker.state.tasks.get(key)
        if state is None or state.state != "executing" or dask_worker.status.name not in ("running", "paused"):
            worker.end()
            _pool.give_back(task, surroundings, worker)
            raise distributed.CancelledError
    outcome = worker.outcome()
    _pool.give_back(task, surroundings, worker)
    return outcome


def _in_folder(folder: str, task: Callable[..., Any], *arguments: Any) -> Any:
    os.chdir(folder)
    return task(*arguments)
