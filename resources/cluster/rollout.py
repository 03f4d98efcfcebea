"""How far the pods of a generation have come, and why they will not come further.

Nobody waits for a time-out where the cluster already says what is wrong: the first pod that cannot
run ends the wait, with its reason, the remedy, and what its process said last.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops_assets.errors import DeploymentError
from resources.cluster.api import ClusterApi, Object
from resources.cluster.objects import GENERATION

_POLL_SECONDS = 0.5
_LOG_LINES = 30

_REMEDIES = {
    "CrashLoopBackOff": "Its process ends, again and again; mend what its last lines say",
    "ImagePullBackOff": "Push the image, or mend deployment.cluster.image or image_pull_secret",
    "ErrImageNeverPull": "Load the image into the nodes, or mend deployment.cluster.image",
    "InvalidImageName": "Mend deployment.cluster.image",
    "CreateContainerConfigError": "Create the Secret with the keys of deployment.cluster.secrets",
    "CreateContainerError": "The image cannot be started; is it that of deploy/docker/Dockerfile?",
    "RunContainerError": "The image cannot be started; is it that of deploy/docker/Dockerfile?",
    "OOMKilled": "It used more memory than it may; raise deployment.cluster.resources.memory",
    "Unschedulable": "No node takes it; lower deployment.cluster.resources or add a node, or raise "
    "scheduling_timeout if one is on its way",
    "Evicted": "Its node ran out of something; raise deployment.cluster.resources.memory",
    "FailedAttachVolume": "Its node is another than that of the pods that use the claim; make that "
    "one larger, or use a ReadWriteMany claim",
    "FailedMount": "Mend deployment.cluster.claim, or what the cluster says of its volume",
    "ReplicaFailure": "The cluster makes no such pod, e.g. because of a quota; mend what it says",
    "ProgressDeadlineExceeded": "Raise deployment.cluster.start_timeout, if it was on its way",
}


@dataclass(frozen=True)
class Trouble:
    """Why a rollout will not end well."""

    reason: str
    said: str
    """By the cluster."""
    pod: str | None = None
    restarted: bool = False
    """Whether the lines of interest are those of the container before."""

    def __str__(self) -> str:
        """For a person, with the remedy."""
        where = f" of pod {self.pod}" if self.pod else ""
        said = f" ({self.said})" if self.said else ""
        return f"{self.reason}{where}{said}. {_REMEDIES[self.reason]}."


def wait(
    api: ClusterApi,
    labels: Mapping[str, str],
    generation: int,
    reached: Callable[[list[Object]], bool],
    *,
    find: Callable[[], Trouble | None],
    timeout: timedelta,
    patience: timedelta,
    late: str,
) -> None:
    """Wait until the pods of a generation have `reached` what is wanted, or raise why they do not.

    What is asked so is told of all pods that run or will, of whatever generation; `find` finds
    trouble that is no pod's. A pod may wait for a node, or for the claim, as long as `patience`
    says; `late` is the remedy where nothing is wrong but the time. The error has the end of the
    log.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    while True:
        pods = [pod for pod in api.labelled("Pod", labels) if not ends(pod)]
        alive = [pod for pod in pods if not has_ended(pod)]
        if reached(alive):
            return
        new = [pod for pod in alive if serves(pod, generation)]
        found = (trouble_of(pod, patience) or unattached(api, pod, patience) for pod in new)
        if trouble := next(filter(None, found), None) or find():
            raise DeploymentError(f"{trouble}{_said_by(api, trouble)}")
        if time.monotonic() > deadline:
            ready = sum(map(is_ready, new))
            raise DeploymentError(
                f"only {ready} pods were ready within {timeout.total_seconds():g} s; {late}"
                f"{_evicted(pods, generation)}"
            )
        time.sleep(_POLL_SECONDS)


