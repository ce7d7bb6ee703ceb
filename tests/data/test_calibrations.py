"""Calibrations as people write them: standards, polynomials of any order, Mark-Houwink parameters, several sheets."""

import numpy as np
import pytest
from openpyxl import Workbook

from polyinv.data.files.calibration import read_calibration
from polyinv.data.measured import read_curve, read_curves
from polyinv.errors import InputError

V = np.linspace(10, 22, 601)
STANDARDS = np.linspace(11, 21, 12)
CURVED = np.array([4.6 + 0.4 * 16, -0.4]), 2e-4
"""log M = 11 - 0.4 V - 2e-4 (V - 16)³."""


def log_m(v):
    (a, b), c = CURVED
    return a + b * v - c * (v - 16) ** 3


def coefficients():
    (a, b), c = CURVED
    return np.polynomial.polynomial.polyadd([a, b], -c * np.polynomial.polynomial.polyfromroots([16, 16, 16]))


W = np.exp(-(((log_m(V) - 4.6) / 0.28) ** 2) / 2)
SIGNAL = W * np.abs(0.4 + 3 * CURVED[1] * (V - 16) ** 2)
SPREAD = np.exp((0.28 * np.log(10)) ** 2 / 2)
RIGHT = pytest.approx([10**4.6 / SPREAD, 10**4.6 * SPREAD], rel=0.01)


@pytest.fixture
def calibrated(tmp_path):
    def means(calibration, header="Volume (mL);RI", v=V, **options):
        rows = [f"{a:.5f};{b:.6g}" for a, b in zip(v, SIGNAL, strict=True)]
        (tmp_path / "run.csv").write_text("\n".join([*filter(None, [header]), *rows]))
        if isinstance(calibration, str):
            (tmp_path / "cal.csv").write_text(calibration)
            calibration = tmp_path / "cal.csv"
        curve = read_curve(tmp_path / "run.csv", calibration=calibration, **options)
        return [curve.Mn, curve.Mw], curve.warnings

    return means


def table(mass="Mp (g/mol)", of=lambda x: 10**x, run="Volume (mL)", above=""):
    return above + "\n".join([f"{run};{mass}", *(f"{v:.5f};{of(log_m(v)):.8g}" for v in STANDARDS)])


@pytest.mark.parametrize(
    ("mass", "of"),
    [
        ("Mp (kDa)", lambda x: 10 ** (x - 3)),
        ("log M", lambda x: x),
        ("log Mp", lambda x: x),
        ("lg(Mp)", lambda x: x),
        ("Mp", lambda x: x),  # all of it between 1.5 and 8.5
        ("Mw;Mp", lambda x: 1.1 * 10**x),
    ],
)
def test_masses_of_standards_are_taken_by_their_name(calibrated, mass, of):
    text = table(mass, of)
    if mass == "Mw;Mp":  # the mass at the peak is that of the elution
        text = "\n".join(
            [text.split("\n")[0], *(f"{v:.5f};{of(log_m(v)):.8g};{10 ** log_m(v):.8g}" for v in STANDARDS)]
        )
    assert calibrated(text) == (RIGHT, ())


def test_masses_that_look_like_kilograms_are_refused(calibrated):
    with pytest.raises(InputError, match="looks like kg/mol"):
        calibrated(table("Mp", lambda x: 10 ** (x - 3)))


@pytest.mark.parametrize("form", ["below", "beside", "numbered from one"])
def test_polynomials_stand_below_or_beside_each_other(calibrated, form):
    values = [f"{each:.10g}" for each in coefficients()]
    names = {"numbered from one": ["Const.", "Coef.2", "Coef.3", "Coef.4"]}.get(form, ["a0", "a1", "a2", "a3"])
    beside = f"Volume (mL)\n{';'.join(names)}\n{';'.join(values)}"
    below = "\n".join(["elution;volume", *(f"{a};{b}" for a, b in zip(names, values, strict=True))])
    assert calibrated(beside if form == "beside" else below) == (RIGHT, ())


def test_what_a_polynomial_does_not_say_is_said(calibrated):
    means, warnings = calibrated("\n".join(f"a{k};{each:.10g}" for k, each in enumerate(coefficients())))
    assert means == RIGHT
    assert warnings == (
        "the calibration is taken to be over volume, like the signal; a line 'elution, volume' says otherwise",
    )


def test_a_signal_without_names_is_a_chromatogram_for_a_calibration(calibrated):
    assert calibrated(table(), header="") == (RIGHT, ("column 1 is taken for the elution volume",))


