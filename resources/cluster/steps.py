"""Steps as pods of a cluster: one that the cluster ended says why, and what to do.

dagster-k8s says of every pod that ended without a word of its step that a Job failed. The pod knows
more: that it was killed for its memory, or evicted.
"""

from typing import Any

import dagster as dg

from mlops_assets.errors import DeploymentError
from resources.cluster.api import ClusterApi, Object
from resources.dagster.executors import changed
from resources.dagster.internals import explain_failed_steps


def explained(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """The same executor of dagster-k8s, whose failures of pods have the pod's reason."""
    return changed(executor, lambda created: explain_failed_steps(created, _why))


def _why(context: Any) -> str:
    """What the cluster says of the pods of the step; empty where it says nothing."""
    (step,) = context.execute_step_args.step_keys_to_execute or [""]
    try:
        api = ClusterApi.connect(context.instance.run_launcher.job_namespace)
        pods = api.pods({"dagster/run-id": context.execute_step_args.run_id, "dagster/op": step})
    except DeploymentError as err:
        return f"Its pod cannot be asked why: {err}"
    return " ".join(filter(None, (why_ended(pod, step) for pod in pods)))


def why_ended(pod: Object, step: str) -> str:
    """Why the pod of a step ended, with the remedy, in one sentence; empty if it does not say."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    memory = f"raise compute.{step.rpartition('__')[2]}.memory in the model's YAML"
    if status.get("reason") == "Evicted":
        return f"The pod {name} was evicted ({status.get('message', '')}); {memory}."
    for container in status.get("containerStatuses", []):
        ended = container.get("state", {}).get("terminated", {})
        if ended.get("reason") == "OOMKilled":
            return f"The pod {name} was killed for its memory (OOMKilled); {memory}."
        if ended.get("exitCode"):
            return f"The pod {name} ended with exit code {ended['exitCode']}; see its log."
    return ""
