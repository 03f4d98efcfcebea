"""The first training of a model in a new namespace: a run as a pod, and a live endpoint."""

import os
from collections.abc import Generator
from pathlib import Path

import dagster as dg
import pytest

from resources.deployment import EndpointTargets
from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.cluster_project import tell_pods, write_project
from tests.support.cluster.clusters import acting_as, fake_cluster, shipped_instance
from tests.support.runs.dagster_internals import LaunchRunContext, ReconstructableRepository
from tests.support.servers import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cluster]:
    """Its claim holds the state; the settings are those of a trial."""
    shared = tmp_path / "state"
    shared.mkdir()
    monkeypatch.setenv("MLOPS_HOME", str(shared))
    monkeypatch.setenv("MLOPS_PROJECT", str(write_project(tmp_path)))
    monkeypatch.setenv("MLOPS_EXECUTOR", "in_process")
    settings = ("MLOPS_HOME", "MLOPS_PROJECT", "MLOPS_EXECUTOR")
    with fake_cluster(shared, tmp_path / "cluster") as cluster:
        tell_pods(cluster, **{name: os.environ[name] for name in settings})
        yield cluster


def test_the_first_training_ends_with_a_live_endpoint(cluster: Cluster, tmp_path: Path) -> None:
    home = shipped_instance(cluster)
    with (
        acting_as(cluster, "mlops-daemon"),
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        known = ReconstructableRepository.for_module("mlops_assets.definitions", "defs")
        job = known.get_reconstructable_job("loans_training")
        origin = job.get_python_origin()
        run = instance.create_run_for_job(job.get_definition(), job_code_origin=origin)
        instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        ended = wait_for("the end of the run", lambda: finished(instance, run), 280)
        failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        assert [str(one.dagster_event) for one in failures] == []
        assert ended.status == dg.DagsterRunStatus.SUCCESS

    shared = tmp_path / "state"
    (answer,) = EndpointTargets(root=str(shared / "endpoints"), shared=str(shared)).predict(
        "loans", [399]
    )
    assert 0 <= answer["prediction"] <= 1


def finished(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun | None:
    found = instance.get_run_by_id(run.run_id)
    return found if found and found.is_finished else None
