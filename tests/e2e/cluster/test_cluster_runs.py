"""A run of Dagster's through its own launcher and executor: pods on the fake cluster."""

import json
import logging
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pytest

from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.cluster_project import tell_pods
from tests.support.cluster.cluster_role import shipped_roles
from tests.support.cluster.clusters import acting_as, fake_cluster, shipped_instance
from tests.support.runs.dagster_internals import (
    LaunchRunContext,
    ReconstructableJob,
    WorkerStatus,
    monitor_started_run,
)
from tests.support.servers import wait_for

pytestmark = pytest.mark.e2e

GONE = {"dagster-k8s/config": json.dumps({"container_config": {"image": "mlops:gone"}})}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    folder = tmp_path_factory.mktemp("runs")
    with (
        fake_cluster(folder, folder / "cluster") as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLOPS_EXECUTOR", "k8s")
        cluster.controllers.quota = "16Gi"
        tell_pods(cluster)
        yield cluster


@pytest.fixture(scope="module")
def home(cluster: Cluster) -> Path:
    return shipped_instance(cluster, MLOPS_EXECUTOR="k8s")


@pytest.fixture
def instance(cluster: Cluster, home: Path) -> Generator[dg.DagsterInstance]:
    """As the daemon has it."""
    with (
        acting_as(cluster, "mlops-daemon"),
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        yield instance


def launch(
    instance: dg.DagsterInstance, name: str, *, tags: dict[str, str] | None = None, **ops: Any
) -> dg.DagsterRun:
    job = ReconstructableJob.for_module("tests.support.cluster.cluster_job", name)
    run = instance.create_run_for_job(
        job.get_definition(),
        run_config={"ops": {op: {"config": config} for op, config in ops.items()}},
        job_code_origin=job.get_python_origin(),
        tags=tags,
    )
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    return run


def ended(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    def status() -> dg.DagsterRunStatus | None:
        found = instance.get_run_by_id(run.run_id)
        return found.status if found and found.is_finished else None

    return wait_for("the end of the run", status, 90)


def test_a_run_and_its_step_are_pods(instance: dg.DagsterInstance, cluster: Cluster) -> None:
    good = launch(instance, "counting", count={"fails": False})
    bad = launch(instance, "counting", count={"fails": True})

    assert ended(instance, good) == dg.DagsterRunStatus.SUCCESS
    assert ended(instance, bad) == dg.DagsterRunStatus.FAILURE

    jobs = cluster.objects.of("jobs")
    steps = [one for one in jobs if "step" in one["metadata"]["name"]]
    assert (len(jobs), len(steps)) == (4, 2)
    for run, phase in ((good, "Succeeded"), (bad, "Failed")):
        worker = wait_for(
            "the worker's end", lambda run=run: _pod_of(cluster, run, "run_worker"), 20
        )
        assert worker["status"]["phase"] == phase
        health = instance.run_launcher.check_run_worker_health(run)
        assert (health.status == WorkerStatus.FAILED) == (phase == "Failed")
        assert instance.run_launcher.get_run_worker_debug_info(run) is not None
    for pod in cluster.pods():
        assert pod["spec"]["serviceAccountName"] == "mlops-run"
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["enableServiceLinks"] is False
        assert pod["spec"]["affinity"]["podAffinity"]
        assert pod["metadata"]["labels"]["mlops-assets/claim"] == "mlops-state"
        container = pod["spec"]["containers"][0]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def _pod_of(cluster: Cluster, run: dg.DagsterRun, component: str) -> dict | None:
    for pod in cluster.pods():
        labels = pod["metadata"]["labels"]
        mine = labels.get("dagster/run-id") == run.run_id
        done = pod["status"]["phase"] in ("Succeeded", "Failed")
        if mine and done and labels.get("app.kubernetes.io/component") == component:
            return pod
    return None


def test_the_checks_of_an_asset_run_in_its_pod(
    instance: dg.DagsterInstance, cluster: Cluster
) -> None:
    run = launch(instance, "making")
    wait_for("its first step", lambda: _starts(instance, run), 60)
    cluster.server.go_away(5.0, drops=True)  # while the next one is to be started

    assert ended(instance, run) == dg.DagsterRunStatus.SUCCESS

    steps = {job["metadata"]["labels"].get("dagster/op") for job in _jobs_of(cluster, run)}
    assert steps == {None, "made", "used"}  # None: the run's own
    done = [one.step_key for one in instance.all_logs(run.run_id) if _is_success(one)]
    assert sorted(done) == ["made", "made_made_is_one", "made_made_is_two", "used"]
    assert done.index("used") > done.index("made_made_is_one")  # which blocks


def test_a_run_that_is_ended_ends_its_step_and_leaves_no_pod(
    instance: dg.DagsterInstance, cluster: Cluster, tmp_path: Path
) -> None:
    note = tmp_path / "ended"
    run = launch(instance, "sleeping", sleep={"ended": str(note)})
    wait_for("its step", lambda: _starts(instance, run), 60)

    with (
        acting_as(cluster, "mlops-webserver"),
        dg.DagsterInstance.from_config(str(cluster.folder)) as webservers,
    ):
        assert webservers.run_launcher.terminate(run.run_id)

    assert ended(instance, run) == dg.DagsterRunStatus.CANCELED
    wait_for("the end of its pods", lambda: not _pods_of(cluster, run), 30)
    assert note.read_text(encoding="utf-8") == "DagsterExecutionInterruptedError"
    assert _jobs_of(cluster, run) == []


def test_a_run_that_gets_no_new_pod_says_why_and_leaves_none(
    instance: dg.DagsterInstance, cluster: Cluster, tmp_path: Path
) -> None:
    note = tmp_path / "ended"
    run = launch(instance, "sleeping", sleep={"ended": str(note)})
    wait_for("its step", lambda: _starts(instance, run), 60)
    cluster.server.go_away(1.0, drops=True)
    watch(instance, run)
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.STARTED

    instance.add_run_tags(run.run_id, GONE)
    (worker,) = [pod for pod in _pods_of(cluster, run) if "step" not in pod["metadata"]["name"]]
    cluster.evict(worker["metadata"]["name"])
    wait_for("the end of its Job", lambda: _ended_jobs(cluster, run), 20)
    wait_for("the API server", lambda: time.monotonic() > cluster.server.starts_until, 10)
    for _ in range(instance.run_monitoring_max_resume_run_attempts):
        watch(instance, run)
        assert not note.exists(), "its step goes on"
        wait_for("its image", lambda: "ImagePullBackOff" in str(_pods_of(cluster, run)), 20)
    watch(instance, run)

    assert ended(instance, run) == dg.DagsterRunStatus.FAILURE
    (failure,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert "surpassed the configured maximum attempts to resume the run: 3" in failure.message
    assert "push the image, or mend MLOPS_IMAGE" in failure.message
    wait_for("the end of its step", lambda: note.exists() and len(_pods_of(cluster, run)) == 1, 30)


def test_steps_whose_pods_end_or_never_start_say_why(
    instance: dg.DagsterInstance, cluster: Cluster, tmp_path: Path
) -> None:
    note, told = tmp_path / "ended", tmp_path / "told"
    run = launch(instance, "suffering", sleep={"ended": str(note)}, doze={"ended": str(told)})
    wait_for("steps that run", lambda: {"sleep", "doze"} <= _started(instance, run), 60)
    note.touch()
    names = {_step(one): one["metadata"]["name"] for one in _pods_of(cluster, run)}
    cluster.take(names["sleep"])
    cluster.drain(names["doze"])

    assert ended(instance, run) == dg.DagsterRunStatus.FAILURE

    said = {one.step_key: str(one.dagster_event) for one in _failures(instance, run)}
    assert told.read_text(encoding="utf-8") == "DagsterExecutionInterruptedError"
    assert set(said) == {"hunger", "vanish", "exceed", "stop", "doze"}
    assert "exit code 1; see its log" in said["stop"], "nobody interrupted it but itself"
    assert "makes no pod for dagster-step" in said["exceed"]
    assert "exceeded quota: memory" in said["exceed"]
    assert "killed for its memory (OOMKilled); raise compute.hunger.memory" in said["hunger"]
    assert "push the image, or mend MLOPS_IMAGE" in said["vanish"]
    retries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY)
    again = {one.step_key: str(one.dagster_event) for one in retries}
    assert set(again) == {"sleep", "doze"}
    assert "taken from its node (DeletionByTaintManager" in again["sleep"]
    assert "Its pod is gone" in again["doze"]
    done = {one.step_key for one in instance.all_logs(run.run_id) if _is_success(one)}
    assert done == {"sleep", "doze"}
    left = {"vanish", "exceed"}
    wait_for("their end", lambda: left.isdisjoint(map(_step, _jobs_of(cluster, run))), 10)
    wait_for("its pod's", lambda: "vanish" not in map(_step, _pods_of(cluster, run)), 10)


def test_a_run_whose_pod_never_starts_says_why_and_leaves_no_job(
    instance: dg.DagsterInstance, cluster: Cluster
) -> None:
    run = launch(instance, "sleeping", tags=GONE, sleep={"ended": ""})
    wait_for("its image", lambda: "ImagePullBackOff" in str(_pods_of(cluster, run)), 20)
    said = instance.run_launcher.get_run_worker_debug_info(run)
    assert said is not None
    assert "push the image, or mend MLOPS_IMAGE" in said.splitlines()[0]
    wait_for("its end", lambda: not _pods_of(cluster, run) + _jobs_of(cluster, run), 10)


def test_a_run_whose_tags_ask_for_somebody_elses_secret_is_not_started(
    instance: dg.DagsterInstance, cluster: Cluster
) -> None:
    from dagster_k8s.client import DagsterK8sUnrecoverableAPIError

    theirs = {"container_config": {"env_from": [{"secret_ref": {"name": "theirs"}}]}}
    tags = {"dagster-k8s/config": json.dumps(theirs)}
    with pytest.raises(DagsterK8sUnrecoverableAPIError) as caught:
        launch(instance, "sleeping", tags=tags, sleep={"ended": ""})
    assert "mlops-daemon is not given the Secret theirs; add it to" in str(caught.value.__cause__)


def test_a_run_that_is_ended_before_it_starts_leaves_nothing(
    instance: dg.DagsterInstance, cluster: Cluster
) -> None:
    """As the daemon ends one that takes too long; and what was deleted by hand is no error."""
    run = launch(instance, "sleeping", tags=GONE, sleep={"ended": ""})
    wait_for("its pod", lambda: _pods_of(cluster, run), 20)
    assert instance.run_launcher.terminate(run.run_id)
    wait_for("its end", lambda: not _pods_of(cluster, run) + _jobs_of(cluster, run), 10)
    assert instance.run_launcher.get_run_worker_debug_info(run) is not None


def _failures(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.EventLogEntry]:
    return list(instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE))


def _step(pod: dict[str, Any]) -> str | None:
    return pod["metadata"]["labels"].get("dagster/op")


def test_each_account_asks_for_what_its_role_allows_and_for_nothing_else(cluster: Cluster) -> None:
    """What is not allowed was refused above; here, that nothing is allowed in vain."""
    roles, asked = shipped_roles(), cluster.server.asked_by
    for account in ("mlops-webserver", "mlops-daemon", "mlops-run"):
        assert asked[account] == roles[account], account


def watch(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """As the daemon does, in its own time."""
    record = instance.get_run_record_by_id(run.run_id)
    assert record is not None
    monitor_started_run(instance, cast("Any", None), record, logging.getLogger("test"))


def _ended_jobs(cluster: Cluster, run: dg.DagsterRun) -> list[dict[str, Any]]:
    return [job for job in _jobs_of(cluster, run) if job["status"].get("failed")]


def _starts(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
    return bool(logs)


def _started(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[str | None]:
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
    return {one.step_key for one in logs}


def _is_success(entry: dg.EventLogEntry) -> bool:
    return entry.dagster_event is not None and entry.dagster_event.is_step_success


def _jobs_of(cluster: Cluster, run: dg.DagsterRun) -> list[dict[str, Any]]:
    jobs = cluster.objects.of("jobs")
    return [job for job in jobs if job["metadata"]["labels"].get("dagster/run-id") == run.run_id]


def _pods_of(cluster: Cluster, run: dg.DagsterRun) -> list[dict[str, Any]]:
    return [
        pod
        for pod in cluster.pods()
        if pod["metadata"]["labels"].get("dagster/run-id") == run.run_id
    ]
