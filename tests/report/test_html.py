"""The report: one file, whole, safe and usable without a mouse."""

import base64
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from polyinv.report.html import DPI, Section, report

VOID = {"meta", "link", "img", "br"}


class Parsed(HTMLParser):
    """Every element with its attributes and text; complains about tags that do not match."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", "inside": [each["tag"] for each in self.open], **dict(attributes)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]


def drawing():
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([0, 1], [1, 0])
    return figure


TABLE = pd.DataFrame(
    {
        "target": ["cBA_0", "temp <K>"],
        "R²": ["0.764 ± 0.002", "−0.010 ± 0.1"],
        "MAE": [0.123456, np.nan],
        "rows": [1000, 12],
    }
)


@pytest.fixture(scope="module")
def page():
    sections = [
        Section(
            "Scores & more",
            "First.\n\nA < B",
            (("off_grid, 1000 rows; ± over 4 members", TABLE), ("empty", TABLE.head(0))),
        ),
        Section("Pictures", figures=(('"parity" <test>', drawing()), ("residuals", drawing()))),
    ]
    return report("<script>alert('title')</script>", ["a summary & more"], sections)


def test_it_is_one_whole_document(page):
    parsed = Parsed(page)
    assert page.startswith("<!doctype html>")
    assert [element["text"] for element in parsed.all("h2")] == ["Scores & more", "Pictures"]
    assert [element["text"] for element in parsed.all("p")] == ["a summary & more", "First.", "A < B"]
    (language,) = parsed.all("html")
    assert language["lang"] == "en"
    assert any(element.get("name") == "viewport" for element in parsed.all("meta"))


def test_it_asks_for_nothing_outside_itself(page):
    parsed = Parsed(page)
    for element in parsed.elements:
        for attribute in ("src", "href"):
            assert element.get(attribute, "#").startswith(("data:", "#"))
    assert "http" not in re.sub(r"data:image/png;base64,[^\"]+", "", page)
    assert "url(" not in page
    assert "@import" not in page


def test_text_is_escaped(page):
    parsed = Parsed(page)
    assert len(parsed.all("script")) == 1  # its own
    assert parsed.all("h1")[0]["text"] == parsed.all("title")[0]["text"] == "<script>alert('title')</script>"
    assert not parsed.all("test")
    assert "temp <K>" in [element["text"] for element in parsed.all("th")]


def test_figures_are_inside_with_their_caption_as_alternative(page):
    parsed = Parsed(page)
    images = parsed.all("img")
    assert [image["alt"] for image in images] == ['"parity" <test>', "residuals"]
    captions = [element["text"] for element in parsed.all("figcaption")]
    assert all(image["alt"] in captions for image in images)
    for image in images:
        picture = imread(BytesIO(base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))))
        assert picture.shape[:2] == (2 * DPI, 3 * DPI)
        assert (picture[0, 0] == 1).all()  # white, for a dark page
        assert int(image["width"]) / int(image["height"]) == pytest.approx(3 / 2)


def test_every_heading_of_a_table_is_a_sort_button(page):
    parsed = Parsed(page)
    assert len(parsed.all("table")) == 2
    heads = [element for element in parsed.all("th") if "thead" in element["inside"]]
    assert [head["text"] for head in heads] == [*TABLE.columns] * 2
    assert all(head["scope"] == "col" and head["aria-sort"] == "none" for head in heads)
    buttons = [element for element in parsed.all("button") if element["inside"][-1] == "th"]
    assert len(buttons) == len(heads)
    assert {button["type"] for button in buttons} == {"button"}
    rows = [element for element in parsed.all("th") if "tbody" in element["inside"]]
    assert [row["scope"] for row in rows] == ["row"] * 2


def test_tables_scroll_within_themselves_and_are_named(page):
    parsed = Parsed(page)
    identifiers = {element["id"] for element in parsed.elements if "id" in element}
    regions = [element for element in parsed.all("div") if element.get("role") == "region"]
    assert len(regions) == 2
    for element in (*regions, *parsed.all("table")):
        assert element["aria-labelledby"] in identifiers
    assert all(region["tabindex"] == "0" for region in regions)  # else no keyboard scrolls them
    assert all("div" in table["inside"] for table in parsed.all("table"))
    links = [element["href"].removeprefix("#") for element in parsed.all("a")]
    assert len(links) == 2
    assert set(links) <= identifiers


def test_numbers_stand_on_the_right_and_gaps_are_dashes(page):
    cells = Parsed(page).all("td")
    assert [cell["text"] for cell in cells] == ["0.764 ± 0.002", "0.1235", "1000", "−0.010 ± 0.1", "–", "12"]
    assert all(cell["class"] == "number" for cell in cells)
    heads = Parsed(page).all("th")
    assert ["class" in head for head in heads[:4]] == [False, True, True, True]


def test_the_same_input_gives_the_same_report(page):
    sections = [Section("Pictures", "", (("all", TABLE),), (("line", drawing()),))]
    assert report("title", [], sections) == report("title", [], sections)
