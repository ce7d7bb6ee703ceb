"""A study that is killed, fails in places, or is started twice ends in the same table, and says what is missing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import polyinv.ablation.estimate
from polyinv import __version__
from polyinv.ablation.costs import known_cost
from polyinv.ablation.tables import gather
from polyinv.cli import main
from polyinv.data.workbook import write_table
from polyinv.experiment.configuration import read_experiment
from polyinv.runtime.resources import STUDIES
from polyinv.runtime.shared_folders import locked
from tests.ablation.studies import AXES, write_study

COLUMNS = ["model", "features", "split", "seed", "member", "subset", "target", "metric", "value", "sd", "low", "high"]
TINY = {"model.name": "mlp", "model.hidden": [8], "model.dropout": [0.0]}
ENDLESS = TINY | {"model.training": {"max_epochs": 10**6, "patience": 10**6}}


@pytest.fixture
def study(tmp_path, small):
    return write_study(tmp_path / "study", small)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, small):
    """A study with a cell that cannot be (a curve network without a curve), run by one process."""
    folder = tmp_path_factory.mktemp("whole")
    network = {"model.name": "cnn", "model.members": 2, "model.training.max_epochs": 1}
    path = write_study(folder / "study", small, axes=AXES | {"network": {"forest": {}, "CNN": network}})
    done = subprocess.run(command(path, folder / "out"), capture_output=True, text=True)
    return done, path, folder / "out"


def command(path, out, *options):
    arguments = ["ablate", str(path), "--output", str(out), "--workers", "1", *options]
    return [sys.executable, "-m", "polyinv.cli", *arguments]


def go_on(path, out, *options):
    """The same command once more, in this process: with the fixture ``here``."""
    assert main(["ablate", str(path), "--output", str(out), "--workers", "1", *options]) == 0


def refused(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.usefixtures("here")
def test_where_r2_is_not_defined_the_summary_is_blank(tmp_path, small):
    """A level of temperature held out has one temperature."""
    path = write_study(tmp_path / "study", small, axes={"split.name": ["by_recipe", "by_temperature"]})
    assert main(["ablate", str(path), "--output", str(tmp_path / "out"), "--workers", "1"]) == 0
    found = pd.read_csv(tmp_path / "out" / "summary.csv").set_index(["axis.split.name", "subset", "target"])["mean"]
    assert np.isnan(found["by_temperature", "test", "temp"])
    assert not np.isnan(found["by_temperature", "test", "time"])
    assert "| by_temperature | 2" in (tmp_path / "out" / "summary.md").read_text()


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("study.yaml", "{", "is not YAML"),
        ("study.yaml", "base: a.yaml\n", "it has no axes or no cells"),
        ("cells/composite-1/scores.csv", "", "scores.csv is damaged"),
    ],
)
def test_a_damaged_folder_is_one_line(plain, tmp_path, capsys, file, content, said):
    out = Path(shutil.copytree(plain[1], tmp_path / "out"))
    (out / file).write_text(content)
    assert said in refused(capsys, "ablate", "--summarize", out)


def test_seeds_that_are_no_more_asked_for_are_told(plain, tmp_path, capsys):
    study, out = (Path(shutil.copytree(part, tmp_path / part.name)) for part in (plain[0].parent, plain[1]))
    study = study / plain[0].name
    study.write_text(yaml.safe_dump(yaml.safe_load(study.read_text()) | {"seeds": [1]}))
    assert main(["ablate", str(study), "--output", str(out), "--workers", "1"]) == 0
    assert "2 more that the study does not name any more are not in the tables" in capsys.readouterr().out
    assert set(gather(out)["seed"]) == {1}


def test_cells_of_another_version_are_read_with_a_word_and_not_gone_on_with(plain, tmp_path, capsys):
    study, out = (Path(shutil.copytree(part, tmp_path / part.name)) for part in (plain[0].parent, plain[1]))
    cell = out / "cells" / "composite-1"
    config = (cell / "config.yaml").read_text()
    (cell / "config.yaml").write_text(config.replace(f"polyinv: {__version__}", "polyinv: 0.1.0"))
    arguments = ["ablate", str(study / plain[0].name), "--output", str(out), "--workers", "1"]
    assert main(arguments) == 0
    assert "were finished by polyinv 0.1.0, and stand in one table with those of" in capsys.readouterr().err
    assert (out / "table.csv").read_bytes() == (plain[1] / "table.csv").read_bytes()
    (cell / "scores.csv").unlink()
    assert "composite-1 was begun by polyinv 0.1.0, not" in refused(capsys, *arguments)


def test_an_output_that_is_a_file_is_refused(study, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert "is a file; choose another --output" in refused(capsys, "ablate", study, "--output", tmp_path / "file")


def test_a_cell_that_cannot_be_is_told_and_the_rest_is_in_one_table(whole):
    done, _, out = whole
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("polyinv: error: 2 of 8 cells failed; ")
    assert "Traceback" not in done.stderr
    assert "scalars, CNN, seed 1: failed: a curve network needs the nodes of the curve" in done.stdout
    (first, second) = sorted((out / "failed").iterdir())
    assert (first.name, second.name) == ("scalars_CNN-1.txt", "scalars_CNN-2.txt")
    assert first.read_text().startswith("a curve network needs the nodes of the curve among its features\n")
    assert "Traceback" in first.read_text()

    table = pd.read_csv(out / "table.csv", dtype={"member": str})
    assert list(table.columns) == ["axis.features", "axis.network", *COLUMNS, "given"]
    assert table["given"].isna().all()
    assert not table.duplicated([column for column in table if column != "value"]).any()
    assert table.groupby(["axis.features", "axis.network", "seed"], sort=False).ngroups == 6
    assert {"0", "1", "all"} == set(table.loc[table["axis.network"] == "CNN", "member"])  # replicas, trained at once
    kept = pd.read_csv(out / "cells" / "scalars_forest-2" / "scores.csv", dtype={"member": str})
    of_cell = table[(table["axis.features"] == "scalars") & (table["axis.network"] == "forest") & (table["seed"] == 2)]
    pd.testing.assert_frame_equal(of_cell[COLUMNS].reset_index(drop=True), kept)

    cells = pd.read_csv(out / "cells.csv").set_index("cell")
    assert cells["state"].value_counts().to_dict() == {"done": 6, "failed": 2}
    assert (cells.loc[cells["state"] == "done", ["cpu_seconds", "wall_seconds"]] > 0).all(axis=None)
    assert cells["error"].notna().sum() == 2


def test_the_summary_says_what_the_scores_say(whole):
    _, _, out = whole
    found = pd.read_csv(out / "summary.csv").set_index(["axis.features", "axis.network", "target"])
    r2 = [
        pd.read_csv(out / "cells" / f"{features}_forest-{seed}" / "scores.csv").query(
            "metric == 'r2' and target == 'temp'"
        )
        for features in ("composite", "scalars")
        for seed in (1, 2)
    ]
    composite, scalars = np.array([each["value"].item() for each in r2]).reshape(2, 2)
    row = found.loc[("scalars", "forest", "temp")]
    assert row["difference"] == pytest.approx((scalars - composite).mean())
    assert (row["low"] + row["high"]) / 2 == pytest.approx(scalars.mean())
    words = (out / "summary.md").read_text()
    assert words.count("| scalars") == 2  # one mean, one difference
    assert "Less the same with features composite, paired by seed" in words
    assert (out / "summary.png").stat().st_size > 10_000


def test_tensorboard_has_a_row_for_each_combination(whole):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    _, _, out = whole
    rows = {}
    for folder in (out / "tensorboard").iterdir():
        events = EventAccumulator(str(folder)).Reload()
        started = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        told = HParamsPluginData.FromString(started).session_start_info.hparams
        scores = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
        rows[told["features"].string_value, told["network"].string_value] = scores
    assert set(rows) == {("composite", "forest"), ("composite", "CNN"), ("scalars", "forest")}
    found = pd.read_csv(out / "summary.csv").set_index(["axis.features", "axis.network", "target"])
    scores = rows["composite", "CNN"]
    assert scores["test/r2/global"] == pytest.approx(found.loc[("composite", "CNN", "global"), "mean"], rel=1e-6)


def test_called_again_it_repeats_nothing_and_leaves_out_what_failed(whole, capsys):
    _, path, out = whole
    before = {file: file.stat().st_mtime_ns for file in out.glob("cells/*/scores.csv")}
    table = (out / "table.csv").read_bytes()
    assert main(["ablate", str(path), "--output", str(out)]) == 2
    said, error = capsys.readouterr()
    assert "6 done, 0 to run, 2 failed before and left out (--retry runs them again)" in said
    assert error.splitlines()[-1].endswith("says why, and --retry runs them again")
    assert {file: file.stat().st_mtime_ns for file in out.glob("cells/*/scores.csv")} == before
    assert (out / "table.csv").read_bytes() == table
    (out / "table.csv").unlink()
    assert main(["ablate", "--summarize", str(out)]) == 0
    assert (out / "table.csv").read_bytes() == table
    # Values and seeds may be added; another study, or cells made of something else, are refused before anything is run.
    study = yaml.safe_load(path.read_text())
    for change, said in (
        ({"axes": AXES}, "holds a study of the axes features, network, not features"),
        (
            {"axes": study["axes"] | {"network": {"forest": {"model.n_estimators": 4}}}},
            "with model.n_estimators 3, not 4",
        ),
    ):
        other = path.with_name("other.yaml")
        other.write_text(yaml.safe_dump(study | change, sort_keys=False))
        assert said in refused(capsys, "ablate", other, "--output", out)
    more = path.with_name("more.yaml")
    more.write_text(yaml.safe_dump(study | {"seeds": [1, 2, 3]}, sort_keys=False))
    assert main(["ablate", str(more), "--output", str(out), "--dry-run"]) == 0
    assert "| scalars   | forest  | 2    | 0      | 1    |" in capsys.readouterr().out


def test_results_of_other_data_are_not_mixed(whole, small, capsys):
    _, path, out = whole
    write_table(small.assign(Mn=small["Mn"] / 2), path.with_name("other.npz"))
    kept = path.with_name("table.npz").read_bytes()
    path.with_name("other.npz").replace(path.with_name("table.npz"))
    try:
        line = refused(capsys, "ablate", path, "--output", out)
    finally:
        path.with_name("table.npz").write_bytes(kept)
    assert "was made of other rows than" in line


def start(arguments):
    return subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(found, seconds=90):
    ends = time.monotonic() + seconds
    while not found() and time.monotonic() < ends:
        time.sleep(0.02)
    assert found()


@pytest.mark.usefixtures("here")
@pytest.mark.linux
@pytest.mark.parametrize(
    "moment",
    [
        "cells/*/scores.csv",
        pytest.param("cells/*/config.yaml", marks=pytest.mark.slow),
        pytest.param("cells/*/seconds.json", marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment_it_ends_in_the_same_table(study, tmp_path, whole, moment):
    out = tmp_path / "out"
    process = start(command(study, out))
    wait_for(lambda: list(out.glob(moment)))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    finished = {file: file.stat().st_mtime_ns for file in out.glob("cells/*/scores.csv")}
    assert len(finished) < 4
    go_on(study, out)
    assert {file: file.stat().st_mtime_ns for file in finished} == finished
    table = pd.read_csv(whole[2] / "table.csv")
    expected = table[table["axis.network"] == "forest"].drop(columns="axis.network")
    pd.testing.assert_frame_equal(
        pd.read_csv(out / "table.csv").astype({"member": str}), expected.astype({"member": str}).reset_index(drop=True)
    )


@pytest.mark.usefixtures("here")
@pytest.mark.linux
def test_a_killed_parent_takes_its_workers_along_and_a_killed_worker_is_a_failed_cell(small, tmp_path):
    path = write_study(tmp_path / "study", small, axes={"network": {"endless": ENDLESS, "forest": {}}}, seeds=[1])
    out = tmp_path / "out"
    process = start(command(path, out))
    wait_for(lambda: list(out.glob("cells/endless-1/events.*")))
    process.kill()  # the parent alone
    process.communicate()
    process = start(command(path, out))  # at once: nobody else is at work in the cell
    wait_for(lambda: len(list(out.glob("cells/endless-1/events.*"))) > 1)  # it goes on with the training
    (worker,) = _workers(process.pid)
    os.kill(worker, signal.SIGKILL)
    _, error = process.communicate(timeout=90)
    assert process.returncode == 2, error
    assert error.splitlines()[-1].startswith("polyinv: error: 1 of 2 cells failed; ")
    reason = (out / "failed" / "endless-1.txt").read_text()
    assert reason.startswith("its process was killed by signal 9 (SIGKILL), as the system does when memory runs out")
    assert set(gather(out)["axis.network"]) == {"forest"}
    # Mended in the study, it may be tried again: what it left behind does not stand in the way.
    mended = ENDLESS | {"model.training": {"max_epochs": 1}}
    study = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(study | {"axes": {"network": {"endless": mended, "forest": {}}}}))
    go_on(path, out, "--retry")
    assert set(gather(out)["axis.network"]) == {"endless", "forest"}


def _workers(parent: int) -> list[int]:
    """Children that run cells, as opposed to the tracker of resources that Python keeps."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.usefixtures("here")
