"""The controllers: Deployments, Jobs, autoscalers, and a stand-in for KServe's."""

import copy
import hashlib
import json
import time
import uuid
from datetime import UTC, datetime

from tests.kubernetes_api.network import Network, is_ready
from tests.kubernetes_api.objects import Object, Objects, now, owner_reference, quantity

_HASH = "pod-template-hash"


class Controllers:
    """One turn brings every object a step towards what it says."""

    def __init__(self, objects: Objects, network: Network, kserve: bool) -> None:
        self._objects, self._network, self._kserve = objects, network, kserve
        self._progress: dict[str, tuple[str, float]] = {}
        self._made: dict[tuple[str, str], Object] = {}
        self.quota: str | None = None
        """Of memory that pods of Jobs ask for; of each, here, and not of all."""

    def turn(self) -> None:
        with self._objects.lock:
            for service in self._objects.of("inferenceservices") if self._kserve else ():
                self._serve(service)
            for scaler in self._objects.of("horizontalpodautoscalers"):
                self._scale(scaler)
            for deployment in self._objects.of("deployments"):
                self._roll(deployment)
            for job in self._objects.of("jobs"):
                self._finish(job)

    def _scale(self, scaler: Object) -> None:
        """Only the bounds: nothing measures the load here."""
        spec, metadata = scaler["spec"], scaler["metadata"]
        target = self._objects.get(
            "deployments", metadata["namespace"], spec["scaleTargetRef"]["name"]
        )
        if target is not None:
            there = target["spec"]["replicas"]
            wanted = min(max(there, spec["minReplicas"]), spec["maxReplicas"])
            target["spec"]["replicas"] = wanted

    def _roll(self, deployment: Object) -> None:
        spec = deployment["spec"]
        number = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()
        pods = [
            pod
            for pod in self._objects.owned("pods", deployment)
            if "deletionTimestamp" not in pod["metadata"]
            and pod["status"].get("phase") not in ("Succeeded", "Failed")
        ]
        new = [pod for pod in pods if pod["metadata"]["labels"][_HASH] == number[:10]]
        old = [pod for pod in pods if pod["metadata"]["labels"][_HASH] != number[:10]]
        surge, away = _bounds(spec)
        if len(new) < spec["replicas"] and len(pods) < spec["replicas"] + surge:
            self._make_pod(deployment, number[:10])
        for pod in new[spec["replicas"] :]:
            _end(pod)
        ready = sum(map(is_ready, pods))
        for pod in sorted(old, key=is_ready):
            if is_ready(pod) and ready - 1 < spec["replicas"] - away:
                break
            ready -= is_ready(pod)
            _end(pod)
        self._tell(deployment, pods, new)

    def _finish(self, job: Object) -> None:
        """One pod, once: as with a `backoffLimit` of 0."""
        if any(one["status"] == "True" for one in job["status"].get("conditions", [])):
            return
        pods = list(self._objects.owned("pods", job))
        if not pods and self._exceeds(job):
            return
        if not pods and "startTime" not in job["status"]:
            self._make_pod(job, "")
            job["status"] = {"active": 1, "startTime": now()}
            return
        phases = {pod["status"].get("phase") for pod in pods}
        if "Succeeded" in phases:
            ended = [_condition("Complete", True, "")]
            job["status"] |= {"active": 0, "succeeded": 1, "conditions": ended}
        elif "Failed" in phases or not pods:
            ended = [_condition("Failed", True, "BackoffLimitExceeded")]
            job["status"] |= {"active": 0, "failed": 1, "conditions": ended}

    def _exceeds(self, job: Object) -> bool:
        """Whether a quota refuses the pod; an event says so, once."""
        resources = job["spec"]["template"]["spec"]["containers"][0].get("resources", {})
        asked = resources.get("requests", {}).get("memory", "0")
        if self.quota is None or quantity(asked) <= quantity(self.quota):
            return False
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        about = {"kind": "Job", "name": name, "namespace": namespace}
        said = f"exceeded quota: memory, requested: {asked}, limited: {self.quota}"
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": f"{name}.quota"}}
        told = {"type": "Warning", "reason": "FailedCreate", "message": said}
        if self._objects.get("events", namespace, f"{name}.quota") is None:
            self._objects.create("events", namespace, event | told | {"involvedObject": about})
        return True

    def _make_pod(self, owner: Object, number: str) -> None:
        metadata, template = owner["metadata"], copy.deepcopy(owner["spec"]["template"])
        told = {_HASH: number} if number else {"job-name": metadata["name"]}
        labels = template["metadata"].get("labels", {}) | told
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": template["metadata"]
            | {
                "name": "-".join(filter(None, (metadata["name"], number, uuid.uuid4().hex[:5]))),
                "labels": labels,
                "ownerReferences": [owner_reference(owner)],
            },
            "spec": template["spec"],
        }
        self._objects.create("pods", metadata["namespace"], pod)

    def _tell(self, deployment: Object, pods: list[Object], new: list[Object]) -> None:
        available = sum(map(is_ready, pods))
        replicas, uid = deployment["spec"]["replicas"], deployment["metadata"]["uid"]
        state = json.dumps(
            [deployment["metadata"]["generation"], len(new), sum(map(is_ready, new))]
        )
        if self._progress.get(uid, ("", 0.0))[0] != state:
            self._progress[uid] = (state, time.monotonic())
        complete = len(new) == len(pods) == replicas == available
        limit = deployment["spec"].get("progressDeadlineSeconds", 600)
        late = not complete and time.monotonic() - self._progress[uid][1] > limit
        reason = "ProgressDeadlineExceeded" if late else "ReplicaSetUpdated"
        enough = available >= replicas - _bounds(deployment["spec"])[1]
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(new),
            "readyReplicas": available,
            "availableReplicas": available,
            "conditions": [
                _condition("Progressing", not late, reason),
                _condition("Available", enough, ""),
            ],
        }

    def _serve(self, service: Object) -> None:
        """As KServe's Standard mode, by reading its source of August 2026."""
        metadata, predictor = service["metadata"], dict(service["spec"]["predictor"])
        extension = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "labels"}
        taken = {name: predictor.pop(name, None) for name in extension}
        annotations = predictor.pop("annotations", {})
        strategy = predictor.pop("deploymentStrategy", {})
        name, namespace = f"{metadata['name']}-predictor", metadata["namespace"]
        label = {"app": f"isvc.{name}"}
        labels = metadata.get("labels", {}) | (taken["labels"] or {}) | label
        meta = {"name": name, "labels": labels, "ownerReferences": [owner_reference(service)]}
        template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": predictor}
        deployment = {
            "selector": {"matchLabels": label},
            "strategy": strategy,
            "replicas": taken["minReplicas"],
            "template": template,
        }
        port = predictor["containers"][0]["ports"][0]
        ports = [{"name": port["name"], "port": 80, "targetPort": port["containerPort"]}]
        wanted = {
            "deployments": ("apps/v1", "Deployment", deployment),
            "services": ("v1", "Service", {"selector": label, "ports": ports}),
        }
        for plural, (api, kind, spec) in wanted.items():
            one = {"apiVersion": api, "kind": kind, "metadata": dict(meta), "spec": spec}
            if self._made.get((plural, metadata["uid"])) != one:
                self._made[plural, metadata["uid"]] = one
                self._objects.apply(plural, namespace, name, copy.deepcopy(one))
        self._tell_service(service, name)

    def _tell_service(self, service: Object, name: str) -> None:
        namespace = service["metadata"]["namespace"]
        made = self._objects.get("deployments", namespace, name) or {}
        network = self._objects.get("services", namespace, name)
        status = made.get("status", {})
        ready = any(
            one["type"] == "Available" and one["status"] == "True"
            for one in status.get("conditions", [])
        )
        url = self._network.address(network) if network else None
        service["status"] = {
            "observedGeneration": status.get("observedGeneration", 0),
            "conditions": [_condition("Ready", ready, "")],
            **({"url": url, "address": {"url": url}} if ready and url else {}),
        }


def _bounds(spec: Object) -> tuple[int, int]:
    """How many pods there may be beyond the wanted ones, and how many of them may be away."""
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    quarter = -(-spec["replicas"] // 4), spec["replicas"] // 4
    return rolling.get("maxSurge", quarter[0]), rolling.get("maxUnavailable", quarter[1])


def _end(pod: Object) -> None:
    pod["metadata"].setdefault("deletionTimestamp", now())


def _condition(kind: str, holds: bool, reason: str) -> Object:
    moment = datetime.now(UTC).isoformat()
    return {
        "type": kind,
        "status": str(holds),
        "reason": reason,
        "lastTransitionTime": moment,
    }
