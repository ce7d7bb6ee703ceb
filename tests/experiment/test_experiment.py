"""A run folder is complete, can be trusted, and is never overwritten."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from polyinv.chemistry.butyl_acrylate import TARGETS
from polyinv.data.bundled import load_bundled
from polyinv.data.source import DataConfig, GridConfig
from polyinv.data.splits import split_rows
from polyinv.data.workbook import write_table
from polyinv.errors import InputError
from polyinv.evaluation.metrics import score
from polyinv.experiment.experiment import Experiment, SplitConfig
from polyinv.experiment.kept import read_validation
from polyinv.experiment.run import run
from polyinv.models import RandomForest, load_model


@pytest.fixture(scope="module")
def experiment(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "table.npz"
    write_table(small, path)
    data = DataConfig(path=str(path))
    return Experiment("forest", {"n_estimators": 5, "jobs": 1}, "composite", SplitConfig("by_recipe", 7), data)


@pytest.fixture(scope="module")
def whole(experiment, tmp_path_factory):
    """Run folder that nobody has disturbed, and its scores."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, run(experiment, folder)


@pytest.fixture
def finished(whole, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(whole[0], tmp_path / "run")), whole[1]


def test_the_run_folder_holds_what_it_promises(finished, experiment, small, tmp_path):
    _, scores = finished
    names = {path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith("events.")}
    written = {"config.yaml", "system.yaml", "split.csv", "model", "predictions.csv", "parity_test.png", "scores.csv"}
    assert names == written
    kept = pd.read_csv(tmp_path / "run" / "scores.csv")
    pd.testing.assert_frame_equal(kept, scores)
    named = ["model", "features", "split", "seed", "member", "subset", "target", "metric", "value", "sd", "low", "high"]
    assert list(kept.columns) == named

    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["model"] == {"name": "forest", **RandomForest(**experiment.options).options}
    assert config["split"] == {"name": "by_recipe", "seed": 7, "share": 1.0}

    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    split = pd.read_csv(tmp_path / "run" / "split.csv")
    assert sorted(split["row"]) == list(range(len(small)))
    assert set(predictions["row"]) == set(split.loc[split["part"] == "test", "row"])
    y, predicted = (torch.tensor(predictions[[f"{t}{end}" for t in TARGETS]].to_numpy()) for end in ("", "_predicted"))
    again = score(y, predicted)["value"]
    np.testing.assert_allclose(again, kept["value"], rtol=1e-9)
    np.testing.assert_array_equal(y, small.loc[predictions["row"], list(TARGETS)])
    model = load_model(tmp_path / "run" / "model")
    x = torch.tensor(small.loc[predictions["row"], list(model.columns)].to_numpy())
    np.testing.assert_allclose(model.predict(x), predicted, rtol=1e-12)


def test_models_of_the_bundled_data_are_judged_off_the_grid_too(experiment, tmp_path):
    scores = run(replace(experiment, data=DataConfig()), tmp_path / "run")
    assert scores.groupby("subset").size().to_dict() == {"test": 24, "off_grid": 24}
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    off_grid = predictions[predictions["subset"] == "off_grid"].reset_index(drop=True)
    np.testing.assert_array_equal(off_grid[list(TARGETS)], load_bundled("off_grid")[list(TARGETS)])
    predicted = torch.tensor(off_grid[[f"{name}_predicted" for name in TARGETS]].to_numpy())
    again = score(torch.tensor(off_grid[list(TARGETS)].to_numpy()), predicted)["value"]
    np.testing.assert_allclose(again, scores.loc[scores["subset"] == "off_grid", "value"], rtol=1e-9)
    assert (tmp_path / "run" / "parity_off_grid.png").is_file()


