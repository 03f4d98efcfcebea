"""What asks a process to end, and when that reaches it."""

import os
import signal
import threading

import pytest

from mlops_assets.runtime.interrupts import interruptible, uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_asks_for_the_end_is_an_interrupt(number: signal.Signals) -> None:
    as_started = signal.signal(number, signal.SIG_DFL)  # by nohup, SIGHUP would be ignored
    try:
        with pytest.raises(KeyboardInterrupt), interruptible():
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, as_started)


def test_a_process_started_by_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def clean_up(number: signal.Signals, done: list[int], fault: Exception | None = None) -> None:
    with uninterrupted():
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        done.append(1)
        if fault:
            raise fault


@pytest.mark.parametrize("fault", [None, ValueError("unrelated")])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_a_cleanup_and_is_not_lost(
    number: signal.Signals, fault: Exception | None
) -> None:
    done: list[int] = []
    with interruptible(), pytest.raises(KeyboardInterrupt):
        clean_up(number, done, fault)
    assert done == [1]


def test_another_thread_is_left_as_it_is() -> None:
    before, inside = signal.getsignal(signal.SIGINT), []

    def clean_up_there() -> None:
        with uninterrupted():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=clean_up_there)
    thread.start()
    thread.join()
    assert inside == [before]
