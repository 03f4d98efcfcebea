"""The HTTPRoute by which a Gateway sends an endpoint's requests to its pods, and a share to others.

A route is only asked for here; the cluster's gateway controller, whichever it is, takes it or says
why not. What stands behind the backends is `resources.cluster.objects`.
"""

import time
from typing import NamedTuple

from mlops_assets.blocks.cluster import GatewaySettings
from mlops_assets.errors import DeploymentError
from resources.cluster.api import MANAGER, ClusterApi, Object
from resources.cluster.objects import Plan

_WHOLE = 10_000
"""Weights are whole numbers."""
_ACCEPT_SECONDS = 60.0
_PAUSE_SECONDS = 0.25
_TAKEN = ("Accepted", "ResolvedRefs")
_REMEDIES = {
    "NotAllowedByListeners": "Let the Gateway's listener admit routes of this namespace",
    "NoMatchingListenerHostname": "Mend deployment.cluster.gateway.hosts, or the listener's",
    "NoMatchingParent": "Mend deployment.cluster.gateway.listener",
}


class Backend(NamedTuple):
    """A Service, and what part of the requests it gets."""

    service: str
    port: int
    share: float = 1.0


def http_route(plan: Plan, *backends: Backend, copies: Backend | None = None) -> Object:
    """All requests to `backends` by their shares; each is copied to `copies`, whom nobody hears."""
    gateway = plan.cluster.gateway
    if gateway is None:
        raise DeploymentError("a route needs deployment.cluster.gateway")
    rule: Object = {"backendRefs": [_reference(one) for one in backends]}
    if copies is not None:
        mirror = {"backendRef": {"name": copies.service, "port": copies.port}}
        rule["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
    spec: Object = {"parentRefs": [_parent(gateway)], "rules": [rule]}
    if gateway.hosts:
        spec["hostnames"] = [*gateway.hosts]
    labels = plan.labels | {"app.kubernetes.io/managed-by": MANAGER}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": plan.name, "labels": labels},
        "spec": spec,
    }


def _reference(backend: Backend) -> Object:
    return {
        "name": backend.service,
        "port": backend.port,
        "weight": round(backend.share * _WHOLE),
    }


def _parent(gateway: GatewaySettings) -> Object:
    names = {"namespace": gateway.namespace, "sectionName": gateway.listener}
    return {"name": gateway.name} | {key: name for key, name in names.items() if name}


def wait_accepted(api: ClusterApi, name: str) -> None:
    """Wait until the gateway took the route as it now is, or raise what it says against it."""
    deadline = time.monotonic() + _ACCEPT_SECONDS
    while True:
        route = api.get("HTTPRoute", name) or {}
        said = _conditions(route)
        if all(said.get(kind, {}).get("status") == "True" for kind in _TAKEN):
            return
        refused = said.get("Accepted", {})
        # That a backend is not resolved may be a Service which it has not seen yet.
        if refused.get("status") == "False" or time.monotonic() > deadline:
            raise DeploymentError(_why(name, route, said))
        time.sleep(_PAUSE_SECONDS)


def _conditions(route: Object) -> dict[str, Object]:
    """What the gateway says of the route as it now is, by the kind of the condition."""
    generation = route.get("metadata", {}).get("generation", 0)
    return {
        one["type"]: one
        for parent in route.get("status", {}).get("parents", [])
        for one in parent.get("conditions", [])
        if one.get("observedGeneration", generation) >= generation
    }


def _why(name: str, route: Object, said: dict[str, Object]) -> str:
    parents = route.get("spec", {}).get("parentRefs", [])
    gateway = parents[0]["name"] if parents else ""
    against = [one for one in said.values() if one["status"] != "True"]
    if not against:
        return (
            f"no gateway took the route {name} within {_ACCEPT_SECONDS:g} s; is there a Gateway "
            f"{gateway!r} with a controller, in the namespace of deployment.cluster.gateway?"
        )
    reason, message = against[0].get("reason", ""), against[0].get("message", "")
    remedy = _REMEDIES.get(reason, "Mend deployment.cluster.gateway")
    return f"the gateway {gateway!r} refuses the route {name}: {reason} ({message}). {remedy}."
