"""The objects of the fake cluster, and what its API server refuses."""

import copy
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import kubernetes_validate

from tests.kubernetes_api.routes import unlike_a_route

KINDS = {
    "configmaps": "ConfigMap",
    "deployments": "Deployment",
    "events": "Event",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "httproutes": "HTTPRoute",
    "inferenceservices": "InferenceService",
    "jobs": "Job",
    "networkpolicies": "NetworkPolicy",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "pods": "Pod",
    "secrets": "Secret",
    "services": "Service",
}
_PREDICTOR = {
    *("minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "timeout"),
    *("containerConcurrency", "canaryTrafficPercent", "labels", "annotations"),
}
"""Fields of KServe's ComponentExtensionSpec; all others of a predictor are a PodSpec's."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

Object = dict


class Refused(Exception):
    """Becomes a `Status` with this code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Objects:
    """Everything in the cluster; hold `lock` to change several at once."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._all: dict[tuple[str, str, str], Object] = {}
        self._version = 0

    def of(self, plural: str, namespace: str | None = None) -> list[Object]:
        """The live objects of a kind, not copies."""
        with self.lock:
            return [
                one
                for (kind, where, _), one in self._all.items()
                if kind == plural and namespace in (None, where)
            ]

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        return self._all.get((plural, namespace, name))

    def create(self, plural: str, namespace: str, wanted: Object) -> Object:
        metadata = wanted.setdefault("metadata", {})
        if "generateName" in metadata and "name" not in metadata:
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        name = metadata.get("name", "")
        wanted.setdefault("kind", KINDS[plural])
        with self.lock:
            if self.get(plural, namespace, name):
                raise Refused(409, f'{plural} "{name}" already exists')
            check(wanted)
            metadata |= {
                "namespace": namespace,
                "uid": str(uuid.uuid4()),
                "generation": 1,
                "creationTimestamp": now(),
            }
            wanted.setdefault("status", {})
            _default(wanted)
            self._all[plural, namespace, name] = wanted
            self._touch(wanted)
            return wanted

    def apply(self, plural: str, namespace: str, name: str, wanted: Object) -> Object:
        """Server-side apply, of one manager that owns the whole spec."""
        with self.lock:
            there = self.get(plural, namespace, name)
            if there is None:
                return self.create(plural, namespace, wanted)
            check(wanted)
            before = copy.deepcopy(there.get("spec"))
            _require_same_selector(there, wanted)
            for part in ("spec", "data", "stringData"):
                if part in wanted:
                    there[part] = wanted[part]
            for part in ("labels", "annotations"):
                there["metadata"][part] = wanted["metadata"].get(part, {})
            _default(there)
            if there.get("spec") != before:
                there["metadata"]["generation"] += 1
            self._touch(there)
            return there

    def remove(self, plural: str, namespace: str, name: str) -> Object | None:
        """Take it out at once; what it owns stays."""
        with self.lock:
            return self._all.pop((plural, namespace, name), None)

    def owned(self, plural: str, owner: Object) -> Iterator[Object]:
        """Objects whose owner it is."""
        for one in self.of(plural, owner["metadata"]["namespace"]):
            owners = one["metadata"].get("ownerReferences", [])
            if any(reference["uid"] == owner["metadata"]["uid"] for reference in owners):
                yield one

    def _touch(self, one: Object) -> None:
        self._version += 1
        one["metadata"]["resourceVersion"] = str(self._version)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def owner_reference(owner: Object) -> Object:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


def matches(labels: Mapping[str, str] | None, selector: Mapping[str, str]) -> bool:
    return selector.items() <= (labels or {}).items()


def quantity(text: object) -> float:
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise Refused(422, f'quantities must match the regular expression, not "{text}"')
    return float(found[1]) * _UNITS.get(found[2], 1.0)


def check(wanted: Object) -> None:
    """Refuse what a real API server refuses with `fieldValidation=Strict`."""
    name = wanted["metadata"].get("name", "")
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise Refused(422, f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 name')
    for key, value in wanted["metadata"].get("labels", {}).items():
        if not _LABEL.fullmatch(value):
            raise Refused(422, f'metadata.labels: Invalid value: "{value}" of {key}')
    if check_custom := _CUSTOM.get(wanted["kind"]):
        check_custom(wanted)
        return
    check_schema(wanted)
    if wanted["kind"] in ("Deployment", "Job"):
        template = wanted["spec"]["template"]
        selector = wanted["spec"].get("selector", {}).get("matchLabels", {})
        if not matches(template["metadata"].get("labels"), selector):
            raise Refused(422, "spec.template.metadata.labels: `selector` does not match them")
        check_pod(template["spec"])
    if wanted["kind"] == "Pod":
        check_pod(wanted["spec"])


def check_pod(spec: Object) -> None:
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    for container in spec["containers"]:
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        if len(paths) != len(set(paths)):
            raise Refused(422, f"volumeMounts: mountPath must be unique: {paths}")
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                raise Refused(422, f'volumeMounts.name: Not found: "{mount["name"]}"')
        granted = container.get("resources", {})
        limits = granted.get("limits", {})
        for part in ("requests", "limits"):
            for resource, amount in granted.get(part, {}).items():
                if quantity(amount) > quantity(limits.get(resource, amount)):
                    raise Refused(422, f"requests: must be at most the {resource} limit")


def check_schema(wanted: Object) -> None:
    try:
        kubernetes_validate.validate(wanted, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as err:
        raise Refused(422, err.message) from err


def _check_route(wanted: Object) -> None:
    if wrong := unlike_a_route(wanted["spec"]):
        raise Refused(422, wrong)


def _check_inference_service(wanted: Object) -> None:
    if unknown := set(wanted["spec"]) - {"predictor"}:
        raise Refused(400, f"strict decoding error: unknown field {sorted(unknown)}")
    predictor = wanted["spec"]["predictor"]
    pod = {k: v for k, v in predictor.items() if k not in _PREDICTOR | {"deploymentStrategy"}}
    meta = {"name": wanted["metadata"]["name"], "labels": predictor.get("labels", {})}
    spec = {
        "selector": {"matchLabels": meta["labels"]},
        "strategy": predictor.get("deploymentStrategy", {}),
        "template": {"metadata": meta, "spec": pod},
    }
    check({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec})


_CUSTOM = {"InferenceService": _check_inference_service, "HTTPRoute": _check_route}


def _require_same_selector(there: Object, wanted: Object) -> None:
    if there["kind"] != "Deployment":
        return
    if there["spec"]["selector"] != wanted["spec"]["selector"]:
        raise Refused(422, "spec.selector: Invalid value: field is immutable")


def _default(one: Object) -> None:
    if one["kind"] == "Deployment":
        one["spec"].setdefault("replicas", 1)
