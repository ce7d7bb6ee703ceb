"""Requests to end: raised at once, or held back between steps."""

import signal

import pytest

from polyinv.runtime.interrupts import between_steps, check_interrupt, interruptible


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
