"""Calls that share the folder of a study: every cell is run once, and whoever ends last writes the tables."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing

import pandas as pd
import pytest
import yaml

from polyinv.ablation.claims import Claims
from polyinv.ablation.folder import check_same_as_others, keep_study
from polyinv.ablation.study import read_study
from polyinv.cli import main
from polyinv.data.workbook import write_table

AXES = {"features": ["composite", "scalars", "mmd"]}
WATCHED = '''
import fcntl
import os
import time
from pathlib import Path

from polyinv.models import MODELS
from polyinv.models.forest import RandomForest


class Watched(RandomForest):
    """A forest that writes down when it is fitted, and whether it should not have been."""

    name = "watched"

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


MODELS["watched"] = Watched
'''


def write_study(folder, small, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    write_table(small, folder / "table.npz")
    (folder / "watched.py").write_text(WATCHED)
    base = {"model": {"name": "forest", "n_estimators": 3}, "data": {"path": str(folder / "table.npz")}}
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    study = {"base": "base.yaml", "axes": AXES, "seeds": [1, 2]} | changes
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    return folder / "study.yaml"


def watched_study(folder, small, **changes):
    path = write_study(folder, small, **changes)
    base = yaml.safe_load((folder / "base.yaml").read_text())
    (folder / "base.yaml").write_text(yaml.safe_dump(base | {"model": {"name": "watched", "n_estimators": 3}}))
    return path


@pytest.fixture
def study(tmp_path, small):
    return write_study(tmp_path / "study", small)


def ablate(study, out, *options):
    return main([str(each) for each in ("ablate", study, "--output", out, "--workers", 1, *options)])


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


def test_what_others_run_is_left_to_them_and_they_write_the_tables(study, tmp_path, other, capsys):
    out = tmp_path / "out"
    assert other.take("scalars-1")
    assert ablate(study, out) == 0
    said = capsys.readouterr().out
    assert "1 of 6 cells are being run by others; whoever ends last writes the tables" in said
    assert "[5/6] mmd, seed 2: " in said
    assert not (out / "cells" / "scalars-1").exists()
    assert not (out / "summary.md").exists()
    other.close()
    assert ablate(study, out) == 0
    assert "5 done, 1 to run" in capsys.readouterr().out
    assert (out / "summary.md").is_file()


def test_cells_that_others_finish_are_told(study, tmp_path, other, capsys, monkeypatch):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    assert ablate(study, elsewhere) == 0
    capsys.readouterr()
    assert other.take("scalars-1")
    take = Claims.take

    def take_beside(claims, name):
        if name == "mmd-1":  # at this moment the other one ends
            (elsewhere / "cells" / "scalars-1").rename(out / "cells" / "scalars-1")
            other.close()
        return take(claims, name)

    monkeypatch.setattr(Claims, "take", take_beside)
    assert ablate(study, out) == 0
    said = capsys.readouterr().out
    assert any("scalars, seed 1: " in line and ", by another process (" in line for line in said.splitlines())
    assert "[6/6] " in said
    assert (out / "table.csv").read_bytes() == (elsewhere / "table.csv").read_bytes()


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
def test_of_two_calls_one_is_killed_and_the_other_takes_its_cells_over(tmp_path, small):
    study, alone = (watched_study(tmp_path / name, small) for name in ("study", "alone"))
    out = tmp_path / "out"
    calls = [start(study, out, 0.5) for _ in range(2)]
    wait_for(lambda: len(log_of(study)) >= 2)
    calls[0].kill()  # without its worker, which ends by itself
    calls[0].communicate()
    said, error = calls[1].communicate(timeout=120)
    assert (calls[1].returncode, error) == (0, "")
    assert f"In {out}: table.csv" in said
    assert all(line.endswith(": begins") for line in log_of(study))
    assert len(log_of(study)) in (6, 7)  # the one that was killed in the middle began twice
    assert start(alone, tmp_path / "whole", 0).wait(120) == 0
    assert (out / "table.csv").read_bytes() == (tmp_path / "whole" / "table.csv").read_bytes()


@pytest.mark.linux
@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_killed_at_random_calls_run_every_cell_once_and_end_in_the_same_table(tmp_path, small, count):
    seeds = {"seeds": [*range(1, 9)]}
    study, alone = (watched_study(tmp_path / name, small, **seeds) for name in ("study", "alone"))
    chance, kills, out = random.Random(count), 0, tmp_path / "out"
    calls = [start(study, out, 1.0) for _ in range(count)]
    while kills < 20:
        time.sleep(chance.uniform(0.5, 4))
        number, how = chance.randrange(count), chance.choice(["call", "call", "all", "term", "interrupt"])
        call = calls[number]
        if call.poll() is None:
            kills += 1
            if how == "all":
                os.killpg(call.pid, signal.SIGKILL)
            else:
                call.send_signal({"call": signal.SIGKILL, "term": signal.SIGTERM}.get(how, signal.SIGINT))
        call.communicate(timeout=120)
        calls[number] = start(study, out, 1.0)
    for call in calls:
        _, error = call.communicate(timeout=600)
        assert call.returncode == 0, error
    assert start(alone, tmp_path / "whole", 0).wait(300) == 0
    assert (out / "table.csv").read_bytes() == (tmp_path / "whole" / "table.csv").read_bytes()
    assert {line.split(": ")[1] for line in log_of(study)} == {"begins"}
    assert {line.split(": ")[0] for line in log_of(study)} == set(pd.read_csv(out / "cells.csv")["cell"])
    assert not list((out / "failed").iterdir())
    assert (out / "summary.md").read_bytes() == (tmp_path / "whole" / "summary.md").read_bytes()
    assert all(json.loads(path.read_text()) for path in out.glob("cells/*/seconds.json"))
