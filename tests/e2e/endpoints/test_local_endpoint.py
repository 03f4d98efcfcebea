"""A real local BentoML server: swaps under load, rejections, kills, and what HTTP answers."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from mlops_assets.blocks.operation import RateLimitSettings
from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.cli.endpoints import brought_up
from mlops_assets.errors import DeploymentError
from mlops_assets.records.serving import Endpoint
from mlops_assets.runtime.telemetry import SWITCHES
from resources.deployment import EndpointTargets
from resources.endpoints.client import request
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.process import EndpointProcess
from resources.prediction_log.log import PredictionLog
from tests.support.served.broken_code import redeploy_with_broken_code
from tests.support.served.live_endpoints import (
    EVER,
    KeptLoad,
    Load,
    Subject,
    build_versions,
    chunked,
    publish,
)
from tests.support.served.served_models import VIEW, with_content
from tests.support.servers import kill_all_with

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> EndpointTargets:
    return EndpointTargets(root=str(tmp_path_factory.mktemp("local") / "endpoints"))


@pytest.fixture(scope="module")
def subject(local: EndpointTargets) -> Generator[Subject]:
    """One running endpoint for all tests of this module, in their order."""
    folder = Path(local.root).parent
    subject = Subject(local, build_versions(folder), publish(folder), workers=2)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("A_SECRET", "of the starter")
        subject.deploy(1)
        yield subject
    local.stop("toy")


@pytest.fixture
def process(subject: Subject, local: EndpointTargets) -> EndpointProcess:
    return EndpointProcess(Path(local.root, "toy").resolve())


@pytest.fixture
def log(local: EndpointTargets) -> PredictionLog:
    return PredictionLog(endpoints=local.root, root=str(Path(local.root).with_name("log")))


def live(local: EndpointTargets) -> Endpoint:
    """The endpoint, which must answer."""
    found = local.status("toy")
    assert found is not None
    return found


def test_http_statuses_of_the_real_server(subject: Subject, local: EndpointTargets) -> None:
    status = live(local)

    def post(path: str, body: bytes) -> tuple[int, str]:
        code, answer = request(status.url, "POST", path, body)
        return code, json.loads(answer)["error"]["code"]

    assert post("/predict", b"{") == (400, "not_json")
    assert post("/predict", b'{"entities": ["x"]}') == (422, "invalid_request")
    assert post("/predict", b'{"entities": [3, 99]}') == (404, "unknown_entity")
    assert post("/predict", b'{"entities": [3]}') == (409, "stale_features")
    nan = b'{"rows":[{"spend":NaN,"class":"x"}]}'
    assert post("/predict_features", nan) == (422, "invalid_request")
    assert request(status.url, "GET", "/readyz", None)[0] == 200
    assert request(status.url, "GET", "/nothing", None)[0] == 404
    assert chunked(status.url, subject.settings.max_body_bytes) == 413


def test_swaps_and_a_rejection_lose_no_request_and_mix_no_answer(
    subject: Subject, local: EndpointTargets, process: EndpointProcess
) -> None:
    status = live(local)
    pids = process.workers()
    with Load(subject, status.url) as load, KeptLoad(subject, status.url) as kept:
        for version in (2, 1, 2, 1, 2, 1, 2, 1, 2):
            assert subject.deploy(version).model_version == version
        with pytest.raises(DeploymentError) as refused:
            subject.deploy(3)
    assert "toy version 3 was not deployed: the model file is damaged" in str(refused.value)
    assert "Version 2 serves again." in str(refused.value)
    assert (load.failures, kept.failures, load.wrong, kept.wrong) == ([], [], [], [])
    assert load.answers > 50
    assert load.versions == kept.versions == {1, 2}
    assert sorted(process.workers()) == sorted(pids)


def test_metrics_are_summed_over_the_workers(subject: Subject, local: EndpointTargets) -> None:
    subject.deploy(1)
    status = live(local)

    def count() -> float:
        text = request(status.url, "GET", "/metrics", None)[1].decode()
        start = 'model_predictions_total{model_name="toy",version="1"} '
        (line,) = [line for line in text.splitlines() if line.startswith(start)]
        return float(line.removeprefix(start))

    before = count()
    for _ in range(20):
        subject.ask()
    assert count() == before + 20


def test_a_rate_is_counted_over_the_workers(subject: Subject) -> None:
    url = subject.deploy(1, rate_limit=RateLimitSettings(per_second=0.01, burst=20)).url

    def ask(_: int) -> int:
        return request(url, "POST", "/predict", b'{"entities": [1]}')[0]

    with ThreadPoolExecutor(8) as clients:
        statuses = Counter(clients.map(ask, range(60)))
    assert statuses == {200: 20, 429: 40}
    subject.deploy(1)
    assert ask(0) == 200


def test_another_moment_of_age_is_taken_up_without_a_restart(
    subject: Subject, local: EndpointTargets, process: EndpointProcess
) -> None:
    pids, online = process.workers(), subject.online
    newest = online.as_of
    assert newest is not None
    try:
        moved = online.model_copy(update={"as_of": newest - VIEW.ttl / 2})
        local.redeploy("toy", 1, subject.settings, moved)
        assert len(local.predict("toy", [3])) == 1
        subject.online = online.model_copy(update={"as_of": None})  # the time of the request
        subject.deploy(1)
        with pytest.raises(DeploymentError, match="answered 409"):
            local.predict("toy", [1])
    finally:
        subject.online = online
        subject.deploy(1)
    with pytest.raises(DeploymentError, match="answered 409"):
        local.predict("toy", [3])
    assert sorted(process.workers()) == sorted(pids)


def test_it_recovers_from_a_deployment_that_was_killed_midway(
    subject: Subject, process: EndpointProcess
) -> None:
    pids, folder = process.workers(), EndpointFolder(process.folder)
    built = subject.versions[3]
    version = folder.stage(built.servable, built.model_file, built.recorded)
    folder.write(folder.wanted(built.servable, version, subject.online, subject.settings))
    (version.parent / ".staging-left").mkdir()

    assert subject.deploy(1).model_version == 1

    (process.folder / "deployment.json").write_text("{")
    assert subject.deploy(2).model_version == 2
    assert subject.ask() == pytest.approx(subject.recorded(2)[1], abs=1e-9)
    assert sorted(process.workers()) == sorted(pids)


def test_a_killed_worker_is_replaced_within_2_seconds_and_loses_no_acknowledged_row(
    subject: Subject, local: EndpointTargets, process: EndpointProcess, log: PredictionLog
) -> None:
    status = live(local)
    before = process.workers()
    with four_clients(subject, status.url) as clients:
        time.sleep(0.3)
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + 2
        while len(set(process.workers()) - set(before)) < 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
    assert len(process.workers()) == len(before)
    assert set(process.workers()) != set(before)
    failures = [failure for client in clients for failure in client.failures]
    assert len(failures) <= len(clients)  # what that worker was answering when it died
    assert min(client.answers for client in clients) > 10  # none hung
    require_logged(log, clients)


def test_a_new_generation_takes_over_without_a_failed_request(
    subject: Subject, local: EndpointTargets, process: EndpointProcess
) -> None:
    status = live(local)
    before = process.workers()
    subject.settings = subject.settings.model_copy(update={"workers": 1})
    with Load(subject, status.url) as load, KeptLoad(subject, status.url) as kept:
        assert subject.deploy(2).workers == 1
        time.sleep(0.5)
    assert (load.failures, kept.failures) == ([], [])
    assert len(process.workers()) == 1
    assert not set(process.workers()) & set(before)


def test_a_canary_is_promoted_or_rolled_back_with_the_harm_counted(
    subject: Subject, local: EndpointTargets, process: EndpointProcess
) -> None:
    subject.deploy(1)
    status = live(local)
    same, first = 4, subject.versions[1]
    subject.versions[same] = with_content(first, first.model_file.read_bytes(), same)
    canary = RolloutSettings(
        strategy="canary", weights=(0.2, 0.6), step=timedelta(seconds=1), min_requests=30
    )
    with Load(subject, status.url) as load:
        assert subject.deploy(same, rollout=canary).model_version == same
        with pytest.raises(DeploymentError, match="canary with 20% of the requests was stopped"):
            subject.deploy(2, rollout=canary)
    passed, failed = map(json.loads, (process.folder / "rollouts.jsonl").read_text().splitlines())
    assert (passed["passed"], passed["harmed_requests"]) == (True, 0)
    assert (failed["passed"], failed["to_version"]) == (False, 2)
    assert "its scores diverge by 1.00" in failed["reason"]
    assert load.failures == []
    assert load.versions == {1, 2, same}
    assert failed["harmed_requests"] == load.counts[2]
    assert live(local).model_version == same


def test_a_generation_that_does_not_start_leaves_the_old_one_serving(
    subject: Subject, local: EndpointTargets, process: EndpointProcess, tmp_path: Path
) -> None:
    status, workers = live(local), process.workers()
    with Load(subject, status.url) as load:
        said = redeploy_with_broken_code(tmp_path, subject, status.model_version)
    assert "a_library_that_is_not_installed" in said
    assert f"Version {status.model_version} serves again." in said
    assert (load.failures, load.versions) == ([], {status.model_version})
    assert sorted(process.workers()) == sorted(workers)


def test_up_after_a_kill_of_everything_serves_the_same_and_nothing_was_lost(
    subject: Subject,
    local: EndpointTargets,
    process: EndpointProcess,
    log: PredictionLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = live(local)
    with four_clients(subject, before.url) as clients:
        time.sleep(0.5)
        kill_all_with("MLOPS_ENDPOINT", str(process.folder))
    assert local.status("toy") is None
    (written,) = sorted((process.folder / "predictions").glob("*.jsonl"), key=os.path.getmtime)[-1:]
    with written.open("ab") as file:
        file.write(b'{"request_id": "cut o')  # as a loss of power may leave it
    monkeypatch.setenv("MLOPS_ENDPOINTS", local.root)

    (found,) = brought_up([])
    assert found.said == f"toy: version {before.model_version} at {before.url}"

    require_logged(log, clients)
    assert log.compact("toy").torn_lines == 1
    require_logged(log, clients)
    subject.deploy(1)
    status = live(local)
    assert (status.model_version, status.workers) == (1, subject.settings.workers)
    assert subject.ask() == pytest.approx(subject.recorded(1)[1], abs=1e-9)


@contextmanager
def four_clients(subject: Subject, url: str) -> Generator[list[Load]]:
    with ExitStack() as stack:
        kinds = (Load, Load, KeptLoad, KeptLoad)
        yield [stack.enter_context(kind(subject, url)) for kind in kinds]


def require_logged(log: PredictionLog, clients: list[Load]) -> None:
    acknowledged = {one for client in clients for one in client.acknowledged}
    assert len(acknowledged) > 50
    assert acknowledged <= set(log.read("toy", *EVER)["request_id"])


def test_a_worker_that_reads_the_online_table_holds_no_feature_store(
    process: EndpointProcess,
) -> None:
    (pid,) = process.workers()
    libraries = [one.path for one in psutil.Process(pid).memory_maps() if ".so" in one.path]
    assert any("sqlite3" in path for path in libraries)
    assert [path for path in libraries if "/duckdb" in path or "/google/_upb" in path] == []


def test_the_server_knows_no_secret_of_its_starter(process: EndpointProcess) -> None:
    (pid,) = process.workers()
    environment = psutil.Process(pid).environ()
    assert "A_SECRET" not in environment
    assert SWITCHES.items() <= environment.items()
