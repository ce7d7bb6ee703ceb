"""Error that a user can cause: the command line prints its message as a single line and exits with code 2."""

from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used. The message says what, where and what would be right."""


def unknown(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Make the error for a name that is not in a dictionary of choices.

    Example:
        >>> print(unknown("split", "by_recepie", {"by_recipe": 1, "random_rows": 2}))
        no split 'by_recepie'; known: by_recipe, random_rows
    """
    return InputError(f"no {kind} {name!r}; known: {', '.join(sorted(known))}")
