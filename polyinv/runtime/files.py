"""Atomic writing, locks and the cache: what stands under its final name is complete."""

import glob
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

from filelock import BaseFileLock, FileLock, Timeout
from platformdirs import user_cache_path

from polyinv.errors import InputError

STEM = 40
"""Characters of a name that its passing one begins with."""
PASSING = re.compile(r"\.(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{12}\.partial")
LONGEST_NAME = 220
"""Bytes of a name that is made from text; file systems take 255."""
LOCK = ".lock"
"""File in a folder that a process is at work in; what lists a folder passes over names with a leading dot."""


@contextmanager
def written(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a file or folder under a passing name in the same place, then rename it; a failure leaves nothing.

    A file that exists is replaced only with ``overwrite``; a folder never is.

    Raises:
        InputError: ``path`` exists, or its folder does not.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with written(f"{folder}/note.txt") as passing:
        ...         _ = passing.write_text("done")
        ...     print(Path(folder, "note.txt").read_text())
        done
    """
    path = Path(path)
    check_new(path, overwrite=overwrite)
    _remove_left_behind(path)
    # The suffix stays last: pandas and numpy choose the format by it. Nobody can have put a link under such a name.
    passing = path.with_name(f".{path.stem[:STEM]}.{_host()}-{os.getpid()}-{uuid4().hex[:12]}.partial{path.suffix}")
    try:
        yield passing
        os.replace(passing, path)
    finally:
        _remove(passing)


@cache
def _host() -> str:
    """This machine, in eight digits."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_left_behind(path: Path) -> None:
    """Remove what killed processes of this machine have left half-written of a file."""
    if os.name == "nt":  # Windows has no way to ask whether a process lives that does not end it
        return
    for other in path.parent.glob(f".{glob.escape(path.stem[:STEM])}.*.partial{glob.escape(path.suffix)}"):
        owner = PASSING.search(other.name)
        if owner and owner["host"] == _host() and not _is_alive(int(owner["process"])):
            with suppress(OSError):
                _remove(other)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it lives, and is another user's
        pass
    return True


def at_home(path: Path | str) -> Path:
    """A path with ``~`` written out.

    Raises:
        InputError: There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{path}: there is no home folder of that user") from None


def refuse_existing(path: Path | str, *, overwrite: bool = False) -> None:
    """Raise an `InputError` if something stands at ``path`` that must not be replaced."""
    if Path(path).exists() and not (overwrite and Path(path).is_file()):
        raise InputError(f"{path} exists already; choose another name or remove it")


def check_new(path: Path | str, *, overwrite: bool = False) -> None:
    """Check that something can be written at ``path``, before it is made.

    Raises:
        InputError: Something stands there that must not be replaced, or its folder does not exist.
    """
    refuse_existing(path, overwrite=overwrite)
    if not Path(path).parent.is_dir():
        raise InputError(f"{path}: there is no folder {Path(path).parent}")


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
    path = folder / f".look.{uuid4().hex}.partial"
    with suppress(OSError):
        path.touch()
        path.unlink()


def empty(folder: Path) -> None:
    """Remove everything from a locked folder, so that it goes with its lock."""
    for path in folder.iterdir():
        if path.name != LOCK:
            _remove(path)


def discard_unfinished(folder: Path) -> None:
    """Remove what a killed process has left half-written in a folder that no other process works on."""
    for path in folder.glob(".*.partial*"):
        _remove(path)


def cache_folder() -> Path:
    """Folder of the cache, for what can be computed again.

    That is the user's cache folder (``~/.cache`` on Linux, unless ``$XDG_CACHE_HOME`` names another), or the temporary
    one for a user without a home or with one that cannot be written.
    """
    folder = user_cache_path("polyinv", appauthor=False)
    return folder if folder.is_absolute() and _is_writable(folder) else Path(tempfile.gettempdir(), "polyinv")


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def folder_name(text: str) -> str:
    """Make text safe as part of the name of a folder or file; the end of what is too long for one is left out.

    Example:
        >>> folder_name("MLP, 1e3 recipes"), folder_name("mmd+Mn"), folder_name(".x.partial")
        ('MLP-1e3-recipes', 'mmd+Mn', '-x.partial')
    """
    name = re.sub(r"^\.+", "-", re.sub(r"[^\w.+-]+", "-", text))  # hidden names are our own
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")
