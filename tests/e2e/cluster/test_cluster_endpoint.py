"""Real serving processes as pods of the fake cluster: faults, and rollouts under load."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from mlops_assets.blocks.cluster import ReplicaSettings
from mlops_assets.errors import DeploymentError
from resources.deployment import EndpointTargets
from resources.prediction_log.log import PredictionLog
from tests.kubernetes_api.cluster import Cluster
from tests.kubernetes_api.network import is_ready
from tests.support.cluster.clusters import fake_cluster, in_cluster
from tests.support.served.live_endpoints import (
    EVER,
    KeptLoad,
    Load,
    Subject,
    build_versions,
    publish,
)
from tests.support.servers import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pods")


@pytest.fixture(scope="module")
def cluster(shared: Path) -> Generator[Cluster]:
    with fake_cluster(shared, shared / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def subject(cluster: Cluster, shared: Path) -> Generator[Subject]:
    """Two pods behind a Service; the tests are in order, since each start costs seconds."""
    deployer = EndpointTargets(root=str(shared / "endpoints"), shared=str(shared))
    subject = Subject(deployer, build_versions(shared), publish(shared))
    replicas = ReplicaSettings(min=2, max=3)
    subject.settings = in_cluster(subject.settings, "kubernetes", replicas=replicas)
    yield subject
    deployer.stop("toy")


def ready(cluster: Cluster) -> list[str]:
    """Names of the pods that answer and are not ending."""
    return [
        pod["metadata"]["name"]
        for pod in cluster.pods()
        if "deletionTimestamp" not in pod["metadata"] and is_ready(pod)
    ]


def running(cluster: Cluster) -> list[dict]:
    return [pod for pod in cluster.pods() if pod["status"]["phase"] != "Failed"]


@contextmanager
def away_once_asked(cluster: Cluster, resource: str, *, drops: bool) -> Generator[None]:
    """For some seconds from the next request for this resource on, no API server answers."""
    asked, ends = cluster.server.asked, threading.Event()
    asked -= {one for one in asked if one.resource == resource}

    def watch() -> None:
        while not ends.wait(0.01):
            if any(one.resource == resource for one in asked):
                cluster.server.go_away(3.0, drops=drops)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
    assert cluster.server.away_until > 0


def test_both_pods_answer_and_log_beside_each_other(
    subject: Subject, cluster: Cluster, shared: Path
) -> None:
    endpoint = subject.deploy(1)
    assert endpoint.workers == 2
    with Load(subject, endpoint.url) as load:
        predictions = shared / "endpoints/toy/predictions"
        wait_for("a log of each pod", lambda: len(list(predictions.glob("*.jsonl"))) == 2, 20)
    assert (load.failures, load.wrong) == ([], [])

    names = [file.stem[11:].rsplit("-", 2)[0] for file in predictions.glob("*.jsonl")]
    assert sorted(names) == sorted(ready(cluster))
    log = PredictionLog(endpoints=str(shared / "endpoints"), root=str(shared / "predictions"))
    assert set(log.read("toy", *EVER)["request_id"]) == set(load.acknowledged)
    assert log.compact("toy").files == 0  # pods may still append


def test_a_pod_answers_at_localhost_too(cluster: Cluster) -> None:
    """As `kubectl port-forward` and whoever debugs in the pod ask it."""
    connection = HTTPConnection(*cluster.port_forward(ready(cluster)[0]), timeout=10)
    connection.request("GET", "/livez")
    assert connection.getresponse().status == 200
    connection.close()


def test_pods_that_were_evicted_hold_no_update_up_and_it_loses_no_request(
    subject: Subject, cluster: Cluster
) -> None:
    cluster.evict(ready(cluster)[0])
    wait_for("its successor", lambda: len(ready(cluster)) == 2, 30)
    endpoint = subject.deployer.status("toy")
    assert endpoint is not None
    before = set(ready(cluster))
    with Load(subject, endpoint.url) as load, KeptLoad(subject, endpoint.url) as kept:
        assert subject.deploy(2).model_version == 2
        asked = kept.answers
        wait_for("the end of the old pods", lambda: len(running(cluster)) == 2, 30)
        wait_for("more answers", lambda: kept.answers > asked + 20, 20)
    for one in (load, kept):
        assert one.failures == []
        assert one.wrong == []
        assert one.versions == {1, 2}
    assert not before & set(ready(cluster))
    (evicted,) = [pod for pod in cluster.pods() if pod not in running(cluster)]
    assert evicted["status"]["reason"] == "Evicted"


def test_a_bad_version_leaves_the_old_one_serving(subject: Subject, cluster: Cluster) -> None:
    endpoint, pods = subject.deployer.status("toy"), ready(cluster)
    said = r"(?s)CrashLoopBackOff of pod.*version cannot be served: the model file is damaged"
    with (
        away_once_asked(cluster, "pods/log", drops=True),
        pytest.raises(DeploymentError, match=rf"{said}.*Version 2 serves again"),
    ):
        subject.deploy(3)
    assert ready(cluster) == pods
    assert subject.deployer.status("toy") == endpoint
    assert subject.ask() == pytest.approx(subject.recorded(2)[1], abs=1e-5)


def test_an_api_server_that_is_away_for_seconds_keeps_cluster_and_records_agreed(
    subject: Subject, cluster: Cluster
) -> None:
    with away_once_asked(cluster, "deployments", drops=False):
        endpoint = subject.deploy(1)
    assert subject.deployer.status("toy") == endpoint
    assert endpoint.model_version == 1
    assert subject.ask() == pytest.approx(subject.recorded(1)[1], abs=1e-5)
