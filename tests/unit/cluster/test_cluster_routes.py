"""What a Gateway is asked for, and what it means that it does not take it."""

from typing import Any

import pytest

from mlops_assets.errors import DeploymentError
from resources.cluster import routes
from resources.cluster.api import ClusterApi, Object
from resources.cluster.kinds import KINDS, KindName
from resources.cluster.routes import Backend, http_route, wait_accepted
from tests.kubernetes_api.objects import Refused, check
from tests.unit.cluster.objects.test_cluster_objects import plan

GATEWAY = {"name": "public", "namespace": "gateways", "hosts": ["ml.example.com"]}


class Said(ClusterApi):
    """A route that a gateway says this of."""

    def __init__(self, *conditions: Object, generation: int = 3) -> None:
        super().__init__(None, "mlops")
        parents = [{"conditions": [*conditions]}] if conditions else []
        spec = {"parentRefs": [{"name": "public"}]}
        metadata = {"generation": generation}
        self._route = {"metadata": metadata, "spec": spec, "status": {"parents": parents}}

    def get(self, kind: str, name: str) -> Object | None:
        return self._route


def condition(kind: str, status: str, reason: str, generation: int = 3) -> Object:
    told = {"type": kind, "status": status, "reason": reason, "message": "as it says"}
    return told | {"observedGeneration": generation}


TAKEN = condition("Accepted", "True", "Accepted")
RESOLVED = condition("ResolvedRefs", "True", "ResolvedRefs")


def test_a_share_is_a_weight_of_ten_thousand() -> None:
    known = plan(gateway=GATEWAY)
    route = http_route(known, Backend("a", 8080, 0.995), Backend("b", 8080, 0.005))
    check(route)
    (rule,) = route["spec"]["rules"]
    assert [one["weight"] for one in rule["backendRefs"]] == [9950, 50]
    assert route["spec"]["parentRefs"] == [{"name": "public", "namespace": "gateways"}]
    assert route["spec"]["hostnames"] == ["ml.example.com"]


def test_copies_are_no_share() -> None:
    route = http_route(plan(gateway=GATEWAY), Backend("a", 80), copies=Backend("b", 80))
    check(route)
    (rule,) = route["spec"]["rules"]
    assert [one["name"] for one in rule["backendRefs"]] == ["a"]
    assert rule["filters"][0]["requestMirror"]["backendRef"] == {"name": "b", "port": 80}


@pytest.mark.parametrize(
    ("target", "service", "port"),
    [("kubernetes", "a-model", 8080), ("kserve", "a-model-predictor", 80)],
)
def test_a_version_that_serves_has_a_way_in(target: KindName, service: str, port: int) -> None:
    found = {one["kind"]: one for one in KINDS[target].objects(plan(gateway=GATEWAY))}
    (backend,) = found["HTTPRoute"]["spec"]["rules"][0]["backendRefs"]
    assert backend == {"name": service, "port": port, "weight": 10_000}
    assert "HTTPRoute" not in {one["kind"] for one in KINDS[target].objects(plan())}


def test_what_is_accepted_as_it_now_is_is_taken() -> None:
    wait_accepted(Said(TAKEN, RESOLVED), "toy")


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (
            [condition("Accepted", "False", "NotAllowedByListeners"), RESOLVED],
            r"NotAllowedByListeners \(as it says\)\. Let the Gateway's listener admit",
        ),
        ([TAKEN, condition("ResolvedRefs", "False", "BackendNotFound")], "BackendNotFound"),
        ([], "no gateway took the route toy.*is there a Gateway 'public'"),
        ([condition("Accepted", "True", "Accepted", 2)], "no gateway took"),
    ],
)
def test_what_is_not_is_said(
    conditions: list[Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what was accepted as it was before, and is not yet looked at."""
    monkeypatch.setattr(routes, "_ACCEPT_SECONDS", 0.0)
    with pytest.raises(DeploymentError, match=message):
        wait_accepted(Said(*conditions), "toy")


@pytest.mark.parametrize(
    ("where", "more", "said"),
    [
        ("spec", {"hostnamez": []}, "unknown field spec.hostnamez"),
        ("backend", {"weight": 0.5}, "Invalid value: 0.5"),
        ("backend", {"weight": 1_000_001}, "Invalid value: 1000001"),
        ("backend", {"wait": 1}, "unknown field backendRefs.wait"),
    ],
)
def test_the_check_itself_refuses(where: str, more: dict[str, Any], said: str) -> None:
    route = http_route(plan(gateway=GATEWAY), Backend("a", 80))
    spec = route["spec"]
    (spec if where == "spec" else spec["rules"][0]["backendRefs"][0]).update(more)
    with pytest.raises(Refused, match=said):
        check(route)
