"""To ask a real API server as one of the shipped accounts, by impersonation."""

import json
import os
from typing import Any

from resources.cluster.api import ClusterApi, Object

NAMESPACE = "mlops"
_PATHS = {
    "Job": ("batch/v1", "jobs"),
    "Deployment": ("apps/v1", "deployments"),
    "InferenceService": ("serving.kserve.io/v1beta1", "inferenceservices"),
    "Pod": ("v1", "pods"),
}


class Refused(Exception):
    """With the API server's words."""


class As:
    """An account, or the owner of the cluster; it asks in dry runs, with strict validation."""

    def __init__(self, account: str | None = None) -> None:
        from kubernetes import client, config

        configuration = client.Configuration()
        config.load_kube_config(os.environ["KUBECONFIG"], client_configuration=configuration)
        self._client: Any = client.ApiClient(configuration)
        if account:
            user = f"system:serviceaccount:{NAMESPACE}:{account}"
            self._client.set_default_header("Impersonate-User", user)

    def api(self) -> ClusterApi:
        """By which the product asks."""
        return ClusterApi(self._client, NAMESPACE)

    def create(self, kind: str, wanted: Object) -> Object:
        path, body = _of(kind, wanted)
        return self._ask("POST", path, body, {"dryRun": "All"})

    def apply(self, kind: str, wanted: Object, *, keep: bool = False) -> Object:
        """Server-side; `keep` for it to be more than a dry run."""
        path, body = _of(kind, wanted)
        query = {"fieldManager": "tests", "force": "true"} | ({} if keep else {"dryRun": "All"})
        return self._ask("PATCH", f"{path}/{body['metadata']['name']}", body, query)

    def delete(self, kind: str, name: str) -> None:
        path, _ = _of(kind, {"metadata": {"name": name}})
        self._ask("DELETE", f"{path}/{name}", None, {})

    def may(self, account: str, verb: str, group: str, resource: str) -> bool:
        """Whether the Roles allow the account a request in the namespace."""
        plural, _, part = resource.partition("/")
        asked = {"namespace": NAMESPACE, "verb": verb, "group": group, "resource": plural}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{NAMESPACE}:{account}",
                "resourceAttributes": asked | {"subresource": part},
            },
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return self._ask("POST", path, review, {})["status"]["allowed"]

    def _ask(self, method: str, path: str, body: Object | None, query: dict[str, str]) -> Object:
        from kubernetes.client import ApiException

        patch = {"Content-Type": "application/apply-patch+yaml"} if method == "PATCH" else {}
        try:
            answer = self._client.call_api(
                path,
                method,
                query_params=[*({"fieldValidation": "Strict"} | query).items()] if body else [],
                header_params={"Accept": "application/json", **patch},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
            )
        except ApiException as err:
            raise Refused(json.loads(err.body)["message"]) from err
        return json.loads(answer.data)


def _of(kind: str, wanted: Object) -> tuple[str, Object]:
    version, plural = _PATHS[kind]
    path = f"/api{'s' if '/' in version else ''}/{version}/namespaces/{NAMESPACE}/{plural}"
    return path, {"apiVersion": version, "kind": kind} | wanted
