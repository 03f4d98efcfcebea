"""A version on trial: what is tried, what was seen of it, and how it ended."""

from collections import Counter
from datetime import datetime
from typing import Literal

from pydantic import Field

from mlops_assets.blocks.base import Record

WATCHED_FILE = "watched"
"""In that folder; touched by the deployer that waits for the verdict."""

Role = Literal["primary", "canary", "shadow"]

Histogram = dict[float, int]
"""How often each value was seen, to three digits."""


def to_three_digits(value: float) -> float:
    """The value as a histogram has it: 0.1234567 as 0.123."""
    return float(f"{value:.3g}")


class Candidate(Record):
    """A version on trial beside the one that serves."""

    model_version: int
    folder: str
    role: Literal["canary", "shadow"]
    weight: float = Field(gt=0, le=1, description="Share of the requests that it computes.")


class Observed(Record):
    """What one version did in a step of a trial: counts that only grow."""

    requests: int = 0
    errors: int = 0
    seconds: Histogram = Field({}, description="That the answers took.")
    scores: Histogram = Field({}, description="Multiclass: the highest probability.")

    def __add__(self, other: "Observed") -> "Observed":
        """What two workers saw."""
        return Observed(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            seconds=Counter(self.seconds) + Counter(other.seconds),
            scores=Counter(self.scores) + Counter(other.scores),
        )


class Sighting(Record):
    """`trial/<pid>-<generation>.json`: what one worker saw of both versions."""

    primary: Observed = Observed()
    candidate: Observed = Observed()


class TrialReport(Record):
    """A line of `rollouts.jsonl`: how a trial ended."""

    ended: datetime
    from_version: int
    to_version: int
    strategy: Literal["canary", "shadow"]
    passed: bool
    reason: str
    seconds: float
    requests: int = Field(description="That either version answered.")
    candidate_requests: int = Field(description="That the candidate computed.")
    harmed_requests: int = Field(
        description="That a candidate which failed had answered to users; a shadow answers none."
    )
