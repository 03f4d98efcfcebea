"""What a worker answers by: one version, ready; on trial also what is counted of it."""

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from mlops_assets.records.rollout import Observed, Role, to_three_digits
from mlops_assets.records.serving import Manifest
from mlops_assets.serving.online.lookup import OnlineLookup
from mlops_assets.serving.version.model import LoadedModel
from mlops_assets.serving.version.prediction_log import PredictionLogWriter
from mlops_assets.serving.wire.http import RequestError
from mlops_assets.serving.wire.requests import RequestDecoder

QUICK_ROWS = 16
"""ONNX Runtime computes so many in some 0.1 ms; to hand them to a thread and back costs 0.1-0.6."""
QUICK_SECONDS = sys.getswitchinterval()
"""More rows too, if they likely take no longer: as long a thread would keep the GIL (5 ms). Of one
client, 100 entities cost 3.4 ms by a thread and 1.8 at once."""
_NO_FAULT = (404, 409, 507)
"""Statuses of what the features or the log lack, whichever version is asked."""


class Pace:
    """How long a version takes for a row, as in the newest request of more than `QUICK_ROWS`."""

    def __init__(self) -> None:
        self.seconds_per_row = float("inf")

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a request; one that was interrupted only sends the next one to a thread."""
        if rows > QUICK_ROWS:
            self.seconds_per_row = seconds / rows


class Tally:
    """What a worker saw of one version during a trial."""

    def __init__(self) -> None:
        self.requests = self.errors = 0
        self._seconds: Counter[float] = Counter()
        self._scores: Counter[float] = Counter()

    def answered(self, seconds: float, predictions: list[dict[str, Any]]) -> None:
        """Count a request that the version computed."""
        self.requests += 1
        self._seconds[to_three_digits(seconds)] += 1
        for one in predictions:
            if "error" not in one:
                shares = one.get("probabilities")
                score = max(shares.values()) if shares else one["prediction"]
                self._scores[to_three_digits(score)] += 1

    def failed(self, err: BaseException) -> None:
        """Count a request that it could not."""
        if isinstance(err, RequestError) and err.status in _NO_FAULT:
            return
        self.requests += 1
        self.errors += 1

    def sighting(self) -> Observed:
        """All of it; for any thread."""
        errors = self.errors  # first: never more than the requests, though both go on
        return Observed(
            requests=self.requests,
            errors=errors,
            seconds=dict(self._seconds),
            scores=dict(self._scores),
        )


@dataclass(frozen=True)
class Active:
    """All that a request needs; never changed, only replaced."""

    manifest: Manifest
    model: LoadedModel
    online: OnlineLookup
    decoder: RequestDecoder
    log: PredictionLogWriter
    role: Role = "primary"
    weight: float = 1.0
    candidate: "Active | None" = None
    """A version on trial beside this one; both then have a tally."""
    tally: Tally | None = None
    pace: Pace = field(default_factory=Pace)

    def is_quick(self, rows: int) -> bool:
        """Whether so many rows of features are predicted and logged in less than a thread costs."""
        by_onnx = self.model.servable.inference.runtime == "onnxruntime"
        is_short = rows <= QUICK_ROWS or rows * self.pace.seconds_per_row <= QUICK_SECONDS
        return by_onnx and is_short and self.manifest.log.fsync != "request"

    def by_features(self) -> "Active":
        """For requests that bring their features: without a candidate that takes others."""
        other = self.candidate
        if other is None or other.model.servable.features == self.model.servable.features:
            return self
        return replace(self, candidate=None, tally=None)
