"""Polymers as a laboratory measures them: errors are stated with the values, and what is stated is what was drawn."""

import pytest
import torch

from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.data.bundled import load_bundled
from polyinv.data.features import WITH_ERRORS, errors_of, feature_columns, input_of_error
from polyinv.data.measure import measure
from polyinv.data.observations import Observations
from polyinv.errors import InputError
from polyinv.instrument.errors import LEAST, LEVELS

COLUMNS = feature_columns(WITH_ERRORS, SYSTEM)


@pytest.fixture(scope="module")
def exact():
    return Observations.from_table(load_bundled("off_grid").head(400))


def test_measured_values_scatter_by_what_is_stated(exact):
    found = measure(exact, {"level": "exact", "temperature": 2.0, "conversion": 0.02}, seed=1)
    assert (found.recipe - exact.recipe)[:, 2].std().item() == pytest.approx(2.0, rel=0.15)
    error = (found.residual_monomer - exact.residual_monomer) / exact.recipe[:, 0]
    assert error.std().item() == pytest.approx(0.02, rel=0.2)
    assert (found.errors["temp"] == 2.0).all()
    assert (found.errors["conversion"] == 0.02).all()


def test_exact_measurements_change_nothing(exact):
    found = measure(exact, "exact")
    for name in ("recipe", "residual_monomer", "Mn", "Mw", "mmd"):
        torch.testing.assert_close(getattr(found, name), getattr(exact, name), rtol=1e-6, atol=1e-9)
    assert found.exact.all()
    assert found.has_exact_curves


def test_only_whole_polymers_are_measured(exact):
    with pytest.raises(InputError, match="only what is known whole"):
        measure(exact.forgetting(["means"]))


@pytest.mark.parametrize("level", LEVELS)
def test_a_model_is_told_what_was_stated_or_is_assumed(exact, level):
    found = measure(exact, level)
    x = found.x(COLUMNS)
    assert x.shape == (400, len(COLUMNS))
    assert not x.isnan().any()
    told = dict(zip(COLUMNS, x.unbind(1), strict=True))
    assert told["temp_error"].unique().tolist() == [max(LEVELS[level].temperature, LEAST["temperature"])]
    relative = told["Mn_error"] / found.Mn
    assert relative.min().item() == pytest.approx(max(LEVELS[level].molar_mass, LEAST["molar_mass"]))
    again = Observations.from_tensor(x, COLUMNS, SYSTEM)
    torch.testing.assert_close(again.x(COLUMNS), x)


def test_where_nothing_is_stated_the_assumed_level_holds(exact):
    bare = Observations(Mn=exact.Mn, Mw=exact.Mw, assumed="ordinary", system=SYSTEM)
    errors = bare.error_columns()
    assert (errors["sec_broadening"] == 0.045).all()
    assert errors["temp_error"].eq(0.5).all()
    assert errors["cBA_0_error"].isnan().all()  # of what is missing
    assert not bare.exact.any()


def test_who_states_the_error_of_the_residual_monomer_means_all_of_it(exact):
    table = load_bundled("off_grid").head(3).assign(cBA_time_error=0.005)
    errors = Observations.from_table(table, assumed="ordinary").error_columns()
    assert (errors["cBA_time_error"] == 0.005).all()
    assert (errors["conversion_error"] == LEAST["conversion"]).all()


def test_a_curve_tells_where_it_was_cut_off(exact):
    curve = exact.mmd.clone()
    curve[:, 62:] = 0  # above 10^4.96 g/mol
    curve[:, :37] = 0  # below 1000 g/mol
    cut = Observations(mmd=curve, assumed="ordinary", system=SYSTEM).error_columns()
    assert cut["sec_lower_limit"].max() <= 1000
    height = curve[:, 61] / curve.amax(1)
    torch.testing.assert_close(cut["sec_cut_high"], height.maximum(cut["sec_cut_high"].new_tensor(LEAST["cut_high"])))
    whole = Observations(mmd=exact.mmd, system=SYSTEM).error_columns()
    assert (whole["sec_lower_limit"] == LEAST["lower_limit"]).all()


@pytest.mark.parametrize(("column", "of"), [("time_error", "time"), ("Mw_error", "means"), ("sec_noise", None)])
def test_an_error_belongs_to_what_it_is_of(column, of):
    assert column in errors_of(SYSTEM)
    assert input_of_error(column, SYSTEM) == of
