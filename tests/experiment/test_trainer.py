"""Options of Lightning's Trainer, loggers, and files of one's own, as configurations and commands take them."""

import contextlib
import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import lightning.pytorch as L
import pandas as pd
import pytest
import torch

from polyinv.cli import main
from polyinv.data.workbook import write_table
from polyinv.models import callbacks
from polyinv.models.options import SAID_ELSEWHERE, TRAINER_OPTIONS
from polyinv.models.training import _environment
from polyinv.runtime import interrupts, plugins

QUICK = ["--model.name", "mlp", "--model.hidden", "[8]", "--model.dropout", "[0.0]", "--model.training.max_epochs", "3"]
OWN = """
    from torch import nn
    from polyinv.models.networks import NETWORKS

    NETWORKS["{name}"] = lambda inputs, outputs: nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))
"""


@pytest.fixture
def table(small, tmp_path):
    write_table(small, tmp_path / "table.npz")
    return str(tmp_path / "table.npz")


@pytest.fixture
def train(table, tmp_path):
    """Trains into a folder by a command; returns its exit code."""
    return lambda *options, output="run": main(
        ["train", "--output", str(tmp_path / output), "--data.path", table, *options]
    )


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file that adds a network of its own, forgotten afterwards."""
    from polyinv.models.networks import NETWORKS

    monkeypatch.setattr("polyinv.models.networks.NETWORKS", NETWORKS)
    monkeypatch.delenv(plugins.IMPORTED, raising=False)
    (tmp_path / "own.py").write_text(textwrap.dedent(OWN.format(name="from_a_file")), encoding="utf-8")
    yield str(tmp_path / "own.py")
    NETWORKS.pop("from_a_file", None)
    sys.modules.pop("polyinv_import_own", None)
    os.environ.pop(plugins.IMPORTED, None)


def test_the_options_are_those_of_the_trainer():
    known = set(inspect.signature(L.Trainer.__init__).parameters)
    assert {*TRAINER_OPTIONS, *SAID_ELSEWHERE} <= known
    assert not set(TRAINER_OPTIONS) & set(SAID_ELSEWHERE)


def test_a_logger_is_chosen_in_a_config(train, tmp_path):
    (tmp_path / "csv.yaml").write_text(
        "logger: [tensorboard, csv]\ntrainer: {limit_train_batches: 2}\n", encoding="utf-8"
    )
    assert train(*QUICK, "--config", str(tmp_path / "csv.yaml")) == 0
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert {"val/r2/cAIBN_0", "train/r2/temp", "val/loss"} <= set(metrics.columns)
    assert metrics["step"].max() == 5  # two batches in each of three epochs
    assert list((tmp_path / "run").glob("events*"))
    assert "logger:" in (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8")


def test_a_logger_by_its_class_gets_its_arguments(train, tmp_path):
    logger = '{"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"name": "deep", "version": "er"}}'
    assert train(*QUICK, "--logger", logger) == 0
    assert (tmp_path / "run" / "deep" / "er" / "metrics.csv").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--logger", "tensorbord"], "no logger 'tensorbord'; known: csv"),
        (["--logger", "os.system"], "no logger 'os.system'"),
        (["--logger", '{"class_path": "os.system"}'], "no logger 'os.system'"),
        (["--logger", "mlflow"], "the logger mlflow cannot be used"),
        (["--logger", '{"class_path": "csv", "init_args": {"nam": 1}}'], "the logger csv refuses its arguments"),
        (["--trainer.max_tme", "00:00:01:00"], "no option of the trainer 'max_tme'"),
        (["--trainer", "{max_epochs: 3}"], "trainer.max_epochs is said by model.training.max_epochs"),
        (["--trainer", "{devices: many}"], "trainer.devices is many; a training of polyinv takes one"),
        (["--trainer", "{devices: 2}"], "trainer.devices is 2; a training of polyinv takes one"),
        (["--trainer", "{strategy: ddpp}"], "Lightning refuses the options of trainer"),
        (["--trainer", "{max_time: soon}"], "trainer.max_time is soon; needs DD:HH:MM:SS"),
    ],
)
def test_what_cannot_be_passed_on_is_one_line(train, tmp_path, capsys, options, said):
    assert train(*QUICK, *options) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("polyinv: error: ")
    assert said in error
    assert not (tmp_path / "run" / "model").exists()


def test_a_forest_has_no_trainer(train, capsys):
    assert train("--trainer", "{max_time: 00:00:01:00}") == 2
    assert "trainer and logger are Lightning's; a forest is trained without it" in capsys.readouterr().err


def test_a_training_whose_time_is_over_goes_on(train, tmp_path, capsys):
    assert train(*QUICK, output="whole") == 0
    assert train(*QUICK, "--trainer", '{"max_time": {"milliseconds": 1}}') == 2
    assert "trainer.max_time is over after 1 of 3 epochs; the same command with --resume" in capsys.readouterr().err
    assert train(*QUICK, "--trainer", '{"max_time": {"hours": 1}}', "--resume") == 0
    whole, resumed = (pd.read_csv(tmp_path / name / "scores.csv") for name in ("whole", "run"))
    pd.testing.assert_frame_equal(whole, resumed)


def test_an_interrupt_that_got_lost_is_noticed_at_the_next_step(train, tmp_path, monkeypatch, capsys):
    original = callbacks.EpochProgress.on_train_start

    def lose_it(*given):
        original(*given)
        with contextlib.suppress(KeyboardInterrupt):
            interrupts._interrupt(15, None)

    monkeypatch.setattr(callbacks.EpochProgress, "on_train_start", lose_it)
    assert train(*QUICK) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "polyinv: interrupted"
    monkeypatch.setattr(callbacks.EpochProgress, "on_train_start", original)
    assert train(*QUICK, "--resume") == 0  # nor does it end the next command


def test_one_device_is_trained_on_by_one_process_inside_slurm(train, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "4")
    for name, value in {"SLURM_JOB_NAME": "polyinv", "SLURM_JOB_ID": "1"}.items():
        monkeypatch.setenv(name, value)
    assert train(*QUICK) == 0
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "4")
    (several,) = _environment({"devices": 4})
    assert not several.auto_requeue


def test_a_machine_that_has_slurm_is_no_reason_for_a_warning(train, tmp_path, monkeypatch):
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert train(*QUICK) == 0


def test_a_network_of_ones_own_trains_evaluates_and_predicts(train, own, small, tmp_path, capsys):
    few = str(tmp_path / "few.csv")
    write_table(small.iloc[::10], few)
    options = ["--model.name", "network", "--model.network", "from_a_file", "--model.training.max_epochs", "3"]
    assert train(*options, "--model.members", "2", "--import", own) == 0
    run = str(tmp_path / "run")
    assert main(["evaluate", "--import", own, run, "--data", few, "--output", str(tmp_path / "report")]) == 0
    assert main(["predict", run, few, "--out", str(tmp_path / "answers.csv"), f"--import={own}"]) == 0
    assert pd.read_csv(tmp_path / "answers.csv")["cBA_0"].notna().all()
    assert torch.load(Path(run, "model", "weights.pt"), weights_only=True)["network.0-weight"].shape == (2, 8, 103)


def test_a_saved_model_has_no_file_imported(train, own, table, tmp_path):
    options = ["--model.name", "network", "--model.network", "from_a_file", "--model.training.max_epochs", "1"]
    assert train(*options, "--import", own) == 0
    command = [sys.executable, "-m", "polyinv.cli", "predict", str(tmp_path / "run"), table]
    environment = {name: value for name, value in os.environ.items() if name != plugins.IMPORTED}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert "no network 'from_a_file'" in done.stderr.splitlines()[-1]


def test_cells_of_a_study_import_it_too(own, table, tmp_path):
    study = {
        "base.yaml": "model: {name: network, network: from_a_file, training: {max_epochs: 1}}\n"
        f"data: {{path: {table}}}\n",
        "study.yaml": "base: base.yaml\naxes: {features: [mmd, composite]}\nseeds: [1]\n",
    }
    for name, text in study.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = ["ablate", "--import", own, str(tmp_path / "study.yaml"), "--output", str(tmp_path / "study")]
    assert main([*command, "--workers", "1"]) == 0
    assert len(pd.read_csv(tmp_path / "study" / "cells.csv").query("state == 'done'")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "no such Python file"), ("1 / 0", "ZeroDivisionError: division by zero"), ("import nowhere", "nowhere")],
)
def test_a_file_that_cannot_be_imported_is_one_line(tmp_path, capsys, text, said):
    if text is not None:
        (tmp_path / "bad.py").write_text(text, encoding="utf-8")
    assert main(["train", "--import", str(tmp_path / "bad.py"), "--output", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err


def test_the_first_half_of_an_experiment_is_watched_and_never_looks_at_test_rows(table, tmp_path, train, monkeypatch):
    from polyinv.data.datamodule import RecipeDataModule
    from polyinv.experiment import results
    from polyinv.experiment.configuration import read_experiment
    from polyinv.experiment.run import fit

    seen = []

    class Watch(L.Callback):
        def on_validation_end(self, trainer, module):
            seen.append(trainer.callback_metrics["val/loss"].item())

    values = {"model.name": "mlp", "model.hidden": [8], "model.dropout": [0.0], "model.training.max_epochs": 3}
    experiment = read_experiment(values=values | {"data.path": table})
    with monkeypatch.context() as patch:
        refused = property(lambda data: pytest.fail("somebody has looked at the test rows"))
        patch.setattr(RecipeDataModule, "test", refused)
        patch.setattr(results, "load_off_grid", lambda system: pytest.fail("or off the grid"))
        fit(experiment, tmp_path / "half", [Watch()])
    best = pd.read_csv(tmp_path / "half" / "validation.csv")
    assert best["loss"].tolist() == [min(seen)]
    assert best["epoch"].tolist() == [seen.index(min(seen))]
    assert not (tmp_path / "half" / "scores.csv").exists()

    assert train(*QUICK) == 0
    assert train(*QUICK, "--resume", output="half") == 0  # does the rest
    for name in ("validation.csv", "scores.csv"):
        assert (tmp_path / "half" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
