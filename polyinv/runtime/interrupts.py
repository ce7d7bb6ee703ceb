"""Requests to end (SIGINT, SIGTERM) that cannot get lost.

A signal raises `KeyboardInterrupt` wherever the program is. In the callback of a garbage collector, or while a library
is imported, that exception is swallowed; so it is remembered as well, and long work asks between two steps. Raised
between the taking of a lock and the block that gives it back, it leaves the lock taken, and whoever waits for it hangs;
so work of short steps that shares locks with other threads, as a training does with the one that writes its events,
only asks (`between_steps`).
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_asked, _is_polled = threading.Event(), threading.Event()


def _interrupt(number: int, frame: Any) -> None:
    if _is_polled.is_set() and not _asked.is_set():
        _asked.set()
        return
    _asked.set()
    raise KeyboardInterrupt


@contextmanager
def between_steps() -> Iterator[None]:
    """Hold the first interrupt back until the block asks (`check_interrupt`) or ends; the second one is raised.

    Raises:
        KeyboardInterrupt: At the end of the block, if one was held back.
    """
    _is_polled.set()
    try:
        yield
    finally:
        _is_polled.clear()
    check_interrupt()


def check_interrupt() -> None:
    """End if that was asked for.

    Raises:
        KeyboardInterrupt: It was.
    """
    if _asked.is_set():
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Take SIGTERM, too, for an interrupt inside the block: what is open gets closed, and child processes end."""
    _asked.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()
