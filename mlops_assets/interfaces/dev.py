"""The user interfaces for local work, all ended by one Ctrl-C.

`MLOPS_PORT_DAGSTER` and `MLOPS_PORT_MLFLOW` move them to other ports. Each is a process, as are the
daemon and the code server; all are watched, and a change of a model's files is taken up.
"""

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from mlops_assets.home import HOST, INTERFACE_PORTS, bucket, database, models_folder
from mlops_assets.interfaces.children import Child, GivenUpError, end
from mlops_assets.interfaces.code_server import CodeServer
from mlops_assets.interfaces.guard import Access
from mlops_assets.interfaces.ports import free_port
from mlops_assets.interfaces.run_events import RunEvents
from mlops_assets.runtime import terminal
from mlops_assets.runtime.atomic import ensure_folder
from resources.tracking.store import MLflowStore, store_uri

_POLL_SECONDS, _LOOK_SECONDS = 0.2, 1.0
_ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore",  # of libraries about each other
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 8 processes, 700 MB; of use for LLMs only
    "DAGSTER_IS_DEV_CLI": "1",  # what `dagster dev` tells its own
}


def serve_user_interfaces(state: Path) -> int:
    """Run the Dagster UI with its daemon, and the MLflow UI, until a signal.

    What ends by itself is started again, and given up when it does so time after time.

    Returns:
        0 after a signal, 1 when one was given up; the others are ended then.

    Raises:
        PortInUseError: Somebody else listens on one of the ports; nothing was started.
        ConfigError: A variable of theirs cannot be meant; nothing was started.
    """
    terminal.doing("starting Dagster and MLflow")
    ports = {name: free_port(name, port) for name, port in INTERFACE_PORTS.items()}
    Access.of_environment()  # what is wrong there is said once, and here
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    # Not in the state folder, whose path may be longer than that of a socket can be.
    with tempfile.TemporaryDirectory(prefix="mlops-dev-", ignore_cleanup_errors=True) as folder:
        server = CodeServer(Path(folder))
        children = _children(state, server, ports)
        places = {"models": models_folder(), "logs": _logs(state)}
        watch = threading.Thread(target=server.look_after, args=(models_folder(), stop, _say))
        watch.start()
        try:
            return _keep(children, _urls(children, ports), places, stop)
        finally:
            stop.set()
            end([child.process for child in children])
            watch.join()


def _keep(
    children: list[Child],
    urls: Mapping[str, int],
    places: Mapping[str, Path],
    stop: threading.Event,
) -> int:
    """Watch all until `stop`; say where they are once they are there, and then what happens."""
    waited = urls
    with dg.DagsterInstance.get() as instance:
        events = RunEvents(instance, datetime.now(UTC))
        while not stop.wait(_POLL_SECONDS if waited else _LOOK_SECONDS):
            try:
                for said in filter(None, [child.keep() for child in children]):
                    _say(said)
            except GivenUpError as err:
                _say(str(err))
                return 1
            events.tell(_say)
            if waited and all(map(_listens, waited.values())):
                _say_places(urls, places)
                waited = {}
    return 0


def _say_places(urls: Mapping[str, int], places: Mapping[str, Path]) -> None:
    for name, port in urls.items():
        terminal.line(f"{name} http://{HOST}:{port}")
    terminal.line(f"models {places['models']}: a change is taken up")
    terminal.line(f"logs {places['logs']}; Ctrl-C ends all")
    terminal.doing("")


def _logs(state: Path) -> Path:
    return ensure_folder(state / "logs")


def _urls(children: list[Child], ports: Mapping[str, int]) -> dict[str, int]:
    """The port of each interface that runs here, by its name."""
    named = {"Dagster": ports["MLOPS_PORT_DAGSTER"], "MLflow": ports["MLOPS_PORT_MLFLOW"]}
    return {child.name: named[child.name] for child in children if child.name in named}


def _children(state: Path, server: CodeServer, ports: Mapping[str, int]) -> list[Child]:
    """All processes, started."""
    with dg.DagsterInstance.get():
        pass  # by us: processes that race to make its tables break each other's
    workspace = ["--workspace", str(server.workspace)]
    daemon = str(Path(sys.executable).with_name("dagster-daemon"))
    logs, dagster = _logs(state), _ui("dagster_ui", ports["MLOPS_PORT_DAGSTER"], *workspace)
    children = [
        Child("the code server", server.command, _ENVIRONMENT, _log(logs, "code-server")),
        Child("Dagster", dagster, _ENVIRONMENT, _log(logs, "dagster")),
        Child("the daemon", [daemon, "run", *workspace], _ENVIRONMENT, _log(logs, "daemon")),
    ]
    named, shared = os.environ.get("MLFLOW_TRACKING_URI"), database()
    local = f"sqlite:///{state / 'mlflow.db'}"
    store = named or store_uri(local, shared)
    if store.startswith(("http://", "https://")):  # a tracking server has its own UI
        return children
    elsewhere = os.environ.get("MLFLOW_ARTIFACTS") or bucket("mlflow")
    artifacts = elsewhere or str(ensure_folder(state / "mlflow"))
    # By us: a run that made the store at the same moment as the server would break both.
    MLflowStore(tracking_uri=store, artifacts=artifacts).make_ready()
    stores = {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_ARTIFACTS_DESTINATION": artifacts}
    mlflow = _ui("mlflow_ui", ports["MLOPS_PORT_MLFLOW"])
    return [*children, Child("MLflow", mlflow, _ENVIRONMENT | stores, _log(logs, "mlflow"))]


def _log(folder: Path, name: str) -> Path:
    """The log of this start; that of the one before stands beside it."""
    file = folder / f"{name}.log"
    if file.exists():
        file.replace(file.with_suffix(".log.1"))
    return file


def _ui(module: str, port: int, *arguments: str) -> list[str]:
    program = [sys.executable, "-m", f"mlops_assets.interfaces.{module}"]
    return [*program, "--host", HOST, "--port", str(port), *arguments]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _say(text: str) -> None:
    terminal.line(f"{datetime.now(UTC):%H:%M:%S} {text}", error=True)
