"""Standard input and pipes, which can be read once only, as files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from polyinv.errors import InputError
from polyinv.runtime.files import passing_folder

MOST_STREAMED = 1_000_000_000
"""Bytes of standard input."""


@contextmanager
def files_or_standard_input(files: list[str]) -> Iterator[list[Path]]:
    """Paths of files, or of copies of standard input for ``-``, and of pipes, which can be read once only."""
    if not any(file == "-" or Path(file).is_fifo() for file in files):
        yield [Path(file) for file in files]
        return
    if "-" in files and sys.stdin is None:
        raise InputError("standard input is closed; needs a file")
    with passing_folder() as folder:
        paths, called = [], {}
        for at, file in enumerate(files):
            if file != "-" and not Path(file).is_fifo():
                paths.append(Path(file))
                continue
            paths.append(folder / ("input.csv" if file == "-" else f"{at}.csv"))
            called[str(paths[-1])] = "standard input" if file == "-" else file
            with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
                _copy(stream, paths[-1], called[str(paths[-1])])
        try:
            yield paths
        except InputError as error:
            said = str(error)
            for path, name in called.items():
                said = said.replace(path, name)
            raise InputError(said) from None


def _copy(stream: IO[bytes], path: Path, name: str) -> None:
    """Copy what a stream holds, if it ends."""
    left = MOST_STREAMED
    with path.open("wb") as copy:
        while part := stream.read(1 << 20):
            left -= len(part)
            if left < 0:
                raise InputError(f"{name} does not end within {MOST_STREAMED / 1e9:g} GB; needs a file")
            copy.write(part)
