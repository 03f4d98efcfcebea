"""`deploy/kubernetes/admission.yaml`: who may mount which Secret, and run pods as whom."""

import copy
import json
from typing import Any, Literal

import pytest
import yaml

from resources.cluster.objects import kserve_objects, kubernetes_objects
from tests.kubernetes_api.admission import Policy, Request
from tests.kubernetes_api.objects import Object, Refused, check
from tests.support.cluster.cluster_role import FOLDER, shipped_accounts, shipped_admission
from tests.unit.cluster.objects.test_cluster_objects import plan

SHIPPED, BINDING = shipped_admission()
GROUPS = {"Job": "batch", "Deployment": "apps", "InferenceService": "serving.kserve.io"}
MAKERS = {"mlops-daemon": ["Job"], "mlops-run": list(GROUPS)}
"""Who makes pods by which kinds."""
PAIRS = [(account, kind) for account, kinds in MAKERS.items() for kind in kinds]
PODS = {
    *("pods", "podtemplates", "replicationcontrollers", "jobs", "cronjobs", "deployments"),
    *("replicasets", "statefulsets", "daemonsets", "inferenceservices"),
}
"""Everything that is, or makes, pods."""
VOLUME = {"name": "v"}
ENVIRONMENT = {
    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "theirs", "key": "a"}}}]
}
SOURCE = {"envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "theirs"}}]}
PROJECTED = {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "theirs"}}]}
CSI = {"driver": "d.example", "nodePublishSecretRef": {"name": "theirs"}}
WAYS = {
    "volume": {"volumes": [VOLUME | {"secret": {"secretName": "theirs"}}]},
    "projected volume": {"volumes": [VOLUME | {"projected": PROJECTED}]},
    "csi volume": {"volumes": [VOLUME | {"csi": CSI}]},
    "variable": {"containers": [ENVIRONMENT]},
    "variables": {"containers": [SOURCE]},
    "variable of a second": {"containers": [{}, ENVIRONMENT]},
    "variables of an init container": {"initContainers": [SOURCE]},
    "variable of an init container": {"initContainers": [ENVIRONMENT]},
    "variable of an ephemeral container": {"ephemeralContainers": [ENVIRONMENT]},
    "variables of an ephemeral container": {"ephemeralContainers": [SOURCE]},
    "login to a registry": {"imagePullSecrets": [{"name": "mlops-secrets"}, {"name": "theirs"}]},
}


def making(kind: str, **pod: Any) -> Object:
    """An object whose pods have all that is allowed, and besides what is said."""
    allowed = {
        "containers": [{"envFrom": [{"secretRef": {"name": "mlops-secrets"}}]}],
        "volumes": [{"name": "own", "emptyDir": {}}],
    }
    named = {
        part: [{"name": f"{part}{at}".lower(), "image": "i"} | one for at, one in enumerate(ones)]
        if part.lower().endswith("containers")
        else ones
        for part, ones in (allowed | pod).items()
    }
    spec: Object = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": named}}
    if kind == "Job":
        named["restartPolicy"] = "Never"
    if kind == "Deployment":
        spec["selector"] = {"matchLabels": {"a": "b"}}
    if kind == "InferenceService":
        spec = {"predictor": named}
    return {"metadata": {"name": "a"}, "spec": spec}


def ask(
    account: str,
    kind: str,
    wanted: Object,
    *,
    verb: str = "create",
    policy: Object = SHIPPED,
    namespace: str = "mlops",
) -> None:
    request = Request(account, verb, GROUPS[kind], f"{kind.lower()}s", namespace, wanted)
    (known,) = Policy.of([policy, BINDING])
    known.require(request)


def listed() -> dict[str, list[str]]:
    """What each account is given, by the shipped list, which is also JSON but for its quotes."""
    (one,) = (one for one in SHIPPED["spec"]["variables"] if one["name"] == "list")
    return json.loads(one["expression"].replace("'", '"'))


def given(**accounts: str) -> Object:
    """The policy after its list was changed."""
    changed = {name.replace("_", "-"): names.split() for name, names in accounts.items()}
    policy = copy.deepcopy(SHIPPED)
    (one,) = (one for one in policy["spec"]["variables"] if one["name"] == "list")
    one["expression"] = json.dumps(listed() | changed)
    return policy


@pytest.mark.parametrize(("account", "kind"), PAIRS)
@pytest.mark.parametrize("verb", ["create", "patch"])
def test_what_is_given_may_be_mounted(account: str, kind: str, verb: str) -> None:
    ask(account, kind, making(kind), verb=verb)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("account", "kind"), PAIRS)
