"""Hooks of the documentation's build: generated pages, and formulas without a script.

MkDocs calls the functions by their names (`hooks` in mkdocs.yml).
"""

import sys
import xml.etree.ElementTree as etree
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.inlinepatterns import InlineProcessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from pages import API, homes, pages


class _Formula(InlineProcessor):
    def handleMatch(self, match: Any, data: str) -> tuple[etree.Element, int, int]:
        return etree.fromstring(convert(match[1])), match.start(0), match.end(0)


class Formulas(Extension):
    r"""Sets ``:math:`\\hat z```, as docstrings and pages write it, as MathML, which browsers show by themselves."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.inlinePatterns.register(_Formula(r":math:`([^`]+)`", md), "formula", 200)  # before code is


@event_priority(100)
def on_config(config: MkDocsConfig) -> None:
    config.markdown_extensions.append(Formulas())
    reference = next(part["Reference"] for part in config.nav if "Reference" in part)
    api = next(part["Python API"] for part in reference if "Python API" in part)
    api += [{name: f"{API}/{name}.md"} for name in homes()]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for place, text in pages().items():
        files.append(File.generated(config, place, content=text))
    return files
