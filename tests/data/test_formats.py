"""Every sample file of a format gives the means and the recipe of its polymer, or is refused with the true reason."""

import re
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook

from polyinv.cli import main
from polyinv.data.files.numbers import number
from polyinv.data.files.reading import MOST_BYTES
from polyinv.data.files.reptate import write_gpc
from polyinv.data.measured import curve_of, curves_of, read_curve, read_curves
from polyinv.errors import InputError
from polyinv.predict.rows import read_rows

FORMATS = Path(__file__).resolve().parents[2] / "examples" / "files" / "formats"
MN, MW = 34080.0, 80610.0
"""Means of the polymer, by the points of its curve; tabs.txt has them to six digits."""
REFUSED = {
    "chromatogram.csv": "is an elution volume, no molar mass: this is a chromatogram before its calibration",
    "calibration.csv": "is an elution volume, no molar mass",
    "elution_time.csv": "column 'RT (mins)' is an elution time, no molar mass",
    "light_scattering.csv": "column 'LS 90' is of kind light scattering",
}
ROWS = {"results_units.csv": 2, "results_de.csv": 2, "results_below.csv": 2, "results_title.xlsx": 1}
ROWS |= {"results_errors.csv": 2}
SAMPLES = {"pairs.csv": ["Sample A", "Sample B"], "many_samples.csv": ["batch 7", "batch 8"]}
SAMPLES |= {"below_each_other.csv": ["A", "B"], "two_samples.xlsx": ["batch 7", "batch 8"]}
SAMPLES |= {"samples_on_sheets.xlsx": ["batch 7", "batch 8"]}
CURVES = sorted({path.name for path in FORMATS.iterdir()} - {*REFUSED, *ROWS})


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_has_the_means_of_its_polymer(name):
    curves = read_curves(FORMATS / name)
    assert [curve.sample for curve in curves] == SAMPLES.get(name, [None])
    assert [curves[0].Mn, curves[0].Mw] == pytest.approx([MN, MW], rel=0.01)
    assert not [said for said in curves[0].warnings if "states" in said]  # what a report states agrees with its points


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_distribution_is_refused_with_the_true_reason(name):
    with pytest.raises(InputError, match=re.escape(REFUSED[name])) as error:
        read_rows(FORMATS / name)
    assert "unit" not in str(error.value)


@pytest.mark.parametrize("name", ROWS)
def test_a_table_of_results_is_read_in_its_units(name):
    observations, _ = read_rows(FORMATS / name)
    table = observations.to_table()
    assert len(table) == ROWS[name]
    assert table[["Mn", "Mw"]].iloc[0].tolist() == pytest.approx([40830, 88270])
    if name != "results_below.csv":
        assert table[["temp", "time"]].iloc[0].tolist() == pytest.approx([70, 1800])


def test_the_recipe_comes_back(capsys):
    files = [str(FORMATS / name) for name in ("report_wingpc.txt", "two_sheets.xlsx", "number.csv", "jcamp.jdx")]
    assert main(["predict", *files, "--known", "temp=70,time=3600", "--errors", "exact"]) == 0
    answers = pd.read_csv(StringIO(capsys.readouterr().out))
    assert answers["file"].tolist() == [Path(file).name for file in files]
    np.testing.assert_allclose(answers["cBA_0"], 1.5, rtol=0.02)
    np.testing.assert_allclose(answers["cAIBN_0"], 0.008, rtol=0.05)


def test_a_chromatogram_is_calibrated():
    curve = read_curve(FORMATS / "chromatogram.csv", calibration=FORMATS / "calibration.csv")
    assert [curve.Mn, curve.Mw] == pytest.approx([MN, MW], rel=0.01)
    assert 0 < curve.sec_offset < 0.01
    _, others = read_rows(FORMATS / "chromatogram.csv", calibration=FORMATS / "calibration.csv")
    assert others["sec_offset"].tolist() == [curve.sec_offset]


