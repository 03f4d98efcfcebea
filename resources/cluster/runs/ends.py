"""Why the pod of a run or of a step ended, was taken away, or does not start; with the remedy.

Dagster says of each of these that a Job failed, or nothing at all. Pods of endpoints are read by
`resources.cluster.rollout`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from resources.cluster.api import ClusterApi, Object
from resources.cluster.rollout import Trouble, condition, trouble_of, unattached

_JOB = "job-name"
"""Label of a Job's pods."""
_IMAGE = "push the image, or mend MLOPS_IMAGE in the settings"
_SILENT = timedelta(minutes=1)
_WAITING = {
    "ErrImagePull": _IMAGE,
    "ImagePullBackOff": _IMAGE,
    "ErrImageNeverPull": "load the image into the nodes, or mend MLOPS_IMAGE in the settings",
    "InvalidImageName": "mend MLOPS_IMAGE in the settings",
    "CreateContainerConfigError": "create the Secret or ConfigMap that it names",
    "CreateContainerError": "is the image that of deploy/docker/Dockerfile?",
    "RunContainerError": "is the image that of deploy/docker/Dockerfile?",
    "Unschedulable": "ask for less by `compute`, or add a node",
    "FailedAttachVolume": "make the node that has the claim larger, or use a ReadWriteMany claim",
    "FailedMount": "mend the claim, or what the cluster says of its volume",
}


def memory_of(step: str) -> str:
    """What to do for more memory of a step, or of the pod of a run where `step` is empty."""
    if step:
        return f"raise compute.{step.rpartition('__')[2]}.memory in the model's YAML"
    return "raise the memory of run_launcher.config.resources in the cluster's dagster.yaml"


def why_ended(pods: Sequence[Object], step: str = "") -> str:
    """Why the pods of a failed Job ended, a sentence each; empty if they do not say."""
    if not pods:
        return "Its pod is gone: its node was lost, or somebody deleted it."
    return " ".join(filter(None, (_why(pod, memory_of(step)) for pod in pods)))


def why_failed(pods: Sequence[Object], step: str = "") -> str:
    """The same, of what nobody starts again by itself any more."""
    again = "Run it again." if was_taken(pods) else ""
    return f"{why_ended(pods, step)} {again}".strip()


def _why(pod: Object, memory: str) -> str:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if status.get("reason") == "Evicted":
        return f"The pod {name} was evicted ({status.get('message', '')}); {memory}."
    if taken := _taken(pod):
        return f"The pod {name} was taken from its node ({taken})."
    for container in status.get("containerStatuses", []):
        ended = container.get("state", {}).get("terminated", {})
        if ended.get("reason") == "OOMKilled":
            return f"The pod {name} was killed for its memory (OOMKilled); {memory}."
        if ended.get("exitCode"):
            return f"The pod {name} ended with exit code {ended['exitCode']}; see its log."
    return ""


def was_taken(pods: Sequence[Object]) -> bool:
    """Whether the cluster ended a pod for reasons of its own: a spot node, a drain, a lost node."""
    return not pods or any(_taken(pod) for pod in pods)


def _taken(pod: Object) -> str:
    """What the cluster says of it; empty of one that ended by itself, or used too much."""
    status = pod.get("status", {})
    if status.get("reason") == "Evicted":
        return ""
    found = condition(pod, "DisruptionTarget")
    if found and found["status"] == "True":
        return f"{found['reason']}: {found.get('message', '')}"
    ended = any("terminated" in one.get("state", {}) for one in status.get("containerStatuses", []))
    return "it is being deleted" if "deletionTimestamp" in pod["metadata"] and not ended else ""


def why_silent(job: Object) -> str:
    """Why a Job that succeeded some time ago has not: nobody heard how its step ended."""
    done = condition(job, "Complete")
    if done is None or done["status"] != "True":
        return ""
    since = datetime.now(UTC) - datetime.fromisoformat(done["lastTransitionTime"])
    said = "Its pod ended without a word: the step was started before, and its end is not known."
    return said if since > _SILENT else ""


def pods_of(api: ClusterApi, job: str) -> list[Object]:
    """The pods of a Job that are still known."""
    return api.labelled("Pod", {_JOB: job})


def why_waiting(api: ClusterApi, job: Object, patience: timedelta) -> str:
    """Why the pod of a Job will not start; empty while it may.

    For a node, a claim or a quota it may wait as long as `patience` says.
    """
    pods = pods_of(api, job["metadata"]["name"])
    for pod in pods:
        found = _unpulled(pod) or trouble_of(pod, patience) or unattached(api, pod, patience)
        if found and found.reason in _WAITING:
            return (
                f"{found.reason} of the pod {found.pod} ({found.said}); {_WAITING[found.reason]}."
            )
    return "" if pods else _refused(api, job, patience)


def _unpulled(pod: Object) -> Trouble | None:
    """What a pod is in by turns whose image is not there."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") == "ErrImagePull":
            return Trouble("ErrImagePull", waiting.get("message", ""), pod["metadata"]["name"])
    return None


def _refused(api: ClusterApi, job: Object, patience: timedelta) -> str:
    """What the cluster says of a Job for which it makes no pod, as beyond a quota."""
    name, since = job["metadata"]["name"], job["metadata"]["creationTimestamp"]
    if datetime.now(UTC) - datetime.fromisoformat(since) < patience:
        return ""
    said = api.events(name, "FailedCreate")
    return f"The cluster makes no pod for {name} ({said[-1]}); mend what it says." if said else ""
