"""Tables of results as people write them: errors behind ±, powers of ten, rows that are no samples."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook
from openpyxl.styles import Font

from polyinv.data.measured import curve_of, curves_of
from polyinv.errors import InputError
from polyinv.mmd import LOG_M, STEP
from polyinv.predict.rows import read_rows
from polyinv.quantities import MMD


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


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("remark", ['2" column', '"2 column', '"2""', '2"', '"in ""inches"""', '"over\nthree;\nlines"'])
def test_a_quotation_mark_swallows_no_row(read, separator, remark):
    lines = ["sample;Mn;Mw;temp;remark", "A;25000;60000;70;?", 'B;30000;70000;65;2"', 'C;20000;50000;75;"fine"']
    table = read(*(line.replace(";", separator).replace("?", remark) for line in lines))
    assert table[["Mn", "temp"]].to_numpy().tolist() == [[25000, 70], [30000, 65], [20000, 75]]


def test_names_and_cells_in_quotation_marks_go_over_lines(read):
    table = read('remark,"Mn\n(kDa)","Mw\n(kDa)",temp', '"over\nthree,\nlines",25,60,70', "x,30,70,65")
    assert table[["Mn", "temp"]].to_numpy().tolist() == [[25000, 70], [30000, 65]]


@pytest.mark.parametrize("remark", ['2" column', '"over\nthree\nlines"'])
def test_a_remark_beside_a_curve_is_no_end_of_it(remark):
    log_m = np.linspace(3, 6, 40)
    w = np.exp(-(((log_m - 4.5) / 0.4) ** 2))
    lines = [f"{x:.4f};{y:.6f};{remark if at == 3 else ''}" for at, (x, y) in enumerate(zip(log_m, w, strict=True))]
    assert curve_of("\n".join(["log M;w(log M);remark", *lines]), "here").notes[0].startswith("40 points")
    lines = [f"{x:.4f};{y:.6f};{'ok' if at % 2 else remark}" for at, (x, y) in enumerate(zip(log_m, w, strict=True))]
    assert curve_of("\n".join(["log M;w(log M);remark", *lines]), "here").notes[0].startswith("40 points")


@pytest.mark.parametrize("signed", ["#2", "!C", "//server/a", "%3", "#"])
def test_a_row_whose_name_begins_with_the_sign_of_a_comment_is_read_and_said(read, caplog, signed):
    table = read("sample;Mn;Mw;temp", "A;25000;60000;70", f"{signed};30000;70000;65", "# by GPC, 2;")
    assert table["Mn"].tolist() == [25000, 30000]
    assert f"row 3 begins with {signed!r} and is read as a row (1 such)" in caplog.text
    assert read("sample,Mn,Mw", f"{signed},30000,70000", "#4,30000,")["Mn"].tolist() == [30000, 30000]


@pytest.mark.parametrize("row", ["# 2;30000;70000;65", "//  B;30000;70000;65"])
def test_a_row_that_is_commented_out_is_left_out_and_said(read, caplog, row):
    assert len(read("sample;Mn;Mw;temp", "A;25000;60000;70", row)) == 1
    assert "row 3 begins with" in caplog.text
    caplog.clear()
    assert len(read("Mn;Mw;temp", "25000;60000;70", "#30000;70000;65")) == 1
    assert "is left out as a comment (1 such)" in caplog.text


def test_remarks_behind_the_sign_of_a_comment_are_passed_over(read, caplog):
    read("# made on 3 March", "sample,Mn,Mw,temp", "# a, b, c", "A,25000,60000,70", "# Mn, 12", "#")
    assert "begins with" not in caplog.text


