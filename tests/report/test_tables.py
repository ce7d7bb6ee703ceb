import pandas as pd
import pytest

from polyinv.chemistry.butyl_acrylate import TARGETS
from polyinv.evaluation.published import PUBLISHED
from polyinv.report.figures import honest_scores
from polyinv.report.tables import _with_rmse, reproduction_table, score_frame, score_table


def made_up_scores(*subsets):
    rows = [
        (model, features, split, seed, subset, target, metric, 0.5 + 0.1 * (seed - 42))
        for model, features in PUBLISHED
        for split, seeds in (("random_rows", [42]), ("by_recipe", [42, 43]))
        for subset in subsets
        for seed in seeds
        for target in (*TARGETS, "global")
        for metric in ("r2", "mae", "relative_mae", "mse")
    ]
    return pd.DataFrame(rows, columns=["model", "features", "split", "seed", "subset", "target", "metric", "value"])


def test_published_numbers_stand_beside_ours_with_their_spread():
    table = reproduction_table(made_up_scores("test", "off_grid"), PUBLISHED, "r2")
    assert len(table) == 15
    assert table["global R²"].tolist()[:3] == ["0.575", "0.500", "0.550 ± 0.071"]  # forest, MMD alone
    assert table.loc[10, "cAIBN_0"] == "0.593"  # published network
    own_data = reproduction_table(made_up_scores("test"), PUBLISHED, "r2")  # has no off-grid set
    assert len(own_data) == 9
    relative = reproduction_table(made_up_scores("test"), PUBLISHED, "relative_mae")
    assert relative.loc[0, "cAIBN_0"] == "24.8 %"


def test_a_score_table_has_a_line_for_each_target():
    scores = made_up_scores("test")
    one = scores[(scores["model"] == "mlp") & (scores["split"] == "random_rows")]
    lines = score_table(one.assign(member="all")).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [*TARGETS, "global"]
    shifted = [one.assign(member=member, value=one["value"] + shift) for member, shift in (("0", 0.1), ("1", -0.1))]
    heads = score_table(pd.concat([one.assign(member="all"), *shifted])).splitlines()
    assert "R² of 2 members" in heads[0]
    assert "± 0.1414" in heads[2]


def test_the_summary_has_a_panel_for_each_model():
    for subsets, bars in ((["test"], 3), (["test", "off_grid"], 4)):
        panels = honest_scores(made_up_scores(*subsets), PUBLISHED).axes
        assert len(panels) == len(PUBLISHED)
        assert len(panels[0].get_legend_handles_labels()[1]) == bars


def test_the_spread_of_several_splits_holds_the_choice_of_the_test_reactions_once():
    """By_recipe test rows are other reactions each time; those off the grid are the same for every split."""
    scores = made_up_scores("test", "off_grid").assign(sd=0.05, low=0.4, high=0.7)
    cells = reproduction_table(scores, PUBLISHED, "r2").set_index(["model", "features", "numbers"])["global R²"]
    mlp = cells.sort_index().loc["mlp", "composite"]
    assert mlp["published"] == "0.870"
    assert mlp["ours, random_rows (published split)"] == "0.500 ± 0.050"
    assert mlp["ours, by_recipe (reactions never seen)"] == "0.550 ± 0.071"
    assert mlp["ours, by_recipe, off the grid"] == "0.550 ± 0.087"  # √(0.071² + 0.05²)


def test_a_baseline_stands_below_the_published_models():
    scores = pd.concat([made_up_scores("test"), made_up_scores("test").assign(model="polynomial")])
    table = reproduction_table(scores, PUBLISHED, "mae", [("polynomial", "composite")])
    assert table["model"].tolist()[-2:] == ["polynomial"] * 2
    assert "time / s" in table
    assert "published" not in table["numbers"].tolist()


def test_a_score_table_has_the_interval_and_the_rmse_of_it():
    scores = made_up_scores("test")
    one = scores[(scores["model"] == "mlp") & (scores["split"] == "random_rows")].drop_duplicates(["target", "metric"])
    table = score_frame(one.assign(member="all", sd=0.01, low=0.48, high=0.52))
    assert table["95 % interval"].tolist() == ["0.480 to 0.520"] * 5
    rmse = _with_rmse(one.assign(sd=0.01, low=0.48, high=0.52)).query("metric == 'rmse'")
    assert rmse["sd"].tolist() == pytest.approx([0.01 / (2 * 0.5**0.5)] * 4)
    assert rmse["high"].tolist() == pytest.approx([0.52**0.5] * 4)
