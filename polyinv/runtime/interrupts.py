"""Requests to end (SIGINT, SIGTERM) that cannot get lost.

A signal raises `KeyboardInterrupt` wherever the program is. In a callback of Python's own (of a weak reference, a
``__del__``) that exception is swallowed; so the signal is sent again. Where a library swallows it or makes another
error of it, it is remembered, and whoever counts progress or writes a file asks between two steps. Raised between the
taking of a lock and the block that gives it back, it leaves the lock taken, and whoever waits for it hangs;
so work of short steps that shares locks with other threads, as a training does with the one that writes its events,
only asks (`between_steps`).
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any

INTERRUPTED, SAID = 130, "polyinv: interrupted"
"""Exit code and line of a program that was asked to end."""
SECONDS_TO_RETURN = 0.02
"""After which a signal whose exception was swallowed is sent again: the callback has returned by then."""

_asked, _is_polled = threading.Event(), threading.Event()


def end_when_asked() -> None:
    """End at once when that is asked for: until `interruptible` there is nothing to close."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, f"{SAID}\n".encode())
    os._exit(INTERRUPTED)


def end_as_it_is() -> None:
    """Ignore requests to end from now on: what was to be done is done, and its exit code stands."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


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
    """Take SIGTERM, too, for an interrupt inside the block: what is open gets closed, and child processes end.

    Raises:
        KeyboardInterrupt: There was an interrupt, whatever has become of it inside.
    """
    _asked.clear()
    try:
        with _handled() if threading.current_thread() is threading.main_thread() else nullcontext():
            yield
            check_interrupt()
    except Exception as error:
        if _asked.is_set():  # a library has made this of it
            raise KeyboardInterrupt from error
        raise
    finally:
        _asked.clear()


@contextmanager
def _handled() -> Iterator[None]:
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    said, sys.unraisablehook = sys.unraisablehook, _sent_again(sys.unraisablehook)
    try:
        yield
    finally:
        sys.unraisablehook = said
        for number, handler in before.items():
            signal.signal(number, handler)


def _sent_again(said: Callable[[Any], object]) -> Callable[[Any], None]:
    """Hook that sends an interrupt again which was raised where nobody can catch it; other exceptions are ``said``."""

    def hook(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            said(unraisable)
            return
        again = threading.Timer(SECONDS_TO_RETURN, _send_again)
        again.daemon = True
        again.start()

    return hook


def _send_again() -> None:
    if not _asked.is_set() or signal.getsignal(signal.SIGINT) is not _interrupt:  # the block has ended meanwhile
        return
    if hasattr(signal, "pthread_kill"):  # wakes the main thread, where it waits for something
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
