import pandas as pd
import pytest
import torch

from polyinv.data.datamodule import RecipeDataModule
from polyinv.data.splits import split_rows
from polyinv.errors import InputError
from polyinv.models import RandomForest
from polyinv.models import forest as forest_module


@pytest.fixture
def quick(monkeypatch):
    """The search with few trees and few candidates."""
    monkeypatch.setattr(forest_module, "SPACE", forest_module.SPACE | {"n_estimators": [2, 3, 4]})
    monkeypatch.setattr(forest_module, "CANDIDATES", 4)


@pytest.mark.parametrize("split", ["random_rows", "by_recipe"])
def test_the_search_is_scikit_learns(quick, small, split, tmp_path):
    from sklearn.model_selection import GroupKFold, KFold, RandomizedSearchCV

    data = RecipeDataModule.from_table(small, "composite", split_rows(small, split, 0))
    model = RandomForest(search=True, jobs=1)
    model.fit(data, tmp_path)

    rows = data.training_and_validation()
    folds = KFold(3) if split == "random_rows" else GroupKFold(3)
    space = {f"regressor__{key}": values for key, values in forest_module.SPACE.items()}
    search = RandomizedSearchCV(RandomForest(jobs=1)._new(), space, n_iter=4, cv=folds, random_state=42)
    search.fit(rows.x.numpy(), rows.y.numpy(), groups=rows.groups)
    assert {f"regressor__{key}": getattr(model, key) for key in forest_module.SPACE} == search.best_params_
    assert pd.read_csv(tmp_path / "search.csv")["r2"].tolist() == pytest.approx(
        list(search.cv_results_["mean_test_score"])
    )


def test_a_killed_search_goes_on_where_it_was(quick, small, tmp_path, monkeypatch):
    import sklearn.model_selection

    data = RecipeDataModule.from_table(small, "mmd", split_rows(small, "by_recipe", 0))
    whole = RandomForest(search=True, jobs=1)
    whole.fit(data, tmp_path)
    table = pd.read_csv(tmp_path / "search.csv")
    table.head(3).to_csv(tmp_path / "search.csv", index=False)

    calls = []
    original = sklearn.model_selection.cross_val_score
    monkeypatch.setattr(
        sklearn.model_selection, "cross_val_score", lambda *a, **k: calls.append(1) or original(*a, **k)
    )
    resumed = RandomForest(search=True, jobs=1)
    resumed.fit(data, tmp_path)
    assert len(calls) == 1
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "search.csv"), table)
    assert torch.equal(resumed.predict(data.test.x), whole.predict(data.test.x))


def test_it_learns_from_training_and_validation_rows(small):
    data = RecipeDataModule.from_table(small, "composite", split_rows(small, "by_recipe", 0))
    model = RandomForest(n_estimators=1, jobs=1)
    model.fit(data)
    assert model._regressor.regressor_.estimators_[0].tree_.n_node_samples[0] <= len(data.train) + len(data.val)
    assert model._regressor.regressor_.n_features_in_ == 103
    total = len(data.train) + len(data.val)
    assert model._regressor.regressor_.estimators_[0].tree_.weighted_n_node_samples[0] == total


def test_a_tree_that_points_outside_itself_is_refused(small, tmp_path):
    data = RecipeDataModule.from_table(small, "mmd", split_rows(small, "by_recipe", 0))
    model = RandomForest(n_estimators=2, jobs=1)
    model.fit(data)
    tree = model._regressor.regressor_.estimators_[1].tree_
    tree.children_left[0] = 10**6
    model.save(tmp_path / "model")
    with pytest.raises(InputError, match="a tree points outside itself"):
        RandomForest.load(tmp_path / "model")


@pytest.mark.parametrize("jobs", [0, 1001, 100_000])
def test_threads_that_no_machine_starts_are_refused(jobs):
    """They ended in a fault, after the run folder was made."""
    with pytest.raises(InputError, match=rf"model.jobs is {jobs}; needs 1 to 1000 threads, or -1 for all cores"):
        RandomForest(jobs=jobs)
