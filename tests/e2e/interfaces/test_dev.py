"""`mlops dev`: both user interfaces answer, one Ctrl-C ends everything, a used port is refused."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from resources.endpoints.api_keys import digest
from resources.tracking.tracking import MLflowTracking
from tests.support.servers import (
    ROOT,
    alive_with,
    command_of,
    free_port,
    kill_all_with,
    wait_for,
)

pytestmark = pytest.mark.e2e

ADA = ("ada", "the key of ada")
MLOPS = str(Path(sys.executable).parent / "mlops")


def environment(state: Path, **ports: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    return inherited | {
        "MLOPS_HOME": str(state),
        "MLOPS_DATA_ROOT": str(state / "project"),
        "MLOPS_PORT_DAGSTER": str(ports["dagster"]),
        "MLOPS_PORT_MLFLOW": str(ports["mlflow"]),
    }


def log_a_run(state: Path) -> None:
    tracking = MLflowTracking(
        tracking_uri=f"sqlite:///{state / 'mlflow.db'}", artifacts=str(state / "mlflow")
    )
    with tracking.run("shop", {}) as run:
        run.log_params({"C": 7.5})


def shown_params(port: int) -> list[dict[str, str]]:
    """What the page of the experiment lists, asked as the page asks it."""
    api = f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow"
    name = {"experiment_name": "shop"}
    named = f"{api}/experiments/get-by-name"
    found = httpx.get(named, params=name, auth=ADA, timeout=30).json()
    body = {"experiment_ids": [found["experiment"]["experiment_id"]]}
    runs = httpx.post(f"{api}/runs/search", json=body, auth=ADA, timeout=30).json()["runs"]
    return [param for run in runs for param in run["data"]["params"]]


def shown_assets(port: int) -> int:
    query = {"query": "{ assetNodes { id } }"}
    return len(ask(port, query)["assetNodes"])


def ask(port: int, query: dict[str, Any]) -> Any:
    """Ask the Dagster UI as a logged-in user; where nobody has to log in, that is no difference."""
    url = f"http://127.0.0.1:{port}/graphql"
    return httpx.post(url, json=query, auth=ADA, timeout=60).json()["data"]


def test_both_interfaces_answer_and_one_interrupt_ends_all(tmp_path: Path) -> None:
    dagster, mlflow = free_port(), free_port()
    log_a_run(tmp_path)
    variables = environment(tmp_path, dagster=dagster, mlflow=mlflow)
    variables |= {"MLOPS_UI_USERS": f"{ADA[0]}:{digest(ADA[1])}"}
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen([MLOPS, "dev"], env=variables, stdout=log, stderr=log)
    try:
        wait_for(
            f"both addresses in {tmp_path / 'log'}",
            lambda: f"MLflow http://127.0.0.1:{mlflow}" in (tmp_path / "log").read_text(),
            90,
        )
        assert wait_for("the assets", lambda: shown_assets(dagster), 120) >= 6
        page = httpx.get(f"http://127.0.0.1:{mlflow}/", auth=ADA, timeout=30).text
        assert page.index("machine_learning") < page.index("<script defer"), "before MLflow's own"
        for port in (dagster, mlflow):
            assert httpx.get(f"http://127.0.0.1:{port}/", timeout=30).status_code == 401
        assert launched_by_user(dagster) == "ada"
        assert shown_params(mlflow) == [{"key": "C", "value": "7.5"}]
        assert_foreign_pages_are_refused(dagster, mlflow)
        status = httpx.get(f"http://127.0.0.1:{dagster}/status", auth=ADA, timeout=120)
        assert (status.status_code, "0 of 2 models live" in status.text) == (200, True)
        assert httpx.get(f"http://127.0.0.1:{dagster}/status", timeout=30).status_code == 401
        assert not any("sqlite" in command_of(one) for one in processes(tmp_path))

        started.send_signal(signal.SIGINT)

        assert started.wait(20) == 0
        assert not alive_with("MLOPS_HOME", str(tmp_path))
    finally:
        started.kill()
        started.wait()
        kill_all_with("MLOPS_HOME", str(tmp_path))


def assert_foreign_pages_are_refused(dagster: int, mlflow: int) -> None:
    """A mutation by GET, as an image of any page; and both servers under a foreign name."""
    image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "origin": "http://e.x"}
    query = {"query": 'mutation { reloadRepositoryLocation(repositoryLocationName: "x") { id } }'}
    url = f"http://127.0.0.1:{dagster}/graphql"
    for headers in ({}, image, {"sec-fetch-site": "same-site"}, {"host": "evil.example"}):
        answer = httpx.get(url, params=query, headers=headers, auth=ADA, timeout=30)
        assert answer.status_code in (403, 405), headers
    searched = f"http://127.0.0.1:{mlflow}/api/2.0/mlflow/experiments/search"
    for headers in ({"host": "10.evil.example"}, {"origin": f"http://127.0.0.1:{dagster}"}):
        asked = {"headers": headers, "json": {"max_results": 1}, "auth": ADA, "timeout": 30}
        assert httpx.post(searched, **asked).status_code == 403, headers


def launched_by_user(port: int) -> str:
    """The user in the tags of a run that is launched as the UI does it, as somebody else."""
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "mlops_assets",
        "jobName": "customers_rollback",
    }
    tags = [{"key": "mlops/user", "value": "eve"}]
    launch = """mutation($e: ExecutionParams!) { launchRun(executionParams: $e) {
        ... on LaunchRunSuccess { run { tags { key value } } } } }"""
    metadata = {"selector": selector, "executionMetadata": {"tags": tags}}
    launched = ask(port, {"query": launch, "variables": {"e": metadata}})["launchRun"]
    found = {tag["key"]: tag["value"] for tag in launched["run"]["tags"]}
    return found["mlops/user"]


def processes(state: Path) -> list[psutil.Process]:
    return alive_with("MLOPS_HOME", str(state))


def running(state: Path, what: str) -> psutil.Process | None:
    """The newest process of `mlops dev` whose command says so."""
    found = [one for one in processes(state) if what in command_of(one)]
    return max(found, key=lambda one: one.create_time(), default=None)


@pytest.mark.thorough  # the gate starts again what dies in tests/unit/interfaces/test_children.py
def test_what_dies_is_started_again_and_a_changed_model_is_taken_up(tmp_path: Path) -> None:
    root, state, log = tmp_path / "checkout", tmp_path / "state", tmp_path / "log"
    for name in ("mlops_assets", "resources", "jobs", "sensors"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, root)
    dagster = free_port()
    variables = environment(state, dagster=dagster, mlflow=free_port())
    variables |= {"PYTHONPATH": str(root)}
    with log.open("wb") as written:
        started = subprocess.Popen(
            [MLOPS, "dev"], cwd=root, env=variables, stdout=written, stderr=written
        )
    try:
        wait_for(f"both addresses in {log}", lambda: "MLflow http" in log.read_text(), 90)
        before = wait_for("the assets", lambda: shown_assets(dagster), 120)
        for what in ("dagster-daemon", "dagster_ui", "api grpc"):
            first = wait_for(what, lambda what=what: running(state, what), 30)
            first.kill()
            wait_for(
                f"another {what}",
                lambda what=what, first=first: running(state, what) not in (None, first),
                90,
            )
        assert "the daemon was ended by SIGKILL; starting it again" in log.read_text()

        models = root / "mlops_assets" / "defs"
        text = (models / "customers" / "defs.yaml").read_text(encoding="utf-8")
        (models / "churn").mkdir()
        churn = text.replace("name: customers", "name: churn", 1).replace("8101", "8109")
        (models / "churn" / "defs.yaml").write_text(churn, encoding="utf-8")
        wait_for("the new model", lambda: assets_if_up(dagster) > before, 120)
        said = re.compile(r"changed: churn.*; the models were read again")
        wait_for("its name", lambda: said.search(log.read_text()), 60)

        started.kill()
        wait_for("the end of all", lambda: not processes(state), 60)
    finally:
        started.kill()
        started.wait()
        kill_all_with("MLOPS_HOME", str(state))


def assets_if_up(port: int) -> int:
    """0 while the server is being started again, or has nothing yet."""
    try:
        return shown_assets(port)
    except (httpx.TransportError, ValueError, TypeError):
        return 0


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
    assert f"MLOPS_PORT_{used.upper()}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not alive_with("MLOPS_HOME", str(tmp_path))
