"""How a new version takes over from the one that serves."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlops_assets.blocks.base import Duration, Settings

_Share = Annotated[float, Field(gt=0, lt=1)]


class VerdictLimits(Settings):
    """What a candidate may differ from the version beside it; more must be shown by a test."""

    error_increase: float = Field(0.01, ge=0, lt=1, description="Of the share of failed requests.")
    latency_ratio: float = Field(2.0, ge=1, description="Of the 99th percentiles.")
    latency_slack_seconds: float = Field(0.05, ge=0, description="Allowed on top of the ratio.")
    score_divergence: float = Field(
        0.3, gt=0, le=1, description="Kolmogorov-Smirnov statistic of the scores."
    )


class RolloutSettings(Settings):
    """The way from one version to the next."""

    strategy: Literal["all_at_once", "canary", "shadow"] = Field(
        "all_at_once",
        description="A canary answers a share of the requests, a shadow only computes them.",
    )
    weights: tuple[_Share, ...] = Field(
        (0.05, 0.25, 0.5), min_length=1, description="Share of each step of a canary, growing."
    )
    step: Duration = Field(
        timedelta(minutes=5), description="How long each step lasts, and the shadow."
    )
    min_requests: int = Field(
        100,
        ge=30,
        description="Of both, that a step also lasts for; and until the candidate looks no worse.",
    )
    timeout: Duration = Field(
        timedelta(hours=1), description="A trial that is undecided by then is rolled back."
    )
    false_alarm_rate: float = Field(
        0.01,
        gt=0,
        le=0.5,
        description="At most this share of trials of an equal version are rolled back by chance.",
    )
    limits: VerdictLimits = VerdictLimits()

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the requests, that each step has the candidate compute."""
        return (1.0,) if self.strategy == "shadow" else self.weights

    @model_validator(mode="after")
    def _weights_grow(self) -> Self:
        if list(self.weights) != sorted(set(self.weights)):
            raise ValueError(f"weights must grow, not {list(self.weights)}")
        return self
