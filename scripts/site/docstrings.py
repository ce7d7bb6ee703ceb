"""Read docstrings as they are written here: an `Example:` is code to run, and is set as such."""

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Makes the section of examples that the reader of docstrings knows out of ``Example:``."""

    def on_object(self, *, obj: Object, **context: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
