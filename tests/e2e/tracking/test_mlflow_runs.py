"""What MLflow says of a Dagster run, for every way in which one can end, by each executor."""

import pytest

from tests.support.runs.tracked_runs import PARTITIONS
from tests.support.runs.tracked_table import (
    EXECUTORS,
    KILLED_PROCESS,
    ONE_RUN,
    Ended,
    Table,
    expected_of,
    make_table,
)

pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return make_table(tmp_path_factory.mktemp("tracked"))


def check(run: Ended, *, at_once: bool) -> None:
    (logged,) = run.mlflow
    expected = expected_of(run.dagster.job_name, run.partition)
    assert run.dagster.status.value == expected.dagster
    assert (logged.info.status, logged.data.metrics) == (expected.status, expected.metrics)
    assert logged.data.tags["dagster/asset_key"] == expected.assets
    assert logged.data.tags.get("dagster/partition") == run.partition
    assert logged.data.tags["mlops/process"] == run.dagster.tags["mlops/process"], "not a step's"
    url = f"http://127.0.0.1:3000/runs/{run.dagster.run_id}"
    assert logged.data.tags["dagster/run_url"] == url
    if at_once:  # not only when the next run looked
        assert logged.info.end_time / 1000 <= run.end_time


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("job", ONE_RUN)
def test_one_mlflow_run_ends_as_the_dagster_run_did(table: Table, executor: str, job: str) -> None:
    (run,) = table[executor, job]
    check(run, at_once=(executor, job) not in KILLED_PROCESS)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_backfill_of_ten_partitions_is_ten_runs(table: Table, executor: str) -> None:
    runs = table[executor, "backfill"]
    assert sorted(str(run.partition) for run in runs) == PARTITIONS
    for run in runs:
        check(run, at_once=True)
