"""The processes of one local endpoint: found, started, renewed and stopped.

A supervisor holds the port, a template below it forks the workers (`mlops_assets.serving`).
Nothing is remembered in a pid file. A process belongs to an endpoint if its environment says so,
which also holds for what a killed deployment left behind, and never for a reused pid.

What these processes do is `mlops_assets.serving.process`.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mlops_assets.errors import PortInUseError
from mlops_assets.home import FRAMEWORK_ROOT, project
from mlops_assets.records.files import LAUNCH_FILE, PROMETHEUS_FOLDER, SERVER_LOG
from mlops_assets.runtime.atomic import ensure_folder, write_atomically
from mlops_assets.runtime.telemetry import SWITCHES
from mlops_assets.serving.environment import CODE, ENDPOINT, PORT, WORKERS
from mlops_assets.serving.online.secrets import named_in
from mlops_assets.serving.process.supervisor import FAILED_FILE, HOST
from resources.endpoints.worker_code import worker_digest

if TYPE_CHECKING:
    import psutil

STOP_SECONDS = 15.0

# All that a worker needs to know of its starter: no credentials, no Dagster settings.
_PASSED_ON = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip


@dataclass(frozen=True)
class Launch:
    """What makes a restart necessary when it changes."""

    port: int
    workers: int
    code: str

    @classmethod
    def of(cls, port: int, workers: int) -> Self:
        """Describe a start with the code and libraries that are installed now."""
        return cls(port, workers, worker_digest())

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True)
class _Member:
    process: "psutil.Process"
    command: list[str]
    environment: dict[str, str]
    parent: int

    @property
    def endpoint(self) -> str:
        """The folder that it was started for."""
        return self.environment[ENDPOINT]

    def runs(self, module: str) -> bool:
        """Whether it was started as this module, which earlier releases had in `serving` itself."""
        rooms = ("mlops_assets.serving.process", "mlops_assets.serving")
        return any(f"{room}.{module}" in self.command for room in rooms)

    def belongs_to(self, launch: Launch) -> bool:
        found = self.environment.get(CODE), self.environment.get(WORKERS)
        return found == (launch.code, str(launch.workers))


class EndpointProcess:
    """The supervisor, templates and workers of the endpoint in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def log(self) -> Path:
        """What the processes wrote to stdout and stderr."""
        return self.folder / SERVER_LOG

    def launch(self) -> Launch | None:
        """What the running supervisor was told to run; None if none runs."""
        here = str(self.folder)
        if not any(m.runs("supervisor") and m.endpoint == here for m in self._members()):
            return None
        return self.kept_launch()

    def kept_launch(self) -> Launch | None:
        """What was launched last, whether it runs or not."""
        try:
            kept = json.loads((self.folder / LAUNCH_FILE).read_bytes())
            return Launch(kept["port"], kept["workers"], kept["environment"][CODE])
        except (OSError, ValueError, KeyError):
            return None

    def workers(self, launch: Launch | None = None) -> list[int]:
        """Pids of the live workers, or of those of one generation."""
        members = [
            member
            for member in self._members()
            if member.runs("workers") and (launch is None or member.belongs_to(launch))
        ]
        pids = {member.process.pid for member in members}
        return [member.process.pid for member in members if member.parent in pids]

    def failure(self) -> str | None:
        """Why the supervisor gave the newest generation up, if it did."""
        failed = self.folder / FAILED_FILE
        return failed.read_text(encoding="utf-8") if failed.exists() else None

    def bring(self, launch: Launch) -> None:
        """Run what `launch` says: by a new generation on the same socket, or from the start."""
        running = self.launch()
        if running is not None and running.port != launch.port:
            self.stop()
            running = None
        if running is None:
            require_free(launch.port)
        if running != launch or self.failure():
            described = {
                "port": launch.port,
                "workers": launch.workers,
                "python": sys.executable,
                "environment": self._environment(launch),
                "secrets": [*_secrets()],
            }
            content = json.dumps(described, indent=2).encode()
            write_atomically(self.folder / LAUNCH_FILE, lambda file: file.write_bytes(content))
        if running is None:
            self._start(launch)

    def _start(self, launch: Launch) -> None:
        """Start the supervisor, detached from this process: it survives the run that deployed."""
        ensure_folder(self.folder / "tmp")
        command = [sys.executable, "-m", "mlops_assets.serving.process.supervisor"]
        environment = self._environment(launch)
        # By a shell that ends at once, so that the supervisor is nobody's zombie when it dies.
        with self.log.open("ab") as log:
            subprocess.run(  # noqa: S603  no text of the user's is in it
                ["/bin/sh", "-c", '"$@" &', "sh", *command],
                cwd="/",
                env=environment | _secrets() | {PORT: str(launch.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=True,
            )

    def stop(self) -> None:
        """End the supervisor and all below it: first politely, after 15 s by SIGKILL."""
        import psutil

        members = list(self._members())
        # Each ends those below it; asked themselves, they would be started again.
        supervisors = [member for member in members if member.runs("supervisor")]
        for member in supervisors or members:
            _signal(member.process, kill=False)
        psutil.wait_procs([member.process for member in members], timeout=STOP_SECONDS)
        while left := [member.process for member in self._members()]:
            for process in left:
                _signal(process, kill=True)
            psutil.wait_procs(left, timeout=1)

    def _environment(self, launch: Launch) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return passed_on | {
            ENDPOINT: str(self.folder),
            WORKERS: str(launch.workers),
            CODE: launch.code,
            # The code that `launch.code` names, and the user's own estimators.
            "PYTHONPATH": os.pathsep.join(map(str, dict.fromkeys((FRAMEWORK_ROOT, project())))),
            # Two servers with one home delete each other's metrics.
            "BENTOML_HOME": str(self.folder / "bentoml"),
            "PROMETHEUS_MULTIPROC_DIR": str(self.folder / PROMETHEUS_FOLDER),
            "TMPDIR": str(self.folder / "tmp"),
            **SWITCHES,
            "PYTHONSAFEPATH": "1",  # no module comes from the working directory
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def _members(self) -> Iterator[_Member]:
        import psutil

        names = self._names()
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                command, environment = process.cmdline(), process.environ()
                parent = process.ppid()
            except (psutil.Error, OSError):  # gone, or somebody else's
                continue
            if environment.get(ENDPOINT) in names:
                yield _Member(process, command, environment, parent)

    def _names(self) -> set[str]:
        """The folder as it is called, and as it was when its processes were started.

        It may have been moved below them. They would write to where it was, so they are only ever
        ended. Where it still is there, this is a copy, and they are the original's.
        """
        try:
            kept = json.loads((self.folder / LAUNCH_FILE).read_bytes())
            before = kept["environment"][ENDPOINT]
        except (OSError, ValueError, KeyError):
            return {str(self.folder)}
        return {str(self.folder)} if Path(before).exists() else {str(self.folder), before}


def _secrets() -> dict[str, str]:
    """The variables that the online store's configuration names, and their values here."""
    names = named_in(os.environ.get("MLOPS_ONLINE_STORE", ""))
    return {name: os.environ[name] for name in names if name in os.environ}


def require_free(port: int) -> None:
    """Raise `PortInUseError` if somebody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as err:
            raise PortInUseError(
                f"cannot listen on {HOST}:{port}: {err.strerror}. "
                "Stop what listens there, or set another `deployment.port` in the YAML, "
                "which `mlops run` takes up."
            ) from err


def _signal(process: "psutil.Process", *, kill: bool) -> None:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
