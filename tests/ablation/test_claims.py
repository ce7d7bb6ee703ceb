"""Calls that share the folder of a study: every cell is run once, and whoever ends last writes the tables."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing

import pandas as pd
import pytest
import yaml

import polyinv.runtime.engines
from polyinv.ablation.claims import Claims
from polyinv.ablation.folder import check_same_as_others, keep_study
from polyinv.ablation.study import read_study
from polyinv.cli import main
from polyinv.data.workbook import write_table
from polyinv.report.tables import global_r2
from polyinv.runtime.workers import Outcome
from tests.ablation.studies import write_study

WATCHED = '''
import fcntl
import os
import time
from pathlib import Path

from polyinv.models import MODELS
from polyinv.models.forest import RandomForest


class Watched(RandomForest):
    """A forest that writes down when it is fitted, and whether it should not have been."""

    def fit(self, data, folder=None):
        with open(f"{os.environ['WATCHED']}/{folder.name}.busy", "w") as busy:
            said = "begins"
            try:
                fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                said = "two at once"
            self.note("again" if (folder / "scores.csv").exists() else said, folder)
            time.sleep(float(os.environ["WATCHED_SECONDS"]))
            super().fit(data, folder)

    def note(self, said, folder):
        with open(f"{os.environ['WATCHED']}/log", "a") as log:
            log.write(f"{folder.name}: {said}\\n")


MODELS["forest"] = Watched
'''


def write_watched(folder, small, **changes):
    """A study whose cells write down when they are fitted."""
    path = write_study(folder, small, **changes)
    (folder / "watched.py").write_text(WATCHED)
    return path


@pytest.fixture
def study(tmp_path, small):
    return write_watched(tmp_path / "study", small)


def ablate(study, out):
    return main([str(each) for each in ("ablate", study, "--output", out, "--workers", 1)])


@pytest.fixture(scope="module")
def whole(plain):
    """Folder of a study that nobody has disturbed."""
    return plain[1]


@pytest.fixture
def run_at_once(whole, monkeypatch):
    """Cells are run here, and in no time: they are those of the study that nobody has disturbed."""

    def work(task, next_job, count, devices):
        while job := next_job():
            name, (_, folder) = job
            shutil.copytree(whole / "cells" / name, folder)
            yield Outcome(name, "R² 0.5")

    monkeypatch.setattr(polyinv.runtime.engines, "work", work)


def start(study, out, seconds):
    """A call of a study of watched forests, each of which takes some seconds."""
    command = [sys.executable, "-m", "polyinv.cli", "ablate", str(study), "--output", str(out), "--workers", "1"]
    seen = {"WATCHED": str(study.parent), "WATCHED_SECONDS": str(seconds)}
    return subprocess.Popen(
        [*command, "--import", str(study.parent / "watched.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | seen,
        start_new_session=True,
    )


def log_of(study):
    path = study.parent / "log"
    return path.read_text().splitlines() if path.is_file() else []


def wait_for(found, seconds=120):
    ends = time.monotonic() + seconds
    while not found() and time.monotonic() < ends:
        time.sleep(0.02)
    assert found()


@pytest.fixture
def other(study, tmp_path):
    """Another call that is at work on the study."""
    out = tmp_path / "out"
    with closing(Claims(out)) as claims:
        (out / "cells").mkdir()
        keep_study(read_study(study), out)
        claims.enter()
        yield claims


@pytest.mark.usefixtures("run_at_once")
def test_what_others_run_is_left_to_them_and_they_write_the_tables(study, tmp_path, other, whole, capsys):
    out = tmp_path / "out"
    assert other.take("scalars-1")
    assert ablate(study, out) == 0
    said = capsys.readouterr().out
    assert "[3/4] scalars, seed 2: R² 0.5 (" in said
    assert said.splitlines()[-1] == "1 of 4 cells are being run by others; whoever ends last writes the tables"
    assert not (out / "cells" / "scalars-1").exists()
    assert not (out / "summary.md").exists()
    other.close()  # killed, and called again
    assert ablate(study, out) == 0
    assert "3 done, 1 to run" in capsys.readouterr().out
    for name in ("table.csv", "summary.csv", "summary.md"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.usefixtures("run_at_once")
def test_cells_that_others_finish_or_leave_behind_are_told_and_run(study, tmp_path, other, whole, capsys, monkeypatch):
    out, take = tmp_path / "out", Claims.take
    for name in ("composite-2", "scalars-1"):
        assert other.take(name)

    def take_beside(claims, name):
        if name == "scalars-2":  # at this moment the other one ends, one cell done and one not
            shutil.copytree(whole / "cells" / "scalars-1", out / "cells" / "scalars-1")
            other.close()
        return take(claims, name)

    monkeypatch.setattr(Claims, "take", take_beside)
    assert ablate(study, out) == 0
    told = [line.rpartition(" (")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    by_another = global_r2(pd.read_csv(whole / "cells" / "scalars-1" / "scores.csv", dtype={"member": str}))
    assert told == [
        "[1/4] composite, seed 1: R² 0.5",
        "[2/4] scalars, seed 2: R² 0.5",
        f"[3/4] scalars, seed 1: {by_another}, by another process",
        "[4/4] composite, seed 2: R² 0.5",
    ]
    assert (out / "table.csv").read_bytes() == (whole / "table.csv").read_bytes()


@pytest.mark.usefixtures("run_at_once")
def test_a_retry_runs_again_what_had_failed_and_nothing_that_others_are_at(study, tmp_path, other, capsys):
    out = tmp_path / "out"
    (out / "failed").mkdir()
    for name in ("composite-1", "composite-2"):
        (out / "failed" / f"{name}.txt").write_text("no memory\n")
    assert ablate(study, out) == 2
    assert "2 failed before and left out" in capsys.readouterr().out
    assert other.take("composite-1")
    assert main(["ablate", str(study), "--output", str(out), "--retry"]) == 2
    assert "2 done, 1 to run, 1 failed before and left out" in capsys.readouterr().out
    assert [path.name for path in (out / "failed").iterdir()] == ["composite-1.txt"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seeds": [1, 2, 3]}, "its seeds"),
        ({"axes": {"features": ["composite", "mmd"]}}, "its axes"),
        ({"base": "other.yaml"}, "its configuration or data"),
        ("data", "its configuration or data"),
    ],
)
@pytest.mark.usefixtures("other")
def test_another_study_is_refused_while_one_is_at_work(study, tmp_path, small, capsys, change, said):
    out = tmp_path / "out"
    base = yaml.safe_load((study.parent / "base.yaml").read_text())
    (study.parent / "other.yaml").write_text(yaml.safe_dump(base | {"model": {"name": "forest", "n_estimators": 4}}))
    if change == "data":
        (study.parent / "table.npz").unlink()
        write_table(small.assign(Mn=small["Mn"] / 2), study.parent / "table.npz")
    else:
        study.write_text(yaml.safe_dump(yaml.safe_load(study.read_text()) | change, sort_keys=False))
    assert ablate(study, out) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"another process is at work in {out} on a study that differs in {said}; wait for its end" in line


@pytest.mark.usefixtures("other")
def test_the_place_of_the_data_may_differ_between_calls(study, tmp_path):
    base = yaml.safe_load((study.parent / "base.yaml").read_text())
    (study.parent / "table.npz").rename(study.parent / "moved.npz")
    base["data"]["path"] = str(study.parent / "moved.npz")
    (study.parent / "base.yaml").write_text(yaml.safe_dump(base))
    check_same_as_others(read_study(study), tmp_path / "out")


def test_what_a_killed_call_left_counts_for_nobody(tmp_path):
    claims, killed = Claims(tmp_path), Claims(tmp_path)
    (tmp_path / ".claims" / "calls" / "dead.lock").touch()
    killed.enter()
    assert claims.others() == 1
    killed.close()
    assert claims.others() == 0
    assert not list((tmp_path / ".claims" / "calls").iterdir())


@pytest.mark.linux
def test_of_two_calls_one_is_killed_and_the_other_takes_its_cells_over(study, tmp_path, whole):
    out = tmp_path / "out"
    calls = [start(study, out, 0.3) for _ in range(2)]
    wait_for(lambda: len(log_of(study)) >= 2)
    calls[0].kill()  # without its worker, which ends by itself
    calls[0].communicate()
    said, error = calls[1].communicate(timeout=120)
    assert (calls[1].returncode, error) == (0, "")
    assert f"In {out}: table.csv" in said
    assert {line.split(": ")[1] for line in log_of(study)} == {"begins"}
    assert len(log_of(study)) in (4, 5)  # one that was killed in the middle begins twice
    assert (out / "table.csv").read_bytes() == (whole / "table.csv").read_bytes()


@pytest.mark.linux
@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_killed_at_random_calls_run_every_cell_once_and_end_in_the_same_table(tmp_path, small, count):
    seeds = {"seeds": [*range(1, 9)]}
    study, alone = (write_watched(tmp_path / name, small, **seeds) for name in ("study", "alone"))
    chance, out = random.Random(count), tmp_path / "out"
    calls = [start(study, out, 1.0) for _ in range(count)]
    for kills in killed_at_random(calls, chance, lambda: start(study, out, 1.0)):
        if kills == 20:
            break
    for call in calls:
        _, error = call.communicate(timeout=600)
        assert call.returncode == 0, error
    assert ablate(alone, tmp_path / "whole") == 0
    for name in ("table.csv", "summary.csv", "summary.md"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert {line.split(": ")[1] for line in log_of(study)} == {"begins"}
    assert {line.split(": ")[0] for line in log_of(study)} == set(pd.read_csv(out / "cells.csv")["cell"])
    assert not list((out / "failed").iterdir())


def killed_at_random(calls, chance, again):
    """Kill one call after the other, the call alone, all its processes or by a request to end, and call again."""
    kills = 0
    while True:
        time.sleep(chance.uniform(0.5, 6))
        number, how = chance.randrange(len(calls)), chance.choice(["call", "all", "SIGTERM", "SIGINT"])
        call = calls[number]
        if call.poll() is None:
            kills += 1
            if how == "all":
                os.killpg(call.pid, signal.SIGKILL)
            else:
                call.send_signal(signal.SIGKILL if how == "call" else getattr(signal, how))
        call.communicate(timeout=120)
        calls[number] = again()
        yield kills
