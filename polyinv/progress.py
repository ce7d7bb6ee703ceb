"""How far a long piece of work is: a bar on a terminal, a line now and then elsewhere."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_LINES = 15.0

log = logging.getLogger(__name__)


@contextmanager
def counted(what: str, unit: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show progress inside the block; call what it gives with the number of units just done.

    Args:
        what: The work, such as "simulating".
        unit: What is counted, in the plural.
        total: How many there are.
    """
    from rich.console import Console

    console = Console(stderr=True)
    with _bar(what, unit, total, console) if console.is_terminal else _lines(what, unit, total) as advance:
        yield advance


@contextmanager
def _bar(what: str, unit: str, total: int, console: "Console") -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn(f"{{task.fields[rate]:.3g}} {unit}/s, time left")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task, start = bar.add_task(what, total=total, rate=0.0), time.monotonic()

        def advance(count: int) -> None:
            done = bar.tasks[0].completed + count
            bar.update(task, advance=count, rate=done / max(time.monotonic() - start, 1e-9))

        yield advance


@contextmanager
def _lines(what: str, unit: str, total: int) -> Iterator[Callable[[int], None]]:
    start = said = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, said
        done, now = done + count, time.monotonic()
        if now - said >= SECONDS_BETWEEN_LINES:
            rate = done / (now - start)
            log.info("%s: %d of %d %s, %.3g per s, %.0f s left", what, done, total, unit, rate, (total - done) / rate)
            said = now

    yield advance
