"""What instruments write beside a curve, and what else they write: names, blocks and spectra."""

import numpy as np
import pytest

from polyinv.data.files.units import unit_of
from polyinv.data.measured import curves_of
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


def test_a_spectrum_in_jcamp_is_refused_by_its_data_type():
    head = "##TITLE=x\n##JCAMP-DX=4.24\n##DATA TYPE=INFRARED SPECTRUM\n##XUNITS=G/MOL\n##XYPOINTS=(XY..XY)"
    with pytest.raises(InputError, match="of the data type INFRARED SPECTRUM"):
        curves_of(text(head, 10**X, W, separator=", ") + "\n##END=", "spectrum")
