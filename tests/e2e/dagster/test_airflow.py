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

from tests.support.runs.small_dagster import dagster_dev, loans, write_loans
from tests.support.servers import ROOT, free_port, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]  # of the fixture that all share

DEPLOY = ROOT / "deploy" / "airflow"
ENVIRONMENT = Path(sys.prefix) / "airflow"
UV = str(Path(sys.executable).parent / "uv")
MODELS = ("loans", "a__b_")  # of the second Dagster knows nothing
TASKS = ("process_data", "engineer_features", "train_model", "evaluate_model")
RUNS = """{ runsOrError { ... on Runs { results {
    runId status parentRunId tags { key value } stepStats { stepKey } } } } }"""


@dataclass(frozen=True)
class Tried:
    """What Airflow said of each DAG, and what Dagster knows."""

    url: str
    said: dict[str, dict[str, Any]]
    log: str

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The Dagster runs that carry the DAG's name, with their tags, the newest first."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": RUNS}, timeout=30).json()
        found = answer["data"]["runsOrError"]["results"]
        runs = [run | {"tags": {t["key"]: t["value"] for t in run["tags"]}} for run in found]
        return [run for run in runs if run["tags"].get("airflow/dag_id") == dag_id]

    def shipped(self, name: str) -> list[dict[str, Any]]:
        """Those of one run of the shipped DAG, the oldest first."""
        run_id = self.said[name]["run_id"]
        runs = reversed(self.runs("ml_training_pipeline"))
        return [run for run in runs if run["tags"]["airflow/run_id"] == run_id]

    def states(self, name: str, model: str = "loans") -> list[str]:
        """Of the model's tasks, in their order."""
        return [self.said[name]["states"][f"{model}.{task}"] for task in TASKS]


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
            text = text.replace('MODELS = ("customers", "flights")', f"MODELS = {MODELS}")
            (home / name / file.name).write_text(text, encoding="utf-8")
    tries = ROOT / "tests" / "support" / "cluster" / "airflow_tries.py"
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
        command, env=variables, capture_output=True, text=True, timeout=900, check=False
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
def tried(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Tried]:
    """What the chosen tests ask for: the shipped DAG, or all, which takes minutes more."""
    here = [item for item in request.session.items if item.path == request.path]
    more = ["all"] if any(item.get_closest_marker("thorough") for item in here) else []
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
        output = run([python, home / "dags" / "airflow_tries.py", source, *more], variables)
        lines = [line[4:] for line in output.splitlines() if line.startswith("TRY ")]
        said = {record.pop("dag"): record for record in map(json.loads, lines)}
        yield Tried(url, said, output)


def test_the_dags_are_read_without_an_error_or_a_warning(tried: Tried) -> None:
    assert tried.said["parsed"] == {"errors": {}, "warnings": {}}


def test_the_four_tasks_of_the_shipped_dag_follow_one_run(tried: Tried) -> None:
    launched = tried.shipped("shipped")[0]
    shipped = tried.said["shipped"]
    assert tried.states("shipped") == ["success"] * 4
    assert shipped["links"] == [f"{tried.url}/runs/{launched['runId']}"] * 4
    assert launched["status"] == "SUCCESS"
    assert launched["tags"]["airflow/task_id"] == "loans.process_data"
    assert launched["tags"]["airflow/logical_date"] == "2026-01-02T00:00:00+00:00"
    assert "/dags/ml_training_pipeline/runs/" in launched["tags"]["airflow/url"]


def test_another_model_of_the_dag_fails_by_itself(tried: Tried) -> None:
    assert tried.states("shipped", "a__b_") == ["failed", *["upstream_failed"] * 3]
    told = tried.said["shipped a__b_.process_data"]
    assert "no job 'a__b__training'" in told["said"]
    assert told["tries"] == 2


