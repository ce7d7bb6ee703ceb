"""A study file becomes cells, each resolved as `polyinv train` would; what cannot be is one line."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

import polyinv
from polyinv.ablation.study import read_study
from polyinv.cli import main
from polyinv.errors import InputError
from polyinv.experiment.configuration import read_experiment, read_yaml
from polyinv.experiment.experiment import SplitConfig
from polyinv.models import MODELS

CONFIGS = Path(polyinv.__file__).parents[1] / "configs"
STUDIES = sorted((CONFIGS / "ablations").glob("*.yaml"))
STUDY = {"base": "base.yaml", "axes": {"features": ["composite", "mmd"]}, "seeds": [1, 2]}


@pytest.fixture
def write(tmp_path):
    (tmp_path / "base.yaml").write_text("model: {name: forest, n_estimators: 3}\nfeatures: mmd\n")
    (tmp_path / "network.yaml").write_text("model: {name: mlp, training: {max_epochs: 2}}\n")

    def _write(**changes):
        path = tmp_path / "study.yaml"
        path.write_text(
            yaml.safe_dump(
                {key: value for key, value in (STUDY | changes).items() if value != "absent"}, sort_keys=False
            )
        )
        return path

    return _write


@pytest.mark.parametrize("label", ["a\nb", "\u202ea", "a\x1b[2J"])
def test_labels_are_what_can_be_printed(label, write):
    with pytest.raises(InputError, match="cannot be printed"):
        read_study(write(axes={"form": {"plain": {}, label: {"features": "mmd"}}}))
    with pytest.raises(InputError, match="cannot be printed"):
        read_study(write(axes={f"form{label}": {"plain": {}, "other": {"features": "mmd"}}}))


def test_cells_are_all_combinations_with_all_seeds(write):
    study = read_study(write(axes={"features": ["composite", "mmd"], "split.share": [1, "5e-1"]}))
    assert len(study.cells) == len({cell.name for cell in study.cells}) == 8
    assert study.axes == {"features": ("composite", "mmd"), "split.share": (1.0, 0.5)}  # YAML takes 5e-1 for text
    cell = study.cells[5]
    assert (cell.name, cell.title) == ("composite_share-0.5-2", "composite, share 0.5, seed 2")
    assert (cell.values, cell.seed) == ({"features": "composite", "split.share": 0.5}, 2)
    assert cell.experiment.split == SplitConfig("by_recipe", 2, 0.5)
    assert cell.experiment.options["n_estimators"] == 3
    assert cell.experiment.options["jobs"] == 1  # the processes fill the cores


def test_labels_change_values_and_files_and_a_file_that_names_another_model_starts_it_anew(write):
    labels = {
        "forest": {},
        "more": {"model": {"n_estimators": 7}},
        "MLP": {"config": "network.yaml"},
        "wide": {"config": ["network.yaml"], "model.hidden": [9, 9, 9], "model.members": 2},
    }
    study = read_study(write(axes={"network": labels}, seeds=[1], members=4))
    forest, more, mlp, wide = (cell.experiment for cell in study.cells)
    assert (forest.options["n_estimators"], more.options["n_estimators"]) == (3, 7)
    assert (mlp.model, mlp.features) == ("mlp", "mmd")  # what the base says of other things stays
    assert mlp.options["training"]["max_epochs"] == 2
    assert (mlp.options["members"], wide.options["members"]) == (4, 2)
    assert wide.options["hidden"] == (9, 9, 9)
    assert study.axes == {"network": ("forest", "more", "MLP", "wide")}


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"from": 10, "to": 30, "steps": 3}, (10, 20, 30)),
        ({"from": "1e3", "to": "1e6", "steps": 4, "scale": "log"}, (1000, 10000, 100000, 1000000)),
    ],
)
def test_ranges_of_whole_numbers_are_whole(write, given, values):
    study = read_study(write(axes={"data.simulated.rows": given}))
    assert study.axes["data.simulated.rows"] == values
    assert all(type(value) is int for value in study.axes["data.simulated.rows"])


def test_ranges_of_shares_and_seeds(write):
    given = {"from": 0.1, "to": 1, "steps": 3, "scale": "log"}
    study = read_study(write(axes={"split.share": given}, seeds={"from": 42, "count": 3}))
    assert study.axes["split.share"] == pytest.approx((0.1, 0.1**0.5, 1))
    assert study.seeds == (42, 43, 44)


def test_more_than_the_split_may_take_the_seed(write):
    base = {"base": "network.yaml", "seeds": [10, 13], "members": 3}
    assert {cell.experiment.options["seed"] for cell in read_study(write(**base)).cells} == {42}
    axes = {"data.source": ["grid", "simulated"]}
    study = read_study(write(**base, axes=axes, also_seeded=["model.seed", "data.grid.seed", "data.simulated.seed"]))
    assert study.seeded == ("split.seed", "model.seed", "data.grid.seed", "data.simulated.seed")
    for cell in study.cells:
        whole = cell.experiment
        taken = whole.split.seed, whole.options["seed"], whole.data.grid.seed, whole.data.simulated.seed
        assert taken == (cell.seed,) * 4
        assert whole.options["members"] == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": {"model.n_estimatorz": [1]}}, "n_estimatorz"),
        ({"axes": {"modle": [1, 2]}}, "nearest: model."),
        ({"axes": {"features": ["mmd", "mdm"]}}, "mdm: no feature set 'mdm'; known: composite, conditional"),
        ({"axes": {"split.name": ["by_recepie"]}}, "by_recepie: no split 'by_recepie'; known: by_recipe"),
        ({"axes": {"split.share": [1, 2]}}, "share 2: split.share is 2; needs more than 0, up to 1"),
        ({"axes": {"model.n_estimators": [5, 0]}}, "n_estimators 0: model.n_estimators is 0; needs 1 or more"),
        ({"axes": {"features": []}}, "the axis features has no values; needs a list"),
        ({"axes": {"features": {}}}, "the axis features has no values; needs a list"),
        ({"axes": {"features": "mmd"}}, "the axis features has mmd; needs a list"),
        ({"axes": {}}, "axes are {}; needs a key"),
        ({"axes": "absent"}, "axes are None; needs a key"),
        ({"axes": {"split.seed": [1, 2]}}, "split.seed is no axis; the splits are said by seeds"),
        ({"axes": {"features": ["mmd", "mmd"]}}, "two cells would be called mmd-1"),
        ({"axes": {1: [2, 3]}}, "1 cannot be the name of an axis"),
        ({"axes": {"seeds": {"a": {}}}}, "'seeds' cannot be the name of an axis"),
        ({"axes": {"time": {"a": {}}}}, "'time' cannot be the name of an axis"),
        ({"axes": {"model": ["forest", "mlp"]}}, "model is a section; needs a key of it, such as model.name"),
        ({"axes": {"net": {None: {}}}}, "the axis net has a label without a name"),
        ({"axes": {"net": {"a": {"split": {"seed": 3}}}}}, "the axis net, a: split.seed is no axis"),
        ({"axes": {"net": {"a" * 300: {}}}}, "which is too long for a folder; needs shorter labels"),
        (
            {"axes": {"p": {"a": {"model.n_estimators": 2}}, "q": {"b": {"model": {"n_estimators": 3}}}}},
            "the axes p and q both change model.n_estimators",
        ),
        ({"axes": {"split.share": {"from": 0, "to": 1, "steps": ".inf"}}}, "has steps .inf; needs a number"),
        ({"axes": {"split.share": {"from": 0, "to": 1, "steps": float("nan")}}}, "has steps nan; needs a number"),
        ({"axes": {"split.share": {"from": 0.1, "to": 1, "steps": 10**5}}}, "needs a whole number from 2 to 1000"),
        ({"axes": {"net": {"a": 3}}}, "the axis net has under a 3; needs what it changes"),
        ({"axes": {"net": {"a": {"config": "no.yaml"}}}}, "no.yaml: no such file"),
        ({"axes": {"net": {"a": {"model.hidden": [1]}}}}, "a: "),
        ({"axes": {"split.share": {"from": 1, "steps": 3}}}, "the axis split.share has to None; needs a number"),
        ({"axes": {"split.share": {"from": 0, "to": 1, "steps": 3, "scale": "log"}}}, "needs positive ends"),
        ({"axes": {"split.share": {"from": 0, "to": 1, "steps": 1}}}, "has 1 steps; needs a whole number from 2"),
        ({"axes": {"split.share": {"from": 0, "to": 1, "stepps": 1}}}, "no key of a range 'stepps'; known: from"),
        ({"axes": {"split.share": {"from": 0, "to": 1, "steps": 2, "scale": "lin"}}}, "no scale 'lin'; known: linear"),
        ({"base": "absent"}, "base is missing; needs a config file"),
        ({"base": "nowhere.yaml"}, "nowhere.yaml: no such file"),
        ({"base": ["base.yaml", "study.yaml"]}, "not accept"),
        ({"seeds": "absent"}, "seeds are missing; needs whole numbers"),
        ({"seeds": []}, "seeds are []; needs whole numbers"),
        ({"seeds": [1, 1]}, "seeds are [1, 1]; needs each one once"),
        ({"seeds": [-1]}, "seeds are [-1]; needs whole numbers"),
        ({"seeds": {"from": 3}}, "seeds are {'from': 3}; needs a list, or from and count"),
        ({"members": 0}, "members are 0; needs a whole number from 1"),
        ({"members": 4}, "members are 4, which decides nothing: no model of the study has members"),
        ({"axis": {}}, "no key of a study 'axis'; known: also_seeded, axes, base, members, seeds"),
        ({"also_seeded": ["data.grid.seed"]}, "data.grid.seed, which decides nothing: no cell has data.source grid"),
        (
            {"also_seeded": ["model.seed"], "base": "network.yaml", "seeds": [5, 2**32 - 1], "members": 2},
            "model.seed is",
        ),
        ({"seeds": {"from": 1, "count": 3 * 10**9}}, "seeds have count 3000000000; needs 1000 or fewer"),
        ({"axes": {"config": ["base.yaml", "network.yaml"]}}, "'config' cannot be the name of an axis"),
        ({"axes": {"print_config": [""]}}, "print_config is no key of a configuration"),
        ({"axes": {"features": [date(2024, 1, 1)]}}, "date is no value of a configuration"),
        ({"also_seeded": "model.seed"}, "also_seeded is model.seed; needs a list of model.seed, data.simulated.seed"),
        ({"also_seeded": ["model.sead"]}, "no key of a seed in also_seeded 'model.sead'; known: data.grid.seed"),
        (
            {"axes": {"model.seed": [1, 2]}, "also_seeded": ["model.seed"]},
            "model.seed is on an axis and in also_seeded; needs one of them to leave it",
        ),
        (
            {"base": "network.yaml", "seeds": [1, 3], "members": 3, "also_seeded": ["model.seed"]},
            "seeds 1 and 3 would share members of networks",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(write, tmp_path, capsys, changes, said):
    path = write(**changes)
    assert main(["ablate", str(path), "--output", str(tmp_path / "out")]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert len(error.splitlines()) == 1, error
    assert error.startswith(f"polyinv: error: {path}: ")
    assert said in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "ablate takes a study file"),
        (["{tmp}/a.yaml", "--summarize", "{tmp}"], "ablate takes a study file"),
        (["{tmp}/no.yaml"], "no.yaml: no such study file"),
        (["{tmp}/study.yaml", "--workers", "0"], "--workers is 0; needs 1 or more"),
        (["--summarize", "{tmp}"], "holds no study: there is no study.yaml in it"),
        (["{tmp}/good.yaml", "--output", "{tmp}"], "exists already and holds no study"),
    ],
)
def test_refusals(write, tmp_path, capsys, arguments, said):
    if any("good" in argument for argument in arguments):
        write().rename(tmp_path / "good.yaml")
    assert main(["ablate", *(argument.format(tmp=tmp_path) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert said in error


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_can_be_run(path):
    study = read_study(path)
    for cell in study.cells:
        model = MODELS[cell.experiment.model](**cell.experiment.options)
        assert model.parallel_option is None or getattr(model, model.parallel_option) == 1
    assert f"polyinv ablate configs/ablations/{path.name}" in path.read_text()


def test_the_study_of_the_documentation_can_be_run(tmp_path):
    page = (CONFIGS.parent / "docs" / "how-to" / "ablate.md").read_text(encoding="utf-8")
    written = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
    (tmp_path / "study.yaml").write_text(written.replace("configs/", f"{CONFIGS}/"))
    assert len(read_study(tmp_path / "study.yaml").cells) > 1


def test_yaml_may_merge_but_not_say_a_key_twice(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("x: {a: &A {k: 1}}\ny: {deep: {deeper: &B {<<: *A, k: 2}}}\nz: {<<: *B, j: 1}\n")
    assert read_yaml(path)["z"] == {"k": 2, "j": 1}
    path.write_text("x: {a: 1}\ny: {b: 1, b: 2}\n")
    with pytest.raises(InputError, match="b stands there twice"):
        read_yaml(path)


def test_one_reader_merges_files_and_values_and_names_what_it_knows(tmp_path):
    experiment = read_experiment(
        [CONFIGS / "mlp.yaml", CONFIGS / "table.yaml"],
        {"model.training.learning_rate": "1e-4", "split": {"name": "random_rows"}, "data.patterns": {}},
    )
    training = experiment.options["training"]
    assert (training["learning_rate"], training["batch_size"], training["clip"]) == (1e-4, 64, 1.0)
    assert (experiment.split.name, experiment.data.source) == ("random_rows", "table")
    with pytest.raises(InputError, match=r"nearest: "):
        read_experiment([], {"split.name": "by_recipe", "split.sead": 3})
    with pytest.raises(InputError, match="no model 'forrest'; known: cnn"):
        read_experiment([], {"model.name": "forrest"})
