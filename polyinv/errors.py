"""Error that a user can cause: the command line prints its message as a single line and exits with code 2."""

import difflib
import errno
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

QUOTED = 80
"""Characters of a value that an error quotes, at most."""
LISTED, NEAREST = 200, 3
"""Characters of a list of choices, at most; of a longer one so many are named."""


class InputError(ValueError):
    """Input that cannot be used. The message says what, where and what would be right."""


@contextmanager
def naming(files: Sequence[object], options: Sequence[str] = ()) -> Iterator[None]:
    """Name files in errors that name none of them, and where they name one by more signs than a name has.

    Args:
        files: That are read.
        options: Names of options that are used as well; what is said of one is said of no file.

    Example:
        >>> with naming(["mine.csv"]):
        ...     raise InputError("row 2 has no Mn")
        Traceback (most recent call last):
        polyinv.errors.InputError: mine.csv: row 2 has no Mn
    """
    try:
        yield
    except InputError as error:
        if options and str(error).startswith(("--", *(f"{name} is " for name in options))):
            raise InputError(f"--{str(error).removeprefix('--')}") from None
        if not files or any(Path(str(file)).name in str(error) for file in files):
            raise
        raise InputError(f"{_listed(files)}: {error}") from None
    except OSError as error:
        if not files or error.errno != errno.ENAMETOOLONG:
            raise
        raise InputError(f"{_listed(files)}: {error.strerror}: {quoted(error.filename)}") from None


def _listed(files: Sequence[object]) -> str:
    more = f" and {len(files) - NEAREST} more" if files[NEAREST:] else ""
    return ", ".join(map(str, files[:NEAREST])) + more


def unknown(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Make the error for a name that is not in a dictionary of choices.

    Example:
        >>> print(unknown("split", "by_recepie", {"by_recipe": 1, "random_rows": 2}))
        no split 'by_recepie'; known: by_recipe, random_rows
    """
    called = repr(quoted(name)) if isinstance(name, str) else quoted(name)
    return InputError(f"no {kind} {called}; {choices([str(name)], known)}")


def choices(asked: Sequence[str], known: Iterable[str]) -> str:
    """Name the choices: all, or of many those that are most like what was asked for.

    Example:
        >>> choices(["n_estimatorz"], ["model.n_estimators", "model.seed", *(f"data.{i}.chains" for i in range(30))])
        'nearest: model.n_estimators, data.0.chains, data.1.chains, of 32'
    """
    names = sorted(known)
    listed = ", ".join(names)
    if len(listed) <= LISTED:
        return f"known: {listed}"
    near = sorted(names, key=lambda name: -max(_alike(each, name) for each in asked))[:NEAREST]
    return f"nearest: {', '.join(near)}, of {len(names)}"


def _alike(asked: str, name: str) -> float:
    """How alike two names are, 0 to 1, the second perhaps without the sections that its key lies in."""
    parts = (name, name.rpartition(".")[2])
    return max(difflib.SequenceMatcher(None, asked.lower(), part.lower()).ratio() for part in parts)


def quoted(value: Any) -> str:
    """Write a value from a file as an error quotes it: in one line, short, with nothing a terminal would obey.

    Example:
        >>> quoted("80 to\\n60 °C"), quoted([1, [2, [3, [4]]]]), quoted("x" * 1000)[70:]
        ('80 to 60 °C', '[1, [2, [...]]]', 'xxxxxxxxx…')
    """
    return one_line(_text(value)[: 10 * QUOTED])


def one_line(text: object, longest: int = QUOTED, end: int = 0) -> str:
    """Write text of others as one line that can be shown: short, with nothing that a terminal would obey.

    Args:
        text: What is written.
        longest: Characters that the line has at most; of a longer one, some are left out.
        end: So many of them are those of its end.

    Example:
        >>> one_line("a  b\\n\\x1b[2J"), one_line("x" * 100, 5), one_line("a " * 40, 20, 5)
        ('a b ?[2J', 'xxxx…', 'a a a a a a … a a a')
    """
    line = "".join(sign if sign.isprintable() else "?" for sign in " ".join(str(text).split()))
    if len(line) <= longest:
        return line
    return f"{line[: longest - end - 3].rstrip()} … {line[-end:].lstrip()}" if end else f"{line[: longest - 1]}…"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple | dict | set):  # which YAML can make endless, by aliases
        short = reprlib.Repr()
        short.maxlevel = 3
        return short.repr(value)
    return hex(value) if isinstance(value, int) and value.bit_length() > QUOTED else str(value)
