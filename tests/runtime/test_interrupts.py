"""Requests to end: raised at once, or held back between steps."""

import os
import random
import signal
import subprocess
import sys
import time
import weakref

import numba
import numpy as np
import pytest

from polyinv.runtime import interrupts
from polyinv.runtime.files import written
from polyinv.runtime.interrupts import between_steps, check_interrupt, interruptible
from polyinv.runtime.progress import counted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_raised_at_once(number):
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)
        pytest.fail("it was not raised")


def test_between_steps_an_interrupt_waits_until_it_is_asked_for_and_the_second_does_not():
    steps = []
    with pytest.raises(KeyboardInterrupt), interruptible(), between_steps():
        signal.raise_signal(signal.SIGTERM)
        steps.append("goes on")
        check_interrupt()
        steps.append("never")
    with pytest.raises(KeyboardInterrupt), interruptible(), between_steps():
        signal.raise_signal(signal.SIGTERM)
        steps.append("goes on")
        signal.raise_signal(signal.SIGINT)
        steps.append("never")
    assert steps == ["goes on", "goes on"]


def test_an_interrupt_that_nobody_asks_for_is_raised_at_the_end_of_the_steps():
    steps = []
    with pytest.raises(KeyboardInterrupt), interruptible():
        with between_steps():
            signal.raise_signal(signal.SIGINT)
            steps.append("goes on")
        steps.append("never")
    assert steps == ["goes on"]


def test_after_a_block_an_interrupt_is_forgotten():
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)
    check_interrupt()
    with interruptible(), between_steps():
        check_interrupt()


class Interrupting:
    """Asks to end while it is being deleted, where nobody can catch what that raises."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def interrupting_by_callback():
    thing = type("Thing", (), {})()
    kept = weakref.ref(thing, lambda reference: signal.raise_signal(signal.SIGTERM))
    del thing
    return kept


@pytest.mark.linux
@pytest.mark.parametrize("swallowed", [Interrupting, interrupting_by_callback])
def test_an_interrupt_in_a_callback_is_sent_again(swallowed, capsys):
    steps = 0
    with pytest.raises(KeyboardInterrupt), interruptible():
        swallowed()
        for steps in range(1000):  # noqa: B007  the loop asks nothing
            time.sleep(0.01)
    assert steps < 999
    assert capsys.readouterr().err == ""


@pytest.mark.linux
def test_an_interrupt_wakes_who_waits(capsys):
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), interruptible():
        Interrupting()
        time.sleep(10)
    assert time.monotonic() < started + 5


@pytest.mark.linux
def test_an_interrupt_while_another_is_about_to_be_sent_again_is_sent_again_too(monkeypatch, capsys):
    begun = []
    start_new_thread = interrupts._thread.start_new_thread

    def interrupted(*sending):
        begun.append(sending)
        if len(begun) < 3:
            signal.raise_signal(signal.SIGTERM)
        start_new_thread(*sending)

    monkeypatch.setattr(interrupts._thread, "start_new_thread", interrupted)
    with pytest.raises(KeyboardInterrupt), interruptible():
        Interrupting()
        time.sleep(10)
    assert len(begun) == 1  # one thread sends for all
    assert capsys.readouterr().err == ""


@pytest.mark.linux
def test_a_signal_that_comes_back_into_the_hook_is_sent_again(monkeypatch, capsys):
    start_new_thread, begun = interrupts._thread.start_new_thread, []

    def slow(*sending):
        start_new_thread(*sending)
        begun.append(sending)
        if len(begun) == 1:
            time.sleep(2 * interrupts.SECONDS_TO_RETURN)

    monkeypatch.setattr(interrupts._thread, "start_new_thread", slow)
    with pytest.raises(KeyboardInterrupt), interruptible():
        Interrupting()
        time.sleep(10)
    assert len(begun) > 1
    assert capsys.readouterr().err == ""


@pytest.mark.linux
def test_an_interrupt_that_is_about_to_be_sent_again_does_not_come_after_another_or_after_the_block():
    with interruptible():
        with pytest.raises(KeyboardInterrupt):
            Interrupting()
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.1)
        interrupts._requests.asked = False
    with pytest.raises(KeyboardInterrupt), interruptible():
        Interrupting()
    time.sleep(0.1)


TWICE = """
import random, signal
from polyinv.runtime.interrupts import interruptible
moments = random.Random(1)

def first(number, frame):
    signal.signal(signal.SIGALRM, second)
    signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-6, 2e-5))
    signal.raise_signal(signal.SIGINT)

def second(number, frame):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.raise_signal(signal.SIGTERM)

for _ in range(3000):
    try:
        with interruptible():
            try:
                signal.signal(signal.SIGALRM, first)
                signal.setitimer(signal.ITIMER_REAL, 1e-4)
                while True:
                    pass
            finally:
                while signal.getsignal(signal.SIGALRM) is second:
                    pass
    except KeyboardInterrupt:
        pass
print("done")
"""


@pytest.mark.linux
def test_two_requests_within_microseconds_do_not_wait_for_each_other():
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_another_error_of_a_callback_is_said(capsys, monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)

    class Failing:
        def __del__(self):
            raise ValueError

    with interruptible():
        Failing()
    assert [each.exc_type for each in said] == [ValueError]


def swallow():
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_a_library_has_swallowed_ends_the_next_step(tmp_path):
    with pytest.raises(KeyboardInterrupt), interruptible(), counted("counting", "rows", 2) as advance:
        swallow()
        advance(1)
        pytest.fail("it goes on")
    with pytest.raises(KeyboardInterrupt), interruptible():
        swallow()
        with written(tmp_path / "a.csv"):
            pytest.fail("it writes")
    with pytest.raises(KeyboardInterrupt), interruptible():
        swallow()
    assert not list(tmp_path.iterdir())


def test_an_interrupt_that_a_library_has_made_another_error_of_is_none():
    with pytest.raises(KeyboardInterrupt), interruptible():
        swallow()
        raise RuntimeError("the callback has failed")


@numba.njit
def _squares(count):
    total = 0.0
    for each in range(count):
        total += each * each
    return total


@pytest.mark.linux
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # between the opening of a file and the block that closes it
def test_no_interrupt_of_three_hundred_is_lost(tmp_path, capsys):
    _squares(1)  # compiled
    moments = random.Random(1)
    for _ in range(300):
        ended = False
        with pytest.raises(KeyboardInterrupt), interruptible():
            signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
            signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 3e-3))
            for step in range(10_000):
                with written(tmp_path / f"{step}.csv", overwrite=True) as passing:
                    passing.write_text("done")
                weakref.ref(np.empty(3), lambda reference: sorted(range(50)))
                _squares(10_000)
            ended = True
        assert not ended
        assert not list(tmp_path.glob(".*"))
    assert capsys.readouterr().err == ""


COLD = """
import os, signal, sys, threading
from polyinv.start import start
sys.argv[1:] = ["systems"]
threading.Timer(0.2, os.kill, [os.getpid(), signal.{name}]).start()
start()
"""


@pytest.mark.linux
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_while_libraries_are_imported_is_one_line(name):
    script = [sys.executable, "-c", COLD.format(name=name)]
    done = subprocess.run(script, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert (done.returncode, done.stderr) == (130, "polyinv: interrupted\n")
