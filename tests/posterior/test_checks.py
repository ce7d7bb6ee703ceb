"""The calibration of a posterior model in one table, and its picture."""

import pytest

import polyinv
from polyinv.posterior.checks import calibration
from polyinv.report.calibration import coverage


@pytest.fixture(scope="module")
def table():
    model = polyinv.load().model
    return calibration(model, "composite+temp", levels=("exact", "ordinary"), chains=(1e6,), rows=150, samples=40)


def test_the_released_posterior_is_calibrated_at_each_level(table):
    assert table[["errors", "chains"]].drop_duplicates().to_numpy().tolist() == [["exact", 1e6], ["ordinary", 1e6]]
    marginal = table[table["check"] == "marginal"]
    # Exact, the temperature is known; with an error it is asked for as well.
    assert marginal.groupby("errors")["target"].apply(list).to_dict() == {
        "exact": ["cBA_0", "cAIBN_0", "time"],
        "ordinary": ["cBA_0", "cAIBN_0", "temp", "time"],
    }
    assert marginal["coverage_90"].between(0.8, 0.98).all()  # four standard errors of 150 rows are 0.1
    assert set(table["check"]) == {"marginal", "TARP", "highest density"}
    nll = table.groupby("errors")["nll"].first()
    assert nll["exact"] < nll["ordinary"] - 1
    assert (table["verdict"] == "").all()


def test_the_picture_has_a_panel_for_each_value_and_for_all(table):
    titles = [axes.get_title() for axes in coverage(table, "from composite+temp").axes if axes.get_title()]
    assert titles[:3] == ["cBA_0", "cAIBN_0", "time"]
    assert "joint, of highest density" in titles


def test_the_same_rows_give_the_same_table():
    model = polyinv.load().model
    one, two = (calibration(model, "mmd+temp", levels=("exact",), chains=(1e6,), rows=20, samples=10) for _ in range(2))
    assert one.equals(two)
