"""A sample file for each format that `polyinv predict` reads, in examples/files/formats: one polymer in many shapes.

python scripts/make_measured_files.py                      # a few seconds; the tests read the same files
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from make_examples import CURVE, ROOT, exported, simulated
from openpyxl import Workbook

Columns = Mapping[str, Sequence[Any] | np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "examples" / "files" / "formats")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    log_m, w = exported(simulated([CURVE]))
    for name, text in (texts(log_m, w) | results()).items():
        encoding = "cp1252" if name.endswith("_de.csv") else "utf-8"
        (folder / name).write_text(text, encoding=encoding, newline="\n")
    for name, sheets in workbooks(log_m, w).items():
        write_workbook(folder / name, sheets)


def lines(columns: Columns, separator: str = ",", form: str = "{:.6g}", decimal: str = ".") -> str:
    """Write columns below their names."""
    rows = [
        separator.join(
            each if isinstance(each, str) else form.format(each).replace(".", decimal) for each in row
        ).rstrip()
        for row in zip(*columns.values(), strict=True)
    ]
    return "\n".join([separator.join(columns), *rows]) + "\n"


def averages(log_m: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """Mn and Mw of the points."""
    raw = w / np.trapezoid(w, log_m)
    return 1 / np.trapezoid(raw * 10**-log_m, log_m), np.trapezoid(raw * 10**log_m, log_m)


def texts(log_m: np.ndarray, w: np.ndarray) -> dict[str, str]:
    """The curve as text."""
    M, (Mn, Mw) = 10**log_m, averages(log_m, w)
    higher = np.interp(log_m - 0.1, log_m, w, 0, 0)
    volume = 30 - 2.5 * log_m + 0.04 * (log_m - 4.5) ** 2
    slope = np.abs(-2.5 + 0.08 * (log_m - 4.5))  # dV / d log M
    cumulative = np.cumsum(w) / w.sum()
    stated = f"Mn :\t{Mn:.4E}\tg/mol\nMw :\t{Mw:.4E}\tg/mol\nD :\t{Mw / Mn:.3f}\n"
    empty = [""] * len(log_m)
    falling = slice(None, None, -1)
    chromatogram = {"Volume (mL)": volume[falling], "RI (mV)": (25 * w / slope)[falling]}
    return {
        "tabs.txt": lines({"log M": log_m, "w(log M)": w, "Cumulative weight fraction": cumulative}, "\t"),
        "report_wingpc.txt": f"Sample :\tBA-17\nInject volume :\t 50.000\tul\n\n{stated}\nRAWstart :\n"
        + lines({"Volume": volume[falling], "RID": w[falling]}, "\t", "{:.5E}")
        + "RAWstop :\n\nMWDstart :\n"
        + lines({"Molar mass": M, "RID": w, "Integral[%]": 100 * cumulative}, "\t", "{:.5E}")
        + "MWDstop :\n",
        "report_omnisec.txt": "Data File\tdemo.vdt\nSample ID\tBA-17\n"
        + f"Mn - (Daltons)\t {Mn:.0f}\nMw - (Daltons)\t {Mw:.0f}\n\n"
        + lines(
            {
                "Ret. Vol.": [5.0, *volume[falling], 29.0],
                "RI": [21.0, *(21 + w[falling]), 21.0],
                "Molecular Weight": ["", *log_m[falling], ""],
                "WF/dLogM": ["", *w[falling], ""],
            },
            "\t",
        ),
        "report_empower.txt": lines(
            {
                "#": [f"{k}" for k in range(1, len(log_m) + 1)],
                "Retention Time": volume[falling],
                "Slice MW": M[falling].round(),
                "Slice Log MW": log_m[falling],
                "dwt/d(logM)": w[falling],
                "Cumulative %": 100 * cumulative[falling],
            },
            "\t",
            "{:.7g}",
        ),
        "report_astra.csv": lines({"Molar Mass (g/mol)": M, "Differential Weight Fraction (mol/g)": w / M}),
        "log_m_called_mw.csv": lines({"Molecular Weight": log_m, "WF/dLogM": w}),
        "pairs.csv": "Sample A,,,Sample B,\n"
        + lines({"log M": log_m, "w(log M)": w, "": empty, "log M ": log_m, "w(log M) ": higher}),
        "many_samples.csv": lines({"log M": log_m, "batch 7": w, "batch 8": higher}),
        "below_each_other.csv": lines(
            {"sample": ["A"] * len(w) + ["B"] * len(w), "log M": [*log_m, *log_m], "w(log M)": [*w, *higher]}
        ),
        "number.csv": lines({"log M": log_m, "n(log M)": w / M * M.mean()}, ";"),
        "decimal_commas_de.csv": lines({"Molmasse (g/mol)": M, "dw/dlgM": w}, ";", decimal=","),
        "thousands.csv": lines({"M": [f'"{each:,.0f}"' for each in M], "w(log M)": w}),
        "percent.csv": lines({"log M": log_m, "w(log M)": [f"{100 * each:.5g}%" for each in w]}, ";"),
        "empty_outside.csv": lines({"log M": [*log_m, 7.0, 7.1], "w(log M)": [*w, "", ""]}, ";"),
        "footer.csv": lines({"log M": log_m, "w(log M)": w}) + f"\nMn,{Mn:.0f}\nMw,{Mw:.0f}\n",
        "results_above.csv": f"Mn,Mw,PDI\n{Mn:.0f},{Mw:.0f},{Mw / Mn:.3f}\n\n" + lines({"log M": log_m, "w(log M)": w}),
        "report_labsolutions.txt": "[Header]\nApplication Name\tLabSolutions\n\n"
        "[Sample Information]\nSample Name\tBA-17\n\n"
        "[GPC Molecular Weight Averages]\nPeak#\tMn\tMw\tMw/Mn\n"
        f"1\t{Mn:.0f}\t{Mw:.0f}\t{Mw / Mn:.3f}\n\n[GPC Slice Table]\n"
        + lines({"Time": volume[falling], "Height": w[falling], "Log M": log_m[falling], "dW/dlogM": w[falling]}, "\t"),
        "jcamp.jdx": jcamp(M, w),
        "reptate.gpc": f"Mn={Mn / 1e3:.4g};Mw={Mw / 1e3:.4g};PDI={Mw / Mn:.4g};\n"
        + "\n".join(f"{a:.4E} {b:.4E}" for a, b in zip(M, w, strict=True))
        + "\n",
        "chromatogram.csv": lines(chromatogram),
        "calibration.csv": lines({"Volume (mL)": volume[5::12], "Mp (g/mol)": M[5::12]}),
        "light_scattering.csv": lines({"Molar mass": M, "LS 90": w * M / M.mean()}, ";"),
        "elution_time.csv": lines({"RT (mins)": volume[falling], "RI (mV)": w[falling]}),
    }


def jcamp(M: np.ndarray, w: np.ndarray) -> str:
    """The curve as electronic laboratory notebooks export it."""
    head = [
        "##TITLE=BA-17, simulated",
        "##JCAMP-DX=5.00",
        "##DATA TYPE=SIZE EXCLUSION CHROMATOGRAPHY",
        "##XUNITS=G/MOL",
        "##YUNITS=DW/DLOGM",
        f"##NPOINTS={len(M)}",
        "##XYPOINTS=(XY..XY)",
    ]
    return "\n".join([*head, *(f"{a:.6g}, {b:.6g}" for a, b in zip(M, w, strict=True)), "##END=", ""])


def results() -> dict[str, str]:
    """Tables of results, of made-up numbers."""
    return {
        "results_units.csv": "sample,Mn (g/mol),Mw (g/mol),temp (°C),time (min)\n"
        "B1,40830,88270,70,30\nB2,33100,76500,70,45\n",
        "results_de.csv": "Prüfung;Mn / kDa;Mw / kDa;Temperatur (K);Zeit (h)\n"
        "P1;40,83;88,27;343,15;0,5\nP2;33,1;76,5;343,15;0,75\n",
        "results_errors.csv": "Sample;Mn × 10⁻³ (g/mol);Mw (kDa);T (°C) ± 0.5;time (min)\n"
        "B1;40.83 ± 0.8;88.27 ± 1.8;70;30 ± 1\nB2;33.1 ± 0.7;76.5 ± 1.5;70;45 ± 1\n",
        "results_below.csv": "Sample,B1,B2\nMn (g/mol),40830,33100\nMw (g/mol),88270,76500\n",
    }


def workbooks(log_m: np.ndarray, w: np.ndarray) -> dict[str, dict[str, list]]:
    """The curve and tables in workbooks: sheets of rows."""
    points = [[float(a), float(b)] for a, b in zip(log_m, w, strict=True)]
    both = [["batch 7", None, None, "batch 8", None], ["log M", "dw/dlogM", None, "log M", "dw/dlogM"]]
    return {
        "two_sheets.xlsx": {"Summary": [["Sample", "BA-17"]], "Slice Table": [["log M", "w(log M)"], *points]},
        "two_samples.xlsx": {"Sheet": [*both, *([*a, None, *a] for a in points)]},
        "samples_on_sheets.xlsx": {name: [["log M", "dw/dlogM"], *points] for name in ("batch 7", "batch 8")},
        "formula_without_value.xlsx": {
            "Sheet": [
                ["M (g/mol)", "log M", "dw/dlogM"],
                *([10**a, f"=LOG10(A{k})", b] for k, (a, b) in enumerate(points, 2)),
            ]
        },
        "report_agilent.xlsx": {
            "Sheet1": [
                ["Sample Name", "BA-17"],
                [],
                ["RT (mins)", "Response", "Mw (g/mol)", "LogM", "dW/dLogM", "Outside Calib."],
                *([25 - 2 * a, 40 * b, 10**a, a, b, "No"] for a, b in points),
            ]
        },
        "results_title.xlsx": {
            "notes": [["made up"]],
            "data": [["SEC results"], [], ["sample", "Mn", "Mw", "temp", "time"], ["B1", 40830, 88270, 70, 1800]],
        },
    }


def write_workbook(path: Path, sheets: dict[str, list]) -> None:
    """Write sheets of rows."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.save(path)


if __name__ == "__main__":
    main()
