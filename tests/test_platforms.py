"""What Windows and macOS lack is not needed: the command line works where Linux's own functions are taken away."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

import polyinv
from polyinv.data.workbook import write_table

PACKAGE = Path(polyinv.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

ABSENT = '''
import os
import signal
import sys
from multiprocessing.popen_fork import Popen

for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("sched_getaffinity", "process_cpu_count", "fork", "forkpty", "killpg", "setsid"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGSTOP"):
    delattr(signal, name)

Popen.kill = lambda self: os.kill(self.pid, 9)  # the one of Windows needs no signal either
register = signal.signal


def windows_signal(number, handler):
    """As the one of Windows, which knows these alone."""
    if number not in (signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGINT, signal.SIGSEGV, signal.SIGTERM):
        raise ValueError(f"signal {number}")
    return register(number, handler)


signal.signal = windows_signal
'''


@pytest.fixture
def elsewhere(tmp_path):
    """Run `polyinv` in ``tmp_path`` on what passes for another system, child processes included.

    Text is ASCII where nobody names an encoding: what would be garbled on Windows is refused.
    """
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(ABSENT)
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    no_warning = {"PYTHONWARNINGS": "ignore:only soft file lock"}  # of filelock, without fcntl on what is no Windows
    path = os.pathsep.join([str(tmp_path / "site"), str(PACKAGE.parent)])

    def run(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "polyinv.cli", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | ascii_only | no_warning | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        return done

    return run


def test_help_and_errors_need_nothing_of_linux(elsewhere):
    assert "usage: polyinv" in elsewhere("--help").stdout
    assert "--method" in elsewhere("simulate", "--help").stdout
    assert elsewhere("predict", "nowhere.csv", code=2).stderr.startswith("polyinv: error: ")


def test_a_simulated_table_is_answered_on_another_system(elsewhere, tmp_path):
    """Columns of standard output included, some of which are no ASCII."""
    elsewhere(
        "simulate", "--random", "3", "--method", "kmc", "--chains", "1e3", "--allow_few", "true", "--out", "a.csv"
    )
    assert b"\r" not in (tmp_path / "a.csv").read_bytes()
    answers = elsewhere("predict", "a.csv", "--ask", "cBA_0,cAIBN_0,temp,time").stdout
    assert len(answers.splitlines()) == 1 + len(pd.read_csv(tmp_path / "a.csv"))


def test_a_study_runs_in_two_processes_on_another_system(elsewhere, small, tmp_path):
    write_table(small, tmp_path / "table.csv")
    base = {"model": {"name": "forest", "n_estimators": 3}, "features": "mmd", "data": {"path": "table.csv"}}
    study = {"base": "base.yaml", "axes": {"features": ["mmd", "scalars"]}, "seeds": [1]}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base) + "# von Hand: für µ und ²\n", encoding="utf-8")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    elsewhere("ablate", "study.yaml", "--output", "out", "--workers", "2")
    assert pd.read_csv(tmp_path / "out" / "cells.csv")["state"].tolist() == ["done"] * 2
    assert [path.name for path in (tmp_path / "out").rglob(".*")] == [".claims"]


def test_an_installation_that_cannot_be_written_compiles_all_the_same(tmp_path):
    """numba refuses to keep what it has compiled where neither the package nor the home takes it."""
    says = (
        "import os; os.access = lambda *of: False; from polyinv.runtime.compiled import config; print(config.CACHE_DIR)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", says], env=environment, capture_output=True, text=True)
    *_, program, folder = Path(done.stdout.strip()).parts
    assert program.partition("-")[0] == "polyinv"  # where there are user numbers, with that of the user
    assert folder.startswith("numba-")


def calls(path):
    """The calls in a file: name, words of its keyword arguments, and the call."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, {keyword.arg for keyword in node.keywords}, node


def test_text_is_the_same_on_every_system():
    for path in FILES:
        for name, words, call in calls(path):
            where = f"{path.relative_to(PACKAGE)}, line {call.lineno}"
            if name in ("read_text", "write_text"):
                assert "encoding" in words, f"{where}: the encoding is the system's"
            said = ast.unparse(call)
            if name == "open" and not said.startswith("archive.open") and "rb" not in said and "wb" not in said:
                assert "encoding" in words or "O_" in said, f"{where}: the encoding is the system's"
            if name == "to_csv":
                assert "lineterminator" in words, f"{where}: the ends of the lines are the system's"


def test_nothing_of_one_system_is_taken_for_granted():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        for word in ("fcntl", "os.fork", "signal.SIGKILL", '"fork"'):
            assert word not in text, f"{path.relative_to(PACKAGE)} uses {word}"
        if path.name != "threads.py":
            assert "sched_getaffinity" not in text
            assert "cpu_count" not in text
