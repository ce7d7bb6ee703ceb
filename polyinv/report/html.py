"""A report as one HTML file that needs nothing beside itself: no network, no fonts, no other files.

It reads on a telephone and on a desk, in light and in dark; its tables are sorted by a click on a heading.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from polyinv import __version__

DPI = 180
"""Of the figures."""
PIXELS_PER_INCH = 120
"""How wide a figure is shown at most."""
NOTHING = "–"
"""What stands in a cell without a value."""


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Args:
        title: Its heading.
        text: Paragraphs, an empty line between two.
        tables: Caption and table. A caption says which rows the numbers are of, and what their spread is over. Text
            stands as it is, numbers with four digits, missing values as a dash; the index is not shown.
        figures: Caption and figure; the caption is also what is read out instead of the picture.
    """

    title: str
    text: str = ""
    tables: tuple[tuple[str, pd.DataFrame], ...] = ()
    figures: tuple[tuple[str, Figure], ...] = ()


def report(title: str, summary: Sequence[str], sections: Sequence[Section]) -> str:
    """A whole HTML document. All text is escaped; the same input gives the same document.

    Args:
        title: Of the document.
        summary: Lines under it: what was evaluated on what, and what came out.
        sections: In their order.

    Example:
        >>> page = report("mlp", ["R² 0.76"], [Section("Scores", "A < B")])
        >>> page[:15], "A &lt; B" in page
        ('<!doctype html>', True)
    """
    names = [f"section-{number}" for number in range(1, len(sections) + 1)]
    contents = "\n".join(
        f'<li><a href="#{name}">{escape(section.title)}</a></li>' for name, section in zip(names, sections, strict=True)
    )
    body = "\n".join(_section(section, name) for name, section in zip(names, sections, strict=True))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{_lines(summary)}
</header>
<nav aria-label="Contents"><ul>
{contents}
</ul></nav>
<main>
{body}
</main>
<footer>polyinv {escape(__version__)}</footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _section(section: Section, name: str) -> str:
    parts = [
        f'<section id="{name}" aria-labelledby="{name}-title">',
        f'<h2 id="{name}-title">{escape(section.title)}</h2>',
    ]
    parts.append(_lines(part for part in section.text.split("\n\n") if part.strip()))
    for number, (caption, table) in enumerate(section.tables, start=1):
        parts.append(_table(caption, table, f"{name}-table-{number}"))
    parts += [_figure(caption, figure) for caption, figure in section.figures]
    return "\n".join([*filter(None, parts), "</section>"])


def _lines(texts: Sequence[str] | Iterator[str]) -> str:
    return "\n".join(f"<p>{escape(text.strip())}</p>" for text in texts)


def _figure(caption: str, figure: Figure) -> str:
    width, height = (round(PIXELS_PER_INCH * inches) for inches in figure.get_size_inches())
    with BytesIO() as file:
        figure.savefig(file, format="png", dpi=DPI, facecolor="white")
        picture = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure>\n<img src="data:image/png;base64,{picture}" width="{width}" height="{height}" '
        f'alt="{escape(caption)}">\n<figcaption>{escape(caption)}</figcaption>\n</figure>'
    )


def _table(caption: str, table: pd.DataFrame, name: str) -> str:
    numeric = [_is_numeric(column) for _, column in table.items()]
    kinds = [' class="number"' if each else "" for each in numeric]
    heads = "".join(
        f'<th scope="col" aria-sort="none"{kind}><button type="button">{escape(str(heading))}</button></th>'
        for heading, kind in zip(table.columns, kinds, strict=True)
    )
    lines = "\n".join(f"<tr>{_row(row, kinds)}</tr>" for row in table.itertuples(index=False, name=None))
    return f"""<figure>
<figcaption id="{name}">{escape(caption)}</figcaption>
<div class="scroll" role="region" aria-labelledby="{name}" tabindex="0">
<table aria-labelledby="{name}">
<thead><tr>{heads}</tr></thead>
<tbody>
{lines}
</tbody>
</table>
</div>
</figure>"""


