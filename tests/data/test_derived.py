"""Columns that are computed from a quantity are not taken for it: 1-X, √t, ΔT, Mn², log([η]M), cumulative curves."""

import numpy as np
import pytest

from polyinv.chemistry import load_system
from polyinv.data.files.derived import sign_in
from polyinv.data.files.names import average_of, is_conversion, read_name
from polyinv.data.files.tables import meaning
from polyinv.data.measured import curve_of, read_curve
from polyinv.errors import InputError
from polyinv.predict.rows import read_rows

X = np.linspace(3, 6, 61)
Y = np.exp(-(((X - 4.5) / 0.3) ** 2))


def text(header, y=Y, x=X):
    return "\n".join([header, *(f"{a:.6g};{b:.6g}" for a, b in zip(x, y, strict=True))])


@pytest.fixture
def read(tmp_path):
    def table(names, row):
        (tmp_path / "results.csv").write_text(f"{names}\n{row}\n")
        return read_rows(tmp_path / "results.csv")[0].to_table().iloc[0].dropna()

    return table


@pytest.mark.parametrize(
    "name",
    [
        *("dw/dlogM", "dW/d(log M)", "∂w/∂log M", "Δw/Δlog M", "w(log M)", "W(lg M)", "w(M) / (mol/g)", "Mw/Mn", "Đ"),
        *("M / g mol⁻¹", "log(M / g·mol⁻¹)", "Mn (10³ g/mol)", "Mn × 10⁻³ (g/mol)", "Mn - (Daltons)", "T / °C", "t/s"),
        *("c(AIBN)_0 (mol dm⁻³)", "[BA]0", "[M]₀", "conv. (%)", "M̄n", "Mn^a (g/mol)", "Mn¹ (g/mol)", "X*", "T₀"),
    ],
)
def test_an_ordinary_name_has_no_sign(name):
    assert sign_in(name) is None


@pytest.mark.parametrize("name", ["RI (V·s)", "IR (cm⁻¹)", "ΔRI", "UV-254", "RI (10⁻⁶ V)", "RI*"])
def test_a_signal_keeps_its_name(name):
    assert read_name(name).kind == "sec"


@pytest.mark.parametrize("name", ["1-X", "(1 − X)", "1‑conversion", "100-X (%)", "ΔX", "X²", "-X", "1+X"])
def test_what_is_computed_from_a_conversion_is_none(read, caplog, name):
    assert not is_conversion(name)
    assert "cBA_time" not in read(f"BA (M);T (°C);Mn (g/mol);Mw (g/mol);{name}", "1.5;70;40100;88200;0.4")
    assert "it is computed from the conversion, not the conversion itself" in caplog.text


@pytest.mark.parametrize(
    ("name", "column"),
    [
        *((name, "time") for name in ("√time (min)", "time^0.5 (min)", "time (min½)", "Δ time (min)", "time/2 (min)")),
        *((name, "temp") for name in ("1/temp (1/K)", "1000/temp (1/K)", "ΔTemp (°C)", "Temp² (K²)", "∂T (K)")),
        *((name, "cBA_0") for name in ("ΔBA (mol/L)", "[BA]∞ (M)", "1/BA (L/mol)", "[BA]^0.5 (M)")),
        *((name, "Mn") for name in ("σ(Mn)", "ΔMn", "1/Mn", "Mn²", "Mn⁻¹", "Mn/1000", "Mn > 1000")),
    ],
)
def test_what_is_computed_from_a_column_is_not_taken_and_said(read, caplog, name, column):
    assert meaning(name, load_system()) is None
    assert average_of(name) is None
    assert column not in read(f"Mw;D;{name}", "88200;2;70")
    assert f"column {name!r} is not used" in caplog.text
    assert f"computed from {column}, not {column} itself" in caplog.text


def test_a_standard_deviation_before_a_name_is_an_error(read):
    assert read("Mn;σ(Mn);Mw", "40100;800;88200")["Mn_error"] == 800


def test_a_retention_time_is_no_temperature(read):
    assert "temp" not in read("Mn;Mw;tR;t (min)", "40100;88200;15.3;60")


@pytest.mark.parametrize(
    "name", ["√w(log M)", "w(log M)·M", "w(log M)/M", "RI²", "-dw/dlogM", "Δ w(log M)", "w(log M)^2", "RI × M"]
)
def test_what_is_computed_from_an_ordinate_is_refused(name):
    with pytest.raises(InputError, match=r"of kind derived quantity: that is no w\(log M\)"):
        curve_of(text(f"log M;{name}"), "here")


