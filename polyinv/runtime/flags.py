"""Old spellings of flags, which take no value any more: understood for one release, with a warning."""

import logging
from collections.abc import Iterator, Sequence

VALUES = ("true", "false")

log = logging.getLogger(__name__)


def bare(arguments: Sequence[str], flags: Sequence[str]) -> Iterator[str]:
    """Spell every flag as today: ``--resume`` for ``--resume true`` and ``--resume=true``.

    Args:
        arguments: As they were typed; what comes after ``--`` is left alone.
        flags: Spelled as they are today, such as ``--allow-few``.

    Example:
        >>> list(bare(["--normalize", "mine.csv", "--out", "true"], ["--normalize"]))
        ['--normalize', 'mine.csv', '--out', 'true']
    """
    left = list(arguments)
    while left and left[0] != "--":
        typed = left.pop(0)
        name, given, value = typed.partition("=")
        flag = name.replace("_", "-")
        if flag not in flags or (given and value.lower() not in VALUES):
            yield typed
            continue
        if not given and left and left[0].lower() in VALUES:
            value = left.pop(0)
            typed = f"{typed} {value}"
        is_set = value.lower() != "false"
        if typed != flag:
            now = f"write {flag}" if is_set else f"leave {flag} out"
            log.warning("%s is an old spelling, which the next release refuses; %s", typed, now)
        if is_set:
            yield flag
    yield from left