@pytest.mark.parametrize(
    ("names", "row"),
    [
        ("#,cBA_0,temp,Mn,Mw", "1,1.5,70,25000,60000"),
        ("# sample;temp;Mn;Mw", "A;70;25000;60000"),
        ("#sample temp Mn Mw", "A 70 25000 60000"),
        ("! sample\ttemp\tMn\tMw", "A\t70\t25000\t60000"),
    ],
)
def test_names_of_a_table_may_stand_in_a_comment(read, names, row):
    assert read(names, row)[["temp", "Mn", "Mw"]].iloc[0].tolist() == [70, 25000, 60000]


def test_samples_of_curves_below_each_other_may_be_called_by_a_number_sign(caplog):
    log_m = np.linspace(3, 6, 30)
    w = np.exp(-(((log_m - 4.5) / 0.4) ** 2))
    for names in (("A", "#B"), ("#1", "#2")):
        rows = [f"{name};{x:.4f};{y:.6f}" for name in names for x, y in zip(log_m, w, strict=True)]
        curves = curves_of("\n".join(["sample;log M;w(log M)", *rows]), "here")
        assert [curve.sample for curve in curves] == [*names]
        assert "is read as a row" in curves[0].warnings[0]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_what_a_table_of_polyinvs_own_form_passes_over_is_said(tmp_path, caplog, ending):
    curve = np.exp(-(((LOG_M - 4.5) / 0.4) ** 2))
    table = pd.DataFrame([curve / curve.sum() / STEP], columns=list(MMD)).assign(cBA_0=1.5, cAIBN_0=10.9)
    table = table.assign(**{"Temp. (K)": 343.15, "Conversion (%)": 45, "Mn (kDa)": 25, "sample": "A"})
    path = tmp_path / f"own.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_excel(path, sheet_name="compuesta", index=False)
    read_rows(path)
    for name, own in (("Temp. (K)", "temp, in °C"), ("Conversion (%)", "cBA_time, "), ("Mn (kDa)", "Mn, in g/mol")):
        assert f"column {name!r} is not read in a table of polyinv's own; call it {own}" in caplog.text
    assert "'sample' is not read" not in caplog.text
    assert "if it is mmol/L, it is 0.0109 mol/L: convert it" in caplog.text


def test_an_area_of_no_curve_cannot_be_normalized(tmp_path):
    (tmp_path / "a.csv").write_text("Mn,Mw\n40100,88200\n")
    with pytest.raises(InputError, match="a table without a curve; --normalize has no effect on it"):
        read_rows(tmp_path / "a.csv", normalize=True)


@pytest.mark.parametrize(
    ("lines", "row"),
    [
        (("sample;temp;Mn;Mw", "A;70;34000;80000", "", "run;Mn (kDa);Mw (kDa);temp", "B;34;80;65"), 5),
        (("sample;temp;Mn;Mw", "A;70;34000;80000", "", "Series 2", "B;65;34000;80000"), 5),
        (("sample;temp", "B;65", "", "sample;temp;Mn;Mw", "A;70;34000;80000"), 2),
    ],
)
def test_rows_of_another_table_are_said(read, caplog, lines, row):
    assert read(*lines)["temp"].tolist() == [70]
    assert f"row {row} is left out (1 such): it has numbers and stands apart from the table" in caplog.text


def test_titles_and_footers_are_no_rows(read, caplog):
    read("Flow;1.0;mL/min", "Date;3;2026", "sample;temp;Mn;Mw", "A;70;34000;80000", "", "Page 1 of 3")
    assert "left out" not in caplog.text


@pytest.mark.parametrize(("cell", "options"), [("45,123", {"decimal": ","}), ("45,123", {}), ("45.123", {})])
def test_conversions_have_the_decimal_sign_that_fits(tmp_path, cell, options):
    (tmp_path / "a.csv").write_text(f"Mn;Mw;cBA_0;Umsatz (%)\n25000;60000;1{cell[2]}5;{cell}\n")
    table = read_rows(tmp_path / "a.csv", **options)[0].to_table()
    assert table["cBA_time"].tolist() == pytest.approx([1.5 * (1 - 0.45123)])


