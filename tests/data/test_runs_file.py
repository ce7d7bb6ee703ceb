"""Tables of one's own reactions: what is read, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from polyinv.chemistry import load_system
from polyinv.cli import main
from polyinv.data.files.doubts import conversions
from polyinv.data.files.names import is_conversion
from polyinv.data.runs_file import read_runs
from polyinv.data.source import simulate_table
from polyinv.errors import InputError
from polyinv.evaluation.compare import agreement, compare
from polyinv.mmd import LOG_M, OLIGOMERS, STEP
from polyinv.quantities import MMD

SYSTEM = load_system("MMA")
RECIPES = pd.DataFrame(
    [[2.0, 0.01, 70.0, 7.0, 3600.0], [2.0, 0.01, 70.0, 7.0, 7200.0], [3.0, 0.02, 60.0, 6.0, 7200.0]],
    columns=list(SYSTEM.targets),
)
POINTS = np.arange(3.0, 7.0, 0.05)


@pytest.fixture(scope="module")
def polymers() -> pd.DataFrame:
    return simulate_table(RECIPES, method="deterministic", system=SYSTEM)


@pytest.fixture
def written(polymers, tmp_path):
    """File of the polymers as a laboratory might write it, after a change."""

    def write(change=lambda table: table):
        table = polymers[[*SYSTEM.targets, "Mn", "Mw"]].assign(sample=["a", "b", "c"])
        table["conversion"] = 1 - polymers["cMMA_time"] / polymers["cMMA_0"]
        curves = np.stack([np.interp(POINTS, LOG_M, row) for row in polymers[list(MMD)].to_numpy()])
        table = table.join(pd.DataFrame(3.7 * curves, columns=[f"w_at_{at:.2f}" for at in POINTS]))
        change(table).to_csv(tmp_path / "runs.csv", index=False)
        return tmp_path / "runs.csv"

    return write


def test_reactions_of_the_same_chemistry_agree(written):
    lines = compare(read_runs(written(), SYSTEM), SYSTEM)
    assert lines["reaction"].tolist() == [1, 1, 2]
    assert lines["error_conversion"].abs().max() < 1e-9
    assert lines[["error_ln_Mn", "error_ln_Mw"]].abs().max().max() < 1e-9
    assert lines["mmd_distance"].max() < 0.005  # points 0.05 decades apart, joined by straight lines


def test_errors_have_the_sign_of_predicted_less_measured(written):
    def off(table):
        return table.assign(conversion=table["conversion"] - 0.02, Mw=table["Mw"] / 1.1)

    lines = compare(read_runs(written(off), SYSTEM), SYSTEM)
    assert lines["error_conversion"].to_numpy() == pytest.approx(0.02)
    assert lines["error_ln_Mw"].to_numpy() == pytest.approx(np.log(1.1))
    found = agreement(lines).set_index("reaction")
    assert found.loc["all", "X rms"] == pytest.approx(0.02)
    assert found.loc["2", "rows"] == 1


def test_a_shifted_curve_lies_elsewhere_by_its_overlap(written, polymers):
    shifted = {f"w_at_{at:.2f}": f"w_at_{at + 0.1:.2f}" for at in POINTS}
    lines = compare(read_runs(written(lambda table: table.rename(columns=shifted)), SYSTEM), SYSTEM)
    row = polymers.loc[0, list(MMD)].to_numpy(dtype=float)
    moved = np.interp(LOG_M - 0.1, LOG_M, row)
    kept = LOG_M >= OLIGOMERS
    row, moved = row * kept / (row * kept).sum(), moved * kept / (moved * kept).sum()
    assert lines.loc[2, "mmd_distance"] == pytest.approx(0.5 * np.abs(row - moved).sum(), rel=0.03)


def test_what_is_not_measured_is_left_out(written):
    def bare(table):
        return table.drop(columns=[name for name in table if name.startswith("w_at")]).assign(Mw=[1e5, None, None])

    table = read_runs(written(bare), SYSTEM)
    assert table[list(MMD)].isna().all(axis=None)
    lines = compare(table, SYSTEM)
    assert lines["error_ln_Mw"].notna().tolist() == [True, False, False]
    assert lines["mmd_distance"].isna().all()


def test_a_curve_has_unit_area_where_it_is_compared(written):
    curves = read_runs(written(), SYSTEM)[list(MMD)].to_numpy()
    assert curves.sum(1) * STEP == pytest.approx(np.ones(3))
    assert (curves[:, LOG_M < OLIGOMERS] == 0).all()


BAD = {
    "no recipe": (
        lambda t: t.drop(columns="cToluene"),
        "has no column cToluene; reactions of methyl_methacrylate need",
    ),
    "per cent": (
        lambda t: t.assign(conversion=[10.0, 20.0, 30.0]),
        "row 2 holds .10.0.; needs 0 to 1, or 0 to 100 in a .*%",
    ),
    "negative": (lambda t: t.assign(conversion=[0.1, -0.2, 0.3]), "row 3 holds .-0.2.; needs 0 to 1"),
    "text": (lambda t: t.assign(Mn=["1e5", "high", "1e5"]), "row 3, column 'Mn' holds 'high'; needs a number"),
    "zero": (lambda t: t.assign(cAIBN_0=0.0), "row 2: cAIBN_0 is 0; needs a number above 0"),
    "an empty recipe": (lambda t: t.assign(time=[None, 1.0, 2.0]), "row 2: time is nan; needs a number above 0"),
    "nothing measured": (
        lambda t: t[list(SYSTEM.targets)],
        "has nothing measured; needs some of conversion, cMMA_time",
    ),
    "too few points": (
        lambda t: t.drop(columns=[name for name in t if name.startswith("w_at_")][5:]),
        "curves of 5 points; needs 10",
    ),
    "another system": (lambda t: t.assign(system="styrene"), "is of the system styrene, not of methyl_methacrylate"),
    "Mw below Mn": (lambda t: t.assign(Mn=t["Mw"], Mw=t["Mn"]), "is less than Mn, which cannot be"),
    "kilograms in one row": (lambda t: t.assign(Mn=[1e5, 22.0, 1e5], Mw=2e5), "row 3: Mn is 22 g/mol, less than a mol"),
    "what no computer holds": (lambda t: t.assign(Mw=[1e308, 1e5, 1e5], Mn=5e4), "row 2.*which no unit explains"),
    "contradiction": (
        lambda t: t.assign(conversion=0.5, cMMA_time=1.9),
        "row 2: the conversion is 0.5, and by cMMA_time 0",
    ),
    "a misspelt error": (lambda t: t.assign(tmep_error=0.5), "no column of an error 'tmep_error'; nearest: temp_error"),
    "a share for an error": (
        lambda t: t.assign(Mn_error=0.05),
        "Mn_error is 0.05 g/mol, less than a thousandth",
    ),
    "a curve of zeros": (
        lambda t: t.assign(**{name: 0.0 for name in t if name.startswith("w_at_")}),
        "row 2: its curve is zero from",
    ),
    "a curve beyond all units": (
        lambda t: t.assign(**{name: 1e308 for name in t if name.startswith("w_at_")}),
        "row 2: its curve has values above",
    ),
    "more than was charged": (
        lambda t: t.drop(columns="conversion").assign(cMMA_time=1.05 * t["cMMA_0"]),
        "row 2: a conversion of -0.05 cannot be",
    ),
    "two conversions": (
        lambda t: t.rename(columns={"conversion": "Conversion NMR"}).assign(**{"Conversion GC": 0.5}),
        "columns 'Conversion NMR' and 'Conversion GC' both hold a conversion",
    ),
    "a share with an error in per cent": (
        lambda t: t.assign(conversion=["0.2 ± 1 %", "0.3", "0.4"]),
        "row 2 holds '0.2 ± 1 %'",
    ),
    "samples above the first run": (lambda t: t.assign(run=["", "a", "b"]), "row 2: run is empty"),
    "no rows": (lambda t: t.head(0), "has no rows below names of columns such as cMMA_0"),
}


@pytest.mark.parametrize(("change", "said"), BAD.values(), ids=BAD)
def test_what_is_no_such_table_is_refused(written, change, said):
    with pytest.raises(InputError, match=said):
        read_runs(written(change), SYSTEM)


SAID = {
    "a gap": (lambda t: t.assign(**{"w_at_4.50": [1.0, None, 1.0]}), "the curve of row 3 has gaps and is left out"),
    "below zero": (lambda t: t.assign(**{f"w_at_{at:.2f}": -3.0 for at in (4.5, 4.55, 4.6)}), "below zero"),
    "shares under a name in per cent": (
        lambda t: t.assign(conversion=[0.2, 0.3, 0.9]).rename(columns={"conversion": "Conversion (%)"}),
        "all conversions in column 'Conversion (%)' are below 1 %; shares go into a column without %",
    ),
    "a row twice": (lambda t: t.iloc[[0, 1, 2, 0]], "row 5 repeats row 2 (1 such rows)"),
    "a misspelt error": (lambda t: t.assign(temp_eror=0.5), "'temp_eror' is not used; is it meant for 'temp_error'?"),
    "an error by another name": (
        lambda t: t.assign(**{"SD conversion": 0.01}),
        "'SD conversion' is not used; is it meant for 'conversion_error'?",
    ),
    "what is not used": (lambda t: t.assign(operator="me"), "columns not used: sample, operator\n"),
    "kelvin": (lambda t: t.assign(temp=t["temp"] + 273.15), "if it is K, it is"),
    "backwards": (lambda t: t.assign(conversion=[0.6, 0.2, 0.5]), "falls from 0.6 in row 2 to 0.2 in row 3"),
}


@pytest.mark.parametrize(("change", "said"), SAID.values(), ids=SAID)
def test_what_is_left_out_or_cannot_be_is_said(written, change, said, caplog):
    with caplog.at_level("INFO"):
        read_runs(written(change), SYSTEM)
    assert said in caplog.text


def with_nodes(table: pd.DataFrame) -> pd.DataFrame:
    """The table in polyinv's own form, with the nodes of a curve."""
    kept = table[[name for name in table if not name.startswith("w_at_")]]
    return kept.join(pd.DataFrame(0.2, table.index, list(MMD)))


