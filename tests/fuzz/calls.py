"""Calls of the command line in a process of their own, with limits of time and memory."""

import os
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.forked import be, new_file

SECONDS, BYTES = 60, 2 << 30
"""Most processor time, and most memory besides what this process has."""


@dataclass(frozen=True)
class Call:
    """What came of a call.

    Args:
        code: Exit code, negative that of a signal.
        out: Standard output.
        err: Standard error.
        seconds: Processor time.
    """

    code: int
    out: str
    err: str
    seconds: float

    @property
    def refusal(self) -> list[str]:
        """Lines that say why it was refused."""
        marks = ("polyinv: error:", "polyinv: fault")
        return [line for line in self.err.splitlines() if line.startswith(marks)]


def call(arguments: list[str], folder: Path) -> Call:
    """Call the command line in a folder, in a fork of this process."""
    out, err = folder / ".stdout", folder / ".stderr"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = os.fork()
    if child == 0:
        _be_called(arguments, folder, out, err)
    started = time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - started > 10 * SECONDS:  # asleep, as one is that waits for who never comes
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
    return Call(os.waitstatus_to_exitcode(status), *texts, seconds)


def _be_called(arguments: list[str], folder: Path, out: Path, err: Path) -> None:
    def run() -> int:
        os.chdir(folder)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        spent = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(spent.ru_utime + spent.ru_stime) + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        from polyinv.cli import main

        return main(arguments)

    be(run, (None, new_file(out), new_file(err)))
