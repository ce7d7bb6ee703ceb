"""numba's ``njit``, which keeps what it has compiled, for as long as the sources stay as they are."""

import hashlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import numba
from numba import njit
from numba.core import caching, dispatcher

from polyinv.runtime.cache import cache_folder, is_writable

__all__ = ["njit", "slow_the_first_time"]

PATIENCE = 3.0
"""Seconds after which a first call is said to compile; what was compiled before is loaded in half a second."""

PACKAGE = Path(__file__).parents[1]


def _cache() -> Path:
    """Folder for what is compiled of today's sources: numba looks at the file of a function, not at what it calls.

    Beside the package where it can be written, else in the user's cache: numba gives up where neither the package nor
    the home can be.
    """
    sources = b"".join(file.read_bytes() for file in sorted((PACKAGE / "simulate").glob("*.py")))
    beside = PACKAGE / "__pycache__" if is_writable(PACKAGE / "__pycache__") else cache_folder()
    return beside / f"numba-{hashlib.sha256(sources).hexdigest()[:16]}"


config: Any = numba.config
if not config.CACHE_DIR or not is_writable(Path(config.CACHE_DIR)):  # of which numba would make an error
    config.CACHE_DIR = str(_cache())

log = logging.getLogger(__name__)


class _Kept(caching.FunctionCache):
    """Cache of numba without which a function is compiled again: a full disk, or a file of others, is no error."""

    is_said = False

    def save_overload(self, sig: Any, data: Any) -> None:
        """See `numba.core.caching.Cache`."""
        with self._warned():
            super().save_overload(sig, data)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """See `numba.core.caching.Cache`."""
        with self._warned():
            return super().load_overload(sig, target_context)

    @contextmanager
    def _warned(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not _Kept.is_said:
                log.warning("what is compiled is not kept in %s: %s", self.cache_path, error.strerror)
            _Kept.is_said = True


dispatcher.FunctionCache = _Kept  # type: ignore[attr-defined]
_called: set[str] = set()


@contextmanager
def slow_the_first_time(name: str) -> Iterator[None]:
    """Say, if the first call of the process takes longer than a moment, that a function is being compiled."""
    if name in _called:
        yield
        return
    _load_library()
    said = Timer(PATIENCE, log.info, ["compiling %s, once after an installation", name])
    said.daemon = True
    said.start()
    try:
        yield
    finally:
        said.cancel()
        _called.add(name)


def _load_library() -> None:
    """Load what numba loads before its first function, but for scipy's linear algebra: a quarter of a second.

    numba imports that only to see whether it is there. It is; and the kernels multiply no matrices.
    """
    from numba.np import linalg

    if "numba.np.arraymath" in sys.modules or not hasattr(linalg, "ensure_blas"):
        return
    look, linalg.ensure_blas = linalg.ensure_blas, lambda: None
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        linalg.ensure_blas = look
