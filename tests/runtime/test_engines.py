"""Engines: the same outcomes wherever jobs run, workers that come, go and are not fit, and what is not installed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from logging import CRITICAL, getLogger
from pathlib import Path

import pytest

from polyinv.cli import main
from polyinv.errors import InputError
from polyinv.runtime import surroundings
from polyinv.runtime.engines import ENGINES, Places, Wanted
from polyinv.runtime.workers import MOST, Outcome

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
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
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
    gone = surroundings.Surroundings.here([tmp_path / "gone"])
    assert gone.fault() == f"does not see {tmp_path / 'gone'}; needs a file system that is shared"
    other = replace(gone, versions=(("torch", "1.0"),))
    assert "and here it is 1.0" in other.fault()


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A file of the package, which has no other."""
    (tmp_path / "package" / "inside").mkdir(parents=True)
    monkeypatch.setattr(surroundings, "PACKAGE", tmp_path / "package")
    file = tmp_path / "package" / "inside" / "a.py"
    file.write_text("a = 1")
    return file


def test_other_code_of_the_same_version_is_found(code):
    here = surroundings.Surroundings.here([])
    for folder in ("shipped", "__pycache__"):  # which are in some installations only
        (code.parents[1] / folder).mkdir()
        (code.parents[1] / folder / "b.py").touch()
    assert here.fault() is None
    code.write_text("a = 2")
    assert here.fault() == f"has other code of polyinv {version('polyinv')}, in {code.parents[1]}; needs the same " + (
        "installation"
    )


def test_another_file_under_the_same_path_is_found_and_a_folder_that_cannot_be_written(code, tmp_path, monkeypatch):
    out, table, mark = tmp_path / "out", tmp_path / "table.csv", tmp_path / "out" / f"{surroundings.MARK}7.partial"
    out.mkdir()
    table.write_text("1")
    mark.touch()
    here = surroundings.Surroundings.here([out, table, mark])
    assert here.fault() is None
    table.write_text("2")
    assert here.fault() == f"sees another {table}; needs a file system that is shared"
    table.write_text("1")
    mark.unlink()
    assert here.fault() == f"sees another {out}; needs a file system that is shared"
    mark.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert here.fault() == f"cannot write in {out}; needs the right to"
    assert surroundings.Surroundings.here([table]).fault() is None  # which is only read


@with_dask
def test_models_that_are_started_from_are_only_read(scheduler, tmp_path):
    """They may lie where nobody may write."""
    from polyinv.runtime import on_dask

    (tmp_path / "out").mkdir()
    (tmp_path / "model").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_dask, "marked", partial(_marked_but, tmp_path / "model", on_dask.marked))
        with Wanted("dask", scheduler).start(Places(1), [tmp_path / "out", tmp_path / "model"]):
            pass


def _marked_but(read_only, marked, folder):
    if folder == read_only:
        raise PermissionError(folder)
    return marked(folder)


@with_dask
@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2p1\r\n", bytes(64)], ids=["silent", "ssh", "zeros"])
def test_a_server_of_something_else_is_one_line(greeting, monkeypatch):
    """One that says nothing at all, too, as a server of HTTP that waits for a line."""
    from polyinv.runtime import on_dask

    monkeypatch.setattr(on_dask, "SECONDS_TO_CONNECT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=_greet, args=(server, greeting), daemon=True)
        answering.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=r"^--scheduler \S+ no scheduler answers \(.+\); needs an address such"):
            Wanted("dask", address).start(Places(1)).__enter__()
        answering.join(10)


def _greet(server, greeting):
    peer, _ = server.accept()
    with peer:
        peer.sendall(greeting)
        while peer.recv(1000):
            pass


@with_dask
def test_a_worker_that_cannot_run_anything_does_not_fail_all_the_jobs(scheduler, tmp_path, monkeypatch):
    """One that comes late is not asked at the start; what it raises is no outcome of a job."""
    from polyinv.runtime import on_dask

    def raises(*given):
        raise ModuleNotFoundError("No module named 'polyinv'")

    jobs = {name: (name,) for name in "abc"}
    with Wanted("dask", scheduler).start(Places(1), [tmp_path]) as engine:
        monkeypatch.setattr(on_dask, "_run", raises)
        with pytest.raises(InputError, match="a worker that has come cannot run polyinv: ModuleNotFoundError: No mod"):
            next(engine.work(job, jobs))


