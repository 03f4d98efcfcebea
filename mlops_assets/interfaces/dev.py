"""The user interfaces for local work, all ended by one Ctrl-C.

`MLOPS_DAGSTER_PORT` and `MLOPS_MLFLOW_PORT` move them to other ports. Each is a process, as are the
daemon and the code server; all are watched, and a change of a model's files is taken up.
"""

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from mlops_assets.home import HOST, INTERFACE_PORTS, models_folder
from mlops_assets.interfaces.children import Child, GivenUpError, end
from mlops_assets.interfaces.code_server import CodeServer
from mlops_assets.interfaces.guard import Access
from mlops_assets.interfaces.ports import free_port
from mlops_assets.runtime.atomic import ensure_folder
from resources.tracking.store import MLflowStore

_POLL_SECONDS = 0.2
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
    ports = {name: free_port(name, port) for name, port in INTERFACE_PORTS.items()}
    Access.of_environment()  # what is wrong there is said once, and here
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    # Not in the state folder, whose path may be longer than that of a socket can be.
    with tempfile.TemporaryDirectory(prefix="mlops-dev-", ignore_cleanup_errors=True) as folder:
        server = CodeServer(Path(folder))
        children = _children(state, server, ports)
        watch = threading.Thread(target=server.look_after, args=(models_folder(), stop, _say))
        watch.start()
        try:
            return _keep(children, ports, stop)
        finally:
            stop.set()
            end([child.process for child in children])
            watch.join()


def _keep(children: list[Child], ports: Mapping[str, int], stop: threading.Event) -> int:
    urls = _urls(children, ports)
    while not stop.wait(_POLL_SECONDS):
        try:
            for said in filter(None, [child.keep() for child in children]):
                _say(said)
        except GivenUpError as err:
            _say(f"{err}; see its last lines above")
            return 1
        if urls and all(map(_listens, urls.values())):
            names = "  ".join(f"{name} http://{HOST}:{port}" for name, port in urls.items())
            print(f"{names}  (Ctrl-C ends all)", flush=True)  # noqa: T201
            urls = {}
    return 0


def _urls(children: list[Child], ports: Mapping[str, int]) -> dict[str, int]:
    """The port of each interface that runs here, by its name."""
    named = {"Dagster": ports["MLOPS_DAGSTER_PORT"], "MLflow": ports["MLOPS_MLFLOW_PORT"]}
    return {child.name: named[child.name] for child in children if child.name in named}


def _children(state: Path, server: CodeServer, ports: Mapping[str, int]) -> list[Child]:
    """All processes, started."""
    with dg.DagsterInstance.get():
        pass  # by us: processes that race to make its tables break each other's
    workspace = ["--workspace", str(server.workspace)]
    daemon = str(Path(sys.executable).with_name("dagster-daemon"))
    children = [
        Child("the code server", server.command, _ENVIRONMENT),
        Child("Dagster", _ui("dagster_ui", ports["MLOPS_DAGSTER_PORT"], *workspace), _ENVIRONMENT),
        Child("the daemon", [daemon, "run", *workspace], _ENVIRONMENT),
    ]
    store = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{state / 'mlflow.db'}")
    if store.startswith(("http://", "https://")):  # a tracking server has its own UI
        return children
    artifacts = os.environ.get("MLFLOW_ARTIFACTS") or str(ensure_folder(state / "mlflow"))
    # By us: a run that made the store at the same moment as the server would break both.
    MLflowStore(tracking_uri=store, artifacts=artifacts).make_ready()
    stores = {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_ARTIFACTS_DESTINATION": artifacts}
    mlflow = _ui("mlflow_ui", ports["MLOPS_MLFLOW_PORT"])
    return [*children, Child("MLflow", mlflow, _ENVIRONMENT | stores)]


def _ui(module: str, port: int, *arguments: str) -> list[str]:
    program = [sys.executable, "-m", f"mlops_assets.interfaces.{module}"]
    return [*program, "--host", HOST, "--port", str(port), *arguments]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _say(text: str) -> None:
    print(f"mlops dev: {text}", file=sys.stderr, flush=True)  # noqa: T201
