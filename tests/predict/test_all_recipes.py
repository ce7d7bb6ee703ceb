"""All the recipes that fit, as the command line gives them by the released posterior model."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

import polyinv
from polyinv.chemistry import load_system
from polyinv.cli import main
from polyinv.data.bundled import load_bundled
from polyinv.predict.all_recipes import Wanted, check_rows
from polyinv.quantities import MMD
from polyinv.runtime.resources import CONDITIONAL

SYSTEM = load_system("butyl_acrylate")
TARGETS = list(SYSTEM.targets)
ENDS = [f"{name}_{end}" for name in TARGETS for end in ("low", "median", "high")]


@pytest.fixture(scope="module")
def polymers():
    """Twelve polymers of kinetic Monte Carlo with their recipes."""
    return load_bundled("off_grid").head(12).reset_index(drop=True)


@pytest.fixture
def called(tmp_path, capsys):
    """Writes a table, predicts from it, and gives what was written and said."""

    def call(table, *arguments, code=0):
        file, out = tmp_path / "rows.csv", tmp_path / "answers.csv"
        table.to_csv(file, index=False)
        out.unlink(missing_ok=True)
        assert main(["predict", *map(str, arguments), str(file), "--out", str(out)]) == code
        said = capsys.readouterr().err
        return pd.read_csv(out) if code == 0 else pd.DataFrame(), said

    return call


def given(polymers, *columns):
    return polymers[[*columns, *MMD]]


def test_intervals_surround_their_median_and_stay_in_the_box(polymers, called):
    answers, _ = called(given(polymers, "temp"), "--errors", "exact")
    for quantity in SYSTEM.recipe:
        low, median, high = (answers[f"{quantity.name}_{end}"] for end in ("low", "median", "high"))
        if quantity.name == "temp":
            assert low.isna().all()
            continue
        assert ((quantity.low <= low) & (low < median) & (median < high) & (high <= quantity.high)).all()
    assert "effective" not in answers


def test_intervals_hold_the_truth_and_grow_with_their_share(polymers, called):
    table = given(polymers, "cBA_time", "Mn", "Mw")
    wide, narrow = (called(table, "--errors", "exact", "--interval", share)[0] for share in (0.9, 0.5))
    held, widths = [], []
    for name in TARGETS:
        held.append((wide[f"{name}_low"] < polymers[name]) & (polymers[name] < wide[f"{name}_high"]))
        widths.append((narrow[f"{name}_high"] - narrow[f"{name}_low"]) / (wide[f"{name}_high"] - wide[f"{name}_low"]))
    assert np.mean(held) > 0.75  # 48 values, 90 % expected
    assert (np.stack(widths) < 0.8).all()


def test_an_interval_may_be_stated_in_per_cent(polymers, called):
    table = given(polymers, "temp").head(2)
    one, other = (called(table, "--interval", share)[0] for share in ("50%", "0.50"))
    pd.testing.assert_frame_equal(one, other)


def test_a_single_row_is_sharpened_and_the_same_at_each_call(polymers, called):
    table = given(polymers, "temp", "time").head(1)
    (one, _), (again, _) = called(table, "--errors", "exact"), called(table, "--errors", "exact")
    pd.testing.assert_frame_equal(one, again)
    assert 100 < one["effective"].item() < 2000
    raw, _ = called(table, "--errors", "exact", "--no-sharpen")
    assert "effective" not in raw
    for name in ("cBA_0", "cAIBN_0"):
        assert one[f"{name}_low"].item() < polymers[name][0] < one[f"{name}_high"].item()
        width, before = ((each[f"{name}_high"] - each[f"{name}_low"]).item() for each in (one, raw))
        assert 0.4 < width / before < 2.5


def test_a_row_alone_has_the_interval_that_it_has_in_a_table(polymers, called):
    table = given(polymers, "temp").head(3)
    together, _ = called(table)
    alone, _ = called(table.tail(1), "--no-sharpen")
    np.testing.assert_array_equal(alone[ENDS], together[ENDS].tail(1))
    np.testing.assert_array_equal(alone[TARGETS], together[TARGETS].tail(1))
    sharp, _ = called(table, "--sharpen")
    assert (sharp["effective"] > 20).all()


def test_rows_of_a_table_that_the_model_has_not_learned_are_sharpened(polymers, called):
    """A temperature to 5 °C: the model has learned from errors up to 3 °C."""
    table = given(polymers, "temp").head(3).assign(temp_error=[0.5, 5.0, 0.5])
    answers, said = called(table)
    assert "row 3: temp_error 5 is larger than 3, up to which models have learned; the answers are sharpened" in said
    assert answers["effective"].notna().tolist() == [False, True, False]
    alone, _ = called(table.iloc[[1]])
    np.testing.assert_array_equal(alone[ENDS], answers.loc[[1], ENDS])
    raw, said = called(table, "--no-sharpen")
    assert "the answers are more certain than they should be, --sharpen corrects them" in said
    assert "effective" not in raw
    np.testing.assert_array_equal(raw.loc[[0, 2], ENDS], answers.loc[[0, 2], ENDS])


@pytest.mark.parametrize("rows", [1, 2])
def test_a_whole_recipe_that_is_stated_with_errors_is_answered(polymers, called, rows):
    stated = polymers.head(rows)[[*TARGETS, *MMD]]
    answers, _ = called(stated)
    for quantity, error in zip(SYSTEM.recipe, (0.005, 0.005, 0.5, 15.0), strict=True):
        name = quantity.name
        low, high = answers[f"{name}_low"], answers[f"{name}_high"]
        sd = error * (stated[name].to_numpy() if error < 0.1 else 1.0)
        assert (answers[name] == stated[name].to_numpy()).all()
        # the polymer can tell a stated value better than its error, not worse
        assert ((high - low) < 1.05 * 2 * 1.645 * sd).all()
        assert ((low < stated[name].to_numpy() + 2 * sd) & (high > stated[name].to_numpy() - 2 * sd)).all()
    _, line = called(stated, "--errors", "exact", code=2)
    assert "row 2 has the whole recipe exactly and asks for nothing; --ask names what to leave open" in line


def test_samples_are_recipes_of_the_box(polymers, called, tmp_path):
    table = given(polymers, "temp").head(2)
    called(table, "--errors", "exact", "--samples", 30, "--out-samples", tmp_path / "samples.csv")
    samples = pd.read_csv(tmp_path / "samples.csv")
    assert samples.columns.tolist() == ["row", *TARGETS]
    assert samples["row"].value_counts(sort=False).tolist() == [30, 30]
    for row, part in samples.groupby("row"):
        assert np.allclose(part["temp"], table["temp"].iloc[int(row) - 2])
    for quantity in SYSTEM.recipe:
        assert samples[quantity.name].between(quantity.low, quantity.high).all()
    assert samples.groupby("row")["cAIBN_0"].nunique().tolist() == [30, 30]


def test_samples_and_alternatives_are_called_as_their_rows(polymers, called, tmp_path):
    table = given(polymers, "temp").head(2).assign(batch=["A 1", "A 2"], number=[7, 8], temp_error=0.1)
    out = tmp_path / "samples.csv"
    found, _ = called(table, "--samples", 3, "--out-samples", out, "--alternatives", 2)
    samples = pd.read_csv(out)
    assert samples.columns.tolist() == ["row", "batch", "number", *TARGETS]
    assert samples["batch"].tolist() == ["A 1"] * 3 + ["A 2"] * 3
    assert found.columns[:4].tolist() == ["row", "batch", "number", "alternative"]
    assert found["number"].tolist() == [7, 7, 8, 8]


def test_alternatives_are_distinct_and_make_the_polymer(polymers, called):
    found, _ = called(given(polymers, "temp").head(1), "--errors", "exact", "--alternatives", 5)
    assert found["alternative"].tolist() == [1, 2, 3, 4, 5]
    span = {quantity.name: quantity.high - quantity.low for quantity in SYSTEM.recipe}
    assert found["cAIBN_0"].max() - found["cAIBN_0"].min() > 0.2 * span["cAIBN_0"]
    assert (found["mmd_distance"] < 2 * found["mmd_distance_replicate"]).all()
    assert (found["Mn_made"] / polymers["Mn"][0] - 1).abs().max() < 0.05


def test_advice_says_what_would_tell_more(polymers, called):
    table, said = called(given(polymers, "cBA_time", "Mn", "Mw").head(1), "--errors", "exact", "--advise")
    assert table.columns.tolist() == ["measure", *TARGETS]
    best = table.set_index("measure")
    assert best.loc["temp", "cAIBN_0"] > 2  # what the ridge runs along
    assert np.isnan(best.loc["temp", "temp"])
    assert any("second sample" in name for name in best.index)
    assert not any("residual" in name for name in best.index)  # which is given
    assert "with temp, so many times narrower: " in said
    assert "many recipes fit: " in said
    assert " shrinks " in said


def test_a_picture_of_the_recipes_is_written(polymers, called, tmp_path):
    called(given(polymers, "temp").head(1), "--ridge", tmp_path / "ridge.png")
    assert imread(tmp_path / "ridge.png").shape[0] > 500


def test_of_what_no_recipe_makes_there_is_no_interval(polymers, called):
    curve = given(polymers).head(2).copy()
    curve.loc[1, list(MMD)] = np.roll(curve.loc[1, list(MMD)].to_numpy(), 9)  # five times the molar mass
    answers, said = called(curve)
    assert answers.loc[1, ENDS].isna().all()
    assert answers.loc[1, ["cBA_0_rmse", "time_error_95"]].isna().all()
    assert answers.loc[0, ENDS].notna().all()
    assert "1 of 2 rows: no recipe of the box fits all that is given; no interval and no error is stated" in said
    assert "no recipe of the box fits all that is given" in answers.loc[1, "warnings"]


def test_of_what_no_recipe_makes_there_are_no_alternatives_and_no_picture(polymers, called, tmp_path):
    curve, ridge = given(polymers).head(2).copy(), tmp_path / "ridge.png"
    curve.loc[1, list(MMD)] = np.roll(curve.loc[1, list(MMD)].to_numpy(), 9)
    found, said = called(curve, "--alternatives", 3)
    assert found["row"].tolist() == [2] * 3
    assert "1 of 2 rows fit no recipe of the box: no alternatives of them" in said
    found, said = called(curve.tail(1), "--alternatives", 3, "--ridge", ridge)
    assert len(found) == 0
    assert "alternative" in found
    assert "1 of 1 rows fit no recipe of the box: no picture and no alternatives of them" in said
    assert not ridge.exists()


def test_chains_that_are_told_count(polymers, called):
    table = given(polymers, "temp", "time").head(2)
    few, many = (called(table.assign(chains=chains), "--errors", "exact")[0] for chains in (1e5, 1e7))
    widths = [each["cAIBN_0_high"] - each["cAIBN_0_low"] for each in (few, many)]
    assert (widths[0] > 1.5 * widths[1]).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--interval", "90"], "--interval is 90; needs a share between 0 and 1, 0.90 or 90 %"),
        (["--interval", "ninety"], "--interval is ninety; needs a share between 0 and 1, 0.90 or 90 %"),
        (["--interval", "190%"], "--interval is 190%; needs a share between 0 and 1, 0.90 or 90 %"),
        (["--samples", "5"], "--samples N and --out-samples FILE go together"),
        (["--samples", "0", "--out-samples", "x.csv"], "--samples is 0; needs 1 to 100000"),
        (["--alternatives", "0"], "--alternatives is 0; needs 1 to 100"),
        (["--alternatives", "2", "--advise"], "--alternatives and --advise both print something"),
        (["--sharpen", "--no-sharpen"], "--sharpen and --no-sharpen: give one of them"),
        (["--samples", "5", "--out-samples", "x.csv", "--plot", "y.png", "--ridge", "y.png"], "y.png is to hold two"),
        (["--plot", "y.png", "--ridge", "./y.png"], "./y.png (also written y.png) is to hold two things"),
        (["--ridge", ".png"], ".png is an ending without a name; needs one, such as answers.png"),
        (["--ridge", "x.pdf"], "x.pdf: this is written as .png"),
        (["--advise"], "--advise is for one polymer, and there are 12"),
        (
            ["--samples", "90000", "--out-samples", "x.xlsx"],
            "--samples 90000 of 12 rows are more than a sheet of a workbook holds, 1048575; needs .csv",
        ),
    ],
)
def test_what_cannot_be_is_refused(polymers, called, arguments, said):
    _, line = called(given(polymers, "temp"), *arguments, code=2)
    assert said in line
    assert "Traceback" not in line


@pytest.mark.parametrize(
    ("wanted", "rows", "said"),
    [
        (Wanted(samples=100_000), 5000, "--samples draws 100000 recipes of each of 5000 rows; needs 5000000 in all"),
        (Wanted(alternatives=2), 10**6, "--alternatives draws 1000 recipes of each of 1000000 rows"),
    ],
)
def test_more_recipes_than_can_be_drawn_are_refused(wanted, rows, said):
    with pytest.raises(polyinv.InputError, match=said):
        check_rows(wanted, rows)
    check_rows(wanted, 50)


def test_a_model_of_one_recipe_has_no_posterior(polymers, called):
    _, line = called(given(polymers, "temp"), "--alternatives", "3", CONDITIONAL, code=2)
    assert "--alternatives needs a posterior model, not a mlp" in line
    answers, _ = called(given(polymers, "temp"), CONDITIONAL)
    assert not set(ENDS) & set(answers)
    with pytest.raises(polyinv.InputError, match="--sharpen needs a posterior model"):
        polyinv.load(CONDITIONAL).predict(given(polymers, "temp"), sharpen=True)
