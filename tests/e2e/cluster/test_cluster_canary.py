"""A version on trial as pods of the fake cluster, under load: by a Gateway, or by pods alone."""

import json
import os
import signal
import threading
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.rollout import TrialReport
from resources.cluster.handover import ClusterHandover
from resources.cluster.trial.trial import ClusterTrial
from resources.deployment import EndpointTargets
from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.clusters import by_gateway, fake_cluster, in_cluster
from tests.support.served.live_endpoints import Load, Subject, build_versions, publish
from tests.support.served.served_models import with_content
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


def pods_of(
    cluster: Cluster, folder: Path, shared: Path, target: str, **settings: object
) -> Generator[Subject]:
    """One pod of version 1; the tests of it are in order, since each start costs seconds."""
    deployer = EndpointTargets(root=str(folder), shared=str(shared))
    subject = Subject(deployer, build_versions(shared), publish(shared))
    first = subject.versions[1]
    subject.versions[SAME] = with_content(first, first.model_file.read_bytes(), SAME)
    subject.settings = in_cluster(subject.settings, target, **settings)
    subject.deploy(1)
    yield subject
    deployer.stop("toy")
    wait_for("the end of all pods", lambda: not cluster.pods(), 60)
    assert not cluster.objects.of("httproutes")
    assert not of_a_candidate(cluster)


@pytest.fixture(scope="module")
def subject(cluster: Cluster, shared: Path, by_route: tuple) -> Generator[Subject]:
    yield from pods_of(cluster, shared / "routed", shared, "kubernetes", gateway=by_route[0])


def trial(strategy: str = "canary", **changed: object) -> RolloutSettings:
    quick = {"weights": (0.2, 0.5), "step": timedelta(seconds=1), "min_requests": 30}
    return RolloutSettings.model_validate({"strategy": strategy} | quick | changed)


def asked(subject: Subject, url: str) -> Load:
    """A load that leaves the fake cluster, in this same process, time for what else it does."""
    return Load(subject, url, pause=0.005)


def reports(subject: Subject) -> list[TrialReport]:
    lines = Path(subject.deployer.root, "toy/rollouts.jsonl").read_text().splitlines()
    return [TrialReport.model_validate_json(line) for line in lines]


def of_a_candidate(cluster: Cluster) -> list[str]:
    """What is in the cluster of a version on trial, and does not end."""
    kinds = ("deployments", "services", "networkpolicies", "inferenceservices", "pods")
    found = [one["metadata"] for kind in kinds for one in cluster.objects.of(kind)]
    return [one["name"] for one in found if "--c" in one["name"] and "deletionTimestamp" not in one]


def require_serving(subject: Subject, cluster: Cluster, version: int) -> None:
    """The version that the records name serves, alone."""
    status, good = subject.deployer.status("toy"), subject.deployer.verified("toy")
    assert status is not None
    assert (status.model_version, good.model_version) == (version, version)
    assert not of_a_candidate(cluster)
    for route in cluster.objects.of("httproutes"):
        (rule,) = route["spec"]["rules"]
        assert [one["weight"] for one in rule["backendRefs"]] == [10_000]
        assert "filters" not in rule
    assert not Path(subject.deployer.root, "toy/trial.json").exists()


class KilledError(BaseException):
    """In place of SIGKILL: nothing is put back, and nothing is written down."""


def begin_and_be_killed(subject: Subject, version: int, until: Callable[[], bool]) -> None:
    """Leave what a process leaves that is killed in the first step."""

    def killed(_: ClusterTrial) -> None:
        wait_for("answers of the candidate", until, 60)
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClusterTrial, "_watch", killed)
        patch.setattr(ClusterTrial, "_report", lambda *_: None)
        patch.setattr(ClusterHandover, "_back", lambda *_: "")
        with pytest.raises(KilledError):
            subject.deploy(version, rollout=trial())


def test_a_canary_with_other_scores_goes_and_no_request_fails(
    subject: Subject, cluster: Cluster, by_route: tuple
) -> None:
    said = r"The canary with 20% of the requests was stopped.* diverge by 1\.00.*Version 1 serves"
    with (
        asked(subject, by_route[1]) as load,
        pytest.raises(DeploymentError, match=rf"(?s){said}"),
    ):
        subject.deploy(2, rollout=trial())
    assert (load.failures, load.wrong) == ([], [])
    (report,) = reports(subject)
    assert (report.passed, report.to_version) == (False, 2)
    assert 0 < report.harmed_requests == load.counts[2] < 0.5 * report.requests
    require_serving(subject, cluster, 1)


def test_a_trial_is_followed_by_another_process_when_its_own_was_killed(
    subject: Subject, cluster: Cluster, by_route: tuple
) -> None:
    with asked(subject, by_route[1]) as load:
        begin_and_be_killed(subject, SAME, lambda: load.counts[SAME] > 5)
        assert subject.deployer.status("toy").model_version == 1
        left = of_a_candidate(cluster)
        endpoint = subject.deploy(SAME, rollout=trial())
    assert endpoint.model_version == SAME
    assert (load.failures, load.versions) == ([], {1, SAME})
    report = reports(subject)[-1]
    assert (report.passed, report.to_version) == (True, SAME)
    assert report.candidate_requests >= 60
    assert len(left) == 4, "a Deployment, its Service, its NetworkPolicy and a pod"
    require_serving(subject, cluster, SAME)


