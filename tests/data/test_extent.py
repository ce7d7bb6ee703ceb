"""Workbooks that would take more memory than a machine has are refused before they are read."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook

from polyinv.cli import main
from polyinv.data.files.extent import MOST_BYTES, MOST_CELLS, check_extent
from polyinv.data.files.reading import read_book
from polyinv.data.workbook import read_table
from polyinv.errors import InputError


@pytest.fixture
def book(tmp_path):
    def write(*cells, name="book.xlsx"):
        workbook = Workbook()
        sheet = workbook.active
        sheet.append(["temp", "Mn", "Mw"])
        sheet.append([70, 3e4, 8e4])
        for row, column, value in cells:
            sheet.cell(row, column).value = value
        workbook.save(tmp_path / name)
        return tmp_path / name

    return write


FAR = {
    "a blank in the last row": ((1048576, 40, " "), "row 1048576"),
    "a number in the last corner": ((1048576, 16384, 1), "column 16384"),
    "a wide block": ((2000, 16384, 0), "column 16384"),
}


@pytest.mark.parametrize(("cell", "said"), FAR.values(), ids=FAR)
@pytest.mark.parametrize("command", ["predict", "compare", "simulate --out {tmp}/a.csv --recipes"])
def test_a_cell_far_away_is_named(cell, said, command, book, tmp_path, capsys):
    assert main([*command.format(tmp=tmp_path).split(), str(book(cell))]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert "book.xlsx reaches to" in line
    assert said in line


def test_a_format_alone_far_away_is_nothing(book, tmp_path):
    from openpyxl import load_workbook
    from openpyxl.styles import Font

    path = book()
    workbook = load_workbook(path)
    workbook.active.cell(1048576, 16384).font = Font(bold=True)
    workbook.save(path)
    check_extent(path)


def test_a_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/a.xml", "w") as part:
        for _ in range(MOST_BYTES // 2**20 + 2):
            part.write(bytes(2**20))
    assert path.stat().st_size < 1e6
    with pytest.raises(InputError, match=r"unpacks to 2\d\d MB"):
        check_extent(path)


def test_cells_that_repeat_themselves_count(tmp_path):
    path = tmp_path / "book.ods"
    row = f'<table:table-row table:number-rows-repeated="{MOST_CELLS}">'
    cell = '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="2"/>'
    empty = '<table:table-cell table:number-columns-repeated="16384"/>'
    for inside, refused in ((cell, True), (empty, False)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("content.xml", row + inside + "</table:table-row>")
        if refused:
            with pytest.raises(InputError, match="workbooks are read up to"):
                check_extent(path)
        else:
            check_extent(path)


def test_what_is_damaged_is_called_no_workbook(book):
    path = book()
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"book\.xlsx"):
        check_extent(path)


def test_what_is_damaged_beside_its_cells_is_said_where_a_cell_is_empty(tmp_path):
    """One library reads the values alone; another, that reads everything, is asked what stands in an empty cell."""
    whole, path = tmp_path / "whole.xlsx", tmp_path / "book.xlsx"
    pd.DataFrame({"Mn (g/mol)": [25000.0, 24000.0], "T (°C)": [70.0, None]}).to_excel(whole, index=False)
    with zipfile.ZipFile(whole) as kept, zipfile.ZipFile(path, "w") as archive:
        for name in kept.namelist():
            damage = b"<\x01" if name == "docProps/core.xml" else b""
            archive.writestr(name, kept.read(name) + damage)
    sheet = read_book(path).sheets[0]
    assert sheet.rows[2] == [25000.0, 70.0]
    with pytest.raises(InputError, match=r"book\.xlsx is a damaged Excel workbook: .+; save it anew"):
        sheet.formulas()


def test_a_small_file_of_arrays_that_unpacks_to_a_large_one_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("polyinv.data.arrays.UNPACKED", 10**6)
    np.savez_compressed(tmp_path / "bomb.npz", values=np.zeros((10**6, 1)), columns=["temp"], rows=np.zeros(10**6))
    assert main(["simulate", "--recipes", str(tmp_path / "bomb.npz"), "--out", str(tmp_path / "out.csv")]) == 2
    assert "bomb.npz is not a table written by polyinv: it unpacks to 16 MB" in capsys.readouterr().err


def test_arrays_whose_header_is_no_python_are_refused(tmp_path):
    """numpy reads the header of an array as Python, and its tokenizer has errors of its own."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2L,"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "table.npz", "w") as archive:
        for name in ("values", "columns", "rows"):
            archive.writestr(f"{name}.npy", array)
    with pytest.raises(InputError, match=r"table\.npz is not a table written by polyinv"):
        read_table(tmp_path / "table.npz")
