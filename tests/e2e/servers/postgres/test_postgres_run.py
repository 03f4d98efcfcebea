"""A whole run on one Postgres, by one variable: and the server away for half a minute meanwhile."""

import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.runs.small_checkout import MODEL, Checkout
from tests.support.servers import alive_with, free_port, wait_for
from tests.support.services.postgres_server import PASSWORD, QUOTED, PostgresServer

# In the gate test_several_machines.py runs on a Postgres too; the ledger, the registry and MLflow
# each wait for one that is away.
pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(900)]

AWAY_SECONDS = float(os.environ.get("POSTGRES_AWAY", "30"))
MOMENTS = os.environ.get("POSTGRES_MOMENTS", "trained_model").split(",")
"""Stages in whose step the server goes away; by hand any others."""


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, shared: str) -> Generator[Checkout]:
    """One model of a first run, nothing of which is in a file of sqlite."""
    made = Checkout.at(tmp_path_factory.mktemp("servers") / "project", free_port())
    run(made, shared)
    yield made
    made.start("mlops", "stop", **told(shared)).wait()


def told(shared: str) -> dict[str, str]:
    return {"MLOPS_DATABASE": shared, "DAGSTER_HOME": ""}


def run(checkout: Checkout, shared: str) -> None:
    assert checkout.start("mlops", "run", MODEL, **told(shared)).wait() == 0, log_of(checkout)


def log_of(checkout: Checkout) -> str:
    return (checkout.folder / "log").read_text(encoding="utf-8")[-5000:]


def values(postgres: PostgresServer, shared: str, query: str) -> list[object]:
    return [row[0] for row in postgres.execute(query, shared)]


CHAMPIONS = "SELECT to_version FROM mlops.promotions ORDER BY sequence"
VERSIONS = "SELECT version FROM mlflow.model_versions ORDER BY version"
ENDS = "SELECT status FROM dagster.runs ORDER BY id"
MLFLOW_ENDS = "SELECT status FROM mlflow.runs"


def test_a_run_leaves_everything_in_the_one_database(
    postgres: PostgresServer, checkout: Checkout, shared: str
) -> None:
    assert values(postgres, shared, CHAMPIONS) == [1]
    assert values(postgres, shared, VERSIONS) == [1]
    assert set(values(postgres, shared, ENDS)) == {"SUCCESS"}
    assert set(values(postgres, shared, MLFLOW_ENDS)) == {"FINISHED"}
    files = {path.name for path in checkout.home.rglob("*.db")}
    assert not files & {"mlflow.db", "ledger.db", "decisions.db", "runs.db", "schedules.db"}


def test_no_secret_is_in_a_log_a_file_a_command_line_or_an_event(
    postgres: PostgresServer, checkout: Checkout, shared: str
) -> None:
    secrets = (PASSWORD, QUOTED)
    files = [path for path in checkout.folder.rglob("*") if path.is_file()]
    for path in [*files, postgres.folder / "log"]:
        content = path.read_bytes()
        assert not any(word.encode() in content for word in secrets), path
    events = "\n".join(map(str, values(postgres, shared, "SELECT event FROM dagster.event_logs")))
    runs = "\n".join(map(str, values(postgres, shared, "SELECT run_body FROM dagster.runs")))
    params = "\n".join(map(str, values(postgres, shared, "SELECT value FROM mlflow.tags")))
    assert not any(word in events + runs + params for word in secrets)
    for process in alive_with("MLOPS_ENDPOINT", str(checkout.home / "endpoints" / MODEL)):
        assert not any(word in " ".join(process.cmdline()) for word in secrets)


@pytest.mark.parametrize("stage", MOMENTS)
def test_half_a_minute_without_the_server_loses_and_doubles_nothing(
    postgres: PostgresServer, checkout: Checkout, shared: str, stage: str
) -> None:
    champions, versions = values(postgres, shared, CHAMPIONS), values(postgres, shared, VERSIONS)
    checkout.new_data()
    runs = len(values(postgres, shared, ENDS))
    process = checkout.start("mlops", "run", MODEL, **told(shared))
    started = (
        "SELECT 1 FROM dagster.event_logs e JOIN dagster.runs r ON r.run_id = e.run_id "
        f"WHERE e.dagster_event_type = 'STEP_START' AND e.step_key LIKE '%{stage}%' "
        f"AND r.id > (SELECT COALESCE(MAX(id), 0) FROM (SELECT id FROM dagster.runs ORDER BY id "
        f"LIMIT {runs}) AS before)"
    )
    wait_for(stage, lambda: values(postgres, shared, started), 120, every=0.05)
    postgres.kill()
    time.sleep(AWAY_SECONDS)
    postgres.start()
    if process.wait(300):
        run(checkout, shared)  # it has failed; the same command goes on from there
    assert values(postgres, shared, CHAMPIONS) == [*champions, len(champions) + 1]
    assert values(postgres, shared, VERSIONS) == [*versions, len(versions) + 1]
    assert set(values(postgres, shared, ENDS)) <= {"SUCCESS", "FAILURE"}
    assert "RUNNING" not in values(postgres, shared, MLFLOW_ENDS)


def test_a_run_without_the_server_ends_with_one_sentence(
    checkout: Checkout, tmp_path: Path
) -> None:
    port = free_port()
    nowhere = f"postgresql://ada:{QUOTED}@127.0.0.1:{port}/shop"
    before = len(log_of(checkout))
    assert checkout.start("mlops", "run", MODEL, **told(nowhere)).wait(120) == 1
    said = (checkout.folder / "log").read_text(encoding="utf-8").splitlines()[-1]
    assert before
    assert said.startswith(
        "DatabaseUnavailableError: the runs of Dagster in postgresql://127.0.0.1"
    )
    assert said.endswith("start the server, or correct the address in MLOPS_DATABASE")
