"""Many rows: answered in blocks, which change no answer, and read and written in pieces."""

import numpy as np
import pandas as pd
import pytest

import polyinv
from polyinv.data import observations, workbook
from polyinv.data.bundled import load_bundled
from polyinv.domain import assessment, words
from polyinv.errors import InputError
from polyinv.evaluation import closed_loop, simulated
from polyinv.predict import answers as answering
from polyinv.predict import writing
from polyinv.predict.rows import read_rows
from polyinv.predict.writing import write_answers


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Forty polymers off the grid, named, with temperature, some without residual monomer."""
    table = load_bundled("off_grid").head(40).drop(columns=["cBA_0", "cAIBN_0", "time"])
    table.loc[::3, "cBA_time"] = np.nan
    return table.copy().assign(sample=[f"S{row}" for row in range(40)])


@pytest.fixture
def little_at_once(monkeypatch):
    """Blocks of a few rows. A network answers ten at least: fewer are multiplied in another order."""
    monkeypatch.setattr(answering, "AT_ONCE", 13)
    monkeypatch.setattr(words, "AT_ONCE", 13)
    monkeypatch.setattr(assessment, "BLOCK", 16)
    monkeypatch.setattr(closed_loop, "BLOCK", 25)
    monkeypatch.setattr(simulated, "DRAWN", 7)
    monkeypatch.setattr(observations, "CHECKED", 6)


@pytest.fixture
def small_pieces(monkeypatch):
    """Files of a few rows at once."""
    monkeypatch.setattr(workbook, "CHUNK", 5)
    monkeypatch.setattr(writing, "WRITTEN", 8)


@pytest.fixture(scope="module")
def at_once(rows) -> pd.DataFrame:
    return polyinv.load().predict(rows)


def test_answers_do_not_depend_on_the_blocks(rows, at_once, little_at_once):
    in_blocks = polyinv.load().predict(rows)
    pd.testing.assert_frame_equal(in_blocks, at_once, rtol=1e-6)


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_answers_are_written_in_pieces(at_once, small_pieces, tmp_path, ending):
    path = tmp_path / f"answers{ending}"
    write_answers(at_once, path)
    written = pd.read_csv(path) if ending == ".csv" else pd.read_excel(path, engine="calamine")
    texts = ["reason", "out", "warnings"]
    written[texts] = written[texts].astype(object).fillna("")
    pd.testing.assert_frame_equal(written, at_once.reset_index(drop=True), rtol=1e-12, check_dtype=False)


def test_a_row_of_a_later_piece_is_named_as_a_person_counts(rows, small_pieces, tmp_path):
    table = rows.astype({"Mn": object})
    table.loc[30, "Mn"] = "many"
    table.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(InputError, match="row 32, column 'Mn' holds 'many'"):
        read_rows(tmp_path / "rows.csv")


def test_numbers_read_in_pieces_are_the_numbers(rows, small_pieces, tmp_path):
    rows.to_csv(tmp_path / "rows.csv", index=False)
    read, others = read_rows(tmp_path / "rows.csv")
    np.testing.assert_allclose(read.to_table()[list(rows.columns[:-1])], rows.iloc[:, :-1], rtol=1e-15)
    assert read.labels.tolist() == others.index.tolist() == list(range(2, 42))
    assert others["sample"].tolist() == rows["sample"].tolist()