@pytest.mark.parametrize(("name", "cell"), [("temp", "70%"), ("time", "1800 %"), ("Mn (kDa)", "40 ％")])
def test_a_per_cent_sign_where_none_belongs_is_refused(read, name, cell):
    with pytest.raises(InputError, match="a per cent sign belongs to conversions and errors only"):
        read(f"sample;{name}", f"A;{cell}")


@pytest.mark.parametrize("name", ["Mn error (%)", "SD Mn (%)", "RSD Mn (%)", "(%) ±"])
def test_a_column_of_errors_in_per_cent_is_of_the_value(read, name):
    assert read(f"Mn;{name};Mw", "25000;2;60000")["Mn_error"].tolist() == [500]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("cBA_0;residual BA (%)", "column 'residual BA (%)' is not used: its unit is none of cBA_time"),
        ("temp;[BA]0", "column '[BA]0' is not used: it has no unit; '[BA]0 (mol/L)' would be cBA_0"),
        ("temp;SD cBA_0", "column 'SD cBA_0' is not used: it states an error of cBA_0"),
        ("temp;Mn error (g/L)", "column 'Mn error (g/L)' is not used: it states an error of Mn"),
    ],
)
def test_columns_that_would_mean_something_are_said(read, caplog, names, said):
    read(f"Mn;Mw;{names}", "40100;88200;70;0.5")
    assert said in caplog.text


def test_shares_in_a_column_of_per_cent_are_doubted(read, caplog):
    read("cBA_0;Mn;Mw;Conversion (%)", "1.5;40100;88200;0.45", "1.5;40100;88200;0.62")
    assert "all conversions in column 'Conversion (%)' are below 1 %; shares go into a column without %" in caplog.text


def test_a_conversion_fills_the_gaps_of_the_residual_monomer(read, caplog):
    names = "Mn;Mw;cBA_0;cBA_time;X (%)"
    table = read(names, "40100;88200;1.5;0.8;45", "40100;88200;1.5;;60", "40100;88200;;;60")
    assert table["cBA_time"].tolist() == pytest.approx([0.8, 0.6, np.nan], nan_ok=True)
    assert "contradict" not in caplog.text
    assert "column 'X (%)' is not used in rows 4: there is no cBA_0 in them" in caplog.text
    read(names, "40100;88200;1.5;0.1;45")
    assert "contradict each other: row 2 has 0.45, and 0.933 by cBA_time, which is taken (1 such)" in caplog.text


def test_rows_that_sum_up_the_others_are_no_samples(read, caplog):
    caplog.set_level("INFO")
    names = ["Median", "Mean ± SD", "max", "min.", "SD", "Ø", "Mean (n = 2)", "Std. dev."]
    table = read("No;sample;Mn;Mw", "1;A;25000;60000", "2;Maxi;26000;60000", *(f";{n};25500;60000" for n in names))
    assert table["Mn"].tolist() == [25000, 26000]
    assert "rows 4, 5, 6, 7, 8, 9, 10, 11 sum up the others ('Median', 'Mean ± SD'" in caplog.text
    assert read("sample;Mn;Mw", "min;25000;60000", "max;26000;60000")["Mn"].tolist() == [25000, 26000]


def test_thousands_that_would_fit_are_said(read, caplog):
    read("Probe;Mn;Mw;temp;time (s)", "A;25000;60000;70;900", "A;25000;60000;70;3.600")
    assert "column 'time (s)' holds '3.600', read as 3.6; if it is 3600, --decimal , says so" in caplog.text
    caplog.clear()
    read("Probe;Mn;Mw;temp;time (min)", "A;25000;60000;70;30.125")
    assert "says so" not in caplog.text


@pytest.mark.parametrize(("name", "cell"), [("[BA]0 (M)", "1.5"), ("BA / M", "1.5"), ("cBA_0", "1.5 M")])
def test_m_is_mol_per_litre_of_a_concentration(read, name, cell):
    table = read(f"Mn;Mw;{name};T (°K)", f"40100;88200;{cell};343.15")
    assert table[["cBA_0", "temp"]].iloc[0].tolist() == [1.5, 70]


