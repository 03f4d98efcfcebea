"""The server process of one local endpoint: found, started and stopped.

Nothing is remembered in a pid file. A process belongs to an endpoint if its environment says so,
which also holds for what a killed deployment left behind, and never for a reused pid.
"""

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Self

import mlops_assets
from mlops_assets.atomic import ensure_folder
from mlops_assets.errors import PortInUseError

if TYPE_CHECKING:
    import psutil

HOST = "127.0.0.1"
LOG_FILE = "server.log"
STOP_SECONDS = 15

# All that a worker needs to know of its starter: no credentials, no Dagster settings.
_PASSED_ON = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
# What a worker imports.
_MODULES = (
    "blocks/*.py", "config.py", "records/*.py", "errors.py", "atomic.py", "ml/scoring.py",
    "ml/model_files.py", "serving/*.py",
)  # fmt: skip
_LIBRARIES = ("scikit-learn", "skops", "numpy", "pandas", "feast", "bentoml")


@dataclass(frozen=True)
class Launch:
    """What makes a restart necessary when it changes."""

    port: int
    workers: int
    code: str

    @classmethod
    def of(cls, port: int, workers: int) -> Self:
        """Describe a start with the code and libraries that are installed now."""
        digest = hashlib.sha256()
        package = Path(mlops_assets.__file__).parent
        for pattern in _MODULES:
            for module in sorted(package.glob(pattern)):
                digest.update(module.read_bytes())
        for name in _LIBRARIES:
            digest.update(f"{name}=={version(name)}".encode())
        return cls(port, workers, digest.hexdigest()[:16])

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True)
class _Member:
    process: "psutil.Process"
    command: list[str]
    environment: dict[str, str]

    @property
    def is_manager(self) -> bool:
        return "serve" in self.command

    @property
    def is_worker(self) -> bool:
        return "_bentoml_impl.worker.service" in self.command


class EndpointProcess:
    """BentoML's process manager and its workers for the endpoint in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def log(self) -> Path:
        """What the processes wrote to stdout and stderr."""
        return self.folder / LOG_FILE

    def launch(self) -> Launch | None:
        """How the running manager was started; None if none runs."""
        for member in self._members():
            if member.is_manager:
                return Launch(
                    int(member.environment["MLOPS_PORT"]),
                    int(member.environment["MLOPS_WORKERS"]),
                    member.environment["MLOPS_CODE"],
                )
        return None

    def workers(self) -> list[int]:
        """Pids of the live workers."""
        return [member.process.pid for member in self._members() if member.is_worker]

    def start(self, launch: Launch) -> None:
        """Start the manager, detached from this process: it survives the run that deployed.

        Raises:
            PortInUseError: Somebody else listens on the port.
        """
        require_free(launch.port)
        ensure_folder(self.folder / "tmp")
        serve = [
            sys.executable, "-m", "bentoml", "serve", "mlops_assets.serving.service:Endpoint",
            "--host", HOST, "--port", str(launch.port),
        ]  # fmt: skip
        # By a shell that ends at once, so that the manager is nobody's zombie when it dies.
        with self.log.open("ab") as log:
            subprocess.run(  # noqa: S603  no text of the user's is in it
                ["/bin/sh", "-c", '"$@" &', "sh", *serve],
                cwd=self.folder,
                env=self._environment(launch),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=True,
            )

    def stop(self) -> None:
        """End the manager and every worker: first politely, after 15 s by SIGKILL."""
        import psutil

        members = list(self._members())
        # The manager ends its workers; asked themselves, they would be started again.
        managers = [member for member in members if member.is_manager]
        for member in managers or members:
            _signal(member.process, kill=False)
        psutil.wait_procs([member.process for member in members], timeout=STOP_SECONDS)
        while left := [member.process for member in self._members()]:
            for process in left:
                _signal(process, kill=True)
            psutil.wait_procs(left, timeout=1)

    def _environment(self, launch: Launch) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return passed_on | {
            "MLOPS_ENDPOINT": str(self.folder),
            "MLOPS_PORT": str(launch.port),
            "MLOPS_WORKERS": str(launch.workers),
            "MLOPS_CODE": launch.code,
            # The code that `launch.code` names, wherever this process found it.
            "PYTHONPATH": str(Path(mlops_assets.__file__).parents[1]),
            # Two servers with one home delete each other's metrics; BentoML wipes it at its start.
            "BENTOML_HOME": str(self.folder / "bentoml"),
            "TMPDIR": str(self.folder / "tmp"),
            "BENTOML_DO_NOT_TRACK": "1",
            "DO_NOT_TRACK": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def _members(self) -> Iterator[_Member]:
        import psutil

        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                command, environment = process.cmdline(), process.environ()
            except (psutil.Error, OSError):  # gone, or somebody else's
                continue
            if environment.get("MLOPS_ENDPOINT") == str(self.folder):
                yield _Member(process, command, environment)


def require_free(port: int) -> None:
    """Check that nobody listens on the port.

    Raises:
        PortInUseError: Somebody does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as err:
            raise PortInUseError(
                f"cannot listen on {HOST}:{port}: {err.strerror}. "
                "Stop what listens there, or set another `deployment.port` in the YAML."
            ) from err


def _signal(process: "psutil.Process", *, kill: bool) -> None:
    import psutil

    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        pass
