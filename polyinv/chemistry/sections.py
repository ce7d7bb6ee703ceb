"""Sections of a file that know their place in it, so that each error names file and key."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from polyinv.errors import InputError, quoted, unknown

LONGEST_TEXT, LONGEST_WORD = 2000, 60
"""Characters of a text, such as a source, and of a name or symbol, which becomes part of names of files and columns."""


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
                raise InputError(f"{self.at(quoted(key))}: {unknown('key', key, (*required, *optional))}{_hint(key)}")
        for key in required:
            if self.content.get(key) is None:
                raise InputError(f"{self.at(key)} is missing")
        return self

    def section(self, key: str) -> "Section":
        """The section under a key; an empty one if there is none."""
        content = self.content.get(key)
        if content is not None and not isinstance(content, Mapping):
            raise InputError(f"{self.at(key)} is {quoted(content)}; needs keys with values")
        return Section(self.file, f"{self.place}{'.' if self.place else ''}{key}", content or {})

    def sections(self) -> Iterator[tuple[str, "Section"]]:
        """Every key with its section."""
        return ((str(key), self.section(key)) for key in self.content)

    def text(self, key: str) -> str:
        """The text under a key."""
        given = self.content.get(key)
        if not isinstance(given, str) or not given.strip():
            raise InputError(f"{self.at(key)} is {quoted(given)}; needs text")
        if len(given) > LONGEST_TEXT:
            raise InputError(f"{self.at(key)} has {len(given)} characters; needs {LONGEST_TEXT} or fewer")
        text = " ".join(given.split())
        if not text.isprintable():
            sign = next(sign for sign in text if not sign.isprintable())
            raise InputError(
                f"{self.at(key)} has the character U+{ord(sign):04X}, which cannot be printed; leave it out"
            )
        return text

    def symbol(self) -> str:
        """The symbol of a substance, which makes the names of its columns."""
        return self._word("symbol", r"[A-Za-z][A-Za-z0-9]*", "letters and digits, such as MMA")

    def name(self) -> str:
        """The name of a system, which names files, too."""
        return self._word("name", r"[A-Za-z][A-Za-z0-9_-]*", "letters, digits, _ and -, such as my_monomer")

    def _word(self, key: str, pattern: str, needed: str) -> str:
        word = self.text(key)
        if not re.fullmatch(pattern, word):
            raise InputError(f"{self.at(key)} is {quoted(word)}; needs {needed}")
        if len(word) > LONGEST_WORD:
            raise InputError(f"{self.at(key)} has {len(word)} characters; needs {LONGEST_WORD} or fewer")
        return word


def _hint(key: Any) -> str:
    """A hint for a key that is the rest of a number: ``{E_a: 22,3 kJ/mol}`` has the key ``3 kJ/mol``."""
    return "; write decimals with a point" if isinstance(key, str) and re.match("[0-9]", key) else ""