@pytest.mark.parametrize("values", [("45", "90"), (".45", "0.9")])
def test_a_per_cent_sign_before_a_conversion_may_be_that_of_a_comment(read, values):
    table = read("% conversion;cBA_0;Mn;Mw", *(f"{value};1;25000;60000" for value in values))
    assert table["cBA_time"].tolist() == pytest.approx([0.55, 0.1])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Avg.",
            "Average of A and B",
            "Mean value",
            "mean of 3",
            "Mittelwert aus 3",
            "Mittel",
            "Grand mean",
            "平均値",
        ),
        *(
            "Écart-type",
            "Std. Abw.",
            "Stdabw.",
            "Desv. est.",
            "S.D.",
            "Std error",
            "标准差",
            "標準偏差",
            "%RSD",
            "±",
            "Fehler",
        ),
        *("Rel. Std. Dev.", "Count", "Range", "Standard deviation (n-1)", "95 % confidence", "Mean A/B", "std_dev"),
    ],
)
def test_names_of_statistics_are_those_of_no_sample(read, name):
    table = read("sample;Mn;Mw", "A;25000;60000", "B;26000;63000", f"{name};20000;61400")
    assert table["Mn"].tolist() == [25000, 26000]


@pytest.mark.parametrize(
    "rows",
    [
        ["n;2;2"],
        ["Mean-1;25500;61500"],
        ["s;707.1;2121.3"],
        ["SE;500;1500"],
        ["Mean;25500;61500", "s;707;2121", "SE;400;1400", "N;2;3"],
        ["Sample mean;25500;61500", "C;25000;60000", "D;27000;63000", "Mean 2;26000;61500"],
    ],
)
def test_numbers_tell_statistics_whose_names_may_be_those_of_samples(read, rows):
    table = read("sample;Mn;Mw", "A;25000;60000", "B;26000;63000", *rows)
    assert table["Mn"].tolist() == [25000, 26000] + [25000, 27000] * any(row.startswith("C") for row in rows)


@pytest.mark.parametrize("name", ["N", "s", "SE", "Mean-1", "Std 2"])
def test_a_sample_that_is_called_as_a_statistic_is_read_and_said(read, caplog, name):
    table = read("sample;Mn;Mw", "A;25000;60000", f"{name};27000;61000", "B;26000;63000")
    assert table["Mn"].tolist() == [25000, 27000, 26000]
    assert f"row 3 is called {name!r} and is read as a sample" in caplog.text


@pytest.mark.parametrize("name", ["Maxi", "30 min", "Standard 1", "SD2", "Sumo", "BA-3", "Total-Al"])
def test_samples_whose_names_resemble_those_of_statistics_are_read(read, name):
    assert read("sample;Mn;Mw", "A;25000;60000", f"{name};26000;63000")["Mn"].tolist() == [25000, 26000]


@pytest.mark.parametrize(
    ("names", "mn", "mw", "read_as"),
    [
        ("Property,A,B,Mean,SD", "34117,33000,33500,500", "80600,79000,79800,800", ["A", "B"]),
        ("Sample,A,B,Average,n", "34117,33000,33500,2", "80600,79000,79800,2", ["A", "B"]),
        ("Result,A,±,B,±", "34117,500,33000,400", "80600,800,79000,700", ["A", "B"]),
        ("Probe,A,B,SD A,SD B", "34117,33000,500,400", "80600,79000,800,700", ["A", "B"]),
        ("Sample,1,2,Mittelwert", "34117,33000,33500", "80600,79000,79800", ["1", "2"]),
    ],
)
def test_statistics_beside_samples_are_no_samples(tmp_path, caplog, names, mn, mw, read_as):
    caplog.set_level("INFO")
    (tmp_path / "s.csv").write_text("\n".join([names, f"Mn (g/mol),{mn}", f"Mw (g/mol),{mw}"]))
    observations, others = read_rows(tmp_path / "s.csv")
    table = observations.to_table()
    assert table["Mn"].tolist() == [34117, 33000]
    assert others["sample"].tolist() == read_as
    if "±" in names or "SD A" in names:
        assert table["Mn_error"].tolist() == [500, 400]
        assert "states the errors of column 'A'" in caplog.text
    else:
        assert "sum up the others" in caplog.text


