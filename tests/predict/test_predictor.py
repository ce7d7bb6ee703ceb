"""From what a laboratory knows to a recipe: gaps, known values, warnings, and refusals."""

from io import StringIO

import numpy as np
import pandas as pd
import pytest
import torch

import polyinv
from polyinv.chemistry.butyl_acrylate import RECIPE, TARGETS
from polyinv.cli import main
from polyinv.data.bundled import load_bundled
from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.observations import Observations
from polyinv.data.splits import split_rows
from polyinv.domain import expectations as expectations_module
from polyinv.domain.expectations import LINES
from polyinv.errors import InputError
from polyinv.mmd import LOG_M, STEP
from polyinv.models import MLP
from polyinv.predict.known import all_stated, values_of
from polyinv.quantities import MMD
from polyinv.r2 import r2
from polyinv.runtime.resources import RELEASED as DEFAULT


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    """Eight polymers off the grid at 69 to 71 °C, with a name each."""
    table = load_bundled("off_grid")
    table = table[(table["temp"] - 70).abs() < 1].head(8).reset_index(drop=True)
    return table.assign(sample=[f"S{row}" for row in range(len(table))])


@pytest.fixture
def answered(tmp_path, capsys):
    """Writes a table, predicts from it, and gives the answers and what was said."""

    def answer(table: pd.DataFrame, *arguments: object, code: int = 0) -> tuple[pd.DataFrame, str]:
        file, out = tmp_path / "rows.csv", tmp_path / "answers.csv"
        table.to_csv(file, index=False)
        out.unlink(missing_ok=True)
        assert main(["predict", str(file), "--out", str(out), *map(str, arguments)]) == code
        said = capsys.readouterr()
        assert said.out == ""
        return pd.read_csv(out) if code == 0 else pd.DataFrame(), said.err

    return answer


def test_the_released_model_answers_from_a_curve_and_its_temperature(measured, answered):
    table = measured[["sample", "temp", *MMD]]
    answers, said = answered(table)
    assert answers["sample"].tolist() == table["sample"].tolist()
    assert (answers["temp"] == table["temp"]).all()
    assert answers[["temp_spread", "temp_rmse"]].isna().all().all()
    assert (answers["inputs"] == "mmd+temp").all()
    assert "8 rows answered from the MMD, temp" in said
    assert "the MMD, temp cannot tell cAIBN_0 (expected R² 0." in said
    assert "with time as well, expected R²: cAIBN_0 0.8" in said  # of temperatures good to half a degree
    assert (answers["cBA_0"] - measured["cBA_0"]).abs().max() < 5 * answers["cBA_0_rmse"].max()


def test_each_row_is_answered_from_what_it_has(measured, answered):
    table = measured.drop(columns=["cBA_0", "cAIBN_0"])
    table.loc[1, "time"] = np.nan
    table.loc[2, ["cBA_time", "time"]] = np.nan
    table.loc[3, list(MMD)] = np.nan
    table.loc[4, "Mw"] = np.nan
    answers, said = answered(table)
    expected = ["composite+temp+time", "composite+temp", "mmd+means+temp", "cBA_time+means+temp+time"]
    assert answers["inputs"].tolist()[:5] == [*expected, "mmd+cBA_time+temp+time"]
    assert answers["sample"].tolist() == table["sample"].tolist()
    assert "row 6 has Mn without Mw, which is not used (1 such rows)" in said
    assert said.count("answered from") == 5
    alone, _ = answered(table.iloc[[2]], "--no-sharpen")
    np.testing.assert_allclose(alone[list(TARGETS)], answers.loc[[2], list(TARGETS)], rtol=1e-5)


def test_known_values_may_be_said_once_for_all_rows(measured, answered):
    table = measured[["temp", "time", *MMD]]
    by_column, _ = answered(table.assign(temp=70.0, time=1800.0))
    by_option, _ = answered(table[list(MMD)], "--known", "temp=70", "--known", "time=1800")
    pd.testing.assert_frame_equal(by_column, by_option)
    again, _ = answered(table[list(MMD)], "--known", "temp=70,time=1800")
    pd.testing.assert_frame_equal(again, by_option)


def test_what_the_file_knows_can_be_asked_for_all_the_same(measured, answered):
    answers, _ = answered(measured, "--ask", "cAIBN_0,time")
    assert (answers["inputs"] == "composite+cBA_0+temp").all()
    assert (answers["cBA_0"] == measured["cBA_0"]).all()
    error = (answers["cAIBN_0"] - measured["cAIBN_0"]).abs()
    assert error.max() < 0.004  # a quarter of the box
    assert error.max() > 0


