"""What a cluster will never run is refused at once, with the reason, and leaves nothing behind.

On the fake API; what starts here at all ends by itself.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import pytest

from mlops_assets.blocks.cluster import PodResources, SecretKey
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import ClusterUnavailableError, ConfigError, DeploymentError
from mlops_assets.records.serving import OnlineFeatures
from resources.deployment import EndpointTargets
from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.cluster_role import shipped_roles
from tests.support.cluster.clusters import CLAIM, IMAGE, RUN, by_gateway, fake_cluster, in_cluster
from tests.support.served.live_endpoints import free_port
from tests.support.served.served_models import VIEW, Built, build, with_content
from tests.support.servers import wait_for

pytestmark = pytest.mark.e2e
KINDS = ("deployments", "services", "inferenceservices", "networkpolicies")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def cluster(tmp_path: Path) -> Generator[Cluster]:
    with fake_cluster(tmp_path, tmp_path / "cluster") as cluster:
        yield cluster


def deployer(shared: Path) -> EndpointTargets:
    return EndpointTargets(root=str(shared / "endpoints"), shared=str(shared))


def deploy(
    target: Literal["kubernetes", "kserve"], shared: Path, built: Built, **cluster: Any
) -> None:
    settings = in_cluster(DeploymentSettings(port=free_port()), target, **cluster)
    online = OnlineFeatures(store=store(shared), view=VIEW, as_of=None, lookup="direct")
    deployer(shared).deploy(built.servable, built.model_file, built.recorded, online, settings)


def store(folder: Path) -> dict[str, Any]:
    registry, online = str(folder / "feast/registry.db"), str(folder / "feast/online.db")
    return {"registry": {"path": registry}, "online_store": {"type": "sqlite", "path": online}}


@pytest.mark.parametrize(
    ("target", "settings", "message"),
    [
        (
            "kubernetes",
            {"image": "mlops:gone"},
            r"ImagePullBackOff of pod .*mlops:gone.*Push the image",
        ),
        (
            "kserve",
            {"resources": PodResources(cpu="64")},
            r"Unschedulable of pod .*Insufficient cpu.*lower deployment\.cluster\.resources",
        ),
        (
            "kubernetes",
            {"secrets": {"PASSWORD": SecretKey(name="mlops-secrets", key="password")}},
            r"CreateContainerConfigError of pod .*\"mlops-secrets\".*Create the Secret",
        ),
    ],
)
def test_a_pod_that_cannot_run_ends_the_wait(
    cluster: Cluster,
    target: Literal["kubernetes", "kserve"],
    tmp_path: Path,
    built: Built,
    settings: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(DeploymentError, match=f"(?s){message}.*nothing is left in the cluster"):
        deploy(target, tmp_path, built, scheduling_timeout="1s", **settings)

    assert all("deletionTimestamp" in pod["metadata"] for pod in cluster.pods())
    assert [one for kind in KINDS for one in cluster.objects.of(kind)] == []
    assert deployer(tmp_path).status("toy") is None


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
def test_a_secret_that_the_account_is_not_given_is_refused(
    cluster: Cluster, target: Literal["kubernetes", "kserve"], tmp_path: Path, built: Built
) -> None:
    message = "cluster answered 422.*not given the Secret theirs; add it to the list of mlops-run"
    with pytest.raises(DeploymentError, match=message):
        deploy(target, tmp_path, built, image_pull_secret="theirs")
    assert [one for kind in KINDS for one in cluster.objects.of(kind)] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image": "mlops:broken"}, r"CrashLoopBackOff of pod .*No module named"),
        ({"resources": PodResources(memory="40Mi")}, r"OOMKilled of pod .*resources\.memory"),
        ({}, r"CrashLoopBackOff of pod .*the version cannot be served: the model file is damaged"),
    ],
)
def test_a_process_that_ends_is_asked_why(
    cluster: Cluster, tmp_path: Path, built: Built, settings: dict[str, Any], message: str
) -> None:
    damaged = with_content(built, b"not a model", 2)
    with pytest.raises(DeploymentError, match=f"(?s){message}.*nothing is left in the cluster"):
        deploy("kubernetes", tmp_path, damaged, **settings)
    assert all("deletionTimestamp" in pod["metadata"] for pod in cluster.pods())


def test_the_claim_must_be_there(cluster: Cluster, tmp_path: Path, built: Built) -> None:
    with pytest.raises(DeploymentError, match=r"no claim 'gone'.*deployment\.cluster\.claim"):
        deploy("kubernetes", tmp_path, built, claim="gone")


def test_a_claim_of_one_pod_is_no_shared_one(
    cluster: Cluster, tmp_path: Path, built: Built
) -> None:
    cluster.claim(CLAIM, ["ReadWriteOncePod"])
    with pytest.raises(DeploymentError, match=r"one pod alone.*ReadWriteOnce or ReadWriteMany"):
        deploy("kubernetes", tmp_path, built)


def test_a_file_of_features_is_not_read_from_several_machines(
    cluster: Cluster, tmp_path: Path, built: Built
) -> None:
    cluster.claim(CLAIM, ["ReadWriteMany"])
    with pytest.raises(DeploymentError, match=r"sqlite.*ReadWriteMany.*MLOPS_ONLINE_STORE"):
        deploy("kubernetes", tmp_path, built)


def test_what_is_not_on_the_claim_is_refused(
    cluster: Cluster, tmp_path: Path, built: Built
) -> None:
    elsewhere = EndpointTargets(root=str(tmp_path / "endpoints"), shared=str(tmp_path / "other"))
    settings = in_cluster(DeploymentSettings(port=free_port()), "kubernetes")
    online = OnlineFeatures(store={}, view=VIEW, as_of=None)
    with pytest.raises(ConfigError, match=r"versions is not on the claim.*MLOPS_SHARED"):
        elsewhere.deploy(built.servable, built.model_file, built.recorded, online, settings)


def test_a_namespace_that_does_not_know_kserve_says_so(tmp_path: Path, built: Built) -> None:
    """Nobody makes pods of the InferenceService: the wait ends with what may be missing."""
    with (
        fake_cluster(tmp_path, tmp_path / "cluster", kserve=False),
        pytest.raises(DeploymentError, match=r"only 0 pods were ready within 1 s.*KServe"),
    ):
        deploy("kserve", tmp_path, built, start_timeout="1s")


def test_a_cluster_that_does_not_answer_may_be_asked_again(
    tmp_path: Path, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_cluster(tmp_path, tmp_path / "cluster") as cluster:
        kubeconfig = cluster.kubeconfig(RUN)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    with pytest.raises(ClusterUnavailableError, match="does not answer"):
        deploy("kubernetes", tmp_path, built)


def test_without_a_cluster_the_remedy_is_said(
    tmp_path: Path, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(DeploymentError, match=r"no cluster to deploy to.*KUBECONFIG"):
        deploy("kubernetes", tmp_path, built)


@pytest.mark.parametrize("target", ["kubernetes", "kserve"])
def test_pods_go_where_a_claim_of_one_node_is_attached(
    target: Literal["kubernetes", "kserve"], tmp_path: Path, built: Built
) -> None:
    with fake_cluster(tmp_path, tmp_path / "cluster", nodes=3) as cluster:
        hold(cluster, {"mlops-assets/claim": CLAIM})
        with pytest.raises(DeploymentError, match="ImagePullBackOff"):
            deploy(target, tmp_path, built, image="mlops:gone", replicas={"min": 2})
        assert {pod["spec"]["nodeName"] for pod in cluster.pods()} == {"node-0"}
        assert len(cluster.pods()) > 1


def hold(cluster: Cluster, labels: dict[str, str]) -> None:
    """A pod that uses the claim already, on the first node."""
    container = {"name": "holder", "image": IMAGE, "command": ["sleep", "60"]}
    volume = {"name": "state", "persistentVolumeClaim": {"claimName": CLAIM}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "holder", "labels": labels}}
    spec = {"containers": [container], "volumes": [volume]}
    cluster.objects.create("pods", cluster.namespace, pod | {"spec": spec})
    wait_for("its node", lambda: cluster.pods()[0]["spec"].get("nodeName"), 10)


def test_every_request_is_allowed_by_the_shipped_role_and_no_permission_is_idle(
    tmp_path: Path, built: Built
) -> None:
    """A refused deployment asks for all there is: it makes objects, looks, and takes them away."""
    replicas = {"min": 2, "max": 3}
    with fake_cluster(tmp_path, tmp_path / "cluster", nodes=2) as cluster:
        with pytest.raises(DeploymentError, match="nothing is left in the cluster"):
            deploy("kserve", tmp_path, built, image="mlops:gone", replicas=replicas)
        hold(cluster, {})  # by a stranger, whose node nobody knows
        gateway, _ = by_gateway(cluster)
        kept = {"scheduling_timeout": "1s", "replicas": replicas, "gateway": gateway}
        said = r"(?s)FailedAttachVolume of pod .*Multi-Attach.*already used by pod.* holder"
        with pytest.raises(DeploymentError, match=f"{said}.*ReadWriteMany.*nothing is left"):
            deploy("kubernetes", tmp_path, built, **kept)
        assert cluster.server.asked == shipped_roles()["mlops-endpoints"]
