"""Start of the program: a request to end is answered, too, while libraries are being imported, which takes a second."""

import os
import sys
from typing import NoReturn

from polyinv.runtime.interrupts import end_when_asked


def start() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    end_when_asked()
    _occupy_closed_streams()

    from polyinv.cli import entry

    entry()


def _occupy_closed_streams() -> None:
    """Let no file take the number of a standard stream that is closed, to which libraries would print.

    Where standard output is closed there is none for Python either, and an answer that was to go there is refused.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


if __name__ == "__main__":
    start()
