"""Workbooks that would take more memory than a machine has are refused before they are read."""

import struct
import zipfile
import zlib

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


SHEET = "xl/worksheets/sheet1.xml"
SPELLED = {
    "in single quotes": "<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>",
    "with blanks": '<row r="1048576"><c t="n" r = "XFD1048576"><v>1</v></c></row>',
    "in lower case": '<row r="1048576"><c r="xfd1048576"><v>1</v></c></row>',
    "by a number of its sign": '<row r="1048576"><c r="XFD&#49;048576"><v>1</v></c></row>',
    "behind other attributes": '<row r="1048576"><c x="&gt;>" r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>',
    "without a place": f'<row r="1048576">{"<c/>" * 16000}<c><v>1</v></c></row>',
    "with a prefix": '<x:row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
}


def changed(path, change, part=SHEET):
    """A workbook with another part."""
    with zipfile.ZipFile(path) as kept:
        parts = {name: kept.read(name) for name in kept.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def with_row(row):
    return lambda content: content.replace(b"</sheetData>", row.encode() + b"</sheetData>")


@pytest.mark.parametrize("row", SPELLED.values(), ids=SPELLED)
def test_a_cell_far_away_is_found_however_it_is_spelled(row, book):
    path = changed(book(), with_row(row))
    with pytest.raises(InputError, match="reaches to row 1048576"):
        check_extent(path)


def test_a_cell_far_away_is_found_in_any_encoding(book):
    def wide(content):
        return ("<?xml version='1.0' encoding='UTF-16'?>" + content.decode()).encode("utf-16")

    check_extent(changed(book(), wide))
    path = changed(book((1048576, 40, 1)), wide)
    with pytest.raises(InputError, match="row 1048576"):
        check_extent(path)


def test_cells_without_a_place_are_counted_by_rows(book):
    """As some programs write them: they need no more than the cells that there are."""
    rows = "<row><c><v>1</v></c><c><v>2</v></c></row>" * 4000
    check_extent(changed(book(), with_row(rows)))


STRANGE = {
    "entities": (lambda xml: b'<!DOCTYPE worksheet [<!ENTITY x "XFD1048576">]>' + xml, "declares a type of document"),
    "no XML": (lambda xml: xml.replace(b"<sheetData>", b"<\x01><sheetData>"), "not well-formed"),
    "a tag without end": (lambda xml: xml.replace(b"<sheetData>", b"<sheetData " + b" " * 4 * 2**20), "a tag of more"),
}


@pytest.mark.parametrize(("change", "said"), STRANGE.values(), ids=STRANGE)
def test_a_sheet_that_no_spreadsheet_program_writes_is_refused(change, said, book):
    path = changed(book(), change)
    with pytest.raises(InputError, match=rf"book\.xlsx is a damaged workbook: {SHEET}: .*{said}.*; save it anew"):
        check_extent(path)


def test_a_part_that_says_less_than_it_holds_is_refused(book):
    path = changed(book((1048576, 16384, 1)), bytes)
    with zipfile.ZipFile(path) as archive:
        content, part = archive.read(SHEET), archive.getinfo(SHEET)
    cut = content.index(b'<row r="1048576"')
    true, false = (
        struct.pack("<III", zlib.crc32(content[:end]), part.compress_size, end) for end in (len(content), cut)
    )
    path.write_bytes(path.read_bytes().replace(true, false))
    with pytest.raises(InputError, match="a damaged workbook"):
        check_extent(path)


def test_many_sheets_that_each_reach_far_are_refused(book, tmp_path):
    far = with_row('<row r="1000000"><c r="K1000000"><v>1</v></c></row>')
    path = changed(book(), far)
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read(SHEET)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2, 7):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", sheet)
    with pytest.raises(InputError, match=r"sheets that reach over 6.6e\+07 cells"):
        check_extent(path)


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


OPEN_DOCUMENT_CELLS = {
    "in single quotes": "<t:table-cell t:number-columns-repeated='1000' o:value='1'/>",
    "with blanks": '<t:table-cell t:number-columns-repeated = "1000" o:value-type = "float" o:value="1"/>',
    "covered": '<t:covered-table-cell t:number-columns-repeated="1000" o:value="1"/>',
    "behind empty ones": '<t:table-cell t:number-columns-repeated="1000"/><t:table-cell o:value="1"/>',
}


@pytest.mark.parametrize("cell", OPEN_DOCUMENT_CELLS.values(), ids=OPEN_DOCUMENT_CELLS)
def test_cells_of_an_open_document_are_found_however_they_are_spelled(cell, tmp_path):
    path = tmp_path / "book.ods"
    table = "<t:table><t:table-row t:number-rows-repeated='1000000'>{}</t:table-row><t:table-row/></t:table>"
    for content, refused in ((table.format(cell), True), (table.format("<t:table-cell/>") * 20, False)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("content.xml", f"<o:body>{content}</o:body>")
        if refused:
            with pytest.raises(InputError, match="reaches to row 1000000 and column 100"):
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


def test_what_is_damaged_beside_its_cells_does_not_matter(tmp_path):
    whole, path = tmp_path / "whole.xlsx", tmp_path / "book.xlsx"
    pd.DataFrame({"Mn (g/mol)": [25000.0, 24000.0], "T (°C)": [70.0, None]}).to_excel(whole, index=False)
    with zipfile.ZipFile(whole) as kept, zipfile.ZipFile(path, "w") as archive:
        for name in kept.namelist():
            damage = b"<\x01" if name == "docProps/core.xml" else b""
            archive.writestr(name, kept.read(name) + damage)
    sheet = read_book(path).sheets[0]
    assert sheet.rows[2] == [25000.0, 70.0]
    assert sheet.formulas() == {}


def test_formulas_and_errors_are_told_whatever_is_formatted_or_merged_far_away(book):
    path = changed(
        book((3, 1, 60), (3, 2, "=A2*2"), (4, 1, "#N/A")),
        lambda content: content.replace(
            b"</sheetData>",
            b'<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>'
            b'<mergeCells><mergeCell ref="F9:XFD1048576"/></mergeCells>',
        ),
    )
    found = read_book(path).sheets[0].formulas()
    assert found == {(3, 1): "the formula =A2*2 without a value", (4, 0): "the error #N/A"}


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
