"""Files that can be trusted: what stands under its final name is complete."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyinv.errors import InputError


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
    # The suffix stays last: pandas and numpy choose the format by it.
    passing = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield passing
        os.replace(passing, path)
    finally:
        _remove(passing)


def refuse_existing(path: Path | str, *, overwrite: bool = False) -> None:
    """Raise an `InputError` if something stands at ``path`` that must not be replaced."""
    if Path(path).exists() and not (overwrite and Path(path).is_file()):
        raise InputError(f"{path} exists already; choose another name or remove it")


def check_new(path: Path | str, *, overwrite: bool = False) -> None:
    """Whether something can be written at ``path``: worth asking before it is made.

    Raises:
        InputError: Something stands there that must not be replaced, or its folder does not exist.
    """
    refuse_existing(path, overwrite=overwrite)
    if not Path(path).parent.is_dir():
        raise InputError(f"{path}: there is no folder {Path(path).parent}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder while the block runs.

    Raises:
        InputError: Another process is in it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InputError(f"another process is at work in {folder}") from None
    finally:
        os.close(descriptor)


def discard_unfinished(folder: Path) -> None:
    """Remove what a killed process has left half-written in a folder that no other process works on."""
    for path in folder.glob(".*.partial*"):
        _remove(path)


def cache_folder() -> Path:
    """Where what can be computed again is kept between calls: ``$XDG_CACHE_HOME/polyinv`` or ``~/.cache/polyinv``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "polyinv")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def folder_name(text: str) -> str:
    """Text as part of the name of a folder.

    Example:
        >>> folder_name("MLP, 1e3 recipes"), folder_name("mmd+Mn")
        ('MLP-1e3-recipes', 'mmd+Mn')
    """
    return re.sub(r"[^\w.+-]+", "-", text)
