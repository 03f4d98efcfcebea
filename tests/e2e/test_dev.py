"""`mlops dev`: both user interfaces answer, one Ctrl-C ends everything, a used port is refused."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from resources.tracking import MLflowTracking
from tests.e2e.servers import alive_with, free_port, wait_for

pytestmark = pytest.mark.e2e

MLOPS = str(Path(sys.executable).parent / "mlops")


def environment(state: Path, **ports: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    return inherited | {
        "MLOPS_HOME": str(state),
        "MLOPS_DATA_ROOT": str(state / "project"),
        "MLOPS_DAGSTER_PORT": str(ports["dagster"]),
        "MLOPS_MLFLOW_PORT": str(ports["mlflow"]),
    }


def log_a_run(state: Path) -> None:
    tracking = MLflowTracking(
        tracking_uri=f"sqlite:///{state / 'mlflow.db'}", artifacts=str(state / "mlflow")
    )
    with tracking.run("shop", {}):
        tracking.log_params({"C": 7.5})


def shown_params(port: int) -> list[dict[str, str]]:
    """What the page of the experiment lists, asked as the page asks it."""
    api = f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow"
    name = {"experiment_name": "shop"}
    found = httpx.get(f"{api}/experiments/get-by-name", params=name, timeout=30).json()
    body = {"experiment_ids": [found["experiment"]["experiment_id"]]}
    runs = httpx.post(f"{api}/runs/search", json=body, timeout=30).json()["runs"]
    return [param for run in runs for param in run["data"]["params"]]


def shown_assets(port: int) -> int:
    query = {"query": "{ assetNodes { id } }"}
    answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=query, timeout=30)
    return len(answer.json()["data"]["assetNodes"])


def test_both_interfaces_answer_and_one_interrupt_ends_all(tmp_path: Path) -> None:
    dagster, mlflow = free_port(), free_port()
    log_a_run(tmp_path)
    variables = environment(tmp_path, dagster=dagster, mlflow=mlflow)
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen([MLOPS, "dev"], env=variables, stdout=log, stderr=log)
    try:
        wait_for(
            f"both addresses in {tmp_path / 'log'}",
            lambda: f"MLflow http://127.0.0.1:{mlflow}" in (tmp_path / "log").read_text(),
            90,
        )
        assert wait_for("the assets", lambda: shown_assets(dagster), 30) >= 6
        assert "<html" in httpx.get(f"http://127.0.0.1:{mlflow}/", timeout=30).text
        assert shown_params(mlflow) == [{"key": "C", "value": "7.5"}]

        started.send_signal(signal.SIGINT)

        assert started.wait(20) == 0
        assert not alive_with("MLOPS_HOME", str(tmp_path))
    finally:
        started.kill()
        started.wait()
        for process in alive_with("MLOPS_HOME", str(tmp_path)):
            process.kill()


@pytest.mark.parametrize("used", ["dagster", "mlflow"])
def test_a_used_port_is_named_and_nothing_starts(tmp_path: Path, used: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = {"dagster": free_port(), "mlflow": free_port()} | {used: other.getsockname()[1]}
        done = subprocess.run(
            [MLOPS, "dev"],
            env=environment(tmp_path, **ports),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"127.0.0.1:{ports[used]}" in done.stderr
    assert f"MLOPS_{used.upper()}_PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert not alive_with("MLOPS_HOME", str(tmp_path))
