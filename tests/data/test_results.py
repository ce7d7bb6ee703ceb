"""Tables of results as people write them: errors behind ±, powers of ten, rows that are no samples."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook

from polyinv.errors import InputError
from polyinv.predict.rows import read_rows


@pytest.fixture
def read(tmp_path):
    def rows_of(*lines: str) -> pd.DataFrame:
        (tmp_path / "results.csv").write_text("\n".join(lines), encoding="utf-8")
        observations, _ = read_rows(tmp_path / "results.csv")
        return observations.to_table()

    return rows_of


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Sample;Mn (kDa);Mw (kDa);temp;time (min)", "a;40.1 ± 0.8;88.2;70 ± 0.5;30 ± 1"),
        ("Sample;Mn (kDa);Mw (kDa);temp;time (min)", "a;40,1+/-0,8;88,2;70 +- 0,5;30 ± 1"),
        ("Sample;Mn;Mw;T (K);t", "a;(40.1 ± 0.8) kDa;88.2 kDa;343.15 ± 0.5;30 min ± 1 min"),
        ("Sample;Mn (kDa) ± 0.8;Mw (kDa);temp ± 0.5 (°C);time ± 1 (min)", "a;40.1;88.2;70;30"),
        ("Sample;Mn (kDa);±;Mw (kDa);temp;temp_error;time (min);SD time (min)", "a;40.1;0.8;88.2;70;0.5;30;1"),
        ("Sample;Mn ± SD (kDa);Mw (kDa);temp;time (min)", "a;40.1 ± 0.8;88.2;70 ± 0.5;30 ± 1"),
        ("Sample;Mn;Mw;temp;time", "a;40,1 ± 0,8 kDa;88,2 kDa;70 ± 0,5 K;30 min ± 60 s"),
        ("Sample;Mn (kDa);Mw (kDa);temp (°C);time", "a;40.1 ± 0.8;88.2;70 ± 0.5 K;30 ± 1 min"),
        ("Sample;Mn (kDa);Mw (kDa);temp;time (s)", "a;40,1＋－0,8;88,2;70±0,5°C;1800 ± 1 min"),
    ],
)
def test_errors_are_stated_in_the_unit_of_their_value(read, header, row):
    table = read(header, row)
    assert table[["Mn", "Mw", "temp", "time"]].iloc[0].tolist() == pytest.approx([40100, 88200, 70, 1800])
    assert table[["Mn_error", "temp_error", "time_error"]].iloc[0].tolist() == pytest.approx([800, 0.5, 60])


def test_an_error_in_per_cent_is_a_share_of_the_value(read):
    table = read("Mn;Mw;cBA_time", "40100;88200;0.4 ± 5 %", "40100;88200;0.2")
    assert table["cBA_time"].tolist() == [0.4, 0.2]
    assert table["cBA_time_error"].iloc[0] == pytest.approx(0.02)
    assert np.isnan(table["cBA_time_error"].iloc[1])
    with pytest.raises(InputError, match="needs it in °C"):
        read("Mn;Mw;temp", "40100;88200;70 ± 1 %")


@pytest.mark.parametrize(
    ("names", "values"),
    [
        ("Mn (10^4 g/mol);Mw (10^4 g/mol)", "4.01;8.82"),
        ("Mn (×10⁴ g/mol);Mw (×10⁴ g/mol)", "4.01;8.82"),
        ("Mn × 10⁻³ (g/mol);Mw × 10⁻³ (g/mol)", "40.1;88.2"),
        ("Mn x 10^-3;Mw x 10^-3", "40.1;88.2"),
        ("Mn / 10^3 g mol^-1;Mw / 10^3 g mol^-1", "40.1;88.2"),
    ],
)
def test_powers_of_ten_in_names_belong_to_the_unit(read, names, values):
    assert read(names, values)[["Mn", "Mw"]].iloc[0].tolist() == pytest.approx([40100, 88200])


def test_means_of_no_polymer_are_refused_in_any_unit(read):
    with pytest.raises(InputError, match="g/mol, which is no polymer; is its unit right"):
        read("Mn (g/mol);Mw (g/mol)", "4.01;8.82")


def test_samples_may_be_called_s1_and_sd2_and_by_numbers(read):
    rows = [f"{name};{30000 + k};60000" for k, name in enumerate(["s1", "SD2", "3", "4"])]
    assert len(read("Sample;Mn;Mw", *rows, "Mean;30001.5;60000", "SD;1.3;0")) == 4


def test_names_that_come_again_below_are_no_row(read):
    assert len(read("Sample;Mn;Mw", "a;40100;88200", "Sample;Mn;Mw", "b;30100;68200")) == 2


def test_names_set_apart_by_blanks_must_fit_their_columns(read):
    with pytest.raises(InputError, match="not clear where the name of each column ends"):
        read("Mn Mw T (°C) t (min)", "40100 88200 70 30", "30100 68200 70 60")


def test_units_may_stand_between_names_and_numbers(read):
    table = read("Quantity;Unit;A;B", "Mn;kg/mol;40,1;30,1", "Mw;kg/mol;88,2;68,2", "T;°C;70;65")
    assert table[["Mn", "Mw", "temp"]].to_numpy().tolist() == [[40100, 88200, 70], [30100, 68200, 65]]


def test_a_column_in_an_unknown_unit_is_said(read, caplog):
    read("Mn;Mw;T (Ra)", "40100;88200;618")
    assert "column 'T (Ra)' is not used: its unit is none of temp" in caplog.text


@pytest.mark.parametrize("name", ["[BA]0 (g/L)", "monomer (wt%)", "residual monomer (%)"])
def test_a_concentration_in_another_unit_is_said(read, caplog, name):
    read(f"Mn;Mw;{name}", "40100;88200;30")
    assert f"column {name!r} is not used: its unit is none of cBA_" in caplog.text


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("cBA_0;Conversion (%)", "1.5;64"),
        ("cBA_0;Umsatz / %", "1,5;64,0"),
        ("cBA_0;X", "1.5;0.64"),
        ("cBA_0;conv.", "1.5;64 %"),
        ("[BA]0 (mmol/L);転化率 (%)", "1500;64"),
    ],
)
def test_a_conversion_is_the_residual_monomer_of_rows_with_their_initial_one(read, caplog, names, cells):
    table = read(f"Mn;Mw;{names}", f"40100;88200;{cells}", "40100;88200;;")
    assert table["cBA_time"].tolist() == [pytest.approx(0.54), pytest.approx(np.nan, nan_ok=True)]
    assert "not used" not in caplog.text


def test_errors_of_conversions_are_shares(read):
    table = read("Mn;Mw;cBA_0;X (%)", "40100;88200;1.5;64 ± 2", "40100;88200;1.5;60")
    assert table["conversion_error"].tolist() == pytest.approx([0.02, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("names", "cells", "said"),
    [
        ("X (%)", "64", "column 'X (%)' is not used; a conversion needs cBA_0 in the same row, or goes in as cBA_time"),
        ("cBA_0;X", "1.5;64", "column 'X' is not used: row 2 holds '64'; needs 0 to 1, or 0 to 100 in a column"),
        ("cBA_0;X (%)", "1.5;high", "column 'X (%)' is not used: row 2 holds 'high'"),
        ("cBA_0;X", "1.5;0.64 ± 2 %", "column 'X' is not used: row 2 holds '0.64 ± 2 %'"),
        ("cBA_0;conv NMR;conv GC", "1.5;0.64;0.6", "columns 'conv NMR' and 'conv GC' are not used: both hold"),
    ],
)
def test_a_conversion_that_is_not_clear_is_not_used(read, caplog, names, cells, said):
    table = read(f"Mn;Mw;{names}", f"40100;88200;{cells}")
    assert table["cBA_time"].isna().all()
    assert said in caplog.text


def test_a_table_with_japanese_names(read):
    table = read("試料,数平均分子量,重量平均分子量 Mw,反応温度（℃）,反応時間(分)", "P1,40100,88200,70,30")
    assert table[["Mn", "Mw", "temp", "time"]].iloc[0].tolist() == [40100, 88200, 70, 1800]


def test_the_error_in_a_name_has_the_decimal_sign_of_the_table(read):
    assert read("Mn;Mw;temp ±0,5", "40100;88200;70")["temp_error"].tolist() == [0.5]


def test_rows_in_two_units_are_said_by_a_value_that_stands_there(read, caplog):
    read("Mn;Mw;temp", "40100;88200;70", "40100;88200;343.15")
    assert "temp' holds 343.15 °C, outside of 60 to 80; if it is K, it is 70 °C" in caplog.text


def test_half_an_error_is_refused(read):
    with pytest.raises(InputError, match="holds '70 ±'; needs a number"):
        read("Mn;Mw;temp", "40100;88200;70 ±")


@pytest.fixture
def book(tmp_path):
    def write(*rows, formats=None, merged=()):
        workbook = Workbook()
        for row in rows:
            workbook.active.append(row)
        for cell, number_format in (formats or {}).items():
            workbook.active[cell].number_format = number_format
        for cells in merged:
            workbook.active.merge_cells(cells)
        workbook.save(tmp_path / "results.xlsx")
        return tmp_path / "results.xlsx"

    return write


@pytest.mark.parametrize("number_format", ["0%", "0.00%", "[Red]0.0%;-0.0%"])
@pytest.mark.parametrize(("name", "plain"), [("Conversion (%)", 62), ("Conversion", 0.62), ("Umsatz / %", "62 %")])
def test_a_cell_that_is_shown_in_per_cent_is_read_as_it_is_shown(book, name, plain, number_format):
    path = book(["cBA_0", "Mn", name], [1.5, 3e4, 0.45], [1.5, 3e4, plain], formats={"C2": number_format})
    assert read_rows(path)[0].residual_monomer.tolist() == pytest.approx([1.5 * 0.55, 1.5 * 0.38])


def test_a_sign_of_per_cent_that_is_mere_text_changes_nothing(book):
    path = book(["cBA_0", "Mn", "Conversion (%)"], [1.5, 3e4, 45], formats={"C2": '0.0"%"'})
    assert read_rows(path)[0].residual_monomer.tolist() == pytest.approx([1.5 * 0.55])


def test_errors_in_per_cent_are_shares_of_their_values(book):
    path = book(["temp", "Mn", "±", "conversion_error"], [70, 3e4, 0.02, 0.01], formats={"C2": "0%", "D2": "0%"})
    errors = read_rows(path)[0].errors
    assert (errors["Mn"].item(), errors["conversion"].item()) == pytest.approx((600, 0.01))


def test_per_cent_where_no_share_belongs_is_refused(book):
    with pytest.raises(InputError, match=r"row 2, column 'temp' holds 0\.7, which the workbook shows as 70%"):
        read_rows(book(["temp", "Mn"], [0.7, 3e4], formats={"A2": "0%"}))
    with pytest.raises(InputError, match=r"column 'temp' '2%': the error of a temperature"):
        read_rows(book(["temp", "±", "Mn"], [70, 0.02, 3e4], formats={"B2": "0%"}))


def test_per_cent_of_an_open_document_is_read_as_it_is_shown(tmp_path):
    cells = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{name}</text:p></table:table-cell>'
        for name in ("cBA_0", "Mn", "Conversion (%)")
    )
    numbers = "".join(
        f'<table:table-cell office:value-type="{kind}" office:value="{value}"/>'
        for kind, value in (("float", 1.5), ("float", 30000), ("percentage", 0.45))
    )
    content = "".join(f"<table:table-row>{row}</table:table-row>" for row in (cells, numbers))
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    with zipfile.ZipFile(tmp_path / "results.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet><table:table table:name='a'>{content}"
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
        archive.writestr("META-INF/manifest.xml", f"<manifest {spaces}/>")
    assert read_rows(tmp_path / "results.ods")[0].residual_monomer.tolist() == pytest.approx([1.5 * 0.55])


def test_merged_cells_hold_for_each_of_their_rows(book, caplog):
    rows = ["", "mol/L", "°C", "g/mol"], ["A", 1.5, 70, 3e4], ["", 1.5, "", 3.1e4], ["B", 1.2, 60, 3.2e4]
    path = book(["sample", "cBA_0", "temp", "Mn"], *rows, merged=("A1:A2", "A3:A4", "C3:C4"))
    with caplog.at_level("INFO", "polyinv"):
        observations, others = read_rows(path)
    assert observations.to_table()["temp"].tolist() == [70, 70, 60]
    assert others["sample"].tolist() == ["A", "A", "B"]
    assert "sheet 'Sheet': the merged cells C3:C4 hold for each of their rows" in caplog.text


def test_a_number_that_is_merged_over_columns_is_told(book, caplog):
    path = book(["Recipe", "", "Molar mass", ""], ["temp", "time", "Mn", "Mw"], [70, 600, 3e4, None], merged=("C3:D3",))
    table = read_rows(path)[0].to_table()
    assert table["Mn"].tolist() == [3e4]
    assert "the merged cells C3:D3 are read as 30000 in column C alone" in caplog.text


def test_rows_that_are_merged_throughout_are_one_row(book):
    path = book(["temp", "Mn"], [70, 3e4], ["", ""], [60, 2e4], ["", ""], merged=("A2:A3", "B2:B3", "A4:A5", "B4:B5"))
    assert read_rows(path)[0].to_table()["temp"].tolist() == [70, 60]
