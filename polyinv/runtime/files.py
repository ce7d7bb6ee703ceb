"""Writing whole files: what stands under its final name is complete, and what is being written is claimed."""

import glob
import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

from filelock import BaseFileLock, FileLock, Timeout

from polyinv.errors import InputError
from polyinv.runtime.interrupts import between_steps, check_interrupt
from polyinv.runtime.shared_folders import LOCK

STEM = 40
"""Characters of a name that its passing one begins with."""
PASSING = re.compile(r"\.(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{12}\.partial")
LONGEST_NAME = 220
"""Bytes of a name that is made from text; file systems take 255."""


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
    check_interrupt()
    _check_free(path, overwrite=overwrite)
    _remove_left_behind(path)
    passing = _passing(path)
    is_left = False
    try:
        with naming_place(path, passing):
            yield passing
            refuse_existing(path, overwrite=overwrite)  # somebody may have put something there meanwhile
            is_left = _claims is not None and _claims.takes(passing, path)
            if not is_left:
                os.replace(passing, path)
    finally:
        if not is_left:
            _remove(passing)


@contextmanager
def naming_place(path: Path, passing: Path | None = None) -> Iterator[None]:
    """Name the file or folder that is written in errors of the system: a full disk says none, or the passing one."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, str(passing)):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def _passing(path: Path) -> Path:
    """Passing name beside ``path``; nobody can have put a link under it, as it cannot be guessed.

    The suffix stays last: pandas and numpy choose the format by it.
    """
    return path.with_name(f".{path.stem[:STEM]}.{_host()}-{os.getpid()}-{uuid4().hex[:12]}.partial{path.suffix}")


@contextmanager
def passing_folder() -> Iterator[Path]:
    """Make a folder in the temporary one that lasts as long as the block; those of killed processes are removed."""
    place = Path(tempfile.gettempdir(), "polyinv")
    _remove_left_behind(place)
    passing = _passing(place)
    passing.mkdir(0o700)
    try:
        yield passing
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
    """Raise an `InputError` if something stands at ``path`` that must not be replaced, or a link that leads nowhere."""
    if Path(path).is_symlink() and not Path(path).exists():
        raise InputError(f"{path} is a link to a file that is not there; choose another name or remove it")
    if Path(path).exists() and not (overwrite and Path(path).is_file()):
        raise InputError(f"{path} exists already; choose another name or remove it")


def has_ending(path: Path | str, endings: Sequence[str]) -> bool:
    """Whether a file is named with one of some endings, such as ``.csv``.

    Raises:
        InputError: It is named with an ending alone.
    """
    path = Path(path)
    if path.name.lower() in endings:
        raise InputError(f"{path} is an ending without a name; needs one, such as answers{path.name}")
    return path.suffix in endings


def check_apart(*places: Path | str | None) -> None:
    """Refuse two outputs of a command that are one file, however it is written.

    Raises:
        InputError: Two of them are.
    """
    named: dict[Path, Path | str] = {}
    for place in places:
        if place is None:
            continue
        file = Path(place).resolve()
        if file in named:
            also = "" if str(place) == str(named[file]) else f" (also written {named[file]})"
            raise InputError(f"{place}{also} is to hold two things; give each a file of its own")
        named[file] = place


def check_file(path: Path, where: str = "") -> None:
    """Check that a file is there to be read.

    Args:
        path: Its path.
        where: Where it is named, such as a key of a file.

    Raises:
        InputError: There is none, or a folder, a pipe or a device.
    """
    if path.is_file():
        return
    named = f"{where}: {path}" if where else str(path)
    if not path.exists():
        raise InputError(f"{named}: no such file")
    raise InputError(f"{named} is a {'folder' if path.is_dir() else 'pipe or a device'}; needs a file")


def check_new(path: Path | str) -> None:
    """Check that something can be written at ``path``, before it is made; inside `claims`, keep others from there.

    Raises:
        InputError: Something stands there that must not be replaced, its folder does not exist or cannot be written
            in, or another process is about to write there.
    """
    path = Path(path)
    claim(path)  # first: what a killed process has left of its claim goes with it, though its file is whole
    _check_free(path)


def claim(path: Path) -> None:
    """Keep others from a place until `claims` ends, where something may stand already; outside of it do nothing.

    Where its folder is still to be made there is nobody to keep from it.

    Raises:
        InputError: Another process has claimed it, or nothing can be written beside it.
    """
    if _claims is not None:
        _claims.add(path)


def _check_free(path: Path, *, overwrite: bool = False) -> None:
    refuse_existing(path, overwrite=overwrite)
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")


class _Claims:
    """Places where a command is about to write, and what it has written of several files, which appear together."""

    def __init__(self) -> None:
        self.locks: dict[Path, BaseFileLock] = {}
        self.places: set[Path] = set()
        self.finished: dict[Path, Path] = {}

    def add(self, path: Path) -> None:
        """Claim a path.

        Raises:
            InputError: Another process has, or nothing can be written beside it.
        """
        place = path.absolute()
        name = f".{path.stem[:STEM]}.{hashlib.sha256(path.name.encode()).hexdigest()[:8]}{LOCK}"
        if place in self.places or not place.parent.is_dir():
            return
        try:
            lock = FileLock(place.with_name(name))
            lock.acquire(timeout=0)
        except Timeout:
            if not place.with_name(name).exists():  # /proc and the like take no new files
                raise InputError(f"{path} cannot be written: nothing new can be made in {path.parent}") from None
            raise InputError(f"{path}: another process is at work there; choose another name") from None
        except NotImplementedError:  # a file system without locks: `written` looks again at the end
            return
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
        self.locks[place.with_name(name)] = lock
        self.places.add(place)

    def takes(self, passing: Path, path: Path) -> bool:
        """Whether the file is one of several, and gets its name when all are written."""
        if len(self.places) == 1 or path.absolute() not in self.places or not passing.is_file():
            return False
        self.finished[passing.absolute()] = path.absolute()
        return True

    def finish(self) -> None:
        """Give what is written its names."""
        with between_steps():  # not some of them
            for passing in [*self.finished]:
                os.replace(passing, self.finished[passing])
                del self.finished[passing]

    def release(self) -> None:
        """Let others write there."""
        for passing in self.finished:
            _remove(passing)
        for path, lock in self.locks.items():
            with suppress(OSError):
                path.unlink()
            lock.release()


_claims: _Claims | None = None


@contextmanager
def claims() -> Iterator[None]:
    """Let `check_new` claim what it is asked for until the block ends, so that a second process is told at once.

    A claim is a lock of the operating system on a file beside, which is removed. A killed process leaves that file,
    which locks nobody out; the next one that writes there removes it. Several files that are claimed appear together,
    at the end of the block, unless it is interrupted: the same command can be called again.
    """
    global _claims
    before, _claims = _claims, _Claims()
    held = _claims
    try:
        yield
        held.finish()
    except Exception:  # what was written before is whole
        held.finish()
        raise
    finally:
        _claims = before
        held.release()


def empty(folder: Path) -> None:
    """Remove everything from a locked folder, so that it goes with its lock."""
    for path in folder.iterdir():
        if path.name != LOCK:
            _remove(path)


def discard_unfinished(folder: Path) -> None:
    """Remove what a killed process has left half-written in a folder that no other process works on."""
    for path in folder.glob(".*.partial*"):
        _remove(path)


def discard(path: Path) -> None:
    """Remove a file or folder, if it is there: under a passing name, so that a kill leaves no half of it."""
    _remove_left_behind(path)
    passing = _passing(path)
    with suppress(FileNotFoundError):
        os.replace(path, passing)
    _remove(passing)


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
