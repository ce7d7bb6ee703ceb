"""The examples run as they are typed, with few epochs."""

import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from tests.warm import SCRIPT

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def call(tmp_path, warm):
    """Calls ``polyinv`` or a script in an empty folder; returns what it printed."""

    def run(command: str, *arguments: str) -> str:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"}
        done = subprocess.run(
            [shutil.which(command, path=warm), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def python(call):
    """Calls a script."""
    return partial(call, SCRIPT)


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


def test_a_network_of_ones_own(call, tmp_path):
    command = ["polyinv", "train", "--import", str(EXAMPLES / "own_network.py"), "--output", "runs/wide"]
    model = ["--model.name", "network", "--model.network", "wide", "--model.training.max_epochs", "2"]
    assert "off_grid rows of the bundled data set" in call(*command, *model)
    assert (tmp_path / "runs" / "wide" / "model" / "weights.pt").is_file()


def test_the_sample_files_are_small_and_what_their_script_makes(python, tmp_path):
    python(str(EXAMPLES.parent / "scripts" / "make_examples.py"), "--output", "files")
    made, kept = tmp_path / "files", EXAMPLES / "files"
    assert {path.name for path in made.iterdir()} | {"README.md"} == {
        path.name for path in kept.iterdir() if path.is_file()
    }
    for path in made.iterdir():
        ours, theirs = (re.split(r"[\s,;]+", file.read_text(encoding="utf-8")) for file in (path, kept / path.name))
        assert len(ours) == len(theirs)
        assert all(one == other or _close(one, other) for one, other in zip(ours, theirs, strict=True)), path.name
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) < 1e6


def _close(one: str, other: str) -> bool:
    """Numbers as two processors compute and round them."""
    return abs(float(one) - float(other)) <= 1.01e-6 + 2e-5 * abs(float(other))
