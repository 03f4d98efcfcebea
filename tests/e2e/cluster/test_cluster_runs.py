"""A run of Dagster's through its own launcher and executor: pods on the fake cluster."""

from collections.abc import Generator

import dagster as dg
import pytest
import yaml

from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster_role import ROLE, forbidden
from tests.support.clusters import IMAGE, fake_cluster
from tests.support.dagster_internals import LaunchRunContext, ReconstructableJob, WorkerStatus
from tests.support.servers import ROOT, wait_for

pytestmark = pytest.mark.e2e
SHIPPED = ROOT / "deploy/kubernetes"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    folder = tmp_path_factory.mktemp("runs")
    with (
        fake_cluster(folder, folder / "cluster") as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLOPS_EXECUTOR", "k8s")
        for kind, plural, part in (
            ("ConfigMap", "configmaps", "data"),
            ("Secret", "secrets", "stringData"),
        ):
            name = "mlops-settings" if kind == "ConfigMap" else "mlops-secrets"
            one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
            cluster.objects.create(plural, "mlops", one | {part: {}})
        yield cluster


@pytest.fixture(scope="module")
def instance(cluster: Cluster) -> Generator[dg.DagsterInstance]:
    """The shipped launcher; but the instance is a folder, and its pods are told where it is."""
    shipped = yaml.safe_load((SHIPPED / "dagster.yaml").read_text(encoding="utf-8"))
    launcher = shipped["run_launcher"]
    kubeconfig = str(cluster.kubeconfig)
    launcher["config"] |= {
        "job_image": IMAGE,
        "load_incluster_config": False,
        "kubeconfig_file": kubeconfig,
        "dagster_home": str(cluster.folder),
        "env_vars": [f"KUBECONFIG={kubeconfig}", "MLOPS_EXECUTOR=k8s"],
        "volumes": [],
        "volume_mounts": [],
    }
    (cluster.folder / "dagster.yaml").write_text(
        yaml.safe_dump({"run_launcher": launcher, "telemetry": {"enabled": False}})
    )
    with dg.DagsterInstance.from_config(str(cluster.folder)) as instance:
        yield instance


def launch(instance: dg.DagsterInstance, *, fails: bool) -> dg.DagsterRun:
    job = ReconstructableJob.for_module("tests.support.cluster_job", "counting")
    run = instance.create_run_for_job(
        job.get_definition(),
        run_config={"ops": {"count": {"config": {"fails": fails}}}},
        job_code_origin=job.get_python_origin(),
    )
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    return run


def ended(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    def status() -> dg.DagsterRunStatus | None:
        found = instance.get_run_by_id(run.run_id)
        return found.status if found and found.is_finished else None

    return wait_for("the end of the run", status, 90)


def test_a_run_and_its_step_are_pods(instance: dg.DagsterInstance, cluster: Cluster) -> None:
    good, bad = launch(instance, fails=False), launch(instance, fails=True)

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
    for pod in cluster.pods():
        assert pod["spec"]["serviceAccountName"] == "mlops-run"
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["enableServiceLinks"] is False
        assert pod["spec"]["affinity"]["podAffinity"]
        assert pod["metadata"]["labels"]["mlops-assets/claim"] == "mlops-state"
        container = pod["spec"]["containers"][0]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}

    assert forbidden(cluster.server.asked, SHIPPED / "dagster-role.yaml", ROLE) == []


def _pod_of(cluster: Cluster, run: dg.DagsterRun, component: str) -> dict | None:
    for pod in cluster.pods():
        labels = pod["metadata"]["labels"]
        mine = labels.get("dagster/run-id") == run.run_id
        done = pod["status"]["phase"] in ("Succeeded", "Failed")
        if mine and done and labels.get("app.kubernetes.io/component") == component:
            return pod
    return None
