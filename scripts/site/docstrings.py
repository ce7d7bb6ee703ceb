"""Read docstrings as they are written here: an ``Example:`` is code to run, and names may share a description."""

import re
from typing import Any

from griffe import Attribute, Extension, Object

_EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)
_SHARED = re.compile(r"^( +)(\w+(?:, \w+)+)(: .*)$", re.MULTILINE)


class AsWritten(Extension):
    """Puts docstrings into the form that their reader knows: ``Examples:``, and a line for each name."""

    def on_object(self, *, obj: Object, **context: Any) -> None:
        if obj.docstring is not None:
            text = _EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
            obj.docstring.value = _SHARED.sub(_one_by_one, text)
        if isinstance(obj, Attribute) and str(obj.value) == "_MISSING":
            obj.value = "NaN"


def _one_by_one(line: re.Match) -> str:
    return "\n".join(f"{line[1]}{name}{line[3]}" for name in line[2].split(", "))