def _row(cells: Sequence[object], kinds: Sequence[str]) -> str:
    """Cells of a row, of which the first names it."""
    texts = [escape(_text(cell)) for cell in cells]
    first = [f'<th scope="row"{kind}>{text}</th>' for kind, text in zip(kinds[:1], texts[:1], strict=True)]
    return "".join(first + [f"<td{kind}>{text}</td>" for kind, text in zip(kinds[1:], texts[1:], strict=True)])


def _text(cell: object) -> str:
    """A cell for reading.

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


STYLE = """
:root {
  --page: #f5f6f8; --card: #ffffff; --ink: #1c2430; --soft: #566072; --line: #d9dde4; --accent: #1f6fa8;
  --stripe: #f7f8fa;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1b212a; --ink: #e6e9ee; --soft: #a3adbb; --line: #343d4a; --accent: #7cbcec;
    --stripe: #202731;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 1000px; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: break-word;
}
h1 { font-size: clamp(1.4rem, 1rem + 2vw, 2rem); line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .5rem; }
p { margin: 0 0 .7rem; max-width: 48rem; }
a { color: var(--accent); }
header p { color: var(--soft); margin-bottom: .3rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; margin: 1rem 0 1.5rem; padding: 0; }
nav a { display: inline-block; padding: .3rem 0; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.1rem .6rem;
  margin-bottom: 1.2rem;
}
figure { margin: 0 0 1.3rem; min-width: 0; }
figcaption { color: var(--soft); font-size: .875rem; line-height: 1.45; margin: .4rem 0; max-width: 48rem; }
img {
  display: block; max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line);
  border-radius: 10px; padding: .4rem;
}
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; max-width: 100%; width: fit-content; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 0; }
tbody tr:nth-child(even) > * { background: var(--stripe); }
tbody tr > * { background: var(--card); }
tbody th { font-weight: 600; position: sticky; left: 0; z-index: 1; }
.number { text-align: right; }
thead th { padding: 0; background: var(--card); }
thead button {
  all: unset; box-sizing: border-box; display: block; width: 100%; padding: .5rem .7rem; font-weight: 600;
  cursor: pointer; white-space: nowrap;
}
thead button:hover { color: var(--accent); }
thead button::after { content: "\\2195"; opacity: .45; margin-left: .35em; }
th[aria-sort="ascending"] button::after { content: "\\2191"; opacity: 1; }
th[aria-sort="descending"] button::after { content: "\\2193"; opacity: 1; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: 4px; }
footer { color: var(--soft); font-size: .875rem; }
@media (max-width: 30rem) {
  body { padding: 1rem .6rem 2rem; }
  section { padding: .9rem .7rem .3rem; }
  img { padding: 0; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print {
  body { max-width: none; }
  section { border: 0; padding: 0; }
  figure { break-inside: avoid; }
  nav { display: none; }
}
"""
"""Without a width in pixels that a telephone does not have: what is wider scrolls within itself."""

SCRIPT = """
"use strict";
// Of text that begins with a number, that number: "0.764 ± 0.002" is sorted as 0.764. A dash comes last.
function key(text) {
  const found = text.replaceAll("\\u2212", "-").match(/^[<>\\s]*([-+]?\\d*\\.?\\d+(?:[eE][-+]?\\d+)?)/);
  return found ? Number(found[1]) : NaN;
}
function sortRows(head) {
  const table = head.closest("table"), body = table.tBodies[0];
  const at = head.cellIndex, up = head.getAttribute("aria-sort") !== "ascending";
  const isNumber = head.classList.contains("number");
  const words = new Intl.Collator(undefined, {numeric: true});
  const rows = Array.from(body.rows, row => ({row, text: row.cells[at].textContent.trim()}));
  for (const each of rows) { each.key = isNumber ? key(each.text) : each.text; each.none = each.text === "–"; }
  rows.sort((a, b) => {
    if (a.none || b.none) return a.none - b.none;
    const order = isNumber ? a.key - b.key : words.compare(a.text, b.text);
    return up ? order : -order;
  });
  body.append(...rows.map(each => each.row));
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
}
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => sortRows(button.closest("th")));
}
"""
"""Sorts the rows of a table by the column whose heading was clicked, up and then down."""