@pytest.mark.linux
@pytest.mark.parametrize(
    "asked",
    [
        "the study",
        pytest.param("all its processes", marks=pytest.mark.slow),
        pytest.param("a process of it", marks=pytest.mark.slow),
    ],
)
def test_asked_to_end_it_leaves_what_the_same_command_goes_on_with(small, tmp_path, asked):
    """A batch system asks the study or all its processes before it kills them, a system short of memory one of them."""
    long = TINY | {"model.training": {"max_epochs": 200, "patience": 200}}
    path = write_study(tmp_path / "study", small, axes={"network": {"long": long, "forest": {}}}, seeds=[1])
    out = tmp_path / "out"
    process = start(command(path, out))
    wait_for(lambda: list(out.glob("cells/long-1/events.*")))
    if asked == "all its processes":
        os.killpg(process.pid, signal.SIGTERM)
    else:
        os.kill(process.pid if asked == "the study" else _workers(process.pid)[0], signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    if asked == "a process of it":
        assert (process.returncode, (out / "cells" / "forest-1" / "scores.csv").is_file()) == (2, True)
        assert error.splitlines()[-1].startswith("polyinv: error: 1 of 2 cells: process was asked to end")
    else:
        assert (process.returncode, error.splitlines()[-1]) == (130, "polyinv: interrupted")
    assert not list((out / "failed").iterdir())
    assert not (out / "cells" / "long-1" / "scores.csv").exists()
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.killpg(process.pid, 0)
            time.sleep(0.2)
    with locked(out), locked(out / "cells" / "long-1"):
        pass
    go_on(path, out)
    cells = pd.read_csv(out / "cells.csv").set_index("cell")
    assert set(cells["state"]) == {"done"}
    assert str(cells.loc["long-1", "resumed"]) == "True"


@pytest.mark.usefixtures("here")
@pytest.mark.linux
def test_a_full_disk_loses_nothing_and_a_retry_finishes(small, tmp_path):
    def nothing_large():  # stands for a disk without room: what is written beyond 20 kB fails
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    study, out = write_study(tmp_path / "study", small, seeds=[1]), tmp_path / "out"
    done = subprocess.run(command(study, out), capture_output=True, text=True, preexec_fn=nothing_large)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("polyinv: error: 2 of 2 cells failed; ")
    assert not list(out.glob("cells/*/scores.csv"))
    assert "OSError: [Errno 27]" in next((out / "failed").iterdir()).read_text()
    go_on(study, out, "--retry")
    assert set(gather(out)["axis.features"]) == {"composite", "scalars"}
    assert not list((out / "failed").iterdir())


def finish(out, name, seconds):
    """A cell that took so many seconds."""
    (out / "cells" / name).mkdir(parents=True)
    (out / "cells" / name / "scores.csv").touch()
    spent = {"wall": seconds, "cpu": seconds, "resumed": False}
    (out / "cells" / name / "seconds.json").write_text(json.dumps(spent))


def test_the_plan_counts_cells_and_adds_up_their_time(study, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(polyinv.ablation.estimate, "known_cost", lambda experiment: len(experiment.features))
    finish(out, "composite-1", 18.0)
    (out / "failed").mkdir(parents=True)
    (out / "failed" / "scalars-1.txt").touch()
    assert not (out / "study.yaml").exists()  # killed before it was written: still the folder of a study
    assert main(["ablate", str(study), "--output", str(out), "--dry-run", "--workers", "2"]) == 0
    said = capsys.readouterr().out
    assert "| composite | 1    | 0      | 1    | 18 s       |" in said
    assert "| scalars   | 0    | 1      | 1    | about 14 s |" in said  # 7, where 18 were taken for 9 expected
    assert "4 cells, 3 of them not done: about 0.4 minutes in 2 processes on the CPU" in said  # (18 + 2 * 14) / 2
    assert said.splitlines()[-1] == (
        "estimated from what finished cells of the same values took; "
        "from stored timings, scaled by what finished cells of the same model took"
    )


def test_a_plan_trains_nothing_and_says_how_it_was_made(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(polyinv.ablation.estimate, "run", None)
    assert main(["ablate", str(study), "--output", str(tmp_path / "out"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.count("about") == 3
    assert "estimated from stored timings, scaled by a short probe of this machine" in said
    assert not (tmp_path / "out").exists()


def test_a_model_without_timings_is_tried_by_a_short_training(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(polyinv.ablation.estimate, "known_cost", lambda experiment: None)
    assert main(["ablate", str(study), "--output", str(tmp_path / "out"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.count("about") == 3
    assert "estimated by a short training of models that have no stored timings" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_has_a_plan_in_seconds(path, tmp_path, capsys):
    def seconds():
        start = time.process_time()
        assert main(["ablate", str(path), "--output", str(tmp_path / "out"), "--dry-run"]) == 0
        return time.process_time() - start

    assert seconds() < 8 or seconds() < 8  # the first may have compiled, or lost its caches to a neighbour
    assert "not known" not in capsys.readouterr().out


def test_costs_grow_with_the_work():
    def cost(**values):
        return known_cost(read_experiment(values={key.replace("__", "."): value for key, value in values.items()}))

    few, many = (cost(model__name="forest", model__n_estimators=number) for number in (100, 200))
    assert many > 1.5 * few
    for name in ("mlp", "cnn"):
        long = {"model__name": name, "model__training__max_epochs": 100}
        assert (
            cost(**long)
            < cost(**long, model__members=4)
            < cost(**long, model__members=4, model__training__batch_size=8)
        )
        assert cost(**long, features="scalars" if name == "mlp" else "composite") <= cost(**long)
    assert cost(model__name="forest", model__search=True) is None
    assert cost(model__name="network") is None