WRITTEN = {
    "shares": ("conversion", ["0.329", "0.5", ""], [0.329, 0.5, np.nan], None),
    "per cent in the name": ("Conversion (%)", ["32.9", "50", "-"], [0.329, 0.5, np.nan], None),
    "per cent in the cells": ("conversion", ["32.9 %", "0.9%", "50%"], [0.329, 0.009, 0.5], None),
    "errors": ("conversion", ["0.329 ± 0.01", "0.5+/-0.02", "0.6"], [0.329, 0.5, 0.6], [0.01, 0.02, np.nan]),
    "errors in per cent": ("X [%]", ["32.9 ± 1.5", "50", "60"], [0.329, 0.5, 0.6], [0.015, np.nan, np.nan]),
}


@pytest.mark.parametrize("as_nodes", [False, True])
@pytest.mark.parametrize(("name", "cells", "values", "errors"), WRITTEN.values(), ids=WRITTEN)
def test_a_conversion_is_read_as_it_is_written(written, as_nodes, name, cells, values, errors):
    def change(table):
        table = table.drop(columns="conversion").assign(**{name: cells})
        return with_nodes(table) if as_nodes else table

    table = read_runs(written(change), SYSTEM)
    assert table["conversion"].to_numpy() == pytest.approx(values, nan_ok=True)
    if errors is None:
        assert "conversion_error" not in table
    else:
        assert table["conversion_error"].to_numpy() == pytest.approx(errors, nan_ok=True)


