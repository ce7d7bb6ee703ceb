"""Scripts that need more than polyinv say so."""

import runpy
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
