"""Jobs in other processes: what fails is told, and the rest goes on."""

import os
import signal
import time
from contextlib import closing

import pytest

from polyinv.errors import InputError
from polyinv.runtime.devices import VISIBLE, devices
from polyinv.runtime.workers import work


def job(what, path=None):
    if path is not None and what == "short":
        while not path.exists():
            time.sleep(0.01)
    elif path is not None:
        path.touch()
    if what == "refused":
        raise InputError("no such\nthing")
    if what == "broken":
        raise OSError(28, "No space left on device")
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit":
        os._exit(3)
    if what == "asleep":
        time.sleep(600)
    if what == "asked to end":
        os.kill(os.getpid(), signal.SIGTERM)
    if what == "short":
        time.sleep(0.1)
    return what, os.getpid(), os.environ["OMP_NUM_THREADS"], os.environ.get(VISIBLE)


@pytest.mark.linux
@pytest.mark.parametrize("count", [1, 2])
def test_every_job_has_one_outcome_whatever_becomes_of_it(count):
    names = ["a", "killed", "b", "refused", "broken", "exit", "asked to end", "c"]
    outcomes = list(work(job, {name: (name,) for name in names}, count))
    assert sorted(outcome.name for outcome in outcomes) == sorted(names)
    of = {outcome.name: outcome for outcome in outcomes}
    for name in "abc":
        assert (of[name].value[0], of[name].value[2], of[name].error) == (name, "1", None)
    assert of["killed"].error.startswith("its process was killed by signal 9 (SIGKILL)")
    assert of["exit"].error == "its process ended with exit code 3"
    assert of["asked to end"].error == "its process was asked to end (SIGTERM)"
    assert [name for name in names if of[name].is_ended] == ["asked to end"]
    assert (of["refused"].error, of["refused"].refused) == ("no such thing", True)
    assert (of["broken"].error, of["broken"].refused) == ("OSError: [Errno 28] No space left on device", True)
    assert "in job" in of["broken"].trace


def test_processes_live_on_between_jobs():
    outcomes = list(work(job, {str(number): (number,) for number in range(4)}, 1))
    assert [outcome.value[0] for outcome in outcomes] == [0, 1, 2, 3]
    assert len({outcome.value[1] for outcome in outcomes}) == 1


@pytest.mark.linux
def test_who_stops_listening_ends_the_processes():
    with closing(work(job, {"a": ("a",), "asleep": ("asleep",), "b": ("b",)}, 2)) as outcomes:
        first = next(outcomes)
        started = time.monotonic()
    assert time.monotonic() - started < 60
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.kill(first.value[1], 0)
            time.sleep(0.1)


@pytest.mark.parametrize("names", [("0", "1"), ("GPU-8b1c-2", "MIG-4f-9")])
@pytest.mark.parametrize("first", ["a", "killed"])
def test_each_process_sees_one_device_and_so_does_the_one_that_takes_its_place(names, first, tmp_path):
    # The others wait for the first, so that there is work left for the one that takes its place.
    jobs = {str(number): ("short" if number else first, tmp_path / "first") for number in range(20)}
    outcomes = list(work(job, jobs, 4, names))
    assert len(outcomes) == 20
    assert sum(outcome.error is not None for outcome in outcomes) == (first == "killed")
    device_of = {outcome.value[1]: outcome.value[3] for outcome in outcomes if outcome.error is None}
    assert sorted(device_of.values()) == sorted(2 * names)


@pytest.mark.parametrize("visible", [None, "3"])
def test_without_devices_the_variable_is_not_touched(visible, monkeypatch):
    monkeypatch.delenv(VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(VISIBLE, visible)
    assert {outcome.value[3] for outcome in work(job, {"a": ("a",), "b": ("b",)}, 2)} == {visible}
    list(work(job, {"a": ("a",)}, 1, ["0"]))
    assert os.environ.get(VISIBLE) == visible  # nor here


def test_the_devices_are_those_of_the_variable_or_those_that_the_driver_lists(tmp_path, monkeypatch):
    monkeypatch.setenv(VISIBLE, "MIG-4f,1")
    assert devices() == ("MIG-4f", "1")
    monkeypatch.setenv(VISIBLE, "")
    assert devices() == ()
    monkeypatch.delenv(VISIBLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices() == ()  # no driver
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-8b1c)'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setattr("torch.backends.cuda.is_built", lambda: True)
    assert devices() == ("GPU-8b1c",)
    monkeypatch.setattr("torch.backends.cuda.is_built", lambda: False)
    assert devices() == ()  # this torch cannot use it
