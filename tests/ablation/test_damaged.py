"""What lies in the folder of a study is checked before it counts."""

import json
import shutil

import pandas as pd
import pytest
import yaml

from polyinv.cli import main

DAMAGE = {
    "cut scores": ("scores.csv", lambda text: text[: len(text) // 3] + "\n"),
    "no number": ("scores.csv", lambda text: text.replace("0.", "zero.", 1)),
    "a score twice": ("scores.csv", lambda text: text + text.splitlines()[1] + "\n"),
    "empty scores": ("scores.csv", lambda text: ""),
    "no features": ("config.yaml", lambda text: text.replace("features:", "featured:")),
    "a configuration of nothing": ("config.yaml", lambda text: "model: 3\n"),
}


@pytest.fixture
def copied(plain, tmp_path):
    shutil.copytree(plain[1], tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize(("name", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_cell_is_never_counted_in_silence(name, damage, copied, capsys):
    cell = sorted((copied / "cells").iterdir())[0]
    text = (cell / name).read_text(encoding="utf-8")
    (cell / name).write_text(damage(text), encoding="utf-8")
    assert main(["ablate", "--summarize", str(copied)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert str(cell / name) in line.replace("\\\\", "\\")
    assert "damaged" in line or "is no" in line


KEPT = {
    "seeds": [1, "a"],
    "seeded": None,
    "study": ["x"],
    "axes": {"features": []},
    "cells": {"../up": {"values": {"features": "mmd"}, "seed": 1}},
}


@pytest.mark.parametrize("key", KEPT)
def test_a_damaged_study_is_named(key, copied, capsys):
    kept = yaml.safe_load((copied / "study.yaml").read_text(encoding="utf-8"))
    (copied / "study.yaml").write_text(yaml.safe_dump(kept | {key: KEPT[key]}), encoding="utf-8")
    assert main(["ablate", "--summarize", str(copied)]) == 2
    assert "study.yaml is damaged" in capsys.readouterr().err


def test_damaged_seconds_are_left_out_and_said(copied, caplog):
    before = pd.read_csv(copied / "table.csv")
    cells = sorted((copied / "cells").iterdir())
    (cells[0] / "seconds.json").write_text("{half", encoding="utf-8")
    (cells[1] / "seconds.json").write_text(json.dumps({"cpu": "many"}), encoding="utf-8")
    assert main(["ablate", "--summarize", str(copied)]) == 0
    assert caplog.text.count("is damaged, and its seconds are left out") == 2
    pd.testing.assert_frame_equal(pd.read_csv(copied / "table.csv"), before)
