"""Libraries of the extras, which are imported only where they are asked for."""

from importlib import import_module
from types import ModuleType

from polyinv.errors import InputError


def needed(library: str, extra: str, what: str) -> ModuleType:
    """Import a library of an extra.

    Args:
        library: Its name, that of the module, too.
        extra: The extra of polyinv that installs it.
        what: What needs it.

    Raises:
        InputError: It is not installed; the line says how to.

    Example:
        >>> needed("nobody_has_this", "search", "polyinv search")
        Traceback (most recent call last):
        polyinv.errors.InputError: polyinv search needs nobody_has_this: pip install 'polyinv[search]'
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        missing = error.name or library
        raise InputError(f"{what} needs {missing}: pip install 'polyinv[{extra}]'") from None
