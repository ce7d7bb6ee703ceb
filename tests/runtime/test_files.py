import pytest

from polyinv.errors import InputError
from polyinv.runtime.files import discard_unfinished, written


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), written(tmp_path / "a.csv") as passing:
        passing.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(RuntimeError), written(tmp_path / "a.csv", overwrite=True) as passing:
        passing.write_text("half")
        raise RuntimeError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_what_exists_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(InputError, match="exists already"), written(tmp_path / "a.csv"):
        pass
    with pytest.raises(InputError, match="exists already"), written(tmp_path, overwrite=True):
        pass
    with pytest.raises(InputError, match="there is no folder"), written(tmp_path / "nowhere" / "a.csv"):
        pass


def test_what_a_killed_process_left_is_discarded_and_nothing_else(tmp_path):
    (tmp_path / ".model.123.partial").mkdir()
    (tmp_path / ".scores.123.partial.csv").write_text("half")
    (tmp_path / "scores.csv").write_text("whole")
    discard_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