@pytest.mark.parametrize("order", range(3, 8))
def test_orders_are_taken_by_number_or_word(calibrated, order):
    assert calibrated(table(above=f"Fit;Polynom {order}\n"))[0] == RIGHT
    assert calibrated(table(above=f"order;{order}\n"))[0] == RIGHT


def test_units_of_mark_houwink_parameters_count(calibrated):
    lines = "K_standard (mL/g);{};\na_standard;0.7\nK_sample (dL/g);{}\na_sample;0.7\n"
    assert calibrated(table(above=lines.format(1.4e-2, 1.4e-4)))[0] == RIGHT


PAIR = "K_standard;{};\na_standard;0.7\nK_sample;{}\na_sample;0.7\n"


@pytest.mark.parametrize(
    "lines",
    [
        PAIR.format("0.0141 mL/g", "0.0122 mL/g").replace("0.7", "0.7 (THF)"),
        PAIR.format("0.0141;mL/g;THF, 25 °C", "0.000122 dL/g"),
        PAIR.format("1.41e-5 m³/kg", "1.22·10⁻⁵ L/g"),
        PAIR.format("0.0141 ± 0.0003 cm³/g", "0.0122 mL g⁻¹ (THF/DMF)"),
        PAIR.replace("K_sample", "K_sample (10^-3 mL/g)").format("0.0141", "12.2"),
        "K_standard = 0.0141\na (PS): 0.7\nK_sample; mL/g; 0.0122\nα_sample;0.7\n",
        "K_standard;0.0141;a_standard;0.7;K_sample;0.0122;a_sample;0.7\n",
    ],
)
def test_units_and_remarks_behind_a_number_are_understood(calibrated, lines):
    """They were dropped with their line, and the answer was that of a file without it."""
    plain, moved = calibrated(table())[0], calibrated(table(above=lines))[0]
    assert np.divide(moved, plain) == pytest.approx((0.0141 / 0.0122) ** (1 / 1.7), rel=1e-3)