def test_a_known_value_out_of_the_box_gets_one_warning(measured, answered):
    _, said = answered(measured[["Mn", "Mw", *MMD]], "--known", "temp=95")
    assert said.count("temp is given as 95 (row 2), outside the range 60 to 80 °C that the model has learned") == 1
    assert "but the answer from" not in said


def test_a_known_value_on_the_edge_of_the_box_is_inside(measured, answered):
    for end in ("low", "high"):
        known = ",".join(f"{quantity.name}={getattr(quantity, end)!r}" for quantity in RECIPE[:3])
        _, said = answered(measured[["Mn", "Mw"]], "--known", known)
        assert not [line for line in said.splitlines() if "is given as" in line and "outside the range" in line]


def test_a_temperature_that_contradicts_the_rest_gets_one_warning(measured, answered):
    observed = measured[["cBA_time", "Mn", "Mw", *MMD]]
    _, said = answered(observed, "--known", "temp=60")
    lines = [line for line in said.splitlines() if "temp is given as 60 (row 2), but the answer from" in line]
    assert len(lines) == 1
    assert lines[0].startswith("polyinv: warning: rows ")
    assert lines[0].endswith("one is wrong")
    _, said = answered(observed, "--known", "temp=70")
    assert "but the answer from" not in said


def test_a_run_folder_of_ones_own_answers_too(small, measured, answered, tmp_path, monkeypatch):
    monkeypatch.setattr("polyinv.data.bank.BLOCK", 128)
    monkeypatch.setattr(expectations_module, "ROWS", 128)
    model = MLP(hidden=(16,), dropout=(0.0,), training={"max_epochs": 1})
    model.fit(RecipeDataModule.from_table(small, "conditional", split_rows(small, "by_recipe", 0)))
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run" / "model")
    (tmp_path / "rows").mkdir()
    table = measured[["temp", *MMD]]
    table.to_csv(tmp_path / "mine.csv", index=False)
    out = tmp_path / "own.xlsx"
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "mine.csv"), "--out", str(out)]) == 0
    answers = pd.read_excel(out, engine="calamine")
    x = torch.full((8, 107), torch.nan, dtype=torch.float64)
    for at, column in enumerate(model.columns):
        if column in table:
            x[:, at] = torch.tensor(table[column].to_numpy(copy=True))
    np.testing.assert_allclose(answers[list(TARGETS)], model.predict(x), rtol=1e-6)
    assert answers["cBA_0_spread"].isna().all()  # a single member knows of no spread


def test_other_models_need_all_they_were_trained_on(measured, tmp_path, capsys):
    whole, torn = tmp_path / "whole.csv", tmp_path / "torn.csv"
    measured.drop(columns=["sample"]).to_csv(whole, index=False)
    measured.drop(columns=["cBA_time"]).to_csv(torn, index=False)
    mlp = DEFAULT.parent / "mlp"
    assert main(["predict", str(mlp), str(whole)]) == 0
    answers = pd.read_csv(StringIO(capsys.readouterr().out))
    assert (answers["inputs"] == "composite").all()
    assert main(["predict", str(mlp), str(torn)]) == 2
    assert "row 2 has no cBA_time, which" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--known", "temp"], "--known temp: needs name=value, such as temp=70"),
        (["--known", "tmep=70"], "no value to be known 'tmep'; known: Mn, Mw, cAIBN_0, cBA_0, cBA_time, conversion, "),
        (["--known", "temp=warm"], "temp is said to be 'warm', which is not a number"),
        (["--known", "time=-5"], "time is said to be -5; needs a number above 0"),
        (["--known", "temp=nan"], "temp is said to be 'nan', which is not a number"),
        (["--known", "Mn=1e9,Mw=10"], "row 2 has Mn"),
        (["--known", "temp=70,temp=71"], "--known gives temp twice"),
        (["--known", "cBA_0=3.21"], "row 2 has cBA_0"),
        (["--ask", "Mn"], "no value of the recipe 'Mn'"),
        (["--ask", "temp", "--known", "temp=70"], "temp is both known and asked for"),
        (["--errors", "exact"], "row 2 has the whole recipe exactly and asks for nothing; --ask names what to leave"),
    ],
)
def test_bad_arguments_are_one_line(measured, answered, arguments, said):
    _, err = answered(measured.drop(columns="sample"), *arguments, code=2)
    lines = err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("polyinv: error: ")
    assert said in lines[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda table: table.drop(columns=["MMD7"]),
            "column 'MMD7' is missing, and a curve needs all of MMD1 … MMD100",
        ),
        (lambda table: table.assign(MMD50=[np.nan, *table["MMD50"][1:]]), "row 2: column 'MMD50' is empty; a curve is"),
        (lambda table: table[["temp", "time"]], "row 2 has neither the MMD nor Mn and Mw; needs one of them"),
        (lambda table: table.assign(temp=["warm", *table["temp"][1:]]), "'warm'; needs a number, or nothing"),
        (lambda table: table.assign(Mn=1e9), "is less than Mn, which cannot be"),
        (lambda table: table[["Mn"]].assign(Mw=pd.Timestamp("2024-05-01")), "holds '2024-05-01'; needs a number"),
        (lambda table: table[["time"]].rename(columns={"time": "u"}), "has one column of numbers; needs two"),
        (lambda table: table.assign(MMD55=5.0), "the distribution integrates to"),
    ],
)
def test_bad_files_are_one_line(measured, answered, change, said):
    _, err = answered(change(measured.drop(columns=["sample", "cBA_0"])), code=2)
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("polyinv: error: ")
    assert said in lines[0]


