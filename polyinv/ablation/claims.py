"""Claims of cells: any number of processes work on one study, and each cell is run by one of them.

A claim is a lock of the operating system on a file in ``.claims/``, held by the process that `ablate` was called in. It
ends with that process, however that ends, so that nobody has to guess from a clock whether an owner is still alive.
Other hosts see it where the file system shares its locks: docs/how-to/shared-studies.md.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import BaseFileLock

from polyinv.errors import InputError
from polyinv.runtime.shared_folders import lock_file, look_again

CLAIMS = ".claims"
LONGEST_WAIT = 600.0
"""In s, for others to begin or to end."""


class Claims:
    """Claims of one call on the cells of a study.

    Args:
        output: Folder of the study.
    """

    def __init__(self, output: Path) -> None:
        self._output, self._folder = output, output / CLAIMS
        for part in ("calls", "cells"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        self._held: dict[str, BaseFileLock] = {}
        self._call = self._folder / "calls" / f"{uuid4().hex}.lock"
        self._presence: BaseFileLock | None = None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let no other call begin or end while the block runs.

        Raises:
            InputError: Another one has been at it for `LONGEST_WAIT`.
        """
        lock = lock_file(self._folder / "study.lock", LONGEST_WAIT)
        if lock is None:
            raise InputError(f"another process has been writing in {self._output} for {LONGEST_WAIT:g} s")
        try:
            yield
        finally:
            lock.release()

    def enter(self) -> None:
        """Be seen by others as a call that is at work. Inside `exclusive`."""
        self._presence = lock_file(self._call)

    def leave(self) -> None:
        """Be no longer seen. Inside `exclusive`, or at the end."""
        if self._presence is not None:
            self._presence.release()
            self._call.unlink(missing_ok=True)
            self._presence = None

    def others(self) -> int:
        """Count the other calls that are at work. Inside `exclusive`."""
        look_again(self._folder / "calls")
        return sum(_is_held(path) for path in (self._folder / "calls").glob("*.lock") if path != self._call)

    def take(self, name: str) -> bool:
        """Claim a cell; False if a call has it."""
        if name in self._held:
            return False
        lock = lock_file(self._folder / "cells" / f"{name}.lock")
        if lock is not None:
            self._held[name] = lock
        return lock is not None

    def give_back(self, name: str) -> None:
        """Release a cell."""
        self._held.pop(name).release()

    def close(self) -> None:
        """Release everything."""
        for name in [*self._held]:
            self.give_back(name)
        self.leave()


def _is_held(path: Path) -> bool:
    """Whether a call that has entered is still at work; what a killed one left behind is removed."""
    lock = lock_file(path)
    if lock is None:
        return True
    lock.release()
    with suppress(OSError):
        path.unlink(missing_ok=True)
    return False
