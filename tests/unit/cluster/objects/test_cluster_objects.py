"""What is asked of a cluster: valid, and as little as the endpoint needs."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from mlops_assets.blocks.cluster import ClusterSettings
from mlops_assets.blocks.operation import DeploymentSettings
from resources.cluster.objects import Mount, Plan, kserve_objects, kubernetes_objects
from tests.kubernetes_api.objects import Refused, check

SHARED = Path("/state")
ADAPTER = Path(__file__).resolve().parents[4] / "deploy/prometheus/adapter.yaml"
CLUSTER: dict[str, Any] = {
    "image": "registry.example/mlops:1",
    "image_pull_secret": "registry",
    "claim": "mlops-state",
    "replicas": {"min": 2, "max": 5},
    "resources": {"cpu": "500m", "memory": "1Gi", "cpu_limit": "2"},
    "secrets": {"REDIS_PASSWORD": {"name": "redis", "key": "password"}},
    "node_selector": {"kubernetes.io/arch": "amd64"},
    "admit": ["ingress-nginx"],
}


def plan(**cluster: Any) -> Plan:
    settings = DeploymentSettings(port=8080)
    mounts = (Mount(SHARED / "endpoints/a_model/versions"), Mount(SHARED / "log", writable=True))
    manifest = SHARED / "endpoints/a_model/generations/7.json"
    known = ClusterSettings.model_validate(CLUSTER | cluster)
    return Plan("a_model", 7, manifest, mounts, SHARED, settings, known)


def objects(target: Literal["kubernetes", "kserve"], **cluster: Any) -> dict[str, dict]:
    made = kubernetes_objects if target == "kubernetes" else kserve_objects
    return {one["kind"]: one for one in made(plan(**cluster))}


def pod(target: Literal["kubernetes", "kserve"], **cluster: Any) -> dict:
    found = objects(target, **cluster)
    if target == "kserve":
        return found["InferenceService"]["spec"]["predictor"]
    return found["Deployment"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
@pytest.mark.parametrize("smaller", [{}, {"replicas": {"min": 1}, "admit": [], "secrets": {}}])
def test_every_object_is_valid(
    target: Literal["kubernetes", "kserve"], smaller: dict[str, Any]
) -> None:
    for one in objects(target, **smaller).values():
        check(one)


def test_what_a_number_of_pods_needs() -> None:
    always = {"NetworkPolicy", "Service", "Deployment"}
    assert set(objects("kubernetes", replicas={"min": 1})) == always
    assert set(objects("kubernetes", replicas={"min": 2})) == always | {"PodDisruptionBudget"}
    scaling = always | {"PodDisruptionBudget", "HorizontalPodAutoscaler"}
    assert set(objects("kubernetes")) == scaling
    assert set(objects("kserve")) == {"NetworkPolicy", "PodDisruptionBudget", "InferenceService"}


def test_kserve_gets_what_its_controller_reads() -> None:
    service = objects("kserve")["InferenceService"]
    predictor = service["spec"]["predictor"]
    assert service["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "Standard"}
    assert [one["name"] for one in predictor["containers"]] == ["kserve-container"]
    scaling = {name: predictor[name] for name in ("minReplicas", "maxReplicas", "scaleMetric")}
    assert scaling == {"minReplicas": 2, "maxReplicas": 5, "scaleMetric": "cpu"}
    assert predictor["deploymentStrategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
def test_a_pod_may_do_next_to_nothing(target: Literal["kubernetes", "kserve"]) -> None:
    spec = pod(target)
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"memory": "1Gi", "cpu": "2"},
    }
    writable = [one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")]
    assert writable == ["/endpoint", "/state/log"]
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


def test_every_folder_that_is_written_is_one_that_may_be() -> None:
    """The root file system cannot be written: whatever a library looks for must be in a volume."""
    (container,) = pod("kubernetes")["containers"]
    variables = {one["name"]: one.get("value", "") for one in container["env"]}
    folders = ("HOME", "TMPDIR", "BENTOML_HOME", "PROMETHEUS_MULTIPROC_DIR", "MLOPS_ENDPOINT")
    assert all(variables[name].startswith("/endpoint") for name in folders)


def test_secrets_are_named_and_never_written() -> None:
    (container,) = pod("kubernetes")["containers"]
    (found,) = (one for one in container["env"] if one["name"] == "REDIS_PASSWORD")
    assert found["valueFrom"] == {"secretKeyRef": {"name": "redis", "key": "password"}}
    assert "value" not in found


def test_only_the_named_namespaces_may_ask() -> None:
    (rule,) = objects("kubernetes")["NetworkPolicy"]["spec"]["ingress"]
    labels = {"kubernetes.io/metadata.name": "ingress-nginx"}
    assert rule["from"] == [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": labels}},
    ]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]


def test_a_pod_has_the_time_to_end_that_its_worker_takes() -> None:
    from mlops_assets.serving.process.connections import DRAIN_SECONDS
    from mlops_assets.serving.process.workers import LONGEST_REQUEST_SECONDS

    spec = pod("kubernetes")
    pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = pause + DRAIN_SECONDS + LONGEST_REQUEST_SECONDS
    assert spec["terminationGracePeriodSeconds"] > needed


def test_the_start_may_take_as_long_as_the_settings_say() -> None:
    (container,) = pod("kubernetes", start_timeout="90s")["containers"]
    probe = container["startupProbe"]
    allowed = timedelta(seconds=probe["periodSeconds"] * probe["failureThreshold"])
    assert allowed == timedelta(seconds=90)


def test_the_check_itself_refuses() -> None:
    """Or all of the above would say nothing."""
    broken = objects("kserve")["InferenceService"]
    broken["spec"]["predictor"]["minReplicaz"] = 1
    with pytest.raises(Refused, match="minReplicaz"):
        check(broken)
    other = objects("kubernetes")["Deployment"]
    other["spec"]["template"]["spec"]["volumes"] = []
    with pytest.raises(Refused, match="Not found"):
        check(other)


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
@pytest.mark.parametrize("role", ["canary", "shadow"])
def test_a_version_on_trial_shares_no_object_with_the_one_that_serves(
    target: Literal["kubernetes", "kserve"], role: Literal["canary", "shadow"]
) -> None:
    routed = plan(gateway={"name": "public"})
    made = kubernetes_objects if target == "kubernetes" else kserve_objects
    one, other = (made(each) for each in (routed, replace(routed, role=role)))
    for each in other:
        check(each)
    named = [{(each["kind"], each["metadata"]["name"]) for each in some} for some in (one, other)]
    assert not named[0] & named[1]
    selectors = [each.labels.items() for each in (routed, replace(routed, role=role))]
    assert not selectors[0] & selectors[1], "or one would find the other's pods"


def test_without_a_gateway_the_service_finds_the_canary_and_its_deployment_does_not() -> None:
    primary, canary = plan(), replace(plan(), role="canary")
    (deployment,) = kubernetes_objects(canary)
    found = {one["kind"]: one["spec"] for one in kubernetes_objects(primary)}
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    assert found["Service"]["selector"].items() <= labels
    assert found["NetworkPolicy"]["podSelector"]["matchLabels"].items() <= labels
    assert not found["Deployment"]["selector"]["matchLabels"].items() <= labels
    assert not found["PodDisruptionBudget"]["selector"]["matchLabels"].items() <= labels


def test_pods_are_added_by_their_cpu_or_by_the_requests_that_they_have_in_flight() -> None:
    def scaled_by(**replicas: Any) -> dict:
        found = objects("kubernetes", replicas={"min": 2, "max": 5} | replicas)
        scaler = found["HorizontalPodAutoscaler"]
        check(scaler)
        (metric,) = scaler["spec"]["metrics"]
        return metric

    assert scaled_by()["resource"]["target"]["averageUtilization"] == 70
    pods = scaled_by(in_flight=0.7)["pods"]
    assert pods["target"] == {"type": "AverageValue", "averageValue": "700m"}
    (rule,) = yaml.safe_load(ADAPTER.read_text(encoding="utf-8"))["rules"]
    assert rule["name"]["as"] == pods["metric"]["name"]


def test_what_the_adapter_reads_an_endpoint_tells_in_seconds() -> None:
    from mlops_assets.serving.api import metrics

    (rule,) = yaml.safe_load(ADAPTER.read_text(encoding="utf-8"))["rules"]
    series = rule["seriesQuery"].partition("{")[0]
    metrics.observe("of_the_adapter", 1, 1, 0.25)
    told = [line for line in metrics.render().decode().splitlines() if "of_the_adapter" in line]
    assert f'{series}{{model_name="of_the_adapter",version="1"}} 0.25' in told
