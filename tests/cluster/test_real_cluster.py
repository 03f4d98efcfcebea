"""What only a real cluster shows, in the order in which somebody would meet it.

`KUBECONFIG=... pytest -m cluster tests/cluster`, with the image `mlops:latest` in its nodes; for
kind, see CONTRIBUTING.md. What a fake shows as well is in `tests/e2e/cluster`.
"""

import json
import time

import pytest

from tests.cluster.conftest import Runs, found, in_namespace, wait_until_available
from tests.unit.cluster.objects.test_cluster_admission import making

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]


def predicted(model: str, *entities: str) -> str:
    return in_namespace("exec", "deployment/mlops-code", "--", "mlops", "predict", model, *entities)


def test_the_first_training_ends_with_a_live_endpoint(runs: Runs) -> None:
    assert runs.ended(runs.launch("customers_training")) == "SUCCESS"
    assert predicted("customers", "1", "2")


def test_pods_that_start_after_its_service_are_as_good(runs: Runs) -> None:
    """A Service `customers` is there now, of which a pod may hear by its environment."""
    in_namespace("rollout", "restart", "deployment/mlops-code", "deployment/mlops-daemon")
    in_namespace("rollout", "restart", "deployment/mlops-webserver")
    wait_until_available()
    in_namespace("rollout", "status", "deployment/mlops-code", "--timeout=600s", seconds=600)
    heard = in_namespace("exec", "deployment/mlops-code", "--", "env")
    assert "CUSTOMERS_PORT" not in heard
    assert runs.ended(runs.launch("customers_training")) == "SUCCESS"


def test_a_second_model_beside_the_first(runs: Runs) -> None:
    assert runs.ended(runs.launch("flights_training")) == "SUCCESS"
    assert predicted("customers", "1")


def test_a_run_that_is_ended_leaves_no_pod_and_the_endpoint_as_it_was(runs: Runs) -> None:
    before = in_namespace("exec", "deployment/mlops-code", "--", "mlops", "history", "customers")
    run = runs.launch("customers_training")
    while runs.status(run) != "STARTED":
        time.sleep(5)
    runs.terminate(run)
    assert runs.ended(run, 120) == "CANCELED"
    deadline = time.monotonic() + 30
    while found("pods", f"dagster/run-id={run}"):
        assert time.monotonic() < deadline, "its pods are there after 30 s"
        time.sleep(2)
    after = in_namespace("exec", "deployment/mlops-code", "--", "mlops", "history", "customers")
    assert after == before
    assert predicted("customers", "1")


def test_a_run_whose_own_pod_is_lost_is_finished_by_another(runs: Runs) -> None:
    """In the trial a run is one pod."""
    run = runs.launch("customers_training")
    while not runs.has_begun(run):
        time.sleep(2)
    before = runs.ids()
    (pod,) = found("pods", f"dagster/run-id={run}")
    in_namespace("delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")
    assert runs.ended(run, 300) == "FAILURE"
    deadline = time.monotonic() + 120
    while not runs.ids() - before:
        assert time.monotonic() < deadline, "no run starts by itself"
        time.sleep(5)
    (another,) = runs.ids() - before
    assert runs.ended(another) == "SUCCESS"
    assert predicted("customers", "1")


def test_a_pod_that_is_deleted_loses_no_model(runs: Runs) -> None:
    name = "app.kubernetes.io/name=customers"
    (first, *_) = found("pods", name)
    in_namespace("delete", "pod", first["metadata"]["name"], "--wait=false")
    for _ in range(20):
        assert predicted("customers", "1")


def test_nobody_may_do_more_than_the_roles_say(runs: Runs) -> None:
    def may(account: str, verb: str, resource: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:mlops:mlops-{account}",
                "resourceAttributes": {
                    "namespace": "mlops",
                    "verb": verb,
                    "resource": resource,
                    "group": "batch" if resource == "jobs" else "",
                },
            },
        }
        ask = ("create", "--filename", "-", "--output", "json")
        return json.loads(in_namespace(*ask, given=json.dumps(review)))["status"]["allowed"]

    assert may("daemon", "create", "jobs")
    assert not may("webserver", "create", "jobs")
    assert not may("code", "list", "pods")
    for account in ("code", "webserver", "daemon", "run"):
        assert not may(account, "get", "secrets")


def test_no_secret_is_mounted_that_the_account_is_not_given(runs: Runs) -> None:
    def ask(**pod: object) -> None:
        job = {"apiVersion": "batch/v1", "kind": "Job"} | making("Job", **pod)
        create = ("create", "--dry-run=server", "--filename", "-")
        daemon = "--as=system:serviceaccount:mlops:mlops-daemon"
        in_namespace(*create, daemon, given=json.dumps(job))

    ask(serviceAccountName="mlops-run")
    with pytest.raises(AssertionError, match="mlops-daemon is not given the Secret theirs; add it"):
        ask(imagePullSecrets=[{"name": "theirs"}])
    with pytest.raises(AssertionError, match="cannot run as mlops-daemon"):
        ask(serviceAccountName="mlops-daemon")
