"""A study takes the GPUs that are there, if it can use them, and the cores otherwise."""

import os

import pytest
import yaml

import polyinv.ablation.estimate
import polyinv.runtime.engines
from polyinv.ablation.places import places
from polyinv.cli import main
from polyinv.data.workbook import write_table
from polyinv.experiment.configuration import read_experiment
from polyinv.runtime.devices import NONE, VISIBLE
from polyinv.runtime.engines import Places
from polyinv.runtime.threads import available_cores
from polyinv.runtime.workers import Outcome

NETWORK = read_experiment(values={"model.name": "mlp"})
FOREST = read_experiment(values={"model.name": "forest"})
ON_CPU = read_experiment(values={"model.name": "mlp", "model.training.accelerator": "cpu"})


@pytest.fixture
def _two_devices(monkeypatch):
    monkeypatch.setenv(VISIBLE, "0,MIG-4f")


@pytest.mark.usefixtures("_two_devices")
@pytest.mark.parametrize(
    ("experiments", "options", "expected"),
    [
        ([NETWORK] * 9, {}, Places(2, ("0", "MIG-4f"))),
        ([NETWORK] * 9, {"per_device": 3}, Places(6, ("0", "MIG-4f"))),
        ([NETWORK] * 9, {"workers": 3}, Places(3, ("0", "MIG-4f"))),
        ([NETWORK], {}, Places(1, ("0", "MIG-4f"))),
        ([FOREST, NETWORK], {}, Places(2, ("0", "MIG-4f"))),
        ([FOREST] * 99, {}, Places(min(99, available_cores()))),
        ([ON_CPU] * 99, {}, Places(min(99, available_cores()))),
        ([], {}, Places(1)),
    ],
)
def test_processes_are_counted_by_devices_if_there_is_something_for_them(experiments, options, expected):
    assert places(experiments, **options) == expected


def test_without_devices_there_is_one_process_per_core(monkeypatch):
    monkeypatch.setenv(VISIBLE, NONE)
    assert places([NETWORK] * 999) == Places(min(999, available_cores()))


@pytest.fixture
def study(small, tmp_path):
    write_table(small, tmp_path / "table.npz")
    network = {"hidden": [8], "dropout": [0.0], "training": {"max_epochs": 2, "accelerator": "gpu"}}
    base = {"model": {"name": "mlp", **network}, "data": {"path": str(tmp_path / "table.npz")}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    study = {"base": "base.yaml", "axes": {"features": ["composite", "scalars"]}, "seeds": [1]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    return tmp_path / "study.yaml"


@pytest.mark.usefixtures("_two_devices")
def test_a_plan_is_made_without_a_gpu(study, tmp_path, monkeypatch, capsys):
    tried, real = [], polyinv.ablation.estimate.run

    def run(experiment, folder):
        tried.append((os.environ[VISIBLE], experiment.options["training"]["accelerator"]))
        return real(experiment, folder)

    monkeypatch.setattr(polyinv.ablation.estimate, "run", run)
    monkeypatch.setattr(polyinv.ablation.estimate, "known_cost", lambda experiment: None)
    assert main(["ablate", str(study), "--output", str(tmp_path / "out"), "--dry-run"]) == 0
    assert set(tried) == {(NONE, "cpu")}
    said = capsys.readouterr().out
    assert "in 2 processes on devices 0, MIG-4f with nothing beside them" in said
    assert "train on a GPU: the estimate is of the CPU" in said


@pytest.mark.usefixtures("_two_devices")
def test_the_first_line_of_a_study_says_its_devices(study, tmp_path, monkeypatch, capsys):
    given = []

    def work(task, jobs, count, devices):
        given.append((count, devices))
        while job := jobs():
            yield Outcome(job[0], error="asked to end", is_ended=True)

    monkeypatch.setattr(polyinv.runtime.engines, "work", work)
    main(["ablate", str(study), "--output", str(tmp_path / "out"), "--workers-per-device", "2"])
    assert capsys.readouterr().out.splitlines()[0].endswith("0 done, 2 to run; 2 processes on devices 0, MIG-4f")
    assert given == [(2, ("0", "MIG-4f"))]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers-per-device", "0"], "--workers-per-device is 0; needs 1 or more"),
        (["--workers", "2", "--workers-per-device", "2"], "both say how many cells run at once; give one of them"),
    ],
)
def test_refusals(study, capsys, options, said):
    assert main(["ablate", str(study), *options]) == 2
    assert said in capsys.readouterr().err
