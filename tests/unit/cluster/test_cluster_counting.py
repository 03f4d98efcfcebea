"""What pods counted in a step, also those that are gone."""

from typing import Any

import pytest

from mlops_assets.errors import DeploymentError
from mlops_assets.records.rollout import Observed
from resources.cluster.api import ClusterApi, Object
from resources.cluster.trial import counting
from resources.cluster.trial.counting import PodCounts
from resources.endpoints.client import EndpointClient

READY = [{"type": "Ready", "status": "True"}]


class Pods(ClusterApi):
    """A cluster in which these pods are."""

    def __init__(self) -> None:
        super().__init__(None, "mlops")
        self.there: dict[str, Object] = {}
        self.counts: dict[str, int] = {}
        self.asked: list[str] = []

    def add(self, name: str, requests: int, restarts: int = 0, address: str = "10.0.0.1") -> None:
        status = {"conditions": READY, "podIP": address, "phase": "Running"}
        status["containerStatuses"] = [{"restartCount": restarts}]
        container = {"name": "endpoint", "ports": [{"containerPort": 8080}]}
        side_car = {"name": "istio-proxy"}
        self.there[name] = {
            "metadata": {"name": name, "uid": name},
            "spec": {"containers": [side_car, container]},
            "status": status,
        }
        self.counts[f"http://{address}:8080"] = requests

    def labelled(self, kind: str, labels: Any) -> list[Object]:
        return [*self.there.values()]

    def ask(self, url: str) -> EndpointClient:
        return Answers(url, self.counts)


class Answers(EndpointClient):
    """Has counted in step 701 alone."""

    def __init__(self, url: str, counts: dict[str, int]) -> None:
        super().__init__(url)
        self._counts = counts

    def counted(self, step: int) -> Observed:
        if self.url not in self._counts:
            raise DeploymentError(f"{self.url} does not answer: timed out.")
        return Observed(requests=self._counts[self.url] if step == 701 else 0)


def test_a_pod_that_is_gone_or_began_anew_is_still_counted() -> None:
    pods = Pods()
    counts = PodCounts(pods, {}, pods.ask)
    pods.add("a", 3)
    pods.add("b", 5, address="fd00::2")
    pods.counts["http://[fd00::2]:8080"] = 5
    counts.begin(701)
    assert counts.counted(701).requests == 8
    del pods.there["b"]
    pods.add("a", 2, restarts=1)
    assert counts.counted(701).requests == 3 + 5 + 2
    assert counts.counted(702).requests == 0, "a step counts from zero"


def test_a_pod_that_ends_keeps_what_it_said_last() -> None:
    pods = Pods()
    counts = PodCounts(pods, {}, pods.ask)
    pods.add("a", 3)
    counts.begin(701)
    pods.there["a"]["status"]["conditions"] = []
    pods.counts.clear()
    assert counts.counted(701).requests == 3


def test_a_pod_that_dies_as_it_is_asked_stops_no_trial() -> None:
    pods = Pods()
    pods.add("a", 3)
    pods.add("b", 5, address="10.0.0.2")
    del pods.counts["http://10.0.0.1:8080"]

    def ask(url: str) -> EndpointClient:
        if len(asked := pods.asked) == 2:  # its node notices only now
            pods.there["a"]["status"]["conditions"] = []
        asked.append(url)
        return pods.ask(url)

    counts = PodCounts(pods, {}, ask)
    counts.begin(701)
    assert pods.asked == ["http://10.0.0.1:8080"] * 3 + ["http://10.0.0.2:8080"]
    assert counts.counted(701).requests == 5


def test_who_reaches_no_pod_is_told_where_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "ANSWER_SECONDS", 0)
    pods = Pods()
    pods.add("a", 3)
    pods.counts.clear()
    with pytest.raises(DeploymentError, match=r"the pod a .*timed out.*in the cluster"):
        PodCounts(pods, {}, pods.ask).begin(701)
