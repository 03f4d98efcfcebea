"""Deployment and schedules."""

from typing import Literal

from pydantic import Field

from mlops_assets.blocks.base import Settings


class DeploymentSettings(Settings):
    """Where and how the model is served."""

    target: Literal["local"] = "local"
    port: int = Field(ge=1024, le=65535)
    workers: int = Field(1, ge=1, le=64)
    automatic: bool = Field(True, description="The training job deploys what passed the gate.")
    max_rows: int = Field(1000, ge=1, description="Rows per request.")
    max_body_bytes: int = Field(1_000_000, ge=1_000)


class ScheduleSettings(Settings):
    """Cron expressions in UTC."""

    train: str | None = None
    monitor: str | None = Field(None, description="When to compact the prediction log and report.")
