"""Progress of long work: a bar on a terminal, a line now and then in a log."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from polyinv.runtime.interrupts import check_interrupt

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_LINES = 15.0
SHOWN_ANYWAY = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
"""Environment variables by which rich takes anything for a terminal."""

log = logging.getLogger(__name__)


class Advance(Protocol):
    """Progress callback: takes the number of units just done and, optionally, a few words."""

    def __call__(self, count: int, text: str = "", /) -> None: ...


@contextmanager
def counted(what: str, unit: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Show progress inside the block, which is given an `Advance` to call.

    Args:
        what: The work, such as "simulating".
        unit: What is counted, in the plural.
        total: How many there are.
        done: How many were done before.

    Raises:
        KeyboardInterrupt: By the `Advance`, if it was asked for: see `polyinv.runtime.interrupts`.
    """
    console = _terminal()
    with _lines(what, unit, total, done) if console is None else _bar(what, unit, total, done, console) as advance:

        def advance_unless_interrupted(count: int, text: str = "", /) -> None:
            advance(count, text)
            check_interrupt()

        yield advance_unless_interrupted


def _terminal() -> "Console | None":
    """Terminal or notebook that a bar is shown on; None where there is none, which takes no import."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if not is_terminal and not os.environ.keys() & SHOWN_ANYWAY and "IPython" not in sys.modules:
        return None
    from rich.console import Console

    console = Console(stderr=True)
    return console if console.is_terminal else None


@contextmanager
def _bar(what: str, unit: str, total: int, before: int, console: "Console") -> Iterator[Advance]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate, words = TextColumn(f"{{task.fields[rate]:.3g}} {unit}/s, time left"), TextColumn("{task.fields[text]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), words)
    with Progress(*columns, console=console) as bar:
        task, start = bar.add_task(what, total=total, completed=before, rate=0.0, text=""), time.monotonic()

        def advance(count: int, text: str = "", /) -> None:
            done = bar.tasks[0].completed + count
            bar.update(task, advance=count, rate=(done - before) / max(time.monotonic() - start, 1e-9), text=text)

        yield advance


@contextmanager
def _lines(what: str, unit: str, total: int, before: int) -> Iterator[Advance]:
    start = said = time.monotonic()
    done = before

    def advance(count: int, text: str = "", /) -> None:
        nonlocal done, said
        done, now = done + count, time.monotonic()
        if now - said >= SECONDS_BETWEEN_LINES:
            rate = (done - before) / (now - start)
            left = f"{rate:.3g} per s, {(total - done) / rate:.0f} s left"
            log.info("%s: %d of %d %s, %s%s", what, done, total, unit, left, text and f"; {text}")
            said = now

    yield advance
