"""What instruments write beside a curve, and what else they write: names, blocks and spectra."""

import numpy as np
import pytest
from openpyxl import Workbook

from polyinv.data.files.units import unit_of
from polyinv.data.measured import curves_of, read_curves
from polyinv.errors import InputError
from polyinv.predict.rows import read_rows

X = np.linspace(3, 6.4, 171)
W = np.exp(-(((X - 4.4) / 0.3) ** 2)) + 0.3 * np.exp(-(((X - 5.1) / 0.2) ** 2))


def means(x=X, w=W):
    whole = np.trapezoid(w, x)
    return [whole / np.trapezoid(w * 10**-x, x), np.trapezoid(w * 10**x, x) / whole]


MN, MW = means()


def text(header, *columns, separator=";"):
    rows = (separator.join(f"{each:.6g}" for each in row) for row in zip(*columns, strict=True))
    return "\n".join([header, *rows])


def found(written, **options):
    return [[each.Mn, each.Mw] for each in curves_of(written, "export", **options)]


RIGHT = [pytest.approx([MN, MW], rel=0.01)]


def test_blanks_within_cells_do_not_part_columns(tmp_path):
    names = "Peak\tMp (g/mol)\tMn (g/mol)\tMw (g/mol)\tPD"
    (tmp_path / "results.txt").write_text(f"Sample Name:\tPBA 3\n\n{names}\nPeak 1\t41000\t30100\t68200\t2.27\n")
    observations, _ = read_rows(tmp_path / "results.txt")
    assert observations.to_table()[["Mn", "Mw"]].to_numpy().tolist() == [[30100, 68200]]


def test_a_number_sign_may_be_the_name_of_a_column():
    rows = zip(range(len(X), 0, -1), 10 ** (X - 3), W, W, strict=True)
    lines = [f"{k}\t{m:.6g}\t{v:.6g}\t{w:.6g}" for k, m, v, w in rows]
    assert found("\n".join(["#\tM (kg/mol)\tViskosimeter\tSignal", "-\t-\t-\t-", *lines])) == RIGHT


def test_a_number_sign_before_names_set_apart_by_blanks_may_be_one_of_them():
    rows = [f"{k} {w * 10**-x:.6g} {10**x:.6g} {w:.6g}" for k, (x, w) in enumerate(zip(X, W, strict=True))]
    assert found("\n".join(["# n(log M) Molmasse [g/mol] IV - DP", *rows])) == RIGHT


def test_numbers_below_an_empty_row_of_another_width_are_a_block_of_their_own():
    below = "\n".join(f"{10**x:.6g},{w:.6g}" for x, w in zip(X, W, strict=True))
    assert found(f"Mn,Mw,PDI\n{MN:.0f},{MW:.0f},2\n\n\n{below}") == RIGHT


def test_a_column_mw_beside_a_distribution_is_an_axis():
    assert found(text("Volume (mL);MWD;MW (Da)", 24 - 2.4 * X, W, 10**X)) == RIGHT


def test_light_scattering_is_known_in_german():
    assert found(text("ln M;Streulicht;Probe 7", X * np.log(10), W * 10**X, W)) == RIGHT


def test_a_lost_minus_sign_leaves_the_unit():
    assert unit_of("g mol?1").name == "g/mol"


@pytest.mark.parametrize(
    "names",
    ["cm-1;Absorbance", "Wavenumber (1/cm);Signal", "m/z;Intensity", "Frequency (Hz);Signal", "2theta (deg);Intensity",
     "Chemical shift (ppm);Intensity", "Wellenzahl;Signal", "Temperature (°C);Heat flow (mW)"],
)  # fmt: skip
def test_a_spectrum_is_no_distribution(names):
    with pytest.raises(InputError, match="which column is log10 M or M"):
        curves_of(text(names, np.linspace(400, 4000, len(X)), W), "spectrum")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("##XYPOINTS=(XY..XY)\n1000, 0.1\n2000", "line 6: 2000 is an x without its y; is the file cut off"),
        ("##XYPOINTS=(XY..XY)\n1000, 0.1\n2000, 0.e", "line 6: '0.e' is no number"),
        ("##XYDATA=(X++(Y..Y))\n1000 1 2 3", "lacks the step of x; a line ##LASTX= or ##DELTAX= states it"),
        ("##DELTAX=some\n##XYDATA=(X++(Y..Y))\n1000 1 2 3", "##DELTAX= is 'some'; needs a number"),
        ("##DELTAX=1\n##XYDATA=(X++(Y..Y))\nabc", "line 6 does not begin with an x"),
        ("##DELTAX=1\n##XYDATA=(X++(Y..Y))\n1000J", "line 6: 'J' goes on from an ordinate that is not there"),
        ("##DELTAX=1\n##XYDATA=(X++(Y..Y))\n1000A1S99999999", "an ordinate is repeated"),
        ("##DELTAX=1\n##XYDATA=(X++(Y..Y))", "has no ordinates"),
        ("##XFACTOR=x\n##XYPOINTS=(XY..XY)\n1000, 0.1", "##XFACTOR= is 'x'; needs a number"),
    ],
)
def test_jcamp_that_is_cut_off_says_what_it_lacks(lines, says):
    with pytest.raises(InputError) as error:
        curves_of(f"##TITLE=x\n##JCAMP-DX=5.00\n##XUNITS=G/MOL\n{lines}", "a.jdx")
    assert says in str(error.value)


