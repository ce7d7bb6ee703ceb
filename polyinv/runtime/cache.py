"""The folder of the cache, for what can be computed again."""

import os
import stat
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH
"""Bits of a mode by which others may write."""


def cache_folder() -> Path:
    """Folder of the cache, for what can be computed again.

    That is the user's cache folder (``~/.cache`` on Linux, unless ``$XDG_CACHE_HOME`` names another), or one of the
    user's own in the temporary folder, for a user without a home or with one that cannot be written.
    """
    try:
        folder = user_cache_path("polyinv", appauthor=False)
    except RuntimeError:  # of a user number without a name, where $HOME is not set
        return _temporary_cache()
    return folder if folder.is_absolute() and is_writable(folder) else _temporary_cache()


@cache
def _temporary_cache() -> Path:
    """Cache in the temporary folder, which others can write in: compiled code is executed as it is found there."""
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = Path(tempfile.gettempdir(), "polyinv" if user is None else f"polyinv-{user}")
    with suppress(OSError):
        folder.mkdir(0o700, exist_ok=True)
        found = folder.lstat()
        if user is None or (stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & OF_OTHERS):
            return folder
    return Path(tempfile.mkdtemp(prefix="polyinv-"))


def is_writable(folder: Path) -> bool:
    """Whether files can be made and read in a folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK)
