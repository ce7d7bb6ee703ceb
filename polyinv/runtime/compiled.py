"""numba's ``njit``, which keeps what it has compiled beside the package or, failing that, in the user's cache."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import numba
from numba import njit

from polyinv.runtime.files import cache_folder

__all__ = ["njit", "slow_the_first_time"]

PATIENCE = 3.0
"""Seconds after which a first call is said to compile; what was compiled before is loaded in half a second."""

config: Any = numba.config
if not config.CACHE_DIR and not os.access(Path(__file__).parents[1], os.W_OK):
    # numba itself gives up where neither the package nor the home can be written.
    config.CACHE_DIR = str(cache_folder() / "numba")

log = logging.getLogger(__name__)
_called: set[str] = set()


@contextmanager
def slow_the_first_time(name: str) -> Iterator[None]:
    """Say, if the first call of the process takes longer than a moment, that a function is being compiled."""
    if name in _called:
        yield
        return
    said = Timer(PATIENCE, log.info, ["compiling %s, once after an installation", name])
    said.daemon = True
    said.start()
    try:
        yield
    finally:
        said.cancel()
        _called.add(name)