def test_every_model_writes_the_same_tags(experiment, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    quick = {"mlp": {"hidden": (8,), "dropout": (0.0,), "training": {"max_epochs": 2}}, "forest": experiment.options}
    tags = {}
    for name, options in quick.items():
        run(replace(experiment, model=name, options=options), tmp_path / name)
        found = EventAccumulator(str(tmp_path / name)).Reload().Tags()
        assert "test/parity" in found["images"]
        tags[name] = {tag for tag in found["scalars"] if tag.startswith("test/")}
    assert tags["mlp"] == tags["forest"]
    assert {f"test/{metric}/{name}" for metric in ("r2", "mae") for name in TARGETS} <= tags["mlp"]


def test_a_folder_that_exists_is_refused(finished, experiment, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="exists already and is no run folder"):
        run(experiment, tmp_path / "other", resume=True)
    with pytest.raises(InputError, match="exists already and holds a finished experiment"):
        run(experiment, finished[0])
    changed = replace(experiment, split=SplitConfig("by_recipe", 8))
    with pytest.raises(InputError, match="was made with split"):
        run(changed, finished[0], resume=True)


def test_what_cannot_change_the_result_does_not_hinder_resuming(finished, experiment, small, tmp_path):
    folder, scores = finished
    write_table(small, tmp_path / "moved.csv")
    moved = replace(
        experiment, options=experiment.options | {"jobs": 2}, data=DataConfig(path=str(tmp_path / "moved.csv"))
    )
    pd.testing.assert_frame_equal(run(moved, folder, resume=True), scores)


def test_two_processes_do_not_share_a_folder(experiment, tmp_path, monkeypatch):
    def somebody_else_comes(model, data, folder):
        with pytest.raises(InputError, match="another process is at work"):
            run(experiment, folder, resume=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(RandomForest, "fit", somebody_else_comes)
    with pytest.raises(KeyboardInterrupt):
        run(experiment, tmp_path / "run")


def test_a_finished_run_is_read_and_not_repeated(finished, experiment, monkeypatch):
    folder, scores = finished
    monkeypatch.setattr(RandomForest, "fit", None)
    pd.testing.assert_frame_equal(run(experiment, folder, resume=True), scores)


@pytest.mark.parametrize("fatal", ["fit", "_save", "predict_members", "show", "predictions_of"])
def test_killed_anywhere_it_looks_unfinished_and_resumes_to_the_same_end(
    whole, experiment, tmp_path, monkeypatch, fatal
):
    import polyinv.experiment.run as module

    class Killed(BaseException):
        pass

    def die(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        owner, name = (RandomForest if hasattr(RandomForest, fatal) else module), fatal
        patch.setattr(owner, name, die)
        run(experiment, tmp_path / "run")
    assert not (tmp_path / "run" / "scores.csv").exists()
    assert not [path for path in (tmp_path / "run").rglob("*") if ".conditional" in path.name]
    with pytest.raises(InputError, match="holds an unfinished experiment"):
        run(experiment, tmp_path / "run")
    pd.testing.assert_frame_equal(run(experiment, tmp_path / "run", resume=True), whole[1])


def test_bad_input_leaves_no_folder(experiment, tmp_path):
    diverging = {"hidden": (8,), "dropout": (0.0,), "training": {"learning_rate": 1e30}}
    for change in (
        {"model": "mlp", "options": {"training": {"batch_size": 5000}}},
        {"model": "mlp", "options": diverging},
        {"model": "forrest"},
        {"options": {"n_estimators": 0}},
        {"features": "mdm"},
        {"split": SplitConfig("by_recepie")},
        {"data": DataConfig(path="nowhere.xlsx")},
    ):
        with pytest.raises(InputError):
            run(replace(experiment, **change), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_a_folder_without_a_key_of_today_had_its_default_when_it_was_made(finished, experiment):
    folder, scores = finished
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    del config["split"]["share"]
    path.write_text(yaml.safe_dump(config))
    pd.testing.assert_frame_equal(run(experiment, folder, resume=True), scores)
    with pytest.raises(InputError, match=r"was made with split\.share 1\.0, not 0\.5"):
        run(replace(experiment, split=SplitConfig("by_recipe", 7, 0.5)), folder, resume=True)


def test_a_split_by_conversion_and_a_share_leave_rows_unused_whatever_the_features(experiment, small, tmp_path):
    run(replace(experiment, features="mmd", split=SplitConfig("low_conversion", 7, 0.5)), tmp_path / "run")
    part = pd.read_csv(tmp_path / "run" / "split.csv").set_index("row")["part"]
    assert len(part) == len(small)
    conversion = 1 - small["cBA_time"] / small["cBA_0"]
    assert (conversion[part == "train"] < 0.9).all()
    assert (conversion[part == "test"] >= 0.9).all()
    assert (part == "unused").sum() > len(small) / 3


def test_the_grid_simulated_on_the_spot_is_another_table_with_the_same_off_grid_test(experiment, tmp_path):
    sampled = replace(experiment, data=DataConfig(source="grid"))
    scores = run(sampled, tmp_path / "run")
    assert set(scores["subset"]) == {"test", "off_grid"}
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["data"]["grid"] == {"method": "sampled", "chains": 1e6, "seed": 1}
    assert "simulated" not in config["data"]
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv").query("subset == 'test'")
    of_bundled = split_rows(load_bundled("grid"), "by_recipe", 7).test  # recipes in the same order, split alike
    assert predictions["row"].tolist() == of_bundled.tolist()
    for change in ({"seed": 2}, {"method": "sampled_per_row"}, {"chains": 1e5}):
        other = replace(sampled, data=DataConfig(source="grid", grid=GridConfig(**change)))
        with pytest.raises(InputError, match="was made of other rows than those asked for now"):
            run(other, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": DataConfig(source="simulated"), "split": SplitConfig(share=0.5)}, "split.share is 0.5, but nothing"),
        ({"split": SplitConfig(share=0.0)}, "split.share is 0; needs more than 0"),
        ({"data": DataConfig(source="grid", grid=GridConfig("exact"))}, "no simulator 'exact'; known: deterministic"),
        ({"model": "cnn", "options": {}, "features": "scalars"}, "a curve network needs the nodes of the curve"),
    ],
)
def test_what_does_not_go_together_is_refused(experiment, tmp_path, change, said):
    with pytest.raises(InputError, match=re.escape(said)):
        run(replace(experiment, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_grid_has_no_path_and_no_impossible_noise():
    with pytest.raises(InputError, match=r"data\.source grid simulates its rows; data\.path mine\.xlsx goes with"):
        DataConfig(source="grid", path="mine.xlsx")
    with pytest.raises(InputError, match=r"data\.grid\.chains is 0; needs 1 to 1e\+09"):
        GridConfig(chains=0)
    with pytest.raises(InputError, match=r"data\.grid\.seed is -1"):
        GridConfig(seed=-1)


@pytest.mark.parametrize(
    "text", ["", "member,epoch\n0,1\n", "member,epoch,loss\n", "member,epoch,loss\n0,1,nan\n", "\x00"]
)
def test_a_damaged_validation_loss_is_never_taken_for_one(text, tmp_path):
    (tmp_path / "validation.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"validation\.csv is damaged: "):
        read_validation(tmp_path / "validation.csv")