def test_two_columns_of_one_conversion_are_one(written):
    table = read_runs(
        written(
            lambda t: t.assign(X=t["conversion"], umsatz=100 * t["conversion"]).rename(
                columns={"conversion": "Conversion", "umsatz": "Umsatz (%)"}
            )
        ),
        SYSTEM,
    )
    assert table["conversion"].notna().all()


@pytest.mark.parametrize("as_nodes", [False, True])
def test_an_empty_cell_stands_for_the_run_above(written, as_nodes):
    def change(table):
        table = table.assign(run=["a", "", "b"])
        return with_nodes(table) if as_nodes else table

    assert read_runs(written(change), SYSTEM)["run"].tolist() == ["a", "a", "b"]


def test_what_is_said_of_a_file_has_nothing_that_a_terminal_obeys(written, capsys):
    path = written(lambda table: table.assign(run="a\x1b[2J", conversion=[0.6, 0.2, 0.5], temp=70.0).head(2))
    (path.parent / "evil\x1b[2J.csv").write_bytes(path.read_bytes())
    assert main(["compare", str(path.parent / "evil\x1b[2J.csv"), "--system", "MMA"]) == 0
    said = capsys.readouterr().err
    assert "falls from 0.6" in said
    assert "\x1b" not in said


def test_recipes_outside_of_what_was_checked_are_said(written, caplog):
    table = read_runs(written(lambda table: table.assign(temp=[70.0, 70.0, 150.0])), SYSTEM)
    compare(table, SYSTEM)
    assert "temp 150 is outside the range" in caplog.text


