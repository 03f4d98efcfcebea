"""The first training of a model in a new namespace: a run as a pod, and a live endpoint."""

import os
from collections.abc import Generator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from resources.deployment import EndpointTargets
from tests.kubernetes_api.cluster import Cluster
from tests.support.clusters import CLAIM, IMAGE, acting_as, fake_cluster, shipped_instance
from tests.support.dagster_internals import LaunchRunContext, ReconstructableRepository
from tests.support.servers import free_port, wait_for
from tests.support.small_dagster import loans, write_loans

pytestmark = pytest.mark.e2e


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cluster]:
    """Its claim holds the state; the settings are those of a trial."""
    shared = tmp_path / "state"
    shared.mkdir()
    monkeypatch.setenv("MLOPS_HOME", str(shared))
    monkeypatch.setenv("MLOPS_PROJECT", str(project(tmp_path)))
    monkeypatch.setenv("MLOPS_EXECUTOR", "in_process")
    settings = ("MLOPS_HOME", "MLOPS_PROJECT", "MLOPS_EXECUTOR")
    with fake_cluster(shared, tmp_path / "cluster") as cluster:
        told = {"data": {name: os.environ[name] for name in settings}}
        for plural, kind, name, part in (
            ("configmaps", "ConfigMap", "mlops-settings", told),
            ("secrets", "Secret", "mlops-secrets", {"stringData": {}}),
        ):
            one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
            cluster.objects.create(plural, "mlops", one | part)
        yield cluster


def project(folder: Path) -> Path:
    """Of one model, whose pods are of the fake cluster."""
    write_loans(folder / "loans.csv", 400)
    port = free_port()
    settings = loans(folder / "loans.csv", port)
    del settings["schedule"]
    settings["deployment"] = {
        "port": port,
        "target": "kubernetes",
        "cluster": {
            "image": IMAGE,
            "claim": CLAIM,
            "replicas": {"min": 1},
            "resources": {"memory": "2Gi"},
            "url": f"http://127.0.0.1:{port}",
        },
    }
    model = {"type": "mlops_assets.components.ModelPipeline", "attributes": settings}
    file = folder / "project/defs/loans/defs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(model), encoding="utf-8")
    (folder / "project/mlops.yaml").touch()
    return folder / "project"


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
