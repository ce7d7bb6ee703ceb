import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from polyinv.errors import InputError
from polyinv.runtime import files
from polyinv.runtime.files import (
    LOCK,
    PASSING,
    cache_folder,
    check_file,
    check_new,
    claims,
    discard,
    discard_unfinished,
    empty,
    folder_name,
    locked,
    passing_folder,
    written,
)


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


@pytest.mark.parametrize("text", ["x" * 5000, "測" * 200, "../../a", "a\nb\0c", ".x.1-2.partial", "..", "/", "\u202eb"])
def test_text_becomes_a_name_that_stays_in_its_folder(text, tmp_path):
    name = f"{folder_name(text)}-12.png"
    (tmp_path / name).touch()
    assert [path.name for path in tmp_path.glob("[!.]*")] == [name]
    assert name.isprintable()


@pytest.fixture
def work(tmp_path):
    """A folder with a result in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "scores.csv").write_text("whole")
    return folder


HOLD = """
import sys, time
from pathlib import Path
from polyinv.runtime.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder):
    """A process that has locked a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def end(process):
    process.kill()
    process.wait()
    process.stdout.close()


def test_two_processes_do_not_work_in_one_folder(work):
    process = hold(work)
    try:
        with pytest.raises(InputError, match=r"^another process is at work in .*work$"), locked(work):
            pytest.fail("entered")
    finally:
        end(process)


def test_a_killed_process_leaves_no_stuck_lock(work):
    end(hold(work))
    with locked(work):
        pass
    assert [path.name for path in work.iterdir()] == ["scores.csv"]


def test_a_lock_leaves_no_trace_even_where_the_block_fails(work):
    with pytest.raises(TimeoutError, match="of the block"), locked(work):
        assert sorted(path.name for path in work.glob("[!.]*")) == ["scores.csv"]
        raise TimeoutError("of the block")
    assert [path.name for path in work.iterdir()] == ["scores.csv"]


def test_a_folder_that_was_emptied_goes_with_its_lock(work):
    with locked(work):
        empty(work)
        assert [path.name for path in work.iterdir()] == [LOCK]
    assert not work.exists()


def test_never_two_are_in_a_folder_though_the_file_of_the_lock_comes_and_goes(work):
    inside, most, entered = [], [], []

    def enter():
        for _ in range(200):
            with suppress(InputError), locked(work):
                inside.append(1)
                most.append(len(inside))
                entered.append(1)
                inside.pop()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(enter) for _ in range(4)]:
            done.result()
    assert max(most) == 1
    assert len(entered) > 100


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
        monkeypatch.setattr(files, "user_cache_path", lambda *name, **options: tmp_path / "file" / "polyinv")
    elif home == "no home":  # of a user number without a name: "~" stays as it is
        monkeypatch.setattr(files, "user_cache_path", lambda *name, **options: Path("~/.cache/polyinv"))
    elif home == "no user":
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.setattr("os.getuid", lambda: 54321)
    else:
        monkeypatch.setattr(files, "user_cache_path", lambda *name, **options: tmp_path)
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    (tmp_path / "passing").mkdir()
    temporary_is(tmp_path / "passing", monkeypatch)
    assert cache_folder().parent == tmp_path / "passing"
    assert cache_folder() == cache_folder()


def temporary_is(folder, monkeypatch):
    monkeypatch.setattr(files.tempfile, "tempdir", str(folder))
    files._temporary_cache.cache_clear()


@pytest.mark.linux
@pytest.mark.parametrize("put_there", ["a link", "a folder of everybody", "a file"])
def test_a_cache_that_another_user_has_put_there_is_not_used(tmp_path, monkeypatch, put_there):
    temporary_is(tmp_path, monkeypatch)
    monkeypatch.setattr(files, "user_cache_path", lambda *name, **options: Path("~/.cache/polyinv"))
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
    files._temporary_cache.cache_clear()


@pytest.mark.linux
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "answers.csv"
    script = (
        "import os, sys\nfrom polyinv.runtime.files import written\n"
        "with written(sys.argv[1]) as passing:\n    passing.write_text('half')\n    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    (other,) = [tmp_path / left.name.replace(PASSING.search(left.name)["host"], "0" * 8)]
    other.write_text("of another host")
    with written(path) as passing:
        alive = passing
        with written(tmp_path / "answers.txt") as second:  # of a process that is at work
            second.write_text("done")
        passing.write_text("whole")
    assert sorted(tmp_path.iterdir()) == sorted([path, other, tmp_path / "answers.txt"])
    assert alive.name != left.name


@pytest.mark.linux
def test_a_passing_name_is_not_to_be_guessed(tmp_path):
    names = set()
    for _ in range(2):
        with written(tmp_path / "a.csv", overwrite=True) as passing:
            names.add(passing.name)
            passing.write_text("")
    assert len(names) == 2


def test_a_long_name_can_be_written(tmp_path):
    path = tmp_path / ("x" * 240 + ".csv")
    with written(path) as passing:
        passing.write_text("done")
    assert path.read_text() == "done"


def killed(work):
    """Do some work in a process that is killed in it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.linux
