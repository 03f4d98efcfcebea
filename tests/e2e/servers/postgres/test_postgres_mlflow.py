"""MLflow's store in a schema of the one Postgres: made once, and an outage is no failed run."""

import logging
import multiprocessing
import threading
from pathlib import Path

import pytest

from mlops_assets.errors import TrackingError, TrackingUnavailableError
from resources.tracking.tracking import MLflowTracking
from tests.support.servers import free_port
from tests.support.services.postgres_server import PASSWORD, QUOTED, PostgresServer

pytestmark = pytest.mark.e2e


def tracked(database: str, folder: Path) -> MLflowTracking:
    return MLflowTracking(tracking_uri="unused", database=database, artifacts=str(folder))


def log(database: str, folder: str, value: float = 1.0) -> str:
    """One run with a metric and a file; its id."""
    with tracked(database, Path(folder)).store.connected() as mlflow:
        client = mlflow.MlflowClient()
        store = tracked(database, Path(folder)).store
        run = client.create_run(store.experiment(client, "loans")).info
        client.log_metric(run.run_id, "auc", value)
        client.log_text(run.run_id, "kept", "said.txt")
        return run.run_id


def test_processes_that_come_first_at_once_all_succeed(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        runs = pool.starmap(log, [(database, str(tmp_path))] * 3)
    with tracked(database, tmp_path).store.connected() as mlflow:
        assert {mlflow.get_run(run).data.metrics["auc"] for run in runs} == {1.0}
        assert mlflow.artifacts.load_text(f"{mlflow.get_run(runs[0]).info.artifact_uri}/said.txt")
    names = "SELECT name FROM mlflow.experiments WHERE name = 'loans'"
    assert postgres.execute(names, database) == [("loans",)]
    public = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgres.execute(public, database) == [(0,)], "Dagster has tables of the same names"


def test_an_outage_in_the_middle_loses_and_doubles_nothing(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    log(database, str(tmp_path), 1.0)
    postgres.kill()
    back = threading.Timer(3, postgres.start)
    back.start()
    log(database, str(tmp_path), 2.0)
    back.join()
    metrics = postgres.execute("SELECT value FROM mlflow.metrics ORDER BY 1", database)
    assert metrics == [(1.0,), (2.0,)]


def test_a_store_that_is_not_there_is_one_sentence_without_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    said = rf"127\.0\.0\.1:{port}/shop cannot be asked: .*; start the server"
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(TrackingUnavailableError, match=said) as caught,
    ):
        log(f"postgresql://ada:{QUOTED}@127.0.0.1:{port}/shop", str(tmp_path))
    assert len(str(caught.value).splitlines()) == 1
    for word in (PASSWORD, QUOTED):
        assert word not in f"{caught.value} {caught.value.__cause__} {caplog.text}"


def test_a_wrong_password_is_permanent(database: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="password authentication failed") as caught:
        log(database.replace(QUOTED, "guess"), str(tmp_path))
    assert not isinstance(caught.value, TrackingUnavailableError)
