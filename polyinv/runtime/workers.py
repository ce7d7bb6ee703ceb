"""Worker processes for jobs, one torch thread each, that live on between jobs; one that is killed is replaced.

Each process sees one device at most, the same from its first job to its last.
"""

import itertools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import connection, get_context, parent_process
from typing import Any

from polyinv.errors import InputError
from polyinv.runtime.devices import VISIBLE, environment
from polyinv.runtime.plugins import import_again

ASKED_TO_END = (0, -signal.SIGTERM)
"""Exit codes of a process that was asked to, in a training, which ends by itself, or elsewhere."""
NAMES = {9: "SIGKILL"} | {number.value: number.name for number in signal.Signals}
"""Of signals; Windows knows a few only, and no SIGKILL."""
MOST = 30 if sys.platform == "win32" else 1000
"""Processes at once: Windows waits for 63 handles at most, and each process has two."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Outcome:
    """Outcome of a job: its value, or why there is none.

    Args:
        name: Of the job.
        value: What it returned.
        error: Why it failed, in one line; None if it did not.
        refused: Whether the line says all there is: bad input, or a system that does not give what it needs.
        trace: Where it failed.
        is_ended: Whether its process was asked to end (SIGTERM), which is no fault of the job.
    """

    name: str
    value: Any = None
    error: str | None = None
    refused: bool = False
    trace: str = ""
    is_ended: bool = False


Job = tuple[str, tuple[Any, ...]]
"""Name of a job and the arguments of its task."""
SECONDS_BETWEEN_LOOKS = 5.0
"""After which a free process looks for a job again, where jobs come and go."""


def work(
    task: Callable[..., Any],
    jobs: Mapping[str, tuple[Any, ...]] | Callable[[], Job | None],
    count: int,
    devices: Sequence[str] = (),
) -> Generator[Outcome]:
    """Call ``task`` with the arguments of each job in worker processes, and yield the outcomes as they come.

    A job that raises, or whose process is killed, is an outcome like any other, and the rest goes on. Whoever stops
    taking outcomes ends all processes at once.

    Args:
        task: A function of a module, so that other processes find it.
        jobs: Its arguments by the name of the job, in the order to start them in; or a function that is asked for the
            next job whenever a process is free, and says None while there is none.
        count: Processes at once.
        devices: What they see of the GPUs, in turn, one each; with none, what this process sees. See
            `polyinv.runtime.devices`.
    """
    come_and_go = not isinstance(jobs, Mapping)
    next_job = partial(next, iter(jobs.items()), None) if isinstance(jobs, Mapping) else jobs
    places = list(itertools.islice(itertools.cycle(devices or (None,)), min(count, MOST)))[::-1]
    idle: list[Worker] = []
    busy: list[Worker] = []

    def start_all() -> None:
        while (idle or places) and (job := next_job()):
            worker = idle.pop() if idle else Worker(task, places.pop())
            busy.append(worker)
            worker.start(*job)

    try:
        start_all()
        while busy:
            seconds = SECONDS_BETWEEN_LOOKS if come_and_go and (idle or places) else None
            ready = connection.wait([handle for worker in busy for handle in worker.handles], seconds)
            for worker in [worker for worker in busy if not {*worker.handles}.isdisjoint(ready)]:
                outcome = worker.outcome()
                busy.remove(worker)
                idle.append(worker) if worker.process.is_alive() else places.append(worker.device)
                start_all()
                yield outcome
            if not ready:
                start_all()
    finally:
        for worker in busy + idle:
            worker.end()


class Worker:
    """Worker process on a device, and the pipe to it."""

    def __init__(self, task: Callable[..., Any], device: str | None) -> None:
        # Forked children would inherit the threads of torch, which then hang.
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, task), daemon=True)
        self.job: str | None = None
        self.device = device
        with environment(ONE_THREAD | ({} if device is None else {VISIBLE: device})):  # read as libraries are loaded
            self.process.start()
        theirs.close()

    @property
    def handles(self) -> tuple[Any, Any]:
        """Handles that become ready when there is an outcome."""
        return self.pipe, self.process.sentinel

    def start(self, name: str, arguments: tuple) -> None:
        self.job = name
        with suppress(OSError):  # it is dead, which its outcome will say
            self.pipe.send((name, arguments))

    def outcome(self) -> Outcome:
        name, self.job = self.job or "", None
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            return Outcome(name, error=_cause(code), is_ended=code in ASKED_TO_END)

    def end(self) -> None:
        self.process.kill()  # files appear whole or not at all
        self.process.join()
        self.pipe.close()


def _cause(code: int) -> str:
    """Describe why a process ended, by its exit code.

    Example:
        >>> _cause(-9)
        'its process was killed by signal 9 (SIGKILL), as the system does when memory runs out'
    """
    if code in ASKED_TO_END:
        return "its process was asked to end (SIGTERM)"
    if code > 0:
        return f"its process ended with exit code {code}"
    name = NAMES.get(-code, "unknown here")
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was killed by signal {-code} ({name}){hint}"


def _serve(pipe: connection.Connection, task: Callable[..., Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import_again()
    # Lightning makes an interrupt of a request to end (SIGTERM), which the parent answers for.
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            name, arguments = pipe.recv()
            pipe.send(replace(_outcome(task, arguments), name=name))


def _outcome(task: Callable[..., Any], arguments: tuple) -> Outcome:
    try:
        return Outcome("", task(*arguments))
    except Exception as error:  # whatever it is: it is told, and the next job gets its turn
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        refused = isinstance(error, InputError | OSError)
        return Outcome("", error=_line(f"{kind}{error}"), refused=refused, trace=traceback.format_exc())


def _line(text: str) -> str:
    return " ".join(text.split())


def _end_with_parent() -> None:
    """End this worker when its parent is killed, so that nobody goes on with the parent's work."""
    if parent := parent_process():
        connection.wait([parent.sentinel])
    os._exit(1)
