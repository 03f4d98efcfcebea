"""How runs in the tracking store end, and what leads from them to Dagster and back."""

import os
import socket
import subprocess
import sys
from typing import Any

import dagster as dg
import psutil
import pytest

from mlops_assets.config import ModelSettings
from resources.tracking.outcome import MLFLOW, PROCESS, is_gone, settle, status_of, this_process
from sensors.mlflow_runs import build_mlflow_runs_sensor
from tests.support.fakes.tracking import FakeTracking
from tests.support.runs.pipeline_runs import STAGES, failure, materialize, metadata

NOT_STARTED, MANAGED, STARTING = (
    dg.DagsterRunStatus[name] for name in ("NOT_STARTED", "MANAGED", "STARTING")
)
_EARLIER_PROCESS = f"{socket.gethostname()}/{os.getpid()}@0"


@dg.job
def nothing() -> None: ...


def left_open(
    instance: dg.DagsterInstance,
    tracking: FakeTracking,
    process: str,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> str:
    """Id of a Dagster run with an open MLflow run."""
    tags = {PROCESS: process, MLFLOW: "open"}
    run = instance.create_run_for_job(nothing, status=status, tags=tags)
    with tracking.run("loans", {"dagster/run_id": run.run_id, PROCESS: process}):
        pass
    return run.run_id


def said(tracking: FakeTracking) -> list[str]:
    return [run["status"] for run in tracking.server.runs.values()]


def test_a_run_ends_with_the_dagster_run_and_leads_to_it(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    result = materialize(settings, resources, instance)

    (run,) = resources["tracking"].server.runs.values()
    assert run["status"] == "FINISHED"
    assert run["tags"]["dagster/run_url"] == f"http://127.0.0.1:3000/runs/{result.run_id}"
    assert run["tags"]["dagster/asset_key"] == "loans/trained_model"
    assert metadata(result, "loans", "trained_model")["mlflow_version"].endswith(
        ":5000/#/1?workflowType=machine_learning)"
    )
    stored = instance.get_run_by_id(result.run_id)
    assert stored is not None
    assert stored.tags[MLFLOW] == "FINISHED"


def test_a_refused_model_has_failed_in_mlflow_too(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["evaluation"]["gate"]["limits"]["roc_auc"]["min"] = 0.999
    materialize(ModelSettings.model_validate(loans), resources, instance)
    assert said(resources["tracking"]) == ["FAILED"]


def test_the_comparison_is_logged_with_the_metrics(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(settings, resources, instance)
    materialize(settings, resources, instance, STAGES[3:])
    first, second = (run["metrics"] for run in resources["tracking"].server.runs.values())
    assert "champion_loss" not in first
    assert second["champion_loss_difference"] == 0
    assert 0 <= second["champion_p_value"] <= 1


def test_a_server_that_is_down_is_named_before_anything_is_computed(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    resources["tracking"] = FakeTracking(tracking_uri="http://127.0.0.1:9", artifacts="unused")
    result = materialize(settings, resources, instance)
    (event,) = result.filter_events(lambda e: e.is_step_failure)
    assert event.step_key == "loans__raw_data"
    assert "127.0.0.1:9" in (event.step_failure_data.error_display_string or failure(result))


@pytest.mark.parametrize(
    ("status", "ended", "logged"),
    [
        (NOT_STARTED, dg.DagsterRunStatus.FAILURE, "FAILED"),
        (MANAGED, dg.DagsterRunStatus.FAILURE, "FAILED"),
        (STARTING, dg.DagsterRunStatus.FAILURE, "FAILED"),
        (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE, "FAILED"),
        (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED, "KILLED"),
        (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.SUCCESS, "FINISHED"),
    ],
)
def test_the_sensor_ends_what_a_killed_process_left(
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    ended: dg.DagsterRunStatus,
    logged: str,
) -> None:
    tracking = resources["tracking"]
    run_id = left_open(instance, tracking, _EARLIER_PROCESS, status)
    sensor = build_mlflow_runs_sensor()

    for expected in (f"closed {run_id[:8]} {logged}", "no MLflow run was left open"):
        using = {"tracking": tracking}
        with dg.build_sensor_context(instance=instance, resources=using) as context:
            answer = sensor(context)
        assert isinstance(answer, dg.SkipReason)
        assert answer.skip_message == expected

    stored = instance.get_run_by_id(run_id)
    assert stored is not None
    assert stored.status == ended
    assert said(tracking) == [logged]


def test_a_run_canceled_after_mlflow_was_told_of_its_end_is_corrected(
    resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    tracking, canceled = resources["tracking"], dg.DagsterRunStatus.CANCELED
    run_id = left_open(instance, tracking, this_process(), canceled)
    tracking.runs.close(run_id, "FINISHED")
    instance.add_run_tags(run_id, {MLFLOW: "FINISHED"})
    assert settle(instance, tracking.runs) == {run_id: "KILLED"}
    assert said(tracking) == ["KILLED"]
    assert settle(instance, tracking.runs) == {}


@pytest.mark.parametrize("process", [this_process(), "elsewhere/1@0"], ids=["here", "elsewhere"])
def test_a_run_that_may_be_alive_stays_open(
    resources: dict[str, Any], instance: dg.DagsterInstance, process: str
) -> None:
    run_id = left_open(instance, resources["tracking"], process)
    assert settle(instance, resources["tracking"].runs) == {}
    stored = instance.get_run_by_id(run_id)
    assert stored is not None
    assert stored.status == dg.DagsterRunStatus.STARTED
    assert said(resources["tracking"]) == ["RUNNING"]


@pytest.mark.parametrize("status", [NOT_STARTED, MANAGED, STARTING])
def test_a_run_that_waits_is_left_to_whoever_starts_it(
    resources: dict[str, Any], instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    """Also where its tags are copied of a run that is dead, as for one that is tried again."""
    of_a_dead_run = {PROCESS: f"{_EARLIER_PROCESS}#another", MLFLOW: "FINISHED"}
    for tags in ({}, of_a_dead_run):
        instance.create_run_for_job(nothing, status=status, tags=tags)

    sensor = build_mlflow_runs_sensor()
    with dg.build_sensor_context(
        instance=instance, resources={"tracking": resources["tracking"]}
    ) as context:
        sensor(context)

    assert [run.status for run in instance.get_runs()] == [status] * 2


def test_a_run_that_was_killed_before_it_logged_anything_is_named(
    resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    tags = {PROCESS: _EARLIER_PROCESS}
    run = instance.create_run_for_job(nothing, status=NOT_STARTED, tags=tags)
    sensor = build_mlflow_runs_sensor()
    with dg.build_sensor_context(
        instance=instance, resources={"tracking": resources["tracking"]}
    ) as context:
        answer = sensor(context)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == f"ended {run.run_id[:8]}"
    (failed,) = instance.all_logs(run.run_id, dg.DagsterEventType.RUN_FAILURE)
    assert failed.message.startswith("its process was killed; the run was NOT_STARTED")


def test_a_run_that_was_killed_is_called_so_before_anybody_tells_dagster(
    instance: dg.DagsterInstance,
) -> None:
    started = dg.DagsterRunStatus.STARTED
    for tags, said in (
        ({PROCESS: _EARLIER_PROCESS}, "KILLED"),
        ({PROCESS: this_process()}, "STARTED"),
        ({PROCESS: "elsewhere/1@0"}, "STARTED"),
        ({}, "STARTED"),
    ):
        run = instance.create_run_for_job(nothing, status=started, tags=tags)
        assert status_of(run) == said
    over = instance.create_run_for_job(
        nothing, status=dg.DagsterRunStatus.SUCCESS, tags={PROCESS: _EARLIER_PROCESS}
    )
    assert status_of(over) == "SUCCESS"


def test_the_next_run_closes_what_others_left(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    tracking = resources["tracking"]
    left_open(instance, tracking, _EARLIER_PROCESS)
    unknown = {"dagster/run_id": "deleted", PROCESS: _EARLIER_PROCESS}
    of_another_machine = {"dagster/run_id": "theirs", PROCESS: "elsewhere/1@0"}
    for tags in (unknown, of_another_machine):
        with tracking.run("loans", tags):
            pass
    materialize(settings, resources, instance)
    assert said(tracking) == ["FAILED", "KILLED", "RUNNING", "FINISHED"]


def test_a_process_is_known_by_its_start() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    name = f"{socket.gethostname()}/{process.pid}@{started:.0f}"
    assert not is_gone(name)
    assert is_gone(f"{socket.gethostname()}/{process.pid}@{started - 3600:.0f}")
    process.kill()
    process.communicate()
    assert is_gone(name)
    assert not is_gone("")
