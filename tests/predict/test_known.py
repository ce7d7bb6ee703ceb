"""Known values and their errors, as a user states them."""

import logging
from pathlib import Path

import pandas as pd
import pytest

import polyinv
from polyinv import cli
from polyinv.errors import InputError
from polyinv.predict.known import Stated, all_stated, errors_of, stated, values_of
from polyinv.predict.predictor import Predictor


@pytest.mark.parametrize(
    "sign", ["±", "+-", "+/-", " ± ", " +- ", " +/- ", "+ -", "+\N{MINUS SIGN}", "+/\N{MINUS SIGN}"]
)
def test_an_error_follows_a_value(sign):
    given = [f"temp=70{sign}0.5, time=3600", f"cBA_time=4e-1{sign}2.5e-2"]
    assert values_of(all_stated(given)) == {"temp": 70.0, "time": 3600.0, "cBA_time": 0.4}
    assert errors_of(all_stated(given)) == {"temp": 0.5, "cBA_time": 0.025}


@pytest.mark.parametrize("text", ["0.4±5%", "0.4 ± 5 %", "0.4+-5%", "0.4 +/- 5.0 %"])
def test_a_per_cent_is_relative_to_the_value(text):
    assert stated("cBA_time", text) == (0.4, pytest.approx(0.02))


WRITTEN = [
    "70±0,5",
    "70 ± 0.5 °C",
    "70±0.5C",
    "70 °C ± 0.5 °C",
    "70±0.5 K",
    "343,15 K ± 0,5",
    "70,0+-0,5",
    "(70±0.5) °C",
]


@pytest.mark.parametrize("text", [*WRITTEN, "70 deg C ± 0.5", "158°F±0.9", "７０±０.５", "７０＋／－０.５"])
@pytest.mark.parametrize(
    "form", ["temp={}", "temp={},time=60 min±30 s", "time=1h±0.5 min;temp={}", "temp＝{}， time＝3600±30"]
)
def test_a_temperature_and_its_error_are_understood_as_people_write_them(form, text, caplog):
    given = all_stated([form.format(text)])
    assert given.pop("temp") == (pytest.approx(70), pytest.approx(0.5))
    assert given in ({}, {"time": (3600.0, 30.0)})
    assert caplog.text == ""


def test_other_quantities_have_units_too():
    given = all_stated(["time=60±1 min,cAIBN_0=10 mmol/L ± 2%", "Mn=20 kDa,Mw=40,5 ± 0,4 kDa,cBA_time=0,4"])
    expected = {"time": (3600, 60), "cAIBN_0": (0.01, 2e-4), "Mn": (20e3, None), "Mw": (40.5e3, 400)}
    assert {name: given[name] for name in expected} == {
        name: tuple(each if each is None else pytest.approx(each) for each in values)
        for name, values in expected.items()
    }
    assert given["cBA_time"] == (0.4, None)


def test_thousands_are_told_from_decimals_where_one_cannot_be():
    assert values_of(all_stated(["Mn=20,000,temp=70,500,time=1.234,5"])) == {"Mn": 20e3, "temp": 70.5, "time": 1234.5}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("time=3,600", "time is said to be 3,600: 3,600 may be 3600 or 3.6; write one of these"),
        ("time=3600±1,000", "time is said to be 3600 ± 1,000: 1,000 may be 1000 or 1; write one of these"),
        ("cBA_0=1,500 mmol/L", "cBA_0 is said to be 1,500 mmol/L: 1,500 mmol/L may be 1500 or 1.5; write one of these"),
        ("Mn=20,500 kDa", "Mn is said to be 20,500 kDa: 20,500 kDa may be 20500 or 20.5; write one of these"),
        ("temp=70.5±0,5", "temp is said to be 70.5 ± 0,5: decimal commas and points; needs one of them"),
        ("temp=70 min", "temp is said to be 70 min; needs a number in °C, K or °F"),
        ("temp=70±0.5 min", "temp is said to be 70±0.5 min; needs a number in °C, K or °F"),
        ("cBA_0=1.5 g/L", "cBA_0 is said to be 1.5 g/L; needs a number in mol/L or mmol/L"),
        ("temp=70%", "temp is said to be 70%; needs a number in °C, K or °F"),
        ("temp=70,time", "--known time: needs name=value"),
    ],
)
def test_what_may_be_two_things_is_refused_in_one_line(given, said):
    with pytest.raises(InputError) as error:
        all_stated([given])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_signs_of_numbers_are_no_errors():
    assert stated("temp", "-5") == (-5.0, None)
    assert stated("temp", "-5±1e-1") == (-5.0, 0.1)
    assert stated("time", "+3.6e+3") == (3600.0, None)
    assert stated("time", "3.6e+3±6e+1") == (3600.0, 60.0)
    assert stated("Mn", 20_000) == (20_000.0, None)


@pytest.mark.parametrize(
    "given",
    ["70±", "70±0", "70±-1", "70±x", "70±nan", "70±inf", "70±0.5±1", "70+-", "70+/-0", "70±1e999"],
)
def test_an_error_is_a_positive_number(given):
    with pytest.raises(InputError, match=r"temp is said to be known to ± .*; needs a number above 0") as error:
        values_of(all_stated([f"temp={given}"]))
    assert "\n" not in str(error.value)


