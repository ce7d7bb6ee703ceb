"""What arguments say, before the parser that knows all options exists."""

import itertools
from collections.abc import Iterator, Sequence


def given(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names of the options among arguments, each with the text after it."""
    for each, after in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        name, sign, value = each.partition("=")
        if name.startswith("--"):
            yield name.removeprefix("--"), value if sign or after.startswith("--") else after


def configs_first(arguments: Sequence[str]) -> list[str]:
    """Put config files before all other arguments, so that the command line wins wherever it names a file.

    Example:
        >>> configs_first(["--model.width", "8", "--config", "mlp.yaml", "--output", "runs/a"])
        ['--config', 'mlp.yaml', '--model.width', '8', '--output', 'runs/a']
    """
    first: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for each in rest:
        if each == "--config":
            first += [each, *itertools.islice(rest, 1)]
        else:
            (first if each.startswith("--config=") else others).append(each)
    return first + others


def config_files(arguments: Sequence[str]) -> list[str]:
    """The config files among arguments.

    Example:
        >>> config_files(["--config", "a.yaml", "--config=b.yaml", "--output", "run"])
        ['a.yaml', 'b.yaml']
    """
    return _all_stated(arguments, "config")


def stated(arguments: Sequence[str], option: str) -> str | None:
    """Find the value of an option, before the parser that knows all of them exists; the last one counts."""
    return next(reversed(_all_stated(arguments, option)), None)


def _all_stated(arguments: Sequence[str], option: str) -> list[str]:
    return [value for name, value in given(arguments) if name == option and value]
