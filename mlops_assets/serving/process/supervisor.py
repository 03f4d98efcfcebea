"""The one process of an endpoint that stays: it holds the port while generations come and go.

`launch.json` says which generation is wanted. A new one is started beside the old one on the same
socket; when all its workers are ready, the old one drains and ends. One that does not become ready
is given up, and `launch.failed` says why. The supervisor imports next to nothing, so that it
hardly ever must change itself.
"""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from mlops_assets.records.files import LAUNCH_FILE, PROMETHEUS_FOLDER, SERVER_LOG, STATUS_FOLDER
from mlops_assets.serving.environment import CODE, ENDPOINT, PORT, SUPERVISOR

HOST = "127.0.0.1"
FAILED_FILE = "launch.failed"
LOG_BYTES = 10_000_000
"""A longer log is moved to server.log.1, over the one before."""

_POLL_SECONDS = 0.1
_START_SECONDS = 120.0
_END_SECONDS = 60.0
_BACKLOG = 2048

logger = logging.getLogger(__name__)


class Generation:
    """A template and its workers."""

    def __init__(self, endpoint: Path, listener: socket.socket, launch: dict[str, Any]) -> None:
        """Start it."""
        self.launch, self.started = launch, time.monotonic()
        self._endpoint = endpoint
        number = listener.fileno()
        self.process = subprocess.Popen(  # noqa: S603  the deployer's own interpreter
            [launch["python"], "-m", "mlops_assets.serving.process.workers", str(number)],
            env=launch["environment"] | _secrets(launch) | {SUPERVISOR: str(os.getpid())},
            pass_fds=[number],
            cwd="/",  # the endpoint's folder holds a key, and modules could be put there
        )

    @property
    def ended(self) -> bool:
        """Whether the template is gone; its workers then end too."""
        return self.process.poll() is not None

    def ready(self) -> bool:
        """Whether every worker serves some version."""
        import psutil

        try:
            pids = [child.pid for child in psutil.Process(self.process.pid).children()]
        except psutil.NoSuchProcess:
            return False
        return len(pids) == int(self.launch["workers"]) and all(map(self._serves, pids))

    def _serves(self, pid: int) -> bool:
        try:
            status = json.loads((self._endpoint / STATUS_FOLDER / f"{pid}.json").read_bytes())
        except (OSError, ValueError):
            return False
        return status["model_version"] is not None


def _secrets(launch: dict[str, Any]) -> dict[str, str]:
    """What the launch names, as this process was given it: no file holds the values."""
    return {name: os.environ[name] for name in launch.get("secrets", []) if name in os.environ}


class Supervisor:
    """Brings the wanted generation to life and keeps it there."""

    def __init__(self, endpoint: Path, listener: socket.socket) -> None:
        """Nothing is started before `run`."""
        self._endpoint, self._listener = endpoint, listener
        self._serving: Generation | None = None
        self._coming: Generation | None = None
        self._leaving: list[tuple[Generation, float]] = []
        self._seen: tuple[int, int] | None = None
        self._restarts, self._next_start = 0, 0.0
        self._ends = False

    def run(self) -> None:
        """Serve until SIGTERM."""

        def end(*_: object) -> None:
            self._ends = True

        signal.signal(signal.SIGTERM, end)
        while not self._ends:
            try:
                self._turn()
            except Exception:  # e.g. a full disk; the port and the workers must outlive it
                logger.exception("supervising failed; trying again")
            time.sleep(_POLL_SECONDS)
        for generation in filter(None, (self._serving, self._coming)):
            self._retire(generation)
        while self._leaving:
            self._part()
            time.sleep(_POLL_SECONDS)

    def _turn(self) -> None:
        self._look_for_wanted()
        self._take_over()
        if self._serving is not None and self._serving.ended:
            self._serving = self._again(self._serving)
        self._part()
        shorten(self._endpoint / SERVER_LOG)

    def _look_for_wanted(self) -> None:
        stat = (self._endpoint / LAUNCH_FILE).stat()
        if (stat.st_mtime_ns, stat.st_ino) == self._seen:
            return
        self._seen = (stat.st_mtime_ns, stat.st_ino)
        wanted = json.loads((self._endpoint / LAUNCH_FILE).read_bytes())
        if self._coming is not None:
            self._retire(self._coming)
            self._coming = None
        self._restarts = 0
        (self._endpoint / FAILED_FILE).unlink(missing_ok=True)
        if self._serving is None or _identity(self._serving.launch) != _identity(wanted):
            self._coming = Generation(self._endpoint, self._listener, wanted)

    def _take_over(self) -> None:
        """The coming generation serves when it is ready; it is given up if that takes too long."""
        if self._coming is None:
            return
        if self._coming.ready():
            if self._serving is not None:
                self._retire(self._serving)
            self._serving, self._coming = self._coming, None
            return
        late = time.monotonic() - self._coming.started > _START_SECONDS
        if self._serving is not None and (late or self._coming.ended):
            code = self._coming.launch["environment"][CODE]
            why = "was not ready in time" if late else "ended"
            text = f"The new processes ({code}) failed: their template {why}. The old ones serve."
            logger.error(text)
            (self._endpoint / FAILED_FILE).write_text(text, encoding="utf-8")
            self._retire(self._coming)
            self._coming = None
        elif self._coming.ended:
            self._coming = self._again(self._coming)

    def _again(self, dead: Generation) -> Generation:
        """Start it once more, ever later."""
        now = time.monotonic()
        if now < self._next_start:
            return dead
        self._restarts = self._restarts + 1 if now - dead.started < _START_SECONDS else 0
        self._next_start = now + min(2**self._restarts, 60)
        logger.error("the template ended by %s; starting it again", dead.process.returncode)
        return Generation(self._endpoint, self._listener, dead.launch)

    def _retire(self, generation: Generation) -> None:
        generation.process.terminate()
        self._leaving.append((generation, time.monotonic()))

    def _part(self) -> None:
        """Forget the generations that have ended; kill one that does not end."""
        for generation, since in list(self._leaving):
            if generation.ended:
                self._leaving.remove((generation, since))
            elif time.monotonic() - since > _END_SECONDS:
                generation.process.kill()


def _identity(launch: dict[str, Any]) -> tuple[Any, str]:
    return launch["workers"], launch["environment"][CODE]


def shorten(log: Path) -> None:
    """Move the content of a long log aside; its writers append, so they go on at its start.

    On a full disk the content is lost, or the log itself would keep it full.
    """
    if not log.exists() or log.stat().st_size <= LOG_BYTES:
        return
    try:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    finally:
        os.truncate(log, 0)


def listen(port: int, host: str = HOST) -> socket.socket:
    """Open the endpoint's socket."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener


def main() -> None:
    """Supervise the endpoint in MLOPS_ENDPOINT on the port MLOPS_PORT_SERVED."""
    logging.basicConfig(format="%(asctime)s %(process)d %(name)s %(levelname)s %(message)s")
    endpoint = Path(os.environ[ENDPOINT])
    # Series of workers that a killed supervisor left; every figure starts again from zero.
    shutil.rmtree(endpoint / PROMETHEUS_FOLDER, ignore_errors=True)
    (endpoint / PROMETHEUS_FOLDER).mkdir()
    Supervisor(endpoint, listen(int(os.environ[PORT]))).run()


if __name__ == "__main__":
    main()