def test_a_spectrum_in_jcamp_is_refused_by_its_data_type():
    head = "##TITLE=x\n##JCAMP-DX=4.24\n##DATA TYPE=INFRARED SPECTRUM\n##XUNITS=G/MOL\n##XYPOINTS=(XY..XY)"
    with pytest.raises(InputError, match="of the data type INFRARED SPECTRUM"):
        curves_of(text(head, 10**X, W, separator=", ") + "\n##END=", "spectrum")


def test_blocks_of_several_detectors_are_a_row_each():
    blocks = [f"MWD {name}start :\n" + text(f"Molar mass\t{name}", 10**X, w, separator="\t") for name, w in
              (("RID", W), ("UV", W[::-1]))]  # fmt: skip
    assert found("\n\n".join(blocks)) == [*RIGHT, pytest.approx(means(X, W[::-1]), rel=0.01)]


def test_samples_below_each_other_may_be_called_by_numbers():
    rows = [f"{k},{x:.3f},{w:.6g}" for k, each in ((1, W), (2, W[::-1])) for x, w in zip(X, each, strict=True)]
    curves = curves_of("\n".join(["sample,log M,w(log M)", *rows]), "export")
    assert [each.sample for each in curves] == ["1", "2"]


def test_samples_in_rows_are_turned():
    lines = [f"{name}," + ",".join(f"{v:.6g}" for v in each) for name, each in (("log M", X), ("A", W), ("B", W[::-1]))]
    assert [each.sample for each in curves_of("\n".join(lines), "export")] == ["A", "B"]


@pytest.fixture
def workbook(tmp_path):
    def written(**sheets):
        book = Workbook()
        book.remove(book.active)
        for name, (header, columns) in sheets.items():
            page = book.create_sheet(name)
            for row in [header, *np.column_stack(columns).tolist()]:
                page.append(row)
        book.save(tmp_path / "book.xlsx")
        return tmp_path / "book.xlsx"

    return written


def test_sheets_with_the_same_columns_are_a_row_each(workbook):
    names = ["log M", "w(log M)"]
    curves = read_curves(workbook(A=(names, [X, W]), B=(names, [X, W[::-1]])))
    assert [each.sample for each in curves] == ["A", "B"]
    assert [curves[0].Mn, curves[0].Mw] == RIGHT[0]


def test_a_sheet_with_other_columns_is_passed_over_with_a_warning(workbook):
    (curve,) = read_curves(workbook(A=(["log M", "w(log M)"], [X, W]), B=(["M", "w(M)"], [10**X, W / 10**X])))
    assert curve.warnings == ("curves with other columns stand in 'B'; --sheet names one",)


def test_shares_of_uneven_slices_are_divided_by_their_width():
    m = np.linspace(1e3, 2e6, 4000)
    w = np.interp(np.log10(m), X, W)
    (right,) = curves_of(text("log M;w(log M)", np.log10(m), w), "export")
    (curve,) = curves_of(text("M (g/mol);Weight fraction", m, w / m / (w / m).sum()), "export")
    assert [curve.Mn, curve.Mw] == pytest.approx([right.Mn, right.Mw], rel=0.01)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1.5 " * 50_000, "has a line of 2"),
        ("4.5\t1.0\nhello\tworld\n" * 1500, "numbers stand in 1500 parts"),
        ("\n" * 100_001, "has 100002 lines"),
        ("4.5\t1.0\n# log M\tw(log M)\n" * 20_000, "has 1 different values of log10 M"),
    ],
    ids=["one line", "many parts", "many lines", "many comments"],
)
def test_no_file_takes_long(written, said):
    with pytest.raises(InputError, match=said):
        curves_of(written, "export")


def test_noise_that_moves_a_mean_is_said():
    (curve,) = curves_of(text("log M;RI", X, W + 0.006 * np.sin(91 * X)), "export")
    assert curve.warnings[0].startswith("noise set to zero below the baseline moves Mn by -")


def test_a_point_that_is_the_whole_curve_is_said():
    (curve,) = curves_of(text("log M;w(log M)", X, np.where(np.arange(len(X)) == 70, 1e9, W)), "export")
    assert curve.warnings == ("one point, at log10 M 4.4, holds 100% of the curve: an outlier?",)


def test_a_share_below_m_is_cumulative():
    with pytest.raises(InputError, match="cumulative"):
        curves_of(text("log M;Wt% < M", X, np.cumsum(W)), "export")


def test_shares_of_the_number_are_those_of_slices():
    share = W / 10**X
    assert found(text("log M;Number fraction", X, share / share.sum())) == RIGHT