def test_constants_far_apart_are_asked_about(calibrated):
    (warning,) = calibrated(table(above=PAIR.format("0.0141", "0.00035")))[1]
    assert "40.3 times the intrinsic viscosity of the sample" in warning


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("flow maker;24.0", "row 1: 'flow maker, 24.0' is no line of a calibration; known: flow marker,"),
        ("flow marker sampel: 24.1", "is no line of a calibration"),
        ("K (PBA);0.0122", "is no line of a calibration; known: K_sample"),
        ("foo;12", "is no line of a calibration"),
        ("15.2;740000 g/mol", "is no line of a calibration"),
        ("K_standard;0.0141 g/mL", "is not understood; needs an intrinsic viscosity in mL/g"),
        ("K_standard;0", "is 0; needs an intrinsic viscosity"),
        ("K_standard;-0.0141", "is -0.0141; needs"),
        ("a_sample;-1", "is -1; needs a number from 0 to 2"),
        ("a_sample;70 %", "is not understood; needs a number from 0 to 2"),
        ("flow;0", "is 0; needs a flow in mL/min"),
        ("flow;1e400", "is inf; needs a flow in mL/min"),
        ("flow;1.0 m/min", "is not understood; needs a flow"),
        ("flow marker sample;0", "is 0; needs an elution"),
        ("order;1e400", "is inf; needs a whole number from 1 to 7"),
        ("order;1.5", "is 1.5; needs a whole number from 1 to 7"),
        ("order;8", "is 8; needs a whole number from 1 to 7"),
        ("order;nan", "is not understood; needs a whole number from 1 to 7"),
        ("Fit;spline", "is not understood; needs a whole number from 1 to 7"),
        ("order;1\norder;2", "says order a second time, after 1"),
        ("elution;evil", "needs 'elution, volume' or 'elution, time'"),
        ("elution;time", "says 'elution, time', and its standards have the volume"),
        ("a1;-0.4", "lack a0"),
        ("a99;0", "beyond the polynomials"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused(calibrated, lines, says):
    """Each was ignored, or ended in a fault."""
    with pytest.raises(InputError) as error:
        calibrated(table(above=f"{lines}\n"))
    assert says in str(error.value)


@pytest.mark.parametrize(
    "lines",
    [
        "Date;12.03.2024\nTemperature;35 °C\nInjection volume (µL);100\nColumn;PLgel 5 µm",
        "Curve fit;3\nR²;0.9999\nNumber of standards;12\nStandard error of Y;0.0013",
        "Calibration 2024\nMade by A. B. C.;3 replicates each",
        "K_standard;;\nflow;-\norder;",
        "# flow maker;24.0\n# order;5 was tried",
        "15.2;excluded",
    ],
)
def test_what_instruments_and_people_write_above_standards_is_passed_over(calibrated, lines):
    assert calibrated(table(above=f"{lines}\n")) == (RIGHT, ())


@pytest.mark.parametrize(
    ("written", "value"), [("flow;0.5 mL/min", 0.5), ("Flow rate (µL/min): 500", 0.5), ("flow;30 mL/h", 0.5)]
)
def test_flows_have_units(calibrated, written, value):
    assert calibrated(table(above=f"{written}\n"), header="Time (min);RI", v=V / value)[0] == RIGHT


def test_a_second_number_in_a_line_is_asked_about(calibrated):
    with pytest.raises(InputError, match="'flow, 1, 5' has two numbers; with decimal commas"):
        calibrated(table().replace(";", ",") + "\nflow,1,5")
    assert calibrated(table().replace(";", ",") + "\nflow,1,0")[0] == RIGHT


def test_a_polynomial_beside_standards_is_said_to_win(calibrated):
    assert calibrated(table(above="a0;11.0\na1;-0.4\n"))[1] == ()
    assert (
        "12 standards; the coefficients are used, 1 decades off;" in calibrated(table(above="a0;12.0\na1;-0.4\n"))[1][0]
    )


@pytest.mark.parametrize(
    "lines", ["a0;1e308\na1;-1e308", "a0;12\na1;evil", "a0;12\na0;10\na1;-0.4", "a0;12\na2;0.1", "a0;nan\na1;-1"]
)
def test_coefficients_have_to_be_numbers(calibrated, lines):
    with pytest.raises(InputError, match=r"needs a number up to|says a0 a second time|lack a1"):
        calibrated(lines)


def test_lines_stand_beside_standards_or_are_missed(calibrated, tmp_path):
    lines = [["K_standard", "0.0141 mL/g"], ["a_standard", 0.7], ["K_sample", 0.0122], ["a_sample", 0.7]]
    rows = [[float(v), float(10 ** log_m(v))] for v in STANDARDS]
    beside, apart = Workbook(), Workbook()
    for book in (beside, apart):
        book.active.append(["Volume (mL)", "Mp (g/mol)"])
        for k, row in enumerate(rows):
            book.active.append([*row, "", *lines[k]] if book is beside and k < 4 else row)
    page = apart.create_sheet("constants")
    for line in lines:
        page.append(line)
    beside.save(tmp_path / "beside.xlsx")
    apart.save(tmp_path / "apart.xlsx")
    plain = calibrated(table())[0]
    moved = calibrated(tmp_path / "beside.xlsx")[0]
    assert np.divide(moved, plain) == pytest.approx((0.0141 / 0.0122) ** (1 / 1.7), rel=1e-3)
    (warning,) = calibrated(tmp_path / "apart.xlsx")[1]
    assert "sheet 'constants': its lines K_standard, a_standard, K_sample, a_sample have no effect" in warning


def test_half_a_flow_marker_is_refused(calibrated):
    with pytest.raises(InputError, match="needs two lines, 'flow marker' and 'flow marker sample'"):
        calibrated(table(above="flow marker;24.0\n"))


def test_standards_may_stand_on_any_sheet(calibrated, tmp_path):
    book = Workbook()
    book.active.append(["made by hand"])
    page = book.create_sheet("standards")
    page.append(["Volume (mL)", "Mp (g/mol)"])
    for v in STANDARDS:
        page.append([float(v), float(10 ** log_m(v))])
    book.save(tmp_path / "cal.xlsx")
    assert calibrated(tmp_path / "cal.xlsx") == (RIGHT, ())


def test_an_offset_of_a_chromatogram_is_refused_in_the_words_of_a_curve(calibrated, monkeypatch):
    monkeypatch.setitem(globals(), "SIGNAL", SIGNAL + 0.2)
    with pytest.raises(InputError, match="of its peak, as with an offset; --baseline linear"):
        calibrated(table())
    assert calibrated(table(), baseline="linear")[0] == RIGHT


def test_chromatograms_below_each_other_are_read_all(tmp_path):
    """With a calibration only the longest was read, without a word on the others."""
    shifted = np.interp(V + 0.5, V, SIGNAL)
    runs = {"A": SIGNAL, "B": shifted}
    head = "Volume (mL)\tRI (mV)"
    parts = [[f"Sample: {name}", head, *map("{:.5f}\t{:.6g}".format, V, y), ""] for name, y in runs.items()]
    (tmp_path / "runs.txt").write_text("\n".join(line for part in parts for line in part))
    (tmp_path / "cal.csv").write_text(table())
    first, second = read_curves(tmp_path / "runs.txt", calibration=tmp_path / "cal.csv")
    assert [first.sample, second.sample] == ["A", "B"]
    assert [first.Mn, first.Mw] == RIGHT
    assert second.Mn > 1.3 * first.Mn


def test_chromatograms_in_a_long_table_are_read_all(tmp_path):
    rows = [f"{name};{v:.5f};{y:.6g}" for name in ("A", "B") for v, y in zip(V, SIGNAL, strict=True)]
    (tmp_path / "runs.csv").write_text("\n".join(["Sample;Volume (mL);RI", *rows]))
    (tmp_path / "cal.csv").write_text(table())
    curves = read_curves(tmp_path / "runs.csv", calibration=tmp_path / "cal.csv")
    assert [curve.sample for curve in curves] == ["A", "B"]
    assert [curves[1].Mn, curves[1].Mw] == RIGHT


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("Use", ("yes", "no")),
        ("used?", ("TRUE", "FALSE")),
        ("In fit", ("1", "0")),
        ("Aktiv", ("x", "")),
        ("Use", ("✓", "✗")),
        ("Verwendet", ("ja", "nein")),
        ("Use", ("yes", "excluded")),
        ("Excluded", ("", "x")),
        ("Outlier", ("no", "yes")),
        ("Remark", ("", "not used")),
        ("", ("ok", "Ausreißer")),
    ],
)
def test_a_standard_that_is_marked_as_not_used_is_left_out(tmp_path, name, marks):
    lines = [f"{v:.5f};{10 ** log_m(v):.8g};{marks[0]}" for v in STANDARDS]
    (tmp_path / "cal.csv").write_text("\n".join([f"Volume (mL);Mp (g/mol);{name}", *lines, f"15.2;1200;{marks[1]}"]))
    found = read_calibration(tmp_path / "cal.csv")
    assert found.log_m(STANDARDS) == pytest.approx(log_m(STANDARDS), abs=1e-3)
    assert any("1 of 13 standards is marked as not used" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "marks", "said"),
    [("Use", ("yes", "perhaps"), "row 14, column 'Use' holds 'perhaps'"), ("Flag", ("y", "n"), "call it 'Use'")],
)
def test_marks_that_are_not_clear_are_refused(calibrated, name, marks, said):
    lines = [f"{v:.5f};{10 ** log_m(v):.8g};{marks[0]}" for v in STANDARDS]
    with pytest.raises(InputError, match=said):
        calibrated("\n".join([f"Volume (mL);Mp (g/mol);{name}", *lines, f"15.2;1200;{marks[1]}"]))


