"""What is counted of a version while two stand beside each other."""

from collections import deque
from typing import Any

from mlops_assets.records.rollout import Observed
from mlops_assets.serving.wire.http import RequestError

_LATEST = 1000


_NO_FAULT = (404, 409, 507)
"""Statuses of what the features or the log lack, whichever version is asked."""


class Tally:
    """What a worker saw of one version during a trial."""

    def __init__(self) -> None:
        self.requests = self.errors = 0
        self._seconds: deque[float] = deque(maxlen=_LATEST)
        self._scores: deque[float] = deque(maxlen=_LATEST)

    def answered(self, seconds: float, predictions: list[dict[str, Any]]) -> None:
        """Count a request that the version computed."""
        self.requests += 1
        self._seconds.append(seconds)
        self._scores.extend(_score(one) for one in predictions if "error" not in one)

    def failed(self, err: BaseException) -> None:
        """Count a request that it could not."""
        if isinstance(err, RequestError) and err.status in _NO_FAULT:
            return
        self.requests += 1
        self.errors += 1

    def sighting(self) -> Observed:
        """All of it; for any thread."""
        return Observed(
            requests=self.requests,
            errors=self.errors,
            seconds=tuple(self._seconds.copy()),
            scores=tuple(self._scores.copy()),
        )


def _score(prediction: dict[str, Any]) -> float:
    shares = prediction.get("probabilities")
    return max(shares.values()) if shares else prediction["prediction"]
