"""The door of the program: whatever is raised inside leaves as one line and an exit code."""

import argparse
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from polyinv.errors import InputError, one_line

FAULT, REFUSED = 1, 2
"""Exit codes: a fault of polyinv's own, and input that cannot be used."""
LONGEST, END = 400, 100
"""Characters of a line at most, and of its end where the middle is left out."""
DEBUG = "--debug"
"""Option that shows where an error comes from."""
NO_MEMORY = "can't allocate memory"
"""So torch says it."""
PACKAGE = Path(__file__).parents[1]


def without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Take ``--debug`` out of arguments; what comes after ``--`` is left alone.

    Example:
        >>> without_debug(["predict", "--debug", "a.csv"]), without_debug(["predict", "--", "--debug"])
        ((['predict', 'a.csv'], True), (['predict', '--', '--debug'], False))
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [each for each in arguments[:end] if each != DEBUG]
    return [*options, *arguments[end:]], len(options) < end


def refused(error: BaseException, debug: bool = False) -> int:
    """Print an error as one line and return the exit code: 2 for what its user can mend, 1 for a fault of polyinv.

    Args:
        error: What was raised.
        debug: Whether its traceback is printed before.
    """
    if debug:
        traceback.print_exception(error)
    code, line = _told(error)
    told(f"polyinv: {one_line(line, LONGEST, END)}")
    return code


def told(line: str) -> None:
    """Print a line to standard error, where that takes one: the exit code says it, too."""
    if sys.stderr:
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)


@contextmanager
def flushed() -> Iterator[None]:
    """Write out standard output at the end of the block, after ``--help``, too: a full disk gets its line.

    Raises:
        InputError: It cannot be written.
    """
    try:
        yield
    except SystemExit:
        _flush()
        raise
    _flush()


def _flush() -> None:
    try:
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"standard output cannot be written: {error.strerror}") from None


def _told(error: BaseException) -> tuple[int, str]:
    if isinstance(error, OSError) and error.filename is None:
        return (
            REFUSED,
            f"error: {error}; in standard output, the temporary folder, or a file that nobody names",
        )
    if isinstance(error, InputError | argparse.ArgumentError | OSError):
        return REFUSED, f"error: {error}"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and NO_MEMORY in str(error)):
        said = f" ({error})" if isinstance(error, MemoryError) and str(error) else ""
        return REFUSED, f"error: memory does not suffice{said}; needs a smaller file, fewer rows, or a larger machine"
    if isinstance(error, RecursionError):
        return REFUSED, "error: the input is nested too deeply; needs fewer levels"
    if isinstance(error, UnicodeError):
        return REFUSED, f"error: text cannot be read or written ({error}); needs UTF-8"
    said = f"{type(error).__name__}{_place(error)}: {str(error) or 'no more is known'}"
    return FAULT, f"fault of polyinv: {said}; the same command with {DEBUG} shows more, please report it"


def _place(error: BaseException) -> str:
    """Where in the package an error was raised last, such as `` in predict/rows.py, line 12``."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if Path(each.filename).is_relative_to(PACKAGE)]
    if not frames:
        return ""
    return f" in {Path(frames[-1].filename).relative_to(PACKAGE).as_posix()}, line {frames[-1].lineno}"
