"""Sections of a file that know their place in it, so that each error names file and key."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from polyinv.errors import InputError, unknown


@dataclass(frozen=True)
class Section:
    """Section of a file, which knows its place in it: what errors begin with.

    Args:
        file: Name of the file.
        place: Its key, dotted; empty for the whole file.
        content: What stands there.
    """

    file: str
    place: str
    content: Mapping[str, Any]

    def at(self, key: str) -> str:
        """File and dotted key, as an error names it."""
        return f"{self.file}: {self.place}{'.' if self.place else ''}{key}"

    def check(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> "Section":
        """Refuse unknown keys and missing ones; returns itself."""
        for key in self.content:
            if key not in (*required, *optional):
                raise InputError(f"{self.at(str(key))}: {unknown('key', key, (*required, *optional))}")
        for key in required:
            if self.content.get(key) is None:
                raise InputError(f"{self.at(key)} is missing")
        return self

    def section(self, key: str) -> "Section":
        """The section under a key; an empty one if there is none."""
        content = self.content.get(key)
        if content is not None and not isinstance(content, Mapping):
            raise InputError(f"{self.at(key)} is {content}; needs keys with values")
        return Section(self.file, f"{self.place}{'.' if self.place else ''}{key}", content or {})

    def sections(self) -> Iterator[tuple[str, "Section"]]:
        """Every key with its section."""
        return ((str(key), self.section(key)) for key in self.content)

    def text(self, key: str) -> str:
        """The text under a key."""
        given = self.content.get(key)
        if not isinstance(given, str) or not given.strip():
            raise InputError(f"{self.at(key)} is {given}; needs text")
        return " ".join(given.split())

    def symbol(self) -> str:
        """The symbol of a substance, which makes the names of its columns."""
        return self._word("symbol", r"[A-Za-z][A-Za-z0-9]*", "letters and digits, such as MMA")

    def name(self) -> str:
        """The name of a system, which names files, too."""
        return self._word("name", r"[A-Za-z][A-Za-z0-9_-]*", "letters, digits, _ and -, such as my_monomer")

    def _word(self, key: str, pattern: str, needed: str) -> str:
        word = self.text(key)
        if not re.fullmatch(pattern, word):
            raise InputError(f"{self.at(key)} is {word}; needs {needed}")
        return word
