"""The commands as a person types them: bad input is one line and exit code 2."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import polyinv
from polyinv.cli import COMMANDS, FLAGS, main
from polyinv.data.features import WITH_CHAINS
from polyinv.data.workbook import read_table, write_table
from polyinv.runtime.door import DEBUG
from polyinv.runtime.flags import bare
from polyinv.runtime.shared_folders import locked

CONFIGS = Path(polyinv.__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    """The workbook, which takes most of a second to write."""
    path = tmp_path_factory.mktemp("workbook") / "table.xlsx"
    write_table(small, path)
    return path


@pytest.fixture
def workbook(written, tmp_path):
    return Path(shutil.copy(written, tmp_path))


def refused(capsys, *arguments) -> str:
    """The one line that a command refuses its arguments with."""
    assert main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("polyinv: error: ")
    return lines[0]


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert main(["--version"]) == 0
    assert polyinv.__version__ in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: polyinv {command} " in capsys.readouterr().out


def test_help_and_refusals_do_not_wait_for_torch():
    code = (
        "import sys; from polyinv.cli import main; "
        "main(['--help']); main(['train', '--data.path', 'nowhere.xlsx', '--output', 'x']); "
        "main(['train', '--model.foo', '3', '--output', 'x']); main(['simulate', '--out', 'a.pdf']); "
        "main(['systems', 'show', 'nowhere.yaml']); "
        "print([name for name in ('torch', 'lightning', 'sklearn.ensemble') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done
    assert done.stderr.count("polyinv: error: ") == 4


def test_simulate_writes_the_recipes_of_a_file_in_their_order(tmp_path, capsys):
    recipes = pd.DataFrame(
        [[1, 0.01, 70, 900], [2, 0.01, 60, 300], [1, 0.01, 70, 600]], columns=["cBA_0", "cAIBN_0", "temp", "time"]
    )
    recipes.to_csv(tmp_path / "recipes.csv", index=False)
    out = tmp_path / "out.csv"
    assert (
        main(["simulate", "--method", "deterministic", "--recipes", str(tmp_path / "recipes.csv"), "--out", str(out)])
        == 0
    )
    table = read_table(out)
    np.testing.assert_array_equal(table[list(recipes.columns)], recipes)
    assert table["cBA_time"][0] < table["cBA_time"][2] < 1  # later, less monomer


def test_the_simulated_seed_decides(tmp_path):
    recipes = tmp_path / "recipes.csv"
    recipes.write_text("cBA_0,cAIBN_0,temp,time\n1,0.01,70,900\n")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        arguments = ["simulate", "--chains", "1e4", "--seed", str(seed), "--recipes", str(recipes)]
        assert main([*arguments, "--out", str(tmp_path / f"{name}.npz")]) == 0
    a, b, c = (read_table(tmp_path / f"{name}.npz") for name in "abc")
    assert a.equals(b)
    assert not a.equals(c)


def test_a_recipe_outside_the_range_is_simulated_with_a_warning(tmp_path, capsys):
    (tmp_path / "recipes.csv").write_text("cBA_0,cAIBN_0,temp,time\n1,0.01,95,900\n")
    out = tmp_path / "out.csv"
    assert main(["simulate", "--recipes", str(tmp_path / "recipes.csv"), "--out", str(out)]) == 0
    assert "polyinv: warning: temp 95 is outside the range 60 to 80 °C" in capsys.readouterr().err
    assert out.is_file()


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".npz"])
def test_columns_of_a_list_of_recipes_that_are_not_used_are_named(suffix, tmp_path, capsys):
    out = tmp_path / f"a{suffix}"
    (tmp_path / "r.csv").write_text("cBA_0,cAIBN_0,temp,time,conversion,temp_error\n1,0.005,65,900,50%,2\n")
    assert main(["simulate", "--recipes", str(tmp_path / "r.csv"), "--out", str(out)]) == 0
    assert "columns not used: conversion, temp_error\n" in capsys.readouterr().err
    assert main(["simulate", "--recipes", str(out), "--out", str(tmp_path / "b.csv")]) == 0
    assert "columns not used: " in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_list_of_recipes_in_another_encoding_is_refused(encoding, tmp_path, capsys):
    text = "cBA_0,cAIBN_0,temp,time,T (°C)\n1,0.01,70,900,70\n"
    (tmp_path / "r.csv").write_bytes(text.encode(encoding))
    said = refused(capsys, "simulate", "--recipes", tmp_path / "r.csv", "--out", tmp_path / "out.csv")
    assert "r.csv is no text in UTF-8; save it as CSV in UTF-8" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("cBA_0,cAIBN_0,temp,time\n1,-0.01,70,900\n", "row 2, column 'cAIBN_0' holds -0.01; has to be more than 0"),
        ("cBA_0,cAIBN_0,temp\n1,0.01,70\n", "column 'time' is missing"),
        ("cBA_0,cAIBN_0,temp,time\n1,0.01,warm,900\n", "row 2, column 'temp' holds 'warm'; needs a number"),
        ("cBA_0,cAIBN_0,temp,time\n", "has no rows"),
        ("cBA_0\tcAIBN_0\ttemp\ttime\n1\t0.01\t70\t900\n", "parted by no commas; separate by commas"),
        ("cBA_0;cAIBN_0;temp;time\n1;0,01;70;900\n", "parted by no commas; separate by commas"),
    ],
)
def test_recipes_that_cannot_be_simulated(tmp_path, capsys, content, said):
    (tmp_path / "recipes.csv").write_text(content)
    assert said in refused(capsys, "simulate", "--recipes", tmp_path / "recipes.csv", "--out", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate", "--out", "{tmp}/a.pdf"], "no table format '.pdf'; known: .xlsx, .csv, .npz"),
        (["simulate", "--out", "{tmp}/no/a.csv"], "there is no folder"),
        (["simulate", "--out", "{tmp}/table.xlsx"], "exists already"),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--method", "exact"],
            "no simulator 'exact'; known: deterministic, kmc, sampled",
        ),
        (["simulate", "--out", "{tmp}/a.csv", "--chains", "0"], "chains is 0; needs a positive number"),
        (["simulate", "--out", "{tmp}/a.csv", "--chains", "many"], "many"),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--system", "nylon"],
            "no system 'nylon'; known: butyl_acrylate, methyl_methacrylate, styrene; or a file, such as my.yaml",
        ),
        (["simulate", "--out", "{tmp}/a.csv", "--recipes", ""], "no table format ''"),
        (["simulate", "--ou", "{tmp}/a.csv"], "out"),
        (["simulate", "--out", "{tmp}/a.csv", "--replicates", "0"], "replicates is 0; needs 1 to 10000000"),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--replicates", "2", "--method", "deterministic"],
            "a reaction without noise has no replicates",
        ),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--random", "0"],
            "--random is 0; needs 1 to 10000000",
        ),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--random", "5", "--recipes", "{tmp}/r.csv"],
            "--recipes and --random both say what to simulate",
        ),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--random", "5", "--seed", "99999999999999999999"],
            "seed is 99999999999999999999; needs a whole number from 0",
        ),
        (
            ["train", "--output", "{tmp}/run", "--data.source", "plant"],
            "no data source 'plant'; known: grid, simulated, table",
        ),
        (
            ["train", "--output", "{tmp}/run", "--data.source", "simulated", "--data.simulated.rows", "0"],
            "data.simulated.rows is 0; needs 2 to 100000000",
        ),
        (
            ["train", "--output", "{tmp}/run", "--model.name", "mlp", "--model.members", "0"],
            "model.members is 0; needs 1 to 1000",
        ),
        (
            ["train", "--output", "{tmp}/run", "--init", "{tmp}"],
            "holds no model: there is no model.json in it",
        ),
        (
            ["reproduce", "--output", "{tmp}/run", "--data.source", "simulated"],
            "reproduce trains on a table",
        ),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--workers", "2"],
            "--workers does not go with --method sampled",
        ),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--allow-few"],
            "--allow-few does not go with --method sampled",
        ),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--method", "deterministic", "--horizon", "3600"],
            "--horizon does not go with --method deterministic",
        ),
        (
            ["simulate", "--out", "{tmp}/a.csv", "--horizon", "3000"],
            "horizon is 3000 s; needs to reach the last snapshot at 3600 s",
        ),
        (["simulate"], "out"),
        (
            ["simulat"],
            "no command 'simulat'; known: ablate, calibrate, compare, design, evaluate, predict, reproduce, search, "
            "simulate, systems",
        ),
        (
            ["train", "--output", "{tmp}/run", "--model.name", "forrest"],
            "no model 'forrest'; known: cnn, forest, mlp, network",
        ),
        (["train", "--output", "{tmp}/run", "--model.trees", "3"], "nearest: model."),
        (
            ["train", "--output", "{tmp}/run", "--model", "cnn"],
            "model is cnn; needs keys with values, such as model.name",
        ),
        (
            ["train", "--model", "--output", "{tmp}/run"],
            "model is a section; needs keys with values, such as model.name",
        ),
        (["train", "--output", "{tmp}/run", "--config", "{tmp}/no.yaml"], "no.yaml"),
        (
            ["train", "--output", "{tmp}/run", "--config", "{tmp}/unknown.yaml"],
            "'n_estimatorz'; nearest: model.n_estimators",
        ),
        (["train", "--output", "{tmp}/run", "--config", "{tmp}/broken.yaml"], "broken.yaml is not YAML"),
        (["train", "--output", "{tmp}/run", "--config", "{tmp}/list.yaml"], "list.yaml is no configuration"),
        (["train", "--output", "{tmp}/run", "--config", "{tmp}/empty.yaml"], "empty.yaml is no configuration"),
        (["train", "--output", "{tmp}/run", "--config", "{tmp}/names.yaml"], "model.name is ['forest']"),
        (
            ["train", "--output", "{tmp}/run", "--config", "{tmp}/null.yaml"],
            "model.jobs is null; needs a value, such as -1",
        ),
        (
            ["train", "--output", "{tmp}/run", "--config", "{tmp}/none.yaml"],
            "none.yaml is no configuration: none of its keys",
        ),
        (
            ["train", "--output", "{tmp}/run", "--config", "{tmp}/section.yaml"],
            "'modle.name' is not accepted; nearest: model.name",
        ),
        (
            ["train", "--output", "{tmp}/table.xlsx/run", "--model.jobs", "1", "--data.path", "{tmp}/table.xlsx"],
            "table.xlsx",
        ),
        (["train", "--output", "{tmp}/run", "--model.jobs", "0"], "model.jobs is 0; needs"),
        (["train", "--output", "{tmp}/run", "--model.n_estimators", "many"], "model.n_estimators"),
        (
            ["train", "--output", "{tmp}/run", "--split.name", "by_recepie", "--data.path", "{tmp}/table.xlsx"],
            "no split",
        ),
        (["train", "--output", "{tmp}/run", "--features", "mdm"], "no feature set 'mdm'; known: composite"),
        (["train", "--output", "{tmp}", "--data.path", "{tmp}/table.xlsx"], "exists already and is no run folder"),
        (["train"], "output"),
        (
            ["train", "--output", "{tmp}/run", "--config", "{tmp}/class.yaml"],
            "class.yaml: no key 'data.class_path'; nearest: data.path",
        ),
        (
            ["train", "--output", "{tmp}/run", "--config", "{tmp}/itself.yaml"],
            "itself.yaml: config is no key of a configuration; needs --config on the command line",
        ),
        (["design", "--config", "{tmp}/itself.yaml"], "config is no key of a configuration"),
        (
            ["design", "--config", "{tmp}/wishs.yaml"],
            "known: chains, count, curve, maximize, minimize, out, prices, report, robust, system, wishes",
        ),
        (["simulate", "--out", "{tmp}/a.csv", "--chains", "nan"], "error: chains is nan; needs a number"),
        (["simulate", "--out", "{tmp}/a.csv", "--seed", "1.5"], "error: seed is 1.5; needs a whole number"),
        (["simulate", "--out", "{tmp}/a.csv", "--horizon", "x"], "error: horizon is x; needs a number or nothing"),
        (
            ["train", "--output", "{tmp}/run", "--data.normalize", "maybe"],
            "error: data.normalize is maybe; needs true or false",
        ),
        (
            ["train", "--output", "{tmp}/run", "--data.simulated.chains", "[1, nan]"],
            "error: data.simulated.chains is nan; needs a number",
        ),
        (["train", "--output", "{tmp}/run", "--data.patterns", "x"], "error: data.patterns is x; needs keys with val"),
        (["simulate", "--out", "{tmp}/a.csv", "--recipes", "{tmp}/r.csv", "--chains", "0"], "error: --chains is 0"),
        (["simulate", "--out", "{tmp}/a.csv", "--recipes", "{tmp}/r.csv", "--horizon", "-1"], "error: --horizon is -1"),
        (["simulate", "--out", "{tmp}/a.csv", "--recipes", "{tmp}/r.csv", "--seed", "-1"], "error: seed is -1"),
        (["simulate", "--out", "{tmp}/a.csv", "--recipes", "{tmp}/r.csv", "--method", "x"], "error: no simulator 'x'"),
        (["simulate", "--out", "{tmp}/a.csv", "--recipes", "{tmp}/cold.csv"], "cold.csv, row 2, column 'temp'"),
        (["reproduce", "--seeds", "0"], "--seeds is 0; needs 1 or more"),
        (["reproduce", "--data.path", "{tmp}/nothing.xlsx", "--output", "{tmp}/r"], "no such file"),
    ],
)
def test_refusals(workbook, tmp_path, capsys, arguments, said):
    (tmp_path / "unknown.yaml").write_text("model: {name: forest, n_estimatorz: 3}\n")
    (tmp_path / "broken.yaml").write_text("model: [\n")
    (tmp_path / "list.yaml").write_text("[1, 2]\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "names.yaml").write_text("model: {name: [forest]}\n")
    (tmp_path / "section.yaml").write_text("modle: {name: forest}\n")
    (tmp_path / "null.yaml").write_text("model: {name: forest, max_depth: null, jobs: null}\n")
    (tmp_path / "none.yaml").write_text("features:\n")
    (tmp_path / "class.yaml").write_text("model: {name: forest}\ndata: {class_path: os.system}\n")
    (tmp_path / "itself.yaml").write_text(f"config: {tmp_path}/itself.yaml\n")
    (tmp_path / "wishs.yaml").write_text("wishs: [Mn=25000]\n")
    (tmp_path / "r.csv").write_text("cBA_0,cAIBN_0,temp,time\n1.5,0.008,60,1200\n")
    (tmp_path / "cold.csv").write_text("cBA_0,cAIBN_0,temp,time\n1.5,0.008,-300,1200\n")
    before = sorted(tmp_path.iterdir())
    assert said in refused(capsys, *(argument.format(tmp=tmp_path) for argument in arguments))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.linux
def test_a_name_of_two_lines_is_written_in_one(tmp_path, capsys):
    (tmp_path / "r.CSV").write_text("cBA_0,cAIBN_0,temp,time\n1.5,0.008,60,1200\n")
    out = tmp_path / "a\nb.csv"
    assert main(["simulate", "--method", "deterministic", "--recipes", str(tmp_path / "r.CSV"), "--out", str(out)]) == 0
    assert "a b.csv\n" in capsys.readouterr().err
    assert len(read_table(out)) == 1


def kmc(tmp_path, name, *options):
    recipes = tmp_path / "recipes.csv"
    recipes.write_text("cBA_0,cAIBN_0,temp,time\n1,0.02,70,60\n1,0.01,75,60\n1,0.02,70,30\n")
    arguments = ["simulate", "--method", "kmc", "--chains", "1e5", "--recipes", str(recipes), *options]
    return main([*arguments, "--out", str(tmp_path / name)])


def test_kmc_replicates_are_independent_and_the_first_is_the_run_alone(tmp_path):
    assert kmc(tmp_path, "one.npz", "--allow-few") == 0
    assert kmc(tmp_path, "three.npz", "--allow-few", "--replicates", "3", "--workers", "1") == 0
    one, three = (read_table(tmp_path / f"{name}.npz") for name in ("one", "three"))
    assert (len(one), len(three)) == (3, 9)
    pd.testing.assert_frame_equal(three.head(3), one)
    assert three["Mn"].nunique() == 9
    assert not list(tmp_path.glob("*.runs"))  # finished runs are not needed any more


def test_kmc_says_when_its_volume_is_too_small(tmp_path, capsys):
    assert kmc(tmp_path, "a.npz", "--horizon", "3600", "--chains", "3e4") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "live radicals on average" in error
    assert "would give 10" in error
    assert not (tmp_path / "a.npz").exists()
    assert kmc(tmp_path, "a.npz", "--horizon", "3600", "--chains", "3e4", "--allow-few") == 0
    assert (
        "polyinv: warning: reaction 2 (1 mol/L of monomer, 0.01 mol/L of initiator, 75 °C) has"
        in capsys.readouterr().err
    )


def test_a_killed_kmc_goes_on_and_ends_in_the_same_table(tmp_path, monkeypatch):
    from polyinv.simulate import montecarlo

    assert kmc(tmp_path, "whole.npz", "--allow-few", "--workers", "1") == 0
    engine, done = montecarlo.ENGINES["skip"], []

    def die_in_the_second_run(job):
        if done:
            raise KeyboardInterrupt
        done.append(job)
        return engine(job)

    with monkeypatch.context() as patch:
        patch.setitem(montecarlo.ENGINES, "skip", die_in_the_second_run)
        assert kmc(tmp_path, "killed.npz", "--allow-few", "--workers", "1") == 130
    assert not (tmp_path / "killed.npz").exists()
    assert len(list((tmp_path / "killed.npz.runs").glob("*.npz"))) == 1
    assert kmc(tmp_path, "killed.npz", "--allow-few") == 0
    assert (tmp_path / "killed.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


SMALL = ["--data.simulated.rows", "600", "--data.simulated.epoch", "600", "--data.simulated.validation", "60"]
ONE_EPOCH = ["--model.training.max_epochs", "1", *SMALL]
WHOLE = {
    "forest.yaml": ["--model.n_estimators", "3"],
    "trees.yaml": ["--model.n_estimators", "3"],
    "polynomial.yaml": [],
    "mlp_published.yaml": ["--model.training.max_epochs", "1"],
    "mlp.yaml": ONE_EPOCH,
    "cnn.yaml": ONE_EPOCH,
    "conditional.yaml": ONE_EPOCH,
    "conditional_small.yaml": ONE_EPOCH,
    "posterior.yaml": ONE_EPOCH,
    "posterior_small.yaml": ONE_EPOCH,
}
BEHIND_ANOTHER = {
    "table.yaml",
    "finetune.yaml",
    "laboratory.yaml",
    "conditional_exact.yaml",
    "conditional_last.yaml",
    "posterior_gpu.yaml",
    "posterior_last.yaml",
}
MISSING = {"conditional": ("conditional",), "posterior": (WITH_CHAINS,)}
"""Features of networks that take missing inputs, by how the name of their configuration begins."""


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("polyinv.data.bank.BLOCK", 600)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["--resume", "true"], ["--resume"]),
        (["--resume=True", "--out", "x"], ["--resume", "--out", "x"]),
        (["--resume", "false"], []),
        (["--resume=false"], []),
        (["--allow_few", "true"], ["--allow-few"]),
        (["--allow_few"], ["--allow-few"]),
    ],
)
def test_an_old_spelling_of_a_flag_is_understood_with_a_word(typed, read, caplog):
    assert list(bare(typed, ["--resume", "--allow-few"])) == read
    (record,) = caplog.records
    assert "is an old spelling" in record.message
    assert ("leave --resume out" if not read else f"write {read[0]}") in record.message


def test_a_bare_flag_swallows_nothing(caplog):
    typed = ["--resume", "mine.csv", "--resume=maybe", "--data.normalize", "true", "--", "--resume", "true"]
    assert list(bare(typed, ["--resume"])) == typed
    assert not caplog.records


def test_flags_stand_before_what_is_named(small, tmp_path, capsys):
    """Each command is refused for the file behind its flag, and so has seen both."""
    for arguments in (["predict", "--normalize"], ["ablate", "--retry"], ["ablate", "--dry-run"]):
        assert "nowhere.csv" in refused(capsys, *arguments, "nowhere.csv")
    curves = small.head(3).assign(**{f"MMD{node}": small[f"MMD{node}"].head(3) * 2 for node in range(1, 101)})
    curves.to_csv(tmp_path / "curves.csv", index=False)
    model = CONFIGS.parent / "checkpoints" / "mlp"
    assert "integrates to 2 instead of 1" in refused(capsys, "predict", model, tmp_path / "curves.csv")
    assert main(["predict", "--normalize", str(model), str(tmp_path / "curves.csv")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3


def test_every_option_without_a_value_is_a_flag(capsys):
    """So that its old spelling, with a value, is understood."""
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        usage = capsys.readouterr().out.split("\n\n")[0]
        assert set(re.findall(r"\[(--[a-z-]+)\]", usage)) == {*FLAGS.get(name, ()), DEBUG}


def test_every_shipped_config_is_tried():
    assert {path.name for path in CONFIGS.glob("*.yaml")} == {*WHOLE} | BEHIND_ANOTHER


@pytest.mark.parametrize("config", WHOLE)
def test_every_shipped_config_trains_on_a_workbook(config, workbook, tmp_path, capsys, small_blocks):
    common = ["--config", str(CONFIGS / config), "--data.path", str(workbook), *WHOLE[config]]
    for features in MISSING.get(config.removesuffix(".yaml").split("_")[0], ("composite", "mmd")):
        run = tmp_path / features
        assert main(["train", *common, "--features", features, "--output", str(run)]) == 0
        assert "global" in capsys.readouterr().out
        assert (run / "scores.csv").is_file()


def test_a_network_made_for_simulated_recipes_trains_on_a_table_and_is_fine_tuned(workbook, tmp_path, capsys):
    both = ["--config", str(CONFIGS / "mlp.yaml"), "--config", str(CONFIGS / "table.yaml")]
    on_workbook = ["--data.path", str(workbook), "--model.training.max_epochs", "1"]
    first = ["train", *both, *on_workbook, "--features", "mmd", "--model.members", "2"]
    first += ["--model.training.accelerator", "cpu"]
    assert main([*first, "--output", str(tmp_path / "first")]) == 0
    tuned = ["train", "--config", str(CONFIGS / "finetune.yaml"), "--init", str(tmp_path / "first" / "model")]
    # Architecture, members and features are those of the network it starts from, unsaid.
    assert main([*tuned, *on_workbook, "--output", str(tmp_path / "tuned")]) == 0
    config = yaml.safe_load((tmp_path / "tuned" / "config.yaml").read_text())
    assert (config["model"]["members"], config["features"]) == (2, "mmd")
    assert config["model"]["training"]["learning_rate"] == 1e-4
    assert config["model"]["training"]["accelerator"] == "auto"  # that machine's device is not this one's
    capsys.readouterr()
    for change, said in (
        (["--features", "composite"], "was not trained on the features 'composite'"),
        (["--model.hidden", "[8, 8, 8]"], "has model.hidden (256, 256, 128), not (8, 8, 8)"),
        (["--model.name", "forest"], "a forest cannot go on learning"),
    ):
        arguments = [*tuned[:1], *tuned[-2:], "--data.path", str(workbook), *change]
        assert main([*arguments, "--output", str(tmp_path / "other")]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "other").exists()


def test_random_recipes_are_simulated_by_their_seed(tmp_path):
    tables = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        out = tmp_path / f"{name}.npz"
        options = ["--random", "40", "--seed", seed, "--horizon", "3600", "--chains", "1e5"]
        assert main(["simulate", *options, "--out", str(out)]) == 0
        tables.append(read_table(out))
    assert len(tables[0]) == 40
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not np.allclose(tables[0]["temp"], tables[2]["temp"])
    # Recipes and noise are not one stream: torch takes the low 32 bits of a seed only.
    first = torch.rand(160, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert abs((tables[0]["cBA_0"].iloc[0] - 0.5) / 2.5 - first[0].item()) > 1e-6


@pytest.mark.linux
@pytest.mark.parametrize(
    ("command", "number"), [("train", signal.SIGINT), ("train", signal.SIGTERM), ("reproduce", signal.SIGTERM)]
)
def test_an_interrupt_ends_a_training_with_a_word_and_no_children(command, number, workbook, tmp_path):
    out = tmp_path / "run"
    endless = ["--model.training.max_epochs", "1000000", "--model.training.patience", "1000000"]
    options = ["--model.name", "mlp", *endless] if command == "train" else ["--seeds", "1", "--workers", "1"]
    arguments = [command, *options, "--data.path", str(workbook), "--output", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "polyinv.cli", *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    started = time.monotonic()
    while not list(tmp_path.rglob("events.*")) and time.monotonic() < started + 60:
        time.sleep(0.2)
    time.sleep(2 if command == "train" else 0)  # past imports of libraries, in which an interrupt can get lost
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert error.splitlines()[-1] == "polyinv: interrupted"
    assert not list(tmp_path.rglob("scores.csv"))
    with pytest.raises(ProcessLookupError):  # nobody of its group is left
        for _ in range(50):
            os.killpg(process.pid, 0)
            time.sleep(0.2)


@pytest.mark.linux
def test_an_interrupt_does_not_wait_for_a_kmc_run(tmp_path):
    (tmp_path / "recipes.csv").write_text("cBA_0,cAIBN_0,temp,time\n1,0.02,70,3600\n")
    arguments = ["simulate", "--method", "kmc", "--chains", "1e9", "--recipes", str(tmp_path / "recipes.csv")]
    command = [sys.executable, "-m", "polyinv.cli", *arguments, "--out", str(tmp_path / "out.npz")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    process.stderr.readline()
    time.sleep(5)  # the run itself would take minutes
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=10)
    assert process.returncode == 130
    assert error.splitlines()[-1] == "polyinv: interrupted"
    assert not (tmp_path / "out.npz").exists()


def test_two_kmc_processes_do_not_share_a_store_and_foreign_files_stay(tmp_path, capsys):
    store = tmp_path / "a.npz.runs"
    store.mkdir()
    (store / "notes.txt").write_text("mine")
    with locked(store):
        assert kmc(tmp_path, "a.npz", "--allow-few") == 2
    assert "another process is at work" in capsys.readouterr().err
    assert kmc(tmp_path, "a.npz", "--allow-few") == 0
    assert [path.name for path in store.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--chains", "1e30"], "monomer molecules, more than 1e+15"),
        (["--chains", "0"], "chains is 0"),
        (["--horizon", "1e-9"], "monomer molecules, more than 1e+15"),
        (["--seed", "99999999999999999999999"], "seed is 99999999999999999999999; needs a whole number from 0"),
        (["--workers", "0"], "--workers is 0; needs 1 or more"),
    ],
)
def test_kmc_refusals_leave_nothing(tmp_path, capsys, options, said):
    assert kmc(tmp_path, "a.npz", *options) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipes.csv"]


@pytest.mark.linux
def test_killed_while_it_writes_nothing_looks_finished(tmp_path):
    out = tmp_path / "grid.xlsx"
    command = [sys.executable, "-m", "polyinv.cli", "simulate", "--method", "deterministic", "--out", str(out)]
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("writing"):
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not out.exists()


def test_a_config_file_that_is_no_text_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\r\n\x1a\n")
    for command in ("design", "train"):
        assert main([command, "--config", str(tmp_path / "picture.yaml")]) == 2
        assert "picture.yaml is no text in UTF-8" in capsys.readouterr().err
