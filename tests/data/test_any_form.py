"""A known curve, written in any combination of forms, is read back or refused; never is something else answered."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyinv.data.measured import read_curves
from polyinv.errors import InputError

AXES = {
    "log_m": "log M|log10(M / (g/mol))|lg(M)|log Molmasse|log (masa molar)|Slice Log MW|LogM(g/mol)",
    "m": "M (g/mol)|Molar mass [g/mol]|Molmasse (g/mol)|Masa molar (g/mol)|Masse molaire (g/mol)|Mw / g mol⁻¹|M",
    "m_kg": "M (kg/mol)|Molar mass / kDa|Molmasse [kg/mol]|Masa molar (kDa)|Masse molaire (kg/mol)",
}
ORDINATES = {
    "w_log": "w(log M)|dw/dlogM|WF/dLogM|dwt/d(logM)|W(lg M)|Differential weight fraction (1/log(g/mol))",
    "w_m": "w(M)|dw/dM|Differential Weight Fraction (mol/g)|w(M) / (mol/g)",
    "n_log": "n(log M)|dn/dlogM",
    "n_m": "n(M)|dn/dM|Zahlenverteilung",
    "sec": "RI|RI (mV)|RID|Signal|Detektorsignal|Señal RI (mV)|Réponse|UV 254 nm",
}
BESIDE = {
    "index": "No.|Slice|#|Nr.",
    "time": "Retention time (min)|Zeit (min)|Tiempo de elución (min)|Temps d'élution / min|RT (mins)",
    "volume": "Elution volume (mL)|Elutionsvolumen [mL]|Ve (mL)",
    "cumulative": "Cumulative weight fraction|Integral[%]|kumulativ|acumulada",
    "scattering": "LS 90°|Lichtstreuung|RALS (mV)",
    "remark": "Remark|Outside Calib.",
}
TITLES = [
    "Sample ID{s}batch 7",
    "Sample Name:{s}PBA 12",
    "Report of 3 March",
    "Flow rate{s}1{d}000{s}mL/min",
    "Mn{s}40826",
    "Mw (g/mol){s}88266",
    "Polydispersity{s}2{d}162",
    "Calibration{s}PS{s}Fit{s}Polynom 3",
    "Eluent: THF; 35 degC",
    "",
]
FOOTERS = ["Mn{s}40826", "Page 1 of 1", "", "End of report", "Mw: 88266 g/mol", "; comment", "RID{s}ok"]


@dataclass(frozen=True)
class Form:
    """How a curve is written."""

    axis: str
    ordinate: str
    names: tuple[str, ...]
    columns: tuple[str, ...]
    separator: str
    decimal: str
    thousands: bool
    digits: str
    falling: bool
    titles: tuple[str, ...]
    footers: tuple[str, ...]
    units_row: bool
    header: str
    encoding: str
    newline: str
    trailing: bool
    points: int
    middle: float
    width: float


def pick(names):
    return st.sampled_from(names.split("|"))


@st.composite
def forms(draw):
    axis, ordinate = draw(st.sampled_from([*AXES])), draw(st.sampled_from([*ORDINATES]))
    beside = draw(st.lists(st.sampled_from([*BESIDE]), unique=True, max_size=3))
    columns = draw(st.permutations(["x", "y", *beside]))
    header = draw(st.sampled_from(["plain", "plain", "plain", "hash", "none", "quoted"]))
    if header == "none":  # what nobody has named cannot be told from w(log M)
        ordinate = draw(st.sampled_from(["w_log", "sec"]))
    named = {"x": AXES[axis], "y": ORDINATES[ordinate], **BESIDE}
    names = tuple(draw(pick(named[column])) for column in columns)
    return Form(
        axis,
        ordinate,
        names,
        tuple(columns),
        draw(st.sampled_from([",", ";", "\t", "  ", " ", "|"])),
        draw(st.sampled_from([".", ","])),
        draw(st.booleans()),
        draw(st.sampled_from(["g", "e", "D", "f"])),
        draw(st.booleans()),
        tuple(draw(st.lists(st.sampled_from(TITLES), max_size=6))),
        tuple(draw(st.lists(st.sampled_from(FOOTERS), max_size=3))),
        draw(st.booleans()),
        header,
        draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        draw(st.sampled_from(["\n", "\r\n"])),
        draw(st.booleans()),
        draw(st.sampled_from([40, 90, 300])),
        draw(st.floats(4.0, 5.6)),
        draw(st.floats(0.15, 0.4)),
    )


def number(form, value, kind):
    if kind == "index":
        return f"{value:.0f}"
    if kind == "remark":
        return "No"
    if kind == "x" and form.axis == "m" and form.thousands:
        text = f"{value:,.0f}"
        return text if form.decimal == "." else text.replace(",", ".")
    if form.digits == "f" and kind == "x":
        text = f"{value:.4f}" if form.axis != "m" else f"{value:.1f}"
    elif form.digits in ("g", "f"):
        text = f"{value:.7g}"
    else:
        text = f"{value:.6e}".replace("e", "D" if form.digits == "D" else "E")
    return text.replace(".", form.decimal)


def curve(form):
    log_m = np.linspace(form.middle - 6 * form.width, form.middle + 6 * form.width, form.points)
    w = np.exp(-(((log_m - form.middle) / form.width) ** 2) / 2) + 0.3 * np.exp(
        -(((log_m - form.middle - form.width) / form.width / 0.8) ** 2) / 2
    )
    return log_m, w


def lines_of(form):
    log_m, w = curve(form)
    x = {"log_m": log_m, "m": 10**log_m, "m_kg": 10 ** (log_m - 3)}[form.axis]
    power = {"w_log": 0, "sec": 0, "w_m": 1, "n_log": 1, "n_m": 2}[form.ordinate]
    y = w * 10 ** (-power * (log_m - form.middle)) * (37 if form.ordinate == "sec" else 1)
    columns = {
        "x": x,
        "y": y,
        "index": np.arange(1, len(x) + 1),
        "time": 24 - 2.4 * log_m,
        "volume": 24 - 2.4 * log_m,
        "cumulative": np.cumsum(w) / w.sum(),
        "scattering": w * 10 ** (log_m - form.middle),
        "remark": x,
    }
    order = slice(None, None, -1) if form.falling else slice(None)
    for k, values in enumerate(zip(*(columns[name][order] for name in form.columns), strict=True)):
        yield [number(form, k + 1 if c == "index" else v, c) for c, v in zip(form.columns, values, strict=True)]


def text_of(form):
    quote = form.header == "quoted" or (form.separator == "," and (form.decimal == "," or form.thousands))
    mark = '"' if quote and form.separator in ",;\t" else ""
    joined = lambda cells: form.separator.join(f"{mark}{cell}{mark}" for cell in cells)  # noqa: E731
    filled = lambda title: title.format(s=form.separator, d=form.decimal)  # noqa: E731
    end = form.separator if form.trailing and form.separator.strip() else ""
    header = {"none": [], "hash": ["# " + joined(form.names)]}.get(form.header, [joined(form.names) + end])
    lines = [filled(each) for each in form.titles] + header
    if form.units_row and form.header == "plain":
        lines.append(form.separator.join("-" for _ in form.names))
    lines += [joined(cells) + end for cells in lines_of(form)]
    return form.newline.join([*lines, *(["", *map(filled, form.footers)] if form.footers else [])]) + form.newline


def outcome(form, folder):
    """What is made of a form: right, refused, or wrong."""
    path = folder / "curve.txt"
    path.write_bytes(text_of(form).encode(form.encoding, "replace"))
    try:
        curves = read_curves(path)
    except InputError as error:
        return ("wrong" if "\n" in str(error) else "refused"), str(error)
    log_m, w = curve(form)
    raw = w / np.trapezoid(w, log_m)
    Mn, Mw = 1 / np.trapezoid(raw * 10**-log_m, log_m), np.trapezoid(raw * 10**log_m, log_m)
    right = len(curves) == 1 and abs(curves[0].Mn / Mn - 1) < 0.01 and abs(curves[0].Mw / Mw - 1) < 0.01
    return ("right" if right else "wrong"), str(
        [(each.Mn / Mn, each.Mw / Mw, each.notes, each.warnings) for each in curves]
    )


def check(form, folder):
    found, how = outcome(form, folder)
    assert found != "wrong", (how, text_of(form)[:400])


QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@settings(max_examples=100, **QUIET)
@given(form=forms())
def test_a_curve_in_any_form_is_read_or_refused(form, tmp_path):
    check(form, tmp_path)


@pytest.mark.slow
@settings(max_examples=2000, **QUIET)
@given(form=forms())
def test_a_curve_in_any_form_is_read_or_refused_two_thousand_times(form, tmp_path):
    check(form, tmp_path)
