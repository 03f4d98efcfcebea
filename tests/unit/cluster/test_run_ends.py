"""What is said of a run or a step whose pod the cluster ended, or does not start."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resources.cluster.api import ClusterApi, Object
from resources.cluster.runs.ends import was_taken, why_ended, why_failed, why_silent, why_waiting
from tests.support.cluster.cluster_role import shipped_accounts

STEP = "customers__trained_model"
PATIENCE = timedelta(seconds=60)


def pod(**status: object) -> dict:
    return {"metadata": {"name": "step-1"}, "status": status}


def ended(reason: str, code: int) -> dict:
    terminated = {"terminated": {"reason": reason, "exitCode": code}}
    return pod(containerStatuses=[{"state": terminated}])


def taken(reason: str) -> dict:
    disrupted = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "gone"}
    return pod(conditions=[disrupted])


EVICTED = pod(
    reason="Evicted", message="The node was low", conditions=taken("X")["status"]["conditions"]
)


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([ended("OOMKilled", 137)], "step-1 was killed for its memory (OOMKilled); raise compute."),
        ([EVICTED], "evicted (The node was low); raise compute."),
        ([ended("Error", 143)], "step-1 ended with exit code 143"),
        ([taken("DeletionByTaintManager")], "taken from its node (DeletionByTaintManager: gone)"),
        ([], "its node was lost, or somebody deleted it."),
    ],
)
def test_the_pod_says_why_and_what_to_do(pods: list[dict], said: str) -> None:
    assert said in why_ended(pods, STEP)


def test_the_remedy_names_what_grants_the_memory() -> None:
    killed = [ended("OOMKilled", 137)]
    assert "compute.trained_model.memory" in why_ended(killed, STEP)
    assert "run_launcher.config.resources" in why_ended(killed)


@pytest.mark.parametrize("status", [pod(), ended("Completed", 0)])
def test_a_pod_that_did_not_fail_says_nothing(status: dict) -> None:
    assert why_ended([status], STEP) == ""


def test_only_what_the_cluster_took_away_is_started_again() -> None:
    """One that used too much would do so again."""
    assert was_taken([taken("PreemptionByScheduler")])
    assert was_taken([])
    assert not was_taken([EVICTED])
    assert not was_taken([ended("OOMKilled", 137)])


def test_what_was_taken_too_often_is_to_be_run_again() -> None:
    assert why_failed([taken("PreemptionByScheduler")]).endswith("gone). Run it again.")
    assert why_failed([]).endswith("somebody deleted it. Run it again.")
    assert why_failed([EVICTED]) == why_ended([EVICTED])
    assert why_failed([pod()]) == ""


def test_a_pod_that_was_deleted_and_has_no_end_was_taken() -> None:
    """As one of a node that is gone, of which nobody hears any more."""
    deleted = {"deletionTimestamp": "2026-11-30T19:00:00Z"}
    unheard, heard = pod(containerStatuses=[{"state": {"running": {}}}]), ended("Error", 1)
    for one in (unheard, heard):
        one["metadata"] |= deleted
    assert was_taken([unheard])
    assert "it is being deleted" in why_ended([unheard])
    assert not was_taken([heard])


@pytest.mark.parametrize(("age", "silent"), [(90, True), (30, False)])
def test_a_job_that_is_done_is_waited_for_no_longer_than_its_step_needs_to_be_heard(
    age: int, silent: bool
) -> None:
    since = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    done = {"type": "Complete", "status": "True", "lastTransitionTime": since}
    assert bool(why_silent({"status": {"conditions": [done]}})) is silent
    assert why_silent({"status": {}}) == ""


class Knows(ClusterApi):
    """A cluster with so many pods of one Job, and one event."""

    def __init__(self, pods: list[dict]) -> None:
        super().__init__(None, "mlops")
        self._pods = pods

    def labelled(self, kind: str, labels: Any) -> list[Object]:
        assert labels == {"job-name": "job"}
        return self._pods

    def events(self, name: str, reason: str) -> list[str]:
        return [f"{reason}: exceeded quota"] if name == "job" else []


def job(age: int = 0) -> Object:
    since = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    return {"metadata": {"name": "job", "creationTimestamp": since}}


def waiting(reason: str) -> dict:
    state = {"waiting": {"reason": reason, "message": "as the kubelet says"}}
    return pod(containerStatuses=[{"state": state}])


@pytest.mark.parametrize(
    ("pods", "age", "said"),
    [
        ([waiting("ImagePullBackOff")], 0, "as the kubelet says); push the image, or mend MLO"),
        ([waiting("CreateContainerConfigError")], 0, "create the Secret or ConfigMap"),
        ([], 90, "makes no pod for job (FailedCreate: exceeded quota); mend"),
    ],
)
def test_a_pod_that_will_not_start_is_given_up(pods: list[dict], age: int, said: str) -> None:
    assert said in why_waiting(Knows(pods), job(age), PATIENCE)


@pytest.mark.parametrize(
    "pods",
    [[waiting("ContainerCreating")], [pod(containerStatuses=[{"state": {"running": {}}}])], []],
)
def test_what_may_still_start_is_waited_for(pods: list[dict]) -> None:
    assert why_waiting(Knows(pods), job(30), PATIENCE) == ""


@pytest.mark.parametrize("account", ["mlops-webserver", "mlops-daemon", "mlops-run"])
def test_runs_can_be_ended(account: str) -> None:
    """dagster-k8s deletes the Job, which leaves the pod, and then the pod."""
    asked = shipped_accounts()[account]
    assert {(one.verb, one.resource) for one in asked} >= {("delete", "jobs"), ("delete", "pods")}
