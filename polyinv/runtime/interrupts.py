"""Requests to end (SIGINT, SIGTERM) that cannot get lost.

A signal raises `KeyboardInterrupt` wherever the program is. In the callback of a garbage collector, or while a library
is imported, that exception is swallowed; so it is remembered as well, and long work asks between two steps.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_asked = threading.Event()


def _interrupt(number: int, frame: Any) -> NoReturn:
    _asked.set()
    raise KeyboardInterrupt


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