@pytest.mark.thorough
def test_clearing_runs_again_from_the_task_on_and_what_follows_follows(tried: Tried) -> None:
    whole, features_on, evaluation = tried.shipped("shipped")
    assert tried.states("cleared") == tried.states("cleared again") == ["success"] * 4
    steps = [{step["stepKey"] for step in run["stepStats"]} for run in (whole, features_on)]
    data = {step for step in steps[0] if step.startswith(("loans__raw", "loans__processed"))}
    assert len(data) == 3
    assert steps[1] == steps[0] - data
    assert features_on["parentRunId"] == whole["runId"]
    assert {step["stepKey"] for step in evaluation["stepStats"]} == {
        "loans__evaluation_report",
        "loans__evaluation_report_model_passes_the_gate",
        "loans__reference_profile",
    }


@pytest.mark.thorough
def test_each_task_logs_its_own_assets_and_checks_once(tried: Tried) -> None:
    told = {
        "Materialized value loans raw_data.": 2,  # by the whole runs of two DAG runs
        "Materialized value loans features.": 3,
        "Asset check 'no_row_was_lost' on 'loans/features' passed.": 3,
        "Asset check 'model_passes_the_gate' on 'loans/evaluation_report' passed.": 3,
    }
    assert {line: tried.log.count(line) for line in told} == told


@pytest.mark.thorough
def test_a_refused_version_fails_the_evaluation_with_the_gates_reason(tried: Tried) -> None:
    assert tried.states("refused") == ["success", "success", "success", "failed"]
    (launched,) = tried.shipped("refused")
    told = tried.said["shipped loans.evaluate_model"]
    assert told["exception"] == "AirflowFailException"
    assert told["tries"] == 1
    assert "loans__evaluation_report_model_passes_the_gate: version" in told["said"]
    assert "is refused: roc_auc 0." in told["said"]
    assert told["said"].endswith(f"{tried.url}/runs/{launched['runId']}")


@pytest.mark.thorough
def test_a_retry_goes_on_with_the_run_of_the_try_before(tried: Tried) -> None:
    assert tried.said["lost"]["tries"] == 2
    assert len(tried.runs("lost")) == 1


@pytest.mark.thorough
def test_a_failure_of_dagster_is_told_with_its_reason_and_link_and_not_tried_again(
    tried: Tried,
) -> None:
    (launched,) = tried.runs("lost")
    lost = tried.said["lost"]
    assert launched["status"] == "FAILURE"
    assert lost["exception"] == "AirflowFailException"
    assert "loans__raw_data: SourceError: source" in lost["said"]
    assert lost["said"].endswith(f"{tried.url}/runs/{launched['runId']}")


@pytest.mark.thorough
def test_a_task_that_takes_too_long_cancels_its_run(tried: Tried) -> None:
    (launched,) = tried.runs("late")
    told = f"did not end within 0:00:05. {tried.url}/runs/{launched['runId']}"
    assert told in tried.said["late"]["said"]
    assert launched["status"] == "CANCELED"


@pytest.mark.thorough
def test_killing_a_task_that_waits_cancels_its_run(tried: Tried) -> None:
    (launched,) = tried.runs("killed")
    assert tried.said["killed"] == {"run_id": launched["runId"], "status": "CANCELED"}


@pytest.mark.thorough
def test_a_run_that_is_canceled_in_dagster_is_not_tried_again(tried: Tried) -> None:
    (launched,) = tried.runs("killed")
    told = tried.said["canceled"]
    assert told["exception"] == "AirflowFailException"
    assert "loans_training: the run was canceled in Dagster; clear this task" in told["said"]
    assert told["said"].endswith(f"{tried.url}/runs/{launched['runId']}")


def test_an_unreachable_webserver_is_named_with_the_remedy(tried: Tried) -> None:
    said = tried.said["unreachable"]["said"]
    assert "no Dagster webserver answers at http://127.0.0.1:9: " in said
    assert "Start it, or correct the address" in said


@pytest.mark.thorough
def test_a_webserver_that_is_away_is_asked_ten_times_more(tried: Tried) -> None:
    away = tried.said["away"]
    assert away["asked"] == 11
    assert "no Dagster webserver answers at http://127.0.0.1:9" in away["said"]


def test_an_unknown_job_is_named_with_those_that_there_are(tried: Tried) -> None:
    said = tried.said["unknown"]["said"]
    assert "no job 'lones_training'; it has ['loans_backtest', " in said
    assert not tried.runs("unknown")