def test_a_temperature_has_no_error_in_per_cent():
    with pytest.raises(InputError, match=r"needs its error in °C, such as temp=70±0.5"):
        values_of(all_stated(["temp=70±1%"]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("temp=±0.5", "temp is said to be '', which is not a number"),
        ("temp=7_0", "temp is said to be '7_0', which is not a number"),
        ("Mn=20 M", "Mn is said to be 20 M; needs a number in g/mol"),
        ("temp=x±0.5", "temp is said to be 'x', which is not a number"),
        ("tmep=70±0.5", "no value to be known 'tmep'"),
        ("temp±0.5", "needs name=value, such as temp=70 or temp=70±0.5"),
        ("temp=70±0.5,temp=71", "--known gives temp twice"),
        ("cBA_time=0±5%", "cBA_time is said to be known to ± 5%; needs a number above 0"),
        ("time=0±5", "time is said to be 0; needs a number above 0"),
    ],
)
def test_a_wrong_statement_is_refused_in_one_line(given, said):
    with pytest.raises(InputError) as error:
        values_of(all_stated([given]))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ("sec_broadening=0.06", {"sec_broadening": 0.06}),
        ("sec_broadening=0,06;sec_offset=2%", {"sec_broadening": 0.06, "sec_offset": 0.02}),
        ("temp=70,temp_error=0.5", {"temp": 0.5}),
        ("conversion=40%±2%", {"conversion": 0.02}),
        ("conversion=40±2%", {"conversion": 0.02}),
        ("conversion=0,4±0,02", {"conversion": 0.02}),
        ("cBA_0=1.5,conversion=0.4,conversion_error=0.02", {"conversion": 0.02}),
    ],
)
def test_errors_and_conversions_are_stated_by_name(given, errors):
    known = all_stated([given])
    assert errors_of(known) == errors
    assert values_of(known).get("conversion", 0.4) == 0.4
    assert not any(name.startswith("sec_") for name in values_of(known))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sec_broadening=6", "sec_broadening is said to be '6'; needs a number above 0 up to 0.5"),
        (
            "sec_lower_limit=1,000",
            "sec_lower_limit is said to be '1,000'; needs a number above 0 up to 100000, decimals",
        ),
        ("sec_brodening=0.06", "no error to be known 'sec_brodening'"),
        ("temp=70±0.5,temp_error=1", "--known gives the error of temp twice"),
        ("conversion=0.4,cBA_time=0.9", "--known gives conversion and cBA_time, which say the same"),
        ("conversion=40", "conversion is said to be 40; needs a number from 0 to 1, or per cent, such as 40%"),
        ("conversion=140%", "conversion is said to be 140%; needs a number from 0 to 1"),
        ("conversion=0.4±5%", "whose error may be a share of the conversion or of the monomer charged"),
        ("conversion=0.4±0", "conversion is said to be known to ± 0; needs a number above 0"),
        ("conversion=0.4 mol/L", "conversion is said to be 0.4 mol/L; needs a number from 0 to 1"),
    ],
)
def test_wrong_errors_and_conversions_are_refused_in_one_line(given, said):
    with pytest.raises(InputError) as error:
        all_stated([given])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


POLYMERS = Path(__file__).parents[2] / "examples" / "files" / "polymers.csv"


@pytest.fixture
def polymers():
    return pd.read_csv(POLYMERS).head(2)


def test_errors_go_from_the_command_line_and_from_columns_to_the_observations(polymers, tmp_path, monkeypatch):
    """They arrive, and where the model is not told them the answers are those without."""
    seen = []
    answers = Predictor._answers
    monkeypatch.setattr(
        Predictor,
        "_answers",
        lambda self, observations, *rest: seen.append(observations) or answers(self, observations, *rest),
    )
    table = polymers.drop(columns=["temp"]).assign(sec_broadening=[0.03, None], cBA_time_error="0.02")
    table.to_csv(tmp_path / "with.csv", index=False)
    table.drop(columns=["sec_broadening", "cBA_time_error"]).to_csv(tmp_path / "without.csv", index=False)
    for name in ("with", "without"):
        known = "temp=70±0.5" if name == "with" else "temp=70"
        cli.main(
            ["predict", str(tmp_path / f"{name}.csv"), "--known", known, "--out", str(tmp_path / f"{name}-out.csv")]
        )
    assert seen[0].errors["temp"].tolist() == [0.5, 0.5]
    assert seen[0].errors["cBA_time"].tolist() == [0.02, 0.02]
    assert seen[0].errors["sec_broadening"].nan_to_num(-1.0).tolist() == [0.03, -1.0]
    assert seen[1].errors == {}
    outs = [pd.read_csv(tmp_path / f"{name}-out.csv") for name in ("with", "without")]
    told = polyinv.load().model.takes_errors
    # The second polymer has no residual monomer, and its other errors are those that are assumed anyway.
    assert (outs[0]["cAIBN_0"] != outs[1]["cAIBN_0"]).tolist() == [told, False]
    assert outs[0]["sec_broadening"][0] == 0.03  # passed through


