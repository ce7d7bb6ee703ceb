import pandas as pd

from polyinv.chemistry.butyl_acrylate import TARGETS
from polyinv.evaluation.published import PUBLISHED
from polyinv.report.figures import honest_scores
from polyinv.report.tables import reproduction_table, score_table


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
