"""One trial of `benchmarks.canary`, judged by the test and by what stood in its place before."""

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.canary.worlds import REQUESTS, Stream
from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.ml.evaluation.canary import divergence, objection
from mlops_assets.records.rollout import Observed, Sighting, to_three_digits

LATEST = 1000


class Caught(NamedTuple):
    """When a rule wanted the candidate away: after how many requests, and how many of its own."""

    requests: int
    candidate: int


@dataclass
class Seen:
    """What one version did so far, as a worker counts it now and counted it before."""

    requests: int = 0
    errors: int = 0
    seconds: Counter[float] = field(default_factory=Counter)
    scores: Counter[float] = field(default_factory=Counter)
    latest_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))
    latest_scores: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))

    def add(self, stream: Stream, rows: np.ndarray) -> None:
        """Count these requests."""
        self.requests += len(rows)
        self.errors += int(stream.failed[rows].sum())
        answered = rows[~stream.failed[rows]]
        if stream.seconds is not None:
            self._value(self.seconds, self.latest_seconds, stream.seconds[answered])
        if stream.scores is not None:
            self._value(self.scores, self.latest_scores, stream.scores[answered])

    def _value(self, counts: Counter[float], latest: deque[float], values: np.ndarray) -> None:
        rounded = [*map(to_three_digits, values)]
        latest.extend(rounded)
        counts.update(rounded)

    def observed(self) -> Observed:
        """For the test."""
        return Observed.model_construct(
            requests=self.requests, errors=self.errors, seconds=self.seconds, scores=self.scores
        )


def thresholds(primary: Seen, candidate: Seen, settings: RolloutSettings) -> bool:
    """Whether the rule before this one would have taken the candidate away."""
    limits = settings.limits
    enough = min(primary.requests, candidate.requests) >= settings.min_requests
    rates = (one.errors / one.requests if one.requests else 0.0 for one in (primary, candidate))
    before, now = rates
    if now - before > limits.error_increase and (enough or candidate.errors >= 5):
        return True
    if not enough:
        return False
    if primary.latest_seconds and candidate.latest_seconds:
        before, now = (
            np.percentile(np.array(one.latest_seconds), 99) for one in (primary, candidate)
        )
        if now > limits.latency_ratio * before + limits.latency_slack_seconds:
            return True
    if not primary.latest_scores or not candidate.latest_scores:
        return False
    distance = divergence(Counter(primary.latest_scores), Counter(candidate.latest_scores))[1]
    return distance > limits.score_divergence


def looks() -> list[int]:
    """After how many requests the verdict is asked for."""
    found, at = [0], 10
    while at <= REQUESTS:
        found.append(at)
        at += max(10, at // 50)
    return found


def trial(stream: Stream, settings: RolloutSettings) -> tuple[Caught | None, Caught | None]:
    """When the fixed thresholds and the test took the candidate away; None where they never did."""
    primary, candidate = Seen(), Seen()
    by_thresholds = by_test = None
    for start, end in pairwise(looks()):
        rows, chosen = np.arange(start, end), stream.to_candidate[start:end]
        primary.add(stream, rows[~chosen])
        candidate.add(stream, rows[chosen])
        caught = Caught(end, candidate.requests)
        if by_thresholds is None and thresholds(primary, candidate, settings):
            by_thresholds = caught
        seen = Sighting.model_construct(primary=primary.observed(), candidate=candidate.observed())
        if by_test is None and objection(seen, settings):
            by_test = caught
        if by_thresholds and by_test:
            break
    return by_thresholds, by_test
