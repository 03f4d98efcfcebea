"""What every deployer must do: the fake, and real BentoML servers on this machine and as pods."""

import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from mlops_assets.errors import DeploymentError, PortInUseError
from resources.deployment import EndpointTargets
from resources.endpoints.deployer import EndpointDeployer
from tests.support.cluster.clusters import fake_cluster, in_cluster
from tests.support.fakes.deployment import FakeDeployment
from tests.support.served.live_endpoints import Subject, build_versions, publish
from tests.support.served.served_models import ONLINE
from tests.worlds.effort import few_in_the_gate

pytestmark = pytest.mark.e2e


CLUSTERS = ["kubernetes", "kserve"]


@pytest.fixture(
    scope="module",
    params=few_in_the_gate(["fake", "local", *CLUSTERS], "fake", "local", "kubernetes"),
)
def subject(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Subject]:
    """One endpoint for all tests of this module, in their order: each start costs seconds."""
    folder = tmp_path_factory.mktemp("deployment")
    deployer: EndpointDeployer = EndpointTargets(root=str(folder / "endpoints"))
    if request.param == "fake":
        fake = FakeDeployment(root=str(folder / "endpoints"))
        fresh = ONLINE[:2]
        fake.know({e: {"spend": None if s != s else s, "class": c} for e, _, s, c in fresh})
        deployer = fake
    subject = Subject(deployer, build_versions(folder), publish(folder))
    with ExitStack() as stack:
        if request.param in CLUSTERS:
            stack.enter_context(fake_cluster(folder, folder / "cluster"))
            subject.settings = in_cluster(subject.settings, request.param)
        yield subject
        end(subject)


def end(subject: Subject) -> None:
    subject.deployer.stop("toy")
    subject.deployer.stop("toy")  # also when nothing runs
    assert subject.deployer.status("toy") is None


def test_nothing_answers_before_the_first_deployment(subject: Subject) -> None:
    assert subject.deployer.status("toy") is None
    with pytest.raises(DeploymentError, match="no endpoint of 'toy' runs"):
        subject.deployer.predict("toy", [1])


def test_a_used_port_is_refused_before_anything_is_written(subject: Subject) -> None:
    if subject.settings.target != "local":
        pytest.skip("every pod and every Service has an address of its own")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{port}.*deployment\.port"):
            subject.deploy(1, port=port)
    written = {path.name for path in Path(subject.deployer.root, "toy").iterdir()}
    assert written == {"deploy.lock"}


def test_a_first_version_that_cannot_be_loaded_leaves_nothing_running(subject: Subject) -> None:
    with pytest.raises(DeploymentError):
        subject.deploy(3)
    assert subject.deployer.status("toy") is None


def test_a_deployed_version_answers_as_recorded(subject: Subject) -> None:
    endpoint = subject.deploy(1)

    assert (endpoint.model_name, endpoint.model_version) == ("toy", 1)
    assert (endpoint.generation, endpoint.workers) == (1, 1)
    assert endpoint.url.startswith("http://127.0.0.1:")
    assert subject.deployer.status("toy") == endpoint
    assert subject.ask() == pytest.approx(subject.recorded(1)[1], abs=1e-9)


def test_the_same_deployment_again_changes_nothing(subject: Subject) -> None:
    assert subject.deploy(1) == subject.deployer.status("toy")
    assert subject.deploy(1).generation == 1


def test_entities_are_looked_up(subject: Subject) -> None:
    second, first = subject.deployer.predict("toy", [2, 1])
    assert (second["customer_id"], first["customer_id"]) == (2, 1)
    (expected,) = subject.deployer.predict_features("toy", [{"spend": None, "class": "y"}])
    assert second["prediction"] == expected["prediction"]
    assert second["features_as_of"]


def test_an_unknown_entity_does_not_refuse_the_others(subject: Subject) -> None:
    unknown, known = subject.deployer.predict("toy", [99, 1])
    assert (unknown["customer_id"], unknown["error"]["code"]) == (99, "unknown_entity")
    assert "prediction" not in unknown
    assert known == subject.deployer.predict("toy", [1])[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda d: d.predict("toy", []),
        lambda d: d.predict("toy", ["1"]),
        lambda d: d.predict("toy", [98, 99]),
        lambda d: d.predict("toy", [3]),
        lambda d: d.predict("toy", [1] * 6),
        lambda d: d.predict_features("toy", []),
        lambda d: d.predict_features("toy", [{"spend": 1.0}]),
        lambda d: d.predict_features("toy", [{"spend": "1", "class": "x"}]),
        lambda d: d.predict_features("toy", [{"spend": 1.0, "class": "x", "more": 1}]),
    ],
)
def test_bad_requests_are_refused(
    subject: Subject, call: Callable[[EndpointDeployer], object]
) -> None:
    with pytest.raises(DeploymentError, match="answered 4"):
        call(subject.deployer)


def test_a_rejected_version_leaves_the_good_one(subject: Subject) -> None:
    subject.deploy(2)
    before = subject.deployer.status("toy")
    assert before is not None
    with pytest.raises(DeploymentError):
        subject.deploy(3)
    after = subject.deployer.status("toy")
    assert after is not None
    assert after.model_version == 2
    assert after.generation >= before.generation
    assert subject.ask() == pytest.approx(subject.recorded(2)[1], abs=1e-9)


def test_a_version_that_must_not_stay_after_all_leaves_the_good_one(subject: Subject) -> None:
    subject.deploy(2)
    tried: list[int] = []

    def confirm() -> None:
        tried.append(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        subject.deploy(1, confirm)
    after = subject.deployer.status("toy")
    assert tried == [1]
    assert after is not None
    assert after.model_version == 2
    assert subject.ask() == pytest.approx(subject.recorded(2)[1], abs=1e-9)


def test_what_serves_already_is_confirmed_too(subject: Subject) -> None:
    called: list[str] = []
    subject.deploy(2)
    generation = subject.deploy(2, lambda: called.append("deployed")).generation
    again = partial(subject.deployer.redeploy, "toy", 2, subject.settings)
    assert again(confirm=lambda: called.append("again")).generation == generation
    assert called == ["deployed", "again"]


def test_rolling_back_is_deploying_the_older_version(subject: Subject) -> None:
    generation = subject.deploy(2).generation
    endpoint = subject.deploy(1)
    assert endpoint.model_version == 1
    assert endpoint.generation > generation
    assert subject.ask() == pytest.approx(subject.recorded(1)[1], abs=1e-9)


def test_a_version_is_deployed_again_from_its_kept_files(subject: Subject) -> None:
    subject.deploy(1)
    generation = subject.deploy(2).generation
    endpoint = subject.deployer.redeploy("toy", 1, subject.settings)
    assert endpoint.model_version == 1
    assert endpoint.generation > generation
    assert subject.deployer.status("toy") == endpoint
    assert subject.ask() == pytest.approx(subject.recorded(1)[1], abs=1e-9)
    assert not subject.deployer.stopped("toy")
    subject.deployer.stop("toy")
    assert subject.deployer.stopped("toy")
    assert subject.deployer.redeploy("toy", 2, subject.settings).model_version == 2
    assert not subject.deployer.stopped("toy")
    assert subject.ask() == pytest.approx(subject.recorded(2)[1], abs=1e-9)


def test_a_version_that_was_never_deployed_is_refused(subject: Subject) -> None:
    before = subject.deployer.status("toy")
    with pytest.raises(DeploymentError, match=r"version 9 was never deployed.*1, 2"):
        subject.deployer.redeploy("toy", 9, subject.settings)
    assert subject.deployer.status("toy") == before
