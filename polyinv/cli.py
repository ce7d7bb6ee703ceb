"""Command line: parse, call, print. ``polyinv COMMAND --help`` lists the options.

What takes seconds to import (torch, lightning, scikit-learn) is imported by what is called, after the arguments and
the input files have been refused or accepted.
"""

import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from polyinv import __version__
from polyinv.commands.ablate import ablate
from polyinv.commands.calibrate import calibrate
from polyinv.commands.compare import compare
from polyinv.commands.design import design
from polyinv.commands.evaluate import evaluate
from polyinv.commands.options import first_line
from polyinv.commands.predict import predict
from polyinv.commands.reproduce import reproduce
from polyinv.commands.search import search
from polyinv.commands.simulate import simulate
from polyinv.commands.systems import systems
from polyinv.commands.train import train
from polyinv.errors import naming, unknown
from polyinv.experiment.arguments import config_files
from polyinv.runtime.collection import uncollected_at_exit
from polyinv.runtime.door import REFUSED, flushed, refused, told, without_debug
from polyinv.runtime.files import claims
from polyinv.runtime.flags import bare
from polyinv.runtime.interrupts import INTERRUPTED, SAID, end_as_it_is, interruptible
from polyinv.runtime.plugins import import_files, taken_out

log = logging.getLogger("polyinv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    It is 0, 2 for input that cannot be used, 1 for a fault of polyinv's own, 130 if interrupted
    (`docs/reference/errors.md`). Errors end in one line; ``--debug`` prints the traceback before.
    """
    arguments, debug = without_debug(list(sys.argv[1:] if arguments is None else arguments))
    try:
        arguments, imported = taken_out(arguments)
        if not arguments or arguments[0] in ("-h", "--help"):
            print(_usage())
            return 0 if arguments else REFUSED
        if arguments[0] == "--version":
            print(f"polyinv {__version__}")
            return 0
        name, *rest = arguments
        if name not in COMMANDS:
            raise unknown("command", name, COMMANDS)
        with _speaking(), interruptible(), claims():
            import_files(imported)
            with naming(config_files(rest)), flushed():
                COMMANDS[name](list(bare(rest, FLAGS.get(name, ()))))
    except BrokenPipeError:  # who reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        told(SAID)
        return INTERRUPTED
    except Exception as error:
        return refused(error, debug)
    return 0


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "simulate": simulate,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "compare": compare,
    "calibrate": calibrate,
    "design": design,
    "reproduce": reproduce,
    "ablate": ablate,
    "search": search,
    "systems": systems,
}
FLAGS = {
    "simulate": ("--allow-few",),
    "train": ("--resume",),
    "predict": ("--normalize", "--sharpen", "--no-sharpen", "--advise"),
    "ablate": ("--retry", "--dry-run"),
    "search": ("--dry-run",),
    "design": ("--robust",),
}
"""Options without a value, whose old spellings (``--resume true``) are still understood."""


def _usage() -> str:
    lines = [f"  {name:10s} {first_line(command)}" for name, command in COMMANDS.items()]
    head = "usage: polyinv COMMAND [options]\n\nWhich recipe made this molar mass distribution?\n\ncommands:"
    return "\n".join(
        [head, *lines, "", "`polyinv COMMAND --help` lists the options of a command; --version the version."]
    )


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        mark = "polyinv: warning: " if record.levelno >= logging.WARNING else ""
        said = super().format(record)
        return mark + "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in said)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message, which may quote a file, in one line; what is shown of an error has lines of its own."""
        return " ".join(super().formatMessage(record).split("\n"))


@contextmanager
def _speaking() -> Iterator[None]:
    """Send the package's log and Python's warnings, marked as such, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain("%(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.simplefilter("ignore", ResourceWarning)  # of a file that an interrupt has left to Python to close
            warnings.showwarning = lambda message, *where: log.warning("%s", message)
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def entry() -> NoReturn:
    """Run `main` and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # there is none without a console
            # Windows' own encoding lacks half of what is printed: a pipe or file gets UTF-8, a terminal what it shows.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    code = main()
    end_as_it_is()
    if code == INTERRUPTED and threading.active_count() > 1:
        os._exit(code)  # a compiled simulation under way in a thread would be waited for
    uncollected_at_exit()
    sys.exit(code)


if __name__ == "__main__":
    entry()
