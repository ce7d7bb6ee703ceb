import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyinv.errors import InputError
from polyinv.runtime import files
from polyinv.runtime.files import (
    PASSING,
    check_apart,
    check_file,
    check_new,
    claims,
    discard,
    discard_unfinished,
    folder_name,
    has_ending,
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


def test_a_link_that_leads_nowhere_is_not_replaced(tmp_path):
    (tmp_path / "a.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(InputError, match="is a link to a file that is not there"), written(tmp_path / "a.csv"):
        pass
    with pytest.raises(InputError, match="is a link to a file that is not there"):
        check_new(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").is_symlink()


def test_outputs_that_are_one_file_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    check_apart("a.csv", None, "b.csv", None)
    for other in ("a.csv", "./a.csv", tmp_path / "a.csv", f"../{tmp_path.name}/a.csv", "link/a.csv"):
        with pytest.raises(InputError, match=r"a\.csv.* is to hold two things"):
            check_apart("a.csv", other)


@pytest.mark.parametrize(("name", "has"), [("a.csv", True), ("a.b.csv", True), ("a.xlsx", False), ("csv", False)])
def test_a_name_has_an_ending(name, has):
    assert has_ending(name, (".csv",)) is has


def test_an_ending_alone_is_no_name():
    with pytest.raises(InputError, match=r"\.csv is an ending without a name; needs one, such as answers\.csv"):
        has_ending(".csv", (".csv", ".xlsx"))


@pytest.mark.linux
def test_where_nothing_new_can_be_made_no_other_process_is_blamed():
    with claims(), pytest.raises(InputError, match="cannot be written: nothing new can be made in /proc"):
        check_new("/proc/x.yaml")


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
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

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
