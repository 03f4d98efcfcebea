"""Whether a candidate on trial does as well as the version beside it, from what both answered.

What both answered is counted by `serving.version.active`, who answers which request is
`serving.api.rollout`, and what follows from a verdict `resources.endpoints.rollout`. The verdict is
a test of each limit by `sequential`, so that it may be asked for at any moment: an equal version is
ever rejected with a probability of at most `false_alarm_rate`. That is divided among the steps of a
trial, the three limits, and all the places at which times or scores of three digits can be divided.
A step passes when the candidate looks no worse than the limits allow. In between it goes on.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from math import log
from typing import NamedTuple

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.ml.evaluation.sequential import Share, least_increase, log_evidence
from mlops_assets.records.rollout import Histogram, Sighting

_LIMITS = 3
"""Errors, latency and scores."""
_PLACES = 2 * 900 * 632
"""So many numbers of three digits there are: signs, digits, and a float's powers of ten."""
_TAIL = 0.01
"""The share of a version's answers that are slower than its 99th percentile."""


class _Found(NamedTuple):
    """One comparison: whether the candidate's share is higher by more than is allowed."""

    what: str
    primary: Share
    candidate: Share
    allowed: float
    places: int = 1
    """Among so many it was chosen after the requests were seen."""

    @property
    def increase(self) -> float:
        """As far as was seen, which may be chance."""
        return self.candidate.rate - self.primary.rate


def objection(seen: Sighting, settings: RolloutSettings) -> str | None:
    """Why the candidate must go, from one step; None while nothing is shown against it.

    Errors are judged from the first on, latency and scores from `min_requests` requests of both.
    """
    return next(filter(None, (_shown(one, settings) for one in _worse(seen, settings))), None)


def lack(seen: Sighting, settings: RolloutSettings) -> str | None:
    """What a step waits for: more requests, in all or of what looks worse; None if for nothing."""
    if not _is_enough(seen, settings):
        return (
            f"it had {seen.candidate.requests} requests and the other version "
            f"{seen.primary.requests}, each needs {settings.min_requests} a step"
        )
    for found in _worse(seen, settings):
        return (
            f"{found.what}: {100 * found.increase:.1f} percentage points more (allowed: "
            f"{100 * found.allowed:g}), which may be chance"
        )
    return None


def _worse(seen: Sighting, settings: RolloutSettings) -> Iterator[_Found]:
    """Every comparison in which the candidate looks worse."""
    found: list[_Found | None] = [_errors(seen, settings)]
    if _is_enough(seen, settings):
        found += [_latency(seen, settings), _scores(seen, settings)]
    return (one for one in found if one is not None and one.increase > one.allowed)


def _is_enough(seen: Sighting, settings: RolloutSettings) -> bool:
    return min(seen.primary.requests, seen.candidate.requests) >= settings.min_requests


def _errors(seen: Sighting, settings: RolloutSettings) -> _Found:
    primary, candidate = (Share(one.errors, one.requests) for one in (seen.primary, seen.candidate))
    what = f"{_of(candidate)} of its requests failed against {_of(primary)}"
    return _Found(what, primary, candidate, settings.limits.error_increase)


def _latency(seen: Sighting, settings: RolloutSettings) -> _Found | None:
    """How many answers took longer than what the other version's 99th percentile allows."""
    primary, candidate = seen.primary.seconds, seen.candidate.seconds
    if not primary or not candidate:
        return None
    limits = settings.limits
    before, now = (percentile(one, 1 - _TAIL) for one in (primary, candidate))
    limit = limits.latency_ratio * before + limits.latency_slack_seconds
    slow, others = _above(candidate, limit), _above(primary, limit)
    what = (
        f"its p99 latency is {now * 1000:.1f} ms against {before * 1000:.1f} ms, and {_of(slow)} "
        f"of its answers took longer than {limit * 1000:.1f} ms ({limits.latency_ratio:g} times "
        f"and {limits.latency_slack_seconds * 1000:g} ms more) against {_of(others)}"
    )
    return _Found(what, others, slow, _TAIL, _PLACES)


def _scores(seen: Sighting, settings: RolloutSettings) -> _Found | None:
    """How many scores are beyond the place where both versions differ most, to either side."""
    primary, candidate = seen.primary.scores, seen.candidate.scores
    if not primary or not candidate:
        return None
    place, distance = divergence(primary, candidate)
    before, now = _above(primary, place), _above(candidate, place)
    side = "above"
    if now.rate < before.rate:
        before, now, side = *(Share(of - count, of) for count, of in (before, now)), "at most"
    what = (
        f"its scores diverge by {distance:.2f} (Kolmogorov-Smirnov), {_of(now)} are {side} "
        f"{place:g} against {_of(before)}"
    )
    return _Found(what, before, now, settings.limits.score_divergence, 2 * _PLACES)


def _shown(found: _Found, settings: RolloutSettings) -> str | None:
    """What is shown, with the bound; None where it may be chance."""
    alpha = settings.false_alarm_rate / (len(settings.shares) * _LIMITS * found.places)
    if log_evidence(found.primary, found.candidate, found.allowed) < -log(alpha):
        return None
    least = least_increase(found.primary, found.candidate, alpha)
    return (
        f"{found.what}: at least {100 * least:.1f} percentage points more (allowed: "
        f"{100 * found.allowed:g}; false-alarm rate: {settings.false_alarm_rate:g})"
    )


def _of(share: Share) -> str:
    return f"{share.count} of {share.of} ({share.rate:.1%})"


def _above(values: Histogram, place: float) -> Share:
    above = sum(count for value, count in values.items() if value > place)
    return Share(above, sum(values.values()))


def percentile(values: Histogram, share: float) -> float:
    """The least value that so large a share is not above."""
    places = sorted(values)
    reached = [*accumulate(values[at] for at in places)]
    return places[bisect_left(reached, share * reached[-1] - 1e-9)]


def _below(values: Histogram, places: list[float]) -> list[float]:
    """Which share of them is not above each place."""
    reached = [*accumulate(values.get(at, 0) for at in places)]
    return [so_far / reached[-1] for so_far in reached]


def divergence(one: Histogram, other: Histogram) -> tuple[float, float]:
    """Where two distributions differ most, and by how much: 0 (the same) to 1 (disjoint).

    The latter is the two-sample statistic of Kolmogorov and Smirnov, of any scale.
    """
    places = sorted({*one, *other})
    shares = zip(_below(one, places), _below(other, places), strict=True)
    distances = [abs(first - second) for first, second in shares]
    largest = max(range(len(places)), key=distances.__getitem__)
    return places[largest], distances[largest]