@pytest.mark.parametrize(("name", "cells"), [("Remark", "PS {}"), ("No.", "{}"), ("Use", ""), ("Peak", "1")])
def test_other_columns_beside_standards_are_no_marks(calibrated, name, cells):
    lines = [f"{v:.5f};{10 ** log_m(v):.8g};{cells.format(k)}" for k, v in enumerate(STANDARDS)]
    assert calibrated("\n".join([f"Volume (mL);Mp (g/mol);{name}", *lines]))[0] == RIGHT


def test_a_standard_far_off_the_others_is_named(calibrated):
    assert "row 14 (15.2, M 5e+04) lies farthest" in calibrated(table() + "\n15.2;50000")[1][0]
    with pytest.raises(InputError, match=r"row 14 .* lies farthest"):
        calibrated(table() + "\n15.2;1000")


def test_an_average_that_is_taken_for_the_mass_of_standards_is_said(calibrated):
    rows = [f"{v:.5f};{10 ** log_m(v) / 1.02:.8g};{10 ** log_m(v):.8g}" for v in STANDARDS]
    means, warnings = calibrated("\n".join(["Volume (mL);Mn (g/mol);Mw (g/mol)", *rows]))
    assert means == RIGHT
    assert "'Mw (g/mol)' is taken" in warnings[0]


@pytest.mark.parametrize(("k", "a"), [("0.7", "0.0141"), ("0.0141", "1.7"), ("14.1", "0.7"), ("0.0141", "0.3")])
def test_mark_houwink_parameters_of_no_flexible_chain_are_doubted(calibrated, k, a):
    lines = [f"K_standard,{k}", f"a_standard,{a}", f"K_sample,{k}", f"a_sample,{a}"]
    standard, sample = calibrated("\n".join([table().replace(";", ","), *lines]))[1]
    assert f"a_standard {float(a):.4g}" in standard
    assert f"a_sample {float(a):.4g}" in sample


def test_a_standard_off_the_others_is_named_before_a_fit_that_does_not_fall(calibrated):
    with pytest.raises(InputError, match=r"row 14 .* lies farthest"):
        calibrated(table() + "\n11.2;100")