def test_whatever_a_killed_command_left_is_gone_after_the_next(tmp_path, monkeypatch):
    path = tmp_path / "answers.csv"
    (tmp_path / "temporary").mkdir()
    temporary_is(tmp_path / "temporary", monkeypatch)

    def work(end=lambda: None):
        with claims():
            check_new(path)
            with passing_folder() as folder, written(path) as passing:
                (folder / "input.csv").write_text("half")
                passing.write_text("half")
                end()

    killed(lambda: work(lambda: os._exit(9)))
    assert len(list(tmp_path.rglob(".*"))) == 3
    work()
    assert sorted(tmp_path.rglob("*")) == [path, tmp_path / "temporary"]


@pytest.mark.linux
def test_a_claim_of_a_killed_process_goes_though_its_file_is_whole(tmp_path):
    path = tmp_path / "answers.csv"

    def work():
        with claims():
            check_new(path)
            path.write_text("whole")
            os._exit(9)

    killed(work)
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(InputError, match="exists already"), claims():
        check_new(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.linux
def test_the_second_who_would_write_there_is_told_at_once(tmp_path):
    path = tmp_path / "answers.csv"

    def refused():
        with claims(), pytest.raises(InputError, match=r"answers\.csv: another process is at work there"):
            check_new(path)
        os._exit(9)

    with claims():
        check_new(path)
        check_new(path)  # by the same process: it is
        killed(refused)
        with written(path) as passing:
            passing.write_text("done")
    assert list(tmp_path.iterdir()) == [path]


def test_what_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "answers.csv"
    with pytest.raises(InputError, match="exists already"), written(path) as passing:
        passing.write_text("ours")
        path.write_text("theirs")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.linux
def test_a_link_in_place_of_a_claim_is_refused_and_not_followed(tmp_path):
    path, theirs = tmp_path / "answers.csv", tmp_path / "theirs"
    theirs.write_text("whole")
    with claims():
        check_new(path)
        (claim,) = tmp_path.glob(".answers*")
    claim.symlink_to(theirs)
    with claims(), pytest.raises(InputError, match=r"answers\.csv cannot be written"):
        check_new(path)
    assert theirs.read_text() == "whole"


@pytest.mark.linux
def test_a_folder_is_discarded_as_a_whole(tmp_path, monkeypatch):
    folder = tmp_path / "best"
    folder.mkdir()
    (folder / "a.csv").touch()
    with monkeypatch.context() as patch:
        patch.setattr(files.shutil, "rmtree", lambda path: os._exit(9))
        killed(lambda: discard(folder))
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".best.")
    discard(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.linux
def test_a_full_disk_is_told_with_the_name_that_was_asked_for(tmp_path):
    path = tmp_path / "answers.csv"
    with pytest.raises(OSError, match=r"No space left on device: '\S+answers\.csv'$"), written(path):
        Path("/dev/full").write_text("more than it holds")
    with pytest.raises(FileNotFoundError, match=r"'\S+answers\.csv'$"), written(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_several_files_of_a_command_appear_together_or_not_at_all(tmp_path):
    paths = [tmp_path / name for name in ("lab.yaml", "lab.html")]

    def write(end=None):
        with claims():
            for path in paths:
                check_new(path)
            for path in paths:
                with written(path) as passing:
                    passing.write_text("done")
                assert not path.exists()
                if end is not None:
                    raise end

    with pytest.raises(KeyboardInterrupt):
        write(KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no recipe"):
        write(InputError("no recipe meets these wishes"))
    assert list(tmp_path.iterdir()) == paths[:1]
    paths[0].unlink()
    write()
    assert sorted(tmp_path.iterdir()) == sorted(paths)


@pytest.mark.linux
def test_what_is_no_file_is_said(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "here.csv").touch()
    check_file(tmp_path / "here.csv")
    for name, said in {"none.csv": "csv: no such file", "pipe.csv": "is a pipe or a device", "": "is a folder"}.items():
        with pytest.raises(InputError, match=rf"^runs\.csv, row 2: .*{said}"):
            check_file(tmp_path / name, "runs.csv, row 2")
