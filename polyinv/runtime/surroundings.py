"""What a job has to find where it is run: the folder, files, code and packages of the process that asks for it."""

import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from polyinv.runtime.plugins import imported_files
from polyinv.runtime.shared_folders import MARK

MATCHED = (
    "polyinv",
    "torch",
    "lightning",
    "numpy",
    "scikit-learn",
    "scipy",
    "numba",
    "pandas",
    "distributed",
    "optuna",
)
"""Packages whose version has to be the same everywhere: results depend on it, or messages."""
PACKAGE = Path(__file__).parents[1]
CODE = (".py", ".yaml", ".npz")
NOT_CODE = ("shipped", "__pycache__")
"""Folders of the package that are only in some installations."""


@dataclass(frozen=True)
class Surroundings:
    """What a job has to find where it is run.

    Args:
        folder: That of the process that asks.
        output: Folder that jobs write to; None where they do not.
        shared: Files and folders that have to be the same, with the SHA-256 of each file.
        versions: Of Python and packages.
        code: SHA-256 of polyinv.
        imported: Plug-ins.
    """

    folder: str
    output: str | None
    shared: tuple[tuple[str, str | None], ...]
    versions: tuple[tuple[str, str], ...]
    code: str
    imported: tuple[str, ...]

    @classmethod
    def here(cls, shared: Sequence[Path]) -> "Surroundings":
        """Those of this process, whose jobs write to the first of what is shared if that is a folder."""
        plugins = imported_files()
        paths = [*map(os.path.abspath, shared), *plugins]
        output = paths[0] if shared and Path(paths[0]).is_dir() else None
        files = tuple((path, _sha256(Path(path))) for path in paths)
        return cls(os.getcwd(), output, files, tuple(_versions().items()), _code(), tuple(plugins))

    def fault(self) -> str | None:
        """Say what is missing or different in the process that asks; None if nothing is."""
        ours = _versions()
        for name, theirs in self.versions:
            if ours.get(name) != theirs:
                return f"has {name} {ours.get(name, 'not at all')}, and here it is {theirs}"
        if _code() != self.code:
            return f"has other code of polyinv {ours['polyinv']}, in {PACKAGE}; needs the same installation"
        for path, sha256 in ((self.folder, None), *self.shared):
            if not Path(path).exists():
                said = f"sees another {Path(path).parent}" if MARK in path else f"does not see {path}"
                return f"{said}; needs a file system that is shared"
            if _sha256(Path(path)) != sha256:
                return f"sees another {path}; needs a file system that is shared"
        if self.output is not None and not os.access(self.output, os.W_OK | os.X_OK):
            return f"cannot write in {self.output}; needs the right to"
        return None


def _sha256(path: Path) -> str | None:
    """Fingerprint of a file; None of a folder, and of what is not there."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _code() -> str:
    """Fingerprint of polyinv as it lies on the disk, where processes that are started load it from."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        inside = path.relative_to(PACKAGE)
        if path.suffix in CODE and not {*NOT_CODE} & {*inside.parts}:
            digest.update(f"{inside.as_posix()} {_sha256(path)}\n".encode())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in MATCHED:
        with suppress(PackageNotFoundError):
            found[name] = version(name).partition("+")[0]  # not the build for a device
    return found