@pytest.mark.parametrize("error", ["Error", "+/-", "SD", "Std. Abw."])
def test_an_error_beside_a_value_is_its_error(read, error):
    table = read(f"Property,Value,{error}", "Mn (g/mol),34117,500", "Mw (g/mol),80600,800", "T (°C),70,0.2")
    assert table[["Mn", "Mn_error", "Mw", "temp_error"]].to_numpy().tolist() == [[34117, 500, 80600, 0.2]]


def test_statistics_beside_curves_are_no_curves():
    x = np.arange(3, 6, 0.02)
    y = np.exp(-((x - 4.6) ** 2) / 0.2)
    rows = [f"{a:.2f};{b:.5f};{b * 1.01:.5f};{b:.5f};{b / 100:.5f}" for a, b in zip(x, y, strict=True)]
    curves = curves_of("\n".join(["log M;A;B;mean;SD", *rows]), "text")
    assert [curve.sample for curve in curves] == ["A", "B"]
    assert "column 'mean' sums up others and is left out" in curves[0].notes


@pytest.mark.parametrize(
    ("names", "units", "said"),
    [
        ("sample;Mn;Mw;T;t", ";min;g/mol;°C;", "the unit min below 'Mn' is none of Mn"),
        ("sample;Mn;Mw;T;t", "kDa;kDa;K;h;", "the unit K below 'Mw' is none of Mw"),
        ("sample;Mn;Mw;T;t", "Unit;kDa;kDa;g/mol;h", "the unit g/mol below 'T' is none of temp"),
        ("sample;Mn (kDa);Mw;T;t", ";g/mol;g/mol;°C;s", "the unit g/mol below 'Mn .kDa.' is another"),
    ],
)
def test_a_unit_below_a_name_has_to_be_one_of_its_quantity(read, names, units, said):
    with pytest.raises(InputError, match=said):
        read(names, units, "A;34100;80600;70;3600")


def test_a_row_of_units_may_be_called_so(read):
    table = read("sample;Mn;Mw;T;t", "Einheit;kDa;10^3 g/mol;K;h", "A;34.1;80.6;343.15;1")
    assert table[["Mn", "Mw", "temp", "time"]].iloc[0].tolist() == pytest.approx([34100, 80600, 70, 3600])


@pytest.mark.parametrize(("unit", "factor"), [("10^3 g/mol", 1e3), ("[10³ g/mol]", 1e3), ("kDa", 1e3), ("g/mol", 1)])
def test_a_power_of_ten_below_the_name_of_a_curve_is_read(unit, factor):
    x = np.arange(3, 6, 0.02)
    rows = [f"{10**a / factor:.6g};{np.exp(-((a - 4.6) ** 2) / 0.2):.5f}" for a in x]
    assert curve_of("\n".join(["M;w(log M)", f"{unit};-", *rows]), "text").Mw == pytest.approx(51900, rel=0.01)
    with pytest.raises(InputError, match="the unit min of column 'M' is none of a molar mass"):
        curve_of("\n".join(["M;w(log M)", "min;-", *rows]), "text")


def test_rows_that_are_hidden_or_struck_through_are_said(tmp_path, caplog):
    book = Workbook()
    for row in (["sample", "Mn", "Mw"], *([name, 25000, 60000] for name in "ABCD")):
        book.active.append(row)
    for cell in book.active[3]:
        cell.font = Font(strike=True)
    book.active.row_dimensions[4].hidden = True
    book.save(tmp_path / "results.xlsx")
    observations, _ = read_rows(tmp_path / "results.xlsx")
    assert observations.to_table()["Mn"].tolist() == [25000] * 4
    assert "row 3 is struck through, and read all the same" in caplog.text
    assert "row 4 is hidden, and read all the same" in caplog.text


