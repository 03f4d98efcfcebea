"""The runs of `tracked_runs` by executor and ending, and what MLflow must say of each."""

import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from tests.support.runs.tracked_runs import BAD_PARTITION, EXPERIMENT, build_tracking
from tests.support.servers import ROOT

EXECUTORS = ("in_process", "forkserver")
KILLED_PROCESS = {("in_process", "kill_of_the_step"), ("in_process", "kill_of_the_process")} | {
    ("forkserver", "kill_of_the_process")
}
"""Nobody was left to close these at once."""


@dataclass(frozen=True)
class Expected:
    """Of each MLflow run of one job."""

    dagster: str
    status: str
    assets: str
    metrics: dict[str, float]


ONE_RUN = {
    "success": Expected("SUCCESS", "FINISHED", "model", {"model": 1.0}),
    "asset_failure": Expected("FAILURE", "FAILED", "raising", {"raising": 1.0}),
    "check_failure": Expected("FAILURE", "FAILED", "model", {"model": 1.0}),
    "retry_then_success": Expected("SUCCESS", "FINISHED", "retried", {"retried": 1.0}),
    "kill_of_the_step": Expected("FAILURE", "FAILED", "killing", {"killing": 1.0}),
    "kill_of_the_process": Expected("FAILURE", "FAILED", "killing_all", {"killing_all": 1.0}),
    "cancel": Expected("CANCELED", "KILLED", "slow", {"slow": 1.0}),
    "parallel_steps": Expected("SUCCESS", "FINISHED", "left, right", {"left": 1.0, "right": 1.0}),
}


def expected_of(job: str, partition: str | None = None) -> Expected:
    """Of a run of one of `ONE_RUN`, or of one partition of the backfill."""
    if partition is None:
        return ONE_RUN[job]
    ended = ("FAILURE", "FAILED") if partition == BAD_PARTITION else ("SUCCESS", "FINISHED")
    return Expected(*ended, "daily", {"daily": float(partition)})


@dataclass(frozen=True)
class Ended:
    """A Dagster run, when it ended, and the MLflow runs that carry its id."""

    dagster: dg.DagsterRun
    end_time: float
    mlflow: list[Any]

    @property
    def partition(self) -> str | None:
        return self.dagster.tags.get("dagster/partition")


Table = dict[tuple[str, str], list[Ended]]


def make_table(home: Path, through: str = "ours", id_tag: str = "dagster/run_id") -> Table:
    """Make all runs of both columns, at the same time in one store, and read what is left."""
    from mlflow import MlflowClient

    tracking = build_tracking(home)
    tracking.registry.version_by_alias("nothing", "champion")  # creates the store
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}", encoding="utf-8")
    # Processes that race to create Dagster's tables break each other's.
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        assert not instance.get_runs()
    environment = {"TRACKED_HOME": home, "DAGSTER_HOME": home / "dagster", "PYTHONPATH": ROOT}
    _make_runs({name: str(value) for name, value in environment.items()}, through)
    client = MlflowClient(tracking.tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    logged = defaultdict(list)
    if experiment is not None:
        for run in client.search_runs([experiment.experiment_id], max_results=1000):
            logged[run.data.tags[id_tag]].append(run)
    found: Table = defaultdict(list)
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        for record in instance.get_run_records():
            run = record.dagster_run
            ended = Ended(run, record.end_time or 0.0, logged[run.run_id])
            found[run.tags["executor"], run.job_name].append(ended)
    return found


def _make_runs(environment: dict[str, str], through: str) -> None:
    driver = [sys.executable, "-W", "ignore", "-m", "tests.support.runs.tracked_runs"]
    drivers = [
        subprocess.Popen(
            [*driver, executor],
            cwd=ROOT,
            env=os.environ | environment | {"TRACKED_WITH": through},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for executor in EXECUTORS
    ]
    for process in drivers:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
