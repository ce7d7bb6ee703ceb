"""Python files of a user that add to polyinv's dictionaries: a network, a model, a split.

They are named on the command line and nowhere else: no configuration and no saved model can have a file run.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from polyinv.errors import InputError
from polyinv.runtime.files import at_home

IMPORTED = "POLYINV_IMPORTED"
"""Environment variable by which the processes of a study import the same files."""


def taken_out(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take ``--import FILE`` out of arguments; return the rest, and the files.

    Raises:
        InputError: No file follows.

    Example:
        >>> taken_out(["--import", "own.py", "--output", "runs/own"])
        (['--output', 'runs/own'], ['own.py'])
    """
    rest: list[str] = []
    files: list[str] = []
    given = iter(arguments)
    for argument in given:
        if argument == "--import":
            file = next(given, None)
            if file is None:
                raise InputError("--import needs a Python file")
            files.append(file)
        elif argument.startswith("--import="):
            files.append(argument.removeprefix("--import="))
        else:
            rest.append(argument)
    return rest, files


def import_files(files: Sequence[Path | str]) -> None:
    """Run Python files, once each, here and in all processes that are started from here.

    Raises:
        InputError: There is no such file, or it cannot be run.
    """
    paths = [at_home(file).resolve() for file in files]
    for file, path in zip(files, paths, strict=True):
        if path.suffix != ".py" or not path.is_file():
            raise InputError(f"--import {file}: no such Python file")
        _import(path)
    if paths:
        os.environ |= of_files([str(path) for path in paths])


def of_files(paths: Sequence[str]) -> dict[str, str]:
    """Variable of the environment by which processes import these files; any sign may be part of a name."""
    return {IMPORTED: json.dumps(paths)}


def imported_files() -> list[str]:
    """Paths of the files that this process, or the one that started it, has imported."""
    return json.loads(os.environ.get(IMPORTED, "[]"))


def import_again() -> None:
    """Run the files that the process that started this one has imported."""
    for path in imported_files():
        _import(Path(path))


def _import(path: Path) -> None:
    name = f"polyinv_import_{path.stem}"
    if name in sys.modules and sys.modules[name].__file__ == str(path):
        return
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever somebody's file raises, a script that ends itself, too
        del sys.modules[name]
        raise InputError(f"--import {path}: {type(error).__name__}: {error}") from error
