import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from polyinv.errors import InputError
from polyinv.runtime.files import empty
from polyinv.runtime.shared_folders import LOCK, locked


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
from polyinv.runtime.shared_folders import locked
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