@with_dask
def test_workers_that_would_share_a_device_are_named(caplog):
    from polyinv.runtime.on_dask import _warn_of_shared_devices

    _warn_of_shared_devices(
        {"tcp://a:1": ("a", ("0", "1")), "tcp://b:1": ("b", ("0", "1")), "tcp://a:2": ("a", ("2",))}
    )
    assert not caplog.text
    _warn_of_shared_devices({"tcp://a:1": ("a", ("0", "1")), "tcp://a:2": ("a", ("1",)), "tcp://a:3": ("a", ("1",))})
    assert (
        "the workers tcp://a:1 and tcp://a:2 both use device 1 of a; start one worker for each machine" in caplog.text
    )
    assert len(caplog.records) == 1


class _Idle:
    """A process, as a pool of processes sees it."""

    def __init__(self, *given):
        self.device, self.process, self.is_ended = "0", self, False

    def is_alive(self):
        return not self.is_ended

    def end(self):
        self.is_ended = True


@with_dask
def test_a_process_that_nobody_needs_any_more_is_ended_and_gives_its_device_back(monkeypatch):
    from polyinv.runtime import on_dask

    monkeypatch.setattr(on_dask, "SECONDS_IDLE", 0.3)
    pool, here = on_dask._Pool(), surroundings.Surroundings.here([])
    pool._free, process = ["1"], _Idle()
    for _ in range(3):  # one that is needed again and again lives on
        pool.give_back(job, here, process)
        time.sleep(0.2)
        assert pool.take(job, here) is process
        assert process.is_alive()
    pool.give_back(job, here, process)
    for _ in range(100):
        if process.is_ended:
            break
        time.sleep(0.05)
    time.sleep(0.05)
    assert process.is_ended
    assert pool._free == ["1", "0"]


@with_dask
def test_what_fails_here_is_not_told_of_the_scheduler(scheduler, tmp_path):
    """A job is asked for where the claims lie, on a disk that may be full."""

    def next_job():
        raise OSError("No space left on device")

    with (
        Wanted("dask", scheduler).start(Places(1), [tmp_path]) as engine,
        pytest.raises(OSError, match="No space left on device"),
    ):
        next(engine.work(job, next_job))


@with_dask
def test_jobs_wait_for_a_worker_and_say_so(tmp_path, monkeypatch, caplog):
    import distributed

    from polyinv.runtime import on_dask

    monkeypatch.setattr(on_dask, "_run", lambda task, arguments, surroundings: Outcome("", task(*arguments)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # that the job asks for, here in this process
    with (
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        later = threading.Timer(0.5, cluster.scale, [1])
        later.start()
        outcomes = on_dask.work(client, [tmp_path], job, {name: (name,) for name in "ab"})
        assert sorted(outcome.name for outcome in outcomes) == ["a", "b"]
        later.join()
    assert "no worker is left; waiting for one" in caplog.text


SIMULATE = ("simulate", "--random", "2", "--out", "out.npz")


@with_dask
@pytest.mark.parametrize(
    "command", [("ablate", "features.yaml"), ("search", "mlp.yaml"), SIMULATE], ids=lambda command: command[0]
)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--workers", "0"), "--workers is 0; needs 1 or more"),
        (("--workers", "-1", "--engine", "dask"), "--workers is -1; needs 1 or more"),
        (
            ("--workers", "2", "--engine", "dask", "--scheduler", "tcp://a:1"),
            "--workers is of this machine; with --sched",
        ),
    ],
)
def test_a_number_of_workers_that_cannot_be_is_one_line(command, options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*command, *options]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"polyinv: error: {said}")
    assert err.count("\n") == 1
    assert not [*tmp_path.iterdir()]


@with_dask
def test_a_cluster_of_this_machine_names_a_dashboard_that_answers_and_has_no_more_places_than_processes(tmp_path):
    with Wanted("dask").start(Places(10**9)) as engine:
        assert engine.said.startswith(f"{MOST} places")
        host, port = engine.said.partition("dashboard http://")[2].partition("/")[0].split(":")
        socket.create_connection((host, int(port)), 5).close()
        assert not [
            name for name in ("distributed.client", "distributed.worker") if getLogger(name).isEnabledFor(CRITICAL)
        ]


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
