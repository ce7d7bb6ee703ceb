"""numba's ``njit``, which keeps what it has compiled beside the package or, failing that, in the user's cache."""

import os
from pathlib import Path
from typing import Any

import numba
from numba import njit

from polyinv.runtime.files import cache_folder

__all__ = ["njit"]

config: Any = numba.config
if not config.CACHE_DIR and not os.access(Path(__file__).parents[1], os.W_OK):
    # numba itself gives up where neither the package nor the home can be written.
    config.CACHE_DIR = str(cache_folder() / "numba")