def has_ended(pod: Object) -> bool:
    """Whether it is over, as one that was evicted: it stays for a person to see, and for ever."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def ends(pod: Object) -> bool:
    """Whether it was told to end."""
    return "deletionTimestamp" in pod["metadata"]


def serves(pod: Object, generation: int) -> bool:
    """Whether the pod is of that generation."""
    return pod["metadata"].get("labels", {}).get(GENERATION) == str(generation)


def is_ready(pod: Object) -> bool:
    """Whether its Service sends it requests."""
    return (condition(pod, "Ready") or {}).get("status") == "True"


def condition(thing: Object, kind: str) -> Object | None:
    """One of an object's conditions, if it is reported."""
    conditions = thing.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == kind), None)


def trouble_of(pod: Object, patience: timedelta) -> Trouble | None:
    """Why the pod will not run; None while it may."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for container in status.get("containerStatuses", []):
        if trouble := _trouble_of_container(name, container):
            return trouble
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled["status"] == "False" and scheduled.get("reason") == "Unschedulable":
        since = datetime.fromisoformat(scheduled["lastTransitionTime"])
        if datetime.now(UTC) - since >= patience:
            return Trouble("Unschedulable", scheduled.get("message", ""), name)
    return None


def unattached(api: ClusterApi, pod: Object, patience: timedelta) -> Trouble | None:
    """What a pod waits for that has a node, but not the claim; None while that may still come."""
    scheduled = condition(pod, "PodScheduled") or {}
    waits = [one.get("state", {}) for one in pod.get("status", {}).get("containerStatuses", [])]
    creating = all(one.get("waiting", {}).get("reason") == "ContainerCreating" for one in waits)
    if scheduled.get("status") != "True" or not creating:
        return None
    if datetime.now(UTC) - datetime.fromisoformat(scheduled["lastTransitionTime"]) < patience:
        return None
    name = pod["metadata"]["name"]
    for reason in ("FailedAttachVolume", "FailedMount"):
        if said := api.events(name, reason):
            return Trouble(reason, said[-1], name)
    return None


def _evicted(pods: Sequence[Object], generation: int) -> str:
    """The sentence about pods of the generation that were evicted meanwhile; empty without."""
    gone = [pod["status"] for pod in pods if has_ended(pod) and serves(pod, generation)]
    said = [one.get("message", "") for one in gone if one.get("reason") == "Evicted"]
    return f" {len(said)} were evicted ({said[-1]}). {_REMEDIES['Evicted']}." if said else ""


def _trouble_of_container(pod: str, container: Object) -> Trouble | None:
    states = [container.get(which, {}) for which in ("state", "lastState")]
    restarted = "running" in states[0]
    for state in states:
        ended = state.get("terminated", {})
        if ended.get("reason") == "OOMKilled":
            return Trouble("OOMKilled", f"exit code {ended['exitCode']}", pod, restarted)
    waiting = states[0].get("waiting", {})
    if waiting.get("reason") in _REMEDIES:
        return Trouble(waiting["reason"], waiting.get("message", ""), pod, restarted)
    return None


def trouble_of_deployment(deployment: Object | None) -> Trouble | None:
    """What a Deployment says of itself; None while all may be well."""
    if deployment is None:
        return None
    observed = deployment.get("status", {}).get("observedGeneration", 0)
    if observed < deployment["metadata"]["generation"]:
        return None  # it speaks of what it was before
    failing = condition(deployment, "ReplicaFailure")
    if failing and failing["status"] == "True":
        return Trouble("ReplicaFailure", failing.get("message", ""))
    progress = condition(deployment, "Progressing")
    if progress and progress.get("reason") == "ProgressDeadlineExceeded":
        return Trouble("ProgressDeadlineExceeded", progress.get("message", ""))
    return None


def _said_by(api: ClusterApi, trouble: Trouble) -> str:
    """The end of the pod's log, where it has one."""
    if trouble.pod is None:
        return ""
    try:
        text = api.log(trouble.pod, previous=trouble.restarted, lines=_LOG_LINES).strip()
    except DeploymentError:  # a container that never ran has none
        return ""
    return f" Its last lines:\n{text}" if text else ""
