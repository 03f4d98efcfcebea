"""That a run which somebody wants to end does end, as canceled.

Dagster tells the process of a run by an interrupt, which it raises in the middle of a step. That is
not enough in five ways: an interrupt of a step with a retry policy becomes a retry, a library may
swallow it, Python itself ignores it in a finalizer, a process that is about to run a step does not
hear it yet, and one that nobody announced, which is what Ctrl-C is, becomes a failure.
"""

import _thread
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import dagster as dg

from resources.tracking.outcome import CANCELED

INTERRUPTS = (KeyboardInterrupt, dg.DagsterExecutionInterruptedError)
_POLL_SECONDS, _POLL_BYTES, _AGAIN_SECONDS = 1.0, 64, 0.1
_END = b"\0"
"""No signal has this number."""
_NAMES = {kind.__name__ for kind in INTERRUPTS}


class Cancellation:
    """Of one run, in the process that executes it."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        """Find out who started the run: only a launcher can interrupt it when asked to."""
        self._instance, self._run_id = instance, run_id
        starting = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_STARTING)
        self._launched = bool(starting)

    def asked(self) -> bool:
        """Whether somebody asked for the end, gently or by force."""
        run = self._instance.get_run_by_id(self._run_id)
        return run is not None and run.status in CANCELED

    def require_not_asked_before(self) -> None:
        """At the start, raise an interrupt: Dagster forgets who canceled a run about to start."""
        asking = {dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_CANCELED}
        run = self._instance.get_run_by_id(self._run_id)
        if run and self._instance.all_logs(self._run_id, of_type=asking):
            self._instance.report_run_canceling(run, "Canceled before it started.")
            raise dg.DagsterExecutionInterruptedError

    def require_not_asked(self) -> None:
        """Where nothing is under way, raise an interrupt if somebody asked for the end."""
        if self.asked():
            raise dg.DagsterExecutionInterruptedError

    def record(self) -> None:
        """Say that the interrupt of a run which no launcher started was its starter's wish."""
        run = self._instance.get_run_by_id(self._run_id)
        if run and not self._launched and run.status == dg.DagsterRunStatus.STARTED:
            self._instance.report_run_canceling(run, "Interrupted where it was started.")

    def after(self, event: dg.DagsterEvent) -> None:
        """Where the steps run in this process: go no further if the run must end.

        Raises the interrupt by which a step ended, or in spite of which it did.
        """
        if event.is_step_up_for_retry or event.is_step_failure:
            if is_by_interrupt(event):
                raise dg.DagsterExecutionInterruptedError
            self.require_not_asked()
        elif (event.is_successful_output or event.is_step_success) and self.asked():
            # Dagster raises it where it may be raised next: its generators cannot be left here.
            signal.raise_signal(signal.SIGINT)

    def at_start(self, event: dg.DagsterEvent) -> None:
        """Where each step is a process of this machine: interrupt one that starts in spite of it.

        Dagster tells those that run, and may do so before a new one can hear it.
        """
        if event.is_step_start and event.pid is not None and self.asked():
            with suppress(ProcessLookupError):  # it has ended
                os.kill(event.pid, signal.SIGINT)

    @contextmanager
    def heard(self) -> Generator[None]:
        """Of a run that no launcher started: keep that it was interrupted; interrupt it if asked.

        Kept at once, so that a library which swallows the interrupt delays the end, no more.
        """
        in_main_thread = threading.current_thread() is threading.main_thread()
        if self._launched or not self._instance.is_persistent or not in_main_thread:
            yield
            return
        reader, writer = socket.socketpair()
        with reader, writer:
            writer.setblocking(False)
            before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            listener = threading.Thread(target=self._listen, args=(reader,))
            listener.start()
            try:
                yield
            finally:
                signal.set_wakeup_fd(before)
                writer.send(_END)
                listener.join()  # or it would write of a run that has ended

    def _listen(self, reader: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([reader], [], [], _POLL_SECONDS)
            came = reader.recv(_POLL_BYTES) if ready else b""
            if signal.SIGINT in came or signal.SIGTERM in came:
                self.record()
                return
            if _END in came:
                return
            if self._asked_if_known():
                os.kill(os.getpid(), signal.SIGINT)
                return

    def _asked_if_known(self) -> bool:
        """As `asked`; False while the storage is busy or its disk full, since it is asked again."""
        from sqlalchemy.exc import SQLAlchemyError  # loaded by then, with the storage

        try:
            return self.asked()
        except SQLAlchemyError:
            return False


def send_ignored_again() -> None:
    """In every process that runs steps: send an interrupt again that Python ignored.

    It does what a finalizer raises, and the garbage collector calls finalizers anywhere.
    """
    before = sys.unraisablehook
    if getattr(before, "func", None) is not _told_of_ignored:
        sys.unraisablehook = partial(_told_of_ignored, before)


def _told_of_ignored(before: Callable[[Any], object], ignored: Any) -> None:
    before(ignored)
    if issubclass(ignored.exc_type, INTERRUPTS):
        # No `threading.Thread`: its locks may be held where a finalizer is called.
        _thread.start_new_thread(_interrupt_soon, ())


def _interrupt_soon() -> None:
    time.sleep(_AGAIN_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)


def is_by_interrupt(event: dg.DagsterEvent) -> bool:
    """Whether a step that failed, or is tried again, does so because it was interrupted."""
    data = event.step_retry_data if event.is_step_up_for_retry else event.step_failure_data
    waiting = [data.error]
    while waiting:
        error = waiting.pop()
        if error is not None and error.cls_name in _NAMES:
            return True
        if error is not None:
            waiting += [error.cause, error.context]
    return False
