import os
import sys
from pathlib import Path

import pytest

from polyinv.runtime import cache
from polyinv.runtime.cache import cache_folder


def test_the_cache_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "mine" / "polyinv"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / ".cache" / "polyinv"


@pytest.mark.parametrize("home", ["a file", "no home", "no user", "not writable"])
def test_without_a_home_the_cache_is_temporary(tmp_path, monkeypatch, home):
    monkeypatch.delenv("XDG_CACHE_HOME")
    if home == "a file":
        (tmp_path / "file").write_text("")
        monkeypatch.setattr(cache, "user_cache_path", lambda *name, **options: tmp_path / "file" / "polyinv")
    elif home == "no home":  # of a user number without a name: "~" stays as it is
        monkeypatch.setattr(cache, "user_cache_path", lambda *name, **options: Path("~/.cache/polyinv"))
    elif home == "no user":
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.setattr("os.getuid", lambda: 54321)
    else:
        monkeypatch.setattr(cache, "user_cache_path", lambda *name, **options: tmp_path)
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    (tmp_path / "passing").mkdir()
    temporary_is(tmp_path / "passing", monkeypatch)
    assert cache_folder().parent == tmp_path / "passing"
    assert cache_folder() == cache_folder()


def temporary_is(folder, monkeypatch):
    monkeypatch.setattr(cache.tempfile, "tempdir", str(folder))
    cache._temporary_cache.cache_clear()


@pytest.mark.linux
@pytest.mark.parametrize("put_there", ["a link", "a folder of everybody", "a file"])
def test_a_cache_that_another_user_has_put_there_is_not_used(tmp_path, monkeypatch, put_there):
    temporary_is(tmp_path, monkeypatch)
    monkeypatch.setattr(cache, "user_cache_path", lambda *name, **options: Path("~/.cache/polyinv"))
    theirs = tmp_path / f"polyinv-{os.getuid()}"
    if put_there == "a link":
        (tmp_path / "theirs").mkdir()
        theirs.symlink_to(tmp_path / "theirs")
    elif put_there == "a file":
        theirs.touch()
    else:
        theirs.mkdir()
        theirs.chmod(0o777)
    found = cache_folder()
    assert found != theirs
    assert found.stat().st_mode & 0o777 == 0o700
    cache._temporary_cache.cache_clear()
