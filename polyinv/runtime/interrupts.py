"""Requests to end (SIGINT, SIGTERM) that cannot get lost.

A signal raises `KeyboardInterrupt` wherever the program is. In a callback of Python's own (of a weak reference, a
``__del__``) that exception is swallowed; so the signal is sent again. Where a library swallows it or makes another
error of it, it is remembered, and whoever counts progress or writes a file asks between two steps. Raised between the
taking of a lock and the block that gives it back, it leaves the lock taken, and whoever waits for it hangs;
so work of short steps that shares locks with other threads, as a training does with the one that writes its events,
only asks (`between_steps`).
"""

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import FrameType
from typing import Any

INTERRUPTED, SAID = 130, "polyinv: interrupted"
"""Exit code and line of a program that was asked to end."""
SECONDS_TO_RETURN = 0.02
"""After which a signal whose exception was swallowed is sent again: the callback has returned by then."""


class _Requests:
    """What has been asked for. Plain values: a lock that one signal has taken, a second one waits for without end."""

    asked = is_polled = False
    sender: object = None
    """Of the thread that is going to send the signal again, if one is."""


_requests = _Requests()


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


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _requests.is_polled and not _requests.asked:
        _requests.asked = True
        return
    _requests.asked = True
    if _is_in_hook(frame):  # where nobody can catch it
        _send_again_soon()
        return
    _requests.sender = None
    raise KeyboardInterrupt


def _is_in_hook(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not _sent_again.__code__:
        frame = frame.f_back
    return frame is not None


@contextmanager
def between_steps() -> Iterator[None]:
    """Hold the first interrupt back until the block asks (`check_interrupt`) or ends; the second one is raised.

    Raises:
        KeyboardInterrupt: At the end of the block, if one was held back.
    """
    _requests.is_polled = True
    try:
        yield
    finally:
        _requests.is_polled = False
    check_interrupt()


def check_interrupt() -> None:
    """End if that was asked for.

    Raises:
        KeyboardInterrupt: It was.
    """
    if _requests.asked:
        _requests.sender = None
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Take SIGTERM, too, for an interrupt inside the block: what is open gets closed, and child processes end.

    Raises:
        KeyboardInterrupt: There was an interrupt, whatever has become of it inside.
    """
    _requests.asked = False
    try:
        with _handled() if threading.current_thread() is threading.main_thread() else nullcontext():
            yield
            check_interrupt()
    except Exception as error:
        if _requests.asked:  # a library has made this of it
            raise KeyboardInterrupt from error
        raise
    finally:
        _requests.asked = False


@contextmanager
def _handled() -> Iterator[None]:
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    said = sys.unraisablehook
    sys.unraisablehook = partial(_sent_again, said)
    try:
        yield
    finally:
        sys.unraisablehook, _requests.sender = said, None
        for number, handler in before.items():
            signal.signal(number, handler)


def _sent_again(said: Callable[[Any], object], unraisable: Any) -> None:
    """Send an interrupt again which was raised where nobody can catch it; other exceptions are ``said``."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _send_again_soon()
    else:
        said(unraisable)


def _send_again_soon() -> None:
    if _requests.sender is None:
        _requests.sender = sender = object()
        _thread.start_new_thread(_send_again, (sender,))  # a `threading.Thread` waits for its start, with a lock


def _send_again(sender: object) -> None:
    time.sleep(SECONDS_TO_RETURN)
    is_wanted = _requests.sender is sender  # else the block has ended meanwhile, or another signal has ended it
    if not is_wanted or signal.getsignal(signal.SIGINT) is not _interrupt:
        return
    _requests.sender = None
    if hasattr(signal, "pthread_kill"):  # wakes the main thread, where it waits for something
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