@pytest.mark.parametrize(
    "name",
    [
        *("weight fraction > M", "w(>M)", "w(<=M)", "w(≥ log M)", "Gewichtsanteil > M", "W(<M)", "1-W(M)"),
        *("∫ w(log M)", "Σ w(log M)", "w(log M)", "RI"),
    ],
)
@pytest.mark.parametrize("step", [1, -1])
def test_cumulative_curves_are_refused(name, step):
    with pytest.raises(InputError, match=r"cumulative|derived quantity"):
        curve_of(text(f"log M;{name}", Y.cumsum()[::step] / Y.sum()), "here")


@pytest.mark.parametrize("name", ["M·w(M)", "M*dw/dM", "w(M) × M"])
def test_m_times_w_of_m_is_a_distribution_over_log_m(name):
    curve, right = (curve_of(text(f"log M;{each}"), "here") for each in (name, "w(log M)"))
    assert curve.Mn == pytest.approx(right.Mn)


def test_a_distribution_over_m_may_fall():
    M = np.linspace(1e4, 4e5, 200)
    assert curve_of(text("M (g/mol);n(M)", np.exp(-M / 4e4), M), "here").Mn > 1e4


@pytest.mark.parametrize(
    "name", ["log([η]M)", "log M·[η]", "lg([η]·Mp)", "log Vh", "log IV*M", "log hydrodynamic volume"]
)
def test_a_hydrodynamic_volume_is_no_molar_mass(tmp_path, name):
    with pytest.raises(InputError, match="hydrodynamic volume"):
        curve_of(text(f"{name};w(log M)"), "here")
    (tmp_path / "run.csv").write_text(text("Volume (mL);RI", x=X + 10))
    (tmp_path / "standards.csv").write_text(text(f"Volume (mL);{name}", 12 - X[::10], X[::10] + 10))
    with pytest.raises(InputError, match="is a hydrodynamic volume, neither M nor an elution"):
        read_curve(tmp_path / "run.csv", calibration=tmp_path / "standards.csv")


@pytest.mark.parametrize("names", ["Volume-V0 (mL);Mp (g/mol)", "ΔV (mL);Mp (g/mol)", "Volume (mL);Mp² (g/mol)"])
def test_standards_are_not_computed(tmp_path, names):
    (tmp_path / "run.csv").write_text(text("Volume (mL);RI", x=X + 10))
    (tmp_path / "standards.csv").write_text(text(names, 10 ** (12 - X[::10]), X[::10] + 10))
    with pytest.raises(InputError, match="is a derived quantity, neither M nor an elution"):
        read_curve(tmp_path / "run.csv", calibration=tmp_path / "standards.csv")


@pytest.mark.parametrize(
    "name",
    ["time (s x 10^3)", "time × 10⁻³ (s)", "10³ time (s)", "time x 10^3", "AIBN x 10^-3 (mol/L)", "temp x 10^2 (°C)"],
)
def test_a_power_of_ten_on_either_side_is_refused(read, name):
    with pytest.raises(InputError, match=r"has a power of ten, .*; write plain numbers"):
        read(f"Mn;Mw;{name}", "40100;88200;3.6")


@pytest.mark.parametrize(("name", "value"), [("time (10^3 s)", 3600), ("AIBN (×10⁻³ mol/L)", 0.0036)])
def test_a_power_of_ten_before_a_unit_belongs_to_it(read, name, value):
    assert read(f"Mn;Mw;{name}", "40100;88200;3.6").drop(["Mn", "Mw"]).tolist() == pytest.approx([value])


def test_a_conversion_of_another_monomer_is_none(read, caplog):
    assert "cBA_time" not in read("BA (M);T (°C);Mn;Mw;conversion MMA", "1.5;70;40100;88200;0.4")
    assert "column 'conversion MMA' is not used: it is of MMA, and the monomer is BA" in caplog.text


def test_a_single_row_of_unknown_names_is_said_by_its_names(read):
    with pytest.raises(InputError, match=r"has 1 points; .*, but has 'sample', 'Mn\^a'"):
        read("sample;Mn^a;Mw^a", "7;40100;88200")