def test_several_files_are_rows_with_their_names(curve, measured, tmp_path, answered, capsys):
    table = tmp_path / "table.csv"
    table.write_text("sample;Mn (kg/mol);Mw (kg/mol)\nBA-1;40,8;88,3\nBA-2;30,1;66,2\n")
    assert main(["predict", str(DEFAULT), str(curve), str(table), "--known", "temp=70,time=1800"]) == 0
    answers = pd.read_csv(StringIO(capsys.readouterr().out))
    assert answers["file"].tolist() == ["sec.txt", "table.csv", "table.csv"]
    assert answers["inputs"].tolist() == ["mmd+temp+time", "means+temp+time", "means+temp+time"]
    assert main(["predict", str(tmp_path / "a"), str(curve), str(table)]) == 2
    assert "a holds no model" in capsys.readouterr().err


def test_nothing_is_overwritten(measured, tmp_path, capsys):
    file, out = tmp_path / "rows.csv", tmp_path / "answers.csv"
    measured.drop(columns="time").to_csv(file, index=False)
    out.write_text("mine")
    assert main(["predict", str(file), "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["predict", str(file), "--out", str(tmp_path / "answers.pdf")]) == 2


def test_the_expectations_beside_the_released_model_are_its_own():
    """The table of patterns is what the model does: one of them measured again."""
    kept = pd.read_csv(DEFAULT / expectations_module.FILE)
    assert list(kept.columns) == list(LINES)
    assert kept["pattern"].nunique() == 90
    model, off_grid = polyinv.load(DEFAULT).model, Observations.from_table(load_bundled("off_grid"))
    predicted = model.predict(off_grid.masked("composite+temp").x(model.columns))
    score = r2(off_grid.recipe, predicted)
    said = kept[(kept["level"] == "exact") & (kept["pattern"] == "composite+temp")].set_index("target")
    for target, line in said.iterrows():
        assert score[TARGETS.index(target)].item() == pytest.approx(line["r2"], abs=2e-3)


def test_the_value_of_knowing():
    """What the project promises of its masked model, off the grid."""
    kept = pd.read_csv(DEFAULT / expectations_module.FILE).set_index(["level", "pattern", "target"]).sort_index()["r2"]
    assert kept["exact", "composite+temp", "cAIBN_0"] >= 0.907
    assert kept["exact", "mmd+temp+time", "cAIBN_0"] >= 0.955
    assert kept["exact", "composite"].mean() >= 0.75
    assert kept["ordinary", "mmd+temp+time", "cAIBN_0"] >= 0.88  # and with the residual monomer, without the time:
    assert kept["ordinary", "composite+temp", "cAIBN_0"] < 0.6


@pytest.fixture
def curve(measured, tmp_path):
    """One of the polymers as an instrument exports it: M against a signal, decimal commas, from 10 to 1e8 g/mol."""
    log_m = np.linspace(1.0, 8.0, 1401)
    signal = 37 * np.interp(log_m, LOG_M, measured.loc[0, list(MMD)].to_numpy(dtype=float))
    lines = [f"{10**x:.2f};{y:.6f}".replace(".", ",") for x, y in zip(log_m, signal, strict=True)]
    path = tmp_path / "sec.txt"
    path.write_text("M [g/mol];RI signal\n" + "\n".join(lines))
    return path


def test_a_measured_curve_gets_recipe_assessment_and_picture(curve, measured, tmp_path, capsys):
    picture = tmp_path / "curve.png"
    assert main(["predict", str(curve), "--known", "temp=69.8,time=2982", "--plot", str(picture)]) == 0
    out, err = capsys.readouterr()
    answer = pd.read_csv(StringIO(out)).iloc[0]
    assert (answer["curve"], answer["inputs"], answer["temp"], answer["time"]) == (
        "sec.txt",
        "mmd+temp+time",
        69.8,
        2982,
    )
    assert abs(answer["cBA_0"] - measured.loc[0, "cBA_0"]) < 0.15
    assert 0 < answer["mmd_distance"] < 0.05
    assert "column 'RI signal' is a signal" in err
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_standard_input_is_a_file_like_any(curve, capsys, monkeypatch):
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(curve.read_bytes())))
    assert main(["predict", str(DEFAULT.parent / "mlp-mmd"), "-"]) == 0
    assert len(pd.read_csv(StringIO(capsys.readouterr().out))) == 1
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1,2\n2,3\n")))
    assert main(["predict", "-"]) == 2
    assert "standard input has 2 points; a curve needs 10 or more" in capsys.readouterr().err


