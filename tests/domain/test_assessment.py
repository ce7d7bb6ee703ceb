"""Applicability domain: polymers of the box are inside, spoilt ones are not, and false alarms are as stated."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.autograd.functional import jvp

from polyinv.chemistry.butyl_acrylate import RECIPE, SYSTEM, TARGETS
from polyinv.data.bundled import load_bundled
from polyinv.data.measure import measure
from polyinv.data.observations import Observations
from polyinv.data.source import simulate_table
from polyinv.domain.assessment import (
    ERRORS,
    FALSE_ALARMS,
    GRADES,
    KINDS,
    LEVELS,
    assess,
    calibrate,
    limits,
    references,
)
from polyinv.domain.closest import fit
from polyinv.domain.least_squares import CURVE, rooted, slopes_of_root
from polyinv.mmd import LOG_M, unit_area
from polyinv.quantities import MMD


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return load_bundled("off_grid").head(400)


def observed(table: pd.DataFrame, given: str = "composite") -> Observations:
    return Observations.from_table(table).masked(given)


def not_inside(table: pd.DataFrame, given: str = "composite") -> float:
    return (assess(observed(table, given))["applicability"] != "inside").mean()


def curves(table: pd.DataFrame, change) -> pd.DataFrame:
    return table.assign(**dict(zip(MMD, unit_area(change(table[list(MMD)].to_numpy(copy=True))).T, strict=True)))


def test_polymers_of_the_box_raise_the_stated_share_of_false_alarms(table):
    """Real kinetic Monte Carlo, which the limits have not seen; 400 rows: three standard errors."""
    alarms = not_inside(table)
    assert abs(alarms - FALSE_ALARMS) < 3 * (FALSE_ALARMS * (1 - FALSE_ALARMS) / len(table)) ** 0.5
    assert (assess(observed(table))["applicability"] == "outside").mean() < 0.02


@pytest.mark.parametrize(
    "change",
    [
        lambda table: curves(
            table, lambda w: w + 0.01 * w.max(1, keepdims=True) * (w > 1e-3 * w.max(1, keepdims=True))
        ),
        lambda table: curves(table, lambda w: w + 0.05 * np.roll(w, 12, axis=1)),
        lambda table: table.assign(Mn=1.02 * table["Mn"]),
        lambda table: table.assign(Mw=0.98 * table["Mw"]),
        lambda table: table.assign(cBA_time=2 * table["cBA_time"]),
    ],
    ids=["baseline", "second mode", "Mn", "Mw", "residual monomer"],
)
def test_a_spoilt_observation_is_not_inside(table, change):
    assert not_inside(change(table.head(100))) >= 0.9


@pytest.mark.parametrize("values", [{"cBA_0": 5.0}, {"cBA_0": 0.05}], ids=["5 mol/L", "0.05 mol/L"])
def test_a_recipe_far_outside_is_not_inside(table, values):
    recipes = table.head(60)[list(TARGETS)].assign(**values)
    assert not_inside(simulate_table(recipes, method="sampled", chains=1e6, seed=5, horizon=3600.0)) >= 0.9


def test_the_wrong_temperature_is_caught_where_no_recipe_of_the_box_could_have_made_the_curve(table):
    right = observed(table.head(100), "mmd+temp+time")
    said = right.recipe.clone()
    said[:, 2] = torch.where(said[:, 2] > 70, said[:, 2] - 10, said[:, 2] + 10)
    wrong = replace(right, recipe=said)
    alarms = [(assess(observations)["applicability"] != "inside").mean() for observations in (right, wrong)]
    assert alarms[0] < 0.15
    assert alarms[1] > 3 * alarms[0]


def test_what_is_out_is_named(table):
    spoilt = table.head(20).assign(Mw=1.1 * table["Mw"])
    assert set(assess(observed(spoilt))["reason"]) == {"Mw against the MMD"}
    bump = 0.05 * np.exp(-0.5 * ((LOG_M - 3.0) / 0.3) ** 2)
    out = assess(observed(curves(table.head(20), lambda w: w + bump), "mmd"))["reason"]
    low = out.str.extract(r"at log10 M ([\d.]+) to ([\d.]+)").astype(float)
    assert ((low[0] < 3.6) & (low[1] > 2.4)).mean() > 0.8


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_a_spike_is_outside(table, nodes):
    spike = curves(table.head(2), lambda w: np.tile((np.arange(100) - 55) % 100 < nodes, (len(w), 1)).astype(float))
    assessment = assess(observed(spike, "mmd"))
    assert (assessment["applicability"] == "outside").all()
    assert (assessment["reason"] == f"the MMD, {nodes} nodes wide").all()


def test_the_closest_recipe_lies_in_the_box_and_makes_the_curve(table):
    assessments = assess(observed(table.head(50)))
    for quantity in RECIPE:
        for kind in ("closest", "nearest"):
            values = assessments[f"{kind}_{quantity.name}"]
            assert ((values >= quantity.low - 1e-9) & (values <= quantity.high + 1e-9)).all()
    at_temperature = observed(table.head(50), "composite+temp")
    found = fit(references(SYSTEM), at_temperature)
    torch.testing.assert_close(found.recipes[:, 2], torch.tensor(table["temp"].head(50).to_numpy(copy=True)))
    assert found.misfit.median() < 1.1


def test_a_noise_free_polymer_of_the_box_is_fitted_to_the_last_digit():
    recipes = pd.DataFrame([[1.3, 0.008, 66.0, 1500.0]], columns=list(TARGETS))
    made = observed(simulate_table(recipes, method="deterministic"))
    found = fit(references(SYSTEM), made)
    assert found.misfit.item() < 0.5  # of the noise of ten million chains
    assert assess(made)["applicability"].item() == "inside"


@pytest.mark.parametrize("lowest", [3.0, 3.48])
def test_a_curve_is_judged_where_it_was_measured(table, lowest):
    """Cut off below 1000 or 3000 g/mol, curves raise no more alarms than whole ones do: 3 standard errors."""
    cut = curves(table, lambda w: w * (lowest <= LOG_M))
    assert not_inside(cut, "mmd") < FALSE_ALARMS + 3 * (FALSE_ALARMS * (1 - FALSE_ALARMS) / len(table)) ** 0.5


def test_slopes_of_the_fit_are_those_of_its_curve(rng):
    fitted, slopes = (torch.from_numpy(rng.random(shape)) for shape in ((3, 103), (3, 103, 4)))
    for at in range(4):
        _, expected = jvp(lambda seen: rooted(seen)[:, CURVE], fitted, slopes[:, :, at])
        torch.testing.assert_close(slopes_of_root(fitted, slopes)[..., at], expected)


@pytest.mark.parametrize("given", ["composite", "mmd", "means", "mmd+temp+time"])
@pytest.mark.parametrize("level", ["good", "ordinary", "rough"])
def test_measured_polymers_raise_no_more_false_alarms_than_stated(table, level, given):
    """With the errors that are stated, Mn and Mw as an SEC program gives them: 400 rows, three standard errors."""
    rows = measure(Observations.from_table(table), level, seed=1).masked(given)
    alarms = (assess(rows)["applicability"] != "inside").mean()
    assert alarms < FALSE_ALARMS + 3 * (FALSE_ALARMS * (1 - FALSE_ALARMS) / len(table)) ** 0.5


def test_a_calibration_far_beyond_its_error_is_not_inside(table):
    rows = measure(Observations.from_table(table.head(60)), {"level": "good", "offset": 0.0}, seed=1)
    shifted = replace(rows, Mn=1.3 * rows.Mn, Mw=1.3 * rows.Mw).masked("means+cBA_time+cBA_0+temp+time")
    right = rows.masked("means+cBA_time+cBA_0+temp+time")
    alarms = [(assess(each)["applicability"] != "inside").mean() for each in (right, shifted)]
    assert alarms[0] < 0.2
    assert alarms[1] > 0.8


@pytest.mark.parametrize("factor", [0.001, 0.03, 0.3])
@pytest.mark.parametrize("given", ["composite", "mmd+residual"])
def test_a_residual_monomer_far_too_small_is_not_inside_whatever_its_error(table, factor, given):
    rows = measure(Observations.from_table(table.head(60)), "ordinary", 1)
    far = rows.residual_monomer > 0.3  # a loss of it beyond ten times the error of the conversion
    spoilt = replace(rows, residual_monomer=rows.residual_monomer * factor).masked(given)[far]
    assert (assess(spoilt)["applicability"] != "inside").mean() > 0.9


def test_known_values_are_fitted_within_their_errors(table):
    exact = Observations.from_table(table.head(100))
    off = replace(exact, recipe=exact.recipe + torch.tensor([0.0, 0.0, 2.0, 0.0]))
    held = assess(off.masked("composite+temp"))["distance"]
    loose = assess(replace(off, errors={"temp": torch.full((100,), 2.0)}).masked("composite+temp"))["distance"]
    assert loose.median() < held.median()


def test_rows_are_judged_one_by_one(table):
    together = assess(observed(table.head(5)))
    alone = assess(observed(table.iloc[[3]]))
    assert together["applicability"][3] == alone["applicability"][3]
    assert together["distance"][3] == pytest.approx(alone["distance"][3], rel=1e-6)


def test_limits_hold_for_everything_that_can_be_given():
    expected = {"mmd+residual+means", "mmd+residual", "mmd+means", "mmd", "residual+means", "means"}
    assert set(limits(SYSTEM)) == expected | {f"{each}+{ERRORS}" for each in expected}
    assert all(len(values) == len(LEVELS) + 1 for each in limits(SYSTEM).values() for values in each.values())
    assert GRADES == ("inside", "edge", "outside")


def test_calibration_gives_the_stated_share():
    generator = torch.Generator().manual_seed(0)
    kinds = torch.rand(40_000, len(KINDS), generator=generator, dtype=torch.float64)
    kinds[:, -1] *= 2e-5
    found = calibrate(kinds)
    at = torch.bucketize(kinds[:, -1].contiguous(), torch.tensor(LEVELS).double())
    limit = torch.stack([torch.tensor(found[kind]).double()[at] for kind in KINDS], -1)
    alarms = (kinds > limit).any(-1).double().mean().item()
    assert alarms == pytest.approx(FALSE_ALARMS, abs=4e-3)


def with_residual(table: pd.DataFrame, values: pd.Series, known: list[str]) -> pd.DataFrame:
    given = table.drop(columns=[name for name in TARGETS if name not in known]).assign(cBA_time=values)
    return assess(Observations.from_table(given, assumed="ordinary"))


@pytest.mark.parametrize("known", [["cBA_0", "temp"], ["temp", "time"]], ids=["monomer known", "monomer unknown"])
@pytest.mark.parametrize(("factor", "meaning"), [(1, "a conversion"), (100, "a conversion in %")])
def test_a_conversion_given_as_residual_monomer_is_guessed(table, known, factor, meaning):
    table = table.head(40)
    reacted = 1 - table["cBA_time"] / table["cBA_0"]
    found = with_residual(table, factor * reacted, known)
    outside = found["applicability"] == "outside"
    assert outside.mean() > 0.5
    assert found["guess"][outside].mean() > 0.8
    assert found["reason"][found["guess"]].str.contains(rf" if it is {meaning}(?: or |$)").all()
    assert (found["reason"][~outside & (found["applicability"] == "inside")] == "").all()
    if "cBA_0" in known:
        row = int(np.flatnonzero(found["guess"])[0])
        assert f", {table['cBA_time'].iloc[row]:.3g} mol/L if" in found["reason"].iloc[row]


def test_residual_monomer_in_mmol_is_guessed(table):
    found = with_residual(table.head(20), 1000 * table["cBA_time"].head(20), ["temp", "time"])
    assert found["guess"].mean() > 0.8
    assert found["reason"].str.contains(" mol/L if it is in mmol/L").sum() == found["guess"].sum()


@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_residual_monomer_that_is_merely_wrong_is_seldom_called_a_conversion(table, factor):
    table = table.head(100)
    found = with_residual(table, factor * table["cBA_time"], ["cBA_0", "temp", "time"])
    assert (found["applicability"] == "outside").mean() > 0.7
    assert found["guess"].mean() < 0.1


def test_a_known_value_outside_the_box_stays_the_reason_beside_a_conversion(table):
    reacted = 1 - table["cBA_time"] / table["cBA_0"]
    found = with_residual(table.head(20).assign(temp=95.0), reacted.head(20), ["cBA_0", "temp"])
    assert (found["reason"] == "temp 95 outside 60 to 80 °C").all()


def test_rows_outside_for_another_reason_have_no_guess(table):
    shifted = curves(table.head(40), lambda w: w + 0.2 * np.roll(w, 20, axis=1))
    found = with_residual(shifted, shifted["cBA_time"], ["temp", "time"])
    assert (found["applicability"] == "outside").mean() > 0.8
    assert not found["guess"].any()