def test_universal_calibration_moves_every_molar_mass(tmp_path):
    """Of equal exponents it is a factor: M₂ = M₁ (K₁ / K₂)^(1 / (1 + a))."""
    standards = (FORMATS / "calibration.csv").read_text()
    constants = "K_standard,1.4e-4\na_standard,0.7\nK_sample,1.0e-4\na_sample,0.7\n"
    (tmp_path / "cal.csv").write_text(constants + standards)
    plain = read_curve(FORMATS / "chromatogram.csv", calibration=FORMATS / "calibration.csv")
    moved = read_curve(FORMATS / "chromatogram.csv", calibration=tmp_path / "cal.csv")
    assert moved.Mw / plain.Mw == pytest.approx(1.4 ** (1 / 1.7), rel=1e-3)


def test_a_polynomial_is_a_calibration(tmp_path):
    """log M = 12 - 0.4 V; the signal of a distribution is w(log M) times a constant slope."""
    log_m = np.linspace(3, 6, 121)
    w = np.exp(-(((log_m - 4.5) / 0.3) ** 2) / 2)
    lines = "\n".join(f"{(12 - a) / 0.4:.5f};{b:.6g}" for a, b in zip(log_m, w, strict=True))
    (tmp_path / "run.csv").write_text(f"Volume (mL);RI\n{lines}\n")
    (tmp_path / "cal.csv").write_text("a0;12\na1;-0.4\n")
    curve = read_curve(tmp_path / "run.csv", calibration=tmp_path / "cal.csv")
    spread = np.exp((0.3 * np.log(10)) ** 2 / 2)
    assert [curve.Mn, curve.Mw] == pytest.approx([10**4.5 / spread, 10**4.5 * spread], rel=1e-3)
    assert curve.sec_offset is None
    with pytest.raises(InputError, match="is a molar mass already; --calibration has no effect"):
        read_curve(FORMATS / "tabs.txt", calibration=tmp_path / "cal.csv")


def test_reptate_reads_what_is_written(tmp_path):
    curve = read_curve(FORMATS / "tabs.txt")
    write_gpc(curve, tmp_path / "a.gpc")
    assert (tmp_path / "a.gpc").read_text().startswith(f"Mn={curve.Mn / 1000:.6g};")
    again = read_curve(tmp_path / "a.gpc")
    assert [again.Mn, again.Mw] == pytest.approx([curve.Mn, curve.Mw], rel=1e-4)


X = np.linspace(3, 6, 61)
Y = np.exp(-(((X - 4.5) / 0.3) ** 2))


def text(header, *columns):
    return "\n".join([header, *(";".join(f"{each:.6g}" for each in row) for row in zip(*columns, strict=True))])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"x": "log M", "y": "b"}, None),
        ({"x": "1", "y": "3"}, None),
        ({"sample": "B"}, None),
        ({"sample": "2"}, None),
        ({"sample": "C"}, "has no sample 'C'; it has 'A', 'B'"),
        ({"x": "log M", "y": "1"}, "--x and --y both name the column 'log M'; needs two columns"),
        ({"x": "M"}, "has no column 'M'; it has 'log M', 'A', 'B'"),
        ({"decimal": "!"}, "no decimal sign '!'; known: ,, ., auto"),
    ],
)
def test_options_choose_among_columns(options, said):
    lines = text("log M;A;B", X, Y, np.roll(Y, 5))
    if said:
        with pytest.raises(InputError, match=re.escape(said)):
            curves_of(lines, "here", **options)
    else:
        (curve,) = curves_of(lines, "here", **options)
        assert curve.Mn == pytest.approx(curve_of(text("log M;w(log M)", X, np.roll(Y, 5)), "here").Mn)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("results_units.csv", {"signal": "sec"}, "is a table; --signal has no effect on it"),
        ("results_units.csv", {"unit": "kg/mol"}, "--unit has no effect on it"),
        ("results_units.csv", {"calibration": "a.csv"}, "is a table; --calibration has no effect on it"),
        ("tabs.txt", {"sheet": "A"}, "has no sheets; only a workbook"),
        ("tabs.txt", {"sample": "A"}, "holds one curve; --sample A has no effect on it"),
        ("tabs.txt", {"normalize": True}, "--normalize has no effect on it"),
        ("two_sheets.xlsx", {"sheet": "Data"}, "has no sheet 'Data'; it has 'Summary', 'Slice Table'"),
    ],
)
def test_options_without_effect_are_refused(name, options, said):
    with pytest.raises(InputError, match=re.escape(said)):
        read_rows(FORMATS / name, **options)


