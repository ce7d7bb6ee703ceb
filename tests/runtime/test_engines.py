"""Engines: the same outcomes wherever jobs run, workers that come, go and are not fit, and what is not installed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from polyinv.errors import InputError
from polyinv.runtime.engines import ENGINES, Places, Wanted

with_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="asks for the extra `cluster`")
pytestmark = pytest.mark.linux


def job(what, path=None):
    if what == "refused":
        raise InputError("no such\nthing")
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "asleep":
        Path(path).write_text(str(os.getpid()))
        time.sleep(600)
    return what, os.environ["OMP_NUM_THREADS"], os.getcwd()


@pytest.mark.parametrize("name", [pytest.param(name, marks=with_dask if name == "dask" else ()) for name in ENGINES])
def test_every_job_has_one_outcome_wherever_it_runs(name, tmp_path):
    jobs = {what: (what,) for what in ("a", "refused", "killed", "b")}
    with Wanted(name).start(Places(1), [tmp_path]) as engine:
        outcomes = {outcome.name: outcome for outcome in engine.work(job, jobs)}
    assert outcomes.keys() == jobs.keys()
    assert [outcomes[name].value for name in "ab"] == [(name, "1", os.getcwd()) for name in "ab"]
    assert outcomes["refused"].error == "no such thing"
    assert outcomes["killed"].error.startswith("its process was killed by signal 9 (SIGKILL)")


@with_dask
def test_who_stops_listening_ends_the_jobs_on_a_cluster(tmp_path):
    with Wanted("dask").start(Places(2)) as engine, closing(engine.work(job, _one_sleeps(tmp_path))) as outcomes:
        assert next(outcomes).name == "a"
        while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
            time.sleep(0.05)
        outcomes.close()
        pid = int((tmp_path / "pid").read_text())
        for _ in range(200):
            if not _is_alive(pid):
                return
            time.sleep(0.1)
    pytest.fail("the job goes on")


def _one_sleeps(folder):
    return {"asleep": ("asleep", str(folder / "pid")), "a": ("a",)}


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def scheduler():
    """Address of a scheduler with a worker in this process."""
    import distributed

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@with_dask
def test_a_worker_with_other_versions_or_files_is_refused_in_one_line(scheduler, tmp_path, monkeypatch):
    from polyinv.runtime import on_dask

    wanted = Wanted("dask", scheduler)
    with wanted.start(Places(1), [tmp_path]) as engine:
        assert scheduler in engine.said
        assert "dashboard http://" in engine.said
    assert not list(tmp_path.iterdir())  # what was looked for is gone
    with monkeypatch.context() as patch:
        patch.setattr(on_dask.Surroundings, "fault", lambda self: "has torch 1.0, and here it is 2.13.0")
        with pytest.raises(InputError, match=r"^the worker tcp://\S+ has torch 1.0, and here it is 2.13.0$"):
            wanted.start(Places(1), [tmp_path]).__enter__()
    surroundings = on_dask.Surroundings.here([tmp_path / "gone"])
    assert surroundings.fault() == f"does not see {tmp_path / 'gone'}; needs a file system that is shared"
    other = on_dask.Surroundings(os.getcwd(), (), (("torch", "1.0"),), "")
    assert "and here it is 1.0" in other.fault()


@with_dask
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "http://127.0.0.1:9", "tcp://127.0.0.1:0x"])
def test_an_address_where_nobody_answers_is_one_line(address, monkeypatch):
    from polyinv.runtime import on_dask

    monkeypatch.setattr(on_dask, "SECONDS_TO_CONNECT", 1.0)
    with pytest.raises(InputError, match="no scheduler answers") as refused:
        Wanted("dask", address).start(Places(1)).__enter__()
    assert "\n" not in str(refused.value)


def test_what_is_not_installed_is_told_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"^--engine dask needs distributed: pip install 'polyinv\[cluster\]'$"):
        Wanted("dask")
    with pytest.raises(InputError, match="no engine 'ray'; known: dask, local"):
        Wanted("ray")
    with pytest.raises(InputError, match="--scheduler goes with --engine dask"):
        Wanted("local", "tcp://head:8786")


def test_nothing_of_an_extra_is_imported_unless_it_is_asked_for():
    said = (
        "import sys; from polyinv import cli; import polyinv.ablation.ablate; "
        "print([name for name in ('dask', 'distributed', 'optuna') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", said], text=True).strip() == "[]"
