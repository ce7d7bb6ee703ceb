"""A measured curve comes back from any form of file; one that cannot be used is refused with a line that says why."""

import re
import sys
from subprocess import run
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from polyinv.data.bundled import load_bundled
from polyinv.data.files.names import read_name
from polyinv.data.files.slices import over_slope
from polyinv.data.measured import curve_of, is_curve, looks_like_curve, read_curve
from polyinv.data.workbook import write_table
from polyinv.errors import InputError
from polyinv.mmd import BIN_EDGES, LOG_M, STEP, mean_molar_masses, resample, unit_area
from polyinv.quantities import MMD


@pytest.fixture(scope="module")
def w():
    """A simulated distribution, its chain noise smoothed away as the broadening of a column does."""
    curve = load_bundled("off_grid")[list(MMD)].to_numpy()[0]
    for _ in range(4):
        curve = np.convolve(curve, [0.25, 0.5, 0.25], "same")
    return unit_area(curve)


@pytest.fixture(scope="module")
def density(w):
    """w(log10 M) between the nodes, as a function; its means over the bins are exactly ``w``."""
    mass_below = PchipInterpolator(BIN_EDGES, np.concatenate([[0], np.cumsum(w) * STEP]))
    return lambda log_m: np.maximum(mass_below(log_m, 1), 0)


def apart(a, b):
    """The share of the mass that lies elsewhere."""
    return np.abs(a - b).sum() * STEP / 2


def text_of(x, y, header="log M;w(log M)", form="{:.6f};{:.6g}"):
    return "\n".join([header] * bool(header) + [form.format(*pair) for pair in zip(x, y, strict=True)])


FINE = np.arange(1.0, 7.5, STEP / 7) + 0.003


@pytest.mark.parametrize(
    ("log_m", "tolerance"),
    [  # mass displaced; straight lines cut off peaks by h²|w''|/12, which shows at the spacing of the grid and above it
        (LOG_M[::2], 0.012),
        (LOG_M[:-1] + STEP / 2, 0.004),
        (FINE, 2e-4),
        (np.log10(np.geomspace(1e2, 1e7, 90)), 0.003),
        (np.log10(np.arange(200, 5e6, 200)), 0.001),
    ],
    ids=["twice as coarse", "half a step aside", "seven times as fine", "90 points", "even steps of M"],
)
def test_a_curve_on_other_points_comes_back(w, density, log_m, tolerance):
    curve = curve_of(text_of(log_m, density(log_m)), "here")
    assert apart(curve.w, w) < tolerance
    assert [curve.Mn, curve.Mw] == pytest.approx(mean_molar_masses(w), rel=0.015)
    assert curve.w.sum() * STEP == pytest.approx(1, abs=1e-12)
    assert np.trapezoid(curve.raw, curve.log_m) == pytest.approx(1, abs=1e-12)


def test_the_grid_itself_comes_back_as_it_stands(w):
    for nodes in (slice(None), slice(15, 95)):
        curve = curve_of(text_of(LOG_M[nodes], 7 * w[nodes], form="{};{}"), "here")
        np.testing.assert_allclose(curve.w, w, atol=1e-14)
        assert [curve.Mn, curve.Mw] == pytest.approx(mean_molar_masses(w), rel=1e-9)


def test_the_means_are_those_of_a_log_normal_distribution():
    # as in tests/test_mmd.py; trapezoids are exact to many digits for a smooth curve that ends in zeros
    m, s, x = 4.6, 0.25, np.linspace(2, 7, 501)
    curve = curve_of(text_of(x, np.exp(-(((x - m) / s) ** 2) / 2), form="{};{}"), "here")
    spread = np.exp((s * np.log(10)) ** 2 / 2)
    assert [curve.Mn, curve.Mw] == pytest.approx([10**m / spread, 10**m * spread], rel=1e-9)


