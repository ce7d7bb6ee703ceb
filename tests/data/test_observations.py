"""Observations: what enters comes out again, gaps stay gaps, and what cannot be is refused in one line."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from polyinv.chemistry.butyl_acrylate import COLUMNS, RECIPE, SYSTEM, TARGETS
from polyinv.data.bundled import load_bundled
from polyinv.data.features import FEATURES, feature_columns
from polyinv.data.masks import given_inputs, masked_inputs
from polyinv.data.observations import Observations
from polyinv.data.patterns import every_pattern
from polyinv.errors import InputError
from polyinv.instrument.errors import LEVELS, error_columns
from polyinv.quantities import MMD

ERRORS = error_columns(RECIPE, "cBA_time")


@pytest.fixture
def table() -> pd.DataFrame:
    """Six rows off the grid, called by a letter."""
    return load_bundled("off_grid").head(6).set_axis(list("abcdef"))


ERRORS = error_columns(RECIPE, "cBA_time")


@pytest.fixture
def observations(table) -> Observations:
    return Observations.from_table(table)


def test_a_table_comes_back_as_it_went_in(table, observations):
    pd.testing.assert_frame_equal(observations.to_table(), table[list(COLUMNS)])
    assert len(observations) == 6
    for quantity in ("recipe", "residual_monomer", "Mn", "Mw", "mmd"):
        assert getattr(observations, quantity).dtype == torch.float64


@pytest.mark.parametrize("columns", [MMD, ("temp",), ("Mw", "Mn"), ()], ids=["mmd", "temp", "means", "none"])
def test_columns_that_a_table_lacks_are_missing(table, columns):
    observations = Observations.from_table(table[list(columns)].assign(sample="S"))
    absent = [column for column in COLUMNS if column not in columns]
    assert observations.x(absent).isnan().all()
    np.testing.assert_array_equal(observations.x(columns), table[list(columns)])


@pytest.mark.parametrize("features", FEATURES)
def test_a_model_is_given_its_columns_in_their_order(table, observations, features):
    columns = feature_columns(features, SYSTEM)
    values = [name for name in columns if name in table]
    np.testing.assert_array_equal(observations.x(columns)[:, : len(values)], table[values])
    again = Observations.from_tensor(observations.x(columns).float(), columns)
    torch.testing.assert_close(
        again.x(columns), observations.x(columns).float().double(), rtol=1e-6, atol=0, equal_nan=True
    )
    assert again.labels.tolist() == [1, 2, 3, 4, 5, 6]


def test_patterns_are_what_a_row_gives_whole(observations):
    conditional = feature_columns("conditional", SYSTEM)
    for pattern in every_pattern(SYSTEM):
        masked = observations.masked(pattern)
        assert masked.patterns() == [pattern] * 6
        x = masked_inputs(observations.x(conditional), conditional, pattern, SYSTEM)
        torch.testing.assert_close(masked.x(conditional), x, rtol=0, atol=0, equal_nan=True)
        assert torch.equal(masked.present, given_inputs(x, conditional, SYSTEM))


def test_a_large_error_of_the_residual_monomer_is_told_as_one_of_the_conversion(observations):
    stated = replace(observations, errors={"cBA_time": 0.2 * observations.residual_monomer}, assumed=LEVELS["ordinary"])
    told = stated.error_columns()
    kept = told["cBA_time_error"].square() + (told["conversion_error"] * observations.recipe[:, 0]).square()
    torch.testing.assert_close(kept.sqrt(), 0.2 * observations.residual_monomer)
    torch.testing.assert_close(told["cBA_time_error"], 0.03 * observations.residual_monomer)


def test_no_residual_monomer_has_an_error_all_the_same(observations):
    none = replace(observations, residual_monomer=torch.zeros(6).double(), assumed=LEVELS["exact"])
    assert (none.error_columns()["cBA_time_error"] > 0).all()


def test_half_a_curve_and_half_of_the_means_are_no_input():
    mmd = torch.full((3, 100), 0.125)
    mmd[1, 50] = torch.nan
    observations = Observations(mmd=mmd, Mn=[1e4, 1e4, 1e4], Mw=[2e4, 2e4, float("nan")])
    assert observations.patterns() == ["mmd+means", "means", "mmd"]
    assert Observations(Mn=[1e4]).patterns() == [""]


def test_forgetting_leaves_the_rest(observations):
    without = observations.forgetting(["temp", "means"])
    assert without.x(("temp", "Mn", "Mw")).isnan().all()
    rest = [column for column in COLUMNS if column not in ("temp", "Mn", "Mw")]
    assert torch.equal(without.x(rest), observations.x(rest))
    assert not observations.x(COLUMNS).isnan().any()  # of the original nothing is forgotten
    with pytest.raises(InputError, match="no input 'tmep'; known"):
        observations.forgetting(["tmep"])


def test_known_values_fill_gaps_and_contradict_nobody(table, observations):
    open_ = observations.forgetting(TARGETS)
    assert open_.with_known({"temp": 71.0}).recipe[:, 2].tolist() == [71.0] * 6
    half = Observations.from_table(table.assign(temp=[70.0, np.nan] * 3))
    assert half.with_known({"temp": 70.0 * (1 + 1e-12)}).recipe[:, 2] == pytest.approx([70.0] * 6)
    with pytest.raises(InputError, match=r"row a has temp 70, but --known says 71; leave out one"):
        half.with_known({"temp": 71.0})
    with pytest.raises(InputError, match="with what is known, row a, column 'Mw' holds 500; is less than Mn"):
        Observations.from_table(table[list(MMD)]).with_known({"Mn": 1000.0, "Mw": 500.0})


@pytest.mark.parametrize(
    "rows",
    [[4, 1], torch.tensor([4, 1]), np.array([4, 1])],
    ids=["list", "tensor", "array"],
)
def test_rows_keep_their_labels_and_errors(table, rows):
    spread = torch.arange(6.0)
    observations = Observations(mmd=table[list(MMD)].to_numpy(), errors={"temp": spread}, labels=table.index)
    chosen = observations[rows]
    assert chosen.labels.tolist() == ["e", "b"]
    assert chosen.errors["temp"].tolist() == [4.0, 1.0]
    assert torch.equal(chosen.mmd, observations.mmd[[4, 1]])
    assert observations.masked("mmd").errors["temp"].tolist() == spread.tolist()


def test_rows_are_chosen_as_in_a_tensor(observations):
    assert observations[2].labels.tolist() == ["c"]
    assert observations[1:3].labels.tolist() == ["b", "c"]
    assert observations[observations.recipe[:, 2] > 1e9].labels.tolist() == []
    assert observations[np.array([True, False] * 3)].labels.tolist() == ["a", "c", "e"]
    assert [row.labels[0] for row in observations] == list("abcdef")


def test_they_hold_no_graph(observations):
    mmd = observations.mmd.clone().requires_grad_()
    assert not Observations(mmd=mmd).mmd.requires_grad
    assert not Observations.from_tensor(mmd, MMD).mmd.requires_grad


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Observations(), "observations of nothing; needs one of recipe, residual_monomer"),
        (lambda: Observations(mmd=torch.ones(100)), r"mmd of 100 observations needs the shape \(100, 100\), got"),
        (lambda: Observations(Mn=torch.ones(3), Mw=torch.ones(2)), r"Mw of 3 observations needs the shape \(3,\)"),
        (lambda: Observations(Mn=[1.0], labels=["a", "b"]), "1 observations need as many labels, got 2"),
        (lambda: Observations(Mn=[1.0], errors={"mmd": [1.0]}), "no value with an error 'mmd'; known"),
        (lambda: Observations(Mn=[1.0], errors={"Mn": [1.0, 2.0]}), r"error of Mn of 1 observations needs the shape"),
        (lambda: Observations.from_tensor(torch.ones(2, 3), MMD), r"need the shape \(B, 100\), got \(2, 3\)"),
        (lambda: Observations.from_tensor(torch.ones(2, 1), ("Mz",)), "no column 'Mz' in the system butyl_acrylate"),
        (lambda: Observations(Mn=[1.0]).x(("Mz",)), "no column 'Mz' in the system butyl_acrylate"),
        (lambda: Observations(Mn=[1.0]).masked("temp"), "shows no polymer"),
    ],
)
def test_what_cannot_be_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_every_input_is_made_of_columns():
    assert {column for columns in SYSTEM.inputs.values() for column in columns} == set(COLUMNS)


STATED = {"temp_error": [0.5, np.nan] * 3, "cBA_time_error": [0.02] * 6, "sec_broadening": [0.045] * 6}


def test_stated_errors_are_carried_along(table):
    observations = Observations.from_table(table.assign(**STATED, sample="S"))
    assert set(observations.errors) == {"temp", "cBA_time", "sec_broadening"}
    assert observations.errors["temp"][:2].nan_to_num(-1.0).tolist() == [0.5, -1.0]
    again = Observations.from_table(observations.to_table())
    pd.testing.assert_frame_equal(again.to_table(), observations.to_table())
    chosen = observations.masked("mmd+temp")[[2]].errors
    assert {name: sd.tolist() for name, sd in chosen.items()} == {
        "temp": [0.5],
        "cBA_time": [0.02],
        "sec_broadening": [0.045],
    }


def test_known_values_bring_their_errors(table):
    observations = Observations.from_table(table.assign(**STATED)).forgetting(TARGETS)
    stated = observations.with_known({"temp": 71.0, "time": 900.0}, {"temp": 2.0}).errors
    assert stated["temp"].tolist() == [2.0] * 6
    assert "time" not in stated
    assert stated["sec_broadening"].tolist() == [0.045] * 6


@pytest.mark.parametrize("column", ERRORS)
def test_every_column_of_errors_is_recognized(table, column):
    observations = Observations.from_table(table.assign(**{column: ["", None, "0.01", 0.02, np.nan, " "]}))
    (stated,) = observations.errors.values()
    assert stated.nan_to_num(-1.0).tolist() == [-1, -1, 0.01, 0.02, -1, -1]


@pytest.mark.parametrize("column", ERRORS)
@pytest.mark.parametrize("cell", [0, -0.5, np.inf, -np.inf, "0", "much", "0,5,5", "1e999", "nan?", "±0.5", True])
def test_an_error_is_a_positive_number(table, column, cell):
    with pytest.raises(InputError, match=rf"row c, column '{column}' holds '.*'; needs a number above 0") as error:
        Observations.from_table(table.assign(**{column: [0.01, 0.01, cell, 0.01, 0.01, 0.01]}))
    assert "\n" not in str(error.value)


def test_per_cent_for_a_share_is_refused(table):
    with pytest.raises(
        InputError, match=r"'conversion_error' holds '1.5'; needs a number above 0 up to 0.5, or nothing"
    ):
        Observations.from_table(table.assign(conversion_error=1.5))
