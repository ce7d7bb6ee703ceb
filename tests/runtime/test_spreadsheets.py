"""Text that a spreadsheet would execute is written harmless."""

import gc
import os
import sys
import tempfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from polyinv.predict.writing import write_answers
from polyinv.runtime.spreadsheets import harmless, harmless_table, workbook, write_csv

BAD = ["=cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0", "-2+3+cmd|x!A0", "@SUM(1+1)*cmd|x!A0", "\t=1+1", " =1+1", "\r=1"]


@pytest.mark.parametrize("text", BAD)
def test_what_would_be_executed_becomes_text(text):
    assert harmless(text) == "'" + text.replace("\r", "\n")


@pytest.mark.parametrize("value", ["BA-01", "-3.5", "+2e3", "a=b", "", 3.0, None])
def test_everything_else_stays(value):
    assert harmless(value) == value


def test_answers_hold_no_formula_in_cells_or_names(tmp_path):
    answers = pd.DataFrame({"sample": [*BAD, "BA-01"], "=1+1": 1.0, "note": [None] * 8, "cBA_0": -1.5})
    for name in ("answers.csv", "answers.xlsx"):
        write_answers(answers, tmp_path / name)
    kept = pd.read_csv(tmp_path / "answers.csv")
    assert list(kept.columns) == ["sample", "'=1+1", "note", "cBA_0"]
    assert (kept["cBA_0"] == -1.5).all()
    cells = list(openpyxl.load_workbook(tmp_path / "answers.xlsx").active.iter_rows(values_only=False))
    assert all(cell.data_type != "f" for row in cells for cell in row)
    assert cells[1][0].value == "'" + BAD[0]


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[2J", "a\u202eb", os.fsdecode(b"a\xffb"), "x" * 40_000])
def test_what_no_workbook_holds_is_written_otherwise(text, tmp_path):
    for name in ("answers.csv", "answers.xlsx"):
        write_answers(pd.DataFrame({"sample": [text], text: 1.0}), tmp_path / name)
    (names, (sample, _)) = openpyxl.load_workbook(tmp_path / "answers.xlsx").active.iter_rows(values_only=True)
    assert names[1] == sample == pd.read_csv(tmp_path / "answers.csv")["sample"][0]
    assert sample.isprintable()
    assert len(sample) <= 32_767


def test_tables_of_studies_hold_no_formula(tmp_path):
    write_csv(pd.DataFrame({"axis.form": BAD, "seed": 1}), tmp_path / "table.csv")
    kept = pd.read_csv(tmp_path / "table.csv")
    assert kept["axis.form"].str.startswith("'").all()


def test_a_table_of_numbers_is_left_as_it_is():
    table = pd.DataFrame({"a": [1.0, -2.0]})
    pd.testing.assert_frame_equal(harmless_table(table), table)
    assert list(table.columns) == ["a"]


@pytest.mark.linux
def test_a_workbook_on_a_full_disk_is_one_error_and_leaves_no_sheet(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OSError, match="No space left"), workbook(Path("/dev/full")) as book:
        book.create_sheet("a").append(["Mn"])
        (sheet,) = tmp_path.rglob("openpyxl.*")
        assert ".partial" in sheet.parent.name  # which the next command removes, if this one is killed
    assert list(tmp_path.iterdir()) == []
    assert tempfile.tempdir == str(tmp_path)


def test_an_interrupted_workbook_leaves_nothing_to_complain_about(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), workbook(tmp_path / "a.xlsx") as book:
        book.create_sheet("a").append(["Mn"])
        raise KeyboardInterrupt
    del book
    gc.collect()
    assert [str(each.exc_value) for each in said] == []
    assert list(tmp_path.iterdir()) == []
