"""Files that are named by ``--import``."""

import pytest

from polyinv.errors import InputError
from polyinv.runtime.plugins import import_files


@pytest.mark.parametrize(
    ("text", "said"),
    [("import sys\nsys.exit(3)", "SystemExit: 3"), ("def (", "SyntaxError"), ("1 / 0", "ZeroDivision")],
)
def test_a_file_that_cannot_be_run_is_refused(text, said, tmp_path):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(InputError, match=said):
        import_files([tmp_path / "own.py"])
