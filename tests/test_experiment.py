"""A run folder is complete, can be trusted, and is never overwritten."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from polyinv.data.bundled import load_bundled
from polyinv.data.source import DataConfig
from polyinv.data.workbook import write_table
from polyinv.errors import InputError
from polyinv.evaluation.metrics import score
from polyinv.experiment import Experiment, SplitConfig, run
from polyinv.models import Forest, load
from polyinv.quantities import TARGETS


@pytest.fixture
def experiment(small, tmp_path):
    write_table(small, tmp_path / "table.npz")
    data = DataConfig(path=str(tmp_path / "table.npz"))
    return Experiment("forest", {"n_estimators": 5, "jobs": 1}, "composite", SplitConfig("by_recipe", 7), data)


def test_the_run_folder_holds_what_it_promises(experiment, small, tmp_path):
    scores = run(experiment, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith("events.")}
    assert names == {"config.yaml", "split.csv", "model", "predictions.csv", "parity_test.png", "scores.csv"}
    kept = pd.read_csv(tmp_path / "run" / "scores.csv")
    pd.testing.assert_frame_equal(kept, scores)
    assert list(kept.columns) == ["model", "features", "split", "seed", "member", "subset", "target", "metric", "value"]

    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["model"] == {"name": "forest", **Forest(**experiment.options).options}
    assert config["split"] == {"name": "by_recipe", "seed": 7, "share": 1.0}

    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    split = pd.read_csv(tmp_path / "run" / "split.csv")
    assert sorted(split["row"]) == list(range(len(small)))
    assert set(predictions["row"]) == set(split.loc[split["part"] == "test", "row"])
    y, guess = (torch.tensor(predictions[[f"{t}{end}" for t in TARGETS]].to_numpy()) for end in ("", "_predicted"))
    again = score(y, guess)["value"]
    np.testing.assert_allclose(again, kept["value"], rtol=1e-9)
    np.testing.assert_array_equal(y, small.loc[predictions["row"], list(TARGETS)])
    model = load(tmp_path / "run" / "model")
    x = torch.tensor(small.loc[predictions["row"], list(model.columns)].to_numpy())
    np.testing.assert_allclose(model.predict(x), guess, rtol=1e-12)


def test_models_of_the_bundled_data_are_judged_off_the_grid_too(experiment, tmp_path):
    scores = run(replace(experiment, data=DataConfig()), tmp_path / "run")
    assert scores.groupby("subset").size().to_dict() == {"test": 19, "off_grid": 19}
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    off_grid = predictions[predictions["subset"] == "off_grid"].reset_index(drop=True)
    np.testing.assert_array_equal(off_grid[list(TARGETS)], load_bundled("off_grid")[list(TARGETS)])
    guess = torch.tensor(off_grid[[f"{name}_predicted" for name in TARGETS]].to_numpy())
    again = score(torch.tensor(off_grid[list(TARGETS)].to_numpy()), guess)["value"]
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


def test_a_folder_that_exists_is_refused(experiment, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="exists already and is no run folder"):
        run(experiment, tmp_path / "other", resume=True)
    run(experiment, tmp_path / "run")
    with pytest.raises(InputError, match="exists already and holds a finished run"):
        run(experiment, tmp_path / "run")
    changed = replace(experiment, split=SplitConfig("by_recipe", 8))
    with pytest.raises(InputError, match="was made with split"):
        run(changed, tmp_path / "run", resume=True)


def test_what_cannot_change_the_result_does_not_hinder_resuming(experiment, small, tmp_path):
    scores = run(experiment, tmp_path / "run")
    write_table(small, tmp_path / "moved.csv")
    moved = replace(
        experiment, options=experiment.options | {"jobs": 2}, data=DataConfig(path=str(tmp_path / "moved.csv"))
    )
    pd.testing.assert_frame_equal(run(moved, tmp_path / "run", resume=True), scores)


def test_two_processes_do_not_share_a_folder(experiment, tmp_path, monkeypatch):
    def somebody_else_comes(model, data, folder):
        with pytest.raises(InputError, match="another process is at work"):
            run(experiment, folder, resume=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(Forest, "fit", somebody_else_comes)
    with pytest.raises(KeyboardInterrupt):
        run(experiment, tmp_path / "run")


def test_a_finished_run_is_read_and_not_repeated(experiment, tmp_path, monkeypatch):
    scores = run(experiment, tmp_path / "run")
    monkeypatch.setattr(Forest, "fit", None)
    pd.testing.assert_frame_equal(run(experiment, tmp_path / "run", resume=True), scores)


@pytest.mark.parametrize("fatal", ["Forest.fit", "Forest._save", "Forest.predict_members", "_show", "_predictions"])
def test_killed_anywhere_it_looks_unfinished_and_resumes_to_the_same_end(experiment, tmp_path, monkeypatch, fatal):
    import polyinv.experiment as module

    class Killed(BaseException):
        pass

    def die(*arguments, **options):
        raise Killed

    whole = run(experiment, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        owner, name = (Forest, fatal.split(".")[1]) if "." in fatal else (module, fatal)
        patch.setattr(owner, name, die)
        run(experiment, tmp_path / "run")
    assert not (tmp_path / "run" / "scores.csv").exists()
    assert not [path for path in (tmp_path / "run").rglob("*") if ".partial" in path.name]
    with pytest.raises(InputError, match="holds an unfinished run"):
        run(experiment, tmp_path / "run")
    pd.testing.assert_frame_equal(run(experiment, tmp_path / "run", resume=True), whole)


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
