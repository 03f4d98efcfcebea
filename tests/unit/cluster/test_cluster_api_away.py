"""An API server that is away, and one that has just come back, which denies everything at first."""

import time
from collections.abc import Generator

import pytest

from mlops_assets.errors import ClusterUnavailableError, DeploymentError
from resources.cluster.api import ClusterApi
from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.clusters import acting_as, fake_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    folder = tmp_path_factory.mktemp("away")
    with fake_cluster(folder, folder / "cluster") as cluster:
        yield cluster


@pytest.mark.parametrize("drops", [True, False])
def test_who_is_half_way_waits_until_it_knows_the_roles_again(
    cluster: Cluster, *, drops: bool
) -> None:
    """A refusal for good then would leave the cluster in the middle, and forbid the way back."""
    cluster.server.go_away(0.5, drops=drops)
    assert ClusterApi.connect("mlops").patient().get("Deployment", "a") is None
    assert time.monotonic() > cluster.server.starts_until


def test_who_is_not_hears_that_it_is_away(cluster: Cluster) -> None:
    cluster.server.go_away(0.0, drops=True)
    with pytest.raises(ClusterUnavailableError, match=r"403 .*RBAC"):
        ClusterApi.connect("mlops").get("Deployment", "a")
    time.sleep(max(0.0, cluster.server.starts_until - time.monotonic()))


def test_what_the_roles_do_not_allow_is_refused_at_once(cluster: Cluster) -> None:
    with acting_as(cluster, "mlops-code"), pytest.raises(DeploymentError, match="403") as refused:
        ClusterApi.connect("mlops").patient().get("Deployment", "a")
    assert not isinstance(refused.value, ClusterUnavailableError)
