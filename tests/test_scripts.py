"""Scripts that need more than polyinv does say so."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_without_sbi_the_referee_says_in_one_line_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sbi", None)
    monkeypatch.setattr(sys, "argv", ["referee.py"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPTS / "referee.py"), run_name="__main__")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pip install -c constraints.txt -e '.[referee]'" in said
