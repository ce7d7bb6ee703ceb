"""What the log says of a row, the file says, too; what no reactor has is no answer."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import polyinv
from polyinv.cli import main
from polyinv.data.observations import Observations
from polyinv.data.source import simulate_table
from polyinv.domain import assessment
from polyinv.domain.assessment import assess
from polyinv.predict.answers import WARNINGS
from polyinv.predict.predictor import Predictor
from polyinv.predict.rows import read_rows

MEASURED = ["cBA_time", "Mn", "Mw"]


@pytest.fixture(scope="module")
def polymers() -> pd.DataFrame:
    recipes = pd.DataFrame(
        [[1.5, 0.01, 70.0, 1800.0], [1.0, 0.005, 65.0, 3600.0]], columns=["cBA_0", "cAIBN_0", "temp", "time"]
    )
    return simulate_table(recipes, method="deterministic")


GUESSES = {
    "K": ("temp", 343.15, "temp 343.15 outside 60 to 80 °C, 70 °C if it is in K"),
    "°F": ("temp", 158.0, "temp 158 outside 60 to 80 °C, 70 °C if it is in °F"),
    "min": ("time", 60.0, "time 60 outside 300 to 3600 s, 3600 s if it is in min"),
    "h": ("time", 0.5, "time 0.5 outside 300 to 3600 s, 1800 s if it is in h"),
    "mmol/L": ("cAIBN_0", 10.9, "cAIBN_0 10.9 outside 0.0025 to 0.02 mol/L, 0.0109 mol/L if it is in mmol/L"),
    "mmol/L of monomer": ("cBA_0", 1500.0, "cBA_0 1500 outside 0.5 to 3 mol/L, 1.5 mol/L if it is in mmol/L"),
    "no other unit": ("temp", 95.0, "temp 95 outside 60 to 80 °C"),
}


@pytest.mark.parametrize(("name", "value", "said"), GUESSES.values(), ids=GUESSES)
def test_a_known_value_outside_the_box_is_outside_and_its_unit_is_guessed(polymers, name, value, said):
    known = polymers.drop(columns=["cBA_0", "cAIBN_0", "time", "temp"]).assign(**{name: value})
    found = assess(Observations.from_table(known))
    assert (found["applicability"] == "outside").all()
    assert found["reason"].tolist() == [said] * 2


@pytest.mark.parametrize(("times", "unit"), [([1.0, 30.0], "min"), ([1.0, 0.5], "h")])
def test_guesses_of_the_unit_agree_in_a_file_and_before(polymers, tmp_path, capsys, times, unit):
    """An hour and a minute are both written as 1; the other rows say which is meant."""
    table = polymers.drop(columns=["cBA_0", "cAIBN_0", "time", *polymers.filter(like="MMD")]).assign(time=times)
    table.to_csv(tmp_path / "table.csv", index=False)
    assert main(["predict", str(tmp_path / "table.csv"), "--out", str(tmp_path / "answers.csv")]) == 0
    said = capsys.readouterr().err + " ".join(pd.read_csv(tmp_path / "answers.csv")["reason"])
    assert set(re.findall(r"if it is (?:in )?(min|h)\b", said)) == {unit}


def test_the_unit_is_guessed_from_all_rows_whatever_the_blocks(polymers, monkeypatch):
    table = polymers[["Mn", "Mw"]].assign(time=[1.0, 30.0])
    monkeypatch.setattr(assessment, "BLOCK", 1)
    reasons = assess(Observations.from_table(table))["reason"].tolist()
    assert [reason.rpartition(" ")[2] for reason in reasons] == ["min", "min"]


def test_a_known_time_that_may_be_minutes_or_hours_is_guessed_alike(polymers, tmp_path, capsys):
    polymers[["Mn", "Mw"]].to_csv(tmp_path / "table.csv", index=False)
    known = ["--known", "temp=70,time=1", "--out", str(tmp_path / "answers.csv")]
    assert main(["predict", str(tmp_path / "table.csv"), *known]) == 0
    said = capsys.readouterr().err
    assert set(re.findall(r"if it is (?:in )?(min|h)\b", said)) == {"h"}


def test_values_inside_the_box_are_no_reason(polymers):
    assert (assess(Observations.from_table(polymers.drop(columns="time")))["reason"] == "").all()


class Wild:
    """A model that answers what no reactor has."""

    conditional = False
    system = polyinv.load_system()
    columns = ("Mn", "Mw")

    def predict_members(self, x):
        wild = torch.tensor([[-0.2, 0.01, 70.0, -5475.0], [1.0, 0.0, -300.0, torch.inf]], dtype=torch.float64)
        return wild[None, : len(x)]


def test_answers_that_no_reactor_has_are_left_empty(polymers, tmp_path, caplog):
    answers = Predictor(Wild(), tmp_path).predict(polymers[["Mn", "Mw"]])
    empty = answers[["cBA_0", "cAIBN_0", "temp", "time"]].isna().to_numpy()
    assert empty.tolist() == [[True, False, False, True], [False, True, True, True]]
    assert "the answer for time is -5.48e+03 (row 0) s, which no reactor has; left empty" in caplog.text
    assert answers[WARNINGS].str.contains("no possible answer for time").all()
    assert not np.isinf(answers.select_dtypes("number")).to_numpy().any()


def test_the_file_warns_as_the_log_does(polymers, tmp_path, capsys):
    table = polymers.drop(columns=["cBA_0", "cAIBN_0", "time"]).assign(temp=[70.0, 79.0])  # the second was at 65
    table.to_csv(tmp_path / "table.csv", index=False)
    assert main(["predict", str(tmp_path / "table.csv"), "--out", str(tmp_path / "answers.csv")]) == 0
    said = capsys.readouterr().err
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert "row 3: temp is given as 79, but the answer" in said
    assert "temp conflicts with the rest" in answers.loc[1, WARNINGS]
    assert "temp conflicts" not in str(answers.loc[0, WARNINGS])
    far = answers["mmd_distance"] > 3 * answers["mmd_distance_replicate"]
    assert answers[WARNINGS].fillna("").str.contains("makes another curve").tolist() == far.tolist()
    assert far.any() == ("make another curve" in said)


def test_a_file_of_which_most_deviates_is_said_to_be_of_another_laboratory(polymers, caplog):
    many = pd.concat([polymers.filter(like="MMD")] * 4, ignore_index=True)
    moved = many.shift(-8, axis=1).fillna(0.0)  # 0.64 decades lower: no recipe of the box makes these
    answers = polyinv.load().predict(moved, {"temp": 70.0, "time": 3600.0}, normalize=True)
    assert (answers["applicability"] != "inside").all()
    assert "8 of 8 rows are not inside: kinetics or instrument differ" in caplog.text
    assert answers[WARNINGS].str.contains("kinetics or instrument differ").all()


def test_of_a_file_in_kelvin_the_unit_alone_is_said(polymers, tmp_path, capsys):
    table = pd.concat([polymers] * 4, ignore_index=True).drop(columns=["cBA_0", "cAIBN_0"])
    table.assign(temp=table["temp"] + 273.15).to_csv(tmp_path / "table.csv", index=False)
    assert main(["predict", str(tmp_path / "table.csv"), "--out", str(tmp_path / "answers.csv")]) == 0
    said = capsys.readouterr().err
    assert "70 °C if it is in K" in said
    for other in ("kinetics or instrument differ", "the answer for cBA_0 is", "make another curve"):
        assert other not in said
    said = pd.read_csv(tmp_path / "answers.csv")[WARNINGS].str.split("; ").explode()
    assert set(said) <= {"temp is given outside the range", "no possible answer for cAIBN_0"}


def test_rows_without_a_guess_still_deviate_alike(polymers, caplog):
    many = pd.concat([polymers.filter(like="MMD")] * 4, ignore_index=True)
    moved = many.shift(-8, axis=1).fillna(0.0).assign(temp=[343.15, *[70.0] * 7], time=3600.0)
    answers = polyinv.load().predict(moved, normalize=True)
    assert "7 of 7 rows are not inside: kinetics or instrument differ" in caplog.text
    assert answers[WARNINGS].str.contains("kinetics or instrument differ").tolist() == [False, *[True] * 7]


def test_an_infinite_deviation_is_no_huge_number(polymers):
    spike = torch.zeros(1, 100, dtype=torch.float64)
    spike[0, 55:57] = 1 / 0.16
    found = assess(replace(Observations.from_table(polymers.head(1)), mmd=spike, recipe=torch.full((1, 4), torch.nan)))
    assert found["distance"].tolist() == [np.inf]


def test_a_file_that_is_given_twice_is_said_to_be(polymers, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    polymers[MEASURED].to_csv("a.csv", index=False)
    polymers[MEASURED].to_csv("b.csv", index=False)
    read_rows(["a.csv", "b.csv"])
    assert "given twice" not in caplog.text
    observations, _ = read_rows(["a.csv", "b.csv", tmp_path / "a.csv"])
    assert len(observations) == 6
    assert f"{tmp_path / 'a.csv'} is given twice; its rows are answered each time" in caplog.text
