"""Hooks of the documentation's build: generated pages, and formulas without a script.

MkDocs calls the functions by their names (`hooks` in mkdocs.yml).
"""

import re
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
from pages import API, groups, pages

_NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'  # in HTML there is none


class _Formula(InlineProcessor):
    def handleMatch(self, match: Any, data: str) -> tuple[etree.Element, int, int]:
        return etree.fromstring(convert(match[1]).replace(_NAMESPACE, "")), match.start(0), match.end(0)


class Formulas(Extension):
    r"""Sets ``:math:`\\hat z```, as docstrings and pages write it, as MathML, which browsers show by themselves."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.inlinePatterns.register(_Formula(r":math:`([^`]+)`", md), "formula", 200)  # before code is


@event_priority(100)
def on_config(config: MkDocsConfig) -> None:
    config.markdown_extensions.append(Formulas())
    nav: Any = config.nav
    reference = next(part["Reference"] for part in nav if "Reference" in part)
    api = next(part["Python API"] for part in reference if "Python API" in part)
    api += [{group: [{name: f"{API}/{name}.md"} for name in names]} for group, names in groups().items()]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for place, text in pages().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, **context: Any) -> str:
    """Keep a number and its spread on one line of a table's cell."""
    return re.sub(r"^\|.*$", lambda row: row[0].replace(" ± ", "\u00a0±\u00a0"), markdown, flags=re.MULTILINE)


def on_page_content(html: str, **context: Any) -> str:
    """Let a figure, which is small on a phone, be opened in its own size."""
    return re.sub(r'<img [^>]*src="([^"]+)"[^>]*>', r'<a href="\1">\g<0></a>', html)
