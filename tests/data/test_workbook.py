"""A table survives the disk; one that cannot be used is refused with a line that says where and why."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook, load_workbook

from polyinv.chemistry.butyl_acrylate import COLUMNS, SYSTEM, TARGETS
from polyinv.data.workbook import checksum, is_own_table, read_observations, read_table, sheets, write_table
from polyinv.errors import InputError
from polyinv.predict.rows import read_rows
from polyinv.quantities import MMD
from polyinv.runtime.cache import cache_folder


@pytest.fixture
def table(small):
    return small.head(12).copy()


def write_sheets(path, sheets):
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=False)
    return path


@pytest.mark.parametrize("suffix", [".xlsx", ".csv", ".npz"])
def test_a_table_comes_back(table, tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write_table(table, path)
    for _ in range(2):  # the second time from the cache
        back = read_table(path)
        assert list(back.columns) == list(COLUMNS)
        np.testing.assert_allclose(back, table, rtol=1e-14)  # openpyxl keeps 16 digits
    assert list(tmp_path.iterdir()) == [path]


def test_the_workbook_has_exactly_the_published_sheets_and_columns(table, tmp_path):
    write_table(table, tmp_path / "table.xlsx")
    book = load_workbook(tmp_path / "table.xlsx", read_only=True)
    assert book.sheetnames == ["compuesta", "mmd_raw_data"]
    names = {sheet.title: [cell.value for cell in next(sheet.iter_rows(max_row=1))] for sheet in book}
    recipe, scalars = ["cBA_0", "cAIBN_0", "temp", "time"], ["cBA_time", "Mn", "Mw"]
    curve = [f"MMD{k}" for k in range(1, 101)]
    assert names == {"compuesta": recipe + scalars + curve, "mmd_raw_data": recipe + curve}


def test_a_changed_file_is_not_read_from_the_cache(table, tmp_path):
    path = tmp_path / "table.xlsx"
    write_table(table, path)
    read_table(path)
    path.unlink()
    write_table(table.assign(Mn=1234.5), path)
    assert (read_table(path)["Mn"] == 1234.5).all()


def hide(path, *names):
    book = load_workbook(path)
    for name in names:
        book[name].sheet_state = "hidden"
    book.save(path)


def test_a_hidden_sheet_is_not_taken_for_the_table(tmp_path):
    columns, path = ["cBA_0", "temp", "Mn", "Mw"], tmp_path / "table.xlsx"
    old, new = (pd.DataFrame([[row, 70, 3e4, 8e4]], columns=columns) for row in (1.5, 2.0))
    write_sheets(path, {"compuesta": old, "new": new})
    assert is_own_table(path)
    hide(path, "compuesta")
    assert not is_own_table(path)
    assert read_rows(path)[0].to_table()["cBA_0"].tolist() == [2.0]
    assert read_rows(path, sheet="compuesta")[0].to_table()["cBA_0"].tolist() == [1.5]


def test_a_hidden_sheet_is_read_only_where_no_other_has_the_columns_and_named(table, tmp_path, caplog):
    path, target = tmp_path / "table.xlsx", ["cBA_0", "cAIBN_0", "temp", "time", *MMD]
    write_sheets(path, {"compuesta": table, "mmd_raw_data": table[target].assign(temp=75.0)})
    assert (read_table(path, target)["temp"] == 75.0).all()
    hide(path, "mmd_raw_data")
    assert (read_table(path, target)["temp"] == table["temp"].to_numpy()).all()
    assert "hidden" not in caplog.text
    write_sheets(path, {"compuesta": table, "notes": table[["temp"]]})
    hide(path, "compuesta")
    assert (read_table(path, target)["temp"] == table["temp"].to_numpy()).all()
    assert "sheet 'compuesta' is read, which is hidden" in caplog.text


def test_the_curve_alone_is_read_from_the_sheet_that_has_it(table, tmp_path):
    raw = table[list(sheets(SYSTEM)["mmd_raw_data"])]
    path = write_sheets(tmp_path / "a.xlsx", {"mmd_raw_data": raw})
    assert read_table(path, (*TARGETS, *MMD)).shape == (12, 104)
    path = write_sheets(tmp_path / "b.xlsx", {"compuesta": table})
    assert read_table(path, (*TARGETS, *MMD)).shape == (12, 104)


def test_other_columns_and_empty_lines_at_the_end_are_ignored(table, tmp_path):
    frame = pd.concat([table.assign(remark="fine"), pd.DataFrame([[None] * 108] * 3, columns=[*COLUMNS, "remark"])])
    path = write_sheets(tmp_path / "a.xlsx", {"compuesta": frame.astype(object)})
    assert read_table(path).shape == (12, 107)


def with_cell(table, row, column, value):
    frame = table.astype(object)
    frame.loc[frame.index[row], column] = value
    return frame


def areas_doubled(table):
    return table.assign(**{name: 2 * table[name] for name in MMD})


BAD = {
    "text": (lambda t: with_cell(t, 3, "Mn", "abc"), "row 5, column 'Mn' holds 'abc'; needs a number"),
    "comma": (lambda t: with_cell(t, 3, "Mn", "1,5"), "write decimals with a point"),
    "empty cell": (
        lambda t: with_cell(t, 3, "Mn", None),
        "row 5, column 'Mn' is empty or a formula without a value; needs",
    ),
    "NaN": (lambda t: with_cell(t, 0, "MMD50", "NaN"), "row 2, column 'MMD50'"),
    "infinite": (lambda t: with_cell(t, 0, "Mw", "inf"), "row 2, column 'Mw' holds 'inf'"),
    "missing": (lambda t: t.drop(columns="cBA_time"), "column 'cBA_time' is missing; a table needs cBA_0, cAIBN_0"),
    "misspelt": (
        lambda t: t.rename(columns={"cBA_time": "cBA_tme"}),
        "'cBA_time' is missing; is 'cBA_tme' meant for it?",
    ),
    "negative": (
        lambda t: with_cell(t, 1, "cAIBN_0", -0.01),
        "row 3, column 'cAIBN_0' holds -0.01; has to be more than 0",
    ),
    "too cold": (
        lambda t: with_cell(t, 1, "temp", -300.0),
        "row 3, column 'temp' holds -300; has to be more than -273.15",
    ),
    "impossible means": (lambda t: with_cell(t, 1, "Mw", 5.0), "row 3, column 'Mw' holds 5; is less than Mn"),
    "below zero": (
        lambda t: with_cell(t, 1, "MMD60", -0.1),
        "row 3, column 'MMD60' holds -0.1; has to be zero or more",
    ),
    "no unit area": (areas_doubled, "row 2: the distribution integrates to 2 instead of 1"),
    "no curve": (lambda t: t.assign(**dict.fromkeys(MMD, 0.0)), "row 2: the distribution is zero everywhere"),
    "repeated": (lambda t: pd.concat([t, t.iloc[[4]]]), "row 14 repeats row 6 (1 such rows)"),
    "no rows": (lambda t: t.head(0), "has no rows"),
}


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused(table, tmp_path, case, suffix):
    change, said = BAD[case]
    path = tmp_path / f"bad{suffix}"
    frame = change(table)
    if suffix == ".xlsx":
        write_sheets(path, {"compuesta": frame})
    else:
        frame.to_csv(path, index=False)
    with pytest.raises(InputError, match=re.escape(said)) as error:
        read_table(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_areas_are_normalized_when_asked(table, tmp_path):
    write_table(areas_doubled(table), tmp_path / "a.xlsx")
    back = read_table(tmp_path / "a.xlsx", normalize=True)
    np.testing.assert_allclose(back[list(MMD)], table[list(MMD)], rtol=1e-12, atol=1e-15)


def test_a_missing_sheet_is_named_with_those_there(table, tmp_path):
    path = write_sheets(
        tmp_path / "a.xlsx", {"mmd_raw_data": table[list(sheets(SYSTEM)["mmd_raw_data"])], "Hoja1": table}
    )
    with pytest.raises(InputError, match="sheet 'compuesta' is missing; the workbook has 'mmd_raw_data', 'Hoja1'"):
        read_table(path)


def test_a_sheet_in_other_case_is_pointed_to(table, tmp_path):
    path = write_sheets(tmp_path / "a.xlsx", {"Compuesta": table})
    with pytest.raises(InputError, match=r"sheet 'compuesta' is missing.*; is 'Compuesta' meant for it"):
        read_table(path)


def test_a_csv_with_decimal_commas_is_refused_with_a_hint(table, tmp_path):
    for options in ({"sep": ";", "decimal": ","}, {"sep": ","}):
        table.to_csv(tmp_path / "a.csv", index=False, **options)
        if options["sep"] == ",":
            lines = (tmp_path / "a.csv").read_text().splitlines()
            (tmp_path / "a.csv").write_text("\n".join([lines[0], *(f"{line},," for line in lines[1:])]))
        with pytest.raises(InputError, match="separate by commas, decimals by points"):
            read_table(tmp_path / "a.csv")


def test_an_error_names_the_row_also_when_the_numbers_come_from_the_cache(table, tmp_path):
    write_table(areas_doubled(table), tmp_path / "a.xlsx")
    lines = []
    for _ in range(2):
        with pytest.raises(InputError, match="sheet 'compuesta', row 2: the distribution integrates to 2") as error:
            read_table(tmp_path / "a.xlsx")
        lines.append(str(error.value))
    assert lines[0] == lines[1]


def test_an_empty_sheet_is_refused(tmp_path):
    book = Workbook()
    book.active.title = "compuesta"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match="has no rows"):
        read_table(tmp_path / "a.xlsx")


@pytest.mark.parametrize("suffix", [".xlsx", ".npz", ".csv"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe not a table", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_table_is_refused(tmp_path, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(InputError, match=str(tmp_path)):
        read_table(tmp_path / f"a{suffix}")


def test_files_that_are_not_there_and_formats_that_are_not_known(table, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match=r"no table format '\.xls'; known: \.xlsx, \.csv, \.npz"):
        read_table(tmp_path / "a.xls")
    write_table(table, tmp_path / "a.csv")
    with pytest.raises(InputError, match="exists already"):
        write_table(table, tmp_path / "a.csv")


def test_the_checksum_sees_every_number_and_name(table):
    assert checksum(table) == checksum(table.copy())
    assert checksum(table) != checksum(table.assign(Mn=table["Mn"] * (1 + 1e-15)))
    assert checksum(table) != checksum(table.rename(columns={"Mn": "Mw", "Mw": "Mn"}))


DAMAGE = {
    "cut": lambda content, path: content[: len(content) // 2],
    "another file": lambda content, path: b"no archive",
    "empty": lambda content, path: b"",
    "numbers that are none": lambda content, path: _arrays(path, lambda values: values * np.nan),
    "fewer columns": lambda content, path: _arrays(path, lambda values: values[:, :-1], fewer=1),
}


def _arrays(path, change, fewer=0):
    with np.load(path) as arrays:
        kept = dict(arrays)
    kept["values"], kept["columns"] = change(kept["values"]), kept["columns"][: len(kept["columns"]) - fewer]
    packed = io.BytesIO()
    np.savez(packed, **kept)
    return packed.getvalue()


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_cache_is_read_again_and_said(damage, table, tmp_path, caplog):
    path = tmp_path / "table.xlsx"
    write_table(table, path)
    for other in cache_folder().glob("*.npz"):
        other.unlink()
    read = read_table(path)
    (cache,) = cache_folder().glob("*.npz")
    cache.write_bytes(damage(cache.read_bytes(), cache))
    pd.testing.assert_frame_equal(read_table(path), read)
    assert "are damaged, and read again" in caplog.text
    caplog.clear()
    pd.testing.assert_frame_equal(read_table(path), read)
    assert not caplog.text


def test_arrays_of_another_form_are_refused_with_the_right_one(tmp_path):
    np.savez(tmp_path / "a.npz", temp=[70.0], Mn=[25000.0])
    with pytest.raises(InputError, match="has no array 'columns'; needs 'columns'"):
        read_observations(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", columns=["temp", "Mn"], values=[[70.0, 25000.0]], rows=[1])
    assert read_observations(tmp_path / "b.npz")[0][["temp", "Mn"]].to_numpy().tolist() == [[70, 25000]]


def test_a_quotation_mark_that_is_not_closed_swallows_no_row(table, tmp_path):
    table.head(3).assign(remark=['2" column', '"', "x"]).to_csv(tmp_path / "a.csv", index=False)
    text = (tmp_path / "a.csv").read_text()
    assert len(read_observations(tmp_path / "a.csv")[0]) == 3
    (tmp_path / "b.csv").write_text(text.replace('"2"" column"', '"2 column').replace(",x", ',"x"'))
    with pytest.raises(InputError, match="row 2, column 'remark': a quotation mark is not closed"):
        read_observations(tmp_path / "b.csv")
