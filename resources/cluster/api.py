"""The Kubernetes API, as far as an endpoint needs it: apply, read, list, delete, and logs.

By plain requests over the official client's connection, which knows every way to log in: no
discovery, one form for built-in and custom kinds, and each request is one line of a Role.
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any, Self

from mlops_assets.errors import ClusterUnavailableError, DeploymentError

MANAGER = "mlops-assets"
"""Owner of the applied fields; what others add to an object, e.g. a mesh, is left alone."""
ROLE = "deploy/kubernetes/endpoints-role.yaml"

_PATHS = {
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "Service": "api/v1/namespaces/{}/services",
    "PodDisruptionBudget": "apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "HorizontalPodAutoscaler": "apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "HTTPRoute": "apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
    "InferenceService": "apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices",
    "PersistentVolumeClaim": "api/v1/namespaces/{}/persistentvolumeclaims",
    "Pod": "api/v1/namespaces/{}/pods",
    "Job": "apis/batch/v1/namespaces/{}/jobs",
    "Event": "api/v1/namespaces/{}/events",
}
_TIMEOUT_SECONDS = (5, 30)
_BUSY = (429, 500, 502, 503, 504)
_AWAY_SECONDS, _PAUSE_SECONDS = 120.0, 1.0
"""How long an API server may be away, as while its own nodes are renewed, and how often to ask."""

Object = dict[str, Any]


class ClusterApi:
    """One namespace of a cluster; what it refuses to do or to tell is a `DeploymentError`."""

    def __init__(self, client: Any, namespace: str, patience_seconds: float = 0.0) -> None:
        """Ask through the official client's `ApiClient`, again for so long while it is away."""
        self._client, self.namespace, self._patience = client, namespace, patience_seconds

    @classmethod
    def connect(cls, namespace: str) -> Self:
        """The cluster that this process runs in, else that of KUBECONFIG's current context."""
        from kubernetes import client, config  # 0.3 CPU s

        configuration = client.Configuration()
        try:
            if os.environ.get("KUBERNETES_SERVICE_HOST"):
                config.load_incluster_config(client_configuration=configuration)
            else:
                # Named, since the client looks at the variable when it is imported only.
                config.load_kube_config(
                    os.environ.get("KUBECONFIG"), client_configuration=configuration
                )
        except config.ConfigException as err:
            raise DeploymentError(
                f"no cluster to deploy to: {err}. Run where a ServiceAccount is mounted, or point "
                "KUBECONFIG to a file with a current context."
            ) from err
        return cls(client.ApiClient(configuration), namespace)

    def patient(self) -> Self:
        """The same for whoever is half-way: to give up would leave pods of which nobody knows."""
        return type(self)(self._client, self.namespace, _AWAY_SECONDS)

    def apply(self, wanted: Object) -> Object:
        """Create the object or change what differs (server-side apply); returns what it then is.

        A field that the cluster does not know is refused too.
        """
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        path = self._path(wanted["kind"], wanted["metadata"]["name"])
        body = wanted | {"metadata": wanted["metadata"] | {"namespace": self.namespace}}
        return json.loads(self._ask("PATCH", path, query, body))

    def change(self, kind: str, name: str, change: Object) -> Object | None:
        """Change these fields of an object and no others; returns what it then is, None of none."""
        content = self._ask("PATCH", self._path(kind, name), {}, change, missing=b"null")
        return json.loads(content)

    def get(self, kind: str, name: str) -> Object | None:
        """One object; None if there is none."""
        content = self._ask("GET", self._path(kind, name), missing=b"null")
        return json.loads(content)

    def labelled(self, kind: str, labels: Mapping[str, str]) -> list[Object]:
        """The objects with these labels, also those that are ending."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        content = self._ask("GET", self._path(kind), {"labelSelector": selector})
        return json.loads(content)["items"]

    def events(self, name: str, reason: str) -> list[str]:
        """What the cluster reported of an object for that reason, in its words."""
        query = {"fieldSelector": f"involvedObject.name={name},reason={reason}"}
        found = json.loads(self._ask("GET", self._path("Event"), query))["items"]
        return [one.get("message", "") for one in found]

    def log(self, pod: str, *, previous: bool, lines: int) -> str:
        """The end of a pod's log, or of the container before its last restart, if any ran yet."""
        query = {"tailLines": str(lines), "previous": str(previous).lower()}
        content = self._ask("GET", f"{self._path('Pod', pod)}/log", query, missing=b"")
        return content.decode(errors="replace")

    def delete(self, kind: str, name: str) -> None:
        """Delete an object and what belongs to it; nothing happens if there is none."""
        query = {"propagationPolicy": "Background"}
        self._ask("DELETE", self._path(kind, name), query, missing=b"")

    def _path(self, kind: str, name: str = "") -> str:
        path = f"/{_PATHS[kind].format(self.namespace)}"
        return f"{path}/{name}" if name else path

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        *,
        missing: bytes | None = None,
    ) -> bytes:
        """The answer; each request means the same when it is made twice, so it may be."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._ask_once(method, path, query or {}, body, missing)
            except ClusterUnavailableError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)

    def _ask_once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | None,
        missing: bytes | None,
    ) -> bytes:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        form = "apply-patch+yaml" if "fieldManager" in query else "merge-patch+json"
        patch = {"Content-Type": f"application/{form}"} if method == "PATCH" else {}
        try:
            answer = self._client.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params={"Accept": "*/*", **patch},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=_TIMEOUT_SECONDS,
            )
            return answer.data
        except ApiException as err:
            if err.status == 404 and missing is not None:
                return missing
            raise _refused(err, f"{method} {path}") from err
        except HTTPError as err:
            host = self._client.configuration.host
            raise ClusterUnavailableError(f"the cluster at {host} does not answer: {err}") from err


def _refused(err: Any, what: str) -> DeploymentError:
    """The cluster's answer as an error of ours, with the remedy."""
    try:
        said = json.loads(err.body)["message"]
    except (TypeError, ValueError, KeyError):
        said = str(err.reason)
    text = f"the cluster answered {err.status} to {what}: {said}"
    if err.status in _BUSY:
        return ClusterUnavailableError(text)
    remedies = {
        401: "Log in again: the token in KUBECONFIG or of the ServiceAccount is not valid.",
        403: f"Apply {ROLE}, and bind it to whom this process runs as.",
        404: "Create the namespace; for an InferenceService install KServe first, for an HTTPRoute "
        "the Gateway API.",
    }
    return DeploymentError(f"{text}. {remedies.get(err.status, '')}".rstrip())
