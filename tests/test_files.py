import pytest

from polyinv.errors import InputError
from polyinv.files import written


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
