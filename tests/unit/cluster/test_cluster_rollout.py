"""What a pod's status means for a rollout, as real clusters report it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resources.cluster.rollout import trouble_of, trouble_of_deployment

PATIENCE = timedelta(seconds=60)


def pod(state: dict[str, Any], last: dict[str, Any] | None = None, restarts: int = 0) -> dict:
    container = {"state": state, "lastState": last or {}, "restartCount": restarts}
    return {"metadata": {"name": "toy-1"}, "status": {"containerStatuses": [container]}}


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": "as the kubelet says"}}


RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
KILLED = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
FAILED = {"terminated": {"reason": "Error", "exitCode": 1}}


@pytest.mark.parametrize(
    "status",
    [pod(RUNNING), pod(waiting("ContainerCreating")), pod(waiting("ErrImagePull")), pod(FAILED)],
)
def test_what_may_still_come_right_is_waited_for(status: dict) -> None:
    """Even one crash: the kubelet starts the process again at once."""
    assert trouble_of(status, PATIENCE) is None


@pytest.mark.parametrize(
    ("status", "message", "restarted"),
    [
        (pod(waiting("CrashLoopBackOff"), FAILED, 2), "CrashLoopBackOff of pod toy-1", False),
        (pod(waiting("CrashLoopBackOff"), KILLED, 2), r"OOMKilled .*exit code 137.*memory", False),
        (pod(RUNNING, KILLED, 1), r"OOMKilled of pod toy-1", True),
        (pod(KILLED), r"OOMKilled of pod toy-1", False),
        (pod(waiting("ImagePullBackOff")), r"as the kubelet says.*Push the image", False),
        (pod(waiting("InvalidImageName")), r"deployment\.cluster\.image", False),
    ],
)
def test_what_will_not_ends_the_wait(status: dict, message: str, restarted: bool) -> None:
    import re

    found = trouble_of(status, PATIENCE)
    assert found is not None
    assert re.search(message, str(found))
    assert found.restarted is restarted


@pytest.mark.parametrize(("waited", "refused"), [(30, False), (90, True)])
def test_a_node_may_be_on_its_way(waited: int, refused: bool) -> None:
    since = (datetime.now(UTC) - timedelta(seconds=waited)).isoformat()
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
        "lastTransitionTime": since,
    }
    status = {"metadata": {"name": "toy-1"}, "status": {"conditions": [condition]}}
    assert (trouble_of(status, PATIENCE) is not None) is refused


def deployment(condition: dict[str, str], observed: int = 2) -> dict:
    status = {"observedGeneration": observed, "conditions": [condition]}
    return {"metadata": {"generation": 2}, "status": status}


LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
QUOTA = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: compute"}


def test_what_a_deployment_says_counts_only_of_what_it_is_now() -> None:
    assert "start_timeout" in str(trouble_of_deployment(deployment(LATE)))
    assert "exceeded quota" in str(trouble_of_deployment(deployment(QUOTA)))
    assert trouble_of_deployment(deployment(LATE, observed=1)) is None
    assert trouble_of_deployment(None) is None
