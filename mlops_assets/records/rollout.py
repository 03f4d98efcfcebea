"""A version on trial: what is tried, what was seen of it, and how it ended."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from mlops_assets.blocks.base import Record

WATCHED_FILE = "watched"
"""In that folder; touched by the deployer that waits for the verdict."""

Role = Literal["primary", "canary", "shadow"]


class Candidate(Record):
    """A version on trial beside the one that serves."""

    model_version: int
    folder: str
    role: Literal["canary", "shadow"]
    weight: float = Field(gt=0, le=1, description="Share of the requests that it computes.")


class Observed(Record):
    """What one version did during a trial; times and scores are the latest of each worker."""

    requests: int = 0
    errors: int = 0
    seconds: tuple[float, ...] = ()
    scores: tuple[float, ...] = Field((), description="Multiclass: the highest probability.")

    @property
    def error_rate(self) -> float:
        """Failed requests by all requests; 0 without any."""
        return self.errors / self.requests if self.requests else 0.0

    def __add__(self, other: "Observed") -> "Observed":
        """What two workers saw."""
        names = type(self).model_fields
        return Observed(**{name: getattr(self, name) + getattr(other, name) for name in names})


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