ORDER = np.random.default_rng(0).permutation(len(FINE))
FORMS = {  # x is log10 M, y w(log10 M), M in g/mol
    "no header": lambda x, y, M: text_of(x, y, ""),
    "reversed": lambda x, y, M: text_of(x[::-1], y[::-1]),
    "shuffled": lambda x, y, M: text_of(x[ORDER], y[ORDER]),
    "swapped columns": lambda x, y, M: text_of(y, x, "w(log M),log M", "{:.8g},{:.6f}"),
    "commas": lambda x, y, M: text_of(x, y, "log M, w(log M)", "{:.6f}, {:.6g}"),
    "commas between blanks": lambda x, y, M: text_of(x, y, "", "{:.6f} , {:.6g}"),
    "tabs": lambda x, y, M: text_of(x, y, "log M\tw(log M)", "{:.6f}\t{:.6g}"),
    "blanks": lambda x, y, M: text_of(x, y, "log M   w(log M)", "  {:.6f}   {:.6e}"),
    "decimal commas, semicolons": lambda x, y, M: text_of(x, y).replace(".", ","),
    "decimal commas, blanks": lambda x, y, M: text_of(x, y, "", "{:.6f} {:.6g}").replace(".", ","),
    "decimal commas, tabs": lambda x, y, M: text_of(x, y, "", "{:.6f}\t{:.6g}").replace(".", ","),
    "decimal commas, quotes": lambda x, y, M: text_of(x, y, "", '"{:.6f}","{:.6g}"').replace(".", ","),
    "trailing separators": lambda x, y, M: text_of(x, y, "log M;w(log M);", "{:.6f};{:.6g};"),
    "BOM, comments, empty lines": lambda x, y, M: "\ufeff# mine\n\n" + text_of(x, y).replace("\n", "\n\n# 1;2\n"),
    "numpy.savetxt": lambda x, y, M: text_of(M, y / M, "# M w(M)", "{:.18e} {:.18e}"),
    "a sample called 7": lambda x, y, M: text_of(x, y, "log M;7"),
    "unknown header": lambda x, y, M: text_of(x, y, "Probe;17b"),
    "lines above, units below": lambda x, y, M: "Sample;A 7\nMw;45000\n\n" + text_of(x, y, "log M;RI\ng/mol;mV"),
    "more columns": lambda x, y, M: text_of(x, y, "time;log M;RI;note", "1;{};{};ok"),
    "M": lambda x, y, M: text_of(M, y, "M;w(log M)", "{:.8g};{:.6g}"),
    "M without header": lambda x, y, M: text_of(M, y, "", "{:.8g};{:.6g}"),
    "M and w(M)": lambda x, y, M: text_of(M, y / M, "Molar mass (g/mol);dw/dM", "{:.8g};{:.8g}"),
    "log M and w(M)": lambda x, y, M: text_of(x, y / M, "log10(M / g/mol);w(M)", "{:.8f};{:.8g}"),
    "kg/mol": lambda x, y, M: text_of(M / 1e3, y, "M [kg/mol];RI", "{:.8g};{:.6g}"),
    "kg/mol below": lambda x, y, M: text_of(M / 1e3, y, "M;RI\nkDa;mV", "{:.8g};{:.6g}"),
    "log of kg/mol": lambda x, y, M: text_of(x - 3, y, "log10(M / kg/mol);RI").replace("-", "\N{MINUS SIGN}"),
    "a signal": lambda x, y, M: text_of(x, 0.02 * y, "Log MW;RI signal (mV)"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_file_does_not_matter(w, density, tmp_path, form):
    text = FORMS[form](FINE, density(FINE), 10**FINE)
    path = tmp_path / "curve.txt"
    path.write_text(text, encoding="utf-8")
    curve = read_curve(path)
    assert apart(curve.w, w) < 2e-4
    assert [curve.Mn, curve.Mw] == pytest.approx(mean_molar_masses(w), rel=2e-3)
    assert len(curve.log_m) == len(FINE)
    assert (np.diff(curve.log_m) > 0).all()
    assert looks_like_curve(path)
    assert is_curve(text)


def test_what_the_header_leaves_open_can_be_told(w, density):
    M, y = 10**FINE, density(FINE)
    told = curve_of(text_of(M / 1e3, y / M, "", "{:.8g};{:.8g}"), "here", signal="w_m", unit="kg/mol")
    assert apart(told.w, w) < 2e-4
    assert told.notes[0].endswith("column 1 is M (kg/mol), 0.0100693 to 31219.7; column 2 is w(M)")


def test_the_first_note_says_what_was_taken_for_what(density):
    text = text_of(FINE, density(FINE), "")
    assert curve_of(text, "here").notes == (
        f"{len(FINE)} points; column 1 is log10 M (g/mol), 1.003 to 7.49443; "
        "column 2 is w(log10 M), for want of a known name",
    )
    assert "; column 2 is a signal, w(log10 M) up to a factor" in curve_of(text, "here", signal="sec").notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(density, tmp_path, encoding):
    path = tmp_path / "kurve.csv"
    path.write_text(text_of(FINE, density(FINE), "log M;RI (µV)"), encoding=encoding)
    assert "'RI (µV)' is a signal" in read_curve(path).notes[0]


NAMES = {
    "log_m": "logM|log10(M)|log M|lgM|lg(M)|LogMW|log10(M / g/mol)|log(M/(g mol⁻¹))|log molar mass|Log M [g/mol]|"
    "Slice Log MW|lg Molmasse|log(masa molar)|log (Molare Masse)|log(masse molaire)|Log Molecular Weight|LogM(g/mol)",
    "m": "M|MW|Mw|M (g/mol)|M / kg mol-1|molar mass|Molar Mass [kDa]|Molecular weight (Da)|Molmasse|Slice MW|M, kDa|"
    "Molare Masse (g/mol)|Masa molar (g/mol)|Masse molaire (g/mol)|Peso molecular|Poids moléculaire|M_w",
    "w_log": "w(logM)|w(log M)|dw/dlogM|dwt/d(logM)|dW/dlog10M|W(lgM)|dwt/dlogMW|dw/d(log M)|WF/dLogM|dw/dlg₁₀ M|"
    "Differential Weight Fraction (1/log(g/mol))",
    "w_m": "w(M)|dw/dM|dwt/dM|w(M) / (mol/g)|dW/d(M)|Differential Weight Fraction (mol/g)",
    "n_log": "n(log M)|dn/dlogM|x(log M)",
    "n_m": "n(M)|dn/dM|Number distribution|Number fraction",
    "sec": "RI|dRI|RID|signal|Signal (mV)|RI signal|RI detector|normalized signal|SEC signal|intensity (a.u.)|UV|"
    "UV 254 nm|Adjusted RI|Detektorsignal|Señal RI|Réponse|Response|Norm. RI|Intensität|Brechungsindex|Detector 1",
    "time": "time|Retention time / min|RT (mins)|Zeit (min)|Retentionszeit|Tiempo de retención (min)|t_R",
    "volume": "Elution volume (mL)|Vol|Ve (mL)|V/mL|Ret. Vol.|Elutionsvolumen|Volumen de elución (mL)|Volume d'élution",
    "cumulative": "cumulative|Cum Ht %|Integral[%]|kumulativ|acumulada|Cumulative weight fraction",
    "light scattering": "LS 90|MALS|RALS (mV)|Lichtstreuung|Dispersión de luz|Diffusion de lumière",
    "viscosity": "IV - DP|viscosity|Viskosimeter|intrinsic viscosity",
    "ln_m": "ln M|ln(M)",
    "wavelength": "wavelength (nm)|Wellenlänge",
    None: "w|sample|temp|x|log||batch 7|Probe|weight fraction",
}


@pytest.mark.parametrize(("kind", "names"), NAMES.items())
def test_names_of_columns(kind, names):
    for name in names.split("|"):
        assert read_name(name).kind == kind, name


def write_sheets(path, sheets):
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        for name, rows in sheets.items():
            pd.DataFrame(rows).to_excel(writer, sheet_name=name, index=False, header=False)
    return path


def test_workbooks(w, density, tmp_path):
    points = [[x, y] for x, y in zip(FINE, density(FINE), strict=True)]
    only = write_sheets(tmp_path / "a.xlsx", {"Tabelle1": [["Sample A", None], [None, None], ["log M", "RI"], *points]})
    both = write_sheets(
        tmp_path / "b.xlsx", {"A": points, "B": [["M", "w(M)"], *([10**x, y / 10**x] for x, y in points)]}
    )
    for curve in (read_curve(only), read_curve(both), read_curve(both, sheet="B")):
        assert apart(curve.w, w) < 2e-4
    assert read_curve(both).notes[1:] == ("sheet 'A' is read, the first of 'A', 'B'",)
    assert len(read_curve(both, sheet="A").notes) == 1
    with pytest.raises(InputError, match=r"b\.xlsx has no sheet 'C'; it has 'A', 'B'"):
        read_curve(both, sheet="C")
    points[4][1] = "abc"
    spoilt = write_sheets(tmp_path / "c.xlsx", {"Tabelle1": [[None, None], ["log M", "RI"], *points]})
    with pytest.raises(InputError, match=r"c\.xlsx, sheet 'Tabelle1', row 7, column 'RI' holds 'abc'; needs"):
        read_curve(spoilt)


@given(st.lists(st.tuples(st.floats(0.05, 8.0), st.floats(0, 1)), min_size=10, max_size=60, unique_by=lambda p: p[0]))
def test_the_area_of_any_curve_is_kept(points):
    x, y = np.array(sorted(points)).T
    assume(y.max() > 1e-3 and np.diff(x).min() > 1e-6)
    lowest, highest = ((np.diff(x) * each(y[1:], y[:-1])).sum() for each in (np.minimum, np.maximum))
    assert lowest - 1e-9 <= resample(x, y).sum() * STEP <= highest + 1e-9
    assert (resample(x, y) >= 0).all()
    curve = curve_of(text_of(x, y, form="{};{}"), "here", baseline="none")
    assert curve.w.sum() * STEP == pytest.approx(1)
    assert curve.Mn <= curve.Mw * (1 + 1e-9)


X = np.linspace(3, 6, 31)
Y = np.exp(-(((X - 4.5) / 0.3) ** 2))


def test_small_negative_values_are_set_to_zero_and_told(w):
    y = Y.copy()
    y[[2, 3]] = -0.01, -0.004
    curve = curve_of(text_of(X, y), "here")
    assert (curve.raw >= 0).all()
    assert curve.notes[1:] == ("2 values below zero, by at most 1.00% of the peak, are set to zero",)


def test_a_linear_baseline_gives_the_curve_without_the_drift():
    drift = 0.4 - 0.1 * (X - 3)
    clean = curve_of(text_of(X, Y), "here")
    curve = curve_of(text_of(X, 5 * (Y + drift), "log M;RI"), "here", baseline="linear")
    assert apart(curve.w, clean.w) < 1e-4
    assert curve.Mw == pytest.approx(clean.Mw, rel=1e-3)
    assert curve.notes[1] == "a linear baseline is taken off, 0.4 and 0.1 of the peak at log10 M 3 and 6"
    with pytest.raises(InputError, match="32% and 8% of its peak, as with an offset; --baseline linear"):
        curve_of(text_of(X, Y + drift), "here")
    stated = curve_of(text_of(X, Y + drift), "here", baseline="none")
    assert "with 32% of its peak: cut off there; baseline linear" in stated.warnings[0]


def test_what_is_cut_off_or_lies_outside_is_told():
    cut = curve_of(text_of(X[:16], Y[:16]), "here")
    assert cut.warnings == (
        "the curve ends at log10 M 4.5 with 100% of its peak: cut off there; baseline linear takes off an offset",
    )
    x = np.linspace(3, 6, 301)
    aside = curve_of(text_of(x + 3.2, np.exp(-(((x - 4.5) / 0.3) ** 2))), "here")
    # erfc((8.04 - 7.7) / 0.3) / 2
    assert aside.notes[1:] == ("5.4% of the area lies outside of log10 M 0.04 to 8.04 and is left out",)
    assert aside.w.sum() * STEP == pytest.approx(1)


def spoilt(row, line):
    lines = text_of(X, Y).split("\n")
    lines[row - 1] = line
    return "\n".join(lines)


M = 10**X
BAD = {
    "empty": ("", "is empty; needs two columns, log10 M or M and w"),
    "only comments": ("# nothing\n\n", "is empty; needs two columns"),
    "no numbers": ("log M;w(log M)\nabc;def\n", "has no row of numbers; needs two columns, log10 M or M and w"),
    "one column": ("\n".join(["w", *map(str, Y)]), "has one column of numbers; needs two columns"),
    "text": (spoilt(12, "4.0;abc"), "row 12, column 'w(log M)' holds 'abc'; needs a finite number"),
    "text in the first row": (spoilt(2, "abc;0.5"), "row 2, column 'log M' holds 'abc'; needs a finite number"),
    "text in the first row of no header": (
        spoilt(2, "0.5;abc").partition("\n")[2],
        "row 1, column 2 holds 'abc'; needs a finite number",
    ),
    "an empty cell": (spoilt(12, "4.0;"), "row 12, column 'w(log M)' is empty; needs a finite number"),
    "NaN": (spoilt(12, "4.0;NaN"), "row 12, column 'w(log M)' holds 'NaN'; needs a finite number"),
    "infinite": (spoilt(12, "inf;0.5"), "row 12, column 'log M' holds 'inf'; needs a finite number"),
    "too large": (spoilt(12, "4.0;1e999"), "row 12, column 'w(log M)' holds '1e999'; needs a finite number"),
    "commas and points": (spoilt(12, "4,0;0.5"), "row 12 holds '4,0' and '0.5': decimal commas and points; needs one"),
    "thousands": (spoilt(12, "1,234.5;0.5"), "row 12, column 'log M' holds 1234.5; that cannot be log10 M"),
    "commas for both": (
        "\n".join(f"4,{k:02d},0,{k:02d}" for k in range(1, 20)),
        "columns of numbers 1, 2, 3, 4; needs just two, or names such as 'log M' and 'w(log M)', or --x and --y; "
        "with decimal commas, set columns apart by semicolons",
    ),
    "all zero": (text_of(X, 0 * Y), "the ordinate is nowhere above zero; needs w or a signal with a peak upwards"),
    "upside down": (text_of(X, -Y), "the ordinate is nowhere above zero"),
    "negative": (
        spoilt(5, "3.3;-0.15"),
        "row 5: the ordinate holds -0.15, 15% of the peak below zero; baseline linear takes off a drift; up to 2%",
    ),
    "nine points": (text_of(X[:9], Y[:9]), "has 9 points; a curve needs 10 or more"),
    "twice": (spoilt(12, "3.5;0.5"), "log10 M 3.5 stands there twice, rows 7 and 12; leave one of them"),
    "M twice": (text_of([*M, M[3]], [*Y, 0.1], "M;w"), "M 1995.26 stands there twice, rows 5 and 33; leave one"),
    "outside": (
        text_of(X + 6, Y),
        "the curve, log10 M 9 to 12, lies outside of log10 M 0.04 to 8.04; is the unit right?",
    ),
    "kg/mol": (
        text_of(M / 1e3, Y, "M;w"),
        "column 'M' holds M from 1 to 1000, with a mean of 35.6, which looks like kg/mol: give unit kg/mol (or "
        "name the column 'M (g/mol)', or 'log M' if it is that)",
    ),
    "M zero": (text_of([*M, 0], [*Y, 0], "M;w"), "row 33, column 'M' holds 0; M has to be more than 0"),
    "M below zero": (text_of([-5, *M], [0, *Y], "M;w"), "row 2, column 'M' holds -5; M has to be more than 0"),
    "M called log M": (text_of(M, Y), "row 2, column 'log M' holds 1000; that cannot be log10 M"),
    "three columns": (
        "\n".join(f"{x};{y};{y}" for x, y in zip(X, Y, strict=True)),
        "which column is log10 M or M and which w or a signal? There are the columns of numbers 1, 2, 3; needs just",
    ),
    "two samples": (
        "log M;A;B\n" + "\n".join(f"{x};{y};{y}" for x, y in zip(X, Y, strict=True)),
        "holds 2 curves: 'A', 'B'; --sample names one",
    ),
    "two signals": (
        "log M;RI;Signal\n" + "\n".join(f"{x};{y};{y}" for x, y in zip(X, Y, strict=True)),
        "holds 2 curves: 'RI', 'Signal'; --sample names one",
    ),
    "before the calibration": (
        text_of(X + 10, Y, "Elution volume (mL);RI"),
        "column 'Elution volume (mL)' is an elution volume, no molar mass: this is a chromatogram before its "
        "calibration; give --calibration FILE",
    ),
    "a second curve below": (text_of(X, Y) + "\n" + text_of(X, Y), "holds 2 curves: 'curve 1', 'curve 2'; --sample"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused(tmp_path, case):
    text, said = BAD[case]
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(said)) as error:
        read_curve(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=re.escape(f"standard input{str(error.value).removeprefix(str(path))}")):
        curve_of(text, "standard input")
    assert looks_like_curve(path)


def test_a_low_molar_mass_is_taken_where_the_unit_stands():
    curve = curve_of(text_of(10 ** (X - 2), Y, "M (g/mol);RI"), "here")
    assert 100 < curve.Mn < curve.Mw < 1000
    with pytest.raises(InputError, match=r"column 'M \(g/mol\)' is in g/mol by its name, so unit kg/mol cannot be"):
        curve_of(text_of(M, Y, "M (g/mol);RI"), "here", unit="kg/mol")


@pytest.mark.parametrize("option", ["signal", "unit", "baseline"])
def test_options_that_are_not_known(option):
    with pytest.raises(InputError, match=f"no {option} 'other'; known: "):
        curve_of(text_of(X, Y), "here", **{option: "other"})


@pytest.mark.parametrize("suffix", [".xlsx", ".txt", ".csv"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe no text", b"PK\x03\x04 broken", b"\xff\xfeodd", b'"' * 200_000]
)
def test_a_file_that_is_no_curve_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(path))) as error:
        read_curve(path)
    assert "\n" not in str(error.value)
    assert looks_like_curve(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_text_with_tabs_that_is_called_xls_is_text(density, w, tmp_path, encoding):
    path = tmp_path / "curve.xls"
    path.write_text(text_of(FINE, density(FINE), "log M\tw(log M)", "{:.6f}\t{:.6g}"), encoding=encoding)
    assert apart(read_curve(path).w, w) < 0.01


@pytest.mark.parametrize("start", ["<html><table>", "\n<!DOCTYPE html>\n", "<?xml version='1.0'?>\n"])
@pytest.mark.parametrize("suffix", [".xls", ".csv"])
def test_a_web_page_is_called_one(tmp_path, suffix, start):
    (tmp_path / f"curve{suffix}").write_text(f"{start}<tr><td>3.1</td><td>0.2</td></tr>")
    with pytest.raises(InputError, match=r"holds HTML or XML, no columns; open it in a spreadsheet program"):
        read_curve(tmp_path / f"curve{suffix}")


def test_two_decimal_signs_in_two_columns_are_said(density):
    text = text_of(FINE, density(FINE), form="{:.3f}").splitlines()
    mixed = [f"{line.replace('.', ',')};{y:.5f}" for line, y in zip(text[1:], density(FINE), strict=True)]
    with pytest.raises(InputError, match=r"row 2 holds '1,003' and '0.00000': decimal commas and points"):
        curve_of("\n".join(["log M;w(log M)", *mixed]), "file")


@pytest.mark.parametrize("mark", [".", ","])
def test_three_decimals_of_a_molar_mass_in_kg_are_no_thousands(density, w, mark):
    text = text_of(10 ** (FINE - 3), density(FINE), "M;w(log M)", "{:.3f};{:.3f}").replace(".", mark)
    assert apart(curve_of(text, "file", unit="kg/mol").w, w) < 0.03
    with pytest.raises(InputError, match="looks like kg/mol"):
        curve_of(text, "file")


@pytest.mark.parametrize(("x", "said"), [("溶出時間（分）", "an elution time"), ("溶出体積", "an elution volume")])
def test_a_chromatogram_with_japanese_names_is_told(density, x, said):
    with pytest.raises(InputError, match=f"column '{x}' is {said}, no molar mass"):
        curve_of(text_of(22 - 3 * FINE, density(FINE), f"{x};強度"), "file")


def test_files_and_sheets_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_curve(tmp_path / "a.csv")
    assert looks_like_curve(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(text_of(X, Y))
    with pytest.raises(InputError, match=r"has no sheets; only a workbook \(\.xlsx, \.xls, \.ods\) has"):
        read_curve(tmp_path / "a.csv", sheet="A")
    with pytest.raises(InputError, match="is empty"):
        read_curve(write_sheets(tmp_path / "a.xlsx", {"A": []}))


@pytest.mark.parametrize("suffix", [".xlsx", ".csv", ".npz"])
def test_a_table_is_no_curve(small, tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write_table(small.head(3), path)
    assert not looks_like_curve(path)


@pytest.mark.parametrize(
    ("header", "curve"),
    {
        "temp,Mn,Mw": False,
        "sample,Mw,time": False,
        "time": False,
        "Mn;Mw": False,
        "log M,w(log M),Mn,Mw": True,
        "Mw,w(M)": True,
        "time,log M,RI": True,
        "a,b": True,
    }.items(),
)
def test_a_table_is_told_by_its_columns(header, curve):
    separator = ";" if ";" in header else ","
    cells = separator.join("1234"[: header.count(separator) + 1])
    assert is_curve(f"{header}\n{cells}\n") == curve


def test_reading_a_curve_is_quick_to_start():
    code = "import polyinv.data.measured, sys; sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("far", [1e308, -1.7e308, np.inf])
def test_elutions_that_nothing_has_divide_no_signal(far):
    log_m = np.linspace(3.0, 6.0, 40)
    w = np.exp(-((log_m - 4.5) ** 2))
    volumes = 20 - 2 * log_m - 0.1 * log_m**2
    rows = list(range(40))
    divided = []
    for cells in (volumes.tolist(), [*volumes[:-2], far, -1.7e308]):
        run_of_points = SimpleNamespace(cells=[f"{cell:.17g}" for cell in cells], label="volume")
        source = SimpleNamespace(run=run_of_points, block=SimpleNamespace(rows=rows))
        divided.append(over_slope(source, SimpleNamespace(rows=rows, decimal="."), log_m, w))
    assert "divided by the slope" in divided[0][1][0]
    assert divided[1] == (w, [])
