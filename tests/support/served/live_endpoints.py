"""What the tests of real endpoints share: published features, versions, and a constant load."""

import itertools
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.serving import Endpoint, OnlineFeatures
from mlops_assets.serving.online.choice import choose_lookup
from resources.endpoints.client import request
from resources.endpoints.deployer import EndpointDeployer, nothing
from resources.feature_store import FeastFeatureStore
from tests.support.served.served_models import AS_OF, VIEW, Built, build, online_frame, with_content

EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def publish(folder: Path) -> OnlineFeatures:
    store = FeastFeatureStore(root=str(folder / "feast"))
    # Published under a longer time to live, or the stale entity would not be stored at all.
    store.publish(VIEW.model_copy(update={"ttl": timedelta(days=30)}), online_frame())
    online = OnlineFeatures(store=store.serving_config(VIEW), view=VIEW, as_of=AS_OF)
    return choose_lookup(online, [1, 2, 3])


def build_versions(folder: Path) -> dict[int, Built]:
    """Two good ones and, as version 3, a file that is no model."""
    first = build(folder, version=1)
    return {1: first, 2: build(folder, version=2), 3: with_content(first, b"not a model", 3)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Subject:
    """A deployer with an endpoint of its own."""

    def __init__(
        self,
        deployer: EndpointDeployer,
        versions: dict[int, Built],
        online: OnlineFeatures,
        workers: int = 1,
    ) -> None:
        self.deployer, self.online, self.versions = deployer, online, versions
        self.settings = DeploymentSettings(port=free_port(), workers=workers, max_rows=5)

    def deploy(
        self, version: int, confirm: Callable[[], None] = nothing, **settings: object
    ) -> Endpoint:
        built = self.versions[version]
        return self.deployer.deploy(
            built.servable,
            built.model_file,
            built.recorded,
            self.online,
            self.settings.model_copy(update=settings),
            confirm,
        )

    def recorded(self, version: int, row: int = 0) -> tuple[dict, float]:
        one = self.versions[version].recorded[row]
        return one.features, one.scores[0]

    def ask(self, row: int = 0) -> float:
        features, _ = self.recorded(1, row)
        (answer,) = self.deployer.predict_features("toy", [features])
        return answer["prediction"]


class Load(threading.Thread):
    """Asks one row over and over; remembers every answer that is not 200, and every other score."""

    def __init__(self, subject: Subject, url: str, row: int = 0, pause: float = 0.0) -> None:
        super().__init__()
        self._subject, self._row, self._pause = subject, row, pause
        self._body = json.dumps({"rows": [subject.recorded(1, row)[0]]}).encode()
        self._url, self.ends = url, threading.Event()
        self.answers, self.failures = 0, []
        self.wrong: list[dict] = []
        """Answers with a score that the version they name does not give."""
        self.acknowledged: list[str] = []
        """Ids of the requests that were answered 200."""
        self.counts: Counter[int] = Counter()
        """Answers of each version."""

    def run(self) -> None:
        while not self.ends.is_set():
            try:
                code, answer = request(self._url, "POST", "/predict_features", self._body)
            except DeploymentError as err:
                code, answer = 0, str(err).encode()
                time.sleep(0.01)  # nobody listens; do not spin
            self.take(code, answer)
            time.sleep(self._pause)

    def take(self, code: int, answer: bytes) -> None:
        """Remember an answer."""
        self.answers += 1
        if code != 200:
            self.failures.append(answer)
            return
        said = json.loads(answer)
        version = said["model_version"]
        self.counts[version] += 1
        self.acknowledged.append(said["request_id"])
        _, score = self._subject.recorded(version, self._row)
        allowed = self._subject.versions[version].servable.inference.tolerance
        if abs(said["predictions"][0]["prediction"] - score) > allowed:
            self.wrong.append(said)

    @property
    def versions(self) -> set[int]:
        return set(self.counts)

    def __enter__(self) -> "Load":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        self.join()


class KeptLoad(Load):
    """The same over one connection for as long as the server keeps it; it never sends twice."""

    def run(self) -> None:
        connection = HTTPConnection(self._url.removeprefix("http://"), timeout=30)
        while not self.ends.is_set():
            try:
                connection.request("POST", "/predict_features", self._body)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, HTTPException) as err:
                self.failures.append(repr(err).encode())
                connection.close()
                time.sleep(0.01)
                continue
            self.take(response.status, answer)
        connection.close()


def chunked(url: str, limit: int) -> int:
    """Send more than `limit` bytes without saying how many; the status code."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        chunks = itertools.repeat(b" " * 10_000, limit // 10_000 + 2)
        connection.request("POST", "/predict", chunks, encode_chunked=True)
        return connection.getresponse().status
    finally:
        connection.close()
