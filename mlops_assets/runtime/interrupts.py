"""Interrupts: what asks a process to end becomes one, and none comes in the middle of a cleanup."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

_DEFERRED = (signal.SIGINT, signal.SIGTERM)


def is_by_interrupt(err: BaseException | None) -> bool:
    """Whether an error, or one that led to it, is an interrupt that came on the way.

    C code that is interrupted while it is imported fails with an ImportError of its own, for one.
    """
    seen = set[int]()
    waiting = [err]
    while waiting:
        one = waiting.pop()
        if isinstance(one, KeyboardInterrupt):
            return True
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__]
    return False


def raise_interrupt(err: BaseException) -> None:
    """Raise the interrupt of which `err` is an outcome, if it is of one."""
    if is_by_interrupt(err):
        raise KeyboardInterrupt from err


@contextmanager
def interruptible() -> Generator[None]:
    """Let SIGTERM and SIGHUP end the body as Ctrl-C does, so that everything is put away.

    Also where a shell started us in the background, which ignores SIGINT.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def pass_on(*_: object) -> None:
        # Whoever handles SIGINT by now, e.g. Dagster in a run, knows where it may be raised.
        signal.raise_signal(signal.SIGINT)

    handlers = {signal.SIGINT: interrupt, signal.SIGTERM: pass_on}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # by nohup
        handlers[signal.SIGHUP] = pass_on
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Generator[None]:
    """Let SIGINT and SIGTERM wait until the body has ended: what it does must be done whole.

    Whoever presses Ctrl-C twice would else stop the cleanup after the first. Elsewhere than in the
    main thread nothing changes: no signal is handled there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, _: object) -> None:
        came.append(number)

    before = {number: signal.signal(number, remember) for number in _DEFERRED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