def test_stated_means_that_differ_are_said():
    (curve,) = curves_of("Mn;50000\nMw;88000\n\n" + text("log M;w(log M)", X, Y), "here")
    assert curve.warnings[0].startswith("the file states Mn 5e+04, its points have")


def test_a_hidden_sheet_is_not_read_unless_it_is_named(tmp_path):
    book = Workbook()
    for name, values in (("old", np.roll(Y, 5)), ("new", Y)):
        page = book.create_sheet(name)
        page.append(["log M", "w(log M)"])
        for pair in zip(X, values, strict=True):
            page.append([float(each) for each in pair])
    del book["Sheet"]
    book["old"].sheet_state = "hidden"
    book.active = 1
    book.save(tmp_path / "a.xlsx")
    shown, hidden = read_curve(tmp_path / "a.xlsx"), read_curve(tmp_path / "a.xlsx", sheet="old")
    assert hidden.Mn > 1.3 * shown.Mn
    assert "'old' (hidden)" in shown.notes[-1]


def test_units_that_would_fit_better_are_said(tmp_path, caplog):
    (tmp_path / "a.csv").write_text("Mn,Mw,temp,time,cAIBN_0\n40000,88000,343.15,30,10.9\n")
    read_rows(tmp_path / "a.csv")
    for said in ("if it is K, it is 70 °C", "if it is min, it is 1800 s", "if it is mmol/L, it is 0.0109 mol/L"):
        assert said in caplog.text
    (tmp_path / "b.csv").write_text("Mn,Mw\n40.8,88.3\n")
    with pytest.raises(InputError, match=r"looks like kg/mol: --unit kg/mol says so"):
        read_rows(tmp_path / "b.csv")
    assert read_rows(tmp_path / "b.csv", unit="kg/mol")[0].to_table()["Mn"].tolist() == [40800]


def test_a_large_file_is_refused_at_once(tmp_path):
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match="has 20 MB; a curve has some thousand points"):
        read_rows(tmp_path / "a.csv")


def test_a_long_file_is_refused_or_read_in_pieces(tmp_path):
    (tmp_path / "curve.csv").write_text("log M,w(log M)\n" + "3.0,0.1\n" * 100_001)
    with pytest.raises(InputError, match="has 100003 lines; a curve has some thousand points"):
        read_rows(tmp_path / "curve.csv")
    (tmp_path / "table.csv").write_text("Mn,Mw,temp\n" + "40000,88000,70\n" * 100_001)
    assert len(read_rows(tmp_path / "table.csv")[0]) == 100_001


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("1,000", ".", 1000),
        ("1.000", ",", 1000),
        ("1 000,5", ",", 1000.5),
        ("1'000.5", ".", 1000.5),
        ("1.2D-03", ".", 0.0012),
        ("1,2E+5", ",", 120000),
        ("−3,5 %", ",", -3.5),
        ("2.5 × 10^4", ".", 25000),
        ("0,162", ".", None),
        ("12,34", ".", None),
        ("1.2.3", ".", None),
    ],
)
def test_numbers_as_they_are_written(cell, decimal, value):
    assert number(cell, decimal) == (None if value is None else pytest.approx(value))


def test_names_behind_a_number_sign_begin_a_block_of_their_own():
    """A report whose results stand above the slices, with pages that repeat the names, which begin with #."""
    log_m = np.arange(6.0, 3.0, -0.02)
    w = np.exp(-0.5 * ((log_m - 4.7) / 0.35) ** 2)
    head = "#\tRetention Time\tSlice Area\tSlice MW\tSlice Log MW\tdwt/d(logM)\tCumulative %"
    lines = ["GPC Results", "\tMn\tMw\tPolydispersity", "1\t36000\t69000\t1.9", "", head]
    for at, (x, y) in enumerate(zip(log_m, w, strict=True), 1):
        lines.append(f"{at}\t{10 + 0.05 * at:.3f}\t{round(1e5 * y)}\t{10**x:.0f}\t{x:.4f}\t{y:.6f}\t{at / 1.5:.3f}")
        lines += ["", "page", head] if at % 50 == 0 else []
    (found,) = curves_of("\n".join(lines), "report.txt")
    m = 10**log_m
    assert found.Mn == pytest.approx(w.sum() / (w / m).sum(), rel=0.01)
    assert found.Mw == pytest.approx((w * m).sum() / w.sum(), rel=0.01)
