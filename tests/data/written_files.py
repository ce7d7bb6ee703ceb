"""Files as instruments and people write them, of one known curve: shapes, marks, names and order combined."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

LOG_M = np.arange(3.0, 6.5, 0.02).round(2)
W = np.exp(-(((LOG_M - 4.55) / 0.32) ** 2)) + 0.25 * np.exp(-(((LOG_M - 5.2) / 0.22) ** 2))
W[0] = W[-1] = 0.0
M = 10**LOG_M


def means(w: np.ndarray = W) -> tuple[float, float]:
    """Mn and Mw of the curve, by trapezoids over its points."""
    whole = np.trapezoid(w, LOG_M)
    return float(whole / np.trapezoid(w / M, LOG_M)), float(np.trapezoid(w * M, LOG_M) / whole)


MN, MW = means()
ABSCISSAE = {
    "log M": (
        LOG_M,
        ["log M", "lg M", "log10(M)", "LogMW", "lg(M/(g/mol))", "log(M / g mol⁻¹)", "Slice Log MW", "log Molmasse"],
    ),
    "M": (
        M,
        ["M", "Molar mass", "M (g/mol)", "Molmasse [g/mol]", "Masa molar (g/mol)", "Masse molaire (g/mol)", "MW (Da)"],
    ),
    "kg/mol": (M / 1e3, ["M (kg/mol)", "Molar mass / kDa", "Molmasse [kg/mol]", "Peso molecular (kDa)"]),
    "ln M": (LOG_M * np.log(10), ["ln M", "ln(M)"]),
}
ORDINATES = {
    "w_log": (0, ["w(log M)", "dw/dlogM", "W(lg M)", "dwt/d(logM)", "WF/dLogM", "dW/dLogM", "MWD"]),
    "w_m": (1, ["w(M)", "dw/dM", "Differential Weight Fraction (mol/g)", "W(M) [mol/g]"]),
    "n_log": (1, ["n(log M)", "dn/dlogM"]),
    "sec": (0, ["RI", "RI (mV)", "Signal", "Detektorsignal [V]", "Señal", "Réponse (µV)", "Norm. Signal", "RID"]),
    "other": (0, ["batch 7", "BA-17", "Probe", "Muestra A"]),
}
REFUSED = {
    "time": ["RT (mins)", "Zeit (min)", "Retention time", "tiempo de retención (min)", "Temps (min)", "t / min"],
    "volume": ["Ve (mL)", "Elution volume", "Elutionsvolumen [ml]", "Volumen (mL)", "Ret. Vol."],
}
BESIDE = {
    "cumulative": (np.cumsum(W) / W.sum(), ["Cumulative %", "Integral [%]", "kumulativ", "Acumulado (%)", "Cumul (%)"]),
    "time": (24 - 2.4 * LOG_M, ["Time (min)", "RT (mins)", "Zeit", "Tiempo (min)", "Temps (min)"]),
    "volume": (24 - 2.4 * LOG_M, ["Volume (mL)", "Ve [mL]", "Elutionsvolumen"]),
    "light scattering": (W * M, ["LS 90°", "MALS", "RALS (mV)", "Streulicht"]),
    "viscometer": (W * M**0.7, ["Viscometer", "DP", "IV - DP", "Viskosimeter"]),
    "slice": (np.arange(1, len(W) + 1), ["Slice", "Nr.", "#", "Index"]),
}
PREAMBLES = [
    [],
    ["Sample : BA-17", "Eluent : THF", ""],
    ["Probe;BA 17", "Datum;26.11.2025 10:12", "Fluss;1,000;ml/min", ""],
    ["Report", "Page 1 of 2", "Inject volume :\t50.0\tul", "Calibration MH-K :\t1.00\tml/g\tother :\t0.00\tml/g", ""],
    ["# a comment", "# T = 35 °C"],
    ["Mn:\t{Mn:.0f}\tg/mol", "Mw:\t{Mw:.0f}\tg/mol", ""],
    ["Mn,Mw,PDI", "{Mn:.0f},{Mw:.0f},{D:.3f}", ""],
    ["MWDstart :"],
]
FOOTERS = [
    [],
    ["", "Mn,{Mn:.0f}", "Mw,{Mw:.0f}"],
    ["", "Page 1"],
    ["MWDstop :"],
    ["", "Mn = {Mn:.0f} g/mol; Mw = {Mw:.0f} g/mol"],
]
SEPARATORS = ["\t", ";", ",", " ", "|", "  "]


@dataclass(frozen=True)
class Written:
    """A file, and what may come of it: its means, or a refusal alone."""

    content: bytes
    refused: bool
    text: str


def formatted(values: np.ndarray, form: str) -> list[str]:
    return [format(value, form) for value in values]


def with_thousands(values: np.ndarray, mark: str) -> list[str]:
    group = "." if mark == "," else ","
    return [f"{value:,.1f}".translate(str.maketrans({",": group, ".": mark})) for value in values]


@st.composite
def files(draw: st.DrawFn) -> Written:
    """Draw a file of the curve."""
    separator, mark = draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from(".,"))
    x_kind = draw(st.sampled_from([*ABSCISSAE, *ABSCISSAE, *REFUSED]))
    y_kind = draw(st.sampled_from([*ORDINATES]))
    refused = x_kind in REFUSED
    x, x_names = (24 - 2.4 * LOG_M, REFUSED[x_kind]) if refused else ABSCISSAE[x_kind]
    power, y_names = ORDINATES[y_kind]
    y = W / M**power * draw(st.sampled_from([1.0, 0.02, 250.0]))
    named = draw(st.sampled_from(["names", "names", "names", "comment", "none"]))
    if refused or y_kind in ("w_m", "n_log", "sec") or x_kind in ("kg/mol", "ln M"):
        named = "names" if named == "none" else named
    columns = [(draw(st.sampled_from(x_names)), x, True), (draw(st.sampled_from(y_names)), y, False)]
    if draw(st.booleans()) and named != "none":
        columns.reverse()
    if named == "names" and not refused:
        for kind in draw(st.lists(st.sampled_from([*BESIDE]), max_size=3, unique=True)):
            values, names = BESIDE[kind]
            columns.insert(draw(st.integers(0, len(columns))), (draw(st.sampled_from(names)), values, False))
    cells = []
    for name, values, is_x in columns:
        form = draw(st.sampled_from(["{:.7g}", "{:.5e}"])) if name not in BESIDE["slice"][1] else "{:g}"
        written = [form.format(value).replace(".", mark) for value in values]
        if is_x and x_kind == "M" and separator in "\t;|" and draw(st.booleans()):
            written = with_thousands(values, mark)
        cells.append(written)
    rows = [list(row) for row in zip(*cells, strict=True)]
    order = draw(st.sampled_from([1, -1]))
    rows = rows[::order]
    if separator == ",":
        rows = [[f'"{cell}"' if "," in cell else cell for cell in row] for row in rows]
    names = [name for name, _, _ in columns]
    header = {"names": [separator.join(names)], "comment": ["# " + separator.join(names)], "none": []}[named]
    if named == "names" and draw(st.integers(0, 5)) == 0:
        header += [separator.join("-" for _ in names)]
    values = {"Mn": MN, "Mw": MW, "D": MW / MN}
    before = [line.format(**values) for line in draw(st.sampled_from(PREAMBLES))]
    after = [line.format(**values) for line in draw(st.sampled_from(FOOTERS))]
    blank = [""] * draw(st.integers(0, 1))
    text = "\n".join([*before, *header, *blank, *(separator.join(row) for row in rows), *after]) + "\n"
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    return Written(text.replace("\n", ending).encode(encoding, "replace"), refused, text)
