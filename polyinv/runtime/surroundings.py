"""What a job has to find where it is run: the folder, files, packages and plug-ins of the process that asks for it."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from polyinv.runtime.plugins import IMPORTED

MATCHED = ("polyinv", "torch", "lightning", "numpy", "scikit-learn", "scipy", "numba", "pandas", "distributed")
"""Packages whose version has to be the same everywhere: results depend on it, or messages."""


@dataclass(frozen=True)
class Surroundings:
    """What a job has to find where it is run: folder, files, packages and plug-ins of the process that asks for it."""

    folder: str
    shared: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    imported: str

    @classmethod
    def here(cls, shared: Sequence[Path]) -> "Surroundings":
        """Those of this process."""
        plugins = os.environ.get(IMPORTED, "")
        files = [*map(os.path.abspath, shared), *filter(None, plugins.split(os.pathsep))]
        return cls(os.getcwd(), tuple(files), tuple(_versions().items()), plugins)

    def fault(self) -> str | None:
        """Say what is missing or different in the process that asks; None if nothing is."""
        ours = _versions()
        for name, theirs in self.versions:
            if ours.get(name) != theirs:
                return f"has {name} {ours.get(name, 'not at all')}, and here it is {theirs}"
        for path in (self.folder, *self.shared):
            if not Path(path).exists():
                return f"does not see {path}; needs a file system that is shared"
        return None


def _versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in MATCHED:
        with suppress(PackageNotFoundError):
            found[name] = version(name).partition("+")[0]  # not the build for a device
    return found
