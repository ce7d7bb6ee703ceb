"""Small files that ask for huge work are refused before it starts; pipes are read, devices are not."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from polyinv.cli import main
from polyinv.runtime.resources import CONFIGS
from polyinv.runtime.yaml_files import EachKeyOnce

FILES = Path(__file__).parents[2] / "examples" / "files"
RECIPES = str(FILES / "recipes.csv")
BOMB = "a0: &a0 [x]\n" + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12))
HUGE = {
    "members": ("train --model.name mlp --model.members 1000000000", "model.members is 1000000000; needs 1 to 1000"),
    "trees": ("train --model.n_estimators 1000000000000", "model.n_estimators is 1000000000000"),
    "a layer": ("train --model.name mlp --model.hidden [1000000000] --model.dropout [0]", "model.hidden is 1000000000"),
    "epochs": ("train --model.name mlp --model.training.max_epochs 1000000000000", "max_epochs is 1000000000000"),
    "a bank": ("train --data.source simulated --data.simulated.rows 1000000000000", "rows is 1000000000000"),
    "recipes": ("simulate --random 1000000000000 --out a.csv", "--random is 1000000000000; needs 1 to 10000000"),
    "replicates": (f"simulate --recipes {RECIPES} --replicates 9000000 --out a.csv", "--shard I/N makes parts"),
    "cells": ("ablate study.yaml", "a study of 3e+09 cells; up to 100000 are run"),
    "aliases": ("train --config bomb.yaml", "bomb.yaml is not YAML: it stands for more than 200000 values"),
    "a mapping in itself": ("train --config itself.yaml", "itself.yaml is not YAML: it contains itself"),
    "aliases in a file that a section names": ("train --config section.yaml", "model is bomb.yaml; needs keys"),
    "depth": ("systems show deep.yaml", "deep.yaml is not YAML"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    axes = "".join(
        f"  model.{name}: {{from: 1, to: 1000, steps: 1000}}\n"
        for name in ("max_depth", "n_estimators", "min_samples_leaf")
    )
    Path("study.yaml").write_text(f"base: {CONFIGS / 'forest.yaml'}\naxes:\n{axes}seeds: [1, 2, 3]\n")
    Path("bomb.yaml").write_text(BOMB)
    Path("itself.yaml").write_text("model: {name: forest}\nself: &self {me: *self}\n")
    Path("section.yaml").write_text("model: bomb.yaml\n")
    Path("deep.yaml").write_text("name: " + "[" * 5000 + "]" * 5000)
    return tmp_path


@pytest.mark.parametrize(("command", "said"), HUGE.values(), ids=HUGE)
def test_what_no_machine_could_do_is_refused_at_once(command, said, folder, capsys):
    arguments = command.split() + (["--output", "run"] if command.startswith(("train", "ablate")) else [])
    started = time.process_time()
    assert main(arguments) == 2
    assert time.process_time() - started < 20
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert said in line
    assert not Path("run").exists()


def test_many_keys_take_no_longer_than_they_are_many(monkeypatch):
    keys = [(yaml.ScalarNode("", f"key{k}"), yaml.ScalarNode("", "1")) for k in range(50_000)]
    node = yaml.MappingNode("", keys)
    monkeypatch.setattr(yaml.SafeLoader, "compose_mapping_node", lambda loader, anchor: node)
    started = time.process_time()
    assert EachKeyOnce("").compose_mapping_node(None) is node
    assert time.process_time() - started < 5  # to compare each with each takes a minute


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import: evil.py", "import is no key of a configuration; needs --import on the command line"),
        ("debug: true", "debug is no key of a configuration"),
        ("robust: maybe", "robust is maybe; needs true or false"),
        ("system: [a]", "system is ['a']; needs text"),
        ("count: 1_0", "1_0 is no plain number"),
        ("count: 010", "010 is no plain number"),
        ("chains: 1:30", "1:30 is no plain number"),
    ],
)
def test_what_a_configuration_cannot_say_is_refused_rather_than_ignored(line, said, folder, capsys):
    Path("evil.py").write_text("raise SystemExit(7)")
    Path("own.yaml").write_text(f"wishes: [Mn=25000]\n{line}\n")
    assert main(["design", "--config", "./own.yaml"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.linux
@pytest.mark.parametrize(
    "command",
    [
        "train --output run --config",
        "ablate",
        "search",
        "design Mn=20000 --config",
        "simulate --random 2 --out a.csv --system",
    ],
)
def test_a_pipe_is_no_configuration(command, folder, capsys):
    os.mkfifo("pipe.yaml")
    assert main([*command.split(), "./pipe.yaml"]) == 2  # without waiting for who would write
    assert "pipe.yaml" in capsys.readouterr().err


@pytest.mark.linux
def test_a_pipe_is_read_as_a_file_is(folder):
    arguments = ["predict", "--no-sharpen", "--known", "temp=70"]
    curve = FILES / "curve_gpc_tabs.txt"
    os.mkfifo("curve.txt")
    writer = threading.Thread(target=lambda: Path("curve.txt").write_bytes(curve.read_bytes()))
    writer.start()
    assert main([*arguments, "curve.txt", "--out", "piped.csv"]) == 0
    writer.join()
    assert main([*arguments, str(curve), "--out", "read.csv"]) == 0
    piped, read = (Path(name).read_text().splitlines()[1].split(",") for name in ("piped.csv", "read.csv"))
    assert piped[1:] == read[1:]


@pytest.mark.linux
def test_a_device_is_no_file(capsys):
    assert main(["predict", "/dev/zero"]) == 2
    assert "/dev/zero is a pipe or a device; needs a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["predict", "a.csv", "--out"], ["calibrate", "a.csv", "--out", "b.yaml", "--system"]]
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes ~name for any user")
def test_a_user_who_is_not_there(arguments, capsys):
    assert main([*arguments, "~nosuchuser/x.csv"]) == 2
    assert "~nosuchuser/x.csv: there is no home folder of that user" in capsys.readouterr().err


def test_a_line_of_a_curve_without_end_is_no_name(tmp_path, capsys):
    path = tmp_path / "curve.csv"
    path.write_text("M,w\n1000,0.1\n" + "1," * 50_000 + "\n")
    start = time.process_time()
    assert main(["predict", str(path)]) == 2
    assert "curve.csv" in capsys.readouterr().err
    assert time.process_time() - start < 20
