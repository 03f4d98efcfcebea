"""A step's pod that the cluster killed, as the executor of a run sees it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import chosen_executor
from resources.dagster.internals import InMemoryJob
from tests.kubernetes_api.cluster import Cluster
from tests.support.clusters import IMAGE, fake_cluster
from tests.support.dagster_internals import CheckStepHealthResult
from tests.support.servers import wait_for

STEP = "customers__trained_model"


def failed(_handler: Any, _context: Any) -> CheckStepHealthResult:
    """What dagster-k8s says of the Job of any pod that ended without a word of its step."""
    return CheckStepHealthResult.unhealthy("Discovered failed Kubernetes job.")


def hungry_pod(cluster: Cluster) -> dict[str, Any]:
    """A pod of the step that takes more memory than it may."""
    container = {
        "name": "dagster",
        "image": IMAGE,
        "command": ["python", "-c", "import time; held = b'x' * 100_000_000; time.sleep(60)"],
        "resources": {"limits": {"memory": "40Mi"}},
    }
    labels = {"dagster/run-id": "r1", "dagster/op": STEP}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step-1", "labels": labels}}
    spec = {"restartPolicy": "Never", "containers": [container]}
    return cluster.objects.create("pods", cluster.namespace, pod | {"spec": spec})


def executor_of_a_run(instance: dg.DagsterInstance, cluster: Cluster) -> Any:
    @dg.op
    def nothing() -> None: ...

    @dg.job(executor_def=chosen_executor())
    def idle() -> None:
        nothing()

    config = {
        "load_incluster_config": False,
        "kubeconfig_file": str(cluster.kubeconfig),
        "retries": {"disabled": {}},
    }
    create = idle.executor_def.executor_creation_fn
    assert create is not None
    return create(
        dg.InitExecutorContext(
            job=InMemoryJob(idle),
            executor_def=idle.executor_def,
            executor_config=config,
            instance=instance,
        )
    )


def test_a_step_that_is_killed_for_its_memory_says_so(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_EXECUTOR", "k8s")
    with fake_cluster(tmp_path, tmp_path / "cluster") as cluster:
        pod = hungry_pod(cluster)
        monkeypatch.setattr("dagster_k8s.executor.K8sStepHandler.check_step_health", failed)
        handler = executor_of_a_run(instance, cluster)._step_handler
        launcher = SimpleNamespace(job_namespace=cluster.namespace)
        step = SimpleNamespace(run_id="r1", step_keys_to_execute=[STEP])
        context = SimpleNamespace(
            instance=SimpleNamespace(run_launcher=launcher), execute_step_args=step
        )
        wait_for("its end", lambda: pod["status"].get("phase") == "Failed", 30)
        found = handler.check_step_health(context)
        cluster.server.go_away(60, drops=False)
        silent = handler.check_step_health(context)

    assert found.unhealthy_reason == (
        "Discovered failed Kubernetes job. The pod step-1 was killed for its memory (OOMKilled); "
        "raise compute.trained_model.memory in the model's YAML."
    )
    assert "Discovered failed Kubernetes job. Its pod cannot be asked why" in str(
        silent.unhealthy_reason
    )
