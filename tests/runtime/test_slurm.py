"""The script of a SLURM array: what it says, and what is refused. Real ones are run by ``make test-slurm``."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polyinv.cli import main
from polyinv.errors import InputError
from polyinv.runtime.slurm import MOST_TASKS, Array, submit
from tests.ablation.studies import write_study

pytestmark = pytest.mark.linux


def test_a_study_prints_a_script_whose_tasks_make_the_same_call(tmp_path, small, capsys):
    study = write_study(tmp_path / "a study", small)
    options = ["--output", str(tmp_path / "out"), "--workers", "2", "--slurm", "--tasks", "8", "--time", "1-00:00:00"]
    assert main(["ablate", str(study), *options]) == 0
    script = capsys.readouterr().out
    assert main(["ablate", str(study), *options]) == 0
    assert capsys.readouterr().out == script  # it can be kept, and made again
    assert not (tmp_path / "out").exists()
    for line in ("--array=1-8", "--cpus-per-task=2", "--time=1-00:00:00", "--signal=B:USR1@30", "--requeue"):
        assert f"#SBATCH {line}\n" in script
    call = f"{sys.executable} -m polyinv.cli ablate '{study}' --output {tmp_path / 'out'} --workers 2 &\n"
    assert call in script
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


@pytest.mark.parametrize("sent", [signal.SIGUSR1, signal.SIGTERM])
def test_the_call_is_asked_to_end_and_only_the_time_limit_brings_it_back(sent, tmp_path):
    """By bash alone, with a call that ends as polyinv does."""
    call = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(130))\nprint('on', flush=True)\ntime.sleep(60)"
    )
    script = Array().script([sys.executable, "-c", call], "a")
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/requeued\n', encoding="utf-8")
    (tmp_path / "scontrol").chmod(0o755)
    environment = os.environ | {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
    environment["PATH"] = f"{tmp_path}{os.pathsep}{environment['PATH']}"
    with subprocess.Popen(["bash", "-c", script], env=environment, stdout=subprocess.PIPE, text=True) as task:
        assert task.stdout.readline() == "on\n"
        task.send_signal(sent)
        assert task.wait(30) == 130
    requeued = tmp_path / "requeued"
    if sent == signal.SIGUSR1:
        assert requeued.read_text(encoding="utf-8") == "requeue 7_3\n"
    else:
        time.sleep(0.1)
        assert not requeued.exists()


@pytest.mark.parametrize(
    "name", ["it's", "$(touch hit)", "`touch hit`", "a;touch hit", "a\ntouch hit\nb", '"x', "%A", "-x", "ünï 日本"]
)
def test_no_name_of_a_study_or_folder_is_run_as_a_command(name, tmp_path, monkeypatch):
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    call = "import os, sys; open('kept', 'w', encoding='utf-8').write(sys.argv[1])"
    script = Array().script([sys.executable, "-c", call, name], name)
    monkeypatch.chdir(tmp_path)
    assert subprocess.run(["bash", "-c", script]).returncode == 0
    assert (folder / "kept").read_text(encoding="utf-8") == name
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert [*tmp_path.iterdir()] == [folder]
    assert [line[:1] for line in script.partition("\n\n")[0].splitlines()] == ["#"] * 10  # all of it comments


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--slurm", "now"], "--slurm is 'now'; needs nothing behind it, or submit"),
        (["--slurm", "--tasks", "0"], f"--tasks is 0; needs 1 to {MOST_TASKS}"),
        (["--slurm", "--tasks", "100000"], f"--tasks is 100000; needs 1 to {MOST_TASKS}"),
        (["--slurm", "--time", "soon"], "--time is 'soon'; needs minutes, HH:MM:SS or D-HH:MM:SS"),
        (["--slurm", "--time", "１"], "--time is '１'; needs minutes"),
        (["--slurm", "--time", "0:02:59"], "--time is '0:02:59'; needs 3 minutes or more, or 0 for no limit"),
        (["--slurm", "--engine", "dask"], "--slurm and --engine both say what runs the jobs"),
    ],
)
def test_what_slurm_would_refuse_is_one_line(options, said, capsys, monkeypatch):
    monkeypatch.setattr("polyinv.runtime.engines.needed", lambda *given: None)
    assert main(["ablate", "features.yaml", *options]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_script_is_sent_and_a_refusal_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs sbatch, which is not on this machine"):
        submit("#!/bin/bash\n")
    sbatch = Path(tmp_path, "sbatch")
    sbatch.write_text("#!/bin/sh\necho Submitted batch job 7\n", encoding="utf-8")
    sbatch.chmod(0o755)
    assert submit("#!/bin/bash\n") == "Submitted batch job 7"
    sbatch.write_text("#!/bin/sh\necho 'sbatch: error: no\nsuch partition' >&2; exit 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"^sbatch: error: no such partition$"):
        submit("#!/bin/bash\n")