def test_a_trial_that_was_left_ends_when_the_champion_is_restored(
    subject: Subject, cluster: Cluster, by_route: tuple
) -> None:
    with asked(subject, by_route[1]) as load:
        begin_and_be_killed(subject, 1, lambda: load.counts[1] > 5)
        assert not subject.deployer.abandoned_trial("toy"), "not for some time"
        left = Path(subject.deployer.root, "toy/trial.json")
        os.utime(left, (0, left.stat().st_mtime - 200))
        assert subject.deployer.abandoned_trial("toy")
        subject.deployer.redeploy("toy", SAME, subject.settings)
    assert load.failures == []
    report = reports(subject)[-1]
    assert (report.passed, report.to_version) == (False, 1)
    assert "was killed" in report.reason
    assert report.harmed_requests == load.counts[1] > 5
    require_serving(subject, cluster, SAME)


def test_a_canceled_shadow_leaves_what_served_and_was_asked_but_never_heard(
    subject: Subject, cluster: Cluster, by_route: tuple
) -> None:
    def cancel() -> None:
        wait_for("the shadow to count", lambda: counted() > 5, 60)
        os.kill(os.getpid(), signal.SIGINT)

    def counted() -> int:
        left = Path(subject.deployer.root, "toy/trial.json")
        seen = json.loads(left.read_bytes())["seen"] if left.exists() else []
        return seen[0]["candidate"]["requests"] if seen else 0

    threading.Thread(target=cancel).start()
    with asked(subject, by_route[1]) as load, pytest.raises(KeyboardInterrupt):
        subject.deploy(1, rollout=trial("shadow", step=timedelta(minutes=9)))
    assert (load.failures, load.versions) == ([], {SAME})
    report = reports(subject)[-1]
    assert (report.strategy, report.reason) == ("shadow", "the run was canceled")
    assert report.harmed_requests == 0 < report.candidate_requests
    require_serving(subject, cluster, SAME)


def test_a_version_that_had_begun_to_take_over_is_tried_against_the_one_before(
    subject: Subject, cluster: Cluster, by_route: tuple
) -> None:
    def killed(*_: object) -> None:
        raise KilledError

    with asked(subject, by_route[1]) as load:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ClusterTrial, "take_away", killed)
            patch.setattr(ClusterHandover, "_back", lambda *_: "")
            with pytest.raises(KilledError):
                subject.deploy(1, rollout=trial())
        began = load.counts[SAME]
        assert subject.deploy(1, rollout=trial()).model_version == 1
    assert load.failures == []
    report = reports(subject)[-1]
    assert (report.passed, report.from_version, report.to_version) == (True, SAME, 1)
    assert load.counts[SAME] - began >= report.requests - report.candidate_requests > 30
    require_serving(subject, cluster, 1)


def test_without_a_gateway_pods_share_the_requests(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, tmp_path / "cluster") as cluster:
        for alone in pods_of(cluster, tmp_path / "endpoints", tmp_path, "kubernetes"):
            require_shared_by_pods(alone, cluster)


def require_shared_by_pods(alone: Subject, cluster: Cluster) -> None:
    status, said = alone.deployer.status("toy"), r"50% of the requests \(1 of 2 pods\).*diverge"
    assert status is not None
    with asked(alone, status.url) as load, pytest.raises(DeploymentError, match=said):
        alone.deploy(2, rollout=trial())
    assert load.failures == []
    assert 0 < reports(alone)[-1].harmed_requests <= load.counts[2]
    require_serving(alone, cluster, 1)


@pytest.mark.thorough  # the same trial on another kind of pod
def test_kserve_shares_by_a_gateway_too(tmp_path: Path) -> None:
    folder = tmp_path / "endpoints"
    with fake_cluster(tmp_path, tmp_path / "cluster") as cluster:
        gateway, url = by_gateway(cluster)
        for served in pods_of(cluster, folder, tmp_path, "kserve", gateway=gateway):
            with asked(served, url) as load:
                assert served.deploy(SAME, rollout=trial(weights=(0.3,))).model_version == SAME
            assert (load.failures, load.versions) == ([], {1, SAME})
            require_serving(served, cluster, SAME)


def test_a_gateway_that_does_not_admit_the_route_says_so(tmp_path: Path) -> None:
    settings = {"gateway": {"name": "private", "namespace": "gateways"}}
    said = r"'private' refuses the route toy: NotAllowedByListeners.*admit routes of this namespace"
    with fake_cluster(tmp_path, tmp_path / "cluster") as cluster:
        cluster.gateways.add("private", "gateways", ("other",))
        with pytest.raises(DeploymentError, match=said):
            next(pods_of(cluster, tmp_path / "endpoints", tmp_path, "kubernetes", **settings))
        wait_for("nothing left", lambda: not cluster.pods(), 30)
