"""Files that are named by ``--import``."""

import os
import sys

import pytest

from polyinv.errors import InputError
from polyinv.runtime.plugins import IMPORTED, import_again, import_files, imported_files
from polyinv.runtime.slurm import called_again


@pytest.mark.parametrize(
    ("text", "said"),
    [("import sys\nsys.exit(3)", "SystemExit: 3"), ("def (", "SyntaxError"), ("1 / 0", "ZeroDivision")],
)
def test_a_file_that_cannot_be_run_is_refused(text, said, tmp_path):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(InputError, match=said):
        import_files([tmp_path / "own.py"])


@pytest.mark.linux
def test_processes_import_files_of_any_name(tmp_path, monkeypatch):
    """A colon, by which lists of paths are written elsewhere, is a sign like another."""
    own = tmp_path / "a:b" / "own file.py"
    own.parent.mkdir()
    own.write_text(f"with open({str(tmp_path / 'times')!r}, 'a') as file:\n    file.write('.')\n")
    monkeypatch.setenv(IMPORTED, "[]")
    import_files([own])
    assert imported_files() == [str(own)]
    assert called_again(["ablate", "a.yaml"])[-1] == f"--import={own}"
    del sys.modules["polyinv_import_own file"]  # as in a process that was started from here
    import_again()
    assert (tmp_path / "times").read_text() == ".."
    assert os.environ[IMPORTED].isascii()
