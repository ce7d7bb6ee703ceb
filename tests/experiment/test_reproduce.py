import pandas as pd
import pytest
import yaml

import polyinv.experiment.reproduce as module
from polyinv.data.source import DataConfig
from polyinv.data.workbook import write_table
from polyinv.errors import InputError
from polyinv.experiment.reproduce import reproduce
from polyinv.report.tables import by_chance
from tests.ablation.studies import work_here

QUICK = {
    "forest.yaml": {"name": "forest", "n_estimators": 3},
    "polynomial.yaml": {"name": "polynomial", "degree": 2},
    "mlp_published.yaml": {"name": "mlp", "hidden": [8], "dropout": [0.0], "training": {"max_epochs": 2}},
}


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Tiny models in place of the published ones."""
    (tmp_path / "configs").mkdir()
    for name, model in QUICK.items():
        (tmp_path / "configs" / name).write_text(yaml.safe_dump({"model": model}))
    monkeypatch.setattr(module, "CONFIGS", tmp_path / "configs")


def test_all_models_on_both_splits_beside_the_published_numbers(quick, tmp_path, monkeypatch):
    out, lines = tmp_path / "out", []
    scores = reproduce(out, data=DataConfig(), seeds=1, workers=1, say=lines.append)
    assert len(scores.drop_duplicates(["model", "features", "split", "seed"])) == 10
    assert sum("(test)" in line and "(off_grid)" in line for line in lines) == 10
    table = (out / "table.md").read_text()
    assert table.count("published  ") == 6  # three models, R² and relative MAE; the study gives no errors in units
    for line in ("ours, random_rows (", "ours, by_recipe (", "random_rows, off the grid", "by_recipe, off the"):
        assert table.count(line) == 25, line  # five models in five tables
    assert "0.870" in table  # the published network
    assert "| polynomial | composite | ours, by_recipe, off the grid" in table
    assert "time / s" in table.partition("\n\nMAE\n\n")[2].partition("Relative MAE")[0]
    assert "What differs in the data: ours (the bundled data set)" in table
    assert table.strip() in lines[-1]
    assert (out / "summary.png").stat().st_size > 10_000
    assert len(list(out.glob("*/parity_test.png"))) == 10

    # Called again it repeats nothing and ends in the same table, also when a part of it was not finished.
    (out / "forest-mmd-by_recipe-42" / "scores.csv").unlink()
    before = (out / "mlp-composite-by_recipe-42" / "scores.csv").stat().st_mtime_ns
    monkeypatch.setattr(module, "work", work_here)  # as before, but for the process
    again = reproduce(out, data=DataConfig(), seeds=1, workers=1, say=lines.append)
    pd.testing.assert_frame_equal(again.reset_index(drop=True), scores.reset_index(drop=True))
    assert (out / "mlp-composite-by_recipe-42" / "scores.csv").stat().st_mtime_ns == before


def test_the_published_split_is_learned_as_often_as_there_are_other_splits():
    plan = dict(module._plan(DataConfig(), 3))
    drawn = {name: (each.split.name, each.split.seed, each.options.get("seed")) for name, each in plan.items()}
    network = [name for name in plan if name.startswith("mlp-composite")]
    assert [drawn[name] for name in network[:3]] == [("by_recipe", seed, 42) for seed in (42, 43, 44)]
    assert [drawn[name] for name in network[3:]] == [("random_rows", 42, seed) for seed in (42, 43, 44)]
    assert len([name for name in plan if name.startswith("polynomial-mmd-random_rows")]) == 1  # nothing in it is drawn


def test_the_spread_of_trainings_on_one_split_has_the_choice_of_its_test_reactions_in_it():
    lines = pd.DataFrame({"subset": "test", "seed": 42, "value": [0.5, 0.6, 0.7], "sd": 0.05})
    assert by_chance(lines) == pytest.approx((0.1**2 + 0.05**2) ** 0.5)
    assert by_chance(lines.assign(seed=[42, 43, 44])) == pytest.approx(0.1)
    assert by_chance(lines.assign(seed=[42, 43, 44], subset="off_grid")) == pytest.approx((0.1**2 + 0.05**2) ** 0.5)
    assert by_chance(lines.head(1)) == pytest.approx(0.05)


def test_an_error_stops_the_rest(quick, small, tmp_path):
    (tmp_path / "configs" / "mlp_published.yaml").write_text("model: {name: mlp, training: {max_epochs: 0}}")
    with pytest.raises(InputError, match=r"model\.training\.max_epochs is 0"):
        reproduce(tmp_path / "out", data=DataConfig(), seeds=1, workers=1, say=lambda line: None)
    assert len(list((tmp_path / "out").glob("*/scores.csv"))) < 10


@pytest.mark.usefixtures("here")
def test_results_of_other_data_are_not_mixed(quick, small, tmp_path, monkeypatch):
    plan = module._plan
    monkeypatch.setattr(module, "_plan", lambda data, seeds: list(plan(data, seeds))[2:3])
    for name, table in (("one", small), ("other", small.assign(Mn=small["Mn"] / 2))):
        write_table(table, tmp_path / f"{name}.npz")
    one, other = (DataConfig(path=str(tmp_path / f"{name}.npz")) for name in ("one", "other"))
    lines = []
    reproduce(tmp_path / "out", data=one, seeds=1, workers=1, say=lines.append)
    assert f"Ours are trained and evaluated on {one.path}" in lines[-1]
    assert "off the grid" not in lines[-1]
    with pytest.raises(InputError, match="was made of other rows than"):
        reproduce(tmp_path / "out", data=other, seeds=1, workers=1, say=lines.append)


def test_the_shipped_configs_are_the_published_models():
    from polyinv.models import MODELS

    for model, name in module.CONFIG_OF.items():
        options = module._options(model)
        MODELS[model](**options)
        assert yaml.safe_load((module.CONFIGS / name).read_text())["model"]["name"] == model
    assert module._options("mlp")["hidden"] == (256, 128, 64)
