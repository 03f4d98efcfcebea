"""A run whose own pod the cluster ends, with a real daemon: it goes on, and says why it had to."""

from collections.abc import Generator
from pathlib import Path

import dagster as dg
import pytest

from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.cluster_project import tell_pods
from tests.support.cluster.clusters import acting_as, fake_cluster, shipped_instance
from tests.support.cluster.lost_pods import ELSEWHERE, HERE, LET_GO
from tests.support.runs.small_dagster import daemon_over
from tests.support.servers import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(900)]


@pytest.fixture
def cluster(tmp_path: Path) -> Generator[Cluster]:
    with (
        fake_cluster(tmp_path, tmp_path / "cluster") as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLOPS_EXECUTOR", "k8s")
        patch.setenv("MLOPS_HOME", str(tmp_path))
        tell_pods(cluster, MLOPS_EXECUTOR="k8s", MLOPS_HOME=str(tmp_path))
        yield cluster


def waits(instance: dg.DagsterInstance, job: str) -> dg.DagsterRun | None:
    """The run of a job that is in its second step."""
    for run in instance.get_runs(dg.RunsFilter(job_name=job)):
        started = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
        if "wait" in {one.step_key for one in started}:
            return run
    return None


def own_pod(cluster: Cluster, run: dg.DagsterRun) -> str:
    (name,) = (
        pod["metadata"]["name"]
        for pod in cluster.pods()
        if pod["metadata"]["labels"]["dagster/run-id"] == run.run_id
        and pod["metadata"]["labels"]["app.kubernetes.io/component"] == "run_worker"
    )
    return name


def running(cluster: Cluster) -> list[str]:
    pods = [pod for pod in cluster.pods() if pod["status"]["phase"] == "Running"]
    return [pod["metadata"]["name"] for pod in pods]


def test_a_run_goes_on_whose_pod_the_cluster_ended(cluster: Cluster, tmp_path: Path) -> None:
    home = shipped_instance(cluster)
    with (
        acting_as(cluster, "mlops-daemon"),
        dg.DagsterInstance.from_config(str(home)) as instance,
        daemon_over(
            "tests.support.cluster.lost_pods",
            tmp_path,
            started_in=Path.cwd(),  # where the account's way to the cluster is
            DAGSTER_HOME=str(home),
        ),
    ):
        elsewhere, here = (
            wait_for(f"{job} to wait", lambda job=job: waits(instance, job), 120, every=1)
            for job in (ELSEWHERE, HERE)
        )
        cluster.evict(own_pod(cluster, elsewhere))
        cluster.drain(own_pod(cluster, here))
        (tmp_path / LET_GO).touch()
        done = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
        wait_for("two runs that succeed", lambda: instance.get_runs_count(done) == 2, 120, every=1)
        require_resumed(instance, elsewhere)
        require_retried(instance, here)
        wait_for("the end of all pods", lambda: not running(cluster), 30)


def require_resumed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Its step went on meanwhile, and nothing was done twice."""
    (found,) = instance.get_runs(dg.RunsFilter(job_name=ELSEWHERE))
    assert found.run_id == run.run_id
    assert steps(instance, run, dg.DagsterEventType.STEP_START) == ["begin", "wait", "end"]
    assert steps(instance, run, dg.DagsterEventType.STEP_SUCCESS) == ["begin", "wait", "end"]
    told = [one.dagster_event for one in instance.all_logs(run.run_id)]
    (said,) = (one.message for one in told if one and "The run lost its pod" in (one.message or ""))
    assert "was evicted (The node was low on resource" in said
    assert "run_launcher.config.resources" in said
    assert "It goes on in a new pod" in said


def require_retried(instance: dg.DagsterInstance, lost: dg.DagsterRun) -> None:
    """Another run did what this one had not done."""
    again, first = instance.get_runs(dg.RunsFilter(job_name=HERE))
    assert (first.run_id, first.status) == (lost.run_id, dg.DagsterRunStatus.FAILURE)
    assert again.parent_run_id == lost.run_id
    assert steps(instance, again, dg.DagsterEventType.STEP_START) == ["wait", "end"]
    (failure,) = instance.all_logs(lost.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    said = failure.dagster_event.message if failure.dagster_event else ""
    assert (
        "The run lost its pod. Its pod is gone: its node was lost, or somebody deleted it" in said
    )
    assert "done by another run, which starts by itself" in said


def steps(
    instance: dg.DagsterInstance, run: dg.DagsterRun, of_type: dg.DagsterEventType
) -> list[str | None]:
    return [one.step_key for one in instance.all_logs(run.run_id, of_type=of_type)]