def test_reactions_are_read_as_people_write_them(polymers, tmp_path):
    rows = [
        f"r{k};{p.cMMA_0:g};{1e3 * p.cAIBN_0:g};{p.temp + 273.15:.2f} ± 0.5;{p.cToluene:g};{p.time / 60:g};"
        f"{100 * (1 - p.cMMA_time / p.cMMA_0):.6f};{p.Mn / 1e3:.5f};{p.Mw / 1e3:.5f}".replace(".", ",")
        for k, p in enumerate(polymers.itertuples())
    ]
    names = "Probe;[MMA]0 (mol/L);[AIBN]0 (mmol/L);T (K);cToluene;Zeit (min);Umsatz (%);Mn (kg/mol);Mw (kg/mol)"
    (tmp_path / "runs.txt").write_text("\n".join(["Reaktionen", "", names, *rows]), encoding="cp1252")
    lines = compare(read_runs(tmp_path / "runs.txt", SYSTEM), SYSTEM)
    assert lines["error_conversion"].abs().max() < 1e-6
    assert lines[["error_ln_Mn", "error_ln_Mw"]].abs().max().max() < 1e-4


def test_the_command_says_what_agrees(written, tmp_path, capsys):
    out = tmp_path / "lines.csv"
    assert main(["compare", str(written()), "--system", "MMA", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "| all      | 3    | 0.000 | 0.000  |" in said
    assert "literature coefficients" in said
    assert len(pd.read_csv(out)) == 3
    assert main(["compare", str(tmp_path / "no.csv"), "--system", "MMA"]) == 2


CONVERSIONS = [
    "conversion", "Conversion (%)", "X", "x_BA [%]", "Monomerumsatz", "Umsatz / %", "conv. (NMR)",
    "conversión de monómero", "taux de conversion", "grado de conversión (%)", "転化率 (%)",
]  # fmt: skip
OTHERS = ["conventional Mn", "convolution", "converted", "x axis", "conversion_error", "Mn", "time", ""]


@pytest.mark.parametrize("name", [*CONVERSIONS, *OTHERS])
def test_a_conversion_is_known_by_its_name_alike_to_predict_and_compare(name, tmp_path):
    assert is_conversion(name) == (name in CONVERSIONS)
    assert (conversions([name], load_system("butyl_acrylate")) != []) == (name in CONVERSIONS)
