"""Store of finished reactions in a folder, so that a killed simulation can be resumed."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from polyinv.errors import InputError, quoted
from polyinv.runtime.files import discard_unfinished, written
from polyinv.runtime.shared_folders import locked

log = logging.getLogger(__name__)

ONE_AT_A_TIME = Lock()
"""Held while a file is read: numpy reads headers by ``ast``, which fails at times where two threads are in it
(https://github.com/python/cpython/issues/106905)."""


class RunStore:
    """Store of results as ``<fingerprint>.npz``, the fingerprint being that of all inputs of a reaction.

    A result is therefore found again only by a reaction that would reproduce it to the last bit; several simulations
    may share a folder. Files appear complete or not at all.

    Args:
        folder: Made when missing.

    Raises:
        InputError: ``folder`` is a file.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InputError(f"finished reactions are kept in a folder, and {self.folder} is a file") from None

    def path(self, inputs: tuple) -> Path:
        """Path of the result of a reaction with these ``inputs`` (arrays, numbers and strings)."""
        digest = hashlib.sha256()
        for part in inputs:
            array = np.asarray(part)
            digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
        return self.folder / f"{digest.hexdigest()[:32]}.npz"

    def read(self, inputs: tuple) -> dict[str, np.ndarray] | None:
        """Read the result kept for ``inputs``, if any."""
        path = self.path(inputs)
        try:
            with path.open("rb") as opened, ONE_AT_A_TIME, np.load(opened, allow_pickle=False) as file:
                return dict(file)
        except FileNotFoundError:
            return None
        except MemoryError:
            raise
        except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
            said = quoted(f"{type(error).__name__}: {error}")
            raise InputError(f"{path} is damaged ({said}); remove it to simulate the reaction again") from error

    def write(self, inputs: tuple, result: Mapping[str, Any]) -> None:
        """Keep ``result``, arrays by name."""
        with written(self.path(inputs), overwrite=True) as passing:
            np.savez_compressed(passing, **result)

    def discard(self) -> None:
        """Remove the finished reactions."""
        discard_unfinished(self.folder)
        for path in self.folder.glob("*.npz"):
            path.unlink()


@contextmanager
def kept_until_written(path: Path) -> Iterator[Path]:
    """Keep finished reactions in a folder beside ``path`` until the block has written the file.

    Raises:
        InputError: Another process is at work in it, or it is a file.
    """
    store = RunStore(path.with_name(f"{path.name}.runs"))
    with locked(store.folder):
        log.info("finished reactions are kept in %s until %s is written", store.folder, path)
        yield store.folder
        store.discard()
