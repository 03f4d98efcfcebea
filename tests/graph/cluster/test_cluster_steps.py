"""A step's pod that the cluster killed, as the executor of a run sees it."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.executor.init import InitExecutorContext
from dagster._core.executor.step_delegating import CheckStepHealthResult, StepHandler

from mlops_assets.definitions import chosen_executor
from tests.kubernetes_api.cluster import Cluster
from tests.support.clusters import IMAGE, fake_cluster
from tests.support.servers import wait_for

STEP = "customers__trained_model"


class Failed(StepHandler):
    """As dagster-k8s sees the Job of any pod that ended without a word of its step."""

    @property
    def name(self) -> str:
        return "failed"

    def launch_step(self, step_handler_context: Any) -> Iterator[dg.DagsterEvent]:
        raise NotImplementedError

    def terminate_step(self, step_handler_context: Any) -> Iterator[dg.DagsterEvent]:
        raise NotImplementedError

    def check_step_health(self, step_handler_context: Any) -> CheckStepHealthResult:
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
        InitExecutorContext(
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
        handler = executor_of_a_run(instance, cluster)._step_handler
        handler._steps = Failed()
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