def test_a_spoilt_curve_is_outside(measured, answered):
    bump = 0.3 * np.exp(-0.5 * ((LOG_M - 3.0) / 0.3) ** 2)
    curves = measured[list(MMD)] + bump
    answers, said = answered(curves.div(curves.sum(axis=1) * STEP, axis=0))
    assert (answers["applicability"] == "outside").all()
    assert "outside what models have learned, by the MMD at log10 M" in said


def test_known_values_keep_every_digit(measured, answered):
    answers, _ = answered(measured[list(MMD)], "--known", "temp=70.123456789012")
    assert (answers["temp"] == 70.123456789012).all()


def test_the_same_from_python(measured):
    answers = polyinv.load().predict(measured.drop(columns=["cBA_0", "cAIBN_0", "time"]), ask=["temp"])
    assert (answers["inputs"] == "composite").all()
    assert answers["sample"].tolist() == measured["sample"].tolist()
    assert {"applicability", "mmd_distance", "cAIBN_0_rmse"} <= set(answers.columns)


def test_observations_answer_as_their_table_does(measured):
    """Under their own labels; and the model behind takes what they give."""
    table, model = measured.drop(columns=["sample", "cAIBN_0", "time"]).set_index(measured["sample"]), polyinv.load()
    observations = Observations.from_table(table)
    answers = model.predict(observations)
    pd.testing.assert_frame_equal(answers, model.predict(table))
    predicted = model.model.predict(observations.x(model.model.columns))  # exact, unless they say otherwise
    exact = model.predict(observations, errors="exact")
    np.testing.assert_allclose(exact[list(TARGETS)], predicted, rtol=1e-6)
    with pytest.raises(InputError, match="two rows are called 'S1'"):
        model.predict(observations[[1, 1]])


@pytest.mark.parametrize(
    ("change", "known", "said"),
    [
        (lambda table: table.assign(MMD5=np.nan), {}, "row 0: column 'MMD5' is empty; a curve is given whole"),
        (lambda table: table.drop(columns="MMD50"), {}, "column 'MMD50' is missing"),
        (lambda table: table.head(0), {}, "has no rows"),
        (lambda table: table.set_axis(list("aabbccdd")), {}, "has two rows 'a'"),
        (lambda table: table.assign(Mn=np.inf), {}, "column 'Mn' holds 'inf'"),
        (lambda table: table, {"foo": 3}, "no value to be known 'foo'"),
        (lambda table: table, {"time": "long"}, "time is said to be 'long', which is not a number"),
        (lambda table: table, {"time": float("nan")}, "time is said to be nan"),
    ],
)
def test_tables_from_python_are_checked_as_files_are(measured, change, known, said):
    table = change(measured.drop(columns=["cBA_0", "cAIBN_0", "time"]))
    with pytest.raises(InputError, match=said):
        polyinv.load().predict(table, known=known)


def test_damaged_expectations_are_refused(tmp_path):
    (tmp_path / expectations_module.FILE).write_text("pattern,r2\nmmd,1\n")
    with pytest.raises(InputError, match="is damaged: it needs the columns"):
        expectations_module.Expectations(polyinv.load().model, tmp_path)


def test_values_are_read_as_they_stand():
    assert values_of(all_stated(["temp=70, time=3.6e3", "cBA_time=0"])) == {
        "temp": 70.0,
        "time": 3600.0,
        "cBA_time": 0.0,
    }
