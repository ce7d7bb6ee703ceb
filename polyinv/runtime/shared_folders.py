"""Folders in which several processes are at work, on several hosts, too: locks, and what others have changed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import BaseFileLock, FileLock, Timeout

from polyinv.errors import InputError

MARK = ".look."
"""Beginning of the name of a file that is there for a moment, for others to see or for the server to be asked."""
LOCK = ".lock"
"""File in a folder that a process is at work in; what lists a folder passes over names with a leading dot."""


@contextmanager
def locked(folder: Path, seconds: float = 0.0) -> Iterator[None]:
    """Keep other processes out of a folder while the block runs.

    The lock is the operating system's and ends with the process that holds it, however that ends. A killed process
    leaves the file of the lock behind, which locks nobody out. A folder that the block leaves empty is removed.

    Args:
        folder: The folder.
        seconds: How long to wait for another process.

    Raises:
        InputError: Another process is in it.
    """
    lock = lock_file(folder / LOCK, seconds)
    if lock is None:
        raise InputError(f"another process is at work in {folder}")
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file; there, the release does it
            (folder / LOCK).unlink()
        lock.release()
        with suppress(OSError):  # not empty, as a rule
            folder.rmdir()


def lock_file(path: Path, seconds: float = 0.0) -> BaseFileLock | None:
    """Lock a file, which is made where it is missing, until the lock is released or this process ends.

    Args:
        path: The file.
        seconds: How long to wait for another process.

    Returns:
        The lock, or None if another process has it.

    Raises:
        InputError: The file system has no locks.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=seconds, poll_interval=0.05)
    except Timeout:
        return None
    except NotImplementedError:
        raise InputError(f"{path.parent} is on a file system without locks; choose another place") from None
    return lock


def look_again(folder: Path) -> None:
    """Let what other hosts have changed in a folder be seen.

    A client of a network file system remembers for up to a minute that a file was not there. What it changes in the
    folder itself makes it ask the server again. A folder that is not there is left alone.
    """
    with suppress(OSError):
        marked(folder).unlink()


def marked(folder: Path) -> Path:
    """Make an empty file in a folder, under a name that nobody else has."""
    mark = folder / f"{MARK}{uuid4().hex}.partial"
    mark.touch()
    return mark
