"""One test for each fault that was reproduced in BentoML 1.4.39: our endpoints do not have it.

1. A batch of another shape takes a worker's semaphore for good: every later call is a 504.
2. A second server with the same BENTOML_HOME deletes the first one's metrics.
3. `kill -9` of the arbiter leaves workers that hold the port.
4. In a container a dead worker is not replaced, and `/livez` hides it.
5. A reload restarts all workers at once: seconds of stall; one that cannot start hangs the clients.
6. Each unknown path makes a series of its own.
7. A dead worker's gauges stay, with its pid.
8. A second monitor in the process takes over the first one's file; its request ids are not those
   that clients get, and its times have no zone.
9. An answer is sent in three chunks, of no known length.

Two models' endpoints on one machine, asked through the deployer and over HTTP only, so that the
tests hold whatever manages the processes.
"""

import http.client
import json
import os
import signal
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
import pytest

from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.serving import Endpoint
from mlops_assets.serving.version.prediction_log import PredictionLogWriter
from resources.deployment import EndpointTargets
from resources.endpoints.client import request
from resources.endpoints.process import EndpointProcess
from resources.prediction_log.log import PredictionLog
from tests.support.served.live_endpoints import EVER, Load, Subject, build_versions, publish
from tests.support.served.served_models import Built
from tests.support.servers import alive_with, listens, wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> EndpointTargets:
    return EndpointTargets(root=str(tmp_path_factory.mktemp("faults") / "endpoints"))


@pytest.fixture(scope="module")
def subject(local: EndpointTargets) -> Generator[Subject]:
    folder = Path(local.root).parent
    subject = Subject(local, build_versions(folder), publish(folder), workers=2)
    with pytest.MonkeyPatch.context() as environment:
        # In a container BentoML gives up a worker that died, and says that all is well.
        environment.setenv("BENTOML_CONTAINERIZED", "true")
        subject.deploy(1)
        yield subject
    local.stop("toy")


@pytest.fixture(scope="module")
def url(subject: Subject) -> str:
    return f"http://127.0.0.1:{subject.settings.port}"


@pytest.fixture(scope="module")
def neighbour(subject: Subject, local: EndpointTargets, url: str) -> Generator[Endpoint]:
    """Another model's endpoint, started while the first one has something to lose."""
    subject.ask()
    built = subject.versions[1]
    servable = built.servable.model_copy(update={"model_name": "other"})
    other = Subject(local, {1: replace(built, servable=servable)}, subject.online)
    yield other.deploy(1)
    local.stop("other")


@pytest.fixture
def process(local: EndpointTargets) -> EndpointProcess:
    return EndpointProcess(Path(local.root, "toy").resolve())


def predictions(url: str, model: str = "toy") -> float:
    """How many the endpoint says it answered, over all versions."""
    lines = request(url, "GET", "/metrics", None)[1].decode().splitlines()
    start = f'model_predictions_total{{model_name="{model}"'
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))


def body(built: Built, rows: int) -> bytes:
    return json.dumps({"rows": [one.features for one in built.recorded[:rows]]}).encode()


def test_1_batches_beside_each_other_do_not_block_a_worker_for_good(
    subject: Subject, url: str
) -> None:
    good = [body(subject.versions[1], rows) for rows in (1, 2, 5)]
    bad = [b'{"rows": [{"spend": [1], "class": {}}]}', b'{"rows": []}', b'{"rows"']

    def ask(content: bytes) -> int:
        return request(url, "POST", "/predict_features", content, 10)[0]

    with ThreadPoolExecutor(8) as clients:
        statuses = list(clients.map(ask, [*good, *bad] * 20))

    assert statuses == [200, 200, 200, 422, 422, 400] * 20
    assert ask(good[0]) == 200


def test_2_two_endpoints_do_not_wipe_or_show_each_others_metrics(
    url: str, neighbour: Endpoint
) -> None:
    assert predictions(url) > 0
    assert predictions(url, "other") == predictions(neighbour.url) == 0
    before = predictions(neighbour.url, "other")
    request(neighbour.url, "POST", "/predict", b'{"entities": [1]}')
    assert predictions(neighbour.url, "other") == before + 1
    assert predictions(url, "other") == 0


