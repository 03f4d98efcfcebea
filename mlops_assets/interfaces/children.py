"""The processes of `mlops dev`: started again when they end, and gone when their starter is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlops_assets.home import project

GRACE_SECONDS = 12
CRASHES = 4
"""So many in a row, and it is given up."""
FIRST_PAUSE_SECONDS = 1.0
_LEASHED = (sys.executable, "-m", "mlops_assets.serving.process.parents")
_CRASH_SECONDS = 30.0
"""What lived shorter crashed."""


class Child:
    """One process, in a session of its own: the terminal's Ctrl-C reaches only its starter."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        """Start it; what it says is added to `log`."""
        self.name, self.log, self._command = name, log, command
        self._environment = os.environ | environment
        self._crashes, self._starts_at = 0, 0.0
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  no text of the user's is in it
                [*_LEASHED, str(os.getpid()), *self._command],
                cwd=project(),
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def keep(self) -> str | None:
        """Start it again if it has ended, ever later, until `GivenUpError`; what to say of it."""
        if self._starts_at:
            if time.monotonic() >= self._starts_at:
                self._starts_at = 0.0
                self._start()
            return None
        if self.process.poll() is None:
            return None
        lived = time.monotonic() - self._started
        self._crashes = self._crashes + 1 if lived < _CRASH_SECONDS else 1
        code = self.process.returncode
        by_signal = f"was ended by {signal.Signals(-code).name}" if code < 0 else ""
        how = by_signal or f"ended by itself with exit code {code}"
        if self._crashes >= CRASHES:
            raise GivenUpError(
                f"{self.name} {how}, the {CRASHES}th time in a row; {self.log} says why"
            )
        pause = FIRST_PAUSE_SECONDS * 2 ** (self._crashes - 1)
        self._starts_at = time.monotonic() + pause
        return f"{self.name} {how}; starting it again in {pause:g} s"


class GivenUpError(Exception):
    """A process does not stay alive; its log says why."""


def end(processes: Collection[subprocess.Popen[Any]]) -> None:
    """Ask all at once, and each ends its own; what is left of a session is forced to."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
