"""One trial of `benchmarks.canary`, judged by the test and by what stood in its place before."""

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.canary.worlds import REQUESTS, Stream
from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.ml.evaluation.canary import divergence, lack, objection
from mlops_assets.records.rollout import Observed, Sighting, to_three_digits

LATEST = 1000


class When(NamedTuple):
    """When a rule decided: after how many requests to both, and how many of the candidate."""

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


class Outcome(NamedTuple):
    """What one rule made of a trial; None for never."""

    caught: When | None = None
    passed: When | None = None
    """When it first could have let a step pass that has no length, before it caught anything."""

    def after(self, now: When, *, objects: bool, passes: bool) -> "Outcome":
        """The same after one more look."""
        if self.caught is None and objects:
            return self._replace(caught=now)
        if self.caught is None and self.passed is None and passes:
            return self._replace(passed=now)
        return self


def trial(stream: Stream, settings: RolloutSettings) -> tuple[Outcome, Outcome]:
    """Of the fixed thresholds and of the test; both go on to the end, or until both caught it."""
    primary, candidate = Seen(), Seen()
    before, now = Outcome(), Outcome()
    for start, end in pairwise(looks()):
        rows, chosen = np.arange(start, end), stream.to_candidate[start:end]
        primary.add(stream, rows[~chosen])
        candidate.add(stream, rows[chosen])
        when = When(end, candidate.requests)
        if before.caught is None:
            enough = min(primary.requests, candidate.requests) >= settings.min_requests
            objects = thresholds(primary, candidate, settings)
            before = before.after(when, objects=objects, passes=enough)
        if now.caught is None:
            both = primary.observed(), candidate.observed()
            seen = Sighting.model_construct(primary=both[0], candidate=both[1])
            passes = now.passed is None and not lack(seen, settings)
            now = now.after(when, objects=bool(objection(seen, settings)), passes=passes)
        if before.caught and now.caught:
            break
    return before, now
