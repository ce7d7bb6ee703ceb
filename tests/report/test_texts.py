"""Text of others stands in figures and tables as it was written, and is neither a formula nor a tag there."""

import io
import re
from pathlib import Path

import pandas as pd
import pytest

import polyinv
from polyinv.errors import one_line
from polyinv.report.figures import LONGEST, Figure
from polyinv.report.tables import markdown

HOSTILE = ("$\\frac{1$", "$x$", "\\$ 5$", "a|b", "<script>alert(1)</script>", "x" * 5000, "%s%n", "a\x1b[2J\u202eb")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_a_figure_is_a_formula(text):
    figure = Figure(figsize=(2, 2))
    panel = figure.subplots()
    figure.suptitle(text)
    panel.plot([0, 1], label=text)
    panel.set_xlabel(text)
    panel.set_xticks([0, 1], [one_line(text)] * 2)  # a formatter writes them; they are checked as they are read
    panel.annotate(text, (0, 0))
    figure.legend()
    figure.savefig(io.BytesIO(), format="png")
    shown = [figure.get_suptitle(), panel.get_xlabel()]
    assert all(len(each) <= LONGEST and each.isprintable() for each in shown)
    if text.isprintable() and len(text) <= LONGEST:
        assert shown == [text, text]


def test_powers_of_ten_are_formulas():
    figure = Figure(figsize=(4, 2))
    panel = figure.subplots()
    panel.plot([1e-5, 1e5], [0, 1])
    panel.set_xscale("log")
    figure.savefig(io.BytesIO(), format="png")
    assert all(label.get_parse_math() for label in panel.get_xticklabels() if "$" in label.get_text())
    assert any("$" in label.get_text() for label in panel.get_xticklabels())
    assert not panel.xaxis.label.get_parse_math()


def test_every_figure_is_one_of_those():
    """Else matplotlib would take what stands between two dollar signs for a formula, and fail at a wrong one."""
    files = [*Path(polyinv.__file__).parent.rglob("*.py")]
    drawing = [file for file in files if re.search(r"\bFigure\(", file.read_text(encoding="utf-8"))]
    assert len(drawing) >= 9
    for file in drawing:
        assert file.name == "figures.py" or "from matplotlib.figure import" not in file.read_text(encoding="utf-8"), (
            file
        )


def test_a_cell_of_markdown_stays_one_cell_of_one_line():
    hostile = ["a|b", "a\\|b", "a\nb", "x" * 5000, "<script>", "[x](javascript:y)"]
    lines = markdown(pd.DataFrame({"a|b": hostile, "D<2.4": "y"})).splitlines()
    assert len(lines) == 2 + len(hostile)
    for line in (lines[0], *lines[2:]):
        cells = re.split(
            r"(?<!\\)(?:\\\\)*\|", line
        )  # a pipe ends a cell unless an odd number of backslashes is before
        assert len(cells) == 4, line
        assert not re.search(r"(?<!\\)<[a-z]|(?<!\\)\]\(", line), line
    assert "D<2.4" in lines[0]
