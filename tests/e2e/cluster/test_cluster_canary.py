"""A version on trial as pods of the fake cluster, under load: by a Gateway, or by pods alone."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.rollout import TrialReport
from resources.deployment import EndpointTargets
from tests.kubernetes_api.cluster import Cluster
from tests.support.clusters import by_gateway, fake_cluster, in_cluster
from tests.support.live_endpoints import Load, Subject, build_versions, publish
from tests.support.served_models import with_content
from tests.support.servers import wait_for

pytestmark = pytest.mark.e2e
SAME = 4
"""A version that answers as version 1 does."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary")


@pytest.fixture(scope="module")
def cluster(shared: Path) -> Generator[Cluster]:
    with fake_cluster(shared, shared / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def by_route(cluster: Cluster) -> tuple:
    return by_gateway(cluster)


@pytest.fixture(scope="module", params=["kubernetes", "kserve"])
def subject(
    request: pytest.FixtureRequest, cluster: Cluster, shared: Path, by_route: tuple
) -> Generator[Subject]:
    """A pod behind a Gateway; the tests are in order, since each start costs seconds."""
    deployer = EndpointTargets(root=str(shared / request.param), shared=str(shared))
    subject = Subject(deployer, build_versions(shared), publish(shared))
    first = subject.versions[1]
    subject.versions[SAME] = with_content(first, first.model_file.read_bytes(), SAME)
    subject.settings = in_cluster(subject.settings, request.param, gateway=by_route[0])
    subject.deploy(1)
    yield subject
    deployer.stop("toy")
    wait_for("the end of all pods", lambda: not cluster.pods(), 60)
    assert not cluster.objects.of("httproutes")


def trial(strategy: str = "canary", **changed: object) -> RolloutSettings:
    quick = {"weights": (0.2, 0.5), "step": timedelta(seconds=1), "min_requests": 30}
    return RolloutSettings.model_validate({"strategy": strategy} | quick | changed)


def reports(subject: Subject) -> list[TrialReport]:
    lines = Path(subject.deployer.root, "toy/rollouts.jsonl").read_text().splitlines()
    return [TrialReport.model_validate_json(line) for line in lines]


def of_a_candidate(cluster: Cluster) -> list[str]:
    """What is in the cluster of a version on trial, and does not end."""
    kinds = ("deployments", "services", "networkpolicies", "inferenceservices", "pods")
    found = [one["metadata"] for kind in kinds for one in cluster.objects.of(kind)]
    return [one["name"] for one in found if "--c" in one["name"] and "deletionTimestamp" not in one]


def serves(subject: Subject) -> int:
    status = subject.deployer.status("toy")
    assert status is not None
    return status.model_version


def test_a_canary_with_other_scores_goes_and_no_request_fails(
    subject: Subject, cluster: Cluster, by_route: tuple
) -> None:
    said = r"The canary with 20% of the requests was stopped.* diverge by 1\.00.*Version 1 serves"
    with (
        Load(subject, by_route[1]) as load,
        pytest.raises(DeploymentError, match=rf"(?s){said}"),
    ):
        subject.deploy(2, rollout=trial())
    assert (load.failures, load.wrong) == ([], [])
    (report,) = reports(subject)
    assert (report.passed, report.to_version) == (False, 2)
    assert 0 < report.harmed_requests == load.counts[2] < 0.5 * report.requests
    assert serves(subject) == 1
    wait_for("the end of its pods", lambda: not of_a_candidate(cluster), 20)


def test_a_good_canary_takes_over_and_no_request_fails(
    subject: Subject, cluster: Cluster, by_route: tuple
) -> None:
    with Load(subject, by_route[1]) as load:
        assert subject.deploy(SAME, rollout=trial()).model_version == SAME
    assert (load.failures, load.versions) == ([], {1, SAME})
    assert reports(subject)[-1].passed
    assert reports(subject)[-1].candidate_requests >= 60
    wait_for("the end of its pods", lambda: not of_a_candidate(cluster), 20)
    (route,) = cluster.objects.of("httproutes")
    assert [one["weight"] for one in route["spec"]["rules"][0]["backendRefs"]] == [10_000]
