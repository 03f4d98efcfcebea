"""Airflow runs a model's Dagster job: a real Airflow, in its own environment, and a real Dagster.

One `dagster dev` and one Airflow process serve all tests, since each start costs many seconds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.servers import ROOT, free_port, wait_for
from tests.support.small_dagster import dagster_dev, loans, write_loans

pytestmark = pytest.mark.e2e

DEPLOY = ROOT / "deploy" / "airflow"
ENVIRONMENT = Path(sys.prefix) / "airflow"
UV = str(Path(sys.executable).parent / "uv")
RUNS = """{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"""


@dataclass(frozen=True)
class Tried:
    """What Airflow said of each DAG, and what Dagster knows."""

    url: str
    said: dict[str, dict[str, Any]]

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The Dagster runs that carry the DAG's name, with their tags."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": RUNS}, timeout=30).json()
        found = answer["data"]["runsOrError"]["results"]
        runs = [run | {"tags": {t["key"]: t["value"] for t in run["tags"]}} for run in found]
        return [run for run in runs if run["tags"].get("airflow/dag_id") == dag_id]


def install_airflow() -> Path:
    """Airflow's Python, in an environment that the next session of tests finds again."""
    python = ENVIRONMENT / "bin" / "python"
    made = [UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, ENVIRONMENT]
    lock = DEPLOY / "requirements.lock"
    run(made, dict(os.environ))
    run([UV, "pip", "sync", "--require-hashes", "--python", python, lock], dict(os.environ))
    return python


def prepare_airflow(home: Path) -> None:
    """The files where an Airflow team puts them, with its list of models, and our failing DAGs."""
    for name in ("plugins", "dags"):
        (home / name).mkdir(parents=True)
        for file in (DEPLOY / name).glob("*.py"):
            text = file.read_text(encoding="utf-8")
            text = text.replace('MODELS = ("customers", "flights")', 'MODELS = ("loans",)')
            (home / name / file.name).write_text(text, encoding="utf-8")
    tries = ROOT / "tests" / "support" / "airflow_tries.py"
    (home / "dags" / tries.name).write_text(tries.read_text(encoding="utf-8"), encoding="utf-8")


def environment(home: Path, url: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PYTHON"))}
    return inherited | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_DAGSTER_DEFAULT": url,
        "AIRFLOW_CONN_NOWHERE": "http://127.0.0.1:9",
    }


def run(command: list[str | Path], variables: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def has_loaded(url: str) -> bool:
    try:
        answer = httpx.post(f"{url}/graphql", json={"query": "{ assetNodes { id } }"}, timeout=30)
    except httpx.TransportError:
        return False
    return bool(answer.json()["data"]["assetNodes"])


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Generator[Tried]:
    folder, port = tmp_path_factory.mktemp("airflow"), free_port()
    url, source, home = f"http://127.0.0.1:{port}", folder / "loans.csv", folder / "home"
    write_loans(source, 400)
    settings = loans(source, free_port())
    settings["deployment"]["automatic"] = False
    with dagster_dev(folder, port, settings):
        python, variables = install_airflow(), environment(home, url)
        prepare_airflow(home)
        run([python, "-m", "airflow", "db", "migrate"], variables)
        wait_for("an answer of dagster dev", lambda: has_loaded(url), 90)
        output = run([python, home / "dags" / "airflow_tries.py", source], variables)
        lines = [line[4:] for line in output.splitlines() if line.startswith("TRY ")]
        yield Tried(url, {record.pop("dag"): record for record in map(json.loads, lines)})


def test_the_dags_are_read_without_an_error_or_a_warning(tried: Tried) -> None:
    assert tried.said["parsed"] == {"errors": {}, "warnings": {}}


def test_the_shipped_dag_trains_and_is_found_from_both_sides(tried: Tried) -> None:
    (launched,) = tried.runs("ml_training_pipeline")
    shipped = tried.said["shipped"]
    assert shipped["state"] == "success"
    assert shipped["link"] == f"{tried.url}/runs/{launched['runId']}"
    assert launched["status"] == "SUCCESS"
    assert launched["tags"]["airflow/run_id"] == shipped["run_id"]
    assert launched["tags"]["airflow/task_id"] == "train_loans"
    assert launched["tags"]["airflow/logical_date"] == "2026-01-02T00:00:00+00:00"
    assert "/dags/ml_training_pipeline/runs/" in launched["tags"]["airflow/url"]


def test_a_retry_goes_on_with_the_run_of_the_try_before(tried: Tried) -> None:
    assert tried.said["lost"]["tries"] == 2
    assert len(tried.runs("lost")) == 1


def test_a_failure_of_dagster_is_told_with_its_reason_and_link_and_not_tried_again(
    tried: Tried,
) -> None:
    (launched,) = tried.runs("lost")
    lost = tried.said["lost"]
    assert launched["status"] == "FAILURE"
    assert lost["exception"] == "AirflowFailException"
    assert "loans__raw_data: SourceError: source" in lost["said"]
    assert lost["said"].endswith(f"{tried.url}/runs/{launched['runId']}")


def test_a_task_that_takes_too_long_cancels_its_run(tried: Tried) -> None:
    (launched,) = tried.runs("late")
    told = f"did not end within 0:00:05. {tried.url}/runs/{launched['runId']}"
    assert told in tried.said["late"]["said"]
    assert launched["status"] == "CANCELED"


def test_killing_a_task_that_waits_cancels_its_run(tried: Tried) -> None:
    (launched,) = tried.runs("killed")
    assert tried.said["killed"] == {"run_id": launched["runId"], "status": "CANCELED"}


def test_an_unreachable_webserver_is_named_with_the_remedy(tried: Tried) -> None:
    said = tried.said["unreachable"]["said"]
    assert "no Dagster webserver answers at http://127.0.0.1:9: " in said
    assert "Start it, or correct the address" in said


def test_a_webserver_that_is_away_is_asked_ten_times_more(tried: Tried) -> None:
    away = tried.said["away"]
    assert away["asked"] == 11
    assert "no Dagster webserver answers at http://127.0.0.1:9" in away["said"]


def test_an_unknown_job_is_named_with_those_that_there_are(tried: Tried) -> None:
    said = tried.said["unknown"]["said"]
    assert "no job 'lones_training'; it has ['loans_backtest', " in said
    assert not tried.runs("unknown")
