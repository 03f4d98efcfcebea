"""What the API server alone decides: the policy, the Roles, what is valid, server-side apply.

No node is needed: `KUBECONFIG=... pytest -m cluster tests/cluster/test_real_api.py`. The cases are
those of the unit tests, which ask the fake. KServe and the Gateway API are tried where they are.
"""

import copy
import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from mlops_assets.errors import DeploymentError
from resources.cluster.api import ClusterApi, Object
from resources.cluster.kinds import KINDS
from resources.cluster.objects import kserve_objects, kubernetes_objects
from resources.cluster.routes import Backend, http_route
from tests.cluster.accounts import As, Refused
from tests.cluster.conftest import in_namespace, kubectl
from tests.support.cluster.cluster_role import shipped_accounts, shipped_admission
from tests.unit.cluster.objects.test_cluster_admission import PAIRS, SHIPPED, WAYS, given, making
from tests.unit.cluster.objects.test_cluster_objects import plan

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600), pytest.mark.usefixtures("applied")]

FOREIGN = [
    *(("get", "secrets"), ("list", "secrets"), ("update", "configmaps"), ("patch", "configmaps")),
    *(("create", "pods"), ("create", "pods/exec"), ("create", "serviceaccounts/token")),
]
"""What no account may do, whatever else a Role gains."""


def known(kind: str) -> None:
    """Skip what the cluster has no API for."""
    if kind == "InferenceService" and "serving.kserve.io/v1beta1" not in kubectl("api-versions"):
        pytest.skip("the cluster has no KServe")


@contextmanager
def listed(wanted: Object) -> Generator[None]:
    """With another list of Secrets."""
    try:
        kubectl("apply", "--filename", "-", given=json.dumps(wanted))
        yield
    finally:
        kubectl("apply", "--filename", "-", given=json.dumps(SHIPPED))


def soon(ask: Callable[[], object], *, refused: str = "") -> None:
    """A policy that was changed is asked a moment later."""
    deadline = time.monotonic() + 10
    while True:
        try:
            ask()
            said = ""
        except Refused as err:
            said = str(err)
        if refused in said and bool(refused) == bool(said):
            return
        assert time.monotonic() < deadline, said or "still admitted"
        time.sleep(0.2)


@pytest.mark.parametrize(("account", "kind"), PAIRS)
def test_what_is_given_may_be_mounted(account: str, kind: str) -> None:
    known(kind)
    As(account).create(kind, making(kind))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("account", "kind"), PAIRS)
def test_another_secret_is_refused_in_each_way(account: str, kind: str, way: str) -> None:
    known(kind)
    by = f"{account} is not given the Secret theirs; add it to"
    if "ephemeral" in way:  # by the schema, before any policy is asked
        by = "ephemeral"
    with pytest.raises(Refused, match=by):
        As(account).create(kind, making(kind, **WAYS[way]))


@pytest.mark.parametrize(("account", "kind"), PAIRS)
def test_an_addition_to_the_list_is_heard(account: str, kind: str) -> None:
    known(kind)
    wanted = making(kind, **WAYS["variable"])
    with listed(given(**{account.replace("-", "_"): "theirs mlops-secrets"})):
        soon(lambda: As(account).create(kind, wanted))
    soon(lambda: As(account).create(kind, wanted), refused="not given the Secret theirs")


def test_a_policy_that_is_made_again_is_asked_as_before() -> None:
    """As by whoever installs all of it twice; a list in a ConfigMap was not read any more then."""
    for one in reversed(shipped_admission()):
        kubectl("delete", one["kind"].lower(), one["metadata"]["name"])
    wanted = making("Job", **WAYS["variable"])
    soon(lambda: As("mlops-run").create("Job", wanted))
    for one in shipped_admission():
        kubectl("apply", "--filename", "-", given=json.dumps(one))
    soon(lambda: As("mlops-run").create("Job", wanted), refused="not given the Secret theirs")
    As("mlops-run").create("Job", making("Job"))


@pytest.mark.parametrize("field", ["serviceAccountName", "serviceAccount"])
@pytest.mark.parametrize(("account", "kind"), PAIRS)
def test_pods_run_as_nobody_else(account: str, kind: str, field: str) -> None:
    known(kind)
    with pytest.raises(Refused, match="cannot run as default"):
        As(account).create(kind, making(kind, **{field: "default"}))
    if kind == "Job":
        As(account).create(kind, making(kind, **{field: "mlops-run"}))
    else:
        with pytest.raises(Refused, match="cannot run as mlops-run"):
            As(account).create(kind, making(kind, **{field: "mlops-run"}))


@pytest.mark.parametrize("field", ["model", "workerSpec", "logger"])
def test_kserve_makes_no_containers_of_its_own_for_us(field: str) -> None:
    known("InferenceService")
    parts = {"model": {"modelFormat": {"name": "onnx"}}, "workerSpec": {}, "logger": {}}
    with pytest.raises(Refused, match=f"cannot have {field}, which mounts"):
        As("mlops-run").create(
            "InferenceService", making("InferenceService", **{field: parts[field]})
        )


@pytest.mark.parametrize("kind", ["Deployment", "InferenceService"])
def test_a_change_is_looked_at_as_well(kind: str) -> None:
    known(kind)
    theirs, owner = making(kind), As()
    if kind == "Deployment":
        theirs["spec"]["replicas"] = 0
    owner.apply(kind, theirs, keep=True)
    try:
        changed = copy.deepcopy(theirs)
        changed["spec"] |= making(kind, **WAYS["variables"])["spec"]
        with pytest.raises(Refused, match="not given the Secret theirs"):
            As("mlops-run").apply(kind, changed)
        owner.apply(kind, changed)
    finally:
        owner.delete(kind, "a")


