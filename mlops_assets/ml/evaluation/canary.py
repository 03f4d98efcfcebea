"""Whether a candidate on trial does as well as the version beside it, from what both answered.

What both answered is counted by `serving.version.active`, who answers which request is
`serving.api.rollout`, and what follows from a verdict `resources.endpoints.rollout.local`.
"""

from collections.abc import Sequence

import numpy as np

from mlops_assets.blocks.rollout import VerdictLimits
from mlops_assets.records.rollout import Observed

_EARLY_ERRORS = 5
"""So many errors are judged before there are `min_requests`."""


def objection(
    primary: Observed, candidate: Observed, limits: VerdictLimits, min_requests: int
) -> str | None:
    """Why the candidate must go; None while nothing speaks against it.

    Errors are judged from the fifth on, latency and scores from `min_requests` requests of both.
    """
    increase = candidate.error_rate - primary.error_rate
    enough = min(primary.requests, candidate.requests) >= min_requests
    if increase > limits.error_increase and (enough or candidate.errors >= _EARLY_ERRORS):
        return (
            f"{candidate.errors} of its {candidate.requests} requests failed "
            f"({candidate.error_rate:.1%} against {primary.error_rate:.1%}, at most "
            f"{limits.error_increase:.1%} more is allowed)"
        )
    if not enough:
        return None
    return _slower(primary, candidate, limits) or _other_scores(primary, candidate, limits)


def _slower(primary: Observed, candidate: Observed, limits: VerdictLimits) -> str | None:
    if not primary.seconds or not candidate.seconds:
        return None
    before, now = (np.percentile(seen.seconds, 99) for seen in (primary, candidate))
    slack = limits.latency_slack_seconds
    if now <= limits.latency_ratio * before + slack:
        return None
    return (
        f"its p99 latency is {now * 1000:.1f} ms against {before * 1000:.1f} ms (at most "
        f"{limits.latency_ratio:g} times and {slack * 1000:g} ms more is allowed)"
    )


def _other_scores(primary: Observed, candidate: Observed, limits: VerdictLimits) -> str | None:
    if not primary.scores or not candidate.scores:
        return None
    distance = score_divergence(primary.scores, candidate.scores)
    if distance <= limits.score_divergence:
        return None
    return (
        f"its scores diverge by {distance:.2f} (Kolmogorov-Smirnov; at most "
        f"{limits.score_divergence:g} is allowed)"
    )


def score_divergence(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sample Kolmogorov-Smirnov statistic, 0 (the same) to 1 (disjoint), of any scale."""
    points = np.concatenate([one, other])
    first, second = (
        np.searchsorted(np.sort(sample), points, side="right") / len(sample)
        for sample in (one, other)
    )
    return float(np.abs(first - second).max())
