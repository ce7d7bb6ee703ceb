"""Processes that have been forked: they do one thing with streams of their own, and end."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn


def be(run: Callable[[], int | None], streams: Sequence[int | None]) -> NoReturn:
    """Do one thing, and end this process with its exit code; 1 where it raises.

    Args:
        run: What is done; what it returns, or exits with, is the exit code, and None is 0.
        streams: Open files that become standard input, output and error; None keeps what is there.
    """
    code = 1
    try:
        for number, stream in enumerate(streams):
            if stream is not None:
                os.dup2(stream, number)
                os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115
        code = run() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def new_file(path: str | os.PathLike[str]) -> int:
    """Open a file to write it anew, as one of the streams."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