@pytest.mark.parametrize("kind", ["Job", "Deployment", "InferenceService"])
def test_others_are_not_touched(kind: str) -> None:
    known(kind)
    As().create(kind, making(kind, serviceAccountName="theirs", **WAYS["volume"]))


@pytest.mark.parametrize("account", sorted(shipped_accounts()))
def test_an_account_may_what_its_roles_say_and_nothing_more(account: str) -> None:
    """Of each request that any account makes, and of what nobody may."""
    roles = shipped_accounts()
    everything = {one for may in roles.values() for one in may}
    asked = {
        one: As().may(account, one.verb, one.group, one.resource) for one in sorted(everything)
    }
    assert {one for one, may in asked.items() if may} == roles[account]
    for verb, resource in FOREIGN:
        assert not As().may(account, verb, "", resource), (verb, resource)


@pytest.fixture
def api() -> Generator[ClusterApi]:
    """As a run asks; what it made is deleted."""
    api = As("mlops-run").api()
    yield api
    for kind in ("HorizontalPodAutoscaler", "Deployment", "Service", "PodDisruptionBudget"):
        api.delete(kind, "a-model")
    api.delete("NetworkPolicy", "a-model")


UNNAMED: dict[str, Any] = {"secrets": {}, "image_pull_secret": None}
"""Which nobody is given."""


def test_an_endpoint_is_applied_twice_and_changes_once(api: ClusterApi) -> None:
    wanted = kubernetes_objects(plan(**UNNAMED))
    first = [api.apply(one) for one in wanted]
    again = [api.apply(one) for one in wanted]
    kinds = [one["kind"] for one in first]
    assert "HorizontalPodAutoscaler" in kinds
    for kind, one, other in zip(kinds, first, again, strict=True):
        assert one["metadata"].get("generation") == other["metadata"].get("generation"), kind


def test_what_others_add_stays_and_what_is_left_out_goes(api: ClusterApi) -> None:
    for one in kubernetes_objects(plan(**UNNAMED)):
        api.apply(one)
    in_namespace("annotate", "deployment", "a-model", "mesh.example/injected=true")
    for one in kubernetes_objects(plan(**UNNAMED, node_selector={})):
        api.apply(one)
    found = api.get("Deployment", "a-model")
    assert found is not None
    assert found["metadata"]["annotations"]["mesh.example/injected"] == "true"
    assert "nodeSelector" not in found["spec"]["template"]["spec"]


def test_the_autoscalers_number_of_pods_is_taken_over_and_given_back(api: ClusterApi) -> None:
    def apply() -> int:
        for one in kubernetes_objects(plan(**UNNAMED)):
            KINDS["kubernetes"].apply(api, one, 2)
        found = api.get("Deployment", "a-model")
        return found["spec"]["replicas"] if found else 0

    assert apply() == 2
    in_namespace("scale", "deployment", "a-model", "--replicas=4")
    assert apply() == 4
    in_namespace("scale", "deployment", "a-model", "--replicas=3")
    assert apply() == 3


def test_what_is_not_valid_is_refused_with_the_reason(api: ClusterApi) -> None:
    def deployment() -> Object:
        made = kubernetes_objects(plan(**UNNAMED))
        return next(one for one in made if one["kind"] == "Deployment")

    unknown = deployment()
    unknown["spec"]["replicaz"] = 2
    with pytest.raises(DeploymentError, match="replicaz"):
        api.apply(unknown)
    with pytest.raises(DeploymentError, match="not given the Secret re"):
        api.apply(next(one for one in kubernetes_objects(plan()) if one["kind"] == "Deployment"))
    with pytest.raises(DeploymentError, match=r"answered 403 .* Apply deploy/kubernetes"):
        As("mlops-webserver").api().apply(deployment())
    assert api.get("Deployment", "a-model") is None


def test_kserves_objects_are_valid_by_its_schema() -> None:
    known("InferenceService")
    for one in kserve_objects(plan(**UNNAMED)):
        if one["kind"] == "InferenceService":
            As("mlops-run").create("InferenceService", one)


def test_a_route_is_valid_by_the_gateways_schema() -> None:
    if "gateway.networking.k8s.io/v1" not in kubectl("api-versions"):
        pytest.skip("the cluster has no Gateway API")
    known_to = plan(gateway={"name": "public", "namespace": "gateways", "hosts": ["a.example"]})
    shares = (Backend("a-model", 8080, 0.95), Backend("a-model--c", 8080, 0.05))
    api = As("mlops-run").api()
    try:
        api.apply(http_route(known_to, *shares))
        api.apply(http_route(known_to, shares[0], copies=shares[1]))
    finally:
        api.delete("HTTPRoute", "a-model")


def test_every_pod_passes_the_restricted_profile() -> None:
    """Those of Dagster's processes, as shipped, and of an endpoint."""
    found = json.loads(in_namespace("get", "deployments", "--output", "json"))["items"]
    made = [one for one in kubernetes_objects(plan(**UNNAMED)) if one["kind"] == "Deployment"]
    assert len(found) >= 4
    for template in (one["spec"]["template"] for one in [*found, *made]):
        metadata = {"name": "a", "labels": template["metadata"]["labels"]}
        As().create("Pod", {"metadata": metadata, "spec": template["spec"]})
    bare = {"containers": [{"name": "a", "image": "a"}]}
    with pytest.raises(Refused, match='violates PodSecurity "restricted'):
        As().create("Pod", {"metadata": {"name": "a"}, "spec": bare})