def test_4_a_dead_worker_is_replaced_and_none_hides_it(
    subject: Subject, local: EndpointTargets, process: EndpointProcess
) -> None:
    before = process.workers()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)

    wait_for("a second worker", lambda: len(set(process.workers()) - {before[0]}) == 2, 30)
    wait_for("its answer", lambda: local.status("toy") is not None, 30)
    assert subject.ask() == pytest.approx(subject.recorded(1)[1], abs=1e-9)


def test_5_a_version_that_cannot_start_costs_no_stall_and_no_request(
    subject: Subject, url: str, process: EndpointProcess
) -> None:
    workers = process.workers()
    with Load(subject, url) as load, pytest.raises(DeploymentError, match="Version 1 serves again"):
        subject.deploy(3)

    assert load.failures == []
    assert load.versions == {1}
    assert sorted(process.workers()) == sorted(workers)


def test_6_what_a_client_makes_up_makes_no_series(url: str) -> None:
    def names() -> set[str]:
        text = request(url, "GET", "/metrics", None)[1].decode()
        return {line.rsplit(" ", 1)[0] for line in text.splitlines()}

    before = names()
    for number in range(30):
        request(url, "GET", f"/nope/{number}", None)
        request(url, "POST", f"/predict?made_up={number}", b"{")
        request(url, f"VERB{number}", "/predict", None)

    made = names() - before
    assert not [series for series in made if "nope" in series or "made_up" in series]
    assert len(made) <= 5  # e.g. a first refusal by its reason, never one for each request


def test_7_a_dead_worker_keeps_its_counts_and_leaves_no_series_of_its_own(
    subject: Subject, url: str, process: EndpointProcess
) -> None:
    for _ in range(10):
        subject.ask()
    before = predictions(url)
    victim = process.workers()[0]
    os.kill(victim, signal.SIGKILL)
    wait_for("another worker", lambda: len(set(process.workers()) - {victim}) == 2, 30)
    wait_for("an answer", lambda: request(url, "GET", "/readyz", None)[0] == 200, 30)

    assert predictions(url) == before
    assert f'pid="{victim}"' not in request(url, "GET", "/metrics", None)[1].decode()


def test_8_two_logs_do_not_take_each_others_rows(
    local: EndpointTargets, url: str, neighbour: Endpoint, tmp_path: Path
) -> None:
    ids: dict[str, list[str]] = {}
    for model, address in (("toy", url), ("other", neighbour.url), ("toy", url)):
        answer = request(address, "POST", "/predict", b'{"entities": [1, 2]}')[1]
        ids.setdefault(model, []).append(json.loads(answer)["request_id"])
    log = PredictionLog(endpoints=local.root, root=str(tmp_path))

    for model, own in ids.items():
        rows = log.read(model, *EVER)
        assert set(own) <= set(rows["request_id"]), "the id that the client got"
        others = {one for name, known in ids.items() if name != model for one in known}
        assert not others & set(rows["request_id"])
        times = rows[rows["request_id"].isin(own)]["logged_at"]
        assert (pd.Timestamp.now("UTC") - times).abs().max() < pd.Timedelta("1min")

    one, other = (PredictionLogWriter(tmp_path / name) for name in ("one", "other"))
    for writer, line in ((one, b"1\n"), (other, b"2\n"), (one, b"3\n")):
        writer.append(line, LogSettings())
    written = [(tmp_path / name).glob("*.jsonl") for name in ("one", "other")]
    assert [file.read_bytes() for files in written for file in files] == [b"1\n3\n", b"2\n"]


def test_9_an_answer_is_sent_in_one_piece_of_known_length(url: str) -> None:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("POST", "/predict", b'{"entities": [1]}')
        response = connection.getresponse()
        assert response.getheader("transfer-encoding") is None
        assert response.getheader("content-length") == str(len(response.read()))
    finally:
        connection.close()


def test_3_a_killed_manager_leaves_no_orphan_and_the_port_is_free_again(
    subject: Subject, local: EndpointTargets, process: EndpointProcess
) -> None:
    (template,) = {psutil.Process(pid).ppid() for pid in process.workers()}
    below = [psutil.Process(pid) for pid in (template, *process.workers())]
    os.kill(psutil.Process(template).ppid(), signal.SIGKILL)

    psutil.wait_procs(below, timeout=20)
    assert alive_with("MLOPS_ENDPOINT", str(process.folder)) == []
    assert not listens(subject.settings.port)
    assert local.status("toy") is None
    subject.deploy(1)
    found = local.status("toy")
    assert found is not None
    assert found.workers == 2
