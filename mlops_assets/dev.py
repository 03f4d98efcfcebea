"""The user interfaces for local work, all ended by one Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlops_assets.atomic import ensure_folder
from mlops_assets.home import PROJECT_ROOT

DAGSTER_PORT = 3000
MLFLOW_PORT = 5000
_GRACE_SECONDS = 10


def serve_user_interfaces(state: Path) -> int:
    """Run the Dagster UI with its daemon, and the MLflow UI, until a signal or one of them ends.

    Returns:
        0 after a signal, 1 when one ended by itself; the others are ended then.
    """
    tools = Path(sys.executable).parent
    ensure_folder(state / "mlflow")
    commands = {
        "Dagster UI": [
            *(str(tools / "dagster"), "dev", "--host", "127.0.0.1", "--port", str(DAGSTER_PORT)),
            *("--workspace", str(PROJECT_ROOT / "workspace.yaml")),
        ],
        "MLflow UI": [
            *(str(tools / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(MLFLOW_PORT)),
            *("--backend-store-uri", f"sqlite:///{state / 'mlflow.db'}", "--workers", "1"),
            *("--artifacts-destination", str(state / "mlflow")),
        ],
    }
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    # Groups of their own: the terminal's Ctrl-C reaches us alone, and we end them in order.
    processes = {
        name: subprocess.Popen(command, cwd=PROJECT_ROOT, start_new_session=True)  # noqa: S603
        for name, command in commands.items()
    }
    print(f"Dagster http://127.0.0.1:{DAGSTER_PORT}  MLflow http://127.0.0.1:{MLFLOW_PORT}")  # noqa: T201
    ended: list[str] = []
    while not stopped and not ended:
        time.sleep(0.2)
        ended = [name for name, process in processes.items() if process.poll() is not None]
    for process in processes.values():
        _end(process)
    for name in ended:
        print(f"{name} ended by itself; see its last lines above", file=sys.stderr)  # noqa: T201
    return 1 if ended else 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process group: asked first, forced after the grace period."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(_GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
