"""Deployment and schedules."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mlops_assets.blocks.base import Duration, Settings
from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.blocks.rollout import RolloutSettings

_Timeout = Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=1))]


class RateLimitSettings(Settings):
    """A token bucket for each API key, or for each address where there are no keys."""

    per_second: float = Field(gt=0, description="Requests on average, over all workers.")
    burst: int = Field(ge=1, description="Requests at once after a pause.")


class ApiKeySettings(Settings):
    """Who may ask: whoever holds one of the keys."""

    env: str = Field(
        pattern=r"^[A-Z_][A-Z0-9_]*$",
        description="Variable that holds the keys' SHA-256 digests, separated by commas, where "
        "the model is deployed from; `mlops api-key` makes a key.",
    )


class RequestLimits(Settings):
    """What a worker grants to requests."""

    rate_limit: RateLimitSettings | None = None
    request_timeout: _Timeout = Field(
        timedelta(seconds=30), description="From the complete request to its answer; then 504."
    )
    body_timeout: _Timeout = Field(
        timedelta(seconds=10), description="For the request's body to arrive; then 408."
    )
    max_concurrent: int = Field(
        200, ge=1, description="Complete requests in a worker at the same time; beyond, 503."
    )


class DeploymentSettings(RequestLimits):
    """Where and how the model is served."""

    target: Literal["local"] = "local"
    port: int = Field(ge=1024, le=65535)
    workers: int = Field(1, ge=1, le=64)
    automatic: bool = Field(True, description="The training job deploys what passed the gate.")
    max_rows: int = Field(1000, ge=1, description="Rows per request.")
    max_body_bytes: int = Field(1_000_000, ge=1_000)
    api_keys: ApiKeySettings | None = None
    rollout: RolloutSettings = RolloutSettings()
    log: LogSettings = LogSettings()


class ScheduleSettings(Settings):
    """Cron expressions in UTC."""

    train: str | None = None
    monitor: str | None = Field(None, description="When to compact the prediction log and report.")