def test_another_secret_is_refused_in_each_way(account: str, kind: str, way: str) -> None:
    wanted = making(kind, **WAYS[way])
    if kind != "InferenceService":
        api = {"Job": "batch/v1", "Deployment": "apps/v1"}[kind]
        check(copy.deepcopy(wanted) | {"apiVersion": api, "kind": kind})
    said = f"{account} is not given the Secret theirs; add it to the list of {account} in deploy/"
    for verb in ("create", "patch"):
        with pytest.raises(Refused, match=said):
            ask(account, kind, wanted, verb=verb)
    ask(account, kind, wanted, policy=given(**{account.replace("-", "_"): "theirs mlops-secrets"}))


def test_what_one_account_is_given_another_is_not() -> None:
    wanted = making("Job", **WAYS["variable"])
    ask("mlops-run", "Job", wanted, policy=given(mlops_run="mlops-secrets theirs"))
    with pytest.raises(Refused, match="mlops-daemon is not given the Secret theirs"):
        ask("mlops-daemon", "Job", wanted, policy=given(mlops_run="mlops-secrets theirs"))


@pytest.mark.parametrize("account", ["mlops-code", "mlops-webserver"])
def test_an_account_that_makes_no_pods_is_given_nothing(account: str) -> None:
    """Also once a Role lets it."""
    with pytest.raises(Refused, match=f"{account} is not given the Secret mlops-secrets"):
        ask(account, "Job", making("Job"))


@pytest.mark.parametrize("field", ["serviceAccountName", "serviceAccount"])
@pytest.mark.parametrize(("account", "kind"), PAIRS)
def test_pods_run_as_nobody_else(account: str, kind: str, field: str) -> None:
    for other in ("mlops-daemon", "default", "theirs"):
        with pytest.raises(Refused, match=f"pods that .* {account} makes cannot run as {other}"):
            ask(account, kind, making(kind, **{field: other}))
    run = making(kind, **{field: "mlops-run"})
    if kind == "Job":
        ask(account, kind, run)
    else:
        with pytest.raises(Refused, match="cannot run as mlops-run; name no service account, or"):
            ask(account, kind, run)


@pytest.mark.parametrize("field", ["model", "sklearn", "storageUris", "workerSpec", "logger"])
def test_kserve_makes_no_containers_of_its_own_for_us(field: str) -> None:
    with pytest.raises(Refused, match=f"an InferenceService .* cannot have {field}, which mounts"):
        ask("mlops-run", "InferenceService", making("InferenceService", **{field: {}}))
    wanted = making("InferenceService")
    wanted["spec"]["transformer"] = wanted["spec"]["predictor"]
    with pytest.raises(Refused, match="cannot have transformer"):
        ask("mlops-run", "InferenceService", wanted)


@pytest.mark.parametrize("kind", GROUPS)
def test_others_are_not_touched(kind: str) -> None:
    wanted = making(kind, serviceAccountName="theirs", **WAYS["volume"])
    ask("theirs", kind, wanted)
    ask("mlops-run-of-theirs", kind, wanted)
    ask("mlops-run", kind, wanted, namespace="theirs")
    with pytest.raises(Refused):
        ask("mlops-run", kind, wanted)


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
def test_an_endpoint_is_admitted_with_what_its_model_names(
    target: Literal["kubernetes", "kserve"],
) -> None:
    kind = "Deployment" if target == "kubernetes" else "InferenceService"
    made = kubernetes_objects if target == "kubernetes" else kserve_objects
    (wanted,) = (one for one in made(plan()) if one["kind"] == kind)
    for missing, names in {"redis": "registry", "registry": "redis"}.items():
        with pytest.raises(Refused, match=f"not given the Secret {missing};"):
            ask("mlops-run", kind, wanted, policy=given(mlops_run=names))
    ask("mlops-run", kind, wanted, policy=given(mlops_run="mlops-secrets redis registry"))


def test_every_kind_is_looked_at_by_which_a_role_lets_somebody_make_pods() -> None:
    rules = SHIPPED["spec"]["matchConstraints"]["resourceRules"]
    matched = {
        (group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    may = {
        (one.group, one.resource)
        for asked in shipped_accounts().values()
        for one in asked
        if one.verb in ("create", "patch", "update") and one.resource.split("/")[0] in PODS
    }
    assert matched == may
    assert all(rule["operations"] == ["CREATE", "UPDATE"] for rule in rules)


def test_every_account_is_looked_at_and_none_may_give_itself_more() -> None:
    (condition,) = SHIPPED["spec"]["matchConditions"]
    assert all(f"'{account}'" in condition["expression"] for account in shipped_accounts())
    for asked in shipped_accounts().values():
        assert not any(one.group == "admissionregistration.k8s.io" for one in asked)


def test_runs_are_given_what_the_launcher_mounts() -> None:
    instance = yaml.safe_load((FOLDER / "dagster.yaml").read_text(encoding="utf-8"))
    launcher = instance["run_launcher"]["config"]
    assert listed() == dict.fromkeys(MAKERS, launcher["env_secrets"])
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    labels = BINDING["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]
    assert labels == {"kubernetes.io/metadata.name": kustomization["namespace"]}