def test_an_error_of_a_mean_that_looks_like_a_share_is_asked_about(polymers, caplog):
    polyinv.load().predict(polymers.assign(Mn_error=0.05, Mw_error=500.0))
    assert "Mn_error is 0.05 g/mol in 2 of 2 rows, less than a thousandth of Mn; is it a share?" in caplog.text
    assert "Mw_error" not in caplog.text


def test_a_value_known_no_better_than_its_range_is_not_known(polymers, caplog):
    table = polymers.drop(columns=["temp", "cBA_time"])
    answers = polyinv.load().predict(table, known={"temp": "70 ± 1000"})
    assert "temp of 2 rows is known no better than by the range 60 to 80 °C" in caplog.text
    assert answers["temp_rmse"].notna().all()
    pd.testing.assert_frame_equal(answers, polyinv.load().predict(table))


def test_a_polymerization_that_left_no_monomer_is_answered(polymers):
    answers = polyinv.load().predict(polymers.drop(columns="temp").assign(cBA_time=0.0), known={"temp": 70})
    assert answers["cAIBN_0_rmse"].notna().all()
    assert not answers["warnings"].str.contains("is larger than any learned from").any()


def test_python_states_errors_as_text(polymers, caplog):
    with caplog.at_level(logging.ERROR):
        answers = polyinv.load().predict(polymers.drop(columns="temp"), known={"temp": "70 ± 0.5"})
    assert (answers["temp"] == 70).all()
    with pytest.raises(InputError, match="row 1, column 'temp_error' holds '-1'"):
        polyinv.load().predict(polymers.assign(temp_error=[1, -1]))


def test_the_broadening_of_a_file_is_stated_once_for_all_rows(polymers):
    polymers = polymers.drop(columns="temp")
    answers = polyinv.load().predict(polymers, known={"temp": 70, "sec_broadening": 0.06})
    stated = polyinv.load().predict(polymers.assign(sec_broadening=0.06), known={"temp": 70})
    pd.testing.assert_frame_equal(answers, stated.drop(columns="sec_broadening"))


def test_a_conversion_is_the_residual_monomer_where_the_monomer_is_known(polymers):
    polymers = polymers.drop(columns=["temp", "cBA_time"])
    answers = polyinv.load().predict(polymers, known={"temp": 70, "cBA_0": 1.5, "conversion": "0.4 ± 0.02"})
    known = {"temp": 70, "cBA_0": 1.5, "cBA_time": 0.9}
    stated = polyinv.load().predict(polymers.assign(conversion_error=0.02), known=known)
    pd.testing.assert_frame_equal(answers, stated.drop(columns="conversion_error"))


def test_a_conversion_needs_the_initial_monomer(capsys):
    curve = str(POLYMERS.with_name("curve_wingpc.txt"))
    assert cli.main(["predict", curve, "--known", "temp=70,conversion=0.4"]) == 2
    (said,) = (line for line in capsys.readouterr().err.splitlines() if "error:" in line)
    assert (
        "conversion=0.4 needs the initial monomer, which row 1 lacks: state cBA_0 in mol/L as well, or cBA_time" in said
    )


def test_a_conversion_against_the_residual_monomer_of_a_row_is_refused(polymers):
    with pytest.raises(InputError, match=r"has cBA_time .*, but --known conversion=0.4 leaves 0\.9; leave out one"):
        polyinv.load().predict(polymers.drop(columns="temp"), known={"cBA_0": 1.5, "conversion": 0.4})


def test_checks_of_a_curve_warn_of_nothing_about_arrays(capsys):
    assert cli.main(["predict", str(POLYMERS.with_name("curve_wingpc.txt")), "--known", "temp=70,time=3600"]) == 0
    assert "warning" not in capsys.readouterr().err


def test_a_wrong_error_ends_the_command_with_one_line(capsys):
    assert cli.main(["predict", str(POLYMERS), "--known", "temp=70±0"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_residual_monomer_too_large_may_be_of_another_unit_or_a_conversion(caplog):
    values_of(all_stated(["cBA_time=63"]))
    assert "if it is mmol/L, it is 0.063 mol/L, or if it is a conversion in %, it is 0.37 times cBA_0" in caplog.text


@pytest.mark.parametrize(
    ("given", "said"),
    [("temp=343.15", "if it is K, it is 70 °C"), ("time=30", "if it is min"), ("cAIBN_0=10", "if it is mmol/L")],
)
def test_known_values_that_fit_another_unit_better_are_said(given, said, caplog):
    values_of(all_stated([given]))
    assert said in caplog.text
    assert f"--known {given.partition('=')[0]} holds" in caplog.text


def test_m_is_mol_per_litre():
    assert all_stated(["cBA_0=1.5M", "cAIBN_0=8 mM ± 0.001 M"]) == {
        "cBA_0": Stated(1.5),
        "cAIBN_0": pytest.approx(Stated(0.008, 0.001)),
    }
