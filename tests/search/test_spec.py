"""Search files: what can be searched, and what is refused in a line."""

import pytest
import yaml

from polyinv.cli import main
from polyinv.errors import InputError
from polyinv.experiment.configuration import value_of
from polyinv.runtime.resources import SEARCHES
from polyinv.search.spec import MOST_TRIALS, read_search
from tests.search.searches import AXES, write_search

LR = "model.training.learning_rate"


@pytest.mark.parametrize("path", sorted(SEARCHES.glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_search_can_be_read_and_begins_with_its_base(path):
    search = read_search(path)
    assert search.base_values is not None
    assert search.experiment(search.base_values).options == search.base.options


def test_values_of_axes_become_an_experiment(tmp_path, small):
    axes = AXES | {
        "model.dropout": {"from": 0.0, "to": 0.5},
        "model.members": {"from": 1, "to": 3},
        "form": {"plain": {}, "curve": {"model.transform": "root_log"}},
    }
    search = read_search(write_search(tmp_path, small, axes=axes))
    values = {LR: 0.0123, "model.hidden": "8-4", "model.dropout": 0.25, "model.members": 2, "form": "curve"}
    experiment = search.experiment(values)
    found = {key: value_of(experiment, key) for key in (LR, "model.hidden", "model.members", "model.transform")}
    assert found == {LR: 0.0123, "model.hidden": [8, 4], "model.members": 2, "model.transform": "root_log"}
    assert set(value_of(experiment, "model.dropout")) == {0.25}  # one rate, for all layers
    assert search.base_values == {
        LR: 0.001,
        "model.hidden": "8",
        "model.dropout": 0.0,
        "model.members": 1,
        "form": "plain",
    }


def test_the_fingerprint_is_of_what_decides(tmp_path, small):
    def sha256(**changes):
        return read_search(write_search(tmp_path, small, **changes)).sha256

    def labelled(changes):
        return sha256(axes={"form": {"plain": {}, "other": changes}})

    same = sha256()
    assert sha256(trials=99) == same
    labels = [labelled({"model.transform": "moments"}), labelled({"model.transform": "root_log"})]
    for hidden in (9, 10):  # under the same label in the same file
        (tmp_path / "other.yaml").write_text(f"model: {{hidden: [{hidden}]}}\n", encoding="utf-8")
        labels.append(labelled({"config": "other.yaml"}))
    assert len({*labels}) == 4
    assert len({same, sha256(seed=2), sha256(sampler="random"), sha256(axes={"model.hidden": [[8], [9]]})}) == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": {"model.training.learnig_rate": {"from": 0.1, "to": 1}}}, "learnig_rate"),
        ({"axes": {LR: {"from": 0.1, "to": 0.1}}}, "from 0.1 to 0.1; needs ascending ends"),
        ({"axes": {LR: {"from": 0.0, "to": 0.1, "scale": "log"}}}, "a log scale needs positive ends"),
        ({"axes": {LR: {"from": 0.1, "to": "much"}}}, "has to much; needs a number"),
        ({"axes": {LR: {"from": 0.1, "to": 1, "scale": "ln"}}}, "no scale 'ln'; known: linear, log"),
        ({"axes": {LR: {"from": -1.0, "to": 1.0}}}, "training.learning_rate is -1.0; needs more than 0"),
        ({"axes": {"model.hidden": []}}, "has no values"),
        ({"axes": {"model.hidden": [[8], [8]]}}, "has a value twice"),
        ({"axes": {"model.hidden": [["wide"]]}}, "model.hidden"),
        ({"axes": {}}, "axes are {}"),
        ({"axes": {"value": {"a": {}}}}, "cannot be the name of an axis"),
        ({"axes": {"split.share": {"from": 0.1, "to": 1.0}}}, "by which trials are compared"),
        ({"axes": {"model.training.loss": ["mse", "huber"]}}, "by which trials are compared"),
        ({"axes": {"loss": {"a": {"model": {"training": {"loss": "huber"}}}}}}, "by which trials are compared"),
        ({"axes": {"data.path": ["a", "b"]}}, "by which trials are compared"),
        ({"axes": {LR: {"from": 1, "to": 10**400}}}, "needs a number"),
        ({"trials": 0}, f"trials are 0; needs a whole number, 1 to {MOST_TRIALS}"),
        ({"trials": 10**9}, "trials are 1000000000"),
        ({"trials": "many"}, "trials are many"),
        ({"sampler": "grid"}, "no sampler 'grid'; known: random, tpe"),
        ({"pruner": "shears"}, "no pruner 'shears'; known: median, none"),
        ({"seed": -1}, "seed is -1"),
        ({"ranges": {}}, "no key of a search 'ranges'"),
        ({"base": "none.yaml"}, "no such file"),
        ({"base": None}, "base is missing"),
    ],
)
def test_what_cannot_be_searched_is_one_line(tmp_path, small, capsys, changes, said):
    path = write_search(tmp_path, small, **changes)
    assert main(["search", str(path), "--output", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("split: {seed: 7}", "split.seed"),
        ("model: {training: {loss: huber}}", "model.training.loss"),
        ("data: {path: other.npz}", "data.path"),
    ],
)
def test_the_config_of_a_label_cannot_change_what_trials_are_compared_by(tmp_path, small, content, key):
    path = write_search(tmp_path, small, axes={"form": {"plain": {}, "other": {"config": "other.yaml"}}})
    (tmp_path / "other.yaml").write_text(f"{content}\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"form other: the axis form changes {key}, by which trials are compared"):
        read_search(path)


@pytest.mark.parametrize("axis", [{"from": 0.1, "to": 2.0}, {"from": 1, "to": 2}])
def test_a_base_without_a_number_lies_outside_of_a_range(tmp_path, small, axis):
    search = read_search(write_search(tmp_path, small, axes={"model.training.clip": axis}))
    assert search.base_values is None
    assert not search.axes["model.training.clip"].holds(True)
    assert search.axes["model.training.clip"].holds(1.5) == (not search.axes["model.training.clip"].is_whole)


@pytest.mark.parametrize("option", [(), ("--dry-run",), ("--slurm",)])
def test_a_table_that_cannot_be_read_is_one_line_and_no_failed_trials(tmp_path, small, capsys, option):
    path = write_search(tmp_path, small)
    (tmp_path / "table.npz").unlink()
    assert main(["search", str(path), "--output", str(tmp_path / "out"), *option]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"polyinv: error: {path}: {tmp_path / 'table.npz'}: no such file\n"
    assert not captured.out
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_validation_loss_is_refused(tmp_path):
    (tmp_path / "base.yaml").write_text("model: {name: forest}\n", encoding="utf-8")
    search = {"base": "base.yaml", "axes": {"model.n_estimators": [5, 10]}}
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(search), encoding="utf-8")
    with pytest.raises(InputError, match="a forest chooses nothing on validation rows; search is for networks"):
        read_search(tmp_path / "search.yaml")
