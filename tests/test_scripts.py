"""Scripts that need more than polyinv say so."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.mark.parametrize(
    ("script", "library", "command"),
    [
        ("referee.py", "sbi", "pip install -c constraints.txt -e '.[referee]'"),
        ("beside_bayesflow.py", "bayesflow", "pip install -c constraints.txt bayesflow keras"),
    ],
)
def test_without_the_library_one_line_says_what_to_install(monkeypatch, capsys, tmp_path, script, library, command):
    options = [] if library == "sbi" else ["--output", str(tmp_path)]
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(sys, "argv", [script, *options])
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPTS / script), run_name="__main__")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert command in said


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.py")))
def test_every_script_says_what_it_takes(script):
    done = subprocess.run([sys.executable, str(SCRIPTS / script), "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {script}")


def test_the_other_side_of_a_cut_is_where_its_split_has_its_test_rows(grid):
    from polyinv.data.splits import split_rows

    is_late = runpy.run_path(str(SCRIPTS / "findings.py"))["is_late"]
    split = split_rows(grid, "early", 42)
    assert is_late(grid["time"].iloc[split.test]).all()
    assert not is_late(grid["time"].iloc[split.train]).any()
