"""Jobs in other processes: what fails is told, and the rest goes on."""

import os
import signal
import time
from contextlib import closing

import pytest

from polyinv.errors import InputError
from polyinv.runtime.workers import work


def job(what):
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
    return what, os.getpid(), os.environ["OMP_NUM_THREADS"]


@pytest.mark.parametrize("count", [1, 2])
def test_every_job_has_one_outcome_whatever_becomes_of_it(count):
    names = ["a", "killed", "b", "refused", "broken", "exit", "c"]
    outcomes = list(work(job, {name: (name,) for name in names}, count))
    assert sorted(outcome.name for outcome in outcomes) == sorted(names)
    of = {outcome.name: outcome for outcome in outcomes}
    for name in "abc":
        assert (of[name].value[0], of[name].value[2], of[name].error) == (name, "1", None)
    assert of["killed"].error.startswith("its process was killed by signal 9 (SIGKILL)")
    assert of["exit"].error == "its process ended with exit code 3"
    assert (of["refused"].error, of["refused"].refused) == ("no such thing", True)
    assert (of["broken"].error, of["broken"].refused) == ("OSError: [Errno 28] No space left on device", True)
    assert "in job" in of["broken"].trace


def test_processes_live_on_between_jobs():
    outcomes = list(work(job, {str(number): (number,) for number in range(4)}, 1))
    assert [outcome.value[0] for outcome in outcomes] == [0, 1, 2, 3]
    assert len({outcome.value[1] for outcome in outcomes}) == 1


def test_who_stops_listening_ends_the_processes():
    with closing(work(job, {"a": ("a",), "asleep": ("asleep",), "b": ("b",)}, 2)) as outcomes:
        first = next(outcomes)
        started = time.monotonic()
    assert time.monotonic() - started < 60
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.kill(first.value[1], 0)
            time.sleep(0.1)
