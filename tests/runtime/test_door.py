"""Whatever is raised inside leaves as one line and an exit code."""

import os
import subprocess
import sys

import pytest

import polyinv.cli
from polyinv.cli import main
from polyinv.errors import InputError, one_line
from polyinv.runtime.door import DEBUG, END, FAULT, LONGEST, REFUSED, refused

RAISED = {
    "input": (InputError("a.csv, row 2: no number"), REFUSED, "error: a.csv, row 2: no number"),
    "file": (FileNotFoundError(2, "No such file or directory", "a.csv"), REFUSED, "'a.csv'"),
    "memory": (MemoryError(), REFUSED, "memory does not suffice; needs a smaller file"),
    "torch's memory": (MemoryError("tried 8 GB"), REFUSED, "(tried 8 GB)"),
    "depth": (RecursionError("maximum recursion depth exceeded"), REFUSED, "nested too deeply"),
    "text": (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), REFUSED, "needs UTF-8"),
    "library": (
        RuntimeError("shapes\ndo not fit"),
        FAULT,
        "shapes do not fit; the same command with --debug",
    ),
    "nothing said": (KeyError(), FAULT, "no more is known; the same"),
    "terminal codes": (InputError("\x1b[2Jgone"), REFUSED, "error: ?[2Jgone"),
    "a long one": (InputError("x" * 5000), REFUSED, "xxx … xxx"),
}


@pytest.mark.parametrize(("error", "code", "said"), RAISED.values(), ids=RAISED)
def test_every_error_is_one_line(error, code, said, monkeypatch, capsys):
    def raising(arguments):
        raise error

    monkeypatch.setitem(polyinv.cli.COMMANDS, "simulate", raising)
    assert main(["simulate"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("polyinv: ")
    assert said in line
    assert len(line) <= LONGEST + len("polyinv: ")


def test_a_fault_says_where_it_is_and_debug_shows_all(monkeypatch, capsys):
    monkeypatch.setattr("polyinv.commands.systems.load_system", lambda name: 1 / 0)
    assert main(["systems", "show", "styrene"]) == FAULT
    assert "ZeroDivisionError in commands/systems.py, line " in capsys.readouterr().err
    assert main(["systems", "show", "styrene", DEBUG]) == FAULT
    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert shown.splitlines()[-1].startswith("polyinv: fault of polyinv: ZeroDivisionError")


def test_an_interrupt_is_no_error(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setitem(polyinv.cli.COMMANDS, "simulate", interrupted)
    assert main(["simulate"]) == 130
    assert capsys.readouterr().err == "polyinv: interrupted\n"


def test_without_standard_error_there_is_the_exit_code(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert refused(InputError("said to nobody")) == REFUSED


@pytest.mark.linux
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("systems <&- >&- 2>&-", 0, ""),
        ("predict nowhere.csv >&-", 2, "standard output is closed; needs --out with the name of a new file"),
        ("predict - --out a.csv <&-", 2, "standard input is closed; needs a file"),
        ("systems >/dev/full", 2, "No space left on device; in standard output"),
        ("train --help >/dev/full", 2, "No space left on device"),
        ("systems show nowhere 2>/dev/full", 2, ""),
    ],
)
def test_closed_and_full_streams_are_no_fault(command, code, said, tmp_path):
    command = f'"{sys.executable}" -m polyinv.start {command}'
    found = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == code
    assert said in found.stderr
    assert found.stderr.count("\n") == bool(said)


@pytest.mark.linux
def test_a_reader_that_has_read_enough_is_no_error(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", closefd=False) as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["systems"]) == 0
    os.close(writing)


def test_a_line_that_fits_is_left_alone():
    assert one_line("a  b\nc") == "a b c"
    assert len(one_line("word " * 1000, LONGEST, END)) <= LONGEST


def test_a_name_that_is_too_long_in_a_file_names_the_file(tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(f"base: {'x' * 5000}\naxes: {{features: [mmd]}}\n", encoding="utf-8")
    assert main(["ablate", str(study), "--dry-run"]) == REFUSED
    assert f"{study}: File name too long: " in capsys.readouterr().err