def test_rows_of_an_open_document_that_are_hidden_or_struck_through_are_said(tmp_path, caplog):
    def row(*cells, of=""):
        return f"<table:table-row{of}>{''.join(cells)}</table:table-row>"

    def cell(value, of=""):
        return f'<table:table-cell office:value-type="float" office:value="{value}"{of}/>'

    names = (
        f'<table:table-cell office:value-type="string"><text:p>{n}</text:p></table:table-cell>' for n in ("Mn", "Mw")
    )
    rows = row(*names) + row(cell(25000), cell(60000), of=' table:visibility="filter"')
    rows += row(cell(26000, ' table:style-name="ce1"'), cell(60000))
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "style")
    )
    with zipfile.ZipFile(tmp_path / "results.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:automatic-styles><style:style style:name='ce1'>"
            "<style:text-properties style:text-line-through-style='solid'/></style:style></office:automatic-styles>"
            f"<office:body><office:spreadsheet><table:table table:name='a'>{rows}</table:table></office:spreadsheet>"
            "</office:body></office:document-content>",
        )
        archive.writestr("META-INF/manifest.xml", f"<manifest {spaces}/>")
    read_rows(tmp_path / "results.ods")
    assert "row 2 is hidden" in caplog.text
    assert "row 3 is struck through" in caplog.text


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("T (K)", "70", "is stated to be in K, and holds -203 °C then; if it is °C, mend the unit"),
        ("time (h)", "3600", "if it is s, mend the unit"),
        ("BA (mol/L)", "1500", "if it is mmol/L, mend the unit"),
        ("Mz (kDa)", "1", None),
        ("T (°F)", "158", None),
    ],
)
def test_values_that_are_hardly_possible_in_their_unit_are_said(read, caplog, name, cell, said):
    read(f"sample;Mn (g/mol);Mw (g/mol);{name}", f"A;34117;80601;{cell}")
    assert (said or "stated to be in") in caplog.text or said is None
    assert said is not None or "stated to be in" not in caplog.text


def test_a_dispersity_beside_the_means_is_compared(read, caplog):
    with pytest.raises(InputError, match=r"row 2: Mw / Mn is 2362, and column 'PDI' holds 2.36; is one of the units"):
        read("sample;Mn (g/mol);Mw (kDa);PDI", "A;34117;80601;2.36")
    read("sample;Mn;Mw;Đ;Uneinheitlichkeit", "A;34117;80601;2.4;1.36", "B;34117;80601;2.36;2.36")
    assert "Mw / Mn" not in caplog.text
    read("sample;Mn;Mw;PDI", "A;34117;80601;1.2", "B;34117;80601;2.36")
    assert "row 2: Mw / Mn is 2.362, and column 'PDI' holds 1.2 (1 such)" in caplog.text


def test_logarithms_are_not_taken_for_thousands(read, tmp_path):
    with pytest.raises(
        InputError, match=r"'4.533' may be a molar mass with a point for thousands, one in kg/mol, or log10"
    ):
        read("sample;Mn;Mw;T", "A;4.533;4.906;70")
    assert read("sample;Mn;Mw;T", "A;34.533;84.906;70")["Mn"].tolist() == [34533]


def test_a_curve_of_giant_molecules_by_its_unit_is_said():
    x = np.arange(3, 6, 0.02)
    rows = [f"{10**a:.6g};{np.exp(-((a - 4.6) ** 2) / 0.2):.5f}" for a in x]
    assert "if it is in g/mol, mend the name" in curve_of("\n".join(["M (kg/mol);w(log M)", *rows]), "text").warnings[0]
