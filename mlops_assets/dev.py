"""The user interfaces for local work, all ended by one Ctrl-C.

`MLOPS_DAGSTER_PORT` and `MLOPS_MLFLOW_PORT` move them to other ports.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.atomic import ensure_folder
from mlops_assets.errors import ConfigError, PortInUseError
from mlops_assets.home import HOST, INTERFACE_PORTS, PROJECT_ROOT
from resources.mlflow_store import MLflowStore

_GRACE_SECONDS = 12
_POLL_SECONDS = 0.2
_ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore",  # of libraries about each other
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 8 processes, 700 MB; of use for LLMs only
}


@dataclass(frozen=True)
class _Interface:
    name: str
    port: int
    command: list[str]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> subprocess.Popen[bytes]:
        """In a session of its own: the terminal's Ctrl-C reaches us alone, and we pass it on."""
        return subprocess.Popen(  # noqa: S603  no text of the user's is in it
            self.command, cwd=PROJECT_ROOT, env=os.environ | _ENVIRONMENT, start_new_session=True
        )

    def answers(self) -> bool:
        """Whether it listens by now."""
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0


def serve_user_interfaces(state: Path) -> int:
    """Run the Dagster UI with its daemon, and the MLflow UI, until a signal or one of them ends.

    Returns:
        0 after a signal, 1 when one ended by itself; the others are ended then.

    Raises:
        PortInUseError: Somebody else listens on one of the ports; nothing was started.
    """
    interfaces = _interfaces(state)
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    ended: list[str] = []
    processes = {interface.name: interface.start() for interface in interfaces}
    ready = False
    while not stopped and not ended:
        time.sleep(_POLL_SECONDS)
        ended = [name for name, process in processes.items() if process.poll() is not None]
        if not ready and all(interface.answers() for interface in interfaces):
            ready = True
            urls = "  ".join(f"{interface.name} {interface.url}" for interface in interfaces)
            print(f"{urls}  (Ctrl-C ends both)", flush=True)  # noqa: T201
    _end(processes.values())
    for name in ended:
        print(f"{name} ended by itself; see its last lines above", file=sys.stderr)  # noqa: T201
    return 1 if ended else 0


def _interfaces(state: Path) -> list[_Interface]:
    tools = Path(sys.executable).parent
    dagster, mlflow = _free_port("MLOPS_DAGSTER_PORT"), _free_port("MLOPS_MLFLOW_PORT")
    store = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{state / 'mlflow.db'}")
    artifacts = os.environ.get("MLFLOW_ARTIFACTS") or str(ensure_folder(state / "mlflow"))
    dagster_ui = [
        *(str(tools / "dagster"), "dev", "--host", HOST, "--port", str(dagster)),
        *("--workspace", str(PROJECT_ROOT / "workspace.yaml")),
    ]
    mlflow_ui = [
        *(str(tools / "mlflow"), "server", "--host", HOST, "--port", str(mlflow)),
        *("--backend-store-uri", store, "--artifacts-destination", artifacts, "--workers", "1"),
    ]
    interfaces = [_Interface("Dagster", dagster, dagster_ui)]
    if not store.startswith(("http://", "https://")):  # a tracking server has its own UI
        # By us: a run that made the store at the same moment as the server would break both.
        MLflowStore(tracking_uri=store, artifacts=artifacts).make_ready()
        interfaces.append(_Interface("MLflow", mlflow, mlflow_ui))
    return interfaces


def _free_port(variable: str) -> int:
    default = INTERFACE_PORTS[variable]
    text = os.environ.get(variable, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ConfigError(f"{variable}={text!r} is no port; write e.g. {default}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(text)))
        except OSError as err:
            raise PortInUseError(
                f"cannot listen on {HOST}:{text}: {err.strerror}. "
                f"Stop what listens there, or set {variable} to another port."
            ) from err
    return int(text)


def _end(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Ask all at once, and each ends its children; what is left of a group is forced to."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _GRACE_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
