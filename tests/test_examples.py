"""The examples run as they are typed, with few epochs."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def python(tmp_path):
    """Calls Python in an empty folder; returns what it printed."""

    def call(*arguments: str) -> str:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_a_module_of_ones_own(python, tmp_path):
    printed = python(str(EXAMPLES / "own_module.py"), "--epochs", "2")
    assert "test/loss" in printed
    output = tmp_path / "runs" / "own_module"
    assert list(output.glob("tensorboard/version_0/events*"))
    assert list(output.glob("tensorboard/version_0/checkpoints/*.ckpt"))
    assert {"train/loss", "val/loss"} <= set(pd.read_csv(output / "csv" / "version_0" / "metrics.csv").columns)


@pytest.mark.parametrize("members", [[], ["--members", "2"]])
def test_a_trainer_of_ones_own(python, tmp_path, members):
    printed = python(str(EXAMPLES / "own_trainer.py"), "--epochs", "1", "--rows", "1024", *members)
    assert "test/r2/cAIBN_0" in printed
    columns = set(pd.read_csv(tmp_path / "runs" / "own_trainer" / "csv" / "version_0" / "metrics.csv").columns)
    assert {"val/r2/temp", "val/r2/global", "train/r2/time"} <= columns


def test_a_network_of_ones_own(python, tmp_path):
    command = ["-m", "polyinv.cli", "train", "--import", str(EXAMPLES / "own_network.py"), "--output", "runs/wide"]
    model = ["--model.name", "network", "--model.network", "wide", "--model.training.max_epochs", "2"]
    assert "off_grid rows of the bundled data set" in python(*command, *model)
    assert (tmp_path / "runs" / "wide" / "model" / "weights.pt").is_file()
