"""HTML report in one file that needs nothing beside itself: no network, no fonts, no other files.

It reads on a telephone and on a desk, in light and in dark; its tables are sorted by a click on a heading. What it
looks like is in ``templates/``: ``report.html.j2``, ``report.css`` and ``report.js``.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from polyinv import __version__

if TYPE_CHECKING:
    from jinja2 import Template

DPI = 180
"""Of the figures."""
PIXELS_PER_INCH = 120
"""How wide a figure is shown at most."""
NOTHING = "–"
"""What stands in a cell without a value."""


@dataclass(frozen=True)
class Section:
    """Section of a report.

    Args:
        title: Its heading.
        text: Paragraphs, an empty line between two.
        tables: Caption and table. A caption says which rows the numbers are of, and what their spread is over. Text
            stands as it is, numbers with four digits, missing values as a dash; the index is not shown.
        figures: Caption and figure; the caption is also what is read out instead of the picture.
        drawings: Caption and SVG (`polyinv.report.scatter.scatter`), whose points say what they are.
    """

    title: str
    text: str = ""
    tables: tuple[tuple[str, pd.DataFrame], ...] = ()
    figures: tuple[tuple[str, Figure], ...] = ()
    drawings: tuple[tuple[str, Markup], ...] = ()


def report(title: str, summary: Sequence[str], sections: Sequence[Section]) -> str:
    """Render a whole HTML document. All text is escaped; the same input gives the same document.

    Args:
        title: Of the document.
        summary: Lines under it: what was evaluated on what, and what came out.
        sections: In their order.

    Example:
        >>> page = report("mlp", ["R² 0.76"], [Section("Scores", "A < B")])
        >>> page[:15], "A &lt; B" in page
        ('<!doctype html>', True)
    """
    shown = [_section(section) for section in sections]
    return _template().render(title=title, summary=summary, sections=shown, version=__version__)


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    pages = Environment(loader=PackageLoader("polyinv.report"), autoescape=True, undefined=StrictUndefined, **options)
    return pages.get_template("report.html.j2")


def _section(section: Section) -> dict[str, Any]:
    """Values of a section for the template."""
    return {
        "title": section.title,
        "paragraphs": [part.strip() for part in section.text.split("\n\n") if part.strip()],
        "tables": [_table(caption, table) for caption, table in section.tables],
        "drawings": [{"caption": caption, "svg": svg} for caption, svg in section.drawings],
        "figures": [_figure(caption, figure) for caption, figure in section.figures],
    }


def _figure(caption: str, figure: Figure) -> dict[str, Any]:
    width, height = (round(PIXELS_PER_INCH * inches) for inches in figure.get_size_inches())
    encoded = base64.b64encode(png(figure)).decode()
    return {"caption": caption, "png": encoded, "width": width, "height": height}


_drawn: WeakKeyDictionary[Figure, bytes] = WeakKeyDictionary()


def png(figure: Figure) -> bytes:
    """Draw a figure as a PNG file, once for the page and what else it is written to: it takes a third of a second."""
    if figure not in _drawn:
        with BytesIO() as file:
            figure.savefig(file, format="png", dpi=DPI, facecolor="white")
            _drawn[figure] = file.getvalue()
    return _drawn[figure]


def _table(caption: str, table: pd.DataFrame) -> dict[str, Any]:
    columns = [{"heading": heading, "is_numeric": _is_numeric(column)} for heading, column in table.items()]
    rows = [[_text(cell) for cell in row] for row in table.itertuples(index=False, name=None)]
    return {"caption": caption, "columns": columns, "rows": rows}


def _text(cell: object) -> str:
    """Format a cell of a table.

    Example:
        >>> [_text(cell) for cell in (0.123456, 12, "0.76 ± 0.01", float("nan"), None, "")]
        ['0.1235', '12', '0.76 ± 0.01', '–', '–', '–']
    """
    if pd.isna(cell) or cell == "":
        return NOTHING
    return f"{cell:.4g}" if isinstance(cell, float | np.floating) else str(cell)


def _is_numeric(column: pd.Series) -> bool:
    """Whether what stands in a column begins with a number, as in ``0.76 ± 0.01``; such cells stand on the right."""
    texts = [text for text in map(_text, column) if text != NOTHING]
    return bool(texts) and all(text.lstrip("+-−<> ")[:1].isdigit() for text in texts)
