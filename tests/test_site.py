"""The documentation names all that there is: public names, commands, options, keys, columns, and the field's words."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import yaml

import polyinv
from polyinv import cli
from polyinv.models import MODELS

CLONE = Path(__file__).parents[1]
DOCS = CLONE / "docs"


@pytest.fixture(scope="module")
def pages():
    """The generated pages: text by path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(CLONE / "scripts" / "site")
        from pages import pages

        return pages()


def written(name):
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", polyinv.__all__)
def test_every_public_name_has_a_page(name, pages):
    assert f"from polyinv import {name}\n" in pages[f"reference/api/{name}.md"]
    assert f"({name}.md)" in pages["reference/api/index.md"]


@pytest.mark.parametrize("name", ["FEATURES", "MODELS", "NETWORKS", "SPLITS"])
def test_every_entry_of_a_public_dictionary_is_described(name, pages):
    for key in getattr(polyinv, name):
        heading = rf"^(## `{re.escape(key)}`|::: [\w.]+\.{re.escape(key)})$"
        assert re.search(heading, pages[f"reference/api/{name}.md"], re.MULTILINE), key


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_is_described_with_every_option_that_its_help_lists(command, pages, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    options = set(re.findall(r"(?<![\w.-])--[a-z][\w.-]*", capsys.readouterr().out)) - {"--help"}
    _, found, section = pages["reference/cli.md"].partition(f"\n## {command}\n")
    assert found
    described = set(re.findall(r"`(--[\w.-]+)", section.partition("\n## ")[0]))
    assert options <= described


@pytest.mark.parametrize("name", MODELS)
def test_every_key_of_a_configuration_is_described(name, pages, capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--model.name", name, "--help"])
    helped = re.findall(r"--((?:model|split|data)\.[\w.]+)", capsys.readouterr().out)
    assert {f"`{key}`" for key in helped} - set(re.findall(r"`[\w.]+`", pages["reference/config-keys.md"])) <= {
        "`data.simulated`",  # sections, which are headings
        "`data.grid`",
        "`model.training`",
    }


def test_every_column_of_an_answer_is_described():
    answers = polyinv.load().predict(pd.read_csv(CLONE / "examples" / "files" / "polymers.csv").head(1))
    text = written("output-columns.md")
    for column in answers.columns.drop("sample"):
        general = re.sub(r"(cBA_0|cAIBN_0|temp|time)(?=$|_)", "<value>", column)
        assert f"`{general}`" in text, column


def test_every_page_is_in_the_navigation():
    text = (CLONE / "mkdocs.yml").read_text(encoding="utf-8")
    generated = {"reference/cli.md", "reference/config-keys.md", "reference/api/index.md"}
    named = set(re.findall(r"[\w/-]+\.md", text))
    assert named == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} | generated


def test_the_glossary_has_the_terms_of_the_field_and_of_the_package():
    terms = re.findall(r"^(.+)\n: {3}", written("glossary.md"), re.MULTILINE)
    known = {part.strip() for term in terms for part in term.split(",")}
    assert {"MMD distance", "Applicability domain", "Conditional model", "Missing input", "Reaction", "cell"} <= known
    assert len(terms) == len(set(terms))


PRIVATE = ("verdict", "elsewhere", "masked", "judged", "speaking against", "guess")
FORMER = ("upgrade-a-checkpoint.md", "output-columns.md", "predict.md")
"""Pages that say what 0.1.0 called things."""


@pytest.mark.parametrize("page", sorted(set(DOCS.rglob("*.md"))), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_a_reader_meets_no_private_word(page):
    if page.name in FORMER:
        return
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [word for word in PRIVATE if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    assert not found


def test_nothing_of_the_site_is_fetched_from_a_network():
    settings = (CLONE / "mkdocs.yml").read_text(encoding="utf-8")
    assert "http" not in re.sub(r"#.*", "", settings)
    assert not yaml.safe_load(settings)["theme"]["font"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="asks for the extra `docs`: make docs")
def test_the_site_is_built_without_a_warning_and_opens_from_disk(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="?(?:https?:)?//', text), page
